//! Requests through the hook against a server of this process

use http_body_util::{Empty, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use weir_config::map::ConfigMap;

use super::*;
use crate::policy::{Capability, Grants, Origin};

/// Answers every connection with the same text and keeps what it was asked.
async fn serve(answer: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("has one").port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let read = stream.read(&mut bytes).await.unwrap_or(0);
            bytes.truncate(read);
            seen.lock().push(String::from_utf8_lossy(&bytes).into_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, requests)
}

fn egress(asked: &str, grants: &str, url: &str, stop: &StopSignal) -> Egress {
    let settings: ConfigMap = [("weir.grants.C", grants)].into_iter().collect();
    let granted = Grants::parse(&settings)
        .expect("parses")
        .for_class(["C"], Origin::PluginPath);
    let policy = Policy::new(
        vec![Capability::Http(asked.to_owned())],
        Arc::new(granted),
        Arc::new([("url", url)].into_iter().collect()),
    );
    Egress::new(HttpClients::default(), Arc::new(policy), stop.clone())
}

async fn get(egress: &mut Egress, url: &str) -> Result<(u16, Vec<u8>), Error> {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let request = http::Request::get(url).body(body).expect("is a request");
    let done = Box::new(async { Ok(()) });
    let (response, _) = Pin::from(egress.send_request(request, None, done)).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes().to_vec();
    Ok((status, body))
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";

#[tokio::test]
async fn a_request_needs_a_grant_and_then_goes_out() {
    let (port, requests) = serve(HELLO).await;
    let url = format!("http://127.0.0.1:{port}/path?q=1");
    let stop = StopSignal::new();
    let denied = get(&mut egress("config:url", "", &url, &stop), &url).await;
    assert!(matches!(denied, Err(Error::HttpRequestDenied)), "{denied:?}");
    let unasked = get(&mut egress("*.example.com", "config", &url, &stop), &url).await;
    assert!(matches!(unasked, Err(Error::HttpRequestDenied)), "{unasked:?}");
    assert!(requests.lock().is_empty(), "nothing was sent");
    let answer = get(&mut egress("config:url", "config", &url, &stop), &url).await;
    assert_eq!(answer.expect("is answered"), (200, b"hello".to_vec()));
    let seen = requests.lock().join("");
    assert!(seen.starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{seen}");
    assert_eq!(seen.to_lowercase().matches("\r\nhost: ").count(), 1, "{seen}");
}

#[tokio::test]
async fn a_wildcard_grant_reaches_no_private_address_by_number_or_by_name() {
    let (port, requests) = serve(HELLO).await;
    let stop = StopSignal::new();
    let every = format!("*:{port}");
    let mut egress = egress(&every, &format!("http:{every}"), "", &stop);
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"] {
        let outcome = get(&mut egress, &format!("http://{host}:{port}/")).await;
        assert!(
            matches!(outcome, Err(Error::DestinationIpProhibited)),
            "{host}: {outcome:?}"
        );
    }
    assert!(requests.lock().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_redirect_is_the_guests_business() {
    const MOVED: &str =
        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (port, _) = serve(MOVED).await;
    let url = format!("http://127.0.0.1:{port}/");
    let mut egress = egress("config:url", "config", &url, &StopSignal::new());
    assert_eq!(get(&mut egress, &url).await.expect("is answered").0, 302);
}

#[tokio::test]
async fn a_body_is_sent_as_it_is() {
    let (port, requests) = serve(HELLO).await;
    let url = format!("http://127.0.0.1:{port}/");
    let mut egress = egress("config:url", "config", &url, &StopSignal::new());
    let body = Full::new(Bytes::from_static(b"the body"));
    let body = body.map_err(|never| match never {}).boxed_unsync();
    let request = http::Request::post(&url)
        .header("content-length", "8")
        .body(body)
        .expect("is a request");
    let done = Box::new(async { Ok(()) });
    let sent = Pin::from(egress.send_request(request, None, done)).await;
    assert_eq!(sent.map(|(response, _)| response.status().as_u16()).ok(), Some(200));
    let seen = requests.lock().join("");
    assert!(seen.starts_with("POST / HTTP/1.1\r\n"), "{seen}");
}

#[tokio::test]
async fn a_stop_ends_a_request_in_flight() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}/", listener.local_addr().expect("has one"));
    let stop = StopSignal::new();
    stop.request(Duration::ZERO);
    let mut egress = egress("config:url", "config", &url, &stop);
    let ended = get(&mut egress, &url).await;
    assert!(matches!(ended, Err(Error::ConnectionTerminated)), "{ended:?}");
}

#[tokio::test]
async fn a_closed_port_is_a_refused_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}/", listener.local_addr().expect("has one"));
    drop(listener);
    let mut egress = egress("config:url", "config", &url, &StopSignal::new());
    let refused = get(&mut egress, &url).await;
    assert!(matches!(refused, Err(Error::ConnectionRefused)), "{refused:?}");
}
