//! Client settings that a connector config overrides
//!
//! Shown with the definition that Apache's client has of the setting, parsed by its type, and refused where the worker's
//! policy says so. What reaches the client is decided in `worker/clients.rs`.

use std::collections::HashMap;
use std::sync::LazyLock;

use weir_config::def::{ConfigKey, ConfigType, Importance};
use weir_config::map::ConfigMap;
use weir_config::parse::parse_type;
use weir_config::validate::ValueInfo;
use weir_stores::java_order::sort_by_bucket;
use weir_worker::clients::{override_prefixes, override_problems};
use weir_worker::connector_config::ConnectorKind;

use super::WorkerConverters;
use crate::error::HerderError;
use crate::info::ConfigInfo;

type ClientKeys = HashMap<(&'static str, &'static str), ConfigKey>;

/// By client (`producer`, `consumer`, `admin`) and key.
static CLIENT_KEYS: LazyLock<ClientKeys> =
    LazyLock::new(|| include_str!("client_keys.txt").lines().filter_map(client_key).collect());

/// Reads a row of the table; none for its caption.
fn client_key(line: &'static str) -> Option<((&'static str, &'static str), ConfigKey)> {
    let mut words = line.splitn(5, ' ');
    let (client, name) = (words.next()?, words.next()?);
    let config_type = match words.next()? {
        "BOOLEAN" => ConfigType::Boolean,
        "STRING" => ConfigType::Text,
        "INT" => ConfigType::Int,
        "SHORT" => ConfigType::Short,
        "LONG" => ConfigType::Long,
        "DOUBLE" => ConfigType::Double,
        "LIST" => ConfigType::List,
        "CLASS" => ConfigType::Class,
        "PASSWORD" => ConfigType::Password,
        _ => return None,
    };
    let importance = match words.next()? {
        "HIGH" => Importance::High,
        "MEDIUM" => Importance::Medium,
        _ => Importance::Low,
    };
    let key = ConfigKey::new(name, config_type).importance(importance);
    let key = match words.next()? {
        "required" => key,
        "null" => key.default_null(),
        default => key.default(default.strip_prefix('=')?),
    };
    Some(((client, name), key))
}

/// Shows the overrides of the clients that the connector uses.
///
/// *Errors*: a value that does not parse as the client's setting; Apache ends the whole validation with it.
pub(super) fn client_overrides(
    worker: &WorkerConverters,
    kind: ConnectorKind,
    config: &ConfigMap,
) -> Result<Vec<ConfigInfo>, HerderError> {
    let problems = override_problems(&worker.override_policy, kind, config, worker.exactly_once);
    let mut infos = Vec::new();
    for prefix in override_prefixes(kind, config, worker.exactly_once) {
        let client = prefix.split('.').next().unwrap_or(prefix);
        let overrides = config.with_prefix(prefix);
        let mut given: Vec<(&str, Option<&str>)> = overrides.iter().collect();
        sort_by_bucket(&mut given, |(key, _)| key);
        for (key, text) in given {
            let known = CLIENT_KEYS.get(&(client, key));
            let definition = known.cloned();
            let full = format!("{prefix}{key}");
            let mut value = ValueInfo::new(&full);
            value.value = match &definition {
                Some(definition) => parse_type(key, text, definition.config_type)
                    .map_err(|error| HerderError::Config(error.to_string()))?
                    .map(|parsed| parsed.to_text()),
                None => text.map(str::to_owned),
            };
            let own = problems.iter().filter(|problem| problem.key == full);
            value.errors = own.map(|problem| problem.message.clone()).collect();
            infos.push(ConfigInfo {
                definition: definition.map(|definition| ConfigKey {
                    name: full,
                    ..definition
                }),
                value,
            });
        }
    }
    Ok(infos)
}

#[cfg(test)]
mod tests {
    use super::CLIENT_KEYS;

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = include_str!("client_keys.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count();
        assert!(rows > 300, "{rows}");
        assert_eq!(CLIENT_KEYS.len(), rows);
        let linger = CLIENT_KEYS.get(&("producer", "linger.ms"));
        assert_eq!(linger.map(|key| key.config_type.as_str()), Some("LONG"));
        assert!(CLIENT_KEYS.values().all(|key| key.default_value().is_ok()));
    }
}
