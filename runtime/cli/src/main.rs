//! The `weir` command: arguments, and which role they start.
//!
//! Only wiring lives here: each role's work is in its own crate, each command's in the file of its name.

mod broker;
mod connect;
mod connector_file;
mod creator;
mod demo;
mod docs;
mod fakes;
mod log_lines;
mod logging;
mod metrics_port;
mod overrides;
mod ready;
mod registry;
mod schema;
mod shutdown;
mod tail;
mod up;
mod worker_role;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs Kafka Connect connectors as sandboxed WebAssembly, with a Kafka broker built in.
///
/// Start everything and watch records flow:    weir up --demo
/// Run a stock standalone worker:              weir connect-standalone worker.properties source.properties
/// See what is in a topic:                     weir tail my-topic --from-beginning
#[derive(Debug, Parser)]
#[command(name = "weir", version, verbatim_doc_comment, propagate_version = true)]
struct Arguments {
    /// How much to log: error, warn, info, debug, trace, or filters such as `weir_worker=debug`
    #[arg(long, global = true, env = "WEIR_LOG", default_value = "info", value_name = "LEVEL")]
    log: String,
    /// How log lines look
    #[arg(
        long,
        global = true,
        env = "WEIR_LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    log_format: log_lines::LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start every role in one process: broker, Schema Registry and Connect worker
    Up(up::UpArguments),
    /// Start a standalone Connect worker with the given connectors
    #[command(name = "connect-standalone")]
    ConnectStandalone(connect::StandaloneArguments),
    /// Start a distributed Connect worker
    #[command(name = "connect-distributed")]
    ConnectDistributed(connect::DistributedArguments),
    /// Start the bundled Kafka broker alone
    Broker(broker::BrokerArguments),
    /// Start the Schema Registry alone
    #[command(name = "schema-registry")]
    SchemaRegistry(registry::RegistryArguments),
    /// List, show, register and check schemas of a registry
    Schema(schema::SchemaArguments),
    /// Print the records of a topic, decoded, as they arrive
    Tail(tail::TailArguments),
    /// Serve made-up feeds that answer as X, AEMET and Google Places do
    Fakes(fakes::FakesArguments),
    /// Write the reference pages of all settings into a folder
    Docs(docs::DocsArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = logging::start(&arguments.log, arguments.log_format) {
        logging::complain(&error);
        return ExitCode::from(1);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("weir")
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            logging::complain(&anyhow::Error::new(error).context("the async runtime did not start"));
            return ExitCode::from(2);
        }
    };
    let code = runtime.block_on(async {
        match arguments.command {
            Command::Up(arguments) => up::run(arguments).await,
            Command::ConnectStandalone(arguments) => connect::run_standalone(arguments).await,
            Command::ConnectDistributed(arguments) => connect::run_distributed(arguments).await,
            Command::Broker(arguments) => broker::run(arguments).await,
            Command::SchemaRegistry(arguments) => registry::run(arguments).await,
            Command::Schema(arguments) => schema::run(arguments).await,
            Command::Fakes(arguments) => fakes::run(arguments).await,
            Command::Tail(arguments) => tail::run(arguments).await,
            Command::Docs(arguments) => docs::run(&arguments).await,
        }
    });
    // A guest or a client thread that does not end by itself must not hold the process.
    runtime.shutdown_background();
    match code {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            logging::complain(&failure.error);
            ExitCode::from(failure.code)
        }
    }
}

/// Why the process ends, and with which code (connect.md B.5: 1 usage or crash, 2 start-up, 3 connectors).
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// Start-up failed.
    pub(crate) fn startup(error: anyhow::Error) -> Self {
        Failure { code: 2, error }
    }

    /// A connector given on the command line did not start.
    pub(crate) fn connectors(error: anyhow::Error) -> Self {
        Failure { code: 3, error }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure { code: 1, error }
    }
}
