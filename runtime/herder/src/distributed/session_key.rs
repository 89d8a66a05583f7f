//! Session keys: what internal requests are signed with (KIP-507)
//!
//! Pure but for the making of a key: when a key is due, signing, and the checks of a signature in Apache's order. Who writes the key
//! is decided in `rebalance`; where signatures travel is `forward` and REST. Source: `DistributedHerder`, `InternalRequestSignature`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use rand::RngCore as _;
use sha2::{Sha256, Sha384, Sha512};
use weir_stores::configs::state::SessionKey;

use crate::error::HerderError;
use crate::java_base64;
use crate::request::{InternalSignature, Signed};

/// Settings of keys and signatures (`inter.worker.*`).
#[derive(Debug, Clone)]
pub struct KeySettings {
    /// `inter.worker.key.generation.algorithm`
    pub generation: MacAlgorithm,
    /// `inter.worker.key.size` in bytes; none: as long as the algorithm's output.
    pub size_bytes: Option<usize>,
    /// `inter.worker.key.ttl.ms`; zero: kept for good.
    pub ttl: Duration,
    /// `inter.worker.signature.algorithm`
    pub signature: MacAlgorithm,
    /// `inter.worker.verification.algorithms`, as written.
    pub verification: Vec<String>,
}

/// Further codes that Java knows: a request signed with one of them is not permitted, but no nonsense.
const OTHER_MACS: [&str; 10] = [
    "HmacMD5",
    "HmacSHA1",
    "HmacSHA224",
    "HmacSHA512/224",
    "HmacSHA512/256",
    "HmacSHA3-224",
    "HmacSHA3-256",
    "HmacSHA3-384",
    "HmacSHA3-512",
    "HmacPBESHA1",
];

/// A message authentication code by Java's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacAlgorithm {
    /// The default.
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

impl MacAlgorithm {
    /// Reads Java's name, in any case as Java does.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::HmacSha256, Self::HmacSha384, Self::HmacSha512]
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// Java's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "HmacSHA256",
            Self::HmacSha384 => "HmacSHA384",
            Self::HmacSha512 => "HmacSHA512",
        }
    }

    fn output_bytes(self) -> usize {
        match self {
            Self::HmacSha256 => 32,
            Self::HmacSha384 => 48,
            Self::HmacSha512 => 64,
        }
    }

    fn sign(self, key: &[u8], body: &[u8]) -> Vec<u8> {
        match self {
            Self::HmacSha256 => mac::<Hmac<Sha256>>(key, body).finalize().into_bytes().to_vec(),
            Self::HmacSha384 => mac::<Hmac<Sha384>>(key, body).finalize().into_bytes().to_vec(),
            Self::HmacSha512 => mac::<Hmac<Sha512>>(key, body).finalize().into_bytes().to_vec(),
        }
    }

    // Compared in constant time.
    fn verify(self, key: &[u8], body: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::HmacSha256 => mac::<Hmac<Sha256>>(key, body).verify_slice(signature).is_ok(),
            Self::HmacSha384 => mac::<Hmac<Sha384>>(key, body).verify_slice(signature).is_ok(),
            Self::HmacSha512 => mac::<Hmac<Sha512>>(key, body).verify_slice(signature).is_ok(),
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], body: &[u8]) -> M {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(body);
    mac
}

impl KeySettings {
    /// Makes a new key; `now_ms` is the wall clock.
    pub fn generate(&self, now_ms: i64) -> SessionKey {
        let mut key = vec![0; self.size_bytes.unwrap_or(self.generation.output_bytes())];
        rand::rng().fill_bytes(&mut key);
        SessionKey {
            key_base64: STANDARD.encode(key),
            algorithm: self.generation.name().to_owned(),
            creation_timestamp: now_ms,
        }
    }

    /// When the leader has to write a new key: now where there is none or it is of another kind; none: never.
    pub fn due_at_ms(&self, current: Option<&SessionKey>, now_ms: i64) -> Option<i64> {
        let Some(current) = current else {
            return Some(now_ms);
        };
        if current.algorithm != self.generation.name() || self.has_other_size(current) {
            return Some(now_ms);
        }
        let ttl_ms = i64::try_from(self.ttl.as_millis()).unwrap_or(i64::MAX);
        (ttl_ms > 0).then(|| current.creation_timestamp.saturating_add(ttl_ms))
    }

    fn has_other_size(&self, current: &SessionKey) -> bool {
        let length = STANDARD.decode(&current.key_base64).map(|key| key.len()).ok();
        self.size_bytes.is_some_and(|wanted| length != Some(wanted))
    }

    /// Signs a body; none when the key is no key.
    pub fn sign(&self, key: &SessionKey, body: &[u8]) -> Option<InternalSignature> {
        let key = STANDARD.decode(&key.key_base64).ok()?;
        Some(InternalSignature {
            signature_base64: STANDARD.encode(self.signature.sign(&key, body)),
            algorithm: self.signature.name().to_owned(),
        })
    }

    /// Checks an internal request as the leader: headers, algorithm, key, signature, in this order.
    ///
    /// *Errors*: bad request, unavailable before there is a key, forbidden for a wrong signature; all in Apache's words.
    pub fn verify(&self, key: Option<&SessionKey>, signed: &Signed) -> Result<(), HerderError> {
        let Some(given) = &signed.signature else {
            return Err(HerderError::bad_request("Internal request missing required signature"));
        };
        // Java reads the headers into a MAC and bytes before anything else.
        let algorithm = MacAlgorithm::from_name(&given.algorithm);
        let is_known = |name: &&str| name.eq_ignore_ascii_case(&given.algorithm);
        if algorithm.is_none() && !OTHER_MACS.iter().any(is_known) {
            let text = format!("Algorithm {} not available", given.algorithm);
            return Err(HerderError::bad_request(text));
        }
        let signature = java_base64::decode(&given.signature_base64).map_err(HerderError::bad_request)?;
        let Some(algorithm) = algorithm.filter(|_| self.verification.contains(&given.algorithm)) else {
            return Err(HerderError::bad_request(format!(
                "This worker does not support the '{}' key signing algorithm used by other workers. This worker is currently \
                 configured to use: [{}]. Check that all workers' configuration files permit the same set of signature \
                 algorithms, and correct any misconfigured worker and restart it.",
                given.algorithm,
                self.verification.join(", ")
            )));
        };
        let Some(key) = key.and_then(|key| STANDARD.decode(&key.key_base64).ok()) else {
            return Err(HerderError::Unavailable(
                "This worker is still starting up and has not been able to read a session key from the config topic yet"
                    .to_owned(),
            ));
        };
        if !algorithm.verify(&key, &signed.body, &signature) {
            return Err(HerderError::Forbidden(
                "Internal request contained invalid signature.".to_owned(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> KeySettings {
        KeySettings {
            generation: MacAlgorithm::HmacSha256,
            size_bytes: None,
            ttl: Duration::from_secs(3600),
            signature: MacAlgorithm::HmacSha256,
            verification: vec!["HmacSHA256".to_owned()],
        }
    }

    fn key(text: &str, created_ms: i64) -> SessionKey {
        SessionKey {
            key_base64: STANDARD.encode(text),
            algorithm: "HmacSHA256".to_owned(),
            creation_timestamp: created_ms,
        }
    }

    fn hex(base64: &str) -> String {
        let bytes = STANDARD.decode(base64).expect("base64");
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let signed = settings()
            .sign(&key("Jefe", 0), b"what do ya want for nothing?")
            .expect("a key");
        assert_eq!(signed.algorithm, "HmacSHA256");
        assert_eq!(
            hex(&signed.signature_base64),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn an_empty_body_is_signed_as_well() {
        let (settings, key) = (settings(), key("k", 0));
        let signature = settings.sign(&key, b"");
        let signed = Signed {
            body: Vec::new(),
            signature,
        };
        assert_eq!(settings.verify(Some(&key), &signed), Ok(()));
    }

    #[test]
    fn checks_come_in_apaches_order_with_its_words() {
        let (settings, key) = (settings(), key("k", 0));
        let check = |algorithm: &str, signature: &str, with_key: bool| {
            let signed = Signed {
                body: b"[]".to_vec(),
                signature: Some(InternalSignature {
                    signature_base64: signature.to_owned(),
                    algorithm: algorithm.to_owned(),
                }),
            };
            let refused = settings.verify(with_key.then_some(&key), &signed);
            refused.expect_err("refused")
        };
        let unsigned = settings.verify(None, &Signed::default()).expect_err("refused");
        assert_eq!(unsigned.to_string(), "Internal request missing required signature");
        assert_eq!(check("Foo", "AAAA", false).to_string(), "Algorithm Foo not available");
        assert_eq!(
            check("HmacSHA256", "--", false).to_string(),
            "Illegal base64 character 2d"
        );
        let md5 = check("hmacmd5", "AAAA", false).to_string();
        assert!(md5.contains("the 'hmacmd5' key signing algorithm"), "{md5}");
        let not_permitted = check("HmacSHA512", "AAAA", false).to_string();
        assert!(
            not_permitted.contains("the 'HmacSHA512' key signing algorithm"),
            "{not_permitted}"
        );
        assert!(
            not_permitted.contains("use: [HmacSHA256]. Check that"),
            "{not_permitted}"
        );
        assert!(matches!(
            check("HmacSHA256", "AAAA", false),
            HerderError::Unavailable(_)
        ));
        assert!(matches!(check("HmacSHA256", "AAAA", true), HerderError::Forbidden(_)));
    }

    #[test]
    fn a_key_is_due_when_it_is_missing_of_another_kind_or_old() {
        let mut settings = settings();
        assert_eq!(settings.due_at_ms(None, 5), Some(5));
        assert_eq!(settings.due_at_ms(Some(&key("k", 1_000)), 5), Some(3_601_000));
        settings.ttl = Duration::ZERO;
        assert_eq!(settings.due_at_ms(Some(&key("k", 1_000)), 5), None);
        settings.size_bytes = Some(2);
        assert_eq!(settings.due_at_ms(Some(&key("k", 1_000)), 5), Some(5), "another size");
        let mut foreign = key("kk", 1_000);
        foreign.algorithm = "HmacSHA512".to_owned();
        assert_eq!(settings.due_at_ms(Some(&foreign), 5), Some(5), "another algorithm");
    }

    #[test]
    fn a_new_key_is_as_long_as_its_algorithm_or_as_was_asked_for() {
        let mut settings = settings();
        let length = |key: &SessionKey| STANDARD.decode(&key.key_base64).map(|key| key.len());
        assert_eq!(length(&settings.generate(7)), Ok(32));
        settings.size_bytes = Some(64);
        let made = settings.generate(7);
        assert_eq!((length(&made), made.creation_timestamp), (Ok(64), 7));
    }
}
