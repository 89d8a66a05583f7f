//! What runs on the workers, and what has to come out of it.
//!
//! Exactly-once sources of made-up records, each with a sink that writes them to a file, and file sources whose lines are counted. What a
//! source task has done stands in its offset; which records these are, the generator tells: no more and no fewer are in the topic, and
//! each is a line of the sink's file.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use rdkafka::consumer::BaseConsumer;
use serde_json::{Value, json};
use weir_api::data::text::push_text;
use weir_datagen::records::{Generator, Kind};

use crate::process::{PATIENCE, await_true};
use crate::rest::Rest;
use crate::soak::topic_reader::TopicReader;

/// Tasks of a connector.
pub const TASKS: usize = 4;
/// A line of an input file with its end.
const LINE_BYTES: u64 = 18;
const LINES_AT_ONCE: usize = 3;
/// What a record begins with, and a line: a line that was torn off by a kill stands before it.
const RECORD: &str = "Struct{ordertime=";
const LINE: &str = "line-";
/// Records a second of all sources together, so that larger soaks do not only measure the machine.
const RECORDS_A_SECOND: usize = 400;

/// All connectors.
#[derive(Debug)]
pub struct Load {
    flows: Vec<Flow>,
    /// Input files, which grow while anything happens.
    pub inputs: Inputs,
    seed: i64,
    /// Records that were found complete so far.
    pub records: usize,
}

/// A source, its topic, a sink.
#[derive(Debug)]
struct Flow {
    source: String,
    sink: String,
    topic: TopicReader,
    made: Made,
    output: Output,
}

/// What a source has made, as it was last checked.
#[derive(Debug)]
enum Made {
    /// Records of each task of a generator with this seed.
    Records { seed: i64, tasks: [i64; TASKS] },
    /// Lines read from its file.
    Lines { input: PathBuf, read: u64 },
}

/// Files of numbered lines.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    files: Vec<PathBuf>,
    /// Lines in each of them.
    lines: Arc<Mutex<u64>>,
}

/// A sink's file as far as it was read.
#[derive(Debug)]
struct Output {
    file: PathBuf,
    position: u64,
}

impl Load {
    /// Nothing runs yet: `connectors` with four tasks each, and a file source with its sink for every ten.
    pub fn new(folder: &Path, connectors: usize, seed: u64) -> Self {
        let seed = i64::try_from(seed >> 16).unwrap_or_default();
        let records = (0..connectors.div_ceil(2)).map(|index| Flow {
            source: format!("made-{index}"),
            sink: format!("made-{index}-sink"),
            topic: TopicReader::new(&format!("made-{index}")),
            made: Made::Records {
                seed: seed + index as i64,
                tasks: [0; TASKS],
            },
            output: Output::new(folder, &format!("made-{index}")),
        });
        let lines = (0..connectors.div_ceil(10)).map(|index| Flow {
            source: format!("lines-{index}"),
            sink: format!("lines-{index}-sink"),
            topic: TopicReader::new(&format!("lines-{index}")),
            made: Made::Lines {
                input: folder.join(format!("lines-{index}.in")),
                read: 0,
            },
            output: Output::new(folder, &format!("lines-{index}")),
        });
        let flows: Vec<Flow> = records.chain(lines).collect();
        let files = flows.iter().filter_map(|flow| match &flow.made {
            Made::Lines { input, .. } => Some(input.clone()),
            Made::Records { .. } => None,
        });
        Load {
            inputs: Inputs {
                files: files.collect(),
                lines: Arc::default(),
            },
            flows,
            seed,
            records: 0,
        }
    }

    /// Creates all connectors.
    pub fn create(&mut self, rest: &Rest) -> anyhow::Result<()> {
        let tasks = TASKS * self.flows.len();
        for flow in &self.flows {
            let mut source = json!({"exactly.once.support": "required", "transaction.boundary": "interval",
                "transaction.boundary.interval.ms": (tasks * 20).clamp(500, 5000).to_string(), "topic": flow.source,
                "topic.creation.default.replication.factor": "3"});
            let more = match &flow.made {
                Made::Records { seed, .. } => {
                    json!({"connector.class": "Datagen", "schema": "orders", "seed": seed.to_string(),
                    "rate": (RECORDS_A_SECOND / tasks).max(1).to_string(), "tasks.max": TASKS.to_string(),
                    "topic.creation.default.partitions": TASKS.to_string()})
                }
                Made::Lines { input, .. } => {
                    File::create(input)?;
                    json!({"connector.class": "FileStreamSource", "file": input, "tasks.max": "1",
                        "topic.creation.default.partitions": "1"})
                }
            };
            let more = more.as_object().context("an object")?.clone();
            source.as_object_mut().context("an object")?.extend(more);
            rest.put_connector(&flow.source, &source)?;
        }
        for flow in &self.flows {
            rest.await_state(&flow.source, "RUNNING", flow.tasks())?;
        }
        for flow in &self.flows {
            let sink = json!({"connector.class": "FileStreamSink", "topics": flow.source, "file": flow.output.file,
                "tasks.max": flow.tasks().to_string()});
            rest.put_connector(&flow.sink, &sink)?;
        }
        Ok(())
    }

    /// All connectors with their numbers of tasks.
    pub fn expected(&self) -> BTreeMap<String, usize> {
        let pair = |flow: &Flow| [(flow.source.clone(), flow.tasks()), (flow.sink.clone(), flow.tasks())];
        self.flows.iter().flat_map(pair).collect()
    }

    /// Tells sources from sinks.
    pub fn is_source(&self, connector: &str) -> bool {
        self.flows.iter().any(|flow| flow.source == connector)
    }

    /// Brings all sources to rest, compares topics with what was made and files with topics, and lets the sources go on.
    ///
    /// *Errors*: a record that is missing or there twice, with all that is known of it.
    pub fn verify(&mut self, rest: &Rest, consumer: &BaseConsumer) -> anyhow::Result<()> {
        for flow in &self.flows {
            flow.await_lines(rest, self.inputs.bytes())?;
        }
        self.change_sources(rest, "pause", "PAUSED")?;
        for flow in &mut self.flows {
            self.records += flow
                .verify(rest, consumer)
                .with_context(|| format!("{} (seed {} of the generators)", flow.source, self.seed))?;
        }
        self.change_sources(rest, "resume", "RUNNING")
    }

    fn change_sources(&self, rest: &Rest, change: &str, state: &str) -> anyhow::Result<()> {
        for flow in &self.flows {
            let answer = rest.send("PUT", &format!("/connectors/{}/{change}", flow.source), None)?;
            anyhow::ensure!(answer.status == 202, "{change} {}: {}", flow.source, answer.text);
        }
        for flow in &self.flows {
            rest.await_state(&flow.source, state, flow.tasks())?;
        }
        Ok(())
    }
}

impl Inputs {
    /// Adds some lines to every file.
    pub fn grow(&self) -> anyhow::Result<()> {
        let mut lines = self.lines.lock().expect("no panic under the lock");
        let mut text = String::new();
        for _ in 0..LINES_AT_ONCE {
            *lines += 1;
            let _ = writeln!(text, "{LINE}{lines:012}");
        }
        for file in &self.files {
            File::options().append(true).open(file)?.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        *self.lines.lock().expect("no panic under the lock") * LINE_BYTES
    }
}

impl Flow {
    fn tasks(&self) -> usize {
        match self.made {
            Made::Records { .. } => TASKS,
            Made::Lines { .. } => 1,
        }
    }

    /// Waits until the file source has read its file to the end.
    fn await_lines(&self, rest: &Rest, bytes: u64) -> anyhow::Result<()> {
        if matches!(self.made, Made::Records { .. }) {
            return Ok(());
        }
        let mut last = 0;
        let waited = await_true(&format!("{} has read its file", self.source), PATIENCE, || {
            last = offsets(rest, &self.source).map_or(0, |offsets| position(&offsets));
            last == bytes
        });
        waited.with_context(|| format!("at {last} of {bytes} bytes"))
    }

    /// Compares the topic with the offsets, then the file with the topic; answers the number of records.
    fn verify(&mut self, rest: &Rest, consumer: &BaseConsumer) -> anyhow::Result<usize> {
        let (mut found, mut missing, mut surplus) = (Vec::new(), Vec::new(), Vec::new());
        // A record may be visible a moment before its offset is, and the other way round: the last transactions are being completed.
        let is_complete = await_true("the topic holds what the offsets say", PATIENCE, || {
            let Ok(offsets) = offsets(rest, &self.source) else {
                return false;
            };
            let Ok(news) = self.topic.news(consumer) else {
                return false;
            };
            found.extend(news.into_iter().map(|(_, value)| value));
            let mut counts: HashMap<&str, i64> = HashMap::new();
            let expected = self.made.since(&offsets);
            for record in &expected {
                *counts.entry(record).or_default() += 1;
            }
            for record in &found {
                *counts.entry(record).or_default() -= 1;
            }
            let those = |is_meant: &dyn Fn(i64) -> bool| -> Vec<String> {
                let those = counts.iter().filter(|(_, count)| is_meant(**count));
                those.map(|(record, count)| format!("{count} × {record}")).collect()
            };
            (missing, surplus) = (those(&|count| count > 0), those(&|count| count < 0));
            let is_complete = missing.is_empty() && surplus.is_empty();
            if is_complete {
                self.made.advance(&offsets);
            }
            is_complete
        });
        is_complete.with_context(|| {
            format!(
                "since the last check {} records came to the topic: {} lost {:?}, {} too many {:?}",
                found.len(),
                missing.len(),
                missing.iter().take(5).collect::<Vec<_>>(),
                surplus.len(),
                surplus.iter().take(5).collect::<Vec<_>>()
            )
        })?;
        let count = found.len();
        self.output.await_all(found.into_iter().collect())?;
        Ok(count)
    }
}

/// Offsets of a source as REST shows them.
fn offsets(rest: &Rest, source: &str) -> anyhow::Result<Vec<Value>> {
    let answer = rest.get(&format!("/connectors/{source}/offsets"))?;
    let json = answer.json();
    let offsets = json["offsets"].as_array().with_context(|| answer.text.clone())?;
    Ok(offsets.clone())
}

fn position(offsets: &[Value]) -> u64 {
    let first = offsets.first().map(|entry| &entry["offset"]["position"]);
    first.and_then(Value::as_u64).unwrap_or_default()
}

fn iterations(offsets: &[Value]) -> [i64; TASKS] {
    let mut tasks = [0; TASKS];
    for entry in offsets {
        let task = entry["partition"]["task"]
            .as_u64()
            .and_then(|task| usize::try_from(task).ok());
        if let Some(made) = task.and_then(|task| tasks.get_mut(task)) {
            *made = entry["offset"]["iteration"].as_i64().unwrap_or_default();
        }
    }
    tasks
}

impl Made {
    /// The values of all records up to these offsets that were not checked yet.
    fn since(&self, offsets: &[Value]) -> Vec<String> {
        match self {
            Made::Lines { read, .. } => (read + 1..=position(offsets) / LINE_BYTES)
                .map(|number| format!("{LINE}{number:012}"))
                .collect(),
            Made::Records { seed, tasks } => {
                let ends = iterations(offsets);
                let mut values = Vec::new();
                for ((task, from), to) in (0..).zip(tasks).zip(ends) {
                    let generator = Generator::new(Kind::Orders, *seed, task).expect("valid schemas");
                    for iteration in *from..to {
                        let (_, value) = generator.record(iteration);
                        let mut text = String::new();
                        push_text(&mut text, value.schema.as_deref(), &value.value).expect("printable");
                        values.push(text);
                    }
                }
                values
            }
        }
    }

    fn advance(&mut self, offsets: &[Value]) {
        match self {
            Made::Lines { read, .. } => *read = position(offsets) / LINE_BYTES,
            Made::Records { tasks, .. } => *tasks = iterations(offsets),
        }
    }
}

impl Output {
    fn new(folder: &Path, name: &str) -> Self {
        Output {
            file: folder.join(format!("{name}.out")),
            position: 0,
        }
    }

    /// Waits until all of these are lines of the file, which may hold earlier ones again.
    fn await_all(&mut self, mut awaited: HashSet<String>) -> anyhow::Result<()> {
        let count = awaited.len();
        let mut failure = None;
        let waited = await_true("every record is in the sink's file", PATIENCE, || {
            if awaited.is_empty() {
                return true;
            }
            failure = self.take_lines(&mut awaited).err();
            awaited.is_empty()
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        if waited.is_err() {
            bail!(
                "{} of {count} records are not in {}: {:?}",
                awaited.len(),
                self.file.display(),
                awaited.iter().take(5).collect::<Vec<_>>()
            );
        }
        Ok(())
    }

    fn take_lines(&mut self, awaited: &mut HashSet<String>) -> anyhow::Result<()> {
        let mut file = File::open(&self.file).with_context(|| self.file.display().to_string())?;
        file.seek(SeekFrom::Start(self.position))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let text = std::str::from_utf8(bytes.get(..whole).unwrap_or_default())?;
        for line in text.lines() {
            let start = line.rfind(RECORD).or_else(|| line.rfind(LINE));
            let record = start.and_then(|at| line.get(at..)).unwrap_or(line);
            awaited.remove(record);
        }
        self.position += whole as u64;
        Ok(())
    }
}
