//! Settings: what is refused without a request, tasks, offsets

use weir_sdk::context::ConnectorContext;
use weir_sdk::source::{OffsetChange, SourceConnector as _};

use super::support::{config, search_config, stream_config, users_config};
use crate::settings::Settings;
use crate::source::TwitterSourceConnector;
use crate::twitter_config::definition;
use crate::values;

#[test]
fn wrong_settings_are_refused_without_a_request() {
    let long_query = "a".repeat(513);
    let long_rule = format!("t={}", "a".repeat(1025));
    let many_rules: Vec<String> = (0..1001).map(|n| format!("t{n}=word{n}")).collect();
    let many_rules = many_rules.join(";");
    let cases: Vec<(&str, weir_sdk::config::map::ConfigMap, &str)> = vec![
        (
            "twitter.bearer.token",
            search_config(&[("twitter.bearer.token", "")]),
            "give a token",
        ),
        (
            "twitter.bearer.token",
            search_config(&[("twitter.api.key", "k"), ("twitter.api.secret", "s")]),
            "not both",
        ),
        (
            "twitter.api.secret",
            search_config(&[("twitter.bearer.token", ""), ("twitter.api.key", "k")]),
            "is needed",
        ),
        (
            "twitter.query",
            search_config(&[("twitter.query", "")]),
            "needs a query",
        ),
        (
            "twitter.query",
            search_config(&[("twitter.query", &long_query)]),
            "has 513 characters",
        ),
        (
            "twitter.max.results",
            search_config(&[("twitter.max.results", "9")]),
            "at least 10",
        ),
        (
            "twitter.rules",
            stream_config(&[("twitter.rules", &long_rule)]),
            "has 1025 characters",
        ),
        (
            "twitter.rules",
            stream_config(&[("twitter.rules", &many_rules)]),
            "has 1001 rules",
        ),
        (
            "twitter.rules",
            stream_config(&[("twitter.rules", "[{}]")]),
            "has no value",
        ),
        (
            "twitter.rules",
            stream_config(&[("twitter.rules", "[{")]),
            "is not a JSON array",
        ),
        (
            "twitter.rules",
            stream_config(&[("twitter.rules", "a=b;c=b")]),
            "stands there twice",
        ),
        (
            "twitter.rules",
            stream_config(&[("twitter.rules", ""), ("twitter.rules.sync", "exact")]),
            "would delete all rules",
        ),
        (
            "twitter.usernames",
            users_config(&[("twitter.usernames", "")]),
            "needs names",
        ),
        (
            "twitter.usernames",
            users_config(&[("twitter.usernames", "a-b")]),
            "is no name",
        ),
        (
            "twitter.user.ids",
            users_config(&[("twitter.user.ids", "x")]),
            "is not a number",
        ),
        (
            "twitter.start",
            search_config(&[("twitter.start", "yesterday")]),
            "neither latest",
        ),
        (
            "twitter.base.url",
            search_config(&[("twitter.base.url", "http://api.x.com")]),
            "in the clear",
        ),
        (
            "twitter.base.url",
            search_config(&[("twitter.base.url", "https://api.x.com/2")]),
            "neither path",
        ),
        (
            "twitter.key",
            search_config(&[("twitter.key", "author_id"), ("twitter.tweet.fields", "lang")]),
            "is not among",
        ),
    ];
    let connector = TwitterSourceConnector::default();
    for (key, config, part) in cases {
        let infos = connector.validate(&config).expect("validation works");
        let found: Vec<String> = infos
            .iter()
            .flat_map(|info| info.errors.iter().map(move |error| format!("{}: {error}", info.name)))
            .collect();
        assert_eq!(found.len(), 1, "{key} {part}: {found:?}");
        assert!(
            found[0].starts_with(&format!("{key}: ")) && found[0].contains(part),
            "{found:?}"
        );
        let error = Settings::parse(&config).expect_err(key);
        assert!(error.message.contains(part), "{error}");
    }
}

#[test]
fn fine_settings_have_nothing_to_say() {
    let connector = TwitterSourceConnector::default();
    for fine in [
        search_config(&[]),
        search_config(&[
            ("twitter.bearer.token", ""),
            ("twitter.api.key", "k"),
            ("twitter.api.secret", "s"),
        ]),
        stream_config(&[("twitter.rules", r#"[{"value":"a b","tag":"t"},"c"]"#)]),
        stream_config(&[("twitter.rules", ""), ("twitter.rules.sync", "none")]),
        users_config(&[("twitter.usernames", "@faro_norte"), ("twitter.user.ids", "410")]),
        search_config(&[
            ("twitter.base.url", "https://api.x.com"),
            ("twitter.start", "2026-11-20T00:00:00Z"),
        ]),
    ] {
        assert_eq!(connector.validate(&fine).expect("validation works"), vec![]);
        Settings::parse(&fine).expect("fine settings");
    }
    // Rows that are missing are the definition's own business.
    assert_eq!(
        connector.validate(&config(&[("topic", "")])).expect("validation works"),
        vec![]
    );
}

#[test]
fn rules_are_read_in_both_forms() {
    let shown = |text: &str| -> Vec<String> {
        let rules = values::rules(text).expect(text);
        rules
            .iter()
            .map(|rule| format!("{}|{}", rule.tag.as_deref().unwrap_or("-"), rule.value))
            .collect()
    };
    assert_eq!(
        shown("lluvia=lluvia lang:es; from:a ;x = y=z;"),
        ["lluvia|lluvia lang:es", "-|from:a", "x|y=z"]
    );
    assert_eq!(shown("url:\"a=b\""), ["-|url:\"a=b\""]);
    assert_eq!(shown(r#"[{"value":"a","tag":"t"},"b"]"#), ["t|a", "-|b"]);
    assert_eq!(shown(""), Vec::<String>::new());
}

#[test]
fn users_are_divided_over_tasks_and_other_modes_have_one() {
    let divided = |config: &weir_sdk::config::map::ConfigMap, tasks: u32| -> Vec<String> {
        let mut connector = TwitterSourceConnector::default();
        connector.start(ConnectorContext::default(), config).expect("it starts");
        let configs = connector.task_configs(tasks).expect("task configs");
        configs
            .iter()
            .map(|config| {
                let settings = Settings::parse(config).expect("a task's settings");
                format!("{} of {}", settings.users.len(), settings.users_total)
            })
            .collect()
    };
    let users = users_config(&[("twitter.usernames", "a,b,c"), ("twitter.user.ids", "1,2")]);
    assert_eq!(divided(&users, 2), ["3 of 5", "2 of 5"]);
    assert_eq!(divided(&users, 50), ["1 of 5"; 5]);
    assert_eq!(divided(&search_config(&[]), 8), ["0 of 0"]);
    assert_eq!(divided(&stream_config(&[]), 8), ["0 of 0"]);
}

#[test]
fn offsets_are_changed_only_to_what_can_be_read() {
    let connector = TwitterSourceConnector::default();
    let altered = |partition: &str, offset: Option<&str>| {
        let change = OffsetChange {
            partition: partition.to_owned(),
            offset: offset.map(str::to_owned),
        };
        connector.alter_offsets(&search_config(&[]), &[change]).is_ok()
    };
    let search = crate::search::partition("q");
    let stream = crate::stream::partition();
    let user = crate::timelines::partition(410);
    assert_eq!(user, r#"{"feed":"twitter","mode":"user_tweets","user_id":"410"}"#);
    for partition in [&search, &user] {
        assert!(altered(partition, Some(r#"{"since_id":"5"}"#)) && altered(partition, None));
        assert!(!altered(partition, Some(r#"{"since_id":"five"}"#)));
    }
    assert!(altered(
        &stream,
        Some(r#"{"last_id":"5","last_at":"2026-11-20T00:00:00Z"}"#)
    ));
    assert!(!altered(&stream, Some(r#"{"since_id":"5"}"#)));
    assert!(!altered(r#"{"feed":"other"}"#, None));
}

#[test]
fn every_row_is_documented() {
    for key in definition().keys() {
        assert!(!key.documentation.is_empty(), "{}", key.name);
    }
}
