//! Runs the scripts of `java/observed.txt` on this connector
//!
//! Each step of `java/Observe.java` has its twin in `Run::step`, which gives the same observation lines.

mod bytes;
mod show;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use tempfile::TempDir;
use weir_filestream::filestream_config::{sink_def, source_def};
use weir_filestream::sink::{FileStreamSinkConnector, FileStreamSinkTask};
use weir_filestream::source::{FileStreamSourceConnector, FileStreamSourceTask};
use weir_sdk::api::data::value::Value;
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::frame::slot::Slot;
use weir_sdk::api::frame::value::encode_slot;
use weir_sdk::api::frame::writer::{FrameWriter, SinkParts};
use weir_sdk::batch::SourceBatch;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::{ConnectorContext, SinkTaskContext, SourceTaskContext};
use weir_sdk::schemas::GuestSchemas;
use weir_sdk::sink::{SinkConnector, SinkOffsetChange, SinkTask, TopicPartition};
use weir_sdk::sink_batch::SinkBatch;
use weir_sdk::source::{OffsetChange, PollBudget, Polled, SourceConnector, SourceTask};
use weir_sdk::testing::{TestHost, install, with_host};

pub(crate) use show::shortened;

const BUDGET: PollBudget = PollBudget {
    max_records: 1_000_000,
    max_bytes: 64 << 20,
    max_wait_ms: 500,
};

/// A case: its steps and what was observed.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub name: String,
    steps: Vec<(String, String)>,
    observed: Vec<String>,
}

impl Case {
    /// What Apache's classes did, without what is not compared.
    pub(crate) fn observed(&self) -> Vec<String> {
        show::comparable(self.observed.clone(), self.has_other_than_ascii())
    }

    fn has_other_than_ascii(&self) -> bool {
        self.steps.iter().any(|(step, rest)| {
            ["write", "append", "repeat", "stdin"].contains(&step.as_str())
                && bytes::from_hex(rest.rsplit(' ').next().unwrap_or_default())
                    .iter()
                    .any(|byte| !byte.is_ascii())
        })
    }
}

/// Reads the file.
pub(crate) fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("case ") {
            cases.push(Case {
                name: name.to_owned(),
                ..Case::default()
            });
        }
        let Some(case) = cases.last_mut() else {
            continue;
        };
        if let Some(seen) = line.strip_prefix("-> ") {
            case.observed.push(seen.to_owned());
        } else if !line.is_empty() && !line.starts_with("case ") {
            let (step, rest) = line.split_once(' ').unwrap_or((line, ""));
            case.steps.push((step.to_owned(), rest.to_owned()));
        }
    }
    cases
}

/// Runs a case; gives its observations in comparable form.
pub(crate) fn run(case: &Case) -> Vec<String> {
    install(TestHost::default());
    let mut run = Run {
        dir: tempfile::tempdir().expect("a temporary folder"),
        config: ConfigMap::new(),
        source: FileStreamSourceTask::default(),
        source_schemas: GuestSchemas::default(),
        sink: FileStreamSinkTask::default(),
        seen: Vec::new(),
    };
    for (step, rest) in &case.steps {
        if let Err(error) = run.step(step, rest) {
            run.seen.push(show::thrown(&error));
        }
    }
    let dir = run.path("");
    let dir = dir.to_str().expect("UTF-8 path").trim_end_matches('/').to_owned();
    let seen = run.seen.iter().map(|line| line.replace(&dir, "DIR")).collect();
    show::comparable(seen, case.has_other_than_ascii())
}

struct Run {
    dir: TempDir,
    config: ConfigMap,
    source: FileStreamSourceTask,
    source_schemas: GuestSchemas,
    sink: FileStreamSinkTask,
    seen: Vec<String>,
}

impl Run {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn see(&mut self, line: impl Into<String>) {
        self.seen.push(line.into());
    }

    fn step(&mut self, step: &str, rest: &str) -> Result<(), ConnectError> {
        match step {
            "config" => self.set(rest),
            "write" | "append" | "repeat" | "write-products" | "write-random" | "truncate" | "rotate" | "delete"
            | "mkdir" => self.change_file(step, rest),
            "stdin" => with_host(|host| host.stdin.push_back(bytes::from_hex(rest))),
            "stored" | "stored-int" => self.store(rest),
            "stored-text" => self.store(&format!("\"{rest}\"")),
            "stored-null" => self.store("null"),
            "defs" => {
                self.seen.extend(show::definition("source", &source_def()));
                self.seen.extend(show::definition("sink", &sink_def()));
            }
            "validate" => self.seen.extend(show::validated(&source_def().validate(&self.config))),
            "validate-sink" => self.seen.extend(show::validated(&sink_def().validate(&self.config))),
            "start" => self.source.start(SourceTaskContext::default(), &self.config)?,
            "poll" => self.poll()?,
            "digest" => self.digest()?,
            "stop" => self.source.stop()?,
            "connector" | "connector-sink" | "exactly-once" | "alter" | "alter-sink" => {
                self.ask_connector(step, rest)?
            }
            "start-sink" => self.sink.start(SinkTaskContext::default(), &self.config)?,
            "put" => self.put(rest)?,
            "flush" => self.sink.flush(&[])?,
            "stop-sink" => self.sink.stop()?,
            "cat" => self.see(format!(
                "file {}",
                bytes::hex(&fs::read(self.path("file")).expect("a file"))
            )),
            "stdout" => self.see(format!("stdout {}", with_host(|host| bytes::hex(&host.stdout)))),
            other => panic!("unknown step {other}"),
        }
        Ok(())
    }

    fn set(&mut self, rest: &str) {
        let (key, value) = rest.split_once('=').expect("key=value");
        let dir = self.path("");
        let dir = dir.to_str().expect("UTF-8 path").trim_end_matches('/');
        self.config.insert(key, value.replace("DIR", dir));
        let config = self.config.clone();
        with_host(|host| host.config = config);
    }

    fn store(&mut self, position: &str) {
        let partition = weir_sdk::offsets::single("filename", self.config.get("file"));
        with_host(|host| host.offsets.insert(partition, format!("{{\"position\":{position}}}")));
    }

    fn change_file(&mut self, step: &str, rest: &str) {
        let file = self.path("file");
        let append = |content: &[u8]| {
            let opened = fs::OpenOptions::new().append(true).create(true).open(&file);
            opened.and_then(|mut file| file.write_all(content)).expect("appended");
        };
        match step {
            "append" => append(&bytes::from_hex(rest)),
            "repeat" => {
                let (count, content) = rest.split_once(' ').expect("count and bytes");
                append(&bytes::from_hex(content).repeat(count.parse().expect("a count")));
            }
            "write-products" => fs::write(&file, bytes::products()).expect("written"),
            "write-random" => {
                let (seed, length) = rest.split_once(' ').expect("seed and length");
                let content = bytes::random(seed.parse().expect("a seed"), length.parse().expect("a length"));
                fs::write(&file, content).expect("written");
            }
            "truncate" => {
                let opened = fs::OpenOptions::new().write(true).open(&file).expect("a file");
                opened.set_len(rest.parse().expect("a length")).expect("truncated");
            }
            "rotate" => fs::rename(&file, self.path("old")).expect("renamed"),
            "delete" => fs::remove_file(&file).expect("deleted"),
            "mkdir" => fs::create_dir(&file).expect("a new folder"),
            _ => fs::write(&file, bytes::from_hex(rest)).expect("written"),
        }
    }

    fn poll_frame(&mut self) -> Result<Option<Vec<u8>>, ConnectError> {
        let mut batch = SourceBatch::new(BUDGET, &mut self.source_schemas);
        Ok(match self.source.poll_into(&mut batch)? {
            Polled::Nothing => None,
            Polled::Batch => Some(batch.finish()),
        })
    }

    fn poll(&mut self) -> Result<(), ConnectError> {
        match self.poll_frame()? {
            Some(frame) => self.seen.extend(show::source_frame(&frame)),
            None => self.see("null"),
        }
        Ok(())
    }

    fn digest(&mut self) -> Result<(), ConnectError> {
        let mut digest = bytes::Digest::default();
        while let Some(frame) = self.poll_frame()? {
            show::each_value(&frame, |value| digest.add(value));
        }
        self.see(format!("digest {digest}"));
        Ok(())
    }

    fn ask_connector(&mut self, step: &str, rest: &str) -> Result<(), ConnectError> {
        let answer = match step {
            "connector" => {
                let mut connector = FileStreamSourceConnector::default();
                connector.start(ConnectorContext::default(), &self.config)?;
                show::task_configs("source", &connector.task_configs(3)?)
            }
            "connector-sink" => {
                let mut connector = FileStreamSinkConnector::default();
                connector.start(ConnectorContext::default(), &self.config)?;
                show::task_configs("sink", &connector.task_configs(3)?)
            }
            "exactly-once" => {
                let support = FileStreamSourceConnector::default().exactly_once_support(&self.config)?;
                format!("{support:?}").to_uppercase()
            }
            "alter" => {
                let (partition, offset) = rest.split_once(' ').expect("partition and offset");
                let offset = Some(show::json_of(offset)).filter(|offset| offset != "null");
                let change = OffsetChange {
                    partition: show::json_of(partition),
                    offset,
                };
                FileStreamSourceConnector::default()
                    .alter_offsets(&self.config, &[change])?
                    .to_string()
            }
            _ => {
                let partition = TopicPartition {
                    topic: "t".to_owned(),
                    partition: 0,
                };
                let change = SinkOffsetChange {
                    partition,
                    offset: Some(5),
                };
                FileStreamSinkConnector::default()
                    .alter_offsets(&self.config, &[change])?
                    .to_string()
            }
        };
        self.see(answer);
        Ok(())
    }

    fn put(&mut self, rest: &str) -> Result<(), ConnectError> {
        let mut schemas = GuestSchemas::default();
        let mut writer = FrameWriter::sink(1);
        let topic = writer.intern("t");
        for (offset, each) in rest.split(' ').filter(|each| !each.is_empty()).enumerate() {
            let mut encoded = Vec::new();
            let value = match show::value_of(each) {
                Value::Text(text) => {
                    encoded.extend_from_slice(text.as_bytes());
                    Slot::new(Slot::text("").schema, Some(&encoded))
                }
                other => {
                    let is_present = encode_slot(None, &other, &mut schemas, &mut encoded)?;
                    Slot::new(Slot::NULL.schema, is_present.then_some(encoded.as_slice()))
                }
            };
            let offset = i64::try_from(offset).expect("few records");
            writer.sink_record(&SinkParts {
                topic,
                offset,
                value,
                ..SinkParts::default()
            })?;
        }
        self.sink.put(&SinkBatch::parse(&writer.finish(), &schemas)?)
    }
}
