//! Every transformation and predicate: class name, options, how it is made
//!
//! What plugin listing, validation and the chain know of a class; the options themselves stand with each class. Names:
//! full, and for classes that are not nested the simple and the pruned one; `Key` and `Value` stand for none.

use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::error::ConfigError;
use weir_config::map::ConfigMap;
use weir_config::parse::ConfigValue;
use weir_config::validate::ParsedConfig;

use crate::error::TransformError;
use crate::transformation::{Predicate, Side, Transformation};
use crate::{
    cast, drop_headers, extract_field, filter, flatten, header_from, hoist_field, insert_field, insert_header,
    mask_field, predicates, regex_router, replace_field, set_schema_metadata, timestamp_converter, timestamp_router,
    value_to_key,
};

/// Version of the classes: the release of Kafka whose behaviour they have.
pub const VERSION: &str = "4.3.1";

/// Whether null fields with a default are read as the default; known to most classes.
pub(crate) const REPLACE_NULL: &str = "replace.null.with.default";

/// What a class is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransformKind {
    /// A transformation.
    Transformation,
    /// A predicate.
    Predicate,
}

pub(crate) type MakeTransformation = fn(Side, &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError>;
pub(crate) type MakePredicate = fn(&ParsedConfig) -> Result<Box<dyn Predicate>, TransformError>;

/// A class of this crate.
pub struct TransformClass {
    /// Full Java class name.
    pub class: &'static str,
    /// Other names users may type.
    pub aliases: &'static [&'static str],
    define: fn() -> ConfigDef,
    problem: fn(&ConfigKey, &ConfigValue) -> Option<String>,
    make: Make,
}

enum Make {
    Transformation(Side, MakeTransformation),
    Predicate(MakePredicate),
}

impl TransformClass {
    /// Tells what the class is.
    pub fn kind(&self) -> TransformKind {
        match self.make {
            Make::Transformation(..) => TransformKind::Transformation,
            Make::Predicate(_) => TransformKind::Predicate,
        }
    }

    /// Gives the options, prefix taken off.
    pub fn config_def(&self) -> ConfigDef {
        (self.define)()
    }

    /// Runs the checks that [`Validator::Custom`] rows stand for; gives the whole error text.
    pub fn custom_problem(&self, key: &ConfigKey, value: Option<&ConfigValue>) -> Option<String> {
        let is_custom = |validator: &Validator| matches!(validator, Validator::Custom(_));
        if !key.validators.iter().any(is_custom) {
            return None;
        }
        (self.problem)(key, value?)
    }

    /// Makes the transformation; `config` without prefix.
    pub(crate) fn create_transformation(&self, config: &ConfigMap) -> Result<Box<dyn Transformation>, TransformError> {
        match self.make {
            Make::Transformation(side, make) => make(side, &self.parse(config)?),
            Make::Predicate(_) => Err(TransformError::text(format!("{} is a predicate", self.class))),
        }
    }

    /// Makes the predicate; `config` without prefix.
    pub(crate) fn create_predicate(&self, config: &ConfigMap) -> Result<Box<dyn Predicate>, TransformError> {
        match self.make {
            Make::Predicate(make) => make(&self.parse(config)?),
            Make::Transformation(..) => Err(TransformError::text(format!("{} is a transformation", self.class))),
        }
    }

    fn parse(&self, config: &ConfigMap) -> Result<ParsedConfig, TransformError> {
        let definition = self.config_def();
        let parsed = definition.parse(config)?;
        for key in definition.keys() {
            if let Some(problem) = self.custom_problem(key, parsed.value(&key.name)) {
                return Err(ConfigError::Other(problem).into());
            }
        }
        Ok(parsed)
    }

    fn is_called(&self, name: &str) -> bool {
        self.class == name || self.aliases.contains(&name)
    }
}

impl std::fmt::Debug for TransformClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.class)
    }
}

/// Gives all transformations, by class name.
pub fn transformations() -> &'static [TransformClass] {
    &TRANSFORMATIONS
}

/// Gives all predicates, by class name.
pub fn predicates() -> &'static [TransformClass] {
    &PREDICATES
}

/// Finds a transformation by class name or alias; case counts.
pub fn find_transformation(name: &str) -> Option<&'static TransformClass> {
    TRANSFORMATIONS.iter().find(|class| class.is_called(name))
}

/// Finds a predicate by class name or alias; case counts.
pub fn find_predicate(name: &str) -> Option<&'static TransformClass> {
    PREDICATES.iter().find(|class| class.is_called(name))
}

/// Gives the row of `replace.null.with.default`.
pub(crate) fn replace_null_key() -> ConfigKey {
    ConfigKey::boolean(REPLACE_NULL)
        .default("true")
        .importance(Importance::Medium)
        .doc("Whether a field that is null and has a default is taken as its default (true) or as null (false).")
}

/// Gives the check on lists that must hold something; their repetitions count once.
pub(crate) fn valid_list() -> Validator {
    Validator::Custom("any non-empty value".to_owned())
}

/// Runs the check of [`valid_list`].
pub(crate) fn not_empty_list(key: &ConfigKey, value: &ConfigValue) -> Option<String> {
    match value {
        ConfigValue::List(items) if items.is_empty() => Some(format!(
            "Configuration '{}' must not be empty. Valid values include: any non-empty value",
            key.name
        )),
        _ => None,
    }
}

/// Gives the items of a list, each once.
pub(crate) fn unique(items: &[String]) -> Vec<String> {
    let mut unique: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        if !unique.contains(item) {
            unique.push(item.clone());
        }
    }
    unique
}

pub(crate) fn no_problem(_: &ConfigKey, _: &ConfigValue) -> Option<String> {
    None
}

macro_rules! class {
    ($name:literal, $side:ident, $module:ident, [$($alias:literal),*]) => {
        TransformClass {
            class: concat!("org.apache.kafka.connect.transforms.", $name),
            aliases: &[$($alias),*],
            define: $module::config_def,
            problem: $module::problem,
            make: Make::Transformation(Side::$side, $module::create),
        }
    };
}

macro_rules! predicate {
    ($name:literal, [$($alias:literal),*], $define:path, $problem:path, $make:path) => {
        TransformClass {
            class: concat!("org.apache.kafka.connect.transforms.predicates.", $name),
            aliases: &[$($alias),*],
            define: $define,
            problem: $problem,
            make: Make::Predicate($make),
        }
    };
}

static TRANSFORMATIONS: [TransformClass; 26] = [
    class!("Cast$Key", Key, cast, []),
    class!("Cast$Value", Value, cast, []),
    class!("DropHeaders", Value, drop_headers, ["DropHeaders"]),
    class!("ExtractField$Key", Key, extract_field, []),
    class!("ExtractField$Value", Value, extract_field, []),
    class!("Filter", Value, filter, ["Filter"]),
    class!("Flatten$Key", Key, flatten, []),
    class!("Flatten$Value", Value, flatten, []),
    class!("HeaderFrom$Key", Key, header_from, []),
    class!("HeaderFrom$Value", Value, header_from, []),
    class!("HoistField$Key", Key, hoist_field, []),
    class!("HoistField$Value", Value, hoist_field, []),
    class!("InsertField$Key", Key, insert_field, []),
    class!("InsertField$Value", Value, insert_field, []),
    class!("InsertHeader", Value, insert_header, ["InsertHeader"]),
    class!("MaskField$Key", Key, mask_field, []),
    class!("MaskField$Value", Value, mask_field, []),
    class!("RegexRouter", Value, regex_router, ["RegexRouter"]),
    class!("ReplaceField$Key", Key, replace_field, []),
    class!("ReplaceField$Value", Value, replace_field, []),
    class!("SetSchemaMetadata$Key", Key, set_schema_metadata, []),
    class!("SetSchemaMetadata$Value", Value, set_schema_metadata, []),
    class!("TimestampConverter$Key", Key, timestamp_converter, []),
    class!("TimestampConverter$Value", Value, timestamp_converter, []),
    class!("TimestampRouter", Value, timestamp_router, ["TimestampRouter"]),
    class!("ValueToKey", Value, value_to_key, ["ValueToKey"]),
];

static PREDICATES: [TransformClass; 3] = [
    predicate!(
        "HasHeaderKey",
        ["HasHeaderKey"],
        predicates::header_def,
        no_problem,
        predicates::create_header
    ),
    predicate!(
        "RecordIsTombstone",
        ["RecordIsTombstone"],
        ConfigDef::new,
        no_problem,
        predicates::create_tombstone
    ),
    predicate!(
        "TopicNameMatches",
        ["TopicNameMatches"],
        predicates::topic_def,
        predicates::topic_problem,
        predicates::create_topic
    ),
];
