//! What comes of each fault: a status, a text, a line of the log
//!
//! Texts are those of Apache Connect 4.3.1, measured, where it has them. `docs/faults.md` lists the faults with their tests.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::kafka::end_offset;
use weir_tests::process::{PATIENCE, Start, Weir, await_true};
use weir_tests::rest::Rest;

mod blocking;
mod broker_away;
mod forwarding;
mod internal_topics;
mod poison_sinks;
mod poison_sources;
mod records;
mod values;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";

/// A process that runs a worker, and perhaps the broker, with the guests of `tests/guests`.
struct Worker {
    weir: Weir,
    rest: Rest,
    kafka: String,
}

/// Settings that distributed workers of one cluster share.
fn cluster_settings(kafka: &str, group: &str) -> String {
    let mut text = format!(
        "bootstrap.servers={kafka}\ngroup.id={group}\nkey.converter={STRING}\nvalue.converter={STRING}\n\
         session.timeout.ms=6000\nheartbeat.interval.ms=500\nscheduled.rebalance.max.delay.ms=1000\n"
    );
    for storage in ["config", "offset", "status"] {
        text.push_str(&format!(
            "{storage}.storage.topic={group}-{storage}\n{storage}.storage.replication.factor=1\n"
        ));
    }
    text + "offset.storage.partitions=1\nstatus.storage.partitions=1\n"
}

/// Starts `weir connect-distributed` with these settings, without waiting.
fn distributed(settings: &str) -> Weir {
    spawned("connect-distributed", settings)
}

fn spawned(command: &str, settings: &str) -> Weir {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("worker.properties"), settings).expect("worker settings");
    let mut weir = Weir::start_with(Start {
        arguments: vec![command.to_owned(), "{dir}/worker.properties".to_owned()],
        folder: Some(folder.path()),
        max_file_bytes: None,
        environment: Vec::new(),
    })
    .expect("spawned");
    weir.own_folder(folder);
    weir
}

impl Worker {
    /// `weir up` with further settings of its worker.
    fn up(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let text = format!(
            "plugin.path={}\noffset.flush.interval.ms=200\nkey.converter={STRING}\nvalue.converter={STRING}\n{settings}\n",
            plugins().display()
        );
        std::fs::write(folder.path().join("worker.properties"), text).expect("worker settings");
        let (mut weir, ready) = Weir::up_in(folder.path(), &["--connect", "{dir}/worker.properties"]).expect("weir up");
        weir.own_folder(folder);
        Worker {
            rest: Rest::new(ready.connect.as_deref().expect("connect")),
            kafka: ready.kafka.expect("kafka"),
            weir,
        }
    }

    /// A member of a group on the broker at `kafka`.
    fn member(kafka: &str, group: &str, settings: &str) -> Self {
        let text = format!(
            "{}plugin.path={}\noffset.flush.interval.ms=200\nlisteners=http://127.0.0.1:0\n{settings}\n",
            cluster_settings(kafka, group),
            plugins().display()
        );
        Self::ready(distributed(&text), kafka)
    }

    /// A worker on its own.
    fn standalone(kafka: &str, settings: &str) -> Self {
        let text = format!(
            "bootstrap.servers={kafka}\nkey.converter={STRING}\nvalue.converter={STRING}\nplugin.path={}\n\
             offset.storage.file.filename=offsets\noffset.flush.interval.ms=200\nlisteners=http://127.0.0.1:0\n{settings}\n",
            plugins().display()
        );
        Self::ready(spawned("connect-standalone", &text), kafka)
    }

    fn ready(mut weir: Weir, kafka: &str) -> Self {
        let ready = weir.await_ready().expect("ready");
        Worker {
            rest: Rest::new(ready.connect.as_deref().expect("connect")),
            kafka: kafka.to_owned(),
            weir,
        }
    }

    fn path(&self, name: &str) -> String {
        self.weir.folder.join(name).display().to_string()
    }

    fn put(&self, name: &str, config: &Value) {
        self.rest
            .put_connector(name, config)
            .unwrap_or_else(|error| panic!("{error:#}\n{}", self.weir.log_text()));
    }

    /// Waits until the topic holds this many records.
    fn await_end(&self, topic: &str, records: i64) {
        await_true(&format!("{records} records in {topic}"), PATIENCE, || {
            end_offset(&self.kafka, topic).is_some_and(|end| end >= records)
        })
        .unwrap_or_else(|error| panic!("{error:#}\n{}", self.weir.log_text()));
    }

    /// A healthy source that writes without end.
    fn start_neighbour(&self) {
        self.put(
            "neighbour",
            &json!({"connector.class": "Datagen", "topic": "neighbour", "schema": "users", "interval.ms": "20",
                "value.converter": JSON}),
        );
    }

    /// The neighbour goes on.
    fn neighbour_moves(&self) {
        let before = end_offset(&self.kafka, "neighbour").unwrap_or(0);
        await_true("the neighbour writes", PATIENCE, || {
            end_offset(&self.kafka, "neighbour").is_some_and(|end| end > before)
        })
        .unwrap_or_else(|error| panic!("{error:#}: {}", self.rest.status("neighbour")));
    }
}

/// A folder with the guests' component, made once a process.
fn plugins() -> PathBuf {
    static FOLDER: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = weir_tests::side_by_side::scratch().join("outcomes-plugins");
            std::fs::create_dir_all(&folder).expect("plugin folder");
            std::fs::copy(weir_tests::guests::component(), folder.join("guests.wasm")).expect("component");
            folder
        })
        .clone()
}

/// A config with further settings.
fn with(mut config: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    config
}

fn write_lines(path: &str, lines: &[&str]) {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("input");
    for line in lines {
        writeln!(file, "{line}").expect("a line");
    }
}

/// The lines of a trace that name an exception; not what stands below them.
fn exceptions(trace: &str) -> Vec<&str> {
    trace.lines().filter(|line| !line.starts_with(['\t', ' '])).collect()
}

const SOON: Duration = Duration::from_secs(20);
