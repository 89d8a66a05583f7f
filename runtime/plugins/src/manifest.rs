//! The manifest file: `describe` and all config definitions as JSON
//!
//! Rows mirror `wit/plugin.wit`: a record is an object with the same names, a variant its case name or `{"case": payload}`.
//! The same form is embedded in a component, written by the build of the bundled ones, and kept in the cache under the
//! component's digest. It is a cache: the real instance is asked again when it starts.

use serde::{Deserialize, Serialize};

use crate::bindings::exports::weir::connect::plugin as wit;

/// Version of this format that is read and written.
const MANIFEST_VERSION: u32 = 1;
/// Custom section of a component that holds its manifest.
const SECTION: &str = "weir:manifest";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Manifest {
    pub(crate) manifest: u32,
    pub(crate) wit: String,
    #[serde(default)]
    pub(crate) package: String,
    #[serde(default)]
    pub(crate) version: String,
    pub(crate) capabilities: Vec<CapabilityRow>,
    pub(crate) classes: Vec<ClassRow>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CapabilityRow {
    Http(String),
    Tcp(String),
    Files(String, bool),
    Env(String),
    Memory(u64),
    WallClock,
    Random,
    Secrets,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ClassRow {
    pub(crate) kind: KindRow,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) version: String,
    pub(crate) doc: String,
    pub(crate) task_class: Option<String>,
    pub(crate) config_def: ConfigDefRow,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KindRow {
    Source,
    Sink,
    Transformation,
    Predicate,
    Converter,
    HeaderConverter,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ConfigDefRow {
    pub(crate) overrides_validate: bool,
    pub(crate) keys: Vec<KeyRow>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct KeyRow {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) config_type: TypeRow,
    pub(crate) default: DefaultRow,
    pub(crate) validators: Vec<ValidatorRow>,
    pub(crate) importance: ImportanceRow,
    pub(crate) documentation: String,
    pub(crate) group: Option<String>,
    pub(crate) order_in_group: i32,
    pub(crate) width: WidthRow,
    pub(crate) display_name: String,
    pub(crate) dependents: Vec<String>,
    pub(crate) recommended: bool,
    pub(crate) internal: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TypeRow {
    Boolean,
    Text,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    Password,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DefaultRow {
    Required,
    Null,
    Value(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ValidatorRow {
    Between { min: Option<String>, max: Option<String> },
    OneOf(Vec<String>),
    OneOfIgnoreCase(Vec<String>),
    ListOf(Vec<String>),
    ListSizeMax(u32),
    NonNull,
    NonEmptyText,
    NoControlCharacters,
    Custom(String),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ImportanceRow {
    High,
    Medium,
    Low,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WidthRow {
    None,
    Short,
    Medium,
    Long,
}

impl Manifest {
    /// Reads a manifest; another version of the format is an error, so that the component is asked instead.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if manifest.manifest != MANIFEST_VERSION {
            return Err(format!("manifest version {} is not known", manifest.manifest));
        }
        Ok(manifest)
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Puts together what a component answered: its descriptor and one definition a class, in the same order.
    pub(crate) fn of_answers(descriptor: wit::Descriptor, definitions: Vec<wit::ConfigDef>) -> Self {
        let classes = descriptor
            .classes
            .into_iter()
            .zip(definitions)
            .map(|(class, definition)| class_row(class, definition))
            .collect();
        Self {
            manifest: MANIFEST_VERSION,
            wit: "weir:connect@0.1.0".to_owned(),
            package: String::new(),
            version: String::new(),
            capabilities: descriptor.capabilities.into_iter().map(capability_row).collect(),
            classes,
        }
    }
}

/// Finds the manifest section at the top level of a component, without reading what is inside the others.
pub(crate) fn section(wasm: &[u8]) -> Option<&[u8]> {
    // Preamble: magic, version, layer. Then sections: id, length, content; a custom one has id 0 and starts with a name.
    let mut rest = wasm.get(8..)?;
    while let Some((id, after_id)) = rest.split_first() {
        let (length, content) = leb128_u32(after_id)?;
        let (section, following) = content.split_at_checked(usize::try_from(length).ok()?)?;
        if *id == 0 {
            let (name_length, named) = leb128_u32(section)?;
            let (name, payload) = named.split_at_checked(usize::try_from(name_length).ok()?)?;
            if name == SECTION.as_bytes() {
                return Some(payload);
            }
        }
        rest = following;
    }
    None
}

fn leb128_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0u32;
    for (position, byte) in bytes.iter().take(5).enumerate() {
        let shift = u32::try_from(position).ok()? * 7;
        let part = u32::from(byte & 0x7f);
        value |= part.checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(position + 1..)?));
        }
    }
    None
}

pub(crate) fn capability_row(capability: wit::Capability) -> CapabilityRow {
    match capability {
        wit::Capability::Http(host) => CapabilityRow::Http(host),
        wit::Capability::Tcp(host) => CapabilityRow::Tcp(host),
        wit::Capability::Files((path, writes)) => CapabilityRow::Files(path, writes),
        wit::Capability::Env(name) => CapabilityRow::Env(name),
        wit::Capability::Memory(bytes) => CapabilityRow::Memory(bytes),
        wit::Capability::WallClock => CapabilityRow::WallClock,
        wit::Capability::Random => CapabilityRow::Random,
        wit::Capability::Secrets => CapabilityRow::Secrets,
    }
}

fn class_row(class: wit::ClassInfo, definition: wit::ConfigDef) -> ClassRow {
    ClassRow {
        kind: match class.kind {
            wit::PluginKind::Source => KindRow::Source,
            wit::PluginKind::Sink => KindRow::Sink,
            wit::PluginKind::Transformation => KindRow::Transformation,
            wit::PluginKind::Predicate => KindRow::Predicate,
            wit::PluginKind::Converter => KindRow::Converter,
            wit::PluginKind::HeaderConverter => KindRow::HeaderConverter,
        },
        name: class.name,
        aliases: class.aliases,
        version: class.version,
        doc: class.doc,
        task_class: class.task_class,
        config_def: ConfigDefRow {
            overrides_validate: definition.overrides_validate,
            keys: definition.keys.into_iter().map(key_row).collect(),
        },
    }
}

fn key_row(key: wit::ConfigKey) -> KeyRow {
    KeyRow {
        name: key.name,
        config_type: match key.type_ {
            wit::ConfigType::Boolean => TypeRow::Boolean,
            wit::ConfigType::Text => TypeRow::Text,
            wit::ConfigType::Int => TypeRow::Int,
            wit::ConfigType::Short => TypeRow::Short,
            wit::ConfigType::Long => TypeRow::Long,
            wit::ConfigType::Double => TypeRow::Double,
            wit::ConfigType::List => TypeRow::List,
            wit::ConfigType::Class => TypeRow::Class,
            wit::ConfigType::Password => TypeRow::Password,
        },
        default: match key.default {
            wit::DefaultValue::Required => DefaultRow::Required,
            wit::DefaultValue::Null => DefaultRow::Null,
            wit::DefaultValue::Value(text) => DefaultRow::Value(text),
        },
        validators: key.validators.into_iter().map(validator_row).collect(),
        importance: match key.importance {
            wit::Importance::High => ImportanceRow::High,
            wit::Importance::Medium => ImportanceRow::Medium,
            wit::Importance::Low => ImportanceRow::Low,
        },
        documentation: key.documentation,
        group: key.group,
        order_in_group: key.order_in_group,
        width: match key.width {
            wit::Width::None => WidthRow::None,
            wit::Width::Short => WidthRow::Short,
            wit::Width::Medium => WidthRow::Medium,
            wit::Width::Long => WidthRow::Long,
        },
        display_name: key.display_name,
        dependents: key.dependents,
        recommended: key.recommended,
        internal: key.internal,
    }
}

fn validator_row(validator: wit::Validator) -> ValidatorRow {
    match validator {
        wit::Validator::Between(range) => ValidatorRow::Between {
            min: range.min,
            max: range.max,
        },
        wit::Validator::OneOf(texts) => ValidatorRow::OneOf(texts),
        wit::Validator::OneOfIgnoreCase(texts) => ValidatorRow::OneOfIgnoreCase(texts),
        wit::Validator::ListOf(texts) => ValidatorRow::ListOf(texts),
        wit::Validator::ListSizeMax(most) => ValidatorRow::ListSizeMax(most),
        wit::Validator::NonNull => ValidatorRow::NonNull,
        wit::Validator::NonEmptyText => ValidatorRow::NonEmptyText,
        wit::Validator::NoControlCharacters => ValidatorRow::NoControlCharacters,
        wit::Validator::Custom(text) => ValidatorRow::Custom(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(name: &str, payload: &[u8]) -> Vec<u8> {
        let mut body = vec![u8::try_from(name.len()).expect("short")];
        body.extend(name.as_bytes());
        body.extend(payload);
        let mut section = vec![0, u8::try_from(body.len()).expect("short")];
        section.extend(body);
        section
    }

    #[test]
    fn the_section_is_found_behind_others_and_lying_lengths_are_no_panic() {
        let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
        wasm.extend(custom("name", b"x"));
        wasm.extend([1, 3, 9, 9, 9]);
        wasm.extend(custom(SECTION, b"{}"));
        assert_eq!(section(&wasm), Some(&b"{}"[..]));
        for end in 0..wasm.len() {
            assert_eq!(section(wasm.get(..end).expect("in range")), None, "cut at {end}");
        }
        assert_eq!(section(b"\0asm\x0d\0\x01\0\0\xff\xff\xff\xff\xff\xff"), None);
    }

    #[test]
    fn a_manifest_reads_as_it_was_written() {
        let json = r#"{"manifest":1,"wit":"weir:connect@0.1.0","package":"p","version":"1",
            "capabilities":[{"files":["config:file",false]},"wall-clock",{"memory":5}],
            "classes":[{"kind":"source","name":"a.B","aliases":["B"],"version":"1","doc":"","task-class":null,
            "config-def":{"overrides-validate":false,"keys":[{"name":"n","type":"int","default":{"value":"1"},
            "validators":[{"between":{"min":"1","max":null}},"non-null",{"one-of":["a"]}],"importance":"low",
            "documentation":"","group":null,"order-in-group":-1,"width":"none","display-name":"n","dependents":[],
            "recommended":false,"internal":false}]}}]}"#;
        let manifest = Manifest::parse(json.as_bytes()).expect("parses");
        let again = Manifest::parse(&manifest.to_json()).expect("parses again");
        assert_eq!(format!("{manifest:?}"), format!("{again:?}"));
        assert!(Manifest::parse(json.replace("\"manifest\":1", "\"manifest\":2").as_bytes()).is_err());
    }
}
