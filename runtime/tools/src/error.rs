//! Errors of the console commands.

use std::io;

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
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}
