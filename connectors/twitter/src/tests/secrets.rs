//! No key, token or secret in anything that the connector lets out

use weir_fakes::service::FakeResponse;
use weir_fakes::x::problems;
use weir_fakes::x::service::{Absence, XService};
use weir_fakes::x::stream::Ending;
use weir_feed::testing::outputs;
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;

use super::support::{Bench, HOUR, MINUTE, SEARCH, STREAM, TOKEN, arrived, search_config, stream_config, users_config};
use crate::settings::Settings;

const MARKER: &str = "M4RK3R";
const APP: [(&str, &str); 3] = [
    ("twitter.bearer.token", ""),
    ("twitter.api.key", "k3y-M4RK3R"),
    ("twitter.api.secret", "s3cr3t-M4RK3R"),
];

fn app(service: &mut XService) {
    service.bearers = Some(Vec::new());
    service.app = Some(("k3y-M4RK3R".to_owned(), "s3cr3t-M4RK3R".to_owned()));
}

/// An answer that repeats what it was asked with, as some edges do.
fn repeating(config: &ConfigMap, status: u16) -> FakeResponse {
    let text = match config.get("twitter.api.key") {
        Some(_) => "bad header: Authorization: Bearer minted-5-1 of k3y-M4RK3R s3cr3t-M4RK3R".to_owned(),
        None => format!("bad header: Authorization: Bearer {TOKEN}"),
    };
    FakeResponse::text(status, &text)
}

fn assert_clean(records: &[SourceRecord], error: Option<&ConnectError>) {
    let mut all = outputs(records);
    if let Some(error) = error {
        all.push_str(&error.trace_text());
        all.push_str(&format!("{error:?}"));
    }
    for secret in [MARKER, "minted-5-", "Bearer ", "Basic "] {
        let at = all
            .find(secret)
            .map(|at| all[at.saturating_sub(200)..].chars().take(300).collect::<String>());
        // The text around is no secret: the answer above holds it.
        let is_shown = at
            .as_ref()
            .is_some_and(|text| secret != "Bearer " || !text.contains("Bearer [hidden]"));
        assert!(!is_shown, "{secret} is in: {at:?}");
    }
}

fn run(config: &ConfigMap, path: &str, prepare: impl FnOnce(&mut XService)) {
    let mut bench = Bench::start_with(config, prepare);
    bench.until_requests(path, 1);
    for status in [500, 429, 503] {
        bench.answer_next(path, repeating(config, status));
    }
    let records = bench.run_for(3 * HOUR);
    arrived(&records);
    assert!(!records.is_empty());
    assert_clean(&records, None);
    bench.answer_next(path, repeating(config, 418));
    let error = bench.failure();
    assert!(error.message.contains("answered 418"), "{error}");
    assert_clean(&records, Some(&error));
}

#[test]
fn no_output_of_any_mode_holds_a_secret() {
    run(&search_config(&[]), SEARCH, |_| {});
    run(&search_config(&APP), SEARCH, app);
    run(&users_config(&[]), "/2/users/410/tweets", |service| {
        service.absent.insert(411, Absence::Suspended);
    });
    run(&stream_config(&[]), STREAM, |service| {
        service.stream.session_ms = (MINUTE.unsigned_abs(), 5 * MINUTE.unsigned_abs());
        service.end_next_stream(60_000, Ending::Disconnect);
    });
    run(&stream_config(&APP), STREAM, |service| {
        app(service);
        service.stream.session_ms = (MINUTE.unsigned_abs(), 5 * MINUTE.unsigned_abs());
    });
}

#[test]
fn refused_credentials_are_not_shown() {
    for (config, path) in [(search_config(&[]), SEARCH), (search_config(&APP), "/oauth2/token")] {
        let mut bench = Bench::start_with(&config, app);
        let text = match config.get("twitter.api.key") {
            Some(_) => "bad key: k3y-M4RK3R s3cr3t-M4RK3R".to_owned(),
            None => format!("bad header: Authorization: Bearer {TOKEN}"),
        };
        bench.answer_next(path, FakeResponse::text(401, &text));
        let error = bench.failure();
        assert_clean(&[], Some(&error));
    }
    let mut bench = Bench::start_with(&search_config(&APP), app);
    bench.answer_next("/oauth2/token", FakeResponse::text(200, "{\"token\":\"M4RK3R\"}"));
    let error = bench.failure();
    assert!(error.message.contains("without an access token"), "{error}");
    assert_clean(&[], Some(&error));
    let mut bench = Bench::start_with(&search_config(&APP), app);
    bench.answer_next("/oauth2/token", problems::bad_app_credentials());
    assert_clean(&[], Some(&bench.failure()));
}

#[test]
fn settings_are_shown_without_secrets() {
    for config in [search_config(&[]), search_config(&APP)] {
        let shown = format!("{:?}", Settings::parse(&config).expect("fine settings"));
        assert!(!shown.contains(MARKER), "{shown}");
    }
}
