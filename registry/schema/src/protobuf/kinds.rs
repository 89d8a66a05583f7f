//! What kind of value a field's type stands for
//!
//! Scalars that are read as each other, maps and messages; enums count as numbers.

use crate::protobuf::names::{Declared, Names, Scope, is_scalar, map_types};
use crate::protobuf::tree::Type;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    Map,
    Message,
}

/// Scalars that are read as each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    GeneralNumber,
    SignedNumber,
    StringOrBytes,
    Fixed32,
    Fixed64,
    Float,
    Double,
}

/// A type as spelled, or the map that it stands for.
#[derive(Debug, Clone)]
pub(super) struct Spelled<'a> {
    pub(super) name: String,
    pub(super) declared: Option<(String, Declared<'a>)>,
}

pub(super) fn spelled<'a>(names: &Names<'a>, package: &str, scope: &Scope, name: &str) -> Spelled<'a> {
    let declared = if is_scalar(name) || map_types(name).is_some() {
        None
    } else {
        names.resolve(package, scope, name)
    };
    let entry = declared.as_ref().and_then(|(_, declared)| Names::map_entry(*declared));
    match entry {
        Some((key, value)) => Spelled {
            name: format!("map<{key}, {value}>"),
            declared: None,
        },
        None => Spelled {
            name: name.to_owned(),
            declared,
        },
    }
}

impl Spelled<'_> {
    pub(super) fn kind(&self) -> Kind {
        let is_enum = self
            .declared
            .as_ref()
            .is_some_and(|(_, declared)| matches!(declared.declaration, Type::Enum(_)));
        if map_types(&self.name).is_some() {
            Kind::Map
        } else if is_enum || is_scalar(&self.name) {
            Kind::Scalar
        } else {
            Kind::Message
        }
    }

    pub(super) fn scalar_kind(&self) -> ScalarKind {
        match self.name.as_str() {
            "sint32" | "sint64" => ScalarKind::SignedNumber,
            "string" | "bytes" => ScalarKind::StringOrBytes,
            "fixed32" | "sfixed32" => ScalarKind::Fixed32,
            "fixed64" | "sfixed64" => ScalarKind::Fixed64,
            "float" => ScalarKind::Float,
            "double" => ScalarKind::Double,
            _ => ScalarKind::GeneralNumber,
        }
    }
}
