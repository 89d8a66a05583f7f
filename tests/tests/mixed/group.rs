//! A worker group over the suite's Apache Kafka, with workers of either kind from one file, and a flow of lines through it.
//!
//! The workers' files differ in their port alone: plugin path and discovery are Java's in both.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use weir_tests::apache::{JavaWorker, Running, broker_of_suite, free_port, peers};
use weir_tests::kafka::{Isolation, read_contents, read_now};
use weir_tests::process::{PATIENCE, await_true, await_value, weir_binary};
use weir_tests::rest::{Answer, Rest};
use weir_tests::side_by_side::{SINK, SOURCE, STRING, scratch};

/// Workers with this group id, and what they need.
pub struct Group {
    pub name: &'static str,
    pub folder: PathBuf,
    settings: String,
}

/// One worker; killed when dropped.
pub struct Worker {
    pub rest: Rest,
    process: Running,
}

/// Where each connector (`c`) and task (`c-0`) runs.
pub type Placement = BTreeMap<String, String>;

/// The broker of this file.
pub fn kafka() -> &'static str {
    broker_of_suite("mixed")
}

impl Group {
    /// A group with these settings besides those of all.
    pub fn new(name: &'static str, more: &str) -> Self {
        let folder = scratch().join(format!("mixed-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("folder");
        let mut settings = format!(
            "bootstrap.servers={}\ngroup.id={name}\nplugin.path={}\nplugin.discovery=service_load\nkey.converter={STRING}\n\
             value.converter={STRING}\noffset.flush.interval.ms=500\noffset.storage.partitions=3\nstatus.storage.partitions=1\n\
             session.timeout.ms=6000\nheartbeat.interval.ms=500\nconsumer.session.timeout.ms=6000\nscheduled.rebalance.max.delay.ms=1000\n",
            kafka(),
            peers().join("plugins").display()
        );
        for storage in ["config", "offset", "status"] {
            let _ = writeln!(
                settings,
                "{storage}.storage.topic={name}-{storage}\n{storage}.storage.replication.factor=1"
            );
        }
        settings.push_str(more);
        Self { name, folder, settings }
    }

    /// Starts a Java worker and waits until it is in the group.
    pub fn java(&self, name: &str) -> Worker {
        self.java_with(name, "")
    }

    /// As [`Group::java`], with settings of its own.
    pub fn java_with(&self, name: &str, more: &str) -> Worker {
        let port = free_port().expect("port");
        let file = self.file(name, port, more);
        let JavaWorker { rest, process } = JavaWorker::distributed(name, &self.folder, &file, port).expect("Java");
        Worker::ready(rest, process)
    }

    /// Starts a Weir worker and waits until it is in the group.
    pub fn weir(&self, name: &str) -> Worker {
        self.weir_with(name, "")
    }

    /// As [`Group::weir`], with settings of its own.
    pub fn weir_with(&self, name: &str, more: &str) -> Worker {
        let port = free_port().expect("port");
        let file = self.file(name, port, more);
        let arguments = [OsStr::new("connect-distributed"), file.as_os_str()];
        let weir = weir_binary();
        let process = Running::start(name, &self.folder, weir.as_os_str(), &arguments, Stdio::null()).expect("Weir");
        Worker::ready(Rest::new(&format!("http://127.0.0.1:{port}")), process)
    }

    fn file(&self, name: &str, port: u16, more: &str) -> PathBuf {
        let file = self.folder.join(format!("{name}.properties"));
        let text = format!("{}listeners=http://127.0.0.1:{port}\n{more}", self.settings);
        std::fs::write(&file, text).expect("worker file");
        file
    }

    /// Values of all records that the config topic has had, by key.
    pub fn config_records(&self) -> Vec<(String, Value)> {
        self.records("config")
    }

    /// All statuses ever written for a key, oldest first.
    pub fn statuses(&self, key: &str) -> Vec<Value> {
        let all = self.records("status").into_iter();
        all.filter(|(found, _)| found == key).map(|(_, value)| value).collect()
    }

    fn records(&self, storage: &str) -> Vec<(String, Value)> {
        let contents = read_contents(kafka(), &format!("{}-{storage}", self.name)).expect("internal topic");
        let parsed = contents.into_iter().map(|record| {
            let key = String::from_utf8(record.key.unwrap_or_default()).expect("UTF-8");
            let value = serde_json::from_slice(&record.value.unwrap_or_default()).unwrap_or(Value::Null);
            (key, value)
        });
        parsed.collect()
    }

    /// A sink into nowhere with as many tasks as asked for.
    pub fn sink(&self, tasks: usize) -> Value {
        json!({"connector.class": SINK, "topics": format!("{}-idle", self.name), "tasks.max": tasks.to_string(),
            "file": "/dev/null", "consumer.override.group.id": format!("{}-sinks", self.name)})
    }
}

impl Worker {
    fn ready(rest: Rest, mut process: Running) -> Self {
        let asked = rest.clone();
        let ready = || asked.get("/health").is_ok_and(|answer| answer.status == 200);
        process.await_true("the worker is ready", ready).expect("ready");
        Self { rest, process }
    }

    /// As it stands in statuses.
    pub fn id(&self) -> &str {
        self.rest.host()
    }

    /// Stops it in order.
    pub fn stop(mut self) {
        self.process.stop().expect("stops");
    }

    /// SIGKILL.
    pub fn kill(self) {
        drop(self);
    }

    /// Waits until it answers as the leader does.
    pub fn await_leader(&self) {
        // Others would have to pass it on.
        let asked = || self.rest.send("DELETE", "/connectors/nobody?forward=false", None);
        await_true("it leads", PATIENCE, || {
            asked().is_ok_and(|answer| answer.status == 404)
        })
        .unwrap_or_else(|error| panic!("{}: {error}", self.id()));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.process.log_text();
            let from = text.floor_char_boundary(text.len().saturating_sub(6_000));
            eprintln!("---- {}\n{}", self.id(), &text[from..]);
        }
    }
}

/// Asks again while the group rebalances: Java refuses then, changes with 409 and reads with 500.
pub fn ask(worker: &Worker, method: &str, path: &str, body: Option<&Value>) -> Answer {
    await_value("an answer", PATIENCE, || {
        let answer = match body {
            Some(body) => worker.rest.json(method, path, body),
            None => worker.rest.send(method, path, None),
        };
        let answer = answer.expect("the worker answers");
        let is_refused =
            answer.status == 409 || answer.status == 500 && answer.text.contains("a rebalance is expected");
        (!is_refused).then_some(answer)
    })
    .expect(path)
}

/// [`ask`], with the status that is expected.
pub fn asked(worker: &Worker, method: &str, path: &str, body: Option<&Value>, status: u16) -> Answer {
    let answer = ask(worker, method, path, body);
    assert_eq!(
        answer.status,
        status,
        "{method} {path} of {}: {}",
        worker.id(),
        answer.text
    );
    answer
}

/// Creates a connector.
pub fn create(worker: &Worker, name: &str, config: &Value) {
    let body = json!({"name": name, "config": config});
    asked(worker, "POST", "/connectors", Some(&body), 201);
}

/// Waits until each connector runs with so many tasks, in even shares, on these workers and no other.
pub fn await_work(connectors: &[(&str, usize)], workers: &[&Worker]) -> Placement {
    let asked = workers[0];
    let mut last = Placement::new();
    let spread = await_value("work is on these workers", PATIENCE, || {
        last = placement(&asked.rest, connectors)?;
        let shares = |is_task: bool| {
            let count = |worker: &&Worker| {
                let here = |(part, owner): &(&String, &String)| part.contains('-') == is_task && *owner == worker.id();
                last.iter().filter(here).count()
            };
            workers.iter().map(count).collect::<Vec<_>>()
        };
        let [parts, tasks] = [shares(false), shares(true)];
        let even = |shares: &[usize]| shares.iter().max() <= shares.iter().min().map(|least| least + 1).as_ref();
        let all = parts.iter().chain(&tasks).sum::<usize>() == last.len();
        (all && even(&parts) && even(&tasks)).then(|| last.clone())
    });
    spread.unwrap_or_else(|error| panic!("{error}: {last:?}, asked {}", asked.id()))
}

fn placement(rest: &Rest, connectors: &[(&str, usize)]) -> Option<Placement> {
    let mut placement = Placement::new();
    for (name, tasks) in connectors {
        let status = rest.status(name);
        let shown = status["tasks"].as_array()?;
        if shown.len() != *tasks || status["connector"]["state"] != "RUNNING" {
            return None;
        }
        placement.insert(
            (*name).to_owned(),
            status["connector"]["worker_id"].as_str()?.to_owned(),
        );
        for task in shown {
            if task["state"] != "RUNNING" {
                return None;
            }
            placement.insert(format!("{name}-{}", task["id"]), task["worker_id"].as_str()?.to_owned());
        }
    }
    Some(placement)
}

/// Numbered lines that a source reads from one file, and a sink writes into another.
pub struct Lines {
    topic: String,
    input: PathBuf,
    output: PathBuf,
    written: u32,
}

impl Lines {
    /// Starts both, named `in` and `out`, by this worker.
    pub fn start(group: &Group, worker: &Worker, source: &Value) -> Self {
        let lines = Self {
            topic: format!("{}-lines", group.name),
            input: group.folder.join("in.txt"),
            output: group.folder.join("out.txt"),
            written: 0,
        };
        std::fs::write(&lines.input, "").expect("input");
        let mut config =
            json!({"connector.class": SOURCE, "file": lines.input, "topic": lines.topic, "tasks.max": "1"});
        let more = source.as_object().expect("an object").clone();
        config.as_object_mut().expect("an object").extend(more);
        create(worker, "in", &config);
        let config = json!({"connector.class": SINK, "topics": lines.topic, "file": lines.output, "tasks.max": "1",
            "consumer.override.group.id": format!("{}-out", group.name)});
        create(worker, "out", &config);
        lines
    }

    /// Ten more lines, which have to come out.
    pub fn flow(&mut self) {
        self.write(10);
        let mut missing = BTreeSet::new();
        let arrived = await_true("the lines come out", PATIENCE, || {
            let found: BTreeSet<u32> = numbers(&self.output).into_iter().collect();
            missing = (1..=self.written).filter(|number| !found.contains(number)).collect();
            missing.is_empty()
        });
        arrived.unwrap_or_else(|error| panic!("{error}: {missing:?} of {}", self.written));
    }

    /// Appends so many lines.
    pub fn write(&mut self, count: u32) {
        let text: String = (0..count)
            .map(|_| {
                self.written += 1;
                format!("{}\n", self.written)
            })
            .collect();
        let file = std::fs::OpenOptions::new().append(true).open(&self.input);
        file.expect("input").write_all(text.as_bytes()).expect("lines");
    }

    /// Where `in` or `out` ends when everything was read: bytes of the file, records of the topic.
    pub fn end(&self, name: &str) -> u64 {
        if name == "in" {
            self.input.metadata().expect("input").len()
        } else {
            u64::from(self.written)
        }
    }

    /// Every line has come out once, in order.
    pub fn have_come_out_once(&self) {
        assert_eq!(numbers(&self.output), (1..=self.written).collect::<Vec<_>>());
    }

    /// A reader of committed records sees every line once, in order.
    pub fn are_committed_once(&self) {
        let expected: Vec<u32> = (1..=self.written).collect();
        let mut found: Vec<u32> = Vec::new();
        let all = await_true("all lines are committed", PATIENCE, || {
            let contents = read_now(kafka(), &self.topic, Isolation::Committed).expect("records");
            let text = |value: Option<Vec<u8>>| String::from_utf8(value.unwrap_or_default()).expect("text");
            found = contents
                .into_iter()
                .map(|content| text(content.value).parse().expect("a number"))
                .collect();
            found.len() >= expected.len()
        });
        assert!(all.is_ok() && found == expected, "{found:?}");
    }
}

fn numbers(path: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The last line may still be written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| line.parse().expect("a number")).collect()
}
