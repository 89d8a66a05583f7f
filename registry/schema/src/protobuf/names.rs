//! Types and extensions by full name, and how a spelled name finds them
//!
//! A name is looked for in the message that uses it, then outward through the messages and the package around.

use std::collections::HashMap;

use crate::protobuf::known;
use crate::protobuf::tree::{Extend, Field, File, Label, Type};

/// Which registered schema a file came from: subject and version.
pub(super) type Origin<'a> = (&'a str, i32);

/// Everything that a file and the files it uses declare.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    types: HashMap<String, Declared<'a>>,
    extensions: HashMap<String, &'a Field>,
    package: &'a str,
}

/// A declared type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declared<'a> {
    pub(super) declaration: &'a Type,
    pub(super) package: &'a str,
    /// None for files that are known without being registered, or used by others only.
    pub(super) origin: Option<Origin<'a>>,
}

/// Where the text that is looked at stands: names of the messages around.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    names: Vec<String>,
}

impl Scope {
    pub(super) fn of(full_name: &str) -> Self {
        Self {
            names: full_name.split('.').map(str::to_owned).collect(),
        }
    }

    pub(super) fn enter(&mut self, name: &str) {
        self.names.push(name.to_owned());
    }

    pub(super) fn leave(&mut self) {
        self.names.pop();
    }
}

impl<'a> Names<'a> {
    /// Adds what a file declares; the last one's package is where names are looked up.
    pub(super) fn add(&mut self, file: &'a File, origin: Option<Origin<'a>>) {
        self.package = file.package.as_deref().unwrap_or_default();
        let prefix = self.package.to_owned();
        self.add_extensions(&prefix, &file.extends);
        self.add_types(&prefix, &file.types, origin);
    }

    fn add_types(&mut self, prefix: &str, types: &'a [Type], origin: Option<Origin<'a>>) {
        for declaration in types {
            let name = joined(prefix, declaration.name());
            if let Type::Message(message) = declaration {
                self.add_extensions(&name, &message.extends);
                self.add_types(&name, &message.types, origin);
            }
            let declared = Declared {
                declaration,
                package: self.package,
                origin,
            };
            self.types.insert(name, declared);
        }
    }

    fn add_extensions(&mut self, prefix: &str, extends: &'a [Extend]) {
        for field in extends.iter().flat_map(|extend| &extend.fields) {
            self.extensions.insert(joined(prefix, &field.name), field);
        }
    }

    /// Returns the package in which names are looked up.
    pub(super) fn package(&self) -> &'a str {
        self.package
    }

    /// Returns the full name, without leading dot, and the type of a spelled name.
    pub(super) fn resolve(&self, package: &str, scope: &Scope, name: &str) -> Option<(String, Declared<'a>)> {
        find(package, scope, name, |full| self.get(full))
    }

    /// Returns the full name of an extension.
    pub(super) fn resolve_extension(&self, scope: &Scope, name: &str) -> Option<String> {
        find(self.package, scope, name, |full| self.extension(full)).map(|(full, _)| full)
    }

    /// Returns an extension by its full name.
    pub(super) fn extension(&self, full_name: &str) -> Option<&'a Field> {
        let own = self.extensions.get(full_name).copied();
        own.or_else(|| known::names().extensions.get(full_name).copied())
    }

    fn get(&self, full_name: &str) -> Option<Declared<'a>> {
        let own = self.types.get(full_name).copied();
        own.or_else(|| known::names().types.get(full_name).copied())
    }

    /// Returns key and value type of a map that is spelled out as a message.
    pub(super) fn map_entry(declared: Declared<'a>) -> Option<(&'a str, &'a str)> {
        let Type::Message(message) = declared.declaration else {
            return None;
        };
        if !message.is_map_entry() {
            return None;
        }
        let type_of = |name: &str| {
            let field = message.fields.iter().find(|field| field.name == name);
            field.map(|field| field.type_name.as_str())
        };
        Some((type_of("key")?, type_of("value")?))
    }
}

fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

fn find<T>(package: &str, scope: &Scope, name: &str, known: impl Fn(&str) -> Option<T>) -> Option<(String, T)> {
    if let Some(full) = name.strip_prefix('.') {
        return known(full).map(|found| (full.to_owned(), found));
    }
    let outer = package.split('.').filter(|part| !part.is_empty());
    let mut prefix: Vec<&str> = outer.chain(scope.names.iter().map(String::as_str)).collect();
    loop {
        let full = joined(&prefix.join("."), name);
        if let Some(found) = known(&full) {
            return Some((full, found));
        }
        prefix.pop()?;
    }
}

/// Returns key and value of `map<K, V>`.
pub(super) fn map_types(type_name: &str) -> Option<(&str, &str)> {
    let inner = type_name.strip_prefix("map<")?.strip_suffix('>')?;
    let (key, value) = inner.split_once(',')?;
    Some((key.trim(), value.trim()))
}

/// Whether a type is one of the language's own.
pub(super) fn is_scalar(type_name: &str) -> bool {
    matches!(
        type_name,
        "bool"
            | "bytes"
            | "double"
            | "float"
            | "fixed32"
            | "fixed64"
            | "int32"
            | "int64"
            | "sfixed32"
            | "sfixed64"
            | "sint32"
            | "sint64"
            | "string"
            | "uint32"
            | "uint64"
    )
}

/// Whether a field is repeated.
pub(super) fn is_repeated(field: &Field) -> bool {
    field.label == Some(Label::Repeated)
}
