//! A worker over the bundled broker, driven by hand: what the tests of this folder share.
//!
//! No herder and no REST: statuses are read from the worker's events.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use weir_config::map::ConfigMap;
use weir_config::properties::Properties;
use weir_plugins::limits::Limits;
use weir_plugins::plugins::{BundledComponent, PluginSettings, Plugins};
use weir_plugins::policy::Grants;
use weir_server::broker::Broker;
use weir_server::broker_config::BrokerConfig;
use weir_stores::configs::state::TargetState;
use weir_stores::offsets::OffsetStore;
use weir_stores::status::records::State;
use weir_worker::lifecycle::{TaskId, WorkerEvent};
use weir_worker::settings::WorkerSettings;
use weir_worker::worker::{TaskCount, Worker};
use weir_worker::worker_config::WorkerConfig;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct House {
    pub address: std::net::SocketAddr,
    pub dir: TempDir,
    pub worker: Arc<Worker>,
    pub offsets: OffsetStore,
    pub events: mpsc::Receiver<WorkerEvent>,
    pub stop: CancellationToken,
    pub broker: tokio::task::JoinHandle<()>,
}

impl House {
    pub(crate) async fn open(extra: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let bound = Broker::bind(BrokerConfig::bundled(&dir.path().join("log"), "127.0.0.1", 0)).unwrap();
        let address = bound.addresses()[0];
        let stop = CancellationToken::new();
        let broker_stop = stop.clone();
        let broker = tokio::spawn(async move { bound.run(broker_stop).await.unwrap() });
        let text = format!(
            "bootstrap.servers={address}\noffset.storage.file.filename=unused\noffset.flush.interval.ms=200\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.storage.StringConverter\n{extra}"
        );
        let (config, warnings) = WorkerConfig::parse_standalone(&Properties::parse(&text).unwrap()).unwrap();
        assert_eq!(warnings, [""; 0]);
        let offsets = OffsetStore::memory();
        offsets.start().await.unwrap();
        let (sender, events) = mpsc::channel(100);
        let worker = Arc::new(Worker::new(
            WorkerSettings::from_config(&config).expect("settings"),
            plugins().await,
            offsets.clone(),
            sender,
        ));
        Self {
            address,
            dir,
            worker,
            offsets,
            events,
            stop,
            broker,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn source(&self, name: &str, file: &str, topic: &str) -> ConfigMap {
        let file = self.path(file);
        [
            ("name", name),
            ("connector.class", "FileStreamSource"),
            ("file", file.to_str().unwrap()),
            ("topic", topic),
        ]
        .into_iter()
        .collect()
    }

    pub(crate) fn sink(&self, name: &str, file: &str, topics: &str) -> ConfigMap {
        let file = self.path(file);
        [
            ("name", name),
            (
                "connector.class",
                "org.apache.kafka.connect.file.FileStreamSinkConnector",
            ),
            ("file", file.to_str().unwrap()),
            ("topics", topics),
        ]
        .into_iter()
        .collect()
    }

    /// Starts a connector and its task as a herder would, and waits until the task runs.
    pub(crate) async fn start(&mut self, config: &ConfigMap) -> TaskId {
        let id = self.begin(config).await;
        self.task_is(&id, State::Running).await;
        id
    }

    /// Starts a connector and its task.
    pub(crate) async fn begin(&mut self, config: &ConfigMap) -> TaskId {
        let name = config.get("name").unwrap();
        self.worker
            .start_connector(name, config, TargetState::Started)
            .await
            .unwrap();
        self.connector_is(name, State::Running).await;
        let configs = self.worker.connector_task_configs(name, config).await.unwrap();
        assert_eq!(configs.len(), 1);
        let id = TaskId {
            connector: name.to_owned(),
            task: 0,
        };
        self.worker
            .start_task(id.clone(), config, &configs[0], TargetState::Started, TaskCount(1))
            .await
            .unwrap();
        id
    }

    pub(crate) async fn start_task(&mut self, id: &TaskId, config: &ConfigMap, task: &ConfigMap) {
        self.worker
            .start_task(id.clone(), config, task, TargetState::Started, TaskCount(1))
            .await
            .unwrap();
        self.task_is(id, State::Running).await;
    }

    pub(crate) async fn connector_is(&mut self, name: &str, wanted: State) {
        self.event(|event| matches!(event, WorkerEvent::ConnectorStatus { name: of, state, .. } if of == name && *state == wanted)).await;
    }

    pub(crate) async fn task_is(&mut self, id: &TaskId, wanted: State) -> Option<String> {
        let event = self
            .event(
                |event| matches!(event, WorkerEvent::TaskStatus { id: of, state, .. } if of == id && *state == wanted),
            )
            .await;
        match event {
            WorkerEvent::TaskStatus { trace, .. } => trace,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn event(&mut self, wanted: impl Fn(&WorkerEvent) -> bool) -> WorkerEvent {
        let find = async {
            loop {
                let event = self.events.recv().await.unwrap();
                if wanted(&event) {
                    return event;
                }
                if let WorkerEvent::TaskStatus {
                    state: State::Failed,
                    trace: Some(trace),
                    ..
                } = &event
                {
                    panic!("a task failed: {trace}");
                }
            }
        };
        timeout(PATIENCE, find).await.expect("the event comes in time")
    }

    pub(crate) async fn close(self) {
        self.worker.shutdown().await;
        self.stop.cancel();
        timeout(PATIENCE, self.broker).await.unwrap().unwrap();
    }
}

pub(crate) async fn plugins() -> Arc<Plugins> {
    let settings = PluginSettings {
        plugin_path: Vec::new(),
        // Beside the test binary: compiled once for all tests and runs.
        cache_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("code")),
        grants: Grants::parse(&ConfigMap::new()).unwrap(),
        limits: Limits::default(),
        worker_id: "worker:1".to_owned(),
        ..PluginSettings::default()
    };
    let bundled = weir_bundled::components()
        .iter()
        .map(|one| BundledComponent {
            name: one.name,
            wasm_zstd: one.wasm_zstd,
            manifest_json: one.manifest_json,
        })
        .collect();
    Plugins::open(settings, bundled).await.unwrap()
}

/// Waits until a file holds what is expected; at the deadline shows how far it came.
pub(crate) async fn becomes(path: &Path, expected: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = std::fs::read_to_string(path).unwrap_or_default();
        if found == expected {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{} holds {} of {} bytes",
            path.display(),
            found.len(),
            expected.len()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until something holds.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came to hold");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
