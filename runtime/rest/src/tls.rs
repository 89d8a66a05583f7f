//! TLS of listeners: from `ssl.*` properties to one server configuration.
//!
//! Key and trust stores in PEM: files, or inline texts. `server_config` is the one place that reads key stores; other formats are
//! refused there by name. Which properties hold (`listeners.https.*` or plain `ssl.*`) is chosen by `https_properties`.

use std::sync::Arc;

use thiserror::Error;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, crypto};
use weir_config::properties::Properties;

/// TLS settings that cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A setting is missing or of no use; the text names it.
    #[error("{0}")]
    Setting(String),
    /// A file cannot be read.
    #[error("{key}: cannot read {path}: {source}")]
    File {
        /// Its setting.
        key: &'static str,
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The library refuses key, certificate or versions.
    #[error("TLS of REST: {0}")]
    Library(String),
}

/// The `ssl.*` settings of a listener: those with `prefix` and no others if there is any, the plain ones otherwise.
pub fn https_properties(all: &Properties, prefix: &str) -> Properties {
    let own = all.with_prefix(prefix);
    if !own.is_empty() {
        return own;
    }
    let mut plain = Properties::new();
    for (key, value) in all.iter().filter(|(key, _)| key.starts_with("ssl.")) {
        plain.insert(key, value);
    }
    plain
}

/// Builds the configuration of an https listener from its `ssl.*` properties.
///
/// *Errors*: [`TlsError`]; every text names the setting.
pub fn server_config(properties: &Properties) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(properties)?)
        .map_err(library)?;
    let builder = match client_verifier(properties, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let (chain, key) = key_pair(properties)?;
    let mut config = builder.with_single_cert(chain, key).map_err(library)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn library(error: impl std::fmt::Display) -> TlsError {
    TlsError::Library(error.to_string())
}

fn versions(properties: &Properties) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let enabled = properties.get("ssl.enabled.protocols").unwrap_or("TLSv1.2,TLSv1.3");
    let mut versions = Vec::new();
    for name in enabled.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match name {
            "TLSv1.2" => versions.push(&TLS12),
            "TLSv1.3" => versions.push(&TLS13),
            other => {
                return Err(TlsError::Setting(format!(
                    "ssl.enabled.protocols: {other:?} is not supported; use TLSv1.2 and TLSv1.3"
                )));
            }
        }
    }
    if versions.is_empty() {
        return Err(TlsError::Setting("ssl.enabled.protocols: names no protocol".to_owned()));
    }
    Ok(versions)
}

type KeyPair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn key_pair(properties: &Properties) -> Result<KeyPair, TlsError> {
    const LOCATION: &str = "ssl.keystore.location";
    let (chain, key) = match (
        properties.get("ssl.keystore.certificate.chain"),
        properties.get("ssl.keystore.key"),
    ) {
        (Some(chain), Some(key)) => (chain.as_bytes().to_vec(), key.as_bytes().to_vec()),
        _ => {
            require_pem(properties, "ssl.keystore.type", LOCATION)?;
            let Some(path) = properties.get(LOCATION) else {
                return Err(TlsError::Setting(format!(
                    "{LOCATION}: an https listener needs a key store, or ssl.keystore.key with ssl.keystore.certificate.chain"
                )));
            };
            let both = read(LOCATION, path)?;
            (both.clone(), both)
        }
    };
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&chain)
            .collect::<Result<_, _>>()
            .map_err(|error| TlsError::Setting(format!("{LOCATION}: certificates are no PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(TlsError::Setting(format!(
            "{LOCATION}: no certificate in the key store"
        )));
    }
    if String::from_utf8_lossy(&key).contains("BEGIN ENCRYPTED PRIVATE KEY") {
        return Err(TlsError::Setting(
            "ssl.key.password: encrypted private keys are not supported; store the key without a password".to_owned(),
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|error| TlsError::Setting(format!("{LOCATION}: no private key in the key store: {error}")))?;
    Ok((certificates, key))
}

fn client_verifier(
    properties: &Properties,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    const LOCATION: &str = "ssl.truststore.location";
    let is_optional = match properties.get("ssl.client.auth").unwrap_or("none") {
        "required" => false,
        "requested" => true,
        _ => return Ok(None),
    };
    let trusted = match (properties.get("ssl.truststore.certificates"), properties.get(LOCATION)) {
        (Some(inline), _) => inline.as_bytes().to_vec(),
        (None, Some(path)) => {
            require_pem(properties, "ssl.truststore.type", LOCATION)?;
            read(LOCATION, path)?
        }
        (None, None) => {
            return Err(TlsError::Setting(format!(
                "{LOCATION}: ssl.client.auth needs a trust store to check clients against"
            )));
        }
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&trusted) {
        let certificate =
            certificate.map_err(|error| TlsError::Setting(format!("{LOCATION}: certificates are no PEM: {error}")))?;
        roots.add(certificate).map_err(library)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if is_optional {
        builder.allow_unauthenticated()
    } else {
        builder
    };
    builder.build().map(Some).map_err(library)
}

fn require_pem(properties: &Properties, key: &str, location: &str) -> Result<(), TlsError> {
    if properties.get(location).is_none() {
        return Ok(());
    }
    match properties.get(key).unwrap_or("JKS") {
        kind if kind.eq_ignore_ascii_case("PEM") => Ok(()),
        kind => Err(TlsError::Setting(format!(
            "{key}: {kind} is not supported for listeners; convert the store and use PEM"
        ))),
    }
}

fn read(key: &'static str, path: &str) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File {
        key,
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(text: &str) -> Properties {
        Properties::parse(text).expect("valid")
    }

    #[test]
    fn own_settings_of_the_listener_hide_all_plain_ones() {
        let all =
            properties("ssl.keystore.type=PEM\nssl.protocol=TLSv1.3\nlisteners.https.ssl.client.auth=none\nx=1\n");
        let own = https_properties(&all, "listeners.https.");
        assert_eq!(own.iter().collect::<Vec<_>>(), [("ssl.client.auth", "none")]);
        assert_eq!(https_properties(&all, "admin.listeners.https.").len(), 2);
    }

    #[test]
    fn what_is_missing_or_not_supported_is_named() {
        for (text, expected) in [
            ("", "ssl.keystore.location"),
            ("ssl.keystore.location=/x.jks", "ssl.keystore.type: JKS"),
            (
                "ssl.keystore.location=/nowhere.pem\nssl.keystore.type=PEM",
                "cannot read /nowhere.pem",
            ),
            ("ssl.enabled.protocols=SSLv3", "SSLv3"),
            ("ssl.client.auth=required", "ssl.truststore.location"),
            ("ssl.keystore.key=x\nssl.keystore.certificate.chain=y", "no certificate"),
        ] {
            let error = server_config(&properties(text)).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
