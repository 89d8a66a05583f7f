//! The Connect worker as a role: REST socket, plugins, stores, worker, herder.
//!
//! Standalone and distributed workers differ in their stores and in the herder's mode only. The socket is bound before
//! anything else starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weir_client::admin::{Admin, Isolation};
use weir_client::client_config::{Translated, translate_producer};
use weir_client::group_member::GroupSettings;
use weir_client::wire::WireSettings;
use weir_config::properties::Properties;
use weir_herder::distributed::forward::http_client;
use weir_herder::distributed::member::GroupParts;
use weir_herder::distributed::session_key::{KeySettings, MacAlgorithm};
use weir_herder::error::HerderError;
use weir_herder::group::protocol::{ConnectProtocol, PROTOCOL_TYPE};
use weir_herder::herder::{Herder, HerderParts};
use weir_herder::info::{CONNECT_VERSION, ServerInfo};
use weir_herder::validate::WorkerConverters;
use weir_metrics::clock::Clock;
use weir_metrics::registry::MetricRegistry;
use weir_metrics::sensor::Windows;
use weir_plugins::egress::settings::HttpSettings;
use weir_plugins::limits::Limits;
use weir_plugins::plugins::{BundledComponent, PluginSettings, Plugins};
use weir_plugins::policy::Grants;
use weir_rest::forward::Forwarder;
use weir_rest::rest_config::Scheme;
use weir_rest::server::{AdvertisedUrl, Api, BoundRest};
use weir_secrets::providers::Providers;
use weir_stores::configs::ConfigStore;
use weir_stores::internal_topic::{InternalTopic, Purpose, client_id_base};
use weir_stores::offsets::OffsetStore;
use weir_stores::status::StatusStore;
use weir_worker::settings::WorkerSettings;
use weir_worker::worker::Worker;
use weir_worker::worker_config::{
    DEFAULT_REGISTRY_URL, DistributedSettings, ExactlyOnceSource, InterWorkerSettings, WorkerConfig, WorkerMode,
    is_client_key,
};

use crate::connector_file::ConnectorFile;
use crate::creator::Creator;
use crate::{Failure, logging};

/// Events of the data plane that may wait for the herder; tasks wait beyond it.
const WORKER_EVENTS: usize = 1024;
/// Time after which it is said that no broker answers.
const SILENCE: Duration = Duration::from_secs(2);

/// A worker whose REST socket is bound.
#[derive(Debug)]
pub(crate) struct BoundWorker {
    config: WorkerConfig,
    rest: BoundRest,
    metrics: MetricRegistry,
}

/// A worker that runs.
#[derive(Debug)]
pub(crate) struct RunningWorker {
    url: String,
    api: Api,
    is_standalone: bool,
    stop: CancellationToken,
    roles: JoinSet<anyhow::Result<()>>,
}

struct Stores {
    configs: ConfigStore,
    offsets: OffsetStore,
    status: StatusStore,
}

/// Where a worker with these settings, and what runs beside it, shows what it measures.
pub(crate) fn metrics_of(config: &WorkerConfig) -> MetricRegistry {
    let defaults = Windows::default();
    let given = |key: &str| {
        config
            .originals
            .get(key)
            .and_then(|value| value.trim().parse::<u32>().ok())
    };
    let windows = Windows {
        window_ms: given("metrics.sample.window.ms")
            .map_or(defaults.window_ms, i64::from)
            .max(1),
        samples: given("metrics.num.samples")
            .map_or(defaults.samples, |count| count as usize)
            .max(1),
    };
    MetricRegistry::new(windows, Clock::System)
}

impl BoundWorker {
    /// Binds the REST sockets.
    pub(crate) async fn bind(config: WorkerConfig, metrics: MetricRegistry) -> anyhow::Result<Self> {
        let rest = BoundRest::bind(&config.originals).await?;
        Ok(BoundWorker { config, rest, metrics })
    }

    /// Starts everything behind the socket. Answers when the herder and REST are running.
    pub(crate) async fn start(self) -> anyhow::Result<RunningWorker> {
        let url = self.rest.url();
        let advertised = self.rest.advertised(&host_name());
        let worker_id = advertised.authority.clone();
        let plugins = open_plugins(&self.config, &worker_id).await?;
        let wire =
            WireSettings::from_properties(&client_properties(&self.config)).context("client settings of the worker")?;
        let stores = stores(&self.config, &wire)?;
        let admin = Admin::new(wire.with_client_id(format!("{}shared-admin", base_of(&self.config))));
        let servers = self.config.bootstrap_servers.join(",");
        // On the heap: what waits for a cluster is large, and every role's future would be.
        let answers =
            Box::pin(async { tokio::join!(admin.cluster_id(), stores.offsets.start(), stores.status.start()) });
        let (cluster_id, offsets, status) = told_when_silent(&servers, answers).await;
        let cluster_id = cluster_id
            .with_context(|| format!("no Kafka answers on {servers}; start one, or set bootstrap.servers"))?;
        offsets.context("the offsets store cannot start")?;
        status.context("the status store cannot start")?;

        let (events, worker_events) = mpsc::channel(WORKER_EVENTS);
        let settings = WorkerSettings {
            metrics: self.metrics.clone(),
            ..WorkerSettings::from_config(&self.config).context("config.providers")?
        };
        let providers = settings.providers.clone();
        let worker = Arc::new(Worker::new(settings, plugins.clone(), stores.offsets, events));
        let group = match &self.config.mode {
            WorkerMode::Standalone { .. } => None,
            WorkerMode::Distributed(settings) => {
                Some(group_parts(settings, &wire, &advertised, self.rest.client_tls())?)
            }
        };
        let herder = Herder::new(HerderParts {
            group,
            worker_id: worker_id.clone(),
            worker,
            worker_events,
            plugins,
            configs: stores.configs,
            status: stores.status,
            converters: worker_converters(&self.config, providers),
            server: server_info(cluster_id),
            topic_rules: self.config.topics,
            loggers: logging::loggers(),
        });
        let handle = herder.handle();
        let stop = CancellationToken::new();
        let mut roles = JoinSet::new();
        let (herder_stop, rest_stop) = (stop.clone(), stop.clone());
        // A thread of its own, as Apache's herder has: no task of the data plane can hold up a decision.
        let runtime = tokio::runtime::Handle::current();
        roles.spawn_blocking(move || runtime.block_on(herder.run(herder_stop)).context("the herder failed"));
        let api = Api {
            herder: handle.clone(),
            worker_id,
            forwarder: Forwarder::new(self.rest.client_tls())
                .map_err(|error| anyhow!("the client between workers: {error}"))?,
            scheme: Scheme::Http,
            metrics: self.metrics,
        };
        let served = api.clone();
        roles.spawn(async move { self.rest.serve(served, rest_stop).await.context("REST failed") });
        // The first answer shows that the config store was read.
        tokio::select! {
            biased;
            answer = handle.connectors() => match answer {
                Ok(_) => {}
                Err(HerderError::ShuttingDown) => return Err(role_end(roles.join_next().await)),
                Err(error) => return Err(error.into()),
            },
            ended = roles.join_next() => return Err(role_end(ended)),
        }
        Ok(RunningWorker {
            url,
            api,
            is_standalone: matches!(self.config.mode, WorkerMode::Standalone { .. }),
            stop,
            roles,
        })
    }
}

impl RunningWorker {
    /// Where REST listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the member of a group has its share, then creates the connectors given at start; `GET /health` says that start-up is
    /// complete, for a standalone worker when they exist. False: told to stop meanwhile.
    ///
    /// *Errors*: a connector was refused, or a role ended meanwhile, as when the group does not take this worker.
    pub(crate) async fn begin(&mut self, files: Vec<ConnectorFile>, stop: &CancellationToken) -> Result<bool, Failure> {
        let (herder, is_standalone) = (self.api.herder.clone(), self.is_standalone);
        let creator = self.creator();
        let beginning = async move {
            if !is_standalone {
                herder.ready().await;
            }
            for file in files {
                creator.create(file).await?;
            }
            if is_standalone {
                herder.set_ready();
            }
            Ok(())
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Ok(false),
            ended = self.roles.join_next() => Err(Failure::startup(role_end(ended))),
            begun = beginning => begun.map(|()| true).map_err(Failure::connectors),
        }
    }

    /// What creates connectors of files, also while the worker is waited for.
    pub(crate) fn creator(&self) -> Creator {
        Creator::new(self.api.clone())
    }

    /// Waits for a role that ends by itself, which is an error.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        let ended = self.roles.join_next().await;
        Err(role_end(ended))
    }

    /// Stops REST, then connectors and tasks, then the stores.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.roles.join_next().await {
            if !matches!(ended, Ok(Ok(()))) {
                tracing::warn!("{:#}", role_end(Some(ended)));
            }
        }
    }
}

fn role_end(ended: Option<Result<anyhow::Result<()>, tokio::task::JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok(Err(error))) => error,
        Some(Err(error)) => anyhow::Error::new(error).context("a role of the worker crashed"),
        Some(Ok(Ok(()))) | None => anyhow!("a role of the worker ended by itself"),
    }
}

/// Says once that nothing has answered yet, and waits on.
async fn told_when_silent<T>(servers: &str, answers: impl Future<Output = T>) -> T {
    let mut answers = std::pin::pin!(answers);
    if let Ok(answers) = timeout(SILENCE, &mut answers).await {
        return answers;
    }
    tracing::warn!("Kafka has not answered on {servers} yet: waiting for default.api.timeout.ms");
    answers.await
}

/// The version is Connect's, because clients decide by it what they may ask for; the commit tells whose program answers.
fn server_info(cluster_id: Option<String>) -> ServerInfo {
    let revision = option_env!("WEIR_COMMIT").map(|commit| format!("-{commit}"));
    ServerInfo {
        version: CONNECT_VERSION.to_owned(),
        commit: format!("weir-{}{}", env!("CARGO_PKG_VERSION"), revision.unwrap_or_default()),
        kafka_cluster_id: cluster_id.unwrap_or_default(),
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name.to_owned()
    }
}

async fn open_plugins(config: &WorkerConfig, worker_id: &str) -> anyhow::Result<Arc<Plugins>> {
    let settings = PluginSettings {
        plugin_path: config.plugin_path.clone(),
        cache_dir: cache_dir(),
        grants: Grants::parse(&config.originals.to_map()).context("plugin grants")?,
        limits: Limits::default(),
        http: HttpSettings::parse(&config.originals.to_map()).context("HTTP of plugins")?,
        worker_id: worker_id.to_owned(),
    };
    Plugins::open(settings, bundled_components())
        .await
        .context("plugins cannot be opened")
}

/// The connectors that are part of the binary.
pub(crate) fn bundled_components() -> Vec<BundledComponent> {
    weir_bundled::components()
        .iter()
        .map(|component| BundledComponent {
            name: component.name,
            wasm_zstd: component.wasm_zstd,
            manifest_json: component.manifest_json,
        })
        .collect()
}

/// Compiled plugins outlive data directories: they are kept per user.
fn cache_dir() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("WEIR_CACHE_DIR")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("weir")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/weir")))
}

/// The worker's own client settings: everything in its file that is not a converter's or a connector client's.
fn client_properties(config: &WorkerConfig) -> Properties {
    let mut properties = config.originals.clone();
    properties.insert("bootstrap.servers", config.bootstrap_servers.join(","));
    properties
}

/// What the worker joins its group with.
fn group_parts(
    settings: &DistributedSettings,
    wire: &WireSettings,
    advertised: &AdvertisedUrl,
    tls: &Properties,
) -> anyhow::Result<GroupParts> {
    let client_id = match settings.client_id.as_str() {
        "" => format!("connect-{}", advertised.authority),
        given => given.to_owned(),
    };
    let delay_ms = settings.scheduled_rebalance_max_delay.as_millis();
    let protocol = ConnectProtocol::from_config(&settings.connect_protocol);
    Ok(GroupParts {
        wire: wire.with_client_id(client_id),
        settings: GroupSettings {
            group_id: settings.group_id.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            session_timeout: settings.session_timeout,
            rebalance_timeout: settings.rebalance_timeout,
            heartbeat_interval: settings.heartbeat_interval,
        },
        protocol: protocol.with_context(|| format!("connect.protocol {}", settings.connect_protocol))?,
        url: advertised.url(),
        max_delay_ms: i32::try_from(delay_ms).unwrap_or(i32::MAX),
        sync_timeout: settings.worker_sync_timeout,
        unsync_backoff: settings.worker_unsync_backoff,
        keys: key_settings(&settings.inter_worker)?,
        http: http_client(tls).map_err(|error| anyhow!("the client for requests between workers: {error}"))?,
    })
}

fn key_settings(given: &InterWorkerSettings) -> anyhow::Result<KeySettings> {
    let known = |key: &str, name: &str| {
        MacAlgorithm::from_name(name)
            .with_context(|| format!("{key}: {name} is not one of HmacSHA256, HmacSHA384, HmacSHA512"))
    };
    for name in &given.verification_algorithms {
        known("inter.worker.verification.algorithms", name)?;
    }
    if !given.verification_algorithms.contains(&given.signature_algorithm) {
        bail!(
            "inter.worker.verification.algorithms must include inter.worker.signature.algorithm, which is {}",
            given.signature_algorithm
        );
    }
    Ok(KeySettings {
        generation: known("inter.worker.key.generation.algorithm", &given.key_algorithm)?,
        size_bytes: given.key_bits.map(|bits| bits.div_ceil(8) as usize),
        ttl: given.key_ttl,
        signature: known("inter.worker.signature.algorithm", &given.signature_algorithm)?,
        verification: given.verification_algorithms.clone(),
    })
}

fn base_of(config: &WorkerConfig) -> String {
    match &config.mode {
        WorkerMode::Standalone { .. } => "connect-standalone-".to_owned(),
        WorkerMode::Distributed(settings) => client_id_base(&settings.group_id, &settings.client_id),
    }
}

fn stores(config: &WorkerConfig, wire: &WireSettings) -> anyhow::Result<Stores> {
    if let WorkerMode::Standalone { offset_file } = &config.mode {
        return Ok(Stores {
            configs: ConfigStore::memory(),
            offsets: OffsetStore::file(offset_file),
            status: StatusStore::memory(),
        });
    }
    let mut warnings = Vec::new();
    let mut topic = |purpose: Purpose| {
        let topic = InternalTopic::from_properties(purpose, &config.originals, &mut warnings)?;
        let client = wire.with_client_id(format!("{}{}", base_of(config), purpose.client_id_suffix()));
        Ok::<_, weir_stores::error::StoreError>((topic, client))
    };
    let (configs, offsets, statuses) = (
        topic(Purpose::Configs)?,
        topic(Purpose::Offsets)?,
        topic(Purpose::Statuses)?,
    );
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let isolation = match config.exactly_once() {
        ExactlyOnceSource::Enabled => Isolation::ReadCommitted,
        ExactlyOnceSource::Disabled | ExactlyOnceSource::Preparing => Isolation::ReadUncommitted,
    };
    let mut config_store = ConfigStore::topic(configs.0, configs.1, isolation);
    if let Some(producer) = leader_producer(config)? {
        config_store = config_store.with_privileged(producer);
    }
    Ok(Stores {
        configs: config_store,
        offsets: OffsetStore::topic(offsets.0, offsets.1, isolation),
        status: StatusStore::topic(statuses.0, statuses.1),
    })
}

/// Settings of the producer that the leader writes the config topic with, when exactly-once sources are or will be supported.
fn leader_producer(config: &WorkerConfig) -> anyhow::Result<Option<Translated>> {
    /// Abandoned transactions hold up every reader of the topic; a write takes milliseconds.
    const TRANSACTION_TIMEOUT_MS: &str = "10000";
    let WorkerMode::Distributed(settings) = &config.mode else {
        return Ok(None);
    };
    if !settings.exactly_once.uses_transactional_leader() {
        return Ok(None);
    }
    let mut properties = Properties::new();
    properties.insert("bootstrap.servers", config.bootstrap_servers.join(","));
    for (key, value) in client_properties(config).iter().filter(|(key, _)| is_client_key(key)) {
        properties.insert(key, value);
    }
    let (client_id, id) = (
        format!("{}configs-leader", base_of(config)),
        format!("connect-cluster-{}", settings.group_id),
    );
    for (key, value) in [
        ("client.id", client_id.as_str()),
        ("transactional.id", id.as_str()),
        ("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS),
        ("delivery.timeout.ms", "2147483647"),
        ("enable.idempotence", "true"),
        ("acks", "all"),
    ] {
        properties.insert(key, value);
    }
    let producer = translate_producer(&properties).context("client settings of the leader's producer")?;
    Ok(Some(producer))
}

fn worker_converters(config: &WorkerConfig, providers: Arc<Providers>) -> WorkerConverters {
    let class = |key: &str, fallback: &str| config.originals.get(key).unwrap_or(fallback).to_owned();
    WorkerConverters {
        key: class("key.converter", ""),
        value: class("value.converter", ""),
        header: class(
            "header.converter",
            "org.apache.kafka.connect.storage.SimpleHeaderConverter",
        ),
        override_policy: config.override_policy.clone(),
        registry_url: config.originals.get(DEFAULT_REGISTRY_URL).map(str::to_owned),
        providers,
        exactly_once: config.exactly_once() == ExactlyOnceSource::Enabled,
        group_id: config.group_id().map(str::to_owned),
    }
}
