//! The secrets of one instance: references for the guest, values outside
//!
//! A class that asks for `secrets` gets settings of type PASSWORD as references that nobody can guess; they mean
//! something in the instances of the same connector on this worker only. Task configs get the values back on the way out
//! of the guest, so that they mean the same after a restart and on another worker. What replaces references in requests
//! is `egress/fill.rs`; what takes values out of texts is `redact.rs`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use weir_api::error::ConnectError;
use weir_config::def::{ConfigDef, ConfigType};
use weir_config::map::ConfigMap;

use crate::error::{Fault, GuestError};
use crate::redact::Redactor;

/// How every reference begins. Letters and `-` only: no encoding of URLs, forms or JSON changes them.
const REFERENCE_PREFIX: &str = "weir-secret-";
/// Hexadecimal digits after the prefix: 128 bits.
const REFERENCE_DIGITS: usize = 32;
/// Secrets that an instance may have come to know; the oldest goes when there is one more.
const MAX_LEARNED: usize = 64;
/// Longest secret that an instance may have come to know, in bytes.
const MAX_LEARNED_BYTES: usize = 64 * 1024;
/// Prefixes under which a connector configures the worker's clients and converters: not in its own definition.
const CLIENT_PREFIXES: [&str; 6] = [
    "producer.override.",
    "consumer.override.",
    "admin.override.",
    "key.converter.",
    "value.converter.",
    "header.converter.",
];
/// Ends of their keys that are of type PASSWORD.
const CLIENT_PASSWORDS: [&str; 8] = [
    "sasl.jaas.config",
    "sasl.oauthbearer.client.credentials.client.secret",
    "ssl.key.password",
    "ssl.keystore.password",
    "ssl.keystore.key",
    "ssl.truststore.password",
    "ssl.truststore.certificates",
    "basic.auth.user.info",
];

/// The secrets of one instance, shared by everything that meets its texts.
pub(crate) struct Secrets {
    connector: String,
    password_keys: HashSet<String>,
    /// True from the start, until the real instance has described itself: a manifest may lie.
    hides: AtomicBool,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    by_reference: HashMap<String, Held>,
    /// References of learned secrets, oldest first.
    learned: VecDeque<String>,
    redactor: Redactor,
}

struct Held {
    value: String,
    is_setting: bool,
}

impl Secrets {
    pub(crate) fn new(connector: &str, definition: Option<&ConfigDef>) -> Self {
        let password_keys = definition
            .map(|definition| definition.keys())
            .unwrap_or_default()
            .iter()
            .filter(|key| key.config_type == ConfigType::Password)
            .map(|key| key.name.clone())
            .collect();
        Self {
            connector: connector.to_owned(),
            password_keys,
            hides: AtomicBool::new(true),
            table: RwLock::default(),
        }
    }

    /// Says what the real instance asks for.
    pub(crate) fn set_hides(&self, hides: bool) {
        self.hides.store(hides, Ordering::Relaxed);
    }

    fn hides(&self) -> bool {
        self.hides.load(Ordering::Relaxed)
    }

    fn is_password(&self, key: &str) -> bool {
        self.password_keys.contains(key)
            || (CLIENT_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
                && CLIENT_PASSWORDS.iter().any(|password| key.ends_with(password)))
    }

    /// Makes the config that the guest sees, and notes the secrets in it.
    pub(crate) fn conceal<'c>(&self, config: &'c ConfigMap) -> Cow<'c, ConfigMap> {
        let mut seen = Cow::Borrowed(config);
        for (key, value) in config.iter() {
            let Some(value) = value.filter(|value| !value.is_empty() && self.is_password(key)) else {
                continue;
            };
            let reference = self.hold(key, value, true);
            if self.hides() {
                seen.to_mut().insert(key, reference);
            }
        }
        seen
    }

    fn hold(&self, key: &str, value: &str, is_setting: bool) -> String {
        let reference = reference(&self.connector, key, value);
        let held = Held {
            value: value.to_owned(),
            is_setting,
        };
        let mut table = self.table.write();
        if table.by_reference.insert(reference.clone(), held).is_none() {
            table.redactor.add(value);
        }
        reference
    }

    /// Gives a task config the values back.
    ///
    /// # Errors
    /// A reference where it may not be: what a task config holds is stored and shown.
    pub(crate) fn reveal(&self, mut task: ConfigMap) -> Result<ConfigMap, GuestError> {
        let mut revealed = Vec::new();
        let table = self.table.read();
        for (key, value) in task.iter() {
            let Some(value) = value else { continue };
            if references(value).next().is_none() {
                continue;
            }
            match table.by_reference.get(value) {
                Some(held) if held.is_setting && self.is_password(key) => {
                    revealed.push((key.to_owned(), held.value.clone()));
                }
                Some(_) | None => {
                    return Err(GuestError::fatal(
                        Fault::Contract,
                        format!(
                            "the task config holds a secret under {key}; only a key of type PASSWORD may hold one, \
                             whole and taken from the connector's settings"
                        ),
                    ));
                }
            }
        }
        drop(table);
        for (key, value) in revealed {
            task.insert(key, value);
        }
        Ok(task)
    }

    /// Takes a secret that the instance came to know; gives what stands for it.
    pub(crate) fn learn(&self, value: &str) -> String {
        if value.is_empty() || value.len() > MAX_LEARNED_BYTES || references(value).next().is_some() {
            return value.to_owned();
        }
        let reference = self.hold("", value, false);
        let mut table = self.table.write();
        table.learned.retain(|known| *known != reference);
        table.learned.push_back(reference.clone());
        if table.learned.len() > MAX_LEARNED
            && let Some(oldest) = table.learned.pop_front()
            && let Some(held) = table.by_reference.remove(&oldest)
        {
            table.redactor.remove(&held.value);
        }
        if self.hides() { reference } else { value.to_owned() }
    }

    /// Takes a secret setting apart that holds names and values; gives the names with references to the values.
    pub(crate) fn entries(&self, reference: &str) -> Vec<(String, String)> {
        let Some(text) = self.setting(reference) else {
            return Vec::new();
        };
        named_values(&text)
            .into_iter()
            .map(|(name, value)| {
                if value.is_empty() {
                    return (name, value);
                }
                let reference = self.hold(&name, &value, false);
                (name, if self.hides() { reference } else { value })
            })
            .collect()
    }

    /// The value of a setting that the guest names as it sees it.
    fn setting(&self, seen: &str) -> Option<String> {
        let table = self.table.read();
        let held = if self.hides() {
            table.by_reference.get(seen)
        } else {
            table.by_reference.values().find(|held| held.value == seen)
        };
        held.filter(|held| held.is_setting).map(|held| held.value.clone())
    }

    /// What a reference stands for.
    pub(crate) fn value(&self, reference: &str) -> Option<String> {
        let table = self.table.read();
        table.by_reference.get(reference).map(|held| held.value.clone())
    }

    /// Keeps a secret out of texts that no setting of type PASSWORD holds.
    pub(crate) fn note_secret(&self, value: &str) {
        self.table.write().redactor.add_once(value);
    }

    /// Keeps one more text out of logs and errors, made of a secret.
    pub(crate) fn note_form(&self, text: &str) {
        self.table.write().redactor.add_text_once(text);
    }

    /// Takes the secrets out of a text.
    pub(crate) fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.table.read().redactor.redact(text)
    }

    pub(crate) fn redact_owned(&self, text: String) -> String {
        match self.redact(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(redacted) => redacted,
        }
    }

    /// Takes the secrets out of an error of the engine.
    pub(crate) fn redact_error(&self, error: GuestError) -> GuestError {
        GuestError {
            message: self.redact_owned(error.message),
            trace: error.trace.map(|text| self.redact_owned(text)),
            ..error
        }
    }

    /// Takes the secrets out of an error that the guest made.
    pub(crate) fn redact_connect_error(&self, error: ConnectError) -> ConnectError {
        ConnectError {
            message: self.redact_owned(error.message),
            trace: error.trace.map(|text| self.redact_owned(text)),
            class_name: error.class_name.map(|text| self.redact_owned(text)),
            causes: error.causes.into_iter().map(|text| self.redact_owned(text)).collect(),
            ..error
        }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("connector", &self.connector)
            .finish_non_exhaustive()
    }
}

/// The references in a text, with their places.
pub(crate) fn references(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices(REFERENCE_PREFIX).filter_map(|(at, _)| {
        let reference = text.get(at..at + REFERENCE_PREFIX.len() + REFERENCE_DIGITS)?;
        let digits = reference.get(REFERENCE_PREFIX.len()..)?;
        let is_one = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then_some((at, reference))
    })
}

/// The same for equal secrets of a connector, so that settings compare as before; useless to whoever has no request to
/// put it in.
fn reference(connector: &str, key: &str, value: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(process_key());
    for part in [connector, key, value] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let digits: String = hash
        .finalize()
        .iter()
        .take(REFERENCE_DIGITS / 2)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{REFERENCE_PREFIX}{digits}")
}

fn process_key() -> &'static [u8; 32] {
    static KEY: OnceLock<[u8; 32]> = OnceLock::new();
    KEY.get_or_init(|| {
        let mut key = [0; 32];
        // The system's generator fails on no machine that runs TLS; a zero key would still leave references useless
        // outside of requests to the connector's own hosts.
        let _ = aws_lc_rs::default_provider().secure_random.fill(&mut key);
        key
    })
}

/// Reads a JSON object of texts, or lines of the form `name: value`. What is neither is left out.
fn named_values(text: &str) -> Vec<(String, String)> {
    if let Ok(Value::Object(object)) = serde_json::from_str(text) {
        return object
            .into_iter()
            .filter_map(|(name, value)| match value {
                Value::String(value) => Some((name, value)),
                _ => None,
            })
            .collect();
    }
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            let name = name.trim();
            (!name.is_empty()).then(|| (name.to_owned(), value.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests;
