//! What is refused to a client, and why
//!
//! One variant a reason, with the text that Confluent's clients see. The error codes are in `rest::error`.
//! Source: `Errors`, `Rest*Exception`.

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("Subject '{0}' not found.")]
    SubjectNotFound(String),
    #[error("Version {0} not found.")]
    VersionNotFound(i32),
    #[error("Schema not found")]
    SchemaNotFound,
    /// By id or guid.
    #[error("Schema {0} not found")]
    IdNotFound(String),
    #[error("Subject '{0}' was soft deleted.Set permanent=true to delete permanently")]
    SubjectSoftDeleted(String),
    #[error("Subject '{0}' was not deleted first before being permanently deleted")]
    SubjectNotSoftDeleted(String),
    #[error("Subject '{subject}' Version {version} was soft deleted.Set permanent=true to delete permanently")]
    VersionSoftDeleted { subject: String, version: i32 },
    #[error("Subject '{subject}' Version {version} was not deleted first before being permanently deleted")]
    VersionNotSoftDeleted { subject: String, version: i32 },
    #[error("Subject '{0}' does not have subject-level compatibility configured")]
    NoSubjectConfig(String),
    #[error("Subject '{0}' does not have subject-level mode configured")]
    NoSubjectMode(String),
    #[error(
        "Schema being registered is incompatible with an earlier schema for subject \"{subject}\", details: [{}]",
        messages.join(", ")
    )]
    Incompatible { subject: String, messages: Vec<String> },
    #[error("{0}")]
    InvalidSchema(String),
    #[error(
        "The specified version '{0}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""
    )]
    InvalidVersion(String),
    #[error(
        "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and \
         full_transitive"
    )]
    InvalidLevel,
    #[error("Invalid compatibility policy. Valid values are strict, lenient, and logical")]
    InvalidPolicy,
    #[error("Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD.")]
    InvalidMode,
    #[error("Forward mode only supported on global level")]
    ForwardBelowGlobal,
    #[error("{0}")]
    NotPermitted(String),
    #[error(
        "One or more references exist to the schema {{magic=1,keytype=SCHEMA,subject={subject},version={version}}}."
    )]
    ReferenceExists { subject: String, version: i32 },
    #[error(
        "The id {given} of the schema being imported does not match the existing id {existing} of subject '{subject}' version {version}"
    )]
    IdDoesNotMatch {
        given: i32,
        existing: i32,
        subject: String,
        version: i32,
    },
    #[error("The specified subject '{0}' is not a valid.")]
    InvalidSubject(String),
    #[error("Register operation failed because schema is too large")]
    SchemaTooLarge,
    #[error("Invalid ruleSet: {0}")]
    InvalidRules(String),
    #[error("The specified context '{0}' is not empty.")]
    ContextNotEmpty(String),
    /// The topic did not take a record.
    #[error("{0}")]
    Store(String),
    #[error("{0}")]
    TimedOut(String),
    /// No instance may write now.
    #[error("{0}")]
    UnknownLeader(String),
    /// Refused by HTTP itself: the status, and a text if it has one of its own.
    #[error("{}", http_text(*status, message.as_deref()))]
    Http { status: u16, message: Option<String> },
    #[error("{0}")]
    MissingBody(String),
}

impl Refusal {
    pub(crate) fn http(status: u16) -> Self {
        Self::Http { status, message: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::Http {
            status: 400,
            message: Some(message.into()),
        }
    }
}

fn http_text(status: u16, message: Option<&str>) -> String {
    if let Some(message) = message {
        return message.to_owned();
    }
    let reason = match status {
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        503 => "Service Unavailable",
        _ => "Error",
    };
    format!("HTTP {status} {reason}")
}
