//! Rows, corrections and late rows, before and after a restart

use std::sync::Arc;

use weir_sdk::api::data::builder::SchemaBuilder;
use weir_sdk::api::data::value::StructValue;
use weir_sdk::offsets::parse;

use super::*;

const HOUR: i64 = 3_600;
const START: i64 = 1_795_183_200;

fn row(time: &str, position: i64, hash: &str) -> Mapped {
    let schema = SchemaBuilder::structure().build().expect("an empty struct");
    Mapped {
        id: "9999X".to_owned(),
        time: time.to_owned(),
        position,
        timestamp_ms: position * 1000,
        value: StructValue::new(Arc::clone(&schema)),
        hash: format!("{hash:0<64}"),
        odd: Vec::new(),
    }
}

fn observation(hour: i64, hash: &str) -> Mapped {
    let position = START + hour * HOUR;
    row(&stamp::utc_text(position * 1000), position, hash)
}

fn restarted(product: Product, seen: &Seen) -> Seen {
    Seen::parse(product, &parse(&seen.offset(product)).expect("an offset"))
}

#[test]
fn rows_are_told_by_time_and_content_also_after_a_restart() {
    let product = Product::Observation;
    let mut seen = Seen::default();
    for hour in [0, 1, 3] {
        assert_eq!(seen.novelty(product, &observation(hour, "a")), Novelty::New);
        seen.note(product, &observation(hour, "a"));
    }
    for seen in [seen.clone(), restarted(product, &seen)] {
        for (hour, hash, novelty) in [
            (3, "a", Novelty::Known),
            (3, "b", Novelty::Revised),
            (0, "a", Novelty::Known),
            (0, "b", Novelty::Revised),
            // Late: between rows that were seen, and before them.
            (2, "a", Novelty::New),
            (-1, "a", Novelty::New),
            (4, "a", Novelty::New),
        ] {
            assert_eq!(
                seen.novelty(product, &observation(hour, hash)),
                novelty,
                "{hour} {hash}"
            );
        }
    }
    assert_eq!(
        seen.offset(product),
        r#"{"fint":"2026-11-20T17:00:00Z","h":"a000000000000000","seen":"0:a0000000,7200:a0000000,10800:a0000000"}"#
    );
}

#[test]
fn a_late_row_does_not_move_the_newest_one_back() {
    let product = Product::Observation;
    let mut seen = Seen::default();
    seen.note(product, &observation(5, "a"));
    seen.note(product, &observation(2, "b"));
    let seen = restarted(product, &seen);
    assert_eq!(seen.newest(), Some(START + 5 * HOUR));
    assert_eq!(seen.novelty(product, &observation(2, "b")), Novelty::Known);
}

#[test]
fn the_memory_is_bounded_and_what_is_before_it_counts_as_seen() {
    let product = Product::Observation;
    let mut seen = Seen::default();
    for hour in 0..100 {
        seen.note(product, &observation(hour, "a"));
    }
    let seen = restarted(product, &seen);
    assert_eq!(seen.novelty(product, &observation(10, "z")), Novelty::Known);
    assert_eq!(seen.novelty(product, &observation(64, "z")), Novelty::Revised);
    assert!(seen.offset(product).len() < 700, "{}", seen.offset(product).len());
}

#[test]
fn a_time_of_the_far_future_does_not_hide_what_comes() {
    let product = Product::Observation;
    let mut seen = Seen::default();
    seen.note(product, &observation(1_000_000, "a"));
    for hour in 0..100 {
        assert_eq!(seen.novelty(product, &observation(hour, "a")), Novelty::New);
        seen.note(product, &observation(hour, "a"));
    }
}

#[test]
fn a_plain_offset_goes_on_after_its_row() {
    let offset = parse(r#"{"fint":"2026-11-20T14:00:00","h":"a000000000000000"}"#).expect("an offset");
    let seen = Seen::parse(Product::Observation, &offset);
    for (hour, hash, novelty) in [
        (-1, "a", Novelty::Known),
        (0, "a", Novelty::Known),
        (0, "b", Novelty::Revised),
        (1, "a", Novelty::New),
    ] {
        assert_eq!(
            seen.novelty(Product::Observation, &observation(hour, hash)),
            novelty,
            "{hour} {hash}"
        );
    }
    for broken in [
        r#"{}"#,
        r#"{"fint":5}"#,
        r#"{"fint":"x","seen":"y:z,:,7"}"#,
        r#"{"fint":"2026-11-20T14:00:00","seen":":,x"}"#,
    ] {
        Seen::parse(Product::Observation, &parse(broken).expect("an object"));
    }
}

#[test]
fn days_are_told_as_hours_are() {
    let product = Product::DailyClimate;
    let mut seen = Seen::default();
    let day = |day: i64, hash: &str| row(&stamp::day_text(i32::try_from(day).expect("small")), day, hash);
    for at in [20_000, 20_002] {
        seen.note(product, &day(at, "a"));
    }
    let seen = restarted(product, &seen);
    assert_eq!(seen.newest(), Some(20_002));
    assert_eq!(seen.novelty(product, &day(20_001, "a")), Novelty::New);
    assert_eq!(seen.novelty(product, &day(20_000, "b")), Novelty::Revised);
    assert!(seen.offset(product).starts_with(r#"{"fecha":"2024-10-06","h":"a"#));
}

#[test]
fn issues_are_told_by_their_hash() {
    let product = Product::DailyForecast;
    let mut seen = Seen::default();
    let issue = |time: &str, hash: &str| row(time, 0, hash);
    seen.note(product, &issue("2026-11-20T05:54:00", "a"));
    seen.note(product, &issue("2026-11-20T11:54:00", "b"));
    for seen in [seen.clone(), restarted(product, &seen)] {
        assert_eq!(
            seen.novelty(product, &issue("2026-11-20T11:54:00", "b")),
            Novelty::Known
        );
        assert_eq!(
            seen.novelty(product, &issue("2026-11-20T11:54:00", "c")),
            Novelty::Revised
        );
        // A server that lags behind shows the one before.
        assert_eq!(
            seen.novelty(product, &issue("2026-11-20T05:54:00", "a")),
            Novelty::Known
        );
        assert_eq!(seen.novelty(product, &issue("2026-11-20T17:54:00", "d")), Novelty::New);
    }
    let plain = parse(&format!(r#"{{"elaborado":"2026-11-20T11:54:00","h":"{:0<64}"}}"#, "b")).expect("an offset");
    let seen = Seen::parse(product, &plain);
    assert_eq!(
        seen.novelty(product, &issue("2026-11-20T11:54:00", "b")),
        Novelty::Known
    );
}
