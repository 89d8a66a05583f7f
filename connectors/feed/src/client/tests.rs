use weir_sdk::budget::Rate;
use weir_sdk::http::{HttpError, Request};
use weir_sdk::testing::{HttpHandler, Piece, TestHost, TestResponse, install, with_host};

use super::Client;
use crate::answer::{Answer, Fetch, Verdict};
use crate::settings::{Access, Limits, Retry};
use crate::url::{Hosts, Url};

const START: i64 = 1_795_190_711_000;

fn access(max_attempts: Option<u32>) -> Access {
    Access {
        limits: Limits {
            connect_timeout_ms: 5_000,
            read_timeout_ms: 30_000,
            max_body_bytes: 1_000,
        },
        retry: Retry {
            max_attempts,
            initial_ms: 1_000,
            max_ms: 60_000,
        },
        rate: Rate {
            requests: 100,
            per_ms: 1_000,
        },
    }
}

fn serve(http: HttpHandler) {
    install(TestHost {
        http: Some(http),
        clock_ms: Some(START),
        ..TestHost::default()
    });
}

fn by_status(answer: &Answer) -> Verdict {
    Verdict::by_status(answer, weir_sdk::runtime::now_ms(), "check the URL")
}

fn now() -> i64 {
    with_host(|host| host.clock_ms).expect("a virtual clock")
}

fn ask(client: &mut Client) -> Result<Fetch, String> {
    let request = Request::get("http://h/items?key=MARKER").with_header("authorization", "Bearer MARKER");
    client.fetch(&request, &by_status).map_err(|error| error.message)
}

fn log() -> String {
    with_host(|host| format!("{:?} {:?}", host.lines, host.fields))
}

#[test]
fn failures_are_retried_with_growing_waits_and_then_fail_the_task() {
    serve(Box::new(|_, _| Ok(TestResponse::new(503, "busy MARKER"))));
    let mut client = Client::new(&access(Some(4)), "requests");
    client.hide("MARKER");
    for attempt in 1..4 {
        assert_eq!(ask(&mut client), Ok(Fetch::NotYet), "attempt {attempt}");
        let waiting = client.waiting().expect("a wait");
        assert!(waiting.until_ms - now() <= 1_000 << (attempt - 1));
        assert_eq!(waiting.reason, "GET http://h/items?[hidden]: status 503: busy [hidden]");
        with_host(|host| host.clock_ms = Some(waiting.until_ms));
    }
    let error = ask(&mut client).expect_err("the attempts are used up");
    assert_eq!(
        error,
        "GET http://h/items?[hidden] failed 4 times in a row, the last time with: status 503: busy [hidden]; \
         see whether the service works, or raise retry.max.attempts"
    );
    assert!(!log().contains("MARKER"), "{}", log());
}

#[test]
fn a_wait_is_kept_until_it_is_over() {
    serve(Box::new(|_, now| {
        if now < START + 900_000 {
            Ok(TestResponse::new(429, "slow down").with_header("retry-after", "900"))
        } else {
            Ok(TestResponse::new(200, "fine"))
        }
    }));
    let mut client = Client::new(&access(Some(1)), "requests");
    assert_eq!(ask(&mut client), Ok(Fetch::NotYet));
    assert_eq!(client.waiting().map(|waiting| waiting.until_ms), Some(START + 900_000));
    // The clock is set back an hour: the wait starts over, it does not last an hour longer.
    with_host(|host| host.clock_ms = Some(START - 3_600_000));
    assert_eq!(ask(&mut client), Ok(Fetch::NotYet));
    assert_eq!(
        client.waiting().map(|waiting| waiting.until_ms),
        Some(START - 3_600_000 + 900_000)
    );
    with_host(|host| host.clock_ms = Some(START + 900_000));
    assert!(matches!(ask(&mut client), Ok(Fetch::Got(_))));
}

#[test]
fn a_throttled_task_holds_its_sisters_and_no_other_connector() {
    serve(Box::new(|_, now| {
        let status = if now < START + 10_000 { 429 } else { 200 };
        Ok(TestResponse::new(status, "").with_header("retry-after", "10"))
    }));
    let mut first = Client::new(&access(Some(1)), "requests");
    let mut sister = Client::new(&access(Some(1)), "requests");
    let mut stranger = Client::new(&access(Some(1)), "others");
    assert_eq!(ask(&mut first), Ok(Fetch::NotYet));
    assert!(!sister.permit());
    assert_eq!(sister.waiting().map(|waiting| waiting.until_ms), Some(START + 10_000));
    assert!(stranger.permit());
    with_host(|host| host.clock_ms = Some(START + 10_000));
    assert!(sister.permit());
}

#[test]
fn waits_that_the_service_does_not_name_double() {
    serve(Box::new(|_, _| Ok(TestResponse::new(200, ""))));
    let mut client = Client::new(&access(Some(1)), "requests");
    for expected in [60_000, 120_000, 240_000, 300_000, 300_000] {
        client.throttled(None, "busy", 60_000, 300_000);
        let wait = client.waiting().expect("a wait").until_ms - START;
        assert!(
            (expected..=expected + expected / 10).contains(&wait) && wait <= 300_000,
            "{wait}"
        );
    }
    client.throttled(Some(5), "busy", 1_000, 300_000);
    assert_eq!(client.waiting().map(|waiting| waiting.until_ms), Some(START + 1_000));
    client.throttled(Some(u64::MAX), "busy", 1_000, 300_000);
    assert_eq!(client.waiting().map(|waiting| waiting.until_ms), Some(START + 300_000));
}

#[test]
fn failures_of_the_connection_are_classed() {
    let cases: [(HttpError, &str); 9] = [
        (HttpError::NameNotFound, ""),
        (HttpError::Refused, ""),
        (HttpError::Reset, ""),
        (HttpError::TimedOut, ""),
        (HttpError::Tls("eof".to_owned()), ""),
        (HttpError::Truncated, ""),
        (
            HttpError::Certificate("expired".to_owned()),
            "certificate does not verify: expired",
        ),
        (HttpError::Denied("no grant for h".to_owned()), "no grant for h"),
        (HttpError::InvalidUrl("no host".to_owned()), "no host"),
    ];
    for (error, fatal) in cases {
        let answer = error.clone();
        serve(Box::new(move |_, _| Err(answer.clone())));
        let mut client = Client::new(&access(None), "requests");
        match ask(&mut client) {
            Ok(Fetch::NotYet) => assert!(fatal.is_empty(), "{error}"),
            Err(text) => assert!(!fatal.is_empty() && text.contains(fatal), "{error}: {text}"),
            other => panic!("{error}: {other:?}"),
        }
    }
    serve(Box::new(|_, _| Err(HttpError::Stopped)));
    let stopped = Client::new(&access(None), "requests").fetch(&Request::get("http://h/"), &by_status);
    assert_eq!(
        stopped.map_err(|error| error.kind),
        Err(weir_sdk::api::error::ErrorKind::Stopped)
    );
}

#[test]
fn a_body_over_the_limit_and_one_that_is_cut_are_told_apart() {
    serve(Box::new(|_, _| Ok(TestResponse::new(200, vec![b'x'; 1_001]))));
    let error = ask(&mut Client::new(&access(None), "requests")).expect_err("too large");
    assert!(
        error.contains("response too large") && error.contains("http.max.body.bytes"),
        "{error}"
    );
    serve(Box::new(|_, _| {
        Ok(TestResponse {
            pieces: vec![Piece::Bytes(b"half".to_vec()), Piece::Reset],
            ..TestResponse::new(200, "")
        })
    }));
    assert_eq!(ask(&mut Client::new(&access(None), "requests")), Ok(Fetch::NotYet));
}

fn redirect(status: u16, location: &'static str) -> HttpHandler {
    Box::new(move |request, _| {
        if request.url.starts_with("http://h/items") {
            return Ok(TestResponse::new(status, "").with_header("location", location));
        }
        let sent = request.header("authorization").unwrap_or("none").to_owned();
        Ok(TestResponse::new(
            200,
            format!("{} {} {sent}", request.method.as_str(), request.url),
        ))
    })
}

#[test]
fn redirects_are_followed_to_allowed_hosts_only() {
    let url = Url::parse("http://h/items").expect("a URL");
    let mut hosts = Hosts::of(&url);
    hosts.push("other.example").expect("a host");
    let text = |location| {
        serve(redirect(302, location));
        let mut client = Client::new(&access(None), "requests").following(hosts.clone());
        ask(&mut client).map(|fetched| match fetched {
            Fetch::Got(answer) => answer.text(),
            other => format!("{other:?}"),
        })
    };
    assert_eq!(text("/next").as_deref(), Ok("GET http://h/next Bearer MARKER"));
    assert_eq!(
        text("http://other.example/x").as_deref(),
        Ok("GET http://other.example/x none")
    );
    for (location, part) in [
        ("http://evil.example/x", "http.allow.hosts"),
        ("http://127.0.0.1/x", "http.allow.hosts"),
        ("http://169.254.169.254/latest", "http.allow.hosts"),
        ("ftp://h/x", "scheme is ftp"),
        ("/items", "redirects in a row"),
    ] {
        let error = text(location).expect_err(location);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn without_hosts_a_redirect_is_an_answer() {
    serve(redirect(302, "http://evil.example/"));
    let error = ask(&mut Client::new(&access(None), "requests")).expect_err("judged");
    assert!(
        error.contains("answered 302") && error.ends_with("check the URL"),
        "{error}"
    );
}

#[test]
fn a_body_does_not_follow_a_redirect_to_another_host() {
    let mut hosts = Hosts::of(&Url::parse("http://h/items").expect("a URL"));
    hosts.push("other.example").expect("a host");
    let post = |status, location| {
        serve(redirect(status, location));
        let mut client = Client::new(&access(None), "requests").following(hosts.clone());
        let fetched = client.fetch(&Request::post("http://h/items", "key=MARKER"), &by_status);
        fetched.map_err(|error| error.message).map(|fetched| match fetched {
            Fetch::Got(answer) => answer.text(),
            other => format!("{other:?}"),
        })
    };
    assert!(post(307, "http://other.example/x").is_err_and(|error| error.contains("with its body")));
    assert_eq!(post(307, "/x").as_deref(), Ok("POST http://h/x none"));
    assert_eq!(
        post(303, "http://other.example/x").as_deref(),
        Ok("GET http://other.example/x none")
    );
}

#[test]
fn requests_are_counted_answered_or_not_and_waits_are_none() {
    let mut answers = vec![
        Ok(TestResponse::new(200, "fine")),
        Err(HttpError::Reset),
        Ok(TestResponse::new(503, "")),
    ];
    serve(Box::new(move |_, _| answers.pop().expect("three are asked for")));
    let mut client = Client::new(&access(None), "counted");
    for expected in 1..=3 {
        drop(ask(&mut client).expect("no attempt limit"));
        assert_eq!(client.requests_sent(), expected);
        if expected < 3 {
            assert_eq!(ask(&mut client), Ok(Fetch::NotYet), "it waits");
            assert_eq!(client.requests_sent(), expected);
            with_host(|host| host.clock_ms = host.clock_ms.map(|now_ms| now_ms + 120_000));
        }
    }
}
