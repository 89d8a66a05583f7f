//! The workers, and what they say of their tasks.
//!
//! Every worker has a log of its own, and what it says of tasks is compared with what the others say: a task that two workers run, or none,
//! shows here.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;

use crate::apache::Running;
use crate::process::{Ready, weir_binary};
use crate::rest::Rest;

/// Connector and number.
pub type TaskName = (String, u64);

/// A member that is not heard of for this long is out.
pub const SESSION: Duration = Duration::from_secs(10);

/// One worker.
#[derive(Debug)]
pub struct Worker {
    /// The name of its log.
    pub name: String,
    /// Where it is asked.
    pub door: Door,
    /// The process.
    pub process: Running,
}

/// Where a worker is asked.
#[derive(Debug, Clone)]
pub struct Door {
    /// As it stands in statuses.
    pub id: String,
    /// Its REST.
    pub rest: Rest,
}

/// The workers that run, oldest first.
#[derive(Debug)]
pub struct Fleet {
    folder: PathBuf,
    settings: String,
    started: usize,
    /// Each of them, a frozen one as well.
    pub workers: Vec<Worker>,
}

impl Fleet {
    /// A group over this cluster, without workers yet.
    pub fn new(folder: &Path, addresses: &str) -> Self {
        const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
        // A group's coordinator that dies is back elsewhere before the heartbeat interval is over, so that no worker has to give up its
        // work, and a worker that dies is replaced before its work is given to others.
        let mut settings = format!(
            "bootstrap.servers={addresses}\ngroup.id=soak\nexactly.once.source.support=enabled\nlisteners=http://127.0.0.1:0\n\
             key.converter={STRING}\nvalue.converter={STRING}\noffset.flush.interval.ms=1000\nsession.timeout.ms={}\n\
             heartbeat.interval.ms=9000\nscheduled.rebalance.max.delay.ms=10000\noffset.storage.partitions=3\n\
             status.storage.partitions=3\nconsumer.isolation.level=read_committed\nconsumer.session.timeout.ms=10000\n",
            SESSION.as_millis()
        );
        for storage in ["config", "offset", "status"] {
            let _ = writeln!(settings, "{storage}.storage.topic=soak-{storage}");
        }
        Fleet {
            folder: folder.to_owned(),
            settings,
            started: 0,
            workers: Vec::new(),
        }
    }

    /// Starts one more worker and waits until it serves.
    pub fn start_worker(&mut self) -> anyhow::Result<()> {
        self.started += 1;
        let name = format!("worker-{}", self.started);
        let file = self.folder.join(format!("{name}.properties"));
        std::fs::write(&file, &self.settings)?;
        let ready = self.folder.join(format!("{name}.ready"));
        let arguments = [
            "connect-distributed".as_ref(),
            file.as_os_str(),
            "--ready-file".as_ref(),
            ready.as_os_str(),
        ];
        let arguments: [&OsStr; 4] = arguments;
        let mut process = Running::start(
            &name,
            &self.folder,
            weir_binary().as_os_str(),
            &arguments,
            Stdio::null(),
        )?;
        process.await_true("the worker is ready", || ready.is_file())?;
        let ready: Ready = serde_json::from_str(&std::fs::read_to_string(&ready)?)?;
        let rest = Rest::new(&ready.connect.context("an address of REST")?);
        let id = rest.host().to_owned();
        self.workers.push(Worker {
            name,
            door: Door { id, rest },
            process,
        });
        Ok(())
    }

    /// Those of all workers but one.
    pub fn doors_but(&self, id: &str) -> Vec<Door> {
        let doors = self.workers.iter().map(|worker| worker.door.clone());
        doors.filter(|door| door.id != id).collect()
    }

    /// How long each worker's log is.
    pub fn log_lengths(&self) -> Vec<usize> {
        let logs = self.workers.iter().map(|worker| worker.process.log_text().len());
        logs.collect()
    }

    /// Workers that gave up their work since, as Connect's do, because the group had no coordinator for longer than a heartbeat interval.
    pub fn without_coordinator(&self, since: &[usize]) -> BTreeSet<String> {
        let lost = self.workers.iter().zip(since).filter(|(worker, since)| {
            let log = worker.process.log_text();
            log.get(**since..)
                .is_some_and(|news| news.contains("reason=CoordinatorLost"))
        });
        lost.map(|(worker, _)| worker.door.id.clone()).collect()
    }

    /// Those of all workers.
    pub fn doors(&self) -> Vec<Door> {
        self.doors_but("")
    }
}

/// What one worker said of a task that it runs.
#[derive(Debug, Clone)]
pub struct Run {
    /// The worker.
    pub worker: String,
    /// The task started within this time.
    pub started: (Instant, Instant),
    /// When it was asked.
    pub at: Instant,
    /// Records so far.
    pub records: u64,
}

impl Run {
    /// Is true when both can be the same run of the task.
    pub fn is_same(&self, other: &Run) -> bool {
        // Milliseconds are cut off in the answer.
        let lenience = Duration::from_millis(2);
        self.worker == other.worker
            && self.started.0 <= other.started.1 + lenience
            && other.started.0 <= self.started.1 + lenience
    }
}

/// What workers say at one time.
#[derive(Debug, Default)]
pub struct Look {
    /// Who runs each task.
    pub runs: BTreeMap<TaskName, Vec<Run>>,
    /// The state of each task and the worker that it is said to be on, as told by the first worker.
    pub states: BTreeMap<TaskName, (String, String)>,
    /// What is not as it should be in the end: everything RUNNING, once, evenly spread.
    pub unsettled: Option<String>,
}

impl Look {
    /// Asks these workers for these connectors and their numbers of tasks.
    pub fn at(doors: &[Door], expected: &BTreeMap<String, usize>) -> Self {
        let mut look = Look::default();
        let mut shares: BTreeMap<&str, (usize, usize)> = doors.iter().map(|door| (door.id.as_str(), (0, 0))).collect();
        for (index, door) in doors.iter().enumerate() {
            if let Err(wrong) = look.add(door, index == 0, expected, &mut shares) {
                look.unsettled.get_or_insert(format!("{} says: {wrong}", door.id));
            }
        }
        look.compare(&shares, expected);
        look
    }

    /// *Errors*: what is not settled.
    fn add(
        &mut self,
        door: &Door,
        is_first: bool,
        expected: &BTreeMap<String, usize>,
        shares: &mut BTreeMap<&str, (usize, usize)>,
    ) -> Result<(), String> {
        let asked = Instant::now();
        let answer = door.rest.get("/connectors?expand=status");
        let answered = Instant::now();
        let answer = answer.map_err(|error| format!("{error:#}"))?;
        let all = answer.json();
        let mut wrong = Ok(());
        for (connector, tasks) in expected {
            let status = &all[connector]["status"];
            self.add_runs(connector, status, door, (asked, answered));
            if wrong.is_ok() {
                wrong = self.check(connector, *tasks, status, is_first, shares);
            }
        }
        wrong
    }

    fn add_runs(&mut self, connector: &str, status: &Value, door: &Door, (asked, answered): (Instant, Instant)) {
        for figures in status["weir"]["tasks"].as_array().into_iter().flatten() {
            let number = |key: &str| figures[key].as_u64().unwrap_or_default();
            let running = Duration::from_millis(number("running_ms"));
            let run = Run {
                worker: door.id.clone(),
                started: (asked - running, answered - running),
                at: answered,
                records: number("records"),
            };
            self.runs
                .entry((connector.to_owned(), number("id")))
                .or_default()
                .push(run);
        }
    }

    /// The first worker's statuses are counted; the others have to say the same.
    fn check(
        &mut self,
        connector: &str,
        tasks: usize,
        status: &Value,
        is_first: bool,
        shares: &mut BTreeMap<&str, (usize, usize)>,
    ) -> Result<(), String> {
        let shown = status["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
        if shown.len() != tasks {
            return Err(format!("{connector} has {} of {tasks} tasks", shown.len()));
        }
        let parts = [(None, &status["connector"])].into_iter();
        for (id, part) in parts.chain(shown.iter().map(|task| (task["id"].as_u64(), task))) {
            let (state, on) = (
                part["state"].as_str().unwrap_or_default(),
                part["worker_id"].as_str().unwrap_or_default(),
            );
            if let Some(id) = id {
                let key = (connector.to_owned(), id);
                let said = (state.to_owned(), on.to_owned());
                let first = self.states.entry(key).or_insert_with(|| said.clone());
                if *first != said {
                    return Err(format!("{connector}-{id} is {said:?} and {first:?}"));
                }
            }
            let Some((connectors, tasks)) = shares.get_mut(on) else {
                return Err(format!("{connector} {id:?} is {state} on {on}, which is gone"));
            };
            if state != "RUNNING" {
                return Err(format!("{connector} {id:?} is {state} on {on}: {}", part["trace"]));
            }
            if is_first {
                *(if id.is_some() { tasks } else { connectors }) += 1;
            }
        }
        Ok(())
    }

    fn compare(&mut self, shares: &BTreeMap<&str, (usize, usize)>, expected: &BTreeMap<String, usize>) {
        if self.unsettled.is_some() {
            return;
        }
        for ((connector, id), (_, on)) in &self.states {
            let runs = self
                .runs
                .get(&(connector.clone(), *id))
                .map(Vec::as_slice)
                .unwrap_or_default();
            let by: Vec<&str> = runs.iter().map(|run| run.worker.as_str()).collect();
            if by != [on.as_str()] {
                self.unsettled = Some(format!("{connector}-{id} is RUNNING on {on} and run by {by:?}"));
                return;
            }
        }
        let spread = |counts: &mut dyn Iterator<Item = usize>| {
            let counts: Vec<usize> = counts.collect();
            counts
                .iter()
                .max()
                .zip(counts.iter().min())
                .map_or(0, |(max, min)| max - min)
        };
        let connectors = spread(&mut shares.values().map(|share| share.0));
        let tasks = spread(&mut shares.values().map(|share| share.1));
        if connectors > 1 || tasks > 1 {
            self.unsettled = Some(format!(
                "{} connectors are not spread evenly: (connectors, tasks) {shares:?}",
                expected.len()
            ));
        }
    }
}
