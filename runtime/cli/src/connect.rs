//! `weir connect-standalone FILE CONNECTOR…` and `weir connect-distributed FILE`: Kafka's two workers.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weir_config::properties::Properties;
use weir_worker::error::WorkerError;
use weir_worker::worker_config::WorkerConfig;

use crate::connector_file::ConnectorFile;
use crate::ready::Ready;
use crate::worker_role::{BoundWorker, metrics_of};
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

/// Start a Connect worker of a cluster: workers with the same group.id share the connectors
///
/// Start a worker:           weir connect-distributed connect-distributed.properties
/// A second one beside it:   weir connect-distributed connect-distributed.properties --override listeners=http://127.0.0.1:8084
/// Give it a connector:      curl -X POST -H 'Content-Type: application/json' --data @connector.json localhost:8083/connectors
///
/// The file is the one that Apache Kafka Connect takes; workers of both kinds may share a group. A worker that is stopped hands its
/// connectors over; one that dies is waited for (scheduled.rebalance.max.delay.ms) before its work is given to others.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct DistributedArguments {
    /// A connect-distributed.properties file
    #[arg(value_name = "FILE")]
    worker: PathBuf,
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
    let properties = settings(&arguments.worker, &arguments.overrides)?;
    let parsed = WorkerConfig::parse_standalone(&properties);
    let config = warned(parsed, &arguments.worker)?;
    let files = arguments
        .connectors
        .iter()
        .map(|path| connector_file::read(path))
        .collect::<anyhow::Result<Vec<_>>>();
    let files = files.map_err(Failure::connectors)?;
    serve(config, files, arguments.ready_file.as_deref(), stop).await
}

/// Runs until a signal.
pub(crate) async fn run_distributed(arguments: DistributedArguments) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    let stop = shutdown::on_signal(&mut tasks)
        .context("signal handlers")
        .map_err(Failure::startup)?;
    let properties = settings(&arguments.worker, &arguments.overrides)?;
    let parsed = WorkerConfig::parse_distributed(&properties);
    let config = warned(parsed, &arguments.worker)?;
    serve(config, Vec::new(), arguments.ready_file.as_deref(), stop).await
}

fn settings(file: &Path, given: &[String]) -> Result<Properties, Failure> {
    let mut properties = overrides::read_properties(file)?;
    overrides::apply(&mut properties, given)?;
    overrides::filled(&properties).map_err(Failure::startup)
}

/// Tells the warnings of a worker file.
fn warned(parsed: Result<(WorkerConfig, Vec<String>), WorkerError>, file: &Path) -> Result<WorkerConfig, Failure> {
    let (config, warnings) = parsed
        .with_context(|| format!("worker settings in {}", file.display()))
        .map_err(Failure::startup)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

async fn serve(
    config: WorkerConfig,
    files: Vec<ConnectorFile>,
    ready_file: Option<&Path>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let metrics = metrics_of(&config);
    let worker = BoundWorker::bind(config, metrics).await.map_err(Failure::startup)?;
    let mut running = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        started = worker.start() => started.map_err(Failure::startup)?,
    };
    match running.begin(files, &stop).await {
        Ok(true) => {}
        Ok(false) => {
            running.stop().await;
            return Ok(());
        }
        Err(failure) => {
            running.stop().await;
            return Err(failure);
        }
    }
    let ready = Ready {
        connect: Some(running.url().to_owned()),
        ..Ready::default()
    };
    if let Some(path) = ready_file {
        ready.write(path).map_err(Failure::startup)?;
    }
    tracing::info!(connect = running.url(), "Connect worker is ready");
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        ended = running.ended() => ended.map_err(Failure::from),
    };
    running.stop().await;
    outcome
}
