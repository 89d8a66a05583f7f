//! Requests through the hook against servers of this process
//!
//! `hostile.rs` has the servers that misbehave and `secrets.rs` what a request may carry where.

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use parking_lot::Mutex;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use weir_config::def::{ConfigDef, ConfigKey, ConfigType};
use weir_config::map::ConfigMap;

use super::*;
use crate::egress::lookup::Lookup;
use crate::egress::settings::HttpSettings;
use crate::policy::{Capability, Grants, Origin};

mod hostile;
mod proxy;
mod secrets;
mod tls;

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";

/// Answers every connection with the same text and keeps what it was asked.
async fn serve(answer: impl Into<String>) -> (u16, Arc<Mutex<Vec<String>>>) {
    serve_at("127.0.0.1", answer).await
}

async fn serve_at(address: &str, answer: impl Into<String>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((address, 0)).await.expect("binds");
    let port = listener.local_addr().expect("has one").port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (seen, answer) = (Arc::clone(&requests), answer.into());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = read_request(&mut stream).await;
            seen.lock().push(request);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, requests)
}

/// Reads a head and the body that its length announces.
async fn read_request(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut request = Vec::new();
    let mut bytes = vec![0; 65_536];
    let mut wanted = None;
    while wanted.is_none_or(|wanted| request.len() < wanted) {
        match stream.read(&mut bytes).await {
            Ok(read) if read > 0 => request.extend_from_slice(bytes.get(..read).unwrap_or_default()),
            _ => break,
        }
        if wanted.is_none() {
            wanted = length_of(&String::from_utf8_lossy(&request));
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

/// Bytes of a whole request, once its head is there.
fn length_of(text: &str) -> Option<usize> {
    let (head, _) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    Some(head.len() + 4 + length.unwrap_or(0))
}

/// What a test says of the instance whose hook it makes.
struct Setup {
    asked: &'static str,
    grants: &'static str,
    settings: ConfigMap,
    origin: Origin,
    http: HttpSettings,
    stop: StopSignal,
}

impl Setup {
    /// A bundled class that asks for the host of its setting `url`.
    fn bundled(url: &str) -> Self {
        Self {
            asked: "config:url",
            grants: "",
            settings: [("url", url)].into_iter().collect(),
            origin: Origin::Bundled,
            http: HttpSettings::default(),
            stop: StopSignal::new(),
        }
    }

    fn stranger(asked: &'static str, grants: &'static str) -> Self {
        Self {
            asked,
            grants,
            settings: ConfigMap::new(),
            origin: Origin::PluginPath,
            ..Self::bundled("")
        }
    }

    fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(key, value);
        self
    }

    fn worker(mut self, settings: &[(&str, &str)]) -> Self {
        let parsed = HttpSettings::parse(&settings.iter().copied().collect()).expect("parses");
        self.http = parsed.with_lookup(self.http.lookup);
        self
    }

    fn lookup(mut self, lookup: Lookup) -> Self {
        self.http = self.http.with_lookup(lookup);
        self
    }

    fn egress(&self) -> Egress {
        let grants: ConfigMap = if self.grants.is_empty() {
            ConfigMap::new()
        } else {
            [("weir.grants.C", self.grants)].into_iter().collect()
        };
        let granted = Grants::parse(&grants).expect("parses").for_class(["C"], self.origin);
        let policy = Policy::new(
            vec![Capability::Http(self.asked.to_owned()), Capability::Secrets],
            Arc::new(granted),
            Arc::new(self.settings.clone()),
        );
        let definition = ConfigDef::new().key(ConfigKey::new("token", ConfigType::Password));
        let secrets = Secrets::new("C", Some(&definition));
        Egress::new(
            HttpClients::new(self.http.clone()),
            Arc::new(policy),
            Arc::new(secrets),
            self.stop.clone(),
        )
    }
}

type Answer = Result<(u16, Vec<u8>), Error>;

fn empty() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

fn body_of(text: &str) -> UnsyncBoxBody<Bytes, Error> {
    let body = Full::new(Bytes::from(text.to_owned()));
    body.map_err(|never| match never {}).boxed_unsync()
}

/// Timeouts of 300 ms, so that a test of silence is quick.
fn impatient() -> Option<RequestOptions> {
    let limit = Some(Duration::from_millis(300));
    Some(RequestOptions {
        connect_timeout: limit,
        first_byte_timeout: limit,
        between_bytes_timeout: limit,
    })
}

async fn send(egress: &mut Egress, request: http::Request<WasiBody>) -> Answer {
    let done = Box::new(async { Ok(()) });
    let (response, _) = Pin::from(egress.send_request(request, impatient(), done)).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes().to_vec();
    Ok((status, body))
}

async fn get(egress: &mut Egress, url: &str) -> Answer {
    send(egress, http::Request::get(url).body(empty()).expect("is a request")).await
}

fn url_at(port: u16) -> String {
    format!("http://127.0.0.1:{port}/path?q=1")
}

#[tokio::test]
async fn a_request_needs_a_grant_and_then_goes_out() {
    let (port, requests) = serve(HELLO).await;
    let url = url_at(port);
    let ungranted = Setup::stranger("config:url", "wall-clock").setting("url", &url);
    let denied = get(&mut ungranted.egress(), &url).await;
    assert!(matches!(denied, Err(Error::HttpRequestDenied)), "{denied:?}");
    let unasked = Setup::stranger("*.example.com", "config").setting("url", &url);
    let denied = get(&mut unasked.egress(), &url).await;
    assert!(matches!(denied, Err(Error::HttpRequestDenied)), "{denied:?}");
    assert!(requests.lock().is_empty(), "nothing was sent");
    let answer = get(&mut Setup::bundled(&url).egress(), &url).await;
    assert_eq!(answer.expect("is answered"), (200, b"hello".to_vec()));
    let seen = requests.lock().join("").to_lowercase();
    assert!(seen.starts_with("get /path?q=1 http/1.1\r\n"), "{seen}");
    assert_eq!(seen.matches("\r\nhost: ").count(), 1, "{seen}");
    assert!(seen.contains("\r\nuser-agent: weir/"), "{seen}");
    assert!(
        !seen.contains("transfer-encoding") && !seen.contains("content-length"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_wildcard_grant_reaches_no_private_address_however_it_is_written() {
    let (port, requests) = serve(HELLO).await;
    let mut egress = Setup::stranger("*:*", "http:*:*").egress();
    for host in [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        // What URL parsers make an address of, and others a name.
        "2130706433",
        "0x7f000001",
        "127.1",
        "0177.0.0.1",
        "169.254.169.254",
        "[::ffff:a9fe:a9fe]",
    ] {
        let outcome = get(&mut egress, &format!("http://{host}:{port}/")).await;
        assert!(
            matches!(outcome, Err(Error::DestinationIpProhibited)),
            "{host}: {outcome:?}"
        );
    }
    assert!(requests.lock().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_name_that_changes_between_check_and_connect_changes_nothing() {
    let (port, requests) = serve_at("127.0.0.2", HELLO).await;
    let (other_port, other_requests) = serve_at("127.0.0.3", HELLO).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // Allowed at first, forbidden ever after.
    let lookup = Lookup::by(move |_| {
        let last = if count.fetch_add(1, Ordering::SeqCst) == 0 {
            2
        } else {
            3
        };
        Box::pin(async move { Ok(vec![IpAddr::from([127, 0, 0, last])]) })
    });
    let setup = Setup::stranger("*:*", "http:*:*,http:127.0.0.2/32:*").lookup(lookup);
    let mut egress = setup.egress();
    let first = get(&mut egress, &format!("http://rebind.test:{port}/")).await;
    assert_eq!(first.expect("is answered").0, 200);
    assert_eq!(
        asked.load(Ordering::SeqCst),
        1,
        "the checked answer is the one that is used"
    );
    assert_eq!(requests.lock().len(), 1);
    let second = get(&mut egress, &format!("http://rebind.test:{other_port}/")).await;
    assert!(matches!(second, Err(Error::DestinationIpProhibited)), "{second:?}");
    assert!(other_requests.lock().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn one_forbidden_address_among_allowed_ones_forbids_the_name() {
    let (port, requests) = serve(HELLO).await;
    let lookup =
        Lookup::by(|_| Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 0, 1])]) }));
    let setup = Setup::stranger("*:*", "http:*:*,http:127.0.0.1:*").lookup(lookup);
    let outcome = get(&mut setup.egress(), &format!("http://mixed.test:{port}/")).await;
    assert!(matches!(outcome, Err(Error::DestinationIpProhibited)), "{outcome:?}");
    assert!(requests.lock().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_pooled_connection_is_not_lent_to_a_stricter_rule() {
    let keep = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let (port, requests) = serve(keep).await;
    let url = format!("http://localhost:{port}/");
    let named = Setup::bundled(&url);
    let mut egress = named.egress();
    assert_eq!(get(&mut egress, &url).await.expect("is answered").0, 200);
    let wildcard = Setup::stranger("*:*", "http:*:*").egress();
    let mut shared = Egress {
        clients: egress.clients.clone(),
        ..wildcard
    };
    let outcome = get(&mut shared, &url).await;
    assert!(matches!(outcome, Err(Error::DestinationIpProhibited)), "{outcome:?}");
    assert_eq!(requests.lock().len(), 1);
}

#[tokio::test]
async fn an_unknown_name_is_its_own_error() {
    let lookup = Lookup::by(|_| Box::pin(async { Ok(Vec::new()) }));
    let setup = Setup::bundled("http://nowhere.test").lookup(lookup);
    let outcome = get(&mut setup.egress(), "http://nowhere.test/").await;
    assert!(matches!(outcome, Err(Error::DnsError { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_redirect_is_the_guests_business_and_its_target_is_judged() {
    let moved =
        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (port, requests) = serve(moved).await;
    let url = url_at(port);
    let mut egress = Setup::bundled(&url).egress();
    assert_eq!(get(&mut egress, &url).await.expect("is answered").0, 302);
    assert_eq!(requests.lock().len(), 1);
    for target in ["http://169.254.169.254/", "http://127.0.0.1:1/"] {
        let followed = get(&mut egress, target).await;
        assert!(matches!(followed, Err(Error::HttpRequestDenied)), "{followed:?}");
    }
}

#[tokio::test]
async fn bodies_have_their_length_and_large_ones_stream() {
    let (port, requests) = serve(HELLO).await;
    let url = url_at(port);
    let mut egress = Setup::bundled(&url).egress();
    let request = http::Request::post(&url)
        .body(body_of("the body"))
        .expect("is a request");
    assert_eq!(send(&mut egress, request).await.expect("is answered").0, 200);
    let request = http::Request::post(&url).body(empty()).expect("is a request");
    assert_eq!(send(&mut egress, request).await.expect("is answered").0, 200);
    let large = "x".repeat(3 * 1024 * 1024);
    let request = http::Request::put(&url)
        .header("content-length", large.len())
        .body(body_of(&large))
        .expect("is a request");
    assert_eq!(send(&mut egress, request).await.expect("is answered").0, 200);
    let seen = requests.lock();
    let request = |at: usize| seen.get(at).map(|text| text.to_lowercase()).unwrap_or_default();
    assert!(
        request(0).contains("\r\ncontent-length: 8\r\n") && request(0).ends_with("the body"),
        "{}",
        request(0)
    );
    assert!(request(1).contains("\r\ncontent-length: 0\r\n"), "{}", request(1));
    assert!(request(2).ends_with(&large), "{}", request(2).len());
}

#[tokio::test]
async fn a_stop_ends_a_request_in_flight() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}/", listener.local_addr().expect("has one"));
    let setup = Setup::bundled(&url);
    setup.stop.request(Duration::ZERO);
    let ended = get(&mut setup.egress(), &url).await;
    assert!(matches!(ended, Err(Error::ConnectionTerminated)), "{ended:?}");
}

#[tokio::test]
async fn a_stop_ends_a_wait_for_the_operators_budget() {
    let (port, requests) = serve(HELLO).await;
    let url = url_at(port);
    let setup = Setup::bundled(&url).worker(&[("weir.http.budget.127.0.0.1", "1/3600000")]);
    let mut egress = setup.egress();
    assert_eq!(get(&mut egress, &url).await.expect("is answered").0, 200);
    let waiting = get(&mut egress, &url);
    setup.stop.request(Duration::from_millis(50));
    let ended = waiting.await;
    assert!(matches!(ended, Err(Error::ConnectionTerminated)), "{ended:?}");
    assert_eq!(requests.lock().len(), 1);
}

#[tokio::test]
async fn a_closed_port_is_a_refused_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}/", listener.local_addr().expect("has one"));
    drop(listener);
    let refused = get(&mut Setup::bundled(&url).egress(), &url).await;
    assert!(matches!(refused, Err(Error::ConnectionRefused)), "{refused:?}");
}

#[tokio::test]
async fn a_url_with_credentials_is_refused() {
    let (port, requests) = serve(HELLO).await;
    let mut egress = Setup::bundled(&url_at(port)).egress();
    let outcome = get(&mut egress, &format!("http://user:password@127.0.0.1:{port}/")).await;
    assert!(matches!(outcome, Err(Error::HttpRequestUriInvalid)), "{outcome:?}");
    assert!(requests.lock().is_empty(), "nothing was sent");
}
