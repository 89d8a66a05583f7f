//! `weir tail TOPIC`: records of a topic on standard output.

use std::path::PathBuf;

use clap::Args;
use weir_config::properties::Properties;
use weir_tools::tail::{TailOptions, tail};

use crate::{Failure, overrides};

/// Print the records of a topic, decoded, as they arrive
///
/// Example:  weir tail orders --from-beginning --max 10 --json
/// Avro:     weir tail tweets --registry http://127.0.0.1:8081
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct TailArguments {
    /// The topic to read
    topic: String,
    /// Kafka to read from: the bundled broker or any other
    #[arg(long, short = 'b', value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    bootstrap_server: String,
    /// A file with further settings of the client, such as security.protocol and its stores
    #[arg(long, value_name = "FILE")]
    command_config: Option<PathBuf>,
    /// One JSON object a record
    #[arg(long)]
    json: bool,
    /// Start at the oldest record instead of the next new one
    #[arg(long)]
    from_beginning: bool,
    /// Stop after this many records
    #[arg(long, value_name = "N")]
    max: Option<u64>,
    /// Show keys and values that have a schema in this registry as JSON
    #[arg(long, value_name = "URL", env = "WEIR_REGISTRY")]
    registry: Option<String>,
}

/// Reads until `--max` or Ctrl-C.
pub(crate) async fn run(arguments: TailArguments) -> Result<(), Failure> {
    let client = match &arguments.command_config {
        Some(file) => overrides::read_properties(file)?,
        None => Properties::new(),
    };
    let options = TailOptions {
        bootstrap_servers: arguments.bootstrap_server,
        client,
        topic: arguments.topic,
        json: arguments.json,
        from_beginning: arguments.from_beginning,
        max: arguments.max,
        registry: arguments.registry,
    };
    let mut out = std::io::stdout();
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Ok(()),
        result = tail(options, &mut out) => result.map_err(|error| Failure::from(anyhow::Error::new(error))),
    }
}
