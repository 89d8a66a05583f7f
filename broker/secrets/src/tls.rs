//! TLS of clients and listeners, from `ssl.*` settings
//!
//! Stores are read by `key_store`; how a server's certificate is judged is in `server_check`. Java's names of versions and cipher
//! suites hold; what this TLS library does not have (TLS 1.1 and older, CBC suites) is left out of a list, and a list of nothing else
//! is refused.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use weir_config::properties::Properties;

use crate::error::SecretsError;
use crate::key_store::{KeyPair, key_pair, trusted};
use crate::server_check::ServerCheck;

const VERSIONS: &str = "ssl.enabled.protocols";
const SUITES: &str = "ssl.cipher.suites";
const HOST_CHECK: &str = "ssl.endpoint.identification.algorithm";

/// Makes the configuration of a client.
///
/// *Errors*: a setting or store that cannot be used; every text names the setting.
pub fn client_config(properties: &Properties) -> Result<ClientConfig, SecretsError> {
    let provider = Arc::new(provider(properties)?);
    let check = ServerCheck::new(
        trusted(properties)?,
        is_host_checked(properties)?,
        Arc::clone(&provider),
    )?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(properties)?)
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(check));
    match key_pair(properties)? {
        None => Ok(builder.with_no_client_auth()),
        Some(KeyPair { chain, key }) => builder.with_client_auth_cert(chain, key).map_err(unusable_key),
    }
}

/// Makes the configuration of a listener.
///
/// *Errors*: a setting or store that cannot be used; every text names the setting.
pub fn server_config(properties: &Properties) -> Result<ServerConfig, SecretsError> {
    let provider = Arc::new(provider(properties)?);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(properties)?)
        .map_err(unusable)?;
    let builder = match client_check(properties, provider)? {
        Some(check) => builder.with_client_cert_verifier(check),
        None => builder.with_no_client_auth(),
    };
    let pair = key_pair(properties)?.ok_or_else(|| {
        let right = "a TLS listener needs a key store, or ssl.keystore.key with ssl.keystore.certificate.chain";
        setting("ssl.keystore.location", "null", right)
    })?;
    builder.with_single_cert(pair.chain, pair.key).map_err(unusable_key)
}

pub(crate) fn setting(key: &str, value: &str, reason: impl Into<String>) -> SecretsError {
    SecretsError::Setting {
        key: key.to_owned(),
        value: value.to_owned(),
        reason: reason.into(),
    }
}

fn unusable(error: impl std::fmt::Display) -> SecretsError {
    setting(VERSIONS, "", error.to_string())
}

fn unusable_key(error: impl std::fmt::Display) -> SecretsError {
    setting(
        "ssl.keystore.location",
        "",
        format!("key and certificate cannot be used: {error}"),
    )
}

fn list<'a>(properties: &'a Properties, key: &str) -> Option<Vec<&'a str>> {
    let value = properties.get(key).filter(|value| !value.trim().is_empty())?;
    Some(
        value
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect(),
    )
}

/// An empty algorithm switches the comparison of names off.
fn is_host_checked(properties: &Properties) -> Result<bool, SecretsError> {
    match properties.get(HOST_CHECK).map_or("https", str::trim) {
        "" => Ok(false),
        algorithm if algorithm.eq_ignore_ascii_case("https") => Ok(true),
        algorithm => Err(setting(HOST_CHECK, algorithm, "must be https, or empty for no check")),
    }
}

fn versions(properties: &Properties) -> Result<Vec<&'static SupportedProtocolVersion>, SecretsError> {
    let Some(enabled) = list(properties, VERSIONS) else {
        return Ok(vec![&TLS13, &TLS12]);
    };
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    for name in &enabled {
        match *name {
            "TLSv1.2" => versions.push(&TLS12),
            "TLSv1.3" => versions.push(&TLS13),
            "TLSv1" | "TLSv1.1" => {}
            other => return Err(setting(VERSIONS, other, "must be of TLSv1.2 and TLSv1.3")),
        }
    }
    if versions.is_empty() {
        return Err(setting(VERSIONS, &enabled.join(","), "must contain TLSv1.2 or TLSv1.3"));
    }
    Ok(versions)
}

fn provider(properties: &Properties) -> Result<CryptoProvider, SecretsError> {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(wanted) = list(properties, SUITES) {
        provider.cipher_suites.retain(|suite| {
            let name = suite.suite().as_str().unwrap_or_default().replace("TLS13_", "TLS_");
            wanted.contains(&name.as_str())
        });
        if provider.cipher_suites.is_empty() {
            let right = "names no cipher suite that is supported";
            return Err(setting(SUITES, &wanted.join(","), right));
        }
    }
    Ok(provider)
}

fn client_check(
    properties: &Properties,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, SecretsError> {
    const KEY: &str = "ssl.client.auth";
    const LOCATION: &str = "ssl.truststore.location";
    let is_optional = match properties.get(KEY).unwrap_or("none").trim() {
        "required" => false,
        "requested" => true,
        _ => return Ok(None),
    };
    let trusted = trusted(properties)?;
    let trusted = trusted.ok_or_else(|| {
        setting(
            LOCATION,
            "null",
            format!("{KEY} needs a trust store to check clients against"),
        )
    })?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted);
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if is_optional {
        builder.allow_unauthenticated()
    } else {
        builder
    };
    let check = builder.build();
    check
        .map(Some)
        .map_err(|error| setting(LOCATION, "", error.to_string()))
}

#[cfg(test)]
mod tests;
