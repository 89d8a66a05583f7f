//! What is wrong with settings, all of it
//!
//! Validation shows every problem beside its key; starting takes the first. Values of secret settings are never shown.

use weir_sdk::api::error::ConnectError;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ValueInfo;

/// Problems found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    found: Vec<(String, String)>,
}

impl Problems {
    /// Notes that a value is wrong, in Kafka's words.
    pub fn push(&mut self, key: &str, value: &str, reason: &str) {
        self.found.push((
            key.to_owned(),
            format!("Invalid value {value} for configuration {key}: {reason}"),
        ));
    }

    /// Notes a problem of a key whose value is secret or does not matter.
    pub fn push_text(&mut self, key: &str, text: String) {
        self.found.push((key.to_owned(), text));
    }

    /// Gives a value, or notes why there is none.
    pub fn keep<T>(&mut self, key: &str, value: &str, parsed: Result<T, String>) -> Option<T> {
        match parsed {
            Ok(parsed) => Some(parsed),
            Err(reason) => {
                self.push(key, value, &reason);
                None
            }
        }
    }

    /// Gives a setting that another one makes necessary, or notes that it is missing.
    pub fn need(&mut self, config: &ConfigMap, key: &str, because: &str) -> Option<String> {
        let value = config.get(key).map(str::trim).filter(|value| !value.is_empty());
        if value.is_none() {
            self.push_text(
                key,
                format!("Missing required configuration \"{key}\", which {because} needs."),
            );
        }
        value.map(str::to_owned)
    }

    /// Tells whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Gives the first problem as an error.
    pub fn first(&self) -> Option<ConnectError> {
        self.found.first().map(|(_, text)| ConnectError::config(text.as_str()))
    }

    /// Gives all problems beside their keys.
    pub fn infos(&self) -> Vec<ValueInfo> {
        let mut infos: Vec<ValueInfo> = Vec::new();
        for (key, text) in &self.found {
            match infos.iter_mut().find(|info| info.name == *key) {
                Some(info) => info.errors.push(text.clone()),
                None => infos.push(ValueInfo {
                    errors: vec![text.clone()],
                    ..ValueInfo::new(key)
                }),
            }
        }
        infos
    }
}
