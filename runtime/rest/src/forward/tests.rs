//! Forwarding against a worker that answers what it was asked.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::IntoResponse as _;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// Answers with what it saw; `/gone` with an error, `/moved` with a redirect.
async fn other_worker(servers: &mut JoinSet<()>) -> String {
    let app = Router::new().fallback(|request: Request| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1024).await.unwrap_or_default();
        let seen = |name: header::HeaderName| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
                .to_owned()
        };
        match parts.uri.path() {
            "/gone" => (
                StatusCode::NOT_FOUND,
                Json(json!({"error_code": 404, "message": "Unknown x"})),
            )
                .into_response(),
            "/moved" => (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]).into_response(),
            _ => (
                StatusCode::CREATED,
                Json(json!({
                    "uri": parts.uri.to_string(), "method": parts.method.as_str(),
                    "body": String::from_utf8_lossy(&body), "agent": seen(header::USER_AGENT),
                    "accept": seen(header::ACCEPT), "authorization": seen(header::AUTHORIZATION),
                })),
            )
                .into_response(),
        }
    });
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("socket");
    let url = format!("http://{}/", socket.local_addr().expect("address"));
    servers.spawn(async move {
        let _ended = axum::serve(socket, app).await;
    });
    url
}

fn elsewhere(url: Option<&str>) -> Result<(), HerderError> {
    Err(HerderError::Elsewhere {
        url: url.map(str::to_owned),
        message: "not the leader".to_owned(),
    })
}

fn onward<'a>(path: &str, forward: Option<bool>, headers: &'a HeaderMap) -> Onward<'a> {
    Onward {
        method: Method::PUT,
        path: path.to_owned(),
        query: vec![("includeTasks", "true".to_owned())],
        headers,
        body: Some("{\"a\":\"1\"}".to_owned()),
        forward,
    }
}

async fn refused(url: Option<&str>, path: &str, forward: Option<bool>) -> RestError {
    let (forwarder, headers) = (Forwarder::new(&Properties::new()).expect("client"), HeaderMap::new());
    let outcome = forwarder
        .complete(elsewhere(url), onward(path, forward, &headers))
        .await;
    outcome.expect_err("must be refused")
}

#[tokio::test]
async fn a_request_is_passed_on_with_its_body_and_credentials() {
    let mut servers = JoinSet::new();
    let url = other_worker(&mut servers).await;
    let forwarder = Forwarder::new(&Properties::new()).expect("client");
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic eA=="));
    headers.insert("x-other", HeaderValue::from_static("1"));
    for (forward, expected) in [(None, "true"), (Some(true), "false")] {
        let done = forwarder
            .complete(elsewhere(Some(&url)), onward("/connectors/a%20b", forward, &headers))
            .await;
        let Ok(Done::There(answer)) = done else {
            panic!("{done:?}");
        };
        assert_eq!(answer.status, StatusCode::CREATED);
        let seen: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(
            seen,
            json!({
                "uri": format!("/connectors/a%20b?forward={expected}&includeTasks=true"), "method": "PUT",
                "body": "{\"a\":\"1\"}", "agent": "kafka-connect", "accept": "application/json",
                "authorization": "Basic eA==",
            })
        );
    }
}

#[tokio::test]
async fn what_the_other_worker_refuses_comes_back_unchanged() {
    let mut servers = JoinSet::new();
    let url = other_worker(&mut servers).await;
    let gone = refused(Some(&url), "/gone", None).await;
    assert_eq!((gone.status.as_u16(), gone.message.as_str()), (404, "Unknown x"));
    let moved = refused(Some(&url), "/moved", None).await;
    assert_eq!(moved.status.as_u16(), 500);
    assert!(moved.message.ends_with("302"), "{}", moved.message);
}

#[tokio::test]
async fn loops_unknown_leaders_and_dead_workers_are_told() {
    let looped = refused(Some("http://127.0.0.1:1/"), "/x", Some(false)).await;
    assert_eq!((looped.status.as_u16(), looped.message.as_str()), (409, TOO_MANY_HOPS));
    let unknown = refused(None, "/x", None).await;
    assert_eq!((unknown.status.as_u16(), unknown.message.as_str()), (409, NO_LEADER));
    let dead = refused(Some("http://127.0.0.1:1/"), "/x", None).await;
    assert_eq!(dead.status.as_u16(), 500);
    assert!(
        dead.message.starts_with("IO Error trying to forward REST request: "),
        "{}",
        dead.message
    );
}

#[test]
fn the_flag_is_read_as_java_reads_a_boolean() {
    for (query, expected) in [
        (None, None),
        (Some("x=1"), None),
        (Some("forward=TRUE"), Some(true)),
        (Some("forward=false"), Some(false)),
        (Some("forward=x"), Some(false)),
        (Some("forward"), Some(false)),
    ] {
        assert_eq!(forward_flag(query), expected, "{query:?}");
    }
}
