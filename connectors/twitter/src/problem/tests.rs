use serde_json::json;

use super::*;

const NOW: i64 = 1_795_190_711_000;

fn answer(status: u16, body: &str, headers: &[(&str, &str)]) -> Answer {
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
fn all_four_shapes_are_read() {
    let shown = |body: Value| -> Vec<String> {
        let problems = Problem::all(&body);
        problems
            .iter()
            .map(|problem| {
                format!(
                    "{}|{}|{}|{}",
                    problem.title,
                    problem.detail,
                    problem.kind,
                    problem.parameters.join(",")
                )
            })
            .collect()
    };
    let problem = json!({"title":"Invalid Request","detail":"d","type":"https://api.x.com/2/problems/invalid-request","status":400});
    assert_eq!(shown(problem.clone()), ["Invalid Request|d|invalid-request|"]);
    let mut with_list = problem;
    with_list["errors"] = json!([{"message":"m","parameters":{"query":["x"]}}]);
    assert_eq!(shown(with_list), ["|m|invalid-request|query"]);
    assert_eq!(
        shown(json!({"errors":[{"code":88,"message":"Rate limit exceeded"}]})),
        ["88|Rate limit exceeded||"]
    );
    assert_eq!(shown(json!({"code":32,"message":"m"})), ["32|m||"]);
    for none in [
        json!({}),
        json!([]),
        json!("x"),
        json!({"errors": null}),
        json!({"data": []}),
    ] {
        assert_eq!(shown(none.clone()), Vec::<String>::new(), "{none}");
    }
}

#[test]
fn limits_wait_as_long_as_the_service_says() {
    let wait = |headers: &[(&str, &str)]| match verdict(&answer(429, "{}", headers), NOW, &[]) {
        Verdict::Throttled {
            wait_ms,
            floor_ms,
            cap_ms,
            ..
        } => (wait_ms, floor_ms, cap_ms),
        other => panic!("{other:?}"),
    };
    let reset = (NOW / 1000 + 2).to_string();
    assert_eq!(wait(&[("x-rate-limit-reset", &reset)]), (Some(2_000), 1_000, 960_000));
    assert_eq!(wait(&[("X-Rate-Limit-Reset", "5")]), (Some(0), 1_000, 960_000));
    assert_eq!(wait(&[("retry-after", "7")]), (Some(7_000), 1_000, 960_000));
    assert_eq!(wait(&[]), (None, 60_000, 960_000));
    assert_eq!(wait(&[("x-rate-limit-reset", "soon")]), (None, 60_000, 960_000));
    // The service's clock is an hour behind ours: its reset is in two seconds all the same.
    let date = weir_feed::time::http_date_text(NOW - 3_600_000);
    let reset = ((NOW - 3_600_000) / 1000 + 2).to_string();
    assert_eq!(wait(&[("date", &date), ("x-rate-limit-reset", &reset)]).0, Some(2_000));
}

#[test]
fn refusals_are_recognised_by_what_they_name() {
    let of = |status: u16, body: &str| {
        let answer = answer(status, body, &[]);
        Refusal::of(&answer, &Problem::of(&answer))
    };
    let named = |name: &str| format!(r#"{{"errors":[{{"parameters":{{"{name}":["1"]}},"message":"m"}}],"title":"t"}}"#);
    assert_eq!(of(400, &named("since_id")), Some(Refusal::OutOfRange));
    assert_eq!(of(400, &named("start_time")), Some(Refusal::OutOfRange));
    assert_eq!(
        of(400, r#"{"detail":"'since_id' must be larger","title":"t"}"#),
        Some(Refusal::OutOfRange)
    );
    assert_eq!(of(400, &named("next_token")), Some(Refusal::Token));
    assert_eq!(of(400, &named("query")), Some(Refusal::Invalid));
    assert_eq!(of(401, ""), Some(Refusal::Unauthorized));
    assert_eq!(
        of(403, r#"{"title":"Forbidden","type":"about:blank"}"#),
        Some(Refusal::User)
    );
    assert_eq!(
        of(
            403,
            r#"{"title":"Client Forbidden","type":"https://api.x.com/2/problems/client-forbidden"}"#
        ),
        None
    );
    assert_eq!(
        of(
            403,
            r#"{"title":"t","type":"https://api.twitter.com/2/problems/client-not-enrolled"}"#
        ),
        None
    );
    assert_eq!(of(404, "<html>"), Some(Refusal::User));
    assert_eq!(of(409, ""), Some(Refusal::NoRules));
    assert_eq!(of(500, ""), None);
}

#[test]
fn answers_are_classified() {
    let class = |status: u16, body: &str| match verdict(&answer(status, body, &[]), NOW, &[]) {
        Verdict::Ok => "ok".to_owned(),
        Verdict::Retry(reason) => format!("retry: {reason}"),
        Verdict::Throttled { reason, .. } => format!("throttled: {reason}"),
        Verdict::Fatal(hint) => format!("fatal: {hint}"),
        other => format!("{other:?}"),
    };
    assert_eq!(class(200, "{}"), "ok");
    for (status, body) in [
        (200, ""),
        (200, "[]"),
        (200, "{\"data\":["),
        (200, "<html>"),
        (500, "{}"),
        (503, "<html>"),
        (408, ""),
        (425, ""),
    ] {
        assert!(class(status, body).starts_with("retry: "), "{status} {body}");
    }
    let capped = r#"{"title":"UsageCapExceeded","type":"https://api.x.com/2/problems/usage-capped"}"#;
    for status in [403, 429] {
        assert!(class(status, capped).contains("quota"), "{status}");
    }
    let connections = r#"{"title":"ConnectionException","connection_issue":"TooManyConnections","type":"https://api.x.com/2/problems/streaming-connection"}"#;
    assert_eq!(class(429, connections), "throttled: another connection is open");
    for status in [301, 400, 401, 403, 404, 409, 418] {
        assert!(class(status, "{}").starts_with("fatal: "), "{status}");
    }
}
