//! One reason why a reader cannot read what a writer wrote
//!
//! Kinds, places and details as Java's library gives them, and the message that the registry makes of them. Found by
//! `compatibility.rs`.

/// The kinds of differences, by the names of the registry's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DifferenceKind {
    /// Types of different names.
    NameMismatch,
    /// Fixed of different sizes.
    FixedSizeMismatch,
    /// The writer has symbols that the reader does not know and has no default for.
    MissingEnumSymbols,
    /// The writer leaves out a field that has no default.
    ReaderFieldMissingDefaultValue,
    /// The reader cannot turn the writer's type into its own.
    TypeMismatch,
    /// A branch of the writer that no branch of the reader reads.
    MissingUnionBranch,
}

/// One reason why the reader cannot read what the writer wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub kind: DifferenceKind,
    /// Where: a JSON pointer into the reader's schema, into the writer's for branches of its unions.
    pub location: String,
    /// Details: the types, names, sizes, symbols or the field.
    pub info: String,
}

impl DifferenceKind {
    /// Returns the name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            DifferenceKind::NameMismatch => "NAME_MISMATCH",
            DifferenceKind::FixedSizeMismatch => "FIXED_SIZE_MISMATCH",
            DifferenceKind::MissingEnumSymbols => "MISSING_ENUM_SYMBOLS",
            DifferenceKind::ReaderFieldMissingDefaultValue => "READER_FIELD_MISSING_DEFAULT_VALUE",
            DifferenceKind::TypeMismatch => "TYPE_MISMATCH",
            DifferenceKind::MissingUnionBranch => "MISSING_UNION_BRANCH",
        }
    }
}

impl Difference {
    /// Returns the registry's message; `reader` and `writer` say which schema is which, `new` or `old`.
    pub fn message(&self, reader: &str, writer: &str) -> String {
        let (path, info) = (&self.location, &self.info);
        let description = match self.kind {
            DifferenceKind::FixedSizeMismatch => format!(
                "The size of FIXED type field at path '{path}' in the {reader} schema does not match with the {writer} schema"
            ),
            DifferenceKind::TypeMismatch => format!(
                "The type (path '{path}') of a field in the {reader} schema does not match with the {writer} schema"
            ),
            DifferenceKind::NameMismatch => format!("The name of the schema has changed (path '{path}')"),
            DifferenceKind::MissingEnumSymbols => {
                format!("The {reader} schema is missing enum symbols '{info}' at path '{path}' in the {writer} schema")
            }
            DifferenceKind::MissingUnionBranch => format!(
                "The {reader} schema is missing a type inside a union field at path '{path}' in the {writer} schema"
            ),
            DifferenceKind::ReaderFieldMissingDefaultValue => format!(
                "The field '{info}' at path '{path}' in the {reader} schema has no default value and is missing in the {writer} schema"
            ),
        };
        format!(
            "{{errorType:'{}', description:'{description}', additionalInfo:'{info}'}}",
            self.kind.as_str()
        )
    }
}
