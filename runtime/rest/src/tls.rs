//! TLS of listeners and of requests between workers: which `ssl.*` properties hold.
//!
//! Those under `listeners.https.` (or `admin.listeners.https.`) and no others if there is any, the plain ones otherwise. Stores and
//! configurations are read by `weir_secrets`.

use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use weir_config::properties::Properties;
use weir_secrets::error::SecretsError;
use weir_secrets::tls;

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
/// *Errors*: a setting or store that cannot be used; every text names the setting.
pub fn server_config(properties: &Properties) -> Result<Arc<ServerConfig>, SecretsError> {
    let mut config = tls::server_config(properties)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
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
    fn a_listener_needs_a_key_store() {
        let stores = concat!(env!("CARGO_MANIFEST_DIR"), "/../../broker/secrets/tests/data");
        let error = server_config(&properties("ssl.enabled.protocols=TLSv1.3")).expect_err("no store");
        assert!(error.to_string().contains("ssl.keystore.location"), "{error}");
        for text in [
            "ssl.keystore.location=DATA/keys.p12\nssl.keystore.password=changeit\nssl.keystore.type=PKCS12",
            "ssl.keystore.location=DATA/keys.jks\nssl.keystore.password=changeit\nssl.key.password=keypass",
        ] {
            server_config(&properties(&text.replace("DATA", stores))).expect(text);
        }
    }
}
