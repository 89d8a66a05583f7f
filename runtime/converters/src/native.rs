//! Converters by class name or alias
//!
//! The one place that knows Kafka's class names of converters. Names: full, simple (`JsonConverter`), pruned (`Json`);
//! case counts.

use weir_api::converter::{Converter, ConverterSlot};
use weir_api::error::ConnectError;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::map::ConfigMap;

use crate::avro::converter::AvroConverter;
use crate::byte_array::ByteArrayConverter;
use crate::json::converter::JsonConverter;
use crate::primitive::{Primitive, PrimitiveConverter};
use crate::simple_header::converter::SimpleHeaderConverter;
use crate::string::StringConverter;
use crate::{avro, json, string};

/// What a class can be used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConverterKind {
    /// Keys and values.
    Converter,
    /// Headers.
    HeaderConverter,
}

impl ConverterKind {
    /// Gives the name REST lists it under.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Converter => "converter",
            Self::HeaderConverter => "header_converter",
        }
    }
}

/// A class of this crate.
#[derive(Debug, Clone)]
pub struct ConverterClass {
    /// Full Java class name.
    pub class: &'static str,
    /// Other names users may type.
    pub aliases: &'static [&'static str],
    /// What it can be used as.
    pub kinds: &'static [ConverterKind],
    /// Version.
    pub version: &'static str,
    /// Its options, prefix taken off.
    pub config_def: ConfigDef,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Avro,
    ByteArray,
    Json,
    Primitive(Primitive),
    SimpleHeader,
    String,
}

const CLASSES: [Class; 11] = [
    Class::Avro,
    Class::Primitive(Primitive::Boolean),
    Class::ByteArray,
    Class::Primitive(Primitive::Double),
    Class::Primitive(Primitive::Float),
    Class::Primitive(Primitive::Integer),
    Class::Primitive(Primitive::Long),
    Class::Primitive(Primitive::Short),
    Class::Json,
    Class::SimpleHeader,
    Class::String,
];

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Avro => "io.confluent.connect.avro.AvroConverter",
            Self::ByteArray => "org.apache.kafka.connect.converters.ByteArrayConverter",
            Self::Json => "org.apache.kafka.connect.json.JsonConverter",
            Self::Primitive(Primitive::Boolean) => "org.apache.kafka.connect.converters.BooleanConverter",
            Self::Primitive(Primitive::Double) => "org.apache.kafka.connect.converters.DoubleConverter",
            Self::Primitive(Primitive::Float) => "org.apache.kafka.connect.converters.FloatConverter",
            Self::Primitive(Primitive::Integer) => "org.apache.kafka.connect.converters.IntegerConverter",
            Self::Primitive(Primitive::Long) => "org.apache.kafka.connect.converters.LongConverter",
            Self::Primitive(Primitive::Short) => "org.apache.kafka.connect.converters.ShortConverter",
            Self::SimpleHeader => "org.apache.kafka.connect.storage.SimpleHeaderConverter",
            Self::String => "org.apache.kafka.connect.storage.StringConverter",
        }
    }

    fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Avro => &["AvroConverter", "Avro"],
            Self::ByteArray => &["ByteArrayConverter", "ByteArray"],
            Self::Json => &["JsonConverter", "Json"],
            Self::Primitive(Primitive::Boolean) => &["BooleanConverter", "Boolean"],
            Self::Primitive(Primitive::Double) => &["DoubleConverter", "Double"],
            Self::Primitive(Primitive::Float) => &["FloatConverter", "Float"],
            Self::Primitive(Primitive::Integer) => &["IntegerConverter", "Integer"],
            Self::Primitive(Primitive::Long) => &["LongConverter", "Long"],
            Self::Primitive(Primitive::Short) => &["ShortConverter", "Short"],
            Self::SimpleHeader => &["SimpleHeaderConverter", "Simple"],
            Self::String => &["StringConverter", "String"],
        }
    }

    fn kinds(self) -> &'static [ConverterKind] {
        match self {
            Self::ByteArray | Self::Json | Self::Primitive(_) | Self::String => {
                &[ConverterKind::Converter, ConverterKind::HeaderConverter]
            }
            Self::Avro => &[ConverterKind::Converter],
            Self::SimpleHeader => &[ConverterKind::HeaderConverter],
        }
    }

    fn config_def(self) -> ConfigDef {
        let types = [ConverterSlot::Key, ConverterSlot::Value, ConverterSlot::Header].map(ConverterSlot::as_str);
        let definition = ConfigDef::new();
        let converter_type = ConfigKey::text("converter.type")
            .validator(Validator::one_of(&types))
            .importance(Importance::Low)
            .doc("How this converter will be used.");
        match self {
            Self::SimpleHeader => definition,
            Self::Avro => avro::converter::config_def(definition.key(converter_type)),
            Self::ByteArray | Self::Primitive(_) => definition.key(converter_type),
            Self::Json => json::converter::config_def(definition.key(converter_type)),
            Self::String => string::config_def(definition.key(converter_type)),
        }
    }

    /// Kafka's classes have the version of the release whose behaviour they have: configs may ask for it.
    fn version(self) -> &'static str {
        match self {
            Self::Avro => env!("CARGO_PKG_VERSION"),
            _ => "4.3.1",
        }
    }

    fn described(self) -> ConverterClass {
        ConverterClass {
            class: self.name(),
            aliases: self.aliases(),
            kinds: self.kinds(),
            version: self.version(),
            config_def: self.config_def(),
        }
    }

    fn create(self, config: &ConfigMap, slot: ConverterSlot) -> Result<Box<dyn Converter>, ConnectError> {
        Ok(match self {
            Self::Avro => Box::new(AvroConverter::new(config, slot)?),
            Self::ByteArray => Box::new(ByteArrayConverter),
            Self::Json => Box::new(JsonConverter::new(config)?),
            Self::Primitive(primitive) => Box::new(PrimitiveConverter::new(primitive)),
            Self::SimpleHeader => Box::new(SimpleHeaderConverter::default()),
            Self::String => Box::new(StringConverter::new(config)?),
        })
    }
}

/// Creates a converter from its class name or alias and its options, prefix taken off.
///
/// # Errors
/// `Config`: the class is unknown or does not serve the slot, or an option is wrong.
pub fn create(class: &str, config: &ConfigMap, slot: ConverterSlot) -> Result<Box<dyn Converter>, ConnectError> {
    let known = find(class).filter(|known| known.kinds().contains(&kind_for(slot)));
    let Some(known) = known else {
        return Err(ConnectError::config(format!("Class {class} could not be found.")));
    };
    let mut config = config.clone();
    config.insert("converter.type", slot.as_str());
    known.config_def().parse(&config)?;
    known.create(&config, slot)
}

/// Gives the full class name of a name or alias.
pub fn class_name(name: &str) -> Option<&'static str> {
    find(name).map(Class::name)
}

/// Describes the class of a name or alias, if it serves the slot.
pub fn describe(name: &str, slot: ConverterSlot) -> Option<ConverterClass> {
    find(name)
        .filter(|class| class.kinds().contains(&kind_for(slot)))
        .map(Class::described)
}

/// Lists the classes of this crate, sorted by name.
pub fn list() -> Vec<ConverterClass> {
    CLASSES.into_iter().map(Class::described).collect()
}

fn kind_for(slot: ConverterSlot) -> ConverterKind {
    match slot {
        ConverterSlot::Key | ConverterSlot::Value => ConverterKind::Converter,
        ConverterSlot::Header => ConverterKind::HeaderConverter,
    }
}

fn find(name: &str) -> Option<Class> {
    CLASSES
        .into_iter()
        .find(|class| class.name() == name || class.aliases().contains(&name))
}

#[cfg(test)]
mod tests {
    use weir_api::converter::ConverterSlot;

    use super::{ConverterKind, create, list};

    fn message(class: &str, config: &[(&str, &str)], slot: ConverterSlot) -> String {
        create(class, &config.iter().copied().collect(), slot).map_or_else(|error| error.message, |_| "ok".to_owned())
    }

    #[test]
    fn every_name_finds_its_class() {
        for class in list() {
            for name in class.aliases.iter().chain([&class.class]) {
                let slot = if class.kinds.contains(&ConverterKind::HeaderConverter) {
                    ConverterSlot::Header
                } else {
                    ConverterSlot::Value
                };
                let config = [("schema.registry.url", "http://localhost:1")].into_iter().collect();
                assert!(create(name, &config, slot).is_ok(), "{name}");
            }
        }
    }

    #[test]
    fn unknown_classes_and_wrong_options_are_named() {
        assert_eq!(
            message("Protobuf", &[], ConverterSlot::Value),
            "Class Protobuf could not be found."
        );
        assert_eq!(
            message(
                "Avro",
                &[("schema.registry.url", "http://localhost:1")],
                ConverterSlot::Header
            ),
            "Class Avro could not be found."
        );
        assert_eq!(
            message("Avro", &[], ConverterSlot::Value),
            "Missing required configuration \"schema.registry.url\" which has no default value."
        );
        assert_eq!(
            message("Simple", &[], ConverterSlot::Value),
            "Class Simple could not be found."
        );
        assert_eq!(
            message("Json", &[("schemas.enable", "maybe")], ConverterSlot::Key),
            "Invalid value maybe for configuration schemas.enable: Expected value to be either true or false"
        );
        assert_eq!(
            message("Json", &[("decimal.format", "HEX")], ConverterSlot::Key),
            "Invalid value HEX for configuration decimal.format: String must be one of (case insensitive): NUMERIC, BASE64"
        );
    }
}
