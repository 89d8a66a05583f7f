//! Changes that clients ask for, and what they come to
//!
//! A change is decided into a plan: the records to write, and what to answer once they are read back.

use std::sync::Arc;

use crate::registry::lookup::Candidate;
use crate::registry::register::Options;
use crate::registry::settings::ConfigUpdate;
use crate::store::cache::StoredSchema;
use crate::store::records::{ConfigValue, Mode, Record};

/// What is to change.
#[derive(Debug)]
pub(crate) enum Change {
    Register {
        subject: String,
        candidate: Box<Candidate>,
        options: Options,
    },
    DeleteVersion {
        subject: String,
        version: i32,
        removal: Removal,
    },
    DeleteSubject {
        subject: String,
        removal: Removal,
    },
    /// `None` is global, here and below.
    PutConfig {
        subject: Option<String>,
        update: Box<ConfigUpdate>,
    },
    DeleteConfig {
        subject: Option<String>,
    },
    PutMode {
        subject: Option<String>,
        /// `None` removes it.
        mode: Option<Mode>,
        import: ImportCheck,
    },
    DeleteMode {
        subject: Option<String>,
        reach: Reach,
    },
    DeleteContext {
        context: String,
    },
}

/// How much of a deleted version stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Hidden, still served by id.
    Soft,
    Permanent,
}

impl Removal {
    pub(crate) fn of(is_permanent: bool) -> Self {
        if is_permanent { Self::Permanent } else { Self::Soft }
    }
}

/// Whether IMPORT asks for an empty scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImportCheck {
    NeedsNoSubjects,
    /// `force=true`.
    Forced,
}

/// Whether subjects below a context lose their modes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Itself,
    Recursive,
}

/// What is written and answered.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) records: Vec<Record>,
    pub(crate) outcome: Outcome,
}

impl Plan {
    /// Nothing to write.
    pub(crate) fn nothing(outcome: Outcome) -> Self {
        Self {
            records: Vec::new(),
            outcome,
        }
    }
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// This version will be there once the records are read back.
    Registered {
        subject: String,
        version: i32,
    },
    Schema(Arc<StoredSchema>),
    Version(i32),
    Versions(Vec<i32>),
    Config(Box<ConfigValue>),
    Mode(Option<Mode>),
    Done,
}
