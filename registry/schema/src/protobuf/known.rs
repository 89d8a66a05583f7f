//! Files that every schema may import without a reference
//!
//! `google/type` and the registry's own are written out in `known/`, without options; those of the language itself come
//! with the compiler. Their names are collected once.

use std::sync::LazyLock;

use protox::file::{FileResolver, GoogleFileResolver};

use crate::protobuf::descriptor::file_of;
use crate::protobuf::names::Names;
use crate::protobuf::parse::parse;
use crate::protobuf::tree::File;

macro_rules! known {
    ($path:literal) => {
        ($path, include_str!(concat!("known/", $path)))
    };
}

/// Path and text.
const FILES: [(&str, &str); 19] = [
    known!("confluent/meta.proto"),
    known!("confluent/type/decimal.proto"),
    known!("confluent/type/variant.proto"),
    known!("google/type/calendar_period.proto"),
    known!("google/type/color.proto"),
    known!("google/type/date.proto"),
    known!("google/type/datetime.proto"),
    known!("google/type/dayofweek.proto"),
    known!("google/type/decimal.proto"),
    known!("google/type/expr.proto"),
    known!("google/type/fraction.proto"),
    known!("google/type/interval.proto"),
    known!("google/type/latlng.proto"),
    known!("google/type/money.proto"),
    known!("google/type/month.proto"),
    known!("google/type/phone_number.proto"),
    known!("google/type/postal_address.proto"),
    known!("google/type/quaternion.proto"),
    known!("google/type/timeofday.proto"),
];

/// Paths below `google/protobuf` that the compiler knows.
const LANGUAGE: [&str; 11] = [
    "any",
    "api",
    "descriptor",
    "duration",
    "empty",
    "field_mask",
    "source_context",
    "struct",
    "timestamp",
    "type",
    "wrappers",
];

static TREES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let compiler = GoogleFileResolver::new();
    let language = LANGUAGE.iter().filter_map(|name| {
        let file = compiler.open_file(&format!("google/protobuf/{name}.proto")).ok()?;
        Some(file_of(file.file_descriptor_proto()))
    });
    let own = FILES.iter().filter_map(|(_, text)| parse(text).ok());
    language.chain(own).collect()
});

static NAMES: LazyLock<Names<'static>> = LazyLock::new(|| {
    let mut names = Names::default();
    TREES.iter().for_each(|file| names.add(file, None));
    names
});

/// Returns the names that known files declare.
pub(super) fn names() -> &'static Names<'static> {
    &NAMES
}

/// Returns the text of a known file that the compiler lacks.
pub(super) fn text(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == path).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::names::Scope;

    #[test]
    fn every_known_file_is_read_and_names_its_types() {
        assert_eq!(TREES.len(), FILES.len() + LANGUAGE.len());
        for name in [
            "google.protobuf.Timestamp",
            "google.protobuf.FieldDescriptorProto.Type",
            "google.type.TimeOfDay",
            "google.type.DateTime",
            "confluent.type.Decimal",
            "confluent.Meta",
        ] {
            assert!(names().resolve("", &Scope::default(), name).is_some(), "{name}");
        }
        assert!(
            names()
                .resolve_extension(&Scope::default(), "confluent.field_meta")
                .is_some()
        );
    }
}
