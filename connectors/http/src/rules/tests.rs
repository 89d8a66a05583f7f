use super::{Action, LimitHeaders, Rule, Rules};
use weir_feed::answer::{Answer, Verdict};
use weir_feed::time::ResetFormat;
use weir_sdk::http::HttpError;

fn rules(text: &str) -> Rules {
    let limits = LimitHeaders {
        remaining: "RateLimit-Remaining".to_owned(),
        reset: "RateLimit-Reset".to_owned(),
        format: ResetFormat::Auto,
    };
    Rules::new(Rule::parse_all(text).expect(text), limits)
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    Answer {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
        ..Answer::default()
    }
}

#[test]
fn statuses_have_a_meaning_by_default() {
    let rules = rules("");
    for (status, expected) in [
        (200, Action::Ok),
        (204, Action::Ok),
        (304, Action::Empty),
        (401, Action::RefreshAuth),
        (408, Action::Wait("Retry-After".to_owned())),
        (429, Action::Wait("Retry-After".to_owned())),
        (500, Action::Retry),
        (599, Action::Retry),
    ] {
        assert_eq!(rules.judge(&answer(status, &[], ""), 0).action, expected, "{status}");
    }
    for status in [302, 400, 403, 404, 410] {
        let judged = rules.judge(&answer(status, &[], ""), 0);
        assert!(
            matches!(judged.verdict, Verdict::Fatal(hint) if hint.contains("http.errors")),
            "{status}"
        );
    }
}

#[test]
fn the_first_rule_wins_and_each_match_and_action_works() {
    let rules = rules(
        "status 404,410 -> empty\n status 400..499 -> skip \n\
         body /error/code == \"busy\" -> wait header X-Wait\n\
         header X-Maintenance -> retry\nheader x-state == \"old\" -> reset_paging\nheader x-auth != \"ok\" -> refresh_auth\n\
         body /fatal -> fail \"ask the owner\"\nerror timeout -> skip\nerror dns -> fail \"no such host\"\nstatus 500 -> ok",
    );
    let cases: [(Answer, Action); 9] = [
        (answer(404, &[], ""), Action::Empty),
        (answer(418, &[], ""), Action::Skip),
        (
            answer(200, &[], r#"{"error":{"code":"busy"}}"#),
            Action::Wait("X-Wait".to_owned()),
        ),
        (answer(200, &[("x-maintenance", "yes")], ""), Action::Retry),
        (answer(200, &[("X-State", "old")], "{}"), Action::ResetPaging),
        (answer(200, &[("x-auth", "stale")], ""), Action::RefreshAuth),
        (
            answer(200, &[("x-auth", "ok")], r#"{"fatal":true}"#),
            Action::Fail("ask the owner".to_owned()),
        ),
        (answer(500, &[], "<html>"), Action::Ok),
        (answer(503, &[], ""), Action::Retry),
    ];
    for (answer, expected) in cases {
        assert_eq!(rules.judge(&answer, 0).action, expected, "{answer:?}");
    }
    assert!(matches!(
        rules.judge_error(&HttpError::TimedOut),
        Some(Verdict::Skip(_))
    ));
    assert_eq!(
        rules.judge_error(&HttpError::NameNotFound),
        Some(Verdict::Fatal("no such host".to_owned()))
    );
    assert_eq!(rules.judge_error(&HttpError::Reset), None);
}

#[test]
fn waits_are_read_from_headers() {
    let wait = |rules: &str, headers: &[(&str, &str)]| match self::rules(rules)
        .judge(&answer(429, headers, ""), 1_000)
        .verdict
    {
        Verdict::Throttled { wait_ms, .. } => wait_ms,
        other => panic!("{other:?}"),
    };
    assert_eq!(wait("", &[("retry-after", "7")]), Some(7_000));
    assert_eq!(wait("", &[("ratelimit-reset", "9")]), Some(9_000));
    assert_eq!(wait("", &[]), None);
    assert_eq!(
        wait(
            "status 429 -> wait header X-Until",
            &[("x-until", "2001-09-09T01:46:40Z")]
        ),
        Some(999_999_999_000)
    );
    let limits = rules("");
    let left = |remaining: &str| {
        limits.limits().wait_ms(
            &answer(200, &[("RateLimit-Remaining", remaining), ("RateLimit-Reset", "5")], ""),
            0,
        )
    };
    assert_eq!((left("0"), left("1"), left("many")), (Some(5_000), None, None));
}

#[test]
fn mistakes_are_named() {
    for (text, part) in [
        ("status 404", "MATCH -> ACTION"),
        ("status 4xx -> empty", "'4xx' is not a status"),
        ("status 599..500 -> retry", "is not a status"),
        ("code 404 -> empty", "'code' is not one of status, body"),
        ("status 404 -> ignore", "'ignore' is not one of ok"),
        ("status 404 -> fail because", "double quotes"),
        ("header X == y -> ok", "double quotes"),
        ("error cosmic -> retry", "'cosmic' is not one of timeout"),
        ("body /a = 1 -> ok", "at character 4"),
    ] {
        let error = Rule::parse_all(text).expect_err(text);
        assert!(error.contains(part) && error.contains(text), "{error}");
    }
}
