//! The converters that a connector config names, and their settings
//!
//! Settings of a converter stand below its key (`value.converter.…`); the worker's are neither shown nor inherited.

use weir_api::converter::ConverterSlot;
use weir_config::def::ConfigKey;
use weir_config::map::ConfigMap;
use weir_config::parse::ConfigValue;
use weir_converters::native::{self, ConverterClass};
use weir_plugins::plugins::Plugins;
use weir_stores::java_order::sort_by_bucket;
use weir_worker::connector_config::{ConfigProblem, HEADER_CONVERTER, KEY_CONVERTER, VALUE_CONVERTER};
use weir_worker::worker_config::SCHEMA_REGISTRY_URL;

use super::{WorkerConverters, full_name, pair, versions};
use crate::info::ConfigInfo;

pub(super) const CONVERTER_KEYS: [&str; 3] = [HEADER_CONVERTER, KEY_CONVERTER, VALUE_CONVERTER];

/// The converters that the connector itself names and that can be had; what is wrong with their versions is added.
pub(super) fn converters(
    plugins: &Plugins,
    config: &ConfigMap,
    problems: &mut Vec<ConfigProblem>,
) -> Vec<(&'static str, ConverterClass)> {
    let mut found = Vec::new();
    for key in CONVERTER_KEYS {
        let Some(converter) = config
            .get(key)
            .and_then(|class| native::describe(class.trim(), slot_of(key)))
        else {
            continue;
        };
        let version_key = format!("{key}.plugin.version");
        let wrong = versions::problems(plugins, config, converter.class, key, &version_key);
        if wrong.is_empty() {
            found.push((key, converter));
        }
        problems.extend(wrong);
    }
    found
}

/// The options of a converter that the connector itself names; the worker's are not shown, nor inherited.
pub(super) fn converter_values(
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
    if !options.contains_key("converter.type") {
        options.insert("converter.type", slot);
    }
    let mut values = converter.config_def.validate(&options);
    sort_by_bucket(&mut values, |value| &value.name);
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

/// A plugin that is there, but no converter of the kind.
pub(super) fn converter_problem(plugins: &Plugins, key: &ConfigKey, value: Option<&ConfigValue>) -> Option<String> {
    let class = value
        .filter(|_| CONVERTER_KEYS.contains(&key.name.as_str()))?
        .to_string();
    if native::describe(&class, slot_of(&key.name)).is_some() {
        return None;
    }
    let interface = if key.name == HEADER_CONVERTER {
        "HeaderConverter"
    } else {
        "Converter"
    };
    let class = full_name(plugins, &class);
    Some(format!(
        "Class class {class} does not implement the {interface} interface"
    ))
}

pub(super) fn converter_classes(key: &str) -> Vec<String> {
    let slot = slot_of(key);
    let fitting = native::list()
        .into_iter()
        .filter(|class| native::describe(class.class, slot).is_some());
    let mut classes: Vec<String> = fitting.map(|class| class.class.to_owned()).collect();
    classes.sort();
    classes
}

fn slot_of(key: &str) -> ConverterSlot {
    match key {
        KEY_CONVERTER => ConverterSlot::Key,
        VALUE_CONVERTER => ConverterSlot::Value,
        _ => ConverterSlot::Header,
    }
}
