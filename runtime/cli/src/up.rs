//! `weir up`: every role in one process.
//!
//! Ports are bound first, then the roles start as clients of each other; when all of them answer, one line and the ready file
//! say so. Stock files are loaded over the defaults, flags over the files.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weir_config::properties::Properties;
use weir_worker::worker_config::{DEFAULT_REGISTRY_URL, WorkerConfig};

use crate::connector_file::{self, ConnectorFile};
use crate::ready::Ready;
use crate::worker_role::{BoundWorker, RunningWorker, metrics_of};
use crate::{Failure, broker, demo, overrides, registry, shutdown};

const SHORTEST_SESSION: &str = "group.min.session.timeout.ms";
const SESSION: &str = "session.timeout.ms";
const HEARTBEAT: &str = "heartbeat.interval.ms";
/// See [`session_timeout_ms`]. Heartbeats come every half second, over loopback.
const SESSION_MS: u32 = 2000;

/// Start every role in one process: broker, Schema Registry and Connect worker
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
    /// Port of the Schema Registry [default: 8081; 0 picks a free one]
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
    /// A schema-registry.properties file for the registry
    #[arg(long, value_name = "FILE")]
    schema_registry: Option<PathBuf>,
    /// A kafka-rest.properties file (not built yet)
    #[arg(long, value_name = "FILE")]
    kafka_rest: Option<PathBuf>,
    /// A zookeeper.properties file: accepted, and not needed
    #[arg(long, value_name = "FILE")]
    zookeeper: Option<PathBuf>,
    /// Live feeds through Avro into topics and a file, to watch (made-up services unless keys are set)
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
        Some(demo::prepare(&arguments.data_dir).await.map_err(Failure::startup)?)
    } else {
        None
    };

    let broker_properties = broker_properties(&arguments)?;
    let broker_config = broker::configure(&broker_properties).map_err(Failure::startup)?;
    let bound = broker::bind(broker_config).map_err(Failure::startup)?;
    let kafka = bound
        .addresses()
        .first()
        .copied()
        .ok_or_else(|| anyhow!("the broker has no listener"))?;
    let registry_config = registry::configure(&registry_properties(&arguments, kafka)?).map_err(Failure::startup)?;
    let registry = registry::bind(registry_config).await.map_err(Failure::startup)?;
    let registry_address = registry::first_address(&registry).map_err(Failure::startup)?;
    let session_ms = session_timeout_ms(&broker_properties);
    let worker_config = worker_config(&arguments, kafka, registry_address, session_ms).map_err(Failure::startup)?;
    // One for the process: each role's port shows all of it at /metrics.
    let metrics = metrics_of(&worker_config);
    let (bound, registry) = (
        bound.with_metrics(metrics.clone()),
        registry.with_metrics(metrics.clone()),
    );
    let worker = BoundWorker::bind(worker_config, metrics)
        .await
        .map_err(Failure::startup)?;

    // The broker outlives the others, the registry the worker: last offsets, statuses and schemas go through them.
    let mut servers = Servers::default();
    let broker_stop = servers.broker_stop.clone();
    servers
        .tasks
        .spawn(async move { (Role::Broker, bound.run(broker_stop).await.map_err(anyhow::Error::new)) });
    let registry_ready = registry.ready();
    let registry_stop = servers.registry_stop.clone();
    servers.tasks.spawn(async move {
        (
            Role::Registry,
            registry.run(registry_stop).await.map_err(anyhow::Error::new),
        )
    });
    let start = async {
        let (started, ()) = tokio::join!(worker.start(), registry_ready);
        started
    };
    let started = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        started = start => Some(started.map_err(Failure::startup)?),
        ended = servers.tasks.join_next() => return Err(server_end(ended).into()),
    };
    let mut outcome = Ok(());
    if let Some(running) = started {
        let addresses = Addresses {
            kafka,
            registry: registry_address,
        };
        outcome = serve(&arguments, addresses, running, given, demo, &stop, &mut servers).await;
    }
    let stopped = servers.stop().await;
    outcome.and(stopped.map_err(Failure::from))
}

/// Where the roles answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    /// Kafka listener.
    pub(crate) kafka: SocketAddr,
    /// Schema Registry.
    pub(crate) registry: SocketAddr,
}

/// The roles that others are clients of.
#[derive(Debug, Default)]
struct Servers {
    broker_stop: CancellationToken,
    registry_stop: CancellationToken,
    tasks: JoinSet<(Role, anyhow::Result<()>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Broker,
    Registry,
}

impl Servers {
    /// Stops the registry, then the broker.
    async fn stop(mut self) -> anyhow::Result<()> {
        self.registry_stop.cancel();
        let mut outcome = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok((Role::Registry, Ok(()))) => self.broker_stop.cancel(),
                Ok((Role::Broker, Ok(()))) if self.broker_stop.is_cancelled() => {}
                other => {
                    // One that fails while stopping must not keep the other running.
                    self.broker_stop.cancel();
                    outcome = Err(server_end(Some(other)));
                }
            }
        }
        outcome
    }
}

/// Creates connectors, says that all is ready, and waits for the end of anything.
async fn serve(
    arguments: &UpArguments,
    addresses: Addresses,
    mut running: RunningWorker,
    given: Vec<ConnectorFile>,
    demo: Option<demo::Demo>,
    stop: &CancellationToken,
    servers: &mut Servers,
) -> Result<(), Failure> {
    match running.begin(given, stop).await {
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
        kafka: Some(addresses.kafka),
        registry: Some(addresses.registry),
        connect: Some(running.url().to_owned()),
        ..Ready::default()
    };
    if let Some(path) = &arguments.ready_file {
        ready.write(path).map_err(Failure::startup)?;
    }
    announce(addresses, running.url(), &arguments.data_dir);
    let (creator, connect) = (running.creator(), running.url().to_owned());
    let watch = async {
        if let Some(demo) = &demo {
            demo::watch(demo, &creator, addresses, &connect).await;
        }
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        ended = running.ended() => ended.map_err(Failure::from),
        ended = servers.tasks.join_next() => Err(server_end(ended).into()),
        () = watch => Ok(()),
    };
    running.stop().await;
    outcome
}

#[allow(clippy::print_stdout, reason = "the line a person waits for")]
fn announce(addresses: Addresses, connect: &str, data_dir: &Path) {
    let Addresses { kafka, registry } = addresses;
    println!(
        "weir is ready: Kafka on {kafka}, Schema Registry on http://{registry}, Connect REST on {connect}, data in {}; Ctrl-C stops it",
        data_dir.display()
    );
}

type ServerEnd = Option<Result<(Role, anyhow::Result<()>), tokio::task::JoinError>>;

fn server_end(ended: ServerEnd) -> anyhow::Error {
    let name = |role: Role| match role {
        Role::Broker => "the broker",
        Role::Registry => "the schema registry",
    };
    match ended {
        Some(Ok((role, Err(error)))) => error.context(format!("{} failed", name(role))),
        Some(Ok((role, Ok(())))) => anyhow!("{} ended by itself", name(role)),
        Some(Err(error)) => anyhow::Error::new(error).context("the broker or the schema registry crashed"),
        None => anyhow!("the broker and the schema registry ended by themselves"),
    }
}

fn read_connectors(paths: &[PathBuf]) -> anyhow::Result<Vec<ConnectorFile>> {
    paths.iter().map(|path| connector_file::read(path)).collect()
}

fn tell_what_is_not_built(arguments: &UpArguments) {
    if arguments.zookeeper.is_some() {
        tracing::info!("--zookeeper: no ZooKeeper is needed, Kafka itself removed it in 4.0");
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
    properties.insert(SHORTEST_SESSION, SESSION_MS.to_string());
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

/// Defaults, then the file, then flags; its Kafka is the broker beside it.
fn registry_properties(arguments: &UpArguments, kafka: SocketAddr) -> anyhow::Result<Properties> {
    let mut properties = Properties::default();
    let own_listener = |port: u16| listener("http", &arguments.listen, port);
    properties.insert("listeners", own_listener(arguments.registry_port.unwrap_or(8081)));
    if let Some(path) = &arguments.schema_registry {
        for (key, value) in overrides::read_properties(path)?.iter() {
            properties.insert(key, value);
        }
        if let Some(port) = arguments.registry_port {
            properties.insert("listeners", own_listener(port));
        }
    }
    properties.insert("kafkastore.bootstrap.servers", format!("PLAINTEXT://{kafka}"));
    Ok(properties)
}

/// The session timeout of a worker that lives and dies with its broker: after a kill, the new process waits as long for the old one's
/// place in the group. No shorter than the broker allows.
fn session_timeout_ms(broker: &Properties) -> u32 {
    let shortest = broker.get(SHORTEST_SESSION).and_then(|text| text.trim().parse().ok());
    shortest.unwrap_or(SESSION_MS).max(SESSION_MS)
}

fn worker_config(
    arguments: &UpArguments,
    kafka: SocketAddr,
    registry: SocketAddr,
    session_ms: u32,
) -> anyhow::Result<WorkerConfig> {
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
    properties.insert(SESSION, session_ms.to_string());
    properties.insert(HEARTBEAT, (session_ms / 2).to_string());
    properties.insert("bootstrap.servers", kafka.to_string());
    properties.insert(DEFAULT_REGISTRY_URL, format!("http://{registry}"));
    // Who may use REST on loopback may read these files anyway; beyond loopback the operator decides.
    let is_loopback = arguments
        .listen
        .parse()
        .is_ok_and(|address: IpAddr| address.is_loopback());
    if is_loopback || arguments.listen == "localhost" {
        properties.insert("config.providers", "file,directory,env");
        for (name, class) in [
            ("file", "FileConfigProvider"),
            ("directory", "DirectoryConfigProvider"),
            ("env", "EnvVarConfigProvider"),
        ] {
            let class = format!("org.apache.kafka.common.config.provider.{class}");
            properties.insert(format!("config.providers.{name}.class"), class);
        }
    }
    let connect_listener = |port: u16| listener("http", &arguments.listen, port);
    properties.insert("listeners", connect_listener(arguments.connect_port.unwrap_or(8083)));
    if let Some(path) = &arguments.connect {
        let file = overrides::read_properties(path)?;
        if file.get(SESSION).or(file.get(HEARTBEAT)).is_some() {
            // The two belong together.
            properties.remove(SESSION);
            properties.remove(HEARTBEAT);
        }
        for (key, value) in file.iter() {
            properties.insert(key, value);
        }
        // The worker of `weir up` belongs to the broker beside it, whatever port that got.
        properties.insert("bootstrap.servers", kafka.to_string());
        if let Some(port) = arguments.connect_port {
            properties.insert("listeners", connect_listener(port));
        }
    }
    let properties = overrides::filled(&properties)?;
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
