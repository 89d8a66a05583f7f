//! `weir:connect/plugin`: describe, config definitions, validate

use weir_api::error::ConnectError;
use weir_config::def::{ConfigDef, ConfigKey, ConfigType, DefaultValue, Importance, Validator, Width};
use weir_config::map::ConfigMap;
use weir_config::validate::ValueInfo;

use crate::bindings::imports::weir::connect::types::{Config, PluginError};
use crate::bindings::plugin::exports::weir::connect::plugin as wit;
use crate::export::component::{Component, Registered, class_of};
use crate::export::convert;
use crate::plugin::{Capability, Class, Factory, FileAccess, Plugin};

impl<P: Registered> wit::Guest for Component<P> {
    fn describe() -> wit::Descriptor {
        let plugin = P::plugin();
        wit::Descriptor {
            classes: plugin.classes.iter().map(|class| class_info(&plugin, class)).collect(),
            capabilities: plugin.capabilities.into_iter().map(capability).collect(),
        }
    }

    fn get_config_def(_kind: wit::PluginKind, class: String) -> Result<wit::ConfigDef, PluginError> {
        let class = class_of::<P>(&class).map_err(convert::plugin_error)?;
        Ok(config_def(&(class.config)(), class.overrides_validate))
    }

    fn validate(_kind: wit::PluginKind, class: String, config: Config) -> Result<Vec<wit::ConfigValue>, PluginError> {
        let checked = class_of::<P>(&class).and_then(|class| validate(&class, &convert::config(config)));
        checked
            .map(|infos| infos.into_iter().map(config_value).collect())
            .map_err(convert::plugin_error)
    }
}

fn validate(class: &Class, config: &ConfigMap) -> Result<Vec<ValueInfo>, ConnectError> {
    match class.factory {
        Factory::Source { connector, .. } => connector().validate(config),
        Factory::Sink { connector, .. } => connector().validate(config),
    }
}

fn class_info(plugin: &Plugin, class: &Class) -> wit::ClassInfo {
    wit::ClassInfo {
        kind: match class.factory {
            Factory::Source { .. } => wit::PluginKind::Source,
            Factory::Sink { .. } => wit::PluginKind::Sink,
        },
        name: class.name.clone(),
        aliases: class.aliases.clone(),
        version: class.version.clone().unwrap_or_else(|| plugin.version.clone()),
        doc: class.doc.clone(),
        task_class: class.task_class.clone(),
    }
}

fn capability(capability: Capability) -> wit::Capability {
    match capability {
        Capability::Http(pattern) => wit::Capability::Http(pattern),
        Capability::Tcp(pattern) => wit::Capability::Tcp(pattern),
        Capability::Files(path, access) => wit::Capability::Files((path, access == FileAccess::Write)),
        Capability::Env(name) => wit::Capability::Env(name),
        Capability::Memory(bytes) => wit::Capability::Memory(bytes),
        Capability::WallClock => wit::Capability::WallClock,
        Capability::Random => wit::Capability::Random,
        Capability::Secrets => wit::Capability::Secrets,
    }
}

fn config_def(def: &ConfigDef, overrides_validate: bool) -> wit::ConfigDef {
    wit::ConfigDef {
        keys: def.keys().iter().map(config_key).collect(),
        overrides_validate,
    }
}

fn config_key(key: &ConfigKey) -> wit::ConfigKey {
    wit::ConfigKey {
        name: key.name.clone(),
        type_: config_type(key.config_type),
        default: match &key.default {
            DefaultValue::Required => wit::DefaultValue::Required,
            DefaultValue::Null => wit::DefaultValue::Null,
            DefaultValue::Value(text) => wit::DefaultValue::Value(text.clone()),
        },
        validators: key.validators.iter().map(validator).collect(),
        importance: match key.importance {
            Importance::High => wit::Importance::High,
            Importance::Medium => wit::Importance::Medium,
            Importance::Low => wit::Importance::Low,
        },
        documentation: key.documentation.clone(),
        group: key.group.clone(),
        order_in_group: key.order,
        width: match key.width {
            Width::None => wit::Width::None,
            Width::Short => wit::Width::Short,
            Width::Medium => wit::Width::Medium,
            Width::Long => wit::Width::Long,
        },
        display_name: key.display_name.clone(),
        dependents: key.dependents.clone(),
        recommended: key.recommended,
        internal: key.internal,
    }
}

fn config_type(config_type: ConfigType) -> wit::ConfigType {
    match config_type {
        ConfigType::Boolean => wit::ConfigType::Boolean,
        ConfigType::Text => wit::ConfigType::Text,
        ConfigType::Int => wit::ConfigType::Int,
        ConfigType::Short => wit::ConfigType::Short,
        ConfigType::Long => wit::ConfigType::Long,
        ConfigType::Double => wit::ConfigType::Double,
        ConfigType::List => wit::ConfigType::List,
        ConfigType::Class => wit::ConfigType::Class,
        ConfigType::Password => wit::ConfigType::Password,
    }
}

fn validator(validator: &Validator) -> wit::Validator {
    match validator {
        Validator::Between { min, max } => wit::Validator::Between(wit::NumberRange {
            min: min.clone(),
            max: max.clone(),
        }),
        Validator::OneOf(texts) => wit::Validator::OneOf(texts.clone()),
        Validator::OneOfIgnoreCase(texts) => wit::Validator::OneOfIgnoreCase(texts.clone()),
        Validator::ListOf(texts) => wit::Validator::ListOf(texts.clone()),
        Validator::ListSizeMax(max) => wit::Validator::ListSizeMax(*max),
        Validator::NonNull => wit::Validator::NonNull,
        Validator::NonEmptyText => wit::Validator::NonEmptyText,
        Validator::NoControlCharacters => wit::Validator::NoControlCharacters,
        Validator::Custom(text) => wit::Validator::Custom(text.clone()),
    }
}

fn config_value(info: ValueInfo) -> wit::ConfigValue {
    wit::ConfigValue {
        name: info.name,
        value: info.value,
        recommended: info.recommended,
        errors: info.errors,
        visible: info.visible,
    }
}
