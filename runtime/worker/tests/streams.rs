//! Both loops against the bundled broker, with the bundled file connectors.
//!
//! A file goes through a source task into a topic and through a sink task into another file. No herder
//! and no REST: the worker is driven by hand, statuses are read from its events.

use std::io::Write as _;
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

const PATIENCE: Duration = Duration::from_secs(60);

struct House {
    dir: TempDir,
    worker: Arc<Worker>,
    offsets: OffsetStore,
    events: mpsc::Receiver<WorkerEvent>,
    stop: CancellationToken,
    broker: tokio::task::JoinHandle<()>,
}

impl House {
    async fn open(extra: &str) -> Self {
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
            dir,
            worker,
            offsets,
            events,
            stop,
            broker,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn source(&self, name: &str, file: &str, topic: &str) -> ConfigMap {
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

    fn sink(&self, name: &str, file: &str, topics: &str) -> ConfigMap {
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

    /// Starts a connector and its tasks as a herder would.
    async fn start(&mut self, config: &ConfigMap) -> TaskId {
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
        self.start_task(&id, config, &configs[0]).await;
        id
    }

    async fn start_task(&mut self, id: &TaskId, config: &ConfigMap, task: &ConfigMap) {
        self.worker
            .start_task(id.clone(), config, task, TargetState::Started, TaskCount(1))
            .await
            .unwrap();
        self.task_is(id, State::Running).await;
    }

    async fn connector_is(&mut self, name: &str, wanted: State) {
        self.event(|event| matches!(event, WorkerEvent::ConnectorStatus { name: of, state, .. } if of == name && *state == wanted)).await;
    }

    async fn task_is(&mut self, id: &TaskId, wanted: State) -> Option<String> {
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

    async fn event(&mut self, wanted: impl Fn(&WorkerEvent) -> bool) -> WorkerEvent {
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

    async fn close(self) {
        self.worker.shutdown().await;
        self.stop.cancel();
        timeout(PATIENCE, self.broker).await.unwrap().unwrap();
    }
}

async fn plugins() -> Arc<Plugins> {
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
async fn becomes(path: &Path, expected: &str) {
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

fn lines(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("line {number} of the file\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_flows_through_a_topic_into_another_file() {
    let mut house = House::open("").await;
    std::fs::write(house.path("in.txt"), lines(0..20_000)).unwrap();
    let (source, sink) = (house.source("src", "in.txt", "t"), house.sink("snk", "out.txt", "t"));
    house.start(&source).await;
    house.start(&sink).await;
    becomes(&house.path("out.txt"), &lines(0..20_000)).await;
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(house.path("in.txt"))
        .unwrap();
    file.write_all(lines(20_000..20_100).as_bytes()).unwrap();
    becomes(&house.path("out.txt"), &lines(0..20_100)).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_source_commits_and_goes_on_where_it_was() {
    let mut house = House::open("offset.flush.interval.ms=3600000\n").await;
    std::fs::write(house.path("in.txt"), lines(0..1000)).unwrap();
    let (source, sink) = (house.source("src", "in.txt", "t"), house.sink("snk", "out.txt", "t"));
    let id = house.start(&source).await;
    house.start(&sink).await;
    becomes(&house.path("out.txt"), &lines(0..1000)).await;
    house.worker.stop_tasks(std::slice::from_ref(&id)).await;
    house.task_is(&id, State::Unassigned).await;
    let partition = format!("{{\"filename\":\"{}\"}}", house.path("in.txt").display());
    let position = lines(0..1000).len();
    assert_eq!(
        house.offsets.read("src", &[partition]),
        [Some(format!("{{\"position\":{position}}}"))]
    );
    std::fs::write(house.path("in.txt"), lines(0..1500)).unwrap();
    let configs = house.worker.connector_task_configs("src", &source).await.unwrap();
    house.start_task(&id, &source, &configs[0]).await;
    becomes(&house.path("out.txt"), &lines(0..1500)).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_sink_reads_nothing_twice() {
    let mut house = House::open("offset.flush.interval.ms=3600000\n").await;
    std::fs::write(house.path("in.txt"), lines(0..3000)).unwrap();
    let (source, sink) = (house.source("src", "in.txt", "t"), house.sink("snk", "out.txt", "t"));
    house.start(&source).await;
    let id = house.start(&sink).await;
    becomes(&house.path("out.txt"), &lines(0..3000)).await;
    house.worker.stop_tasks(std::slice::from_ref(&id)).await;
    house.task_is(&id, State::Unassigned).await;
    std::fs::OpenOptions::new()
        .append(true)
        .open(house.path("in.txt"))
        .unwrap()
        .write_all(lines(3000..3010).as_bytes())
        .unwrap();
    let configs = house.worker.connector_task_configs("snk", &sink).await.unwrap();
    house.start_task(&id, &sink, &configs[0]).await;
    becomes(&house.path("out.txt"), &lines(0..3010)).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_tasks_stand_still_and_resumed_ones_go_on() {
    let mut house = House::open("").await;
    std::fs::write(house.path("in.txt"), lines(0..10)).unwrap();
    let (source, sink) = (house.source("src", "in.txt", "t"), house.sink("snk", "out.txt", "t"));
    let source_id = house.start(&source).await;
    let sink_id = house.start(&sink).await;
    becomes(&house.path("out.txt"), &lines(0..10)).await;
    house.worker.set_target_state("src", TargetState::Paused).await.unwrap();
    house.task_is(&source_id, State::Paused).await;
    house.worker.set_target_state("snk", TargetState::Paused).await.unwrap();
    house.task_is(&sink_id, State::Paused).await;
    std::fs::OpenOptions::new()
        .append(true)
        .open(house.path("in.txt"))
        .unwrap()
        .write_all(lines(10..20).as_bytes())
        .unwrap();
    house
        .worker
        .set_target_state("src", TargetState::Started)
        .await
        .unwrap();
    house.task_is(&source_id, State::Running).await;
    house
        .worker
        .set_target_state("snk", TargetState::Started)
        .await
        .unwrap();
    house.task_is(&sink_id, State::Running).await;
    becomes(&house.path("out.txt"), &lines(0..20)).await;
    house
        .worker
        .set_target_state("src", TargetState::Stopped)
        .await
        .unwrap();
    house.task_is(&source_id, State::Unassigned).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_by_pattern_and_topics_created_by_rule() {
    let mut house = House::open("").await;
    std::fs::write(house.path("in.txt"), lines(0..300)).unwrap();
    let mut source = house.source("src", "in.txt", "made-1");
    source.insert("topic.creation.default.partitions", "1");
    source.insert("topic.creation.default.replication.factor", "1");
    let mut sink = house.sink("snk", "out.txt", "");
    sink.remove("topics");
    sink.insert("topics.regex", "made-[0-9]+");
    house.start(&source).await;
    house.start(&sink).await;
    becomes(&house.path("out.txt"), &lines(0..300)).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_converted_fails_the_task_or_is_left_out() {
    let mut house = House::open("").await;
    std::fs::write(house.path("in.txt"), "{\"a\":1}\nno json\n{\"b\":2}\n").unwrap();
    let source = house.source("src", "in.txt", "t");
    house.start(&source).await;
    let mut sink = house.sink("strict", "strict.txt", "t");
    sink.insert("value.converter", "org.apache.kafka.connect.json.JsonConverter");
    sink.insert("value.converter.schemas.enable", "false");
    let configs = {
        house
            .worker
            .start_connector("strict", &sink, TargetState::Started)
            .await
            .unwrap();
        house.worker.connector_task_configs("strict", &sink).await.unwrap()
    };
    let id = TaskId {
        connector: "strict".to_owned(),
        task: 0,
    };
    house
        .worker
        .start_task(id.clone(), &sink, &configs[0], TargetState::Started, TaskCount(1))
        .await
        .unwrap();
    let trace = house.task_is(&id, State::Failed).await.unwrap();
    assert!(
        trace.starts_with("org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\n"),
        "{trace}"
    );
    assert!(
        trace.contains(
            "Caused by: org.apache.kafka.connect.errors.DataException: Converting byte[] to Kafka Connect data failed"
        ),
        "{trace}"
    );
    let mut sink = house.sink("lenient", "lenient.txt", "t");
    sink.insert("value.converter", "org.apache.kafka.connect.json.JsonConverter");
    sink.insert("value.converter.schemas.enable", "false");
    sink.insert("errors.tolerance", "all");
    house.start(&sink).await;
    becomes(&house.path("lenient.txt"), "{a=1}\n{b=2}\n").await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_cannot_be_built_says_why() {
    let mut house = House::open("connector.client.config.override.policy=None\n").await;
    let id = TaskId {
        connector: "src".to_owned(),
        task: 0,
    };
    for (key, value, expected) in [
        ("transforms", "a", "transformations are not built yet"),
        ("value.converter", "com.example.Nothing", "com.example.Nothing"),
        ("producer.override.acks", "1", "Client Config Overrides not allowed"),
        (
            "connector.class",
            "com.example.Nothing",
            "Failed to find any class that implements Connector",
        ),
        ("tasks.max", "0", "tasks.max"),
    ] {
        let mut config = house.source("src", "in.txt", "t");
        config.insert(key, value);
        let error = house
            .worker
            .start_task(id.clone(), &config, &config, TargetState::Started, TaskCount(1))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{key}: {error}");
        let trace = house.task_is(&id, State::Failed).await.unwrap();
        assert!(
            trace.starts_with(
                "org.apache.kafka.connect.errors.ConnectException: Failed to start task src-0\nCaused by: "
            ),
            "{trace}"
        );
        assert!(trace.contains(expected), "{key}: {trace}");
    }
    assert!(house.worker.task_ids("src").is_empty());
    house.close().await;
}
