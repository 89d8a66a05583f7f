//! Records of the schemas topic, byte for byte
//!
//! Keys must be the very bytes that Confluent writes, or compaction keeps both; values are written in its field order too. Reading
//! takes any order and ignores what it does not know.
//! Source: `SchemaKey`, `SchemaValue`, `ConfigKey`, `ModeKey`, `DeleteSubjectKey`, `ClearSubjectKey`, `ContextKey`, `NoopKey`.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::ser::{CharEscape, Formatter};
use weir_client::compacted_log::KeyValue;

use crate::model::{Metadata, Reference, RuleSet, null_as_default};

/// Magic byte of schema keys; all others have 0.
const SCHEMA_MAGIC: i32 = 1;
/// The one tenant.
const TENANT: &str = "default";

/// What a record speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Schema {
        subject: String,
        version: i32,
    },
    /// `None` is global.
    Config(Option<String>),
    Mode(Option<String>),
    Noop,
    DeleteSubject(String),
    /// `None` is every context.
    ClearSubject(Option<String>),
    Context(String),
}

/// Why a key was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unread {
    /// A kind of record that this registry does not keep.
    UnknownKind(String),
    Malformed(String),
}

#[derive(Deserialize)]
struct AnyKey {
    keytype: Option<String>,
    subject: Option<String>,
    version: Option<i32>,
    context: Option<String>,
}

#[derive(Serialize)]
struct SubjectKey<'a> {
    keytype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i32>,
    magic: i32,
}

#[derive(Serialize)]
struct ContextKey<'a> {
    keytype: &'static str,
    tenant: &'static str,
    context: &'a str,
    magic: i32,
}

impl Key {
    /// Reads a key in any field order.
    ///
    /// *Errors*: why the record must be passed over.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Unread> {
        let any: AnyKey = serde_json::from_slice(bytes).map_err(|error| Unread::Malformed(error.to_string()))?;
        let missing = |field: &str| Unread::Malformed(format!("{field} is missing"));
        let subject = || any.subject.clone().ok_or_else(|| missing("subject"));
        let key = match any.keytype.as_deref() {
            Some("SCHEMA") => Self::Schema {
                subject: subject()?,
                version: any.version.ok_or_else(|| missing("version"))?,
            },
            Some("CONFIG") => Self::Config(any.subject),
            Some("MODE") => Self::Mode(any.subject),
            Some("NOOP") => Self::Noop,
            Some("DELETE_SUBJECT") => Self::DeleteSubject(subject()?),
            Some("CLEAR_SUBJECT") => Self::ClearSubject(any.subject),
            Some("CONTEXT") => Self::Context(any.context.ok_or_else(|| missing("context"))?),
            Some(other) => return Err(Unread::UnknownKind(other.to_owned())),
            None => return Err(missing("keytype")),
        };
        Ok(key)
    }

    /// The bytes of the key.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let of_subject = |keytype, subject, version, magic| {
            write_json(&SubjectKey {
                keytype,
                subject,
                version,
                magic,
            })
        };
        match self {
            Self::Schema { subject, version } => {
                of_subject("SCHEMA", Some(subject.as_str()), Some(*version), SCHEMA_MAGIC)
            }
            Self::Config(subject) => of_subject("CONFIG", subject.as_deref(), None, 0),
            Self::Mode(subject) => of_subject("MODE", subject.as_deref(), None, 0),
            Self::Noop => of_subject("NOOP", None, None, 0),
            Self::DeleteSubject(subject) => of_subject("DELETE_SUBJECT", Some(subject), None, 0),
            Self::ClearSubject(subject) => of_subject("CLEAR_SUBJECT", subject.as_deref(), None, 0),
            Self::Context(context) => write_json(&ContextKey {
                keytype: "CONTEXT",
                tenant: TENANT,
                context,
                magic: 0,
            }),
        }
    }
}

/// One version of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SchemaValue {
    pub(crate) subject: String,
    pub(crate) version: i32,
    pub(crate) id: i32,
    /// Written by registries that encrypt metadata; kept as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) md5: Option<String>,
    /// Absent in records of old versions: Avro.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) schema_type: Option<String>,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) references: Vec<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule_set: Option<RuleSet>,
    pub(crate) schema: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) deleted: bool,
}

/// Settings of a subject, a context, or all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfigValue {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias_for_deks: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) normalize: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) validate_fields: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) validate_new_schemas: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) validate_rules: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) compatibility_level: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) compatibility_policy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) compatibility_group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default_metadata: Option<Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) override_metadata: Option<Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default_rule_set: Option<RuleSet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) override_rule_set: Option<RuleSet>,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Mode {
    #[serde(rename = "READWRITE")]
    ReadWrite,
    #[serde(rename = "READONLY")]
    ReadOnly,
    #[serde(rename = "READONLY_OVERRIDE")]
    ReadOnlyOverride,
    Import,
    Forward,
}

impl Mode {
    /// Reads a name in any case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_uppercase().as_str() {
            "READWRITE" => Self::ReadWrite,
            "READONLY" => Self::ReadOnly,
            "READONLY_OVERRIDE" => Self::ReadOnlyOverride,
            "IMPORT" => Self::Import,
            "FORWARD" => Self::Forward,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "READWRITE",
            Self::ReadOnly => "READONLY",
            Self::ReadOnlyOverride => "READONLY_OVERRIDE",
            Self::Import => "IMPORT",
            Self::Forward => "FORWARD",
        }
    }

    pub(crate) fn is_read_only(self) -> bool {
        matches!(self, Self::ReadOnly | Self::ReadOnlyOverride)
    }

    /// Is true where ids come with the schemas.
    pub(crate) fn takes_ids(self) -> bool {
        matches!(self, Self::Import | Self::Forward)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct ModeValue {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    mode: Mode,
}

#[derive(Debug, Serialize, Deserialize)]
struct DeleteSubjectValue {
    subject: String,
    version: i32,
}

#[derive(Debug, Serialize)]
struct ClearSubjectValue<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct ContextValue<'a> {
    tenant: &'static str,
    context: &'a str,
}

/// A record with its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    Schema(Box<SchemaValue>),
    SchemaTombstone {
        subject: String,
        version: i32,
    },
    Config(Option<String>, Box<ConfigValue>),
    ConfigTombstone(Option<String>),
    Mode(Option<String>, Mode),
    ModeTombstone(Option<String>),
    Noop,
    /// Versions up to this one are deleted.
    DeleteSubject {
        subject: String,
        version: i32,
    },
    ClearSubject(Option<String>),
    Context(String),
    ContextTombstone(String),
}

impl Record {
    /// Reads key and value.
    ///
    /// *Errors*: why the record must be passed over.
    pub(crate) fn parse(key: &[u8], value: Option<&[u8]>) -> Result<Self, Unread> {
        let key = Key::parse(key)?;
        let Some(value) = value else {
            return Ok(Self::tombstone(key));
        };
        let record = match key {
            // The key is what compaction goes by: it wins over a value that says otherwise.
            Key::Schema { subject, version } => {
                let mut value: SchemaValue = read_json(value)?;
                (value.subject, value.version) = (subject, version);
                Self::Schema(Box::new(value))
            }
            Key::Config(subject) => {
                let mut value: ConfigValue = read_json(value)?;
                value.subject.clone_from(&subject);
                Self::Config(subject, Box::new(value))
            }
            Key::Mode(subject) => {
                let value: ModeValue = read_json(value)?;
                Self::Mode(subject, value.mode)
            }
            Key::Noop => Self::Noop,
            Key::DeleteSubject(subject) => {
                let value: DeleteSubjectValue = read_json(value)?;
                Self::DeleteSubject {
                    subject,
                    version: value.version,
                }
            }
            Key::ClearSubject(subject) => Self::ClearSubject(subject),
            Key::Context(context) => Self::Context(context),
        };
        Ok(record)
    }

    fn tombstone(key: Key) -> Self {
        match key {
            Key::Schema { subject, version } => Self::SchemaTombstone { subject, version },
            Key::Config(subject) => Self::ConfigTombstone(subject),
            Key::Mode(subject) => Self::ModeTombstone(subject),
            Key::Context(context) => Self::ContextTombstone(context),
            // A deletion that was cleaned away has done its work already.
            Key::Noop | Key::DeleteSubject(_) | Key::ClearSubject(_) => Self::Noop,
        }
    }

    /// The key that the record is written under.
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Schema(value) => Key::Schema {
                subject: value.subject.clone(),
                version: value.version,
            },
            Self::SchemaTombstone { subject, version } => Key::Schema {
                subject: subject.clone(),
                version: *version,
            },
            Self::Config(subject, _) | Self::ConfigTombstone(subject) => Key::Config(subject.clone()),
            Self::Mode(subject, _) | Self::ModeTombstone(subject) => Key::Mode(subject.clone()),
            Self::Noop => Key::Noop,
            Self::DeleteSubject { subject, .. } => Key::DeleteSubject(subject.clone()),
            Self::ClearSubject(subject) => Key::ClearSubject(subject.clone()),
            Self::Context(context) | Self::ContextTombstone(context) => Key::Context(context.clone()),
        }
    }

    /// The bytes to write.
    pub(crate) fn to_bytes(&self) -> KeyValue {
        let value = match self {
            Self::Schema(value) => Some(write_json(value)),
            Self::Config(_, value) => Some(write_json(value)),
            Self::Mode(subject, mode) => Some(write_json(&ModeValue {
                subject: subject.clone(),
                mode: *mode,
            })),
            Self::DeleteSubject { subject, version } => Some(write_json(&DeleteSubjectValue {
                subject: subject.clone(),
                version: *version,
            })),
            Self::ClearSubject(subject) => Some(write_json(&ClearSubjectValue {
                subject: subject.as_deref(),
            })),
            Self::Context(context) => Some(write_json(&ContextValue {
                tenant: TENANT,
                context,
            })),
            Self::SchemaTombstone { .. }
            | Self::ConfigTombstone(_)
            | Self::ModeTombstone(_)
            | Self::ContextTombstone(_)
            | Self::Noop => None,
        };
        KeyValue {
            key: self.key().to_bytes(),
            value,
        }
    }
}

fn read_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Unread> {
    serde_json::from_slice(bytes).map_err(|error| Unread::Malformed(error.to_string()))
}

fn write_json(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, JacksonFormatter);
    // Plain fields and maps with text keys, written to memory: nothing can fail.
    let printed = value.serialize(&mut serializer);
    debug_assert!(printed.is_ok(), "a record can be printed");
    out
}

/// Escapes control characters with capital hex digits, as Jackson does.
struct JacksonFormatter;

impl Formatter for JacksonFormatter {
    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        let text: &[u8] = match escape {
            CharEscape::Quote => b"\\\"",
            CharEscape::ReverseSolidus => b"\\\\",
            CharEscape::Solidus => b"/",
            CharEscape::Backspace => b"\\b",
            CharEscape::FormFeed => b"\\f",
            CharEscape::LineFeed => b"\\n",
            CharEscape::CarriageReturn => b"\\r",
            CharEscape::Tab => b"\\t",
            CharEscape::AsciiControl(byte) => return write!(writer, "\\u{byte:04X}"),
        };
        writer.write_all(text)
    }
}

#[cfg(test)]
mod tests;
