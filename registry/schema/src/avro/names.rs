//! Which names Avro allows
//!
//! New schemas hold to the letter of the format; stored ones may use any letter, as older registries accepted.

use crate::avro::schema::{AvroSchema, Kind};
use crate::error::SchemaError;

/// How names are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameRule {
    /// ASCII letters, digits and underscores, no digit first.
    Strict,
    /// The same with any letter and digit that Unicode knows.
    ///
    /// DIVERGES: a few marks that Rust counts as letters and Java does not are let through.
    AnyLetter,
    /// Nothing is checked.
    Off,
}

impl NameRule {
    /// Checks one name: of a type without namespace, of a field, or a symbol.
    pub(crate) fn check(self, name: &str) -> Result<(), SchemaError> {
        self.fault(name)
            .map_or(Ok(()), |fault| Err(SchemaError::Invalid(fault)))
    }

    /// Checks each part of a namespace.
    pub(crate) fn check_namespace(self, namespace: Option<&str>) -> Result<(), SchemaError> {
        for part in namespace.unwrap_or_default().split('.').filter(|_| namespace.is_some()) {
            if let Some(fault) = self.fault(part) {
                return Err(SchemaError::Invalid(format!(
                    "Namespace part \"{part}\" is invalid: {fault}"
                )));
            }
        }
        Ok(())
    }

    fn fault(self, name: &str) -> Option<String> {
        let letter = |c: char| match self {
            NameRule::Strict => c.is_ascii_alphabetic() || c == '_',
            NameRule::AnyLetter => c.is_alphabetic() || c == '_',
            NameRule::Off => true,
        };
        let digit = |c: char| match self {
            NameRule::Strict => c.is_ascii_digit(),
            NameRule::AnyLetter => c.is_numeric(),
            NameRule::Off => true,
        };
        let mut chars = name.chars();
        match chars.next() {
            None if self == NameRule::Off => None,
            None => Some("Empty name".to_owned()),
            Some(first) if !letter(first) => Some(format!("Illegal initial character: {name}")),
            Some(_) if !chars.all(|c| letter(c) || digit(c)) => Some(format!("Illegal character in: {name}")),
            Some(_) => None,
        }
    }
}

/// Checks the names of every type, field and symbol, but no namespaces: what stored schemas must hold to.
pub(crate) fn check_all(schema: &AvroSchema, rule: NameRule) -> Result<(), SchemaError> {
    for node in &schema.nodes {
        if let Some(name) = node.kind.name() {
            rule.check(&name.name)?;
        }
        match &node.kind {
            Kind::Record(record) => record.fields.iter().try_for_each(|field| rule.check(&field.name))?,
            Kind::Enum(of) => of.symbols.iter().try_for_each(|symbol| rule.check(symbol))?,
            _ => {}
        }
    }
    Ok(())
}
