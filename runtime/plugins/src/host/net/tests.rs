//! Connections by name, plain and with TLS, against servers of this process

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

/// Self-signed for `localhost`, made for this test only.
const CERTIFICATE: &str = include_str!("localhost.pem");
const KEY: &str = include_str!("localhost.key");
const TIMEOUT: Duration = Duration::from_secs(10);

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("has one").port();
    (listener, port)
}

async fn connection(host: &str, port: u16, stop: &StopSignal) -> Result<Connection, NetError> {
    Ok(Connection {
        host: host.to_owned(),
        stream: Stream::Plain(connect_to(host, port, Destination::Any).await?),
        read_ahead: BytesMut::new(),
        ended: None,
        is_at_end: false,
        stop: stop.clone(),
    })
}

fn wish(roots: Option<&str>) -> Tls {
    Tls {
        server_name: Some("localhost".to_owned()),
        alpn: Vec::new(),
        roots: roots.map(str::to_owned),
    }
}

#[tokio::test]
async fn a_private_address_needs_a_literal_grant() {
    let (_listener, port) = listener().await;
    for host in ["127.0.0.1", "localhost"] {
        let public = connect_to(host, port, Destination::PublicOnly).await;
        assert_eq!(public.map(|_| ()), Err(NetError::Denied), "{host}");
    }
    assert!(connect_to("127.0.0.1", port, Destination::Any).await.is_ok());
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_name_have_their_own_errors() {
    let (listener, port) = listener().await;
    drop(listener);
    let refused = connect_to("127.0.0.1", port, Destination::Any).await;
    assert_eq!(refused.map(|_| ()), Err(NetError::Refused));
    let unknown = connect_to("no-such-host.invalid", port, Destination::Any).await;
    assert_eq!(unknown.map(|_| ()), Err(NetError::NotFound));
}

#[tokio::test]
async fn bytes_come_in_pieces_and_the_end_is_empty() {
    let (listener, port) = listener().await;
    let stop = StopSignal::new();
    let mut connection = connection("127.0.0.1", port, &stop).await.expect("connects");
    let (mut peer, _) = listener.accept().await.expect("accepts");
    connection.write(b"ping").await.expect("writes");
    let mut asked = [0; 4];
    peer.read_exact(&mut asked).await.expect("reads");
    assert_eq!(&asked, b"ping");
    peer.write_all(b"pong!").await.expect("writes");
    drop(peer);
    connection.ready().await;
    assert_eq!(connection.read(4, TIMEOUT).await, Ok(b"pong".to_vec()));
    assert_eq!(connection.read(4, TIMEOUT).await, Ok(b"!".to_vec()));
    assert_eq!(connection.read(4, TIMEOUT).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_silent_peer_times_out_and_a_stop_closes() {
    let (_listener, port) = listener().await;
    let stop = StopSignal::new();
    let mut connection = connection("127.0.0.1", port, &stop).await.expect("connects");
    assert_eq!(connection.read(4, Duration::ZERO).await, Err(NetError::TimedOut));
    stop.request(Duration::ZERO);
    assert_eq!(connection.read(4, TIMEOUT).await, Err(NetError::Closed));
}

#[tokio::test]
async fn tls_trusts_the_given_roots_and_no_others() {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("is PEM");
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("is PEM");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("has versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("fits");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.write_all(b"secret").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let stop = StopSignal::new();
    let mut trusted = connection("127.0.0.1", port, &stop).await.expect("connects");
    trusted.start_tls(wish(Some(CERTIFICATE))).await.expect("shakes hands");
    assert_eq!(trusted.read(100, TIMEOUT).await, Ok(b"secret".to_vec()));

    let mut untrusted = connection("127.0.0.1", port, &stop).await.expect("connects");
    assert_eq!(untrusted.start_tls(wish(None)).await, Err(NetError::Tls));
    assert_eq!(
        untrusted.write(b"x").await,
        Err(NetError::Closed),
        "no falling back to plain"
    );

    let mut malformed = connection("127.0.0.1", port, &stop).await.expect("connects");
    assert_eq!(malformed.start_tls(wish(Some("no PEM"))).await, Err(NetError::Tls));
}
