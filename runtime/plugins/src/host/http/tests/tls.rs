//! HTTPS against a server of this process

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

/// Self-signed for `localhost`.
const CERTIFICATE: &[u8] = include_bytes!("../../net/localhost.pem");
const KEY: &[u8] = include_bytes!("../../net/localhost.key");

/// Serves HTTPS; the port.
async fn serve_tls() -> u16 {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).expect("is PEM");
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("is PEM");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("has versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("fits");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("has one").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            read_request(&mut stream).await;
            let _ = stream.write_all(HELLO.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

fn trusting(url: &str) -> (Setup, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    std::fs::write(file.path(), CERTIFICATE).expect("writes");
    let path = file.path().display().to_string();
    (
        Setup::bundled(url).worker(&[("weir.http.ssl.ca.location", &path)]),
        file,
    )
}

#[tokio::test]
async fn the_operators_certificates_are_trusted_and_nobody_elses() {
    let port = serve_tls().await;
    let url = format!("https://localhost:{port}/");
    let refused = get(&mut Setup::bundled(&url).egress(), &url).await;
    assert!(matches!(refused, Err(Error::TlsCertificateError)), "{refused:?}");
    let (setup, _file) = trusting(&url);
    let answer = get(&mut setup.egress(), &url).await;
    assert_eq!(answer.expect("is answered"), (200, b"hello".to_vec()));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let port = serve_tls().await;
    let url = format!("https://127.0.0.1:{port}/");
    let (setup, _file) = trusting(&url);
    let refused = get(&mut setup.egress(), &url).await;
    assert!(matches!(refused, Err(Error::TlsCertificateError)), "{refused:?}");
}

#[tokio::test]
async fn a_server_without_tls_is_a_protocol_error_and_one_that_hangs_up_a_terminated_connection() {
    let (port, _) = serve(HELLO).await;
    let url = format!("https://127.0.0.1:{port}/");
    let refused = get(&mut Setup::bundled(&url).egress(), &url).await;
    assert!(
        matches!(
            refused,
            Err(Error::TlsProtocolError | Error::ConnectionReadTimeout | Error::ConnectionTimeout)
        ),
        "{refused:?}"
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("https://{}/", listener.local_addr().expect("has one"));
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let cut = get(&mut Setup::bundled(&url).egress(), &url).await;
    assert!(matches!(cut, Err(Error::ConnectionTerminated)), "{cut:?}");
}
