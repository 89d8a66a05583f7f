//! Key and trust stores that `ssl.*` settings name
//!
//! PEM (a file, or text in the setting itself), PKCS12 and JKS come out alike: a key with its chain, or certificates to trust. As in
//! Java, a store that is called JKS may be PKCS12 and the other way round: the first bytes tell.
//! Source: `DefaultSslEngineFactory` of Kafka 4.3.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use weir_config::properties::Properties;
use weir_config::secret::{HIDDEN, Password};

use crate::error::SecretsError;
use crate::password_based::{Failure, decrypt_info};
use crate::{jks, pkcs12};

/// What one store file holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) keys: Vec<KeyEntry>,
    pub(crate) trusted: Vec<Vec<u8>>,
}

/// A key (PKCS#8; empty when it was not asked for) and its certificates, its own first.
pub(crate) struct KeyEntry {
    pub(crate) key: Vec<u8>,
    pub(crate) chain: Vec<Vec<u8>>,
}

/// Hides the key.
impl fmt::Debug for KeyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEntry")
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// A private key and the certificates that go with it.
pub struct KeyPair {
    /// Its own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// Hides the key.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

impl KeyPair {
    /// The certificates as PEM.
    pub fn chain_pem(&self) -> String {
        certificates_pem(&self.chain)
    }

    /// The key as PEM, not encrypted.
    pub fn key_pem(&self) -> Password {
        let label = match &self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        Password::new(pem(label, self.key.secret_der()))
    }
}

/// Certificates as PEM, one after another.
pub fn certificates_pem(certificates: &[CertificateDer<'_>]) -> String {
    certificates
        .iter()
        .map(|certificate| pem("CERTIFICATE", certificate))
        .collect()
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let encoded = STANDARD.encode(der);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// Which settings name a store.
struct Names {
    kind: &'static str,
    location: &'static str,
    password: &'static str,
}

const KEYS: Names = Names {
    kind: "ssl.keystore.type",
    location: "ssl.keystore.location",
    password: "ssl.keystore.password",
};
const TRUST: Names = Names {
    kind: "ssl.truststore.type",
    location: "ssl.truststore.location",
    password: "ssl.truststore.password",
};
const KEY: &str = "ssl.keystore.key";
const CHAIN: &str = "ssl.keystore.certificate.chain";
const KEY_PASSWORD: &str = "ssl.key.password";
const CERTIFICATES: &str = "ssl.truststore.certificates";

/// Reads the key and certificates that `ssl.keystore.*` name; `None` when they name nothing.
///
/// *Errors*: a store that cannot be read or holds no key; every text names the setting, none holds a secret.
pub fn key_pair(properties: &Properties) -> Result<Option<KeyPair>, SecretsError> {
    let key_password = text(properties, KEY_PASSWORD);
    let (location, key) = (text(properties, KEYS.location), text(properties, KEY));
    match (location, key) {
        (None, None) => Ok(None),
        (_, Some(key)) => {
            let chain = text(properties, CHAIN);
            let chain = chain.ok_or_else(|| refused(CHAIN, "null", format!("goes together with {KEY}")))?;
            pem_pair(chain.as_bytes(), key.as_bytes(), key_password, (KEY, HIDDEN)).map(Some)
        }
        (Some(location), None) => stored_pair(properties, location, key_password).map(Some),
    }
}

fn stored_pair(properties: &Properties, location: &str, key_password: Option<&str>) -> Result<KeyPair, SecretsError> {
    let kind = kind(properties, &KEYS)?;
    let store = file(&KEYS, location)?;
    if kind == Kind::Pem {
        return pem_pair(&store, &store, key_password, (KEYS.location, location));
    }
    let password = text(properties, KEYS.password);
    let asked = key_password.or(password).unwrap_or_default();
    let contents = binary(&store, &KEYS, location, password, Some(asked))?;
    let entry = contents.keys.into_iter().find(|entry| !entry.chain.is_empty());
    let entry = entry.ok_or_else(|| {
        refused(
            KEYS.location,
            location,
            "the store holds no private key with a certificate",
        )
    })?;
    Ok(KeyPair {
        chain: entry.chain.into_iter().map(CertificateDer::from).collect(),
        key: PrivatePkcs8KeyDer::from(entry.key).into(),
    })
}

/// Reads the certificates that `ssl.truststore.*` name; `None` when they name nothing: the machine's are meant.
///
/// *Errors*: a store that cannot be read or holds no certificate; every text names the setting, none holds a secret.
pub fn trusted(properties: &Properties) -> Result<Option<Vec<CertificateDer<'static>>>, SecretsError> {
    if let Some(inline) = text(properties, CERTIFICATES) {
        return pem_certificates(inline.as_bytes(), (CERTIFICATES, HIDDEN)).map(Some);
    }
    let Some(location) = text(properties, TRUST.location) else {
        return Ok(None);
    };
    let kind = kind(properties, &TRUST)?;
    let store = file(&TRUST, location)?;
    if kind == Kind::Pem {
        return pem_certificates(&store, (TRUST.location, location)).map(Some);
    }
    let contents = binary(&store, &TRUST, location, text(properties, TRUST.password), None)?;
    // Java trusts the certificate of a key as well.
    let own = contents
        .keys
        .into_iter()
        .filter_map(|entry| entry.chain.into_iter().next());
    let all: Vec<_> = contents
        .trusted
        .into_iter()
        .chain(own)
        .map(CertificateDer::from)
        .collect();
    if all.is_empty() {
        return Err(refused(
            TRUST.location,
            location,
            "the store holds no certificate to trust",
        ));
    }
    Ok(Some(all))
}

fn text<'a>(properties: &'a Properties, key: &str) -> Option<&'a str> {
    properties.get(key).filter(|value| !value.trim().is_empty())
}

fn refused(key: &str, value: &str, reason: impl Into<String>) -> SecretsError {
    SecretsError::Setting {
        key: key.to_owned(),
        value: value.to_owned(),
        reason: reason.into(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pem,
    /// PKCS12 or JKS.
    Binary,
}

fn kind(properties: &Properties, names: &Names) -> Result<Kind, SecretsError> {
    match text(properties, names.kind).unwrap_or("JKS").trim() {
        kind if kind.eq_ignore_ascii_case("PEM") => Ok(Kind::Pem),
        kind if kind.eq_ignore_ascii_case("JKS") || kind.eq_ignore_ascii_case("PKCS12") => Ok(Kind::Binary),
        kind => Err(refused(names.kind, kind, "must be one of: JKS, PKCS12, PEM")),
    }
}

fn file(names: &Names, location: &str) -> Result<Vec<u8>, SecretsError> {
    std::fs::read(location.trim())
        .map_err(|error| refused(names.location, location, format!("cannot be read: {error}")))
}

fn binary(
    store: &[u8],
    names: &Names,
    location: &str,
    password: Option<&str>,
    key_password: Option<&str>,
) -> Result<Contents, SecretsError> {
    let read = if store.starts_with(&jks::MAGIC) {
        jks::read(store, password, key_password)
    } else if store.first() == Some(&crate::der::SEQUENCE) {
        let Some(password) = password else {
            return Err(refused(
                names.password,
                "null",
                format!("the PKCS12 store {location} needs it"),
            ));
        };
        pkcs12::read(store, password, key_password)
    } else {
        let right = format!(
            "is neither a JKS nor a PKCS12 store; set {} to PEM if it is PEM",
            names.kind
        );
        return Err(refused(names.location, location, right));
    };
    read.map_err(|failure| match failure {
        Failure::Malformed => refused(names.location, location, "the store is damaged"),
        Failure::Unsupported => refused(
            names.location,
            location,
            "the store uses an algorithm that is not supported",
        ),
        Failure::WrongPassword => {
            let right = format!("keystore password was incorrect, or the store {location} was tampered with");
            refused(names.password, HIDDEN, right)
        }
        Failure::WrongKeyPassword => {
            let right = format!(
                "is not the password of the private key in {location}; where it is not set, that of the store is taken"
            );
            refused(KEY_PASSWORD, HIDDEN, right)
        }
    })
}

type Origin<'a> = (&'a str, &'a str);

fn pem_certificates(text: &[u8], (key, value): Origin<'_>) -> Result<Vec<CertificateDer<'static>>, SecretsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let all = all.map_err(|error| refused(key, value, format!("certificates are no PEM: {error}")))?;
    if all.is_empty() {
        return Err(refused(key, value, "holds no certificate in PEM form"));
    }
    Ok(all)
}

fn pem_pair(chain: &[u8], key: &[u8], password: Option<&str>, origin: Origin<'_>) -> Result<KeyPair, SecretsError> {
    let chain = pem_certificates(chain, origin)?;
    let (name, value) = origin;
    let key = match encrypted_key(key) {
        Some(info) => {
            let password = password.ok_or_else(|| refused(KEY_PASSWORD, "null", "the private key is encrypted"))?;
            let key = decrypt_info(&info, password).map_err(|failure| match failure {
                Failure::WrongPassword | Failure::WrongKeyPassword => {
                    refused(KEY_PASSWORD, HIDDEN, "is not the password of the private key")
                }
                Failure::Malformed => refused(name, value, "the encrypted private key is damaged"),
                Failure::Unsupported => {
                    refused(name, value, "the private key's encryption is not supported; use PBES2")
                }
            })?;
            PrivatePkcs8KeyDer::from(key).into()
        }
        None => PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| refused(name, value, format!("holds no private key in PEM form: {error}")))?,
    };
    Ok(KeyPair { chain, key })
}

/// The bytes between the marks of an encrypted key.
fn encrypted_key(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let (_, rest) = text.split_once("-----BEGIN ENCRYPTED PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END ENCRYPTED PRIVATE KEY-----")?;
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(body).ok()
}

#[cfg(test)]
mod tests;
