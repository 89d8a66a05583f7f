//! `weir connect-standalone FILE CONNECTOR…`: Kafka's standalone worker.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tokio::task::JoinSet;
use weir_worker::worker_config::WorkerConfig;

use crate::ready::Ready;
use crate::worker_role::BoundWorker;
use crate::{Failure, connector_file, overrides, shutdown};

/// Start a standalone Connect worker with the given connectors
///
/// Example:  weir connect-standalone connect-standalone.properties connect-file-source.properties
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct StandaloneArguments {
    /// A connect-standalone.properties file
    #[arg(value_name = "FILE")]
    worker: PathBuf,
    /// Connector files (.properties or .json) to create at start
    #[arg(value_name = "CONNECTOR")]
    connectors: Vec<PathBuf>,
    /// A worker setting that wins over the file; may be given many times
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Write the addresses to this file as JSON once the worker answers
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
}

/// Runs until a signal.
pub(crate) async fn run_standalone(arguments: StandaloneArguments) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    let stop = shutdown::on_signal(&mut tasks)
        .context("signal handlers")
        .map_err(Failure::startup)?;
    let mut properties = overrides::read_properties(&arguments.worker)?;
    overrides::apply(&mut properties, &arguments.overrides)?;
    let properties = overrides::filled(&properties).map_err(Failure::startup)?;
    let (config, warnings) = WorkerConfig::parse_standalone(&properties)
        .with_context(|| format!("worker settings in {}", arguments.worker.display()))
        .map_err(Failure::startup)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let files = arguments
        .connectors
        .iter()
        .map(|path| connector_file::read(path))
        .collect::<anyhow::Result<Vec<_>>>();
    let files = files.map_err(Failure::connectors)?;
    let worker = BoundWorker::bind(config).await.map_err(Failure::startup)?;
    let mut running = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        started = worker.start() => started.map_err(Failure::startup)?,
    };
    for file in files {
        if let Err(error) = running.creator().create(file).await {
            running.stop().await;
            return Err(Failure::connectors(error));
        }
    }
    running.set_ready();
    let ready = Ready {
        connect: Some(running.address()),
        ..Ready::default()
    };
    if let Some(path) = &arguments.ready_file {
        ready.write(path).map_err(Failure::startup)?;
    }
    tracing::info!(connect = %running.address(), "standalone worker is ready");
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        ended = running.ended() => ended.map_err(Failure::from),
    };
    running.stop().await;
    outcome
}
