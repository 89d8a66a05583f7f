use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::recorded::Scripted as Function;

const DEADLINE: Duration = Duration::from_secs(20);

async fn server(respond: impl FnMut(&FakeRequest, i64) -> FakeResponse + Send + 'static) -> FakeServer {
    FakeServer::start("127.0.0.1", Function(respond))
        .await
        .expect("a free port")
}

/// Sends a request on a connection of its own and reads until the server ends it.
async fn exchange(server: &FakeServer, method: &str, target: &str, body: &str) -> (io::Result<()>, String) {
    let mut stream = TcpStream::connect(server.address).await.expect("connects");
    let length = body.len();
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: f\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut bytes))
        .await
        .expect("ends in time");
    (read.map(|_| ()), String::from_utf8_lossy(&bytes).into_owned())
}

async fn get(server: &FakeServer, target: &str) -> String {
    let (read, answer) = exchange(server, "GET", target, "").await;
    read.expect("a whole answer");
    answer
}

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("head and body").1
}

#[tokio::test]
async fn requests_arrive_whole_and_are_told() {
    let server = server(|request, now_ms| {
        assert!(now_ms > 1_700_000_000_000);
        let echo = format!(
            "{} {} {} {}",
            request.method,
            request.path,
            request.query,
            request.body.len()
        );
        FakeResponse::text(201, &echo).header("x-test", "yes")
    })
    .await;
    let (_, answer) = exchange(&server, "POST", "/a%20b?q=1", "hello").await;
    assert!(
        answer.starts_with("HTTP/1.1 201 ") && answer.contains("x-test: yes\r\n"),
        "{answer}"
    );
    assert!(answer.contains("content-length: "), "{answer}");
    assert_eq!(body_of(&answer), "POST /a%20b q=1 5");
    let told: Value = serde_json::from_str(body_of(&get(&server, "/_requests").await)).expect("JSON");
    assert_eq!(
        (&told[0]["path"], &told[0]["body"], &told[0]["status"]),
        (&"/a%20b".into(), &"hello".into(), &201.into())
    );
    assert_eq!(told[0]["headers"]["host"], "f");
    let told: Value = serde_json::from_str(body_of(&get(&server, "/_requests?last=0").await)).expect("JSON");
    assert_eq!(told, json!([]), "control requests are not among them");
}

#[tokio::test]
async fn a_script_answers_first_and_in_order() {
    let server = server(|_, _| FakeResponse::text(200, "service")).await;
    let script =
        r#"[{"path":"/b","status":503},{"status":429,"headers":{"Retry-After":"7"},"body":{"a":1}},{"body":"text"}]"#;
    assert!(
        exchange(&server, "PUT", "/_script", script)
            .await
            .1
            .starts_with("HTTP/1.1 200")
    );
    let first = get(&server, "/a").await;
    assert!(
        first.starts_with("HTTP/1.1 429") && first.contains("retry-after: 7\r\n"),
        "{first}"
    );
    assert_eq!(body_of(&first), r#"{"a":1}"#);
    assert!(get(&server, "/b/c").await.starts_with("HTTP/1.1 503"));
    assert_eq!(body_of(&get(&server, "/a").await), "text");
    assert_eq!(body_of(&get(&server, "/a").await), "service");
    for bad in [
        "{}",
        r#"[{"status":7}]"#,
        r#"[{"end":"never"}]"#,
        r#"[{"headers":{"a":1}}]"#,
    ] {
        assert!(
            exchange(&server, "PUT", "/_script", bad)
                .await
                .1
                .starts_with("HTTP/1.1 400"),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn pieces_are_played_and_a_reset_cuts_the_connection() {
    let server = server(|request, _| {
        let mut response = FakeResponse::text(200, "one ");
        response.pieces.push(Piece::Wait(30));
        response.pieces.push(Piece::Bytes(b"two".to_vec()));
        if request.path == "/cut" {
            response.pieces.push(Piece::Reset);
            response.pieces.push(Piece::Bytes(b"never".to_vec()));
        }
        response
    })
    .await;
    let whole = get(&server, "/whole").await;
    assert!(
        whole.contains("transfer-encoding: chunked") && whole.ends_with("0\r\n\r\n"),
        "{whole}"
    );
    assert!(whole.contains("one ") && whole.contains("two"));
    let (_, cut) = exchange(&server, "GET", "/cut", "").await;
    assert!(!cut.ends_with("0\r\n\r\n") && !cut.contains("never"), "{cut}");
}

#[tokio::test]
async fn a_hang_keeps_the_connection_open_and_others_are_served() {
    let server = server(|request, _| {
        let mut response = FakeResponse::text(200, "begin");
        if request.path == "/hang" {
            response.pieces.push(Piece::Hang);
        }
        response
    })
    .await;
    let mut stream = TcpStream::connect(server.address).await.expect("connects");
    stream
        .write_all(b"GET /hang HTTP/1.1\r\nHost: f\r\n\r\n")
        .await
        .expect("sent");
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("begin") {
        let read = timeout(DEADLINE, stream.read_buf(&mut seen))
            .await
            .expect("in time")
            .expect("open");
        assert!(read > 0, "ended");
    }
    assert_eq!(body_of(&get(&server, "/other").await), "begin");
    let more = timeout(Duration::from_millis(100), stream.read_buf(&mut seen)).await;
    assert!(more.is_err(), "still open and silent");
}

#[tokio::test]
async fn requests_without_bound_are_refused() {
    let server = server(|_, _| FakeResponse::text(200, "taken")).await;
    let body = "x".repeat(MAX_BODY_BYTES + 1);
    let mut stream = TcpStream::connect(server.address).await.expect("connects");
    let head = format!("POST / HTTP/1.1\r\nHost: f\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.expect("sent");
    // The server may answer and close before it has read all.
    drop(stream.write_all(body.as_bytes()).await);
    let mut first = [0; 12];
    timeout(DEADLINE, stream.read_exact(&mut first))
        .await
        .expect("in time")
        .expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 413");
}

#[tokio::test]
async fn all_services_answer_at_once() {
    let all = serve_all("127.0.0.1", 7).await.expect("free ports");
    let urls = [all.x_url(), all.aemet_url(), all.places_url(), all.items_url()];
    let distinct: std::collections::BTreeSet<&String> = urls.iter().collect();
    assert_eq!(distinct.len(), 4);
    assert!(
        urls.iter()
            .all(|url| url.starts_with("http://127.0.0.1:") && !url.ends_with('/'))
    );
    let nearby = "/maps/api/place/nearbysearch/json?location=40.4168,-3.7038&radius=500&key=k";
    assert!(get(&all.places, nearby).await.contains(r#""status":"OK""#));
    let items: Value = serde_json::from_str(body_of(&get(&all.items, "/items?page=1&size=2").await)).expect("JSON");
    assert_eq!(items["items"].as_array().map(Vec::len), Some(2));
    assert!(
        get(&all.aemet, "/opendata/api/observacion/convencional/todas?api_key=k")
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        get(&all.x, "/2/tweets/search/recent?query=a")
            .await
            .starts_with("HTTP/1.1 401"),
        "no token"
    );
}
