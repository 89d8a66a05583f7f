use super::{
    ResetFormat, http_date_text, parse_duration_ms, parse_http_date, parse_iso, parse_rfc3339, retry_after_ms, rfc3339,
};
use crate::zone::Zone;

/// 2026-11-20T16:05:11Z
const AT: i64 = 1_795_190_711_000;

#[test]
fn iso_times_are_read_with_and_without_zone() {
    for (text, expected) in [
        ("2026-11-20T16:05:11Z", Some(AT)),
        ("2026-11-20T16:05:11.250Z", Some(AT + 250)),
        ("2026-11-20T16:05:11.2504999+00:00", Some(AT + 250)),
        ("2026-11-20t17:05:11+0100", Some(AT)),
        ("2026-11-20 10:35:11-05:30", Some(AT)),
        ("2026-11-20T18:05:11+02", Some(AT)),
        ("2026-11-20T16:05Z", Some(AT - 11_000)),
        ("2026-11-20T16:05:60Z", Some(AT + 48_000)),
        ("2026-11-20T24:00:00Z", Some(1_795_219_200_000)),
        ("2026-02-29T00:00:00Z", None),
        ("2026-11-20T16:05:11Zulu", None),
        ("2026-11-20T25:00:00Z", None),
        ("2026-11-20T16:05:11+19:00", None),
        ("20-11-2026", None),
        ("", None),
    ] {
        assert_eq!(parse_iso(text, Zone::UTC), expected, "{text}");
    }
    assert_eq!(parse_iso("2026-11-20T17:05:11", Zone::Madrid), Some(AT));
    assert_eq!(parse_iso("2026-11-20", Zone::UTC), Some(1_795_132_800_000));
    assert_eq!(parse_rfc3339("2026-11-20T16:05:11"), None);
    assert_eq!(parse_rfc3339("2026-11-20T16:05:11-00:00"), Some(AT));
}

#[test]
fn times_are_written_as_they_are_read() {
    for ms in [0, AT, AT + 7, 951_782_400_000] {
        assert_eq!(parse_rfc3339(&rfc3339(ms)), Some(ms));
        assert_eq!(parse_http_date(&http_date_text(ms)), Some(ms / 1_000 * 1_000));
    }
    assert_eq!(rfc3339(AT + 7), "2026-11-20T16:05:11.007Z");
    assert_eq!(http_date_text(AT), "Fri, 20 Nov 2026 16:05:11 GMT");
}

#[test]
fn http_dates_have_three_forms() {
    for text in [
        "Fri, 20 Nov 2026 16:05:11 GMT",
        "Friday, 20-Nov-26 16:05:11 GMT",
        "Fri Nov 20 16:05:11 2026",
        "Fri, 20 Nov 2026 16:05:11 +0000",
    ] {
        assert_eq!(parse_http_date(text), Some(AT), "{text}");
    }
    for text in ["Fri, 20 Nov 2026", "soon", "Fri, 32 Nov 2026 16:05:11 GMT"] {
        assert_eq!(parse_http_date(text), None, "{text}");
    }
}

#[test]
fn services_name_the_end_of_a_wait_in_many_ways() {
    assert_eq!(retry_after_ms("120", AT), Some(120_000));
    assert_eq!(retry_after_ms("Fri, 20 Nov 2026 16:05:21 GMT", AT), Some(10_000));
    assert_eq!(retry_after_ms("Fri, 20 Nov 2026 16:05:01 GMT", AT), Some(0));
    assert_eq!(retry_after_ms("later", AT), None);
    assert_eq!(retry_after_ms("-5", AT), None);
    for (format, value, expected) in [
        (ResetFormat::Auto, "30", Some(30_000)),
        (ResetFormat::Auto, "0.5", Some(500)),
        (ResetFormat::Auto, "1795190741", Some(30_000)),
        (ResetFormat::Auto, "1795190741000", Some(30_000)),
        (ResetFormat::Auto, "2026-11-20T16:05:41Z", Some(30_000)),
        (ResetFormat::Seconds, "1795190741", Some(1_795_190_741_000)),
        (ResetFormat::UnixSeconds, "1795190741", Some(30_000)),
        (ResetFormat::Date, "Fri, 20 Nov 2026 16:05:41 GMT", Some(30_000)),
        (ResetFormat::Seconds, "NaN", None),
        (ResetFormat::Auto, "", None),
    ] {
        assert_eq!(format.wait_ms(value, AT), expected, "{format:?} {value}");
    }
}

#[test]
fn durations_have_a_fixed_length() {
    assert_eq!(parse_duration_ms("P1D"), Ok(86_400_000));
    assert_eq!(parse_duration_ms("P1DT12H"), Ok(129_600_000));
    assert_eq!(parse_duration_ms("PT15M"), Ok(900_000));
    assert_eq!(parse_duration_ms("P2W"), Ok(1_209_600_000));
    for (text, part) in [
        ("P1M", "months"),
        ("P1Y", "years"),
        ("1D", "not a duration"),
        ("PT", "not"),
        ("P1", "not"),
        ("P99999999999999999D", "not"),
    ] {
        assert!(parse_duration_ms(text).expect_err(text).contains(part), "{text}");
    }
}
