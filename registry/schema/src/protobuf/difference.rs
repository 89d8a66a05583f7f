//! One difference between two versions of a Protobuf schema
//!
//! Kinds, places and words as the registry gives them. Found by `compatibility.rs`.

/// The kinds of differences, by the names of the registry's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum DifferenceKind {
    PackageChanged,
    MessageAdded,
    MessageRemoved,
    MessageMoved,
    EnumAdded,
    EnumRemoved,
    EnumConstAdded,
    EnumConstChanged,
    EnumConstRemoved,
    FieldAdded,
    FieldRemoved,
    FieldNameChanged,
    FieldKindChanged,
    FieldScalarKindChanged,
    FieldNamedTypeChanged,
    FieldNumericLabelChanged,
    FieldStringOrBytesLabelChanged,
    RequiredFieldAdded,
    RequiredFieldRemoved,
    OneofAdded,
    OneofRemoved,
    OneofFieldAdded,
    OneofFieldRemoved,
    OneofFieldMovedToTopLevel,
    MultipleFieldsMovedToOneof,
    FieldMovedToExistingOneof,
}

/// A difference and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub kind: DifferenceKind,
    /// Where: `#/Message/3`.
    pub path: String,
}

impl DifferenceKind {
    /// Returns the name in messages.
    pub fn as_str(self) -> &'static str {
        use DifferenceKind as K;
        match self {
            K::PackageChanged => "PACKAGE_CHANGED",
            K::MessageAdded => "MESSAGE_ADDED",
            K::MessageRemoved => "MESSAGE_REMOVED",
            K::MessageMoved => "MESSAGE_MOVED",
            K::EnumAdded => "ENUM_ADDED",
            K::EnumRemoved => "ENUM_REMOVED",
            K::EnumConstAdded => "ENUM_CONST_ADDED",
            K::EnumConstChanged => "ENUM_CONST_CHANGED",
            K::EnumConstRemoved => "ENUM_CONST_REMOVED",
            K::FieldAdded => "FIELD_ADDED",
            K::FieldRemoved => "FIELD_REMOVED",
            K::FieldNameChanged => "FIELD_NAME_CHANGED",
            K::FieldKindChanged => "FIELD_KIND_CHANGED",
            K::FieldScalarKindChanged => "FIELD_SCALAR_KIND_CHANGED",
            K::FieldNamedTypeChanged => "FIELD_NAMED_TYPE_CHANGED",
            K::FieldNumericLabelChanged => "FIELD_NUMERIC_LABEL_CHANGED",
            K::FieldStringOrBytesLabelChanged => "FIELD_STRING_OR_BYTES_LABEL_CHANGED",
            K::RequiredFieldAdded => "REQUIRED_FIELD_ADDED",
            K::RequiredFieldRemoved => "REQUIRED_FIELD_REMOVED",
            K::OneofAdded => "ONEOF_ADDED",
            K::OneofRemoved => "ONEOF_REMOVED",
            K::OneofFieldAdded => "ONEOF_FIELD_ADDED",
            K::OneofFieldRemoved => "ONEOF_FIELD_REMOVED",
            K::OneofFieldMovedToTopLevel => "ONEOF_FIELD_MOVED_TO_TOP_LEVEL",
            K::MultipleFieldsMovedToOneof => "MULTIPLE_FIELDS_MOVED_TO_ONEOF",
            K::FieldMovedToExistingOneof => "FIELD_MOVED_TO_EXISTING_ONEOF",
        }
    }

    /// Whether the new schema still reads what the old one wrote.
    pub fn is_compatible(self) -> bool {
        use DifferenceKind as K;
        !matches!(
            self,
            K::PackageChanged
                | K::MessageRemoved
                | K::FieldKindChanged
                | K::FieldScalarKindChanged
                | K::FieldNamedTypeChanged
                | K::FieldNumericLabelChanged
                | K::RequiredFieldAdded
                | K::RequiredFieldRemoved
                | K::OneofFieldRemoved
                | K::MultipleFieldsMovedToOneof
                | K::FieldMovedToExistingOneof
        )
    }
}

impl Difference {
    /// Returns the registry's message; the words say which schema is which, `new` or `old`.
    pub fn message(&self, first: &str, second: &str) -> String {
        let description = self.description(first, second);
        format!(
            "{{errorType:\"{}\", description:\"{description}\"}}",
            self.kind.as_str()
        )
    }

    fn description(&self, a: &str, b: &str) -> String {
        use DifferenceKind as K;
        let path = &self.path;
        match self.kind {
            K::PackageChanged => {
                format!("The package at '{path}' in the {a} schema does not match the package in the {b} schema")
            }
            K::MessageRemoved => {
                format!("The {a} schema is missing a MESSAGE type at path '{path}' in the {b} schema")
            }
            K::FieldKindChanged => {
                format!("The type of a field at path '{path}' in the {a} schema does not match the {b} schema")
            }
            K::FieldScalarKindChanged => format!(
                "The kind of a SCALAR field at path '{path}' in the {a} schema does not match its kind in the {b} schema"
            ),
            K::FieldNamedTypeChanged => format!(
                "The type of a MESSAGE field at path '{path}' in the {a} schema does not match its type in the {b} schema"
            ),
            K::FieldNumericLabelChanged => format!(
                "The label for a NUMERIC field at path '{path}' in the {a} schema does not match its label in the {b} schema"
            ),
            K::RequiredFieldAdded => {
                format!("A required field  at path '{path}' in the {a} schema is missing in the {b} schema")
            }
            K::RequiredFieldRemoved => {
                format!("The {a} schema is missing a required field at path: '{path}' in the {b} schema")
            }
            K::OneofFieldRemoved => {
                format!("The {a} schema is missing a oneof field at path '{path}' in the {b} schema")
            }
            K::OneofFieldMovedToTopLevel => format!(
                "The oneof field at path '{path}' in the {a} schema was moved out of its oneof to a top-level field in the \
                 {b} schema"
            ),
            K::MultipleFieldsMovedToOneof => format!(
                "Multiple fields in the oneof at path '{path}' in the {a} schema are outside a oneof in the {b} schema"
            ),
            K::FieldMovedToExistingOneof => format!(
                "A field in the oneof at path '{path}' in the {a} schema is outside an existing oneof in the {b} schema"
            ),
            _ => String::new(),
        }
    }
}
