//! Errors of the console commands.

use std::io;

use weir_api::error::ConnectError;
use weir_client::error::ClientError;

/// A command that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The topic is not there.
    #[error("topic {topic} does not exist at {servers}{hint}")]
    NoSuchTopic {
        topic: String,
        servers: String,
        hint: String,
    },
    /// The cluster could not be asked.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The registry's address is none.
    #[error("{url} is not the URL of a registry: {reason}")]
    RegistryUrl { url: String, reason: String },
    /// No answer from the registry.
    #[error("no registry answers at {url}: {reason}; start one with `weir up`, or name it with --registry")]
    Registry { url: String, reason: String },
    /// The registry answered with an error.
    #[error("the registry answers {status}, error {code}: {message}")]
    RegistryAnswer { status: u16, code: i64, message: String },
    /// A reference that cannot be read.
    #[error("--reference {text:?} is not of the form NAME=SUBJECT:VERSION")]
    Reference { text: String },
    /// A text that is no schema.
    #[error("not a schema: {0}")]
    NoSchema(String),
    /// Two schemas that cannot be compared.
    #[error("the schemas cannot be compared: {0}")]
    Comparison(String),
    /// The decoder of registered values cannot be made.
    #[error("{0}")]
    Decoder(#[from] ConnectError),
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}
