//! Validation of a connector config, and the config listing of a plugin
//!
//! Puts together what the framework, the plugin itself, the converters and the client policies say, in the order and
//! with the texts of Apache's `AbstractHerder.validateConnectorConfig` (connect.md A.7, A.8). The checks themselves
//! live with those who own the options: `weir-config`, `worker/connector_config.rs`, the converters, the transformations.

mod aliases;
mod converters;
mod listing;
mod overrides;
mod refused;
mod versions;

use std::sync::Arc;

use weir_config::def::{ConfigDef, ConfigKey, ConfigType, DefaultValue};
use weir_config::map::ConfigMap;
use weir_config::validate::{Hooks, ValueInfo};
use weir_plugins::descriptor::PluginKind;
use weir_plugins::plugins::{ConnectorPlugin, Plugins};
use weir_plugins::version_range::VersionRange;
use weir_secrets::providers::Providers;
use weir_worker::connector_config::{
    CONNECTOR_CLASS, CONNECTOR_PLUGIN_VERSION, ConfigProblem, ConnectorKind, HEADER_CONVERTER, KEY_CONVERTER, NAME,
    VALUE_CONVERTER, common_def, config_problems, custom_problem, validated_def,
};
use weir_worker::source::preflight::exactly_once_problems;
use weir_worker::worker_config::OverridePolicy;

use crate::error::HerderError;
use crate::info::{ConfigInfo, ConfigInfos, ConnectorType};

use self::aliases::Section;
use self::converters::{CONVERTER_KEYS, converter_classes, converter_problem, converter_values, converters};
pub use self::listing::plugin_config;
pub use self::refused::RefusedClasses;

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
    /// `group.id` of a distributed worker, which no sink may read with.
    pub group_id: Option<String>,
}

const GROUP_ID_OVERRIDE: &str = "consumer.override.group.id";
const NULL_VALUE: &str = "Null value can not be supplied as the configuration value.";

/// Validates a whole connector config.
///
/// *Errors*: no connector class, or one that no plugin answers to.
pub async fn connector_config(
    plugins: &Plugins,
    worker: &WorkerConverters,
    refused: &RefusedClasses,
    config: &ConfigMap,
) -> Result<ConfigInfos, HerderError> {
    let config = &worker
        .providers
        .resolve(config)
        .map_err(|error| HerderError::Config(error.to_string()))?;
    let class = config.get(CONNECTOR_CLASS).ok_or_else(|| {
        HerderError::bad_request(format!(
            "Connector config {} contains no connector type",
            map_text(config)
        ))
    })?;
    let newest = refused.find(plugins, class)?;
    let range = VersionRange::parse(config.get(CONNECTOR_PLUGIN_VERSION))
        .map_err(|error| HerderError::bad_request(error.to_string()))?;
    let version_problem = versions::not_found(plugins, &newest.class, range.as_ref());
    if let Some(message) = version_problem {
        return Ok(without_version(class, config, &newest, &message));
    }
    let plugin = plugins
        .find_connector_version(class, config.get(CONNECTOR_PLUGIN_VERSION))
        .map_err(|error| HerderError::bad_request(error.to_string()))?;
    let kind = kind_of(&plugin);
    let own = plugins
        .validate(&plugin, config)
        .await
        .map_err(|error| HerderError::Failed(error.to_string()))?;
    let own_def = plugin.config_def.clone();
    let sections = aliases::sections(plugins, config);
    let cx = Cx {
        plugins,
        worker,
        config,
        plugin: &plugin,
        sections: &sections,
    };

    let mut problems = config_problems(kind, config);
    // A standalone worker does not look at these settings.
    if kind == ConnectorKind::Source && worker.group_id.is_some() {
        problems.extend(exactly_once_problems(plugins, &plugin, config, worker.exactly_once).await);
    }
    problems.extend(sections.iter().flat_map(Section::version_problems).cloned());
    let converters = converters(plugins, config, &mut problems);
    let mut configs = null_values(config, &own_def, &cx.def());
    if kind == ConnectorKind::Sink {
        configs.extend(group_id_value(worker, config, &mut problems));
    }
    configs.extend(cx.values(&problems));
    configs.extend(pair(&own_def, own));
    let mut error_count: usize = configs.iter().map(|info| info.value.errors.len()).sum();
    let mut groups: Vec<String> = cx.def().groups().into_iter().map(str::to_owned).collect();
    merge_groups(&mut groups, own_def.keys());
    let mut rest = overrides::client_overrides(worker, kind, config)?;
    for (key, converter) in converters {
        let section = converter_values(worker, key, &converter, config);
        let definitions = section.iter().filter_map(|info| info.definition.as_ref());
        merge_groups(&mut groups, definitions);
        rest.extend(section);
    }
    error_count += rest.iter().filter(|info| !info.value.errors.is_empty()).count();
    configs.extend(rest);
    Ok(ConfigInfos {
        name: class.to_owned(),
        error_count,
        groups,
        configs,
    })
}

/// The answer when the connector is there, but not in the version asked for: the common keys only.
fn without_version(class: &str, config: &ConfigMap, plugin: &ConnectorPlugin, message: &str) -> ConfigInfos {
    let def = common_def();
    let mut configs = pair(&def, def.validate(config));
    for info in &mut configs {
        if info.value.name == CONNECTOR_CLASS || info.value.name == CONNECTOR_PLUGIN_VERSION {
            info.value.errors.push(message.to_owned());
        }
        if info.value.name == CONNECTOR_PLUGIN_VERSION {
            info.value.recommended = vec![plugin.version.clone()];
        }
    }
    ConfigInfos {
        name: class.to_owned(),
        error_count: configs.iter().map(|info| info.value.errors.len()).sum(),
        groups: def.groups().into_iter().map(str::to_owned).collect(),
        configs,
    }
}

/// The consumer group of a sink must not be the worker's. A group given by an override has a row of its own.
fn group_id_value(
    worker: &WorkerConverters,
    config: &ConfigMap,
    problems: &mut Vec<ConfigProblem>,
) -> Option<ConfigInfo> {
    let worker_group = worker.group_id.as_deref()?;
    let Some(group) = config.get_entry(GROUP_ID_OVERRIDE) else {
        let name = config.get(NAME).unwrap_or("null");
        if worker_group == format!("connect-{name}") {
            problems.push(ConfigProblem {
                key: NAME.to_owned(),
                message: format!(
                    "Consumer group for sink connector named {name} conflicts with Connect worker group {worker_group}"
                ),
            });
        }
        return None;
    };
    let mut value = ValueInfo::new(GROUP_ID_OVERRIDE);
    value.value = group.map(str::to_owned);
    if group == Some(worker_group) {
        value.errors.push(format!(
            "Consumer group {worker_group} conflicts with Connect worker group {worker_group}"
        ));
    }
    Some(ConfigInfo {
        definition: None,
        value,
    })
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

fn kind_of(plugin: &ConnectorPlugin) -> ConnectorKind {
    if plugin.kind == PluginKind::Source {
        ConnectorKind::Source
    } else {
        ConnectorKind::Sink
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
fn null_values(config: &ConfigMap, own: &ConfigDef, framework: &ConfigDef) -> Vec<ConfigInfo> {
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

/// What a validation is made from.
struct Cx<'a> {
    plugins: &'a Plugins,
    worker: &'a WorkerConverters,
    config: &'a ConfigMap,
    plugin: &'a ConnectorPlugin,
    sections: &'a [Section],
}

impl Cx<'_> {
    /// The framework's keys, those of transformations and predicates included.
    fn def(&self) -> ConfigDef {
        let def = validated_def(kind_of(self.plugin), self.config);
        self.sections.iter().fold(def, |def, section| section.add_rows(def))
    }

    /// What a key that the connector leaves out falls back to on this worker.
    fn defaults(&self) -> Vec<(String, String)> {
        let mut defaults = vec![(CONNECTOR_PLUGIN_VERSION.to_owned(), self.plugin.version.clone())];
        for (key, class) in [
            (KEY_CONVERTER, &self.worker.key),
            (VALUE_CONVERTER, &self.worker.value),
            (HEADER_CONVERTER, &self.worker.header),
        ] {
            defaults.push((key.to_owned(), full_name(self.plugins, class)));
            if let Some(version) = self.converter_versions(key).pop() {
                defaults.push((format!("{key}.plugin.version"), version));
            }
        }
        defaults
    }

    /// The versions of the converter in use.
    fn converter_versions(&self, key: &str) -> Vec<String> {
        let class = self.config.get(key).unwrap_or(match key {
            KEY_CONVERTER => &self.worker.key,
            VALUE_CONVERTER => &self.worker.value,
            _ => &self.worker.header,
        });
        versions::offered(self.plugins, &full_name(self.plugins, class))
    }

    fn values(&self, problems: &[ConfigProblem]) -> Vec<ConfigInfo> {
        let own = &self.plugin.config_def;
        let def = self.def();
        let hooks = Hooks {
            class_exists: &|class| self.plugins.find_any(class).is_ok() || aliases::is_abstract(class),
            custom: &|key, value| {
                let of_section = |section: &Section| section.custom_problem(self.plugins, self.config, key, value);
                converter_problem(self.plugins, key, value)
                    .or_else(|| self.sections.iter().find_map(of_section))
                    .or_else(|| custom_problem(key, value))
            },
        };
        let (mut shown_config, mut keys) = (self.config.clone(), def.keys().to_vec());
        for (name, text) in self.defaults() {
            if let Some(key) = keys.iter_mut().find(|key| key.name == name) {
                key.default = DefaultValue::Value(text.clone());
            }
            if !shown_config.contains_key(&name) {
                shown_config.insert(&name, &text);
            }
        }
        let values = def.validate_with(&shown_config, &hooks);
        let rows = keys
            .into_iter()
            .zip(values)
            .filter(|(key, _)| own.get(&key.name).is_none());
        rows.map(|(key, mut value)| {
            if self.config.get_entry(&key.name) == Some(None) {
                value.errors.push(NULL_VALUE.to_owned());
            }
            let found = problems.iter().filter(|problem| problem.key == key.name);
            value.errors.extend(found.map(|problem| problem.message.clone()));
            if key.config_type == ConfigType::Class {
                value.value = value.value.map(|name| full_name(self.plugins, &name));
            }
            value.recommended = self.recommended(&key.name);
            ConfigInfo {
                definition: Some(key),
                value,
            }
        })
        .collect()
    }

    fn recommended(&self, key: &str) -> Vec<String> {
        if key == CONNECTOR_PLUGIN_VERSION {
            return versions::offered(self.plugins, &self.plugin.class);
        }
        if CONVERTER_KEYS.contains(&key) {
            return converter_classes(key);
        }
        if let Some(converter) = key
            .strip_suffix(".plugin.version")
            .filter(|key| CONVERTER_KEYS.contains(key))
        {
            return self.converter_versions(converter);
        }
        let of_sections = self.sections.iter().find_map(|section| section.recommended(key));
        of_sections.unwrap_or_default()
    }
}

/// The class of a name or alias as Connect prints it; a name that is no plugin's stays as it is.
fn full_name(plugins: &Plugins, name: &str) -> String {
    plugins
        .find_any(name.trim())
        .map_or_else(|_| name.to_owned(), |plugin| plugin.class)
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

fn merge_groups<'a>(groups: &mut Vec<String>, keys: impl IntoIterator<Item = &'a ConfigKey>) {
    for group in keys.into_iter().filter_map(|key| key.group.as_deref()) {
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
