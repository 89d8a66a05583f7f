//! One Apache broker with a standalone worker of each kind, which read the same inputs.
//!
//! Started once a test process. What Weir's worker writes, to a topic or a file, must be what Java's writes.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::apache::{Broker, JavaWorker, Running};
use crate::kafka::{Content, end_offset, read_contents};
use crate::process::{PATIENCE, Ready, await_true, weir_binary};
use crate::rest::Rest;

/// FileStream's source.
pub const SOURCE: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";
/// FileStream's sink.
pub const SINK: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";
/// Texts as they are.
pub const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
/// The converter of the stock worker file.
pub const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// What runs for the whole suite.
#[derive(Debug)]
pub struct Suite {
    /// A folder of this process's.
    pub folder: PathBuf,
    /// Java's worker.
    pub java: Worker,
    /// Weir's worker.
    pub weir: Worker,
    broker: Broker,
}

/// A standalone worker with its standard input.
#[derive(Debug)]
pub struct Worker {
    /// `java` or `weir`.
    pub name: &'static str,
    /// Its REST.
    pub rest: Rest,
    stdin: Mutex<ChildStdin>,
    process: Running,
}

impl Suite {
    /// Java's, then Weir's.
    pub fn workers(&self) -> [&Worker; 2] {
        [&self.java, &self.weir]
    }

    /// The broker's `host:port`.
    pub fn address(&self) -> &str {
        &self.broker.address
    }
}

/// Starts broker and workers with the first call; they end with this process.
pub fn suite() -> &'static Suite {
    static SUITE: OnceLock<Suite> = OnceLock::new();
    SUITE.get_or_init(|| {
        let (started, suite) = mpsc::channel();
        // Children end with the thread that started them, so it stays.
        std::thread::spawn(move || {
            started.send(start_suite()).expect("somebody waits");
            loop {
                std::thread::park();
            }
        });
        suite.recv().expect("an answer").expect("broker and workers")
    })
}

fn start_suite() -> anyhow::Result<Suite> {
    let folder = suite_folder()?;
    let broker = Broker::start(&folder)?;
    let settings = |name: &str| {
        format!(
            "bootstrap.servers={}\nkey.converter={STRING}\nvalue.converter={STRING}\noffset.flush.interval.ms=1000\n\
             offset.storage.file.filename={}\n",
            broker.address,
            folder.join(format!("{name}.offsets")).display()
        )
    };
    let mut java = JavaWorker::standalone("java", &folder, &settings("java"), &[], Stdio::piped())?;
    java.await_ready()?;
    let (file, ready) = (folder.join("weir.properties"), folder.join("weir.ready"));
    std::fs::write(&file, settings("weir") + "listeners=http://127.0.0.1:0\n")?;
    let arguments = [
        OsStr::new("connect-standalone"),
        file.as_os_str(),
        OsStr::new("--ready-file"),
        ready.as_os_str(),
    ];
    let mut weir = Running::start("weir", &folder, weir_binary().as_os_str(), &arguments, Stdio::piped())?;
    weir.await_true("Weir's worker is ready", || ready.is_file())?;
    let ready: Ready = serde_json::from_str(&std::fs::read_to_string(&ready)?)?;
    let weir_rest = Rest::new(&ready.connect.context("an address of REST")?);
    Ok(Suite {
        java: Worker::new("java", java.rest, java.process)?,
        weir: Worker::new("weir", weir_rest, weir)?,
        broker,
        folder,
    })
}

impl Worker {
    /// Writes to its standard input.
    pub fn write(&self, bytes: &[u8]) {
        let mut stdin = self.stdin.lock().expect("no panic under the lock");
        stdin
            .write_all(bytes)
            .and_then(|()| stdin.flush())
            .expect("the worker reads");
    }

    fn new(name: &'static str, rest: Rest, mut process: Running) -> anyhow::Result<Self> {
        let stdin = process.take_stdin().context("standard input is piped")?;
        Ok(Worker {
            name,
            rest,
            stdin: Mutex::new(stdin),
            process,
        })
    }
}

/// Where tests may leave folders behind: below the target directory.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let folder = weir_binary()
            .parent()
            .and_then(Path::parent)
            .expect("target/<profile>/weir")
            .join("tmp");
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    })
}

/// A folder of this process's; those of processes that are gone are removed.
fn suite_folder() -> anyhow::Result<PathBuf> {
    const PREFIX: &str = "standalone-";
    let all = scratch();
    for entry in std::fs::read_dir(all)? {
        let path = entry?.path();
        let owner = path
            .file_name()
            .and_then(OsStr::to_str)
            .and_then(|name| name.strip_prefix(PREFIX));
        if owner.is_some_and(|pid| Path::new("/proc").join(pid).metadata().is_err()) {
            std::fs::remove_dir_all(&path)?;
        }
    }
    let folder = all.join(format!("{PREFIX}{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// One input that both workers read, each into a topic of its own.
#[derive(Debug)]
pub struct Case {
    suite: &'static Suite,
    name: &'static str,
    /// The file.
    pub input: PathBuf,
}

impl Case {
    /// Writes the file and starts a source in both workers.
    pub fn new(name: &'static str, content: &[u8]) -> Self {
        let case = Self::without_connectors(name);
        std::fs::write(&case.input, content).expect("input");
        case.start(&json!({"file": case.input}));
        case
    }

    /// Starts nothing yet.
    pub fn without_connectors(name: &'static str) -> Self {
        let suite = suite();
        Case {
            suite,
            name,
            input: suite.folder.join(format!("{name}.txt")),
        }
    }

    /// Starts a source with these settings in both workers.
    pub fn start(&self, settings: &Value) {
        for worker in self.suite.workers() {
            let mut config = settings.clone();
            config["connector.class"] = json!(SOURCE);
            config["topic"] = json!(self.topic(worker));
            worker
                .rest
                .put_connector(&self.source(worker), &config)
                .expect("source");
        }
    }

    /// Name of a worker's source.
    pub fn source(&self, worker: &Worker) -> String {
        format!("{}-source-{}", self.name, worker.name)
    }

    /// A worker's topic.
    pub fn topic(&self, worker: &Worker) -> String {
        format!("{}-{}", self.name, worker.name)
    }

    /// Lets the file grow.
    pub fn append(&self, bytes: &[u8]) {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&self.input)
            .expect("input");
        file.write_all(bytes).expect("append");
    }

    /// Waits until both topics hold this many records, and compares them whole.
    fn contents(&self, count: usize) -> Vec<Content> {
        let address = self.suite.address();
        let [java, weir] = self.suite.workers().map(|worker| {
            let topic = self.topic(worker);
            let reached = || end_offset(address, &topic).is_some_and(|end| end >= count as i64);
            if let Err(error) = await_true("all records", PATIENCE, reached) {
                let held = read_contents(address, &topic);
                panic!(
                    "{error}: {topic} of {count}: {held:?}\n{}\n{}",
                    worker.rest.status(&self.source(worker)),
                    worker.process.log_text()
                );
            }
            read_contents(address, &topic).expect("readable")
        });
        assert!(
            weir == java,
            "{}: Weir's topic, then Java's\n{:#?}\n{:#?}",
            self.name,
            shown(&weir),
            shown(&java)
        );
        weir
    }

    /// Both topics hold exactly these texts, with neither key nor header.
    pub fn holds(&self, expected: &[&str]) {
        let contents = self.contents(expected.len());
        let values: Vec<Option<&str>> = contents
            .iter()
            .map(|content| {
                content
                    .value
                    .as_deref()
                    .and_then(|value| std::str::from_utf8(value).ok())
            })
            .collect();
        assert_eq!(
            values,
            expected.iter().map(|line| Some(*line)).collect::<Vec<_>>(),
            "{}",
            self.name
        );
        assert!(
            contents
                .iter()
                .all(|content| content.key.is_none() && content.headers.is_empty()),
            "{contents:?}"
        );
    }

    /// Both workers write Java's topic into a file each: the lines expected, the same bytes.
    pub fn comes_out_as(&self, expected: &[&str]) {
        let bytes: String = expected.iter().flat_map(|line| [*line, "\n"]).collect();
        sinks_agree(self.name, &self.topic(&self.suite.java), bytes.as_bytes());
        for worker in self.suite.workers() {
            remove(worker, &self.source(worker));
        }
    }
}

/// A sink of each worker reads `topic` into a file that begins with one line already.
pub fn sinks_agree(case: &str, topic: &str, expected: &[u8]) {
    const BEFORE: &[u8] = b"was here before\n";
    let suite = suite();
    let started = suite.workers().map(|worker| {
        let name = format!("{case}-sink-{}", worker.name);
        let file = suite.folder.join(&name);
        std::fs::write(&file, BEFORE).expect("output");
        worker
            .rest
            .put_connector(&name, &json!({"connector.class": SINK, "topics": topic, "file": file}))
            .expect("sink");
        (worker, name, file)
    });
    let expected = [BEFORE, expected].concat();
    for (worker, name, file) in &started {
        let arrived = await_true("all lines", PATIENCE, || {
            std::fs::metadata(file).is_ok_and(|data| data.len() >= expected.len() as u64)
        });
        let written = std::fs::read(file).expect("output");
        assert!(
            written == expected,
            "{name}: {arrived:?}\n{:?}\nnot\n{:?}\n{}",
            short(&written),
            short(&expected),
            worker.rest.status(name)
        );
        remove(worker, name);
    }
}

/// Deletes a connector.
pub fn remove(worker: &Worker, connector: &str) {
    let answer = worker
        .rest
        .send("DELETE", &format!("/connectors/{connector}"), None)
        .expect("DELETE");
    assert_eq!(answer.status, 204, "{connector}: {}", answer.text);
}

/// Bytes for a message that a person reads.
pub fn short(bytes: &[u8]) -> String {
    const SHOWN: usize = 400;
    let text = bytes.get(..SHOWN).unwrap_or(bytes).escape_ascii().to_string();
    if bytes.len() > SHOWN {
        format!("{text}… of {} bytes", bytes.len())
    } else {
        text
    }
}

/// One text a record, for a message.
pub fn shown(contents: &[Content]) -> Vec<String> {
    let part = |bytes: &Option<Vec<u8>>| bytes.as_deref().map_or_else(|| "null".to_owned(), short);
    contents
        .iter()
        .map(|content| format!("{} {} {:?}", part(&content.key), part(&content.value), content.headers))
        .collect()
}
