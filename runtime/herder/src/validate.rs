//! Validation of a connector config, and the config listing of a plugin.
//!
//! Puts together what the framework, the plugin itself, the converters and the client policies say, in the order and
//! with the texts of Apache's `AbstractHerder.validateConnectorConfig` (connect.md A.7, A.8). The checks themselves
//! live with those who own the options: `weir-config`, `worker/connector_config.rs`, the converters.

use std::sync::Arc;

use weir_config::def::{ConfigDef, ConfigKey, DefaultValue};
use weir_config::map::ConfigMap;
use weir_config::validate::{Hooks, ValueInfo};
use weir_converters::native::{self, ConverterClass};
use weir_plugins::descriptor::PluginKind;
use weir_plugins::error::PluginError;
use weir_plugins::plugins::{ConnectorPlugin, Plugins};
use weir_secrets::providers::Providers;
use weir_worker::clients::override_problems;
use weir_worker::connector_config::{
    CONNECTOR_CLASS, CONNECTOR_PLUGIN_VERSION, ConfigProblem, ConnectorKind, HEADER_CONVERTER, KEY_CONVERTER,
    VALUE_CONVERTER, config_problems, custom_problem, enriched_def,
};
use weir_worker::source::preflight::exactly_once_problems;
use weir_worker::worker_config::{OverridePolicy, SCHEMA_REGISTRY_URL};

use crate::error::{CONNECT_CLASS, HerderError};
use crate::info::{ConfigInfo, ConfigInfos, ConnectorType};

/// Converters of the worker file, shown as defaults, and what connectors may override.
#[derive(Debug, Clone)]
pub struct WorkerConverters {
    /// `key.converter`
    pub key: String,
    /// `value.converter`
    pub value: String,
    /// `header.converter`
    pub header: String,
    /// `connector.client.config.override.policy`
    pub override_policy: OverridePolicy,
    /// `weir.schema.registry.url`: the registry of converters that name none.
    pub registry_url: Option<String>,
    /// What fills in the variables of a config before it is judged.
    pub providers: Arc<Providers>,
    /// Source connectors get exactly-once support.
    pub exactly_once: bool,
}

const CONVERTER_KEYS: [&str; 3] = [HEADER_CONVERTER, KEY_CONVERTER, VALUE_CONVERTER];
const CLIENT_PREFIXES: [&str; 3] = ["producer.override.", "consumer.override.", "admin.override."];
const NULL_VALUE: &str = "Null value can not be supplied as the configuration value.";

/// Validates a whole connector config.
///
/// *Errors*: no connector class, or one that no plugin answers to.
pub async fn connector_config(
    plugins: &Plugins,
    worker: &WorkerConverters,
    config: &ConfigMap,
) -> Result<ConfigInfos, HerderError> {
    let config = &worker
        .providers
        .resolve(config)
        .map_err(|error| HerderError::Failed(error.to_string()))?;
    let class = config.get(CONNECTOR_CLASS).ok_or_else(|| {
        HerderError::bad_request(format!(
            "Connector config {} contains no connector type",
            map_text(config)
        ))
    })?;
    let plugin = find(plugins, class)?;
    let kind = kind_of(&plugin);
    let own = plugins
        .validate(&plugin, config)
        .await
        .map_err(|error| HerderError::Failed(error.to_string()))?;
    let own_def = plugin.config_def.clone();

    let mut configs = null_values(config, &own_def, kind);
    let mut problems = config_problems(kind, config);
    if kind == ConnectorKind::Source {
        problems.extend(exactly_once_problems(plugins, &plugin, config, worker.exactly_once).await);
    }
    configs.extend(framework_values(worker, config, &own_def, &plugin, &problems));
    configs.extend(pair(&own_def, own));
    configs.extend(client_overrides(worker, kind, config));
    let mut error_count: usize = configs.iter().map(|info| info.value.errors.len()).sum();
    let mut groups: Vec<String> = enriched_def(kind, config)
        .groups()
        .into_iter()
        .map(str::to_owned)
        .collect();
    merge_groups(&mut groups, &own_def);
    for key in CONVERTER_KEYS {
        let Some(converter) = config.get(key).and_then(|class| native::describe(class, slot_of(key))) else {
            continue;
        };
        let section = converter_values(worker, key, &converter, config);
        error_count += section.iter().filter(|info| !info.value.errors.is_empty()).count();
        merge_groups(&mut groups, &converter.config_def);
        configs.extend(section);
    }
    Ok(ConfigInfos {
        name: class.to_owned(),
        error_count,
        groups,
        configs,
    })
}

/// The config keys of a plugin of any kind; for connectors the framework's keys follow its own.
pub fn plugin_config(plugins: &Plugins, worker: &WorkerConverters, name: &str) -> Result<Vec<ConfigInfo>, HerderError> {
    if let Ok(plugin) = plugins.find_connector(name) {
        let own = plugin.config_def.keys().to_vec();
        let common = defaults_shown(
            enriched_def(kind_of(&plugin), &ConfigMap::new()),
            worker,
            &plugin.version,
        );
        let rest: Vec<ConfigKey> = common
            .into_iter()
            .filter(|key| plugin.config_def.get(&key.name).is_none())
            .collect();
        return Ok(own.into_iter().chain(rest).map(listed).collect());
    }
    match plugins.find_any(name) {
        Ok(plugin) => Ok(plugin.config_def.keys().iter().cloned().map(listed).collect()),
        Err(_) => Err(HerderError::NotFound(format!("Unknown plugin {name}."))),
    }
}

fn listed(key: ConfigKey) -> ConfigInfo {
    let value = ValueInfo::new(&key.name);
    ConfigInfo {
        definition: Some(key),
        value,
    }
}

/// The 400 text of a refused create or update; none when there is no error.
pub fn failure_message(infos: &ConfigInfos) -> Option<String> {
    if infos.error_count == 0 {
        return None;
    }
    let mut text = format!(
        "Connector configuration is invalid and contains the following {} error(s):",
        infos.error_count
    );
    for error in infos.configs.iter().flat_map(|info| &info.value.errors) {
        text.push('\n');
        text.push_str(error);
    }
    text.push_str("\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`");
    Some(text)
}

/// The kind of connector a config names, or unknown.
pub fn connector_type(plugins: &Plugins, config: &ConfigMap) -> ConnectorType {
    match config.get(CONNECTOR_CLASS).map(|class| plugins.find_connector(class)) {
        Some(Ok(plugin)) if plugin.kind == PluginKind::Source => ConnectorType::Source,
        Some(Ok(_)) => ConnectorType::Sink,
        Some(Err(_)) | None => ConnectorType::Unknown,
    }
}

fn find(plugins: &Plugins, class: &str) -> Result<ConnectorPlugin, HerderError> {
    plugins
        .find_connector(class)
        .map_err(|error: PluginError| HerderError::BadRequest {
            message: error.to_string(),
            class: CONNECT_CLASS,
        })
}

fn kind_of(plugin: &ConnectorPlugin) -> ConnectorKind {
    if plugin.kind == PluginKind::Source {
        ConnectorKind::Source
    } else {
        ConnectorKind::Sink
    }
}

fn slot_of(key: &str) -> weir_api::converter::ConverterSlot {
    use weir_api::converter::ConverterSlot;
    match key {
        KEY_CONVERTER => ConverterSlot::Key,
        VALUE_CONVERTER => ConverterSlot::Value,
        _ => ConverterSlot::Header,
    }
}

/// Java's text of a map: `{k=v, k=v}`.
fn map_text(config: &ConfigMap) -> String {
    let pairs: Vec<String> = config
        .iter()
        .map(|(key, value)| format!("{key}={}", value.unwrap_or("null")))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Null is accepted only for keys that the plugin itself defines. Keys of the framework get the error on their own row.
fn null_values(config: &ConfigMap, own: &ConfigDef, kind: ConnectorKind) -> Vec<ConfigInfo> {
    let framework = enriched_def(kind, config);
    let unknown = config
        .iter()
        .filter(|(key, value)| value.is_none() && own.get(key).is_none() && framework.get(key).is_none());
    unknown
        .map(|(key, _)| {
            let mut value = ValueInfo::new(key);
            value.errors.push(NULL_VALUE.to_owned());
            ConfigInfo {
                definition: None,
                value,
            }
        })
        .collect()
}

fn framework_values(
    worker: &WorkerConverters,
    config: &ConfigMap,
    own: &ConfigDef,
    plugin: &ConnectorPlugin,
    problems: &[ConfigProblem],
) -> Vec<ConfigInfo> {
    let def = enriched_def(kind_of(plugin), config);
    let hooks = Hooks {
        class_exists: &|class| converter_exists(class),
        custom: &|key, value| custom_problem(key, value),
    };
    let mut shown_config = config.clone();
    for (key, class) in worker_defaults(worker, &plugin.version) {
        if !shown_config.contains_key(key) {
            shown_config.insert(key, class);
        }
    }
    let values = def.validate_with(&shown_config, &hooks);
    let keys = defaults_shown(def, worker, &plugin.version);
    let mut infos = Vec::with_capacity(keys.len());
    for (key, mut value) in keys.into_iter().zip(values) {
        if own.get(&key.name).is_some() {
            continue;
        }
        if config.get_entry(&key.name) == Some(None) {
            value.errors.push(NULL_VALUE.to_owned());
        }
        value.errors.extend(
            problems
                .iter()
                .filter(|problem| problem.key == key.name)
                .map(|problem| problem.message.clone()),
        );
        recommend(&mut value, plugin);
        infos.push(ConfigInfo {
            definition: Some(key),
            value,
        });
    }
    infos
}

fn converter_exists(class: &str) -> bool {
    [KEY_CONVERTER, HEADER_CONVERTER]
        .into_iter()
        .any(|key| native::describe(class, slot_of(key)).is_some())
}

/// What a key that the connector leaves out falls back to on this worker.
fn worker_defaults<'a>(worker: &'a WorkerConverters, version: &'a str) -> [(&'static str, &'a str); 4] {
    [
        (KEY_CONVERTER, worker.key.as_str()),
        (VALUE_CONVERTER, worker.value.as_str()),
        (HEADER_CONVERTER, worker.header.as_str()),
        (CONNECTOR_PLUGIN_VERSION, version),
    ]
}

/// The framework's rows with this worker's converters and versions as defaults.
fn defaults_shown(def: ConfigDef, worker: &WorkerConverters, version: &str) -> Vec<ConfigKey> {
    let mut keys = def.keys().to_vec();
    for (name, text) in worker_defaults(worker, version) {
        if let Some(key) = keys.iter_mut().find(|key| key.name == name) {
            key.default = DefaultValue::Value(text.to_owned());
        }
    }
    keys
}

fn recommend(value: &mut ValueInfo, plugin: &ConnectorPlugin) {
    match value.name.as_str() {
        CONNECTOR_PLUGIN_VERSION => value.recommended = vec![plugin.version.clone()],
        KEY_CONVERTER | VALUE_CONVERTER | HEADER_CONVERTER => {
            value.recommended = converter_classes(slot_of(&value.name))
        }
        _ => {}
    }
}

fn converter_classes(slot: weir_api::converter::ConverterSlot) -> Vec<String> {
    let fitting = native::list()
        .into_iter()
        .filter(|class| native::describe(class.class, slot).is_some());
    let mut classes: Vec<String> = fitting.map(|class| class.class.to_owned()).collect();
    classes.sort();
    classes
}

fn pair(def: &ConfigDef, values: Vec<ValueInfo>) -> Vec<ConfigInfo> {
    values
        .into_iter()
        .map(|value| ConfigInfo {
            definition: def.get(&value.name).cloned(),
            value,
        })
        .collect()
}

/// Overrides that the config gives: shown with their text, refused where the policy says so.
fn client_overrides(worker: &WorkerConverters, kind: ConnectorKind, config: &ConfigMap) -> Vec<ConfigInfo> {
    let problems: Vec<ConfigProblem> = override_problems(&worker.override_policy, kind, config, worker.exactly_once);
    let given = config
        .iter()
        .filter(|(key, _)| CLIENT_PREFIXES.iter().any(|prefix| key.starts_with(prefix)));
    given
        .map(|(key, text)| {
            let mut value = ValueInfo::new(key);
            value.value = text.map(str::to_owned);
            value.errors = problems
                .iter()
                .filter(|problem| problem.key == key)
                .map(|problem| problem.message.clone())
                .collect();
            ConfigInfo {
                definition: Some(ConfigKey::text(key).default_null()),
                value,
            }
        })
        .collect()
}

/// The options of a converter that the connector itself names; the worker's are not shown, nor inherited.
fn converter_values(
    worker: &WorkerConverters,
    key: &str,
    converter: &ConverterClass,
    config: &ConfigMap,
) -> Vec<ConfigInfo> {
    let prefix = format!("{key}.");
    let mut options = config.with_prefix(&prefix);
    if let Some(url) = &worker.registry_url
        && !options.contains_key(SCHEMA_REGISTRY_URL)
        && converter.config_def.get(SCHEMA_REGISTRY_URL).is_some()
    {
        options.insert(SCHEMA_REGISTRY_URL, url);
    }
    let slot = key.strip_suffix(".converter").unwrap_or(key);
    options.insert("converter.type", slot);
    let values = converter.config_def.validate(&options);
    pair(&converter.config_def, values)
        .into_iter()
        .map(|mut info| {
            let full = format!("{prefix}{}", info.value.name);
            info.value.name.clone_from(&full);
            if let Some(definition) = &mut info.definition {
                definition.name = full;
            }
            info
        })
        .collect()
}

fn merge_groups(groups: &mut Vec<String>, def: &ConfigDef) {
    for group in def.groups() {
        if !groups.iter().any(|known| known == group) {
            groups.push(group.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_prints_as_java_prints_it() {
        let config: ConfigMap = [("name", Some("e")), ("x", None)]
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.map(str::to_owned)))
            .collect();
        assert_eq!(map_text(&config), "{name=e, x=null}");
    }

    #[test]
    fn the_failure_message_lists_every_error_in_order() {
        let mut value = ValueInfo::new("topic");
        value.errors = vec!["one".to_owned(), "two".to_owned()];
        let mut infos = ConfigInfos {
            name: "X".to_owned(),
            error_count: 2,
            groups: Vec::new(),
            configs: vec![ConfigInfo {
                definition: None,
                value,
            }],
        };
        let text = failure_message(&infos).unwrap_or_default();
        assert!(
            text.starts_with(
                "Connector configuration is invalid and contains the following 2 error(s):\none\ntwo\nYou can also"
            ),
            "{text}"
        );
        infos.error_count = 0;
        assert_eq!(failure_message(&infos), None);
    }
}
