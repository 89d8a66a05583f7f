//! What a component says about itself: classes, settings, capabilities
//!
//! The [`Description`] that the host works with. It is made from a [`manifest`](crate::manifest), whether that was
//! embedded, cached or just asked of the component. Whatever is wrong with it makes the plugin unusable, not the worker.

use std::sync::Arc;

use weir_config::def::{ConfigDef, ConfigKey, ConfigType, DefaultValue, Importance, Validator, Width};

use crate::manifest::{
    CapabilityRow, ClassRow, ConfigDefRow, DefaultRow, ImportanceRow, KeyRow, KindRow, Manifest, TypeRow, ValidatorRow,
    WidthRow,
};
use crate::policy::{Capability, FileAccess};

/// What a class is, in the order in which Connect lists kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PluginKind {
    Sink,
    Source,
    Transformation,
    Predicate,
    Converter,
    HeaderConverter,
}

impl PluginKind {
    /// Returns Connect's name of the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sink => "sink",
            Self::Source => "source",
            Self::Transformation => "transformation",
            Self::Predicate => "predicate",
            Self::Converter => "converter",
            Self::HeaderConverter => "header_converter",
        }
    }

    /// True for sources and sinks.
    pub fn is_connector(self) -> bool {
        matches!(self, Self::Sink | Self::Source)
    }
}

/// One class of a component.
#[derive(Debug, Clone)]
pub(crate) struct ClassDescription {
    pub(crate) kind: PluginKind,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) version: String,
    pub(crate) doc: String,
    pub(crate) task_class: Option<String>,
    pub(crate) config_def: Arc<ConfigDef>,
    pub(crate) overrides_validate: bool,
}

/// All that a component says about itself.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    pub(crate) classes: Vec<ClassDescription>,
    pub(crate) capabilities: Vec<Capability>,
}

impl Description {
    /// Reads a manifest.
    ///
    /// # Errors
    /// The text says which class or key is wrong.
    pub(crate) fn from_manifest(manifest: Manifest) -> Result<Self, String> {
        let capabilities = manifest.capabilities.into_iter().map(capability).collect();
        let classes: Vec<ClassDescription> = manifest.classes.into_iter().map(class).collect::<Result<_, _>>()?;
        if classes.is_empty() {
            return Err("it holds no class".to_owned());
        }
        Ok(Self { classes, capabilities })
    }
}

pub(crate) fn capability(row: CapabilityRow) -> Capability {
    match row {
        CapabilityRow::Http(host) => Capability::Http(host),
        CapabilityRow::Tcp(host) => Capability::Tcp(host),
        CapabilityRow::Files(path, writes) => {
            Capability::Files(path, if writes { FileAccess::Append } else { FileAccess::Read })
        }
        CapabilityRow::Env(name) => Capability::Env(name),
        CapabilityRow::Memory(bytes) => Capability::MemoryBytes(bytes),
        CapabilityRow::WallClock => Capability::WallClock,
        CapabilityRow::Random => Capability::Random,
        CapabilityRow::Secrets => Capability::Secrets,
    }
}

fn class(row: ClassRow) -> Result<ClassDescription, String> {
    if row.name.is_empty() || row.name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("{:?} is no class name", row.name));
    }
    let (config_def, overrides_validate) =
        config_def(row.config_def).map_err(|reason| format!("class {}: {reason}", row.name))?;
    Ok(ClassDescription {
        kind: match row.kind {
            KindRow::Source => PluginKind::Source,
            KindRow::Sink => PluginKind::Sink,
            KindRow::Transformation => PluginKind::Transformation,
            KindRow::Predicate => PluginKind::Predicate,
            KindRow::Converter => PluginKind::Converter,
            KindRow::HeaderConverter => PluginKind::HeaderConverter,
        },
        name: row.name,
        aliases: row.aliases,
        version: row.version,
        doc: row.doc,
        task_class: row.task_class,
        config_def: Arc::new(config_def),
        overrides_validate,
    })
}

fn config_def(row: ConfigDefRow) -> Result<(ConfigDef, bool), String> {
    let mut def = ConfigDef::new();
    for key in row.keys {
        def.try_key(config_key(key)).map_err(|error| error.to_string())?;
    }
    Ok((def, row.overrides_validate))
}

fn config_key(row: KeyRow) -> ConfigKey {
    ConfigKey {
        name: row.name,
        config_type: match row.config_type {
            TypeRow::Boolean => ConfigType::Boolean,
            TypeRow::Text => ConfigType::Text,
            TypeRow::Int => ConfigType::Int,
            TypeRow::Short => ConfigType::Short,
            TypeRow::Long => ConfigType::Long,
            TypeRow::Double => ConfigType::Double,
            TypeRow::List => ConfigType::List,
            TypeRow::Class => ConfigType::Class,
            TypeRow::Password => ConfigType::Password,
        },
        default: match row.default {
            DefaultRow::Required => DefaultValue::Required,
            DefaultRow::Null => DefaultValue::Null,
            DefaultRow::Value(text) => DefaultValue::Value(text),
        },
        validators: row.validators.into_iter().map(validator).collect(),
        importance: match row.importance {
            ImportanceRow::High => Importance::High,
            ImportanceRow::Medium => Importance::Medium,
            ImportanceRow::Low => Importance::Low,
        },
        documentation: row.documentation,
        group: row.group,
        order: row.order_in_group,
        width: match row.width {
            WidthRow::None => Width::None,
            WidthRow::Short => Width::Short,
            WidthRow::Medium => Width::Medium,
            WidthRow::Long => Width::Long,
        },
        display_name: row.display_name,
        dependents: row.dependents,
        recommended: row.recommended,
        internal: row.internal,
    }
}

fn validator(row: ValidatorRow) -> Validator {
    match row {
        ValidatorRow::Between { min, max } => Validator::Between { min, max },
        ValidatorRow::OneOf(texts) => Validator::OneOf(texts),
        ValidatorRow::OneOfIgnoreCase(texts) => Validator::OneOfIgnoreCase(texts),
        ValidatorRow::ListOf(texts) => Validator::ListOf(texts),
        ValidatorRow::ListSizeMax(most) => Validator::ListSizeMax(most),
        ValidatorRow::NonNull => Validator::NonNull,
        ValidatorRow::NonEmptyText => Validator::NonEmptyText,
        ValidatorRow::NoControlCharacters => Validator::NoControlCharacters,
        ValidatorRow::Custom(text) => Validator::Custom(text),
    }
}
