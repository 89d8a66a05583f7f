//! TLS for `weir:connect/net`, in the host
//!
//! No guest carries a TLS library. Roots are the machine's, or the PEM text that the guest was configured with; the
//! crypto code is the one that the HTTP client brings.

use std::sync::Arc;

use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What the guest wants of a TLS session.
#[derive(Debug, Clone)]
pub(crate) struct TlsWish {
    pub(crate) server_name: String,
    pub(crate) alpn: Vec<String>,
    /// PEM; none = the machine's roots.
    pub(crate) roots: Option<String>,
}

/// Performs the handshake; the error text says what failed.
pub(crate) async fn handshake(stream: TcpStream, wish: TlsWish) -> Result<TlsStream<TcpStream>, String> {
    let mut config = client_config(wish.roots.as_deref())?;
    config.alpn_protocols = wish.alpn.into_iter().map(String::into_bytes).collect();
    let name = ServerName::try_from(wish.server_name).map_err(|error| error.to_string())?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| error.to_string())
}

fn client_config(roots: Option<&str>) -> Result<ClientConfig, String> {
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let Some(pem) = roots else {
        return Ok(builder
            .with_platform_verifier()
            .map_err(|error| error.to_string())?
            .with_no_client_auth());
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        store.add(certificate).map_err(|error| error.to_string())?;
    }
    if store.is_empty() {
        return Err("the roots hold no certificate".to_owned());
    }
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}
