//! `weir up`: every role in one process.
//!
//! Ports are bound first, then the roles start as clients of each other; when all of them answer, one line and the ready file
//! say so. Stock files are loaded over the defaults, flags over the files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weir_config::properties::Properties;
use weir_worker::worker_config::WorkerConfig;

use crate::connector_file::{self, ConnectorFile};
use crate::ready::Ready;
use crate::worker_role::{BoundWorker, RunningWorker};
use crate::{Failure, broker, demo, overrides, shutdown};

/// Start every role in one process: broker and Connect worker
///
/// Watch records flow:       weir up --demo
/// Run a connector file:     weir up my-source.properties
/// With stock files:         weir up --server server.properties --connect connect-distributed.properties
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct UpArguments {
    /// Connector files (.properties or .json) to create or update at start
    #[arg(value_name = "CONNECTOR")]
    connectors: Vec<PathBuf>,
    /// Where topics and everything else is kept
    #[arg(long, value_name = "DIR", default_value = "weir-data")]
    data_dir: PathBuf,
    /// Host or address that all ports listen on
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    listen: String,
    /// Port of the Kafka listener [default: 9092; 0 picks a free one]
    #[arg(long, value_name = "PORT")]
    kafka_port: Option<u16>,
    /// Port of the Schema Registry (not built yet)
    #[arg(long, value_name = "PORT")]
    registry_port: Option<u16>,
    /// Port of the REST proxy (not built yet)
    #[arg(long, value_name = "PORT")]
    rest_proxy_port: Option<u16>,
    /// Port of the Connect REST API [default: 8083; 0 picks a free one]
    #[arg(long, value_name = "PORT")]
    connect_port: Option<u16>,
    /// A server.properties file for the broker
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// A connect-distributed.properties file for the worker
    #[arg(long, value_name = "FILE")]
    connect: Option<PathBuf>,
    /// A schema-registry.properties file (not built yet)
    #[arg(long, value_name = "FILE")]
    schema_registry: Option<PathBuf>,
    /// A kafka-rest.properties file (not built yet)
    #[arg(long, value_name = "FILE")]
    kafka_rest: Option<PathBuf>,
    /// A zookeeper.properties file: accepted, and not needed
    #[arg(long, value_name = "FILE")]
    zookeeper: Option<PathBuf>,
    /// Two small streams to watch
    #[arg(long)]
    demo: bool,
    /// Write the addresses to this file as JSON once every role answers
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
}

/// Runs until a signal.
pub(crate) async fn run(arguments: UpArguments) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    let stop = shutdown::on_signal(&mut tasks)
        .context("signal handlers")
        .map_err(Failure::startup)?;
    tell_what_is_not_built(&arguments);
    let given = read_connectors(&arguments.connectors)?;
    let demo = if arguments.demo {
        Some(demo::prepare(&arguments.data_dir).map_err(Failure::startup)?)
    } else {
        None
    };

    let broker_config = broker::configure(&broker_properties(&arguments)?).map_err(Failure::startup)?;
    let bound = broker::bind(broker_config).map_err(Failure::startup)?;
    let kafka = bound
        .addresses()
        .first()
        .copied()
        .ok_or_else(|| anyhow!("the broker has no listener"))?;
    let worker_config = worker_config(&arguments, kafka).map_err(Failure::startup)?;
    let worker = BoundWorker::bind(worker_config).await.map_err(Failure::startup)?;

    // The broker outlives the worker: the worker's last offsets and statuses go through it.
    let broker_stop = CancellationToken::new();
    let mut broker_task = JoinSet::new();
    let broker_token = broker_stop.clone();
    broker_task.spawn(async move { bound.run(broker_token).await });
    let started = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        started = worker.start() => Some(started.map_err(Failure::startup)?),
        ended = broker_task.join_next() => return Err(broker_end(ended).into()),
    };
    let mut outcome = Ok(());
    if let Some(running) = started {
        outcome = serve(&arguments, kafka, running, given, demo, &stop, &mut broker_task).await;
    }
    broker_stop.cancel();
    if !broker_task.is_empty() {
        let ended = broker_task.join_next().await;
        if outcome.is_ok() && !matches!(ended, Some(Ok(Ok(())))) {
            outcome = Err(broker_end(ended).into());
        }
    }
    outcome
}

/// Creates connectors, says that all is ready, and waits for the end of anything.
async fn serve(
    arguments: &UpArguments,
    kafka: SocketAddr,
    mut running: RunningWorker,
    given: Vec<ConnectorFile>,
    demo: Option<demo::Demo>,
    stop: &CancellationToken,
    broker_task: &mut JoinSet<Result<(), weir_server::error::ServerError>>,
) -> Result<(), Failure> {
    let files = given.into_iter().chain(
        demo.as_ref()
            .into_iter()
            .flat_map(|demo| demo.connectors.iter().cloned()),
    );
    for file in files {
        if let Err(error) = running.create(file).await {
            running.stop().await;
            return Err(Failure::connectors(error));
        }
    }
    let connect = running.address();
    let ready = Ready {
        kafka: Some(kafka),
        connect: Some(connect),
        ..Ready::default()
    };
    if let Some(path) = &arguments.ready_file {
        ready.write(path).map_err(Failure::startup)?;
    }
    announce(kafka, connect, &arguments.data_dir);
    let watch = async {
        if let Some(demo) = &demo {
            demo::watch(demo, kafka, connect).await;
        }
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        ended = running.ended() => ended.map_err(Failure::from),
        ended = broker_task.join_next() => Err(broker_end(ended).into()),
        () = watch => Ok(()),
    };
    running.stop().await;
    outcome
}

#[allow(clippy::print_stdout, reason = "the line a person waits for")]
fn announce(kafka: SocketAddr, connect: SocketAddr, data_dir: &Path) {
    println!(
        "weir is ready: Kafka on {kafka}, Connect REST on http://{connect}, data in {}; Ctrl-C stops it",
        data_dir.display()
    );
}

type BrokerEnd = Option<Result<Result<(), weir_server::error::ServerError>, tokio::task::JoinError>>;

fn broker_end(ended: BrokerEnd) -> anyhow::Error {
    match ended {
        Some(Ok(Err(error))) => anyhow::Error::new(error).context("the broker failed"),
        Some(Err(error)) => anyhow::Error::new(error).context("the broker crashed"),
        Some(Ok(Ok(()))) | None => anyhow!("the broker ended by itself"),
    }
}

fn read_connectors(paths: &[PathBuf]) -> anyhow::Result<Vec<ConnectorFile>> {
    paths.iter().map(|path| connector_file::read(path)).collect()
}

fn tell_what_is_not_built(arguments: &UpArguments) {
    if arguments.zookeeper.is_some() {
        tracing::info!("--zookeeper: no ZooKeeper is needed, Kafka itself removed it in 4.0");
    }
    if arguments.registry_port.is_some() || arguments.schema_registry.is_some() {
        tracing::warn!("the Schema Registry is not built yet; its flags have no effect");
    }
    if arguments.rest_proxy_port.is_some() || arguments.kafka_rest.is_some() {
        tracing::warn!("the REST proxy is not built yet; its flags have no effect");
    }
}

/// Defaults, then the file, then flags.
fn broker_properties(arguments: &UpArguments) -> anyhow::Result<Properties> {
    let mut properties = Properties::default();
    properties.insert("log.dirs", arguments.data_dir.join("kafka").display().to_string());
    properties.insert(
        "listeners",
        listener("PLAINTEXT", &arguments.listen, arguments.kafka_port.unwrap_or(9092)),
    );
    // Three seconds at every start help nobody on one machine.
    properties.insert("group.initial.rebalance.delay.ms", "0");
    if let Some(path) = &arguments.server {
        for (key, value) in overrides::read_properties(path)?.iter() {
            properties.insert(key, value);
        }
        if let Some(port) = arguments.kafka_port {
            properties.insert("listeners", listener("PLAINTEXT", &arguments.listen, port));
            properties.remove("advertised.listeners");
        }
    }
    Ok(properties)
}

fn worker_config(arguments: &UpArguments, kafka: SocketAddr) -> anyhow::Result<WorkerConfig> {
    let mut properties = Properties::default();
    for (key, value) in [
        ("group.id", "connect-cluster"),
        ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("config.storage.topic", "connect-configs"),
        ("offset.storage.topic", "connect-offsets"),
        ("status.storage.topic", "connect-status"),
        ("config.storage.replication.factor", "1"),
        ("offset.storage.replication.factor", "1"),
        ("status.storage.replication.factor", "1"),
        ("offset.flush.interval.ms", "10000"),
    ] {
        properties.insert(key, value);
    }
    properties.insert("bootstrap.servers", kafka.to_string());
    let connect_listener = |port: u16| listener("http", &arguments.listen, port);
    properties.insert("listeners", connect_listener(arguments.connect_port.unwrap_or(8083)));
    if let Some(path) = &arguments.connect {
        for (key, value) in overrides::read_properties(path)?.iter() {
            properties.insert(key, value);
        }
        // The worker of `weir up` belongs to the broker beside it, whatever port that got.
        properties.insert("bootstrap.servers", kafka.to_string());
        if let Some(port) = arguments.connect_port {
            properties.insert("listeners", connect_listener(port));
        }
    }
    let (config, warnings) = WorkerConfig::parse_distributed(&properties).context("worker settings")?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

fn listener(scheme: &str, host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("{scheme}://[{host}]:{port}")
    } else {
        format!("{scheme}://{host}:{port}")
    }
}
