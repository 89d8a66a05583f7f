//! HTTP of plugins against servers that misbehave, through the worker
//!
//! What the guest is told, and what nobody is. The guest is `FetchingSourceConnector` of `tests/guests`: it asks its `url`s once each and makes a record of what came of it. All
//! servers are on loopback. Certificates, name look-up and proxies are tested in `runtime/plugins/src/host/http/tests`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_tests::kafka::read_all;
use weir_tests::process::{PATIENCE, Weir, await_value};
use weir_tests::rest::Rest;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
const SECRET: &str = "marker-2c26b46b68ffc68f";
/// `SECRET` in base64 as it stands at the end of `Basic` credentials for `reader`.
const SECRET_IN_BASE64: &str = "hcmtlci0yYzI2YjQ2YjY4ZmZjNjhm";

/// A server of this test and the requests it got, with their times.
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Server {
    /// Has `behave` do what it wants with each connection once its request is read.
    fn start(behave: impl Fn(TcpStream, &str) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let port = listener.local_addr().expect("has one").port();
        let requests: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let (seen, behave) = (Arc::clone(&requests), Arc::new(behave));
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let (seen, behave) = (Arc::clone(&seen), Arc::clone(&behave));
                std::thread::spawn(move || {
                    let request = read_head(&mut stream);
                    seen.lock().expect("sound").push((Instant::now(), request.clone()));
                    behave(stream, &request);
                });
            }
        });
        Self { port, requests }
    }

    /// Sends the bytes and closes.
    fn saying(text: impl Into<Vec<u8>>) -> Self {
        let text = text.into();
        Self::start(move |mut stream, _| drop(stream.write_all(&text)))
    }

    /// Sends the bytes and then nothing, until the other side leaves.
    fn stalling(text: &'static str) -> Self {
        Self::start(move |mut stream, _| {
            let _ = stream.write_all(text.as_bytes());
            let _ = stream.read(&mut [0; 1]);
        })
    }

    /// Sends the first piece, and the second again and again.
    fn endless(first: &'static str, again: Vec<u8>, pause: Duration) -> Self {
        Self::start(move |mut stream, _| {
            let _ = stream.write_all(first.as_bytes());
            let _ = stream.set_read_timeout(Some(pause.max(Duration::from_millis(1))));
            while stream.write_all(&again).is_ok() {
                // A pause that ends when the other side leaves.
                if !pause.is_zero() && matches!(stream.read(&mut [0; 1]), Ok(0)) {
                    return;
                }
            }
        })
    }

    fn redirecting(to: &str) -> Self {
        Self::saying(format!(
            "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ))
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    fn seen(&self) -> Vec<String> {
        let requests = self.requests.lock().expect("sound");
        requests.iter().map(|(_, request)| request.clone()).collect()
    }
}

fn read_head(stream: &mut TcpStream) -> String {
    let (mut request, mut bytes) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(read) if read > 0 => request.extend_from_slice(&bytes[..read]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

/// A worker with the guests' component.
struct Worker {
    weir: Weir,
    rest: Rest,
    kafka: String,
}

/// Starts one whose fetching class has these grants.
fn worker(grants: &str, settings: &str) -> Worker {
    let folder = tempfile::tempdir().expect("folder");
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).expect("plugin folder");
    std::fs::copy(weir_tests::guests::component(), plugins.join("guests.wasm")).expect("component");
    std::fs::write(folder.path().join("keys.properties"), format!("token={SECRET}\n")).expect("keys");
    std::fs::write(
        folder.path().join("worker.properties"),
        format!(
            "plugin.path={}\nweir.grants.weir.guests.FetchingSourceConnector={grants}\n{settings}",
            plugins.display()
        ),
    )
    .expect("worker settings");
    let (mut weir, ready) = Weir::up_in(folder.path(), &["--connect", "{dir}/worker.properties"]).expect("up");
    weir.own_folder(folder);
    Worker {
        rest: Rest::new(ready.connect.as_deref().expect("connect")),
        kafka: ready.kafka.expect("kafka"),
        weir,
    }
}

impl Worker {
    fn start(&self, name: &str, extra: &Value) {
        let mut config = json!({
            "connector.class": "weir.guests.FetchingSourceConnector",
            "topic": name,
            "timeout.ms": "500",
            "value.converter": STRING,
        });
        for (key, value) in extra.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        self.rest.put_connector(name, &config).expect("created");
    }

    /// Waits for so many records of a connector.
    fn records(&self, name: &str, count: usize) -> Vec<String> {
        await_value(&format!("{count} records of {name}"), PATIENCE, || {
            let read = read_all(&self.kafka, name).ok()?;
            (read.len() >= count).then_some(read)
        })
        .unwrap_or_else(|error| panic!("{error:#}\n{}\n{}", self.rest.status(name), self.weir.log_text()))
        .into_iter()
        .map(|value| String::from_utf8_lossy(&value).into_owned())
        .collect()
    }

    fn token() -> &'static str {
        "${file:keys.properties:token}"
    }
}

fn gzip_bomb() -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..64 {
        packed.write_all(&zeros).expect("into memory");
    }
    let body = packed.finish().expect("into memory");
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}

#[test]
fn each_way_to_misbehave_ends_in_an_error_with_a_name() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .expect("binds")
        .local_addr()
        .expect("has one");
    let many_headers: String = (0..500).map(|number| format!("x-{number}: 1\r\n")).collect();
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    let servers = [
        (Server::saying(OK), "200 ok"),
        (
            Server::endless(head, vec![b'x'; 65_536], Duration::ZERO),
            "TooLarge { limit: 1000000 }",
        ),
        (Server::saying(gzip_bomb()), "TooLarge { limit: 1000000 }"),
        (Server::stalling(""), "TimedOut"),
        (
            Server::endless(
                "HTTP/1.1 200 OK\r\n",
                b"x-more: 1\r\n".to_vec(),
                Duration::from_millis(50),
            ),
            "TimedOut",
        ),
        (
            Server::stalling("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
            "TimedOut",
        ),
        (
            Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
            "Truncated",
        ),
        (Server::saying(""), "Reset"),
        (
            Server::saying("SSH-2.0-OpenSSH_9.6\r\n\r\n"),
            "Other(\"the answer is not HTTP\")",
        ),
        (
            Server::saying(format!("HTTP/1.1 200 OK\r\n{many_headers}\r\n")),
            "TooLarge { limit: 65536 }",
        ),
        (Server::redirecting("http://127.0.0.1:1/"), "302 "),
    ];
    let mut urls: Vec<String> = servers.iter().map(|(server, _)| server.url()).collect();
    let mut expected: Vec<&str> = servers.iter().map(|(_, text)| *text).collect();
    urls.push(format!("http://{closed}/"));
    expected.push("Refused");
    let worker = worker("config", "");
    worker.start("names", &json!({"url": urls.join(",")}));
    assert_eq!(worker.records("names", expected.len()), expected);
}

#[test]
fn a_body_can_be_read_as_it_comes() {
    let server = Server::start(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nfirst");
        // Nobody sends anything: this is a pause of 200 ms.
        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
        let _ = stream.read(&mut [0; 1]);
        let _ = stream.write_all(b"second");
    });
    let worker = worker("config", "");
    worker.start("pieces", &json!({"url": server.url(), "read": "pieces"}));
    assert_eq!(worker.records("pieces", 1), ["200 first|second waited=true"]);
}

#[test]
fn a_redirect_leads_to_no_private_address_under_a_wildcard_grant() {
    let inside = Server::saying(OK);
    let redirects: Vec<Server> = [
        inside.url(),
        format!("http://localhost:{}/", inside.port),
        format!("http://2130706433:{}/", inside.port),
        format!("http://[::ffff:7f00:1]:{}/", inside.port),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ]
    .iter()
    .map(|to| Server::redirecting(to))
    .collect();
    let mut grants = "http:*:*".to_owned();
    for server in &redirects {
        grants.push_str(&format!(",http:127.0.0.1:{}", server.port));
    }
    let urls: Vec<String> = redirects.iter().map(Server::url).collect();
    let worker = worker(&grants, "");
    worker.start("redirected", &json!({"url": urls.join(","), "follow": "true"}));
    for record in worker.records("redirected", redirects.len()) {
        assert!(record.starts_with("Denied("), "{record}");
    }
    assert!(inside.seen().is_empty(), "{:?}", inside.seen());
    assert!(redirects.iter().all(|server| server.seen().len() == 1));
}

#[test]
fn a_secret_goes_to_the_hosts_of_the_settings_and_follows_no_redirect() {
    let foreign = Server::saying(OK);
    let own = Server::saying(OK);
    let redirecting = Server::redirecting(&foreign.url());
    // The grant covers the foreign server; only its secret stays at home.
    let worker = worker("config,secrets,http:127.0.0.1:*", "");
    worker.start(
        "own",
        &json!({"url": own.url(), "token": Worker::token(), "headers": "X-Key: value-one\nX-Other: value-two"}),
    );
    assert_eq!(worker.records("own", 1), ["200 ok"]);
    let seen = own.seen().join("");
    assert!(seen.contains(&format!("authorization: Bearer {SECRET}\r\n")), "{seen}");
    assert!(
        seen.contains("x-key: value-one\r\n") && seen.contains("x-other: value-two\r\n"),
        "{seen}"
    );

    worker.start(
        "foreign",
        &json!({"url": redirecting.url(), "token": Worker::token(), "follow": "true"}),
    );
    let records = worker.records("foreign", 1);
    assert!(records[0].starts_with("Denied("), "{records:?}");
    assert!(foreign.seen().is_empty(), "{:?}", foreign.seen());
    let log = worker.weir.log_text();
    assert!(
        log.contains(&format!("127.0.0.1:{} may not see secrets", foreign.port)),
        "{log}"
    );

    worker.start("without", &json!({"url": redirecting.url(), "follow": "true"}));
    assert_eq!(worker.records("without", 1), ["200 ok"]);
}

#[test]
fn a_secret_that_a_service_sends_back_shows_nowhere() {
    let echo = Server::start(|mut stream, request| {
        let login = request.lines().find(|line| line.starts_with("authorization: "));
        let body = login.unwrap_or_default();
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    });
    let worker = worker("config,secrets", "");
    let told = |name: &str, tell: &str, user: &str| {
        let config = json!({"url": echo.url(), "token": Worker::token(), "tell": tell, "user": user});
        worker.start(name, &config);
    };
    told("log", "log", "");
    worker
        .weir
        .await_log("standard error: 200 authorization: Bearer [hidden]")
        .expect("logged");
    worker
        .weir
        .await_log("standard output: 200 authorization: Bearer [hidden]")
        .expect("logged");
    worker
        .weir
        .await_log("answer 200 authorization: Bearer [hidden]")
        .expect("logged");
    told("error", "error", "reader");
    let trace = worker.rest.await_failed("error", 0).expect("fails");
    assert!(
        trace.contains("the service said: 200 authorization: Basic [hidden]"),
        "{trace}"
    );
    told("panic", "panic", "");
    let trace = worker.rest.await_failed("panic", 0).expect("fails");
    assert!(trace.contains("Bearer [hidden]"), "{trace}");
    told("learn", "learn", "");
    let trace = worker.rest.await_failed("learn", 0).expect("fails");
    assert!(trace.contains("[hidden] is known as weir-secret-"), "{trace}");

    let mut outputs = vec![worker.weir.log_text()];
    for name in ["log", "error", "panic", "learn"] {
        for path in ["", "/config", "/status", "/tasks"] {
            let answer = worker.rest.get(&format!("/connectors/{name}{path}")).expect("answered");
            outputs.push(answer.text);
        }
    }
    assert!(echo.seen().iter().all(|request| request.contains("authorization: ")));
    assert!(
        echo.seen().iter().any(|request| request.contains(SECRET)),
        "it was sent"
    );
    assert!(
        echo.seen().iter().any(|request| request.contains(SECRET_IN_BASE64)),
        "it was sent"
    );
    for output in outputs {
        for form in [SECRET, SECRET_IN_BASE64] {
            assert!(!output.contains(form), "{form} shows: {output}");
        }
    }
}

#[test]
fn sister_tasks_share_a_budget_and_other_connectors_have_their_own() {
    let server = Server::saying(OK);
    let worker = worker("config", "");
    let config = json!({"url": server.url(), "permits": "1", "tasks.max": "3"});
    worker.start("sisters", &config);
    let mut records = worker.records("sisters", 3);
    records.sort();
    assert_eq!(records, ["200 ok", "no permit", "no permit"]);
    worker.start("other", &json!({"url": server.url(), "permits": "1"}));
    assert_eq!(worker.records("other", 1), ["200 ok"]);
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn the_operators_budget_spaces_the_requests_of_all_connectors() {
    let server = Server::saying(OK);
    let worker = worker("config", "weir.http.budget.127.0.0.1=1/1500\n");
    for name in ["one", "two"] {
        worker.start(name, &json!({"url": server.url()}));
    }
    for name in ["one", "two"] {
        assert_eq!(worker.records(name, 1), ["200 ok"]);
    }
    let requests = server.requests.lock().expect("sound");
    let times: Vec<Instant> = requests.iter().map(|(time, _)| *time).collect();
    let apart = times[1].duration_since(times[0]);
    assert!(apart >= Duration::from_millis(1300), "{apart:?}");
}
