//! One difference between two versions of a JSON Schema
//!
//! Its place, how strictly it is judged, and the registry's words for it; the kinds are a table in `kinds.rs`.

pub use crate::json::kinds::DifferenceKind;
use crate::json::kinds::{Sentence, Verdict};

/// A difference and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub kind: DifferenceKind,
    /// Where: `#/properties/a`.
    pub path: String,
}

/// How strictly differences are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Policy {
    /// Everything that could fail to be read counts.
    #[default]
    Strict,
    /// Properties may come and go while what they mean stays.
    Lenient,
}

impl DifferenceKind {
    /// Whether the new schema still reads what the old one wrote.
    pub fn is_compatible(self, policy: Policy) -> bool {
        match self.verdict() {
            Verdict::Compatible => true,
            Verdict::Lenient => policy == Policy::Lenient,
            Verdict::Incompatible => false,
        }
    }
}

impl Difference {
    /// Returns the registry's message; the words say which schema is which, `new` or `old`.
    pub fn message(&self, first: &str, second: &str) -> String {
        // The quote that closes the description is another than the one that opens it, in the registry too.
        let description = self.description(first, second);
        format!("{{errorType:\"{}\", description:\"{description}'}}", self.kind.as_str())
    }

    fn description(&self, a: &str, b: &str) -> String {
        let path = &self.path;
        match self.kind.sentence() {
            Sentence::None => String::new(),
            Sentence::NotPresent => {
                format!("The keyword at path '{path}' in the {a} schema is not present in the {b} schema")
            }
            Sentence::More => {
                format!("The value at path '{path}' in the {a} schema is more than its value in the {b} schema")
            }
            Sentence::Less => {
                format!("The value at path '{path}' in the {a} schema is less than its value in the {b} schema")
            }
            Sentence::ValueDiffers => {
                format!("The value at path '{path}' is different between the {a} and {b} schema")
            }
            Sentence::Fewer => format!(
                "An array or combined type at path '{path}' has fewer elements in the {a} schema than the {b} schema"
            ),
            Sentence::MoreElements => format!(
                "An array or combined type at path '{path}' has more elements in the {a} schema than the {b} schema"
            ),
            Sentence::TypeDiffers => {
                format!("A type at path '{path}' is different between the {a} schema and the {b} schema")
            }
            Sentence::AddedToOpen => format!(
                "The {a} schema has an open content model and has a property or item at path '{path}' which is missing \
                 in the {b} schema"
            ),
            Sentence::RequiredAdded => format!(
                "The {a} schema has an unopen content model and has a required property at path '{path}' which is \
                 missing in the {b} schema"
            ),
            Sentence::RemovedFromClosed => format!(
                "The {a} has a closed content model and is missing a property or item present at path '{path}' in the \
                 {b} schema"
            ),
            Sentence::RemovedNotCovered => format!(
                "A property or item is missing in the {a} schema but present at path '{path}' in the {b} schema and is \
                 not covered by its partially open content model"
            ),
            Sentence::AddedNotCovered => format!(
                "The {a} schema has a property or item at path '{path}' which is missing in the {b} schema and is not \
                 covered by its partially open content model"
            ),
        }
    }
}
