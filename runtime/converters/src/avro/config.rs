//! Options of the Avro converter
//!
//! How schemas and values are mapped (`AvroDataConfig`); where the registry is and how schemas are found there is in
//! `registry_settings.rs`. Kafka: `AvroConverterConfig`, `AvroDataConfig`.

use weir_api::error::ConnectError;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::validate::ParsedConfig;

const ENHANCED: &str = "enhanced.avro.schema.support";
const SCRUB: &str = "scrub.invalid.names";
const META_DATA: &str = "connect.meta.data";
const OPTIONAL_MAP_KEYS: &str = "allow.optional.map.keys";
const FLATTEN: &str = "flatten.singleton.unions";
const DISCARD: &str = "discard.type.doc.default";
const GENERALIZED: &str = "generalized.sum.type.support";
const IGNORE_DEFAULT: &str = "ignore.default.for.nullables";
const CACHE: &str = "schemas.cache.config";

/// How schemas and values are mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataOptions {
    /// Enums stay enums, members of unions go by their full names.
    pub enhanced: bool,
    /// Names that Avro does not allow are made valid.
    pub scrub_names: bool,
    /// `connect.*` attributes are written and read.
    pub meta_data: bool,
    /// Maps with optional STRING keys are Avro maps too.
    pub optional_map_keys: bool,
    /// A union of one branch is that branch.
    pub flatten_singletons: bool,
    /// Docs and defaults are those of Avro's fields only.
    pub discard_type_doc_default: bool,
    /// Unions and enums take the form shared by all formats.
    pub generalized: bool,
    /// Null stays null in spite of a default.
    pub ignore_default_for_nullables: bool,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            enhanced: false,
            scrub_names: false,
            meta_data: true,
            optional_map_keys: false,
            flatten_singletons: true,
            discard_type_doc_default: false,
            generalized: false,
            ignore_default_for_nullables: false,
        }
    }
}

impl DataOptions {
    /// Takes the options from a parsed config.
    ///
    /// # Errors
    /// `Config`: never for a config parsed with [`config_def`].
    pub fn new(parsed: &ParsedConfig) -> Result<Self, ConnectError> {
        Ok(Self {
            enhanced: parsed.get_boolean(ENHANCED)?,
            scrub_names: parsed.get_boolean(SCRUB)?,
            meta_data: parsed.get_boolean(META_DATA)?,
            optional_map_keys: parsed.get_boolean(OPTIONAL_MAP_KEYS)?,
            flatten_singletons: parsed.get_boolean(FLATTEN)?,
            discard_type_doc_default: parsed.get_boolean(DISCARD)?,
            generalized: parsed.get_boolean(GENERALIZED)?,
            ignore_default_for_nullables: parsed.get_boolean(IGNORE_DEFAULT)?,
        })
    }
}

/// Gives how many schemas are kept ready for reading.
///
/// # Errors
/// `Config`: never for a config parsed with [`config_def`].
pub fn cache_size(parsed: &ParsedConfig) -> Result<usize, ConnectError> {
    Ok(usize::try_from(parsed.get_int(CACHE)?).unwrap_or(0))
}

/// Adds this converter's own keys to a definition.
pub fn config_def(definition: ConfigDef) -> ConfigDef {
    let flag = |name: &str, default: &str, importance: Importance, doc: &str| {
        ConfigKey::boolean(name)
            .default(default)
            .importance(importance)
            .doc(doc)
    };
    let (medium, low) = (Importance::Medium, Importance::Low);
    definition
        .key(flag(ENHANCED, "false", medium, "Toggle for enabling/disabling enhanced avro schema support: Enum symbol preservation and Package Name awareness"))
        .key(flag(SCRUB, "false", medium, "Whether to scrub invalid names by replacing invalid characters with valid ones"))
        .key(flag(META_DATA, "true", low, "Toggle for enabling/disabling connect converter to add its meta data to the output schema or not"))
        .key(flag(DISCARD, "false", low, "Only Avro field doc and default will be retained during conversion of Avro and Connect schema."))
        .key(flag(OPTIONAL_MAP_KEYS, "false", low, "Allow optional string map key when converting from Connect Schema to Avro Schema."))
        .key(flag(FLATTEN, "true", low, "Whether to flatten singleton unions"))
        .key(flag(GENERALIZED, "false", medium, "Toggle for enabling/disabling generalized sum type support: interoperability of enum/union with other schema formats"))
        .key(flag(IGNORE_DEFAULT, "false", medium, "Whether to ignore the default for nullable fields when converting a null value"))
        .key(
            ConfigKey::int(CACHE)
                .default("1000")
                .validator(Validator::at_least(0))
                .importance(low)
                .doc("Size of the converted schemas cache"),
        )
}
