//! TLS listeners against an HTTP client: trust, client certificates, clients that say nothing.

use std::path::Path;

use axum::Router;
use axum::routing::get;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use weir_config::properties::Properties;

use super::{Idle, Incoming, Stream};
use crate::tls::server_config;

/// Certificate and key for localhost, for both sides.
const LOCALHOST: &[u8] = include_bytes!("localhost.pem");

async fn served(servers: &mut JoinSet<()>, extra: &str) -> String {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/incoming/localhost.pem");
    let text = format!(
        "ssl.keystore.type=PEM\nssl.keystore.location={}\n{extra}",
        store.display()
    );
    let tls = server_config(&Properties::parse(&text).expect("properties")).expect("TLS");
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("socket");
    let address = socket.local_addr().expect("address");
    let incoming = Incoming::start(socket, address, Some(tls));
    servers.spawn(async move {
        let _ended = axum::serve(incoming, Router::new().route("/", get(|| async { "hello" }))).await;
    });
    format!("https://{address}/")
}

fn client(identity: Option<&[u8]>) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(LOCALHOST).expect("certificate");
    let builder = reqwest::Client::builder().tls_certs_only([root]).no_proxy();
    let builder = match identity {
        Some(pem) => builder.identity(reqwest::Identity::from_pem(pem).expect("identity")),
        None => builder,
    };
    builder.build().expect("client")
}

async fn text(client: &reqwest::Client, url: &str) -> Option<String> {
    client.get(url).send().await.ok()?.text().await.ok()
}

#[tokio::test]
async fn a_client_that_says_nothing_holds_up_nobody() {
    let mut servers = JoinSet::new();
    let url = served(&mut servers, "").await;
    let host = url.trim_start_matches("https://").trim_end_matches('/').to_owned();
    let _silent = TcpStream::connect(&host).await.expect("connects");
    assert_eq!(text(&client(None), &url).await.as_deref(), Some("hello"));
}

#[tokio::test]
async fn clients_show_a_certificate_where_one_is_required() {
    let mut servers = JoinSet::new();
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/incoming/localhost.pem");
    let trust = format!("ssl.truststore.type=PEM\nssl.truststore.location={}\n", store.display());
    let required = served(&mut servers, &format!("{trust}ssl.client.auth=required\n")).await;
    assert_eq!(text(&client(None), &required).await, None);
    assert_eq!(
        text(&client(Some(LOCALHOST)), &required).await.as_deref(),
        Some("hello")
    );
    let requested = served(&mut servers, &format!("{trust}ssl.client.auth=requested\n")).await;
    assert_eq!(text(&client(None), &requested).await.as_deref(), Some("hello"));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed() {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("socket");
    let _client = TcpStream::connect(socket.local_addr().expect("address"))
        .await
        .expect("connects");
    let (stream, _) = socket.accept().await.expect("accepted");
    let mut idle = Idle::new(Stream::Plain(stream));
    let read = idle.read(&mut [0; 1]).await;
    assert_eq!(read.map_err(|error| error.kind()), Err(std::io::ErrorKind::TimedOut));
}
