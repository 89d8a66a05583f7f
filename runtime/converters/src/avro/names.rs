//! Words that Connect's Avro schemas carry, and names made valid for Avro
//!
//! Kafka: the constants of `io.confluent.connect.avro.AvroData`, its `splitName` and `doScrubName`.

/// Namespace of the types the converter itself makes.
pub const NAMESPACE: &str = "io.confluent.connect.avro";
/// Name of records whose struct has none.
pub const DEFAULT_NAME: &str = "ConnectDefault";
/// Full name of records whose struct has none, and start of those of further ones.
pub const DEFAULT_FULL_NAME: &str = "io.confluent.connect.avro.ConnectDefault";
/// Name of the record that is one entry of a map, also the mark of a renamed one.
pub const MAP_ENTRY: &str = "MapEntry";
/// Field of the key in a map entry.
pub const KEY: &str = "key";
/// Field of the value in a map entry.
pub const VALUE: &str = "value";
/// Name of the record that holds any schemaless value.
pub const ANYTHING: &str = "Anything";

/// Struct name that stands for an Avro union.
pub const UNION: &str = "io.confluent.connect.avro.Union";
/// Parameter that makes a STRING an enum, and prefix of its symbols' parameters.
pub const ENUM: &str = "io.confluent.connect.avro.Enum";
/// Parameter that makes a struct a union across formats.
pub const GENERAL_UNION: &str = "org.apache.kafka.connect.data.Union";
/// Parameter that makes a STRING an enum across formats.
pub const GENERAL_ENUM: &str = "org.apache.kafka.connect.data.Enum";
/// Start of the names of unions across formats.
pub const GENERAL_UNION_PREFIX: &str = "connect_union_";
/// Start of the names of their fields.
pub const GENERAL_FIELD_PREFIX: &str = "connect_union_field_";

/// Attribute with the schema's name.
pub const CONNECT_NAME: &str = "connect.name";
/// Attribute with the schema's doc.
pub const CONNECT_DOC: &str = "connect.doc";
/// Parameter with a record's doc where docs of types are discarded.
pub const CONNECT_RECORD_DOC: &str = "connect.record.doc";
/// Parameter with an enum's doc where docs of types are discarded.
pub const CONNECT_ENUM_DOC: &str = "connect.enum.doc";
/// Attribute with the schema's version.
pub const CONNECT_VERSION: &str = "connect.version";
/// Attribute with the schema's default.
pub const CONNECT_DEFAULT: &str = "connect.default";
/// Attribute with the schema's parameters.
pub const CONNECT_PARAMETERS: &str = "connect.parameters";
/// Attribute that marks a map entry under another name.
pub const CONNECT_INTERNAL_TYPE: &str = "connect.internal.type";
/// Attribute that keeps INT8 and INT16 apart from INT32.
pub const CONNECT_TYPE: &str = "connect.type";
/// Parameter with the size of a fixed.
pub const FIXED_SIZE: &str = "connect.fixed.size";
/// Parameter with a decimal's precision.
pub const DECIMAL_PRECISION: &str = "connect.decimal.precision";
/// Precision of decimals that name none.
pub const DEFAULT_PRECISION: i64 = 64;

/// Parameter with a record's doc.
pub const RECORD_DOC: &str = "io.confluent.connect.avro.record.doc";
/// Start of the parameters with fields' docs.
pub const FIELD_DOC_PREFIX: &str = "io.confluent.connect.avro.field.doc.";
/// Start of the parameters with enums' docs.
pub const ENUM_DOC_PREFIX: &str = "io.confluent.connect.avro.enum.doc.";
/// Start of the parameters with enums' defaults.
pub const ENUM_DEFAULT_PREFIX: &str = "io.confluent.connect.avro.enum.default.";
/// Parameter of a default that came from an Avro field.
pub const FIELD_DEFAULT_FLAG: &str = "io.confluent.connect.avro.field.default";

/// Attribute of logical types.
pub const LOGICAL_TYPE: &str = "logicalType";
/// Logical type of [`weir_api::data::logical::DECIMAL`].
pub const AVRO_DECIMAL: &str = "decimal";
/// Logical type of [`weir_api::data::logical::DATE`].
pub const AVRO_DATE: &str = "date";
/// Logical type of [`weir_api::data::logical::TIME`].
pub const AVRO_TIME: &str = "time-millis";
/// Logical type of [`weir_api::data::logical::TIMESTAMP`].
pub const AVRO_TIMESTAMP: &str = "timestamp-millis";
/// Attribute of decimals.
pub const SCALE: &str = "scale";
/// Attribute of decimals.
pub const PRECISION: &str = "precision";
/// Start of attributes that are parameters too.
pub const AVRO_PREFIX: &str = "avro";

/// Splits a full name into namespace and name, each part made valid if asked for.
pub fn split_name(full: &str, scrub: bool) -> (Option<String>, String) {
    // Java's split drops empty parts at the end.
    let trimmed = full.trim_end_matches('.');
    let mut parts: Vec<String> = trimmed.split('.').map(|part| scrubbed(part, scrub)).collect();
    let name = parts.pop().unwrap_or_default();
    let namespace = (!parts.is_empty()).then(|| parts.join("."));
    (namespace, name)
}

/// Gives a full name with each part made valid if asked for.
pub fn scrubbed_full(full: &str, scrub: bool) -> String {
    if !scrub {
        return full.to_owned();
    }
    match split_name(full, scrub) {
        (Some(namespace), name) => format!("{namespace}.{name}"),
        (None, name) => name,
    }
}

/// Makes a name valid if asked for: encoded as in a URL, an `x` before a leading digit, `_` for what is left.
pub fn scrubbed(name: &str, scrub: bool) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !scrub || (name.bytes().all(is_plain) && !name.starts_with(|first: char| first.is_ascii_digit())) {
        return name.to_owned();
    }
    let mut valid = String::with_capacity(name.len() + 8);
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        valid.push('x');
    }
    for byte in name.bytes() {
        match byte {
            _ if is_plain(byte) => valid.push(char::from(byte)),
            b'.' | b'-' | b'*' | b' ' => valid.push('_'),
            // The percent sign becomes an underline too.
            _ => valid.push_str(&format!("_{byte:02X}")),
        }
    }
    valid
}

#[cfg(test)]
mod tests {
    use super::{scrubbed, scrubbed_full, split_name};

    #[test]
    fn names_are_split_at_the_last_dot() {
        assert_eq!(split_name("a.b.C", false), (Some("a.b".to_owned()), "C".to_owned()));
        assert_eq!(split_name("C", false), (None, "C".to_owned()));
        assert_eq!(split_name("a.C.", false), (Some("a".to_owned()), "C".to_owned()));
    }

    #[test]
    fn illegal_characters_are_replaced_as_java_does() {
        for (name, valid) in [
            ("plain_1", "plain_1"),
            ("1st", "x1st"),
            ("a b", "a_b"),
            ("a-b.c*", "a_b_c_"),
            ("a$b", "a_24b"),
            ("é", "_C3_A9"),
            ("-x", "_x"),
            ("", ""),
        ] {
            assert_eq!(scrubbed(name, true), valid, "{name}");
            assert_eq!(scrubbed(name, false), name);
        }
        assert_eq!(scrubbed_full("my-ns.1.Na me", true), "my_ns.x1.Na_me");
    }
}
