//! The config keys of one plugin, of any kind
//!
//! For connectors the framework's keys follow the plugin's own. What is refused is worded as Apache's
//! `AbstractHerder.connectorPluginConfig` words it.

use weir_config::def::{ConfigKey, DefaultValue};
use weir_config::map::ConfigMap;
use weir_config::validate::ValueInfo;
use weir_plugins::plugins::Plugins;
use weir_plugins::version_range::VersionRange;
use weir_worker::connector_config::{CONNECTOR_PLUGIN_VERSION, validated_def};

use super::{aliases, kind_of, versions};
use crate::error::HerderError;
use crate::info::ConfigInfo;

/// Classes that Connect has, but not as plugins with a config to list.
const OTHER_PLUGINS: [&str; 7] = [
    "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
    "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
    "org.apache.kafka.common.config.provider.FileConfigProvider",
    "org.apache.kafka.connect.connector.policy.AllConnectorClientConfigOverridePolicy",
    "org.apache.kafka.connect.connector.policy.AllowlistConnectorClientConfigOverridePolicy",
    "org.apache.kafka.connect.connector.policy.NoneConnectorClientConfigOverridePolicy",
    "org.apache.kafka.connect.connector.policy.PrincipalConnectorClientConfigOverridePolicy",
];

/// Lists the config keys of a plugin; `version` is a version or a range, none the newest.
///
/// *Errors*: no such plugin or version, or a version that is none.
pub fn plugin_config(plugins: &Plugins, name: &str, version: Option<&str>) -> Result<Vec<ConfigInfo>, HerderError> {
    let range = VersionRange::parse(version).map_err(|_| {
        HerderError::bad_request(format!(
            "Invalid version specification: {}",
            version.unwrap_or_default()
        ))
    })?;
    let Ok(plugin) = plugins.find_any(name) else {
        return Err(refusal(name));
    };
    if let Some(message) = versions::not_found(plugins, &plugin.class, range.as_ref()) {
        return Err(HerderError::bad_request(message));
    }
    let connector = plugins.find_connector_version(name, version).ok();
    let own = connector
        .as_ref()
        .map_or(&plugin.config_def, |connector| &connector.config_def);
    let mut keys = own.keys().to_vec();
    if let Some(connector) = &connector {
        for mut key in validated_def(kind_of(connector), &ConfigMap::new())
            .keys()
            .iter()
            .cloned()
        {
            if key.name == CONNECTOR_PLUGIN_VERSION {
                key.default = DefaultValue::Value(connector.version.clone());
            }
            if connector.config_def.get(&key.name).is_none() {
                keys.push(key);
            }
        }
    }
    Ok(keys.into_iter().map(listed).collect())
}

fn refusal(name: &str) -> HerderError {
    if OTHER_PLUGINS.contains(&name) {
        return HerderError::bad_request(format!(
            "Invalid plugin class {name}. Valid types are sink, source, converter, header_converter, transformation, predicate."
        ));
    }
    if aliases::is_abstract(name) {
        return HerderError::Failed("Instantiation error".to_owned());
    }
    HerderError::NotFound(format!("Unknown plugin {name}."))
}

fn listed(key: ConfigKey) -> ConfigInfo {
    let value = ValueInfo::new(&key.name);
    ConfigInfo {
        definition: Some(key),
        value,
    }
}
