//! What happened to the tasks between two moments: who moved, who did not, and whether those went on counting.
//!
//! A task is unaffected when its worker was left alone and no other worker said anything of it meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::process::await_value;
use crate::soak::fleet::{Door, Look, Run, TaskName};
use crate::soak::load::Load;
use crate::soak::topic_reader::KeyValue;

/// How long the group may take to settle. The machine may be busy.
const SETTLED_WITHIN: Duration = Duration::from_secs(180);
const BETWEEN_SAMPLES: Duration = Duration::from_millis(200);

/// From before a fault until all is settled again. All the while input files grow, and the workers that are left alone are asked.
#[derive(Debug)]
pub struct Passage {
    before: BTreeMap<TaskName, Run>,
    watch: Watch,
}

/// What became of the tasks.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Tasks that stayed where they were, with the same start.
    pub unaffected: usize,
    /// The others.
    pub affected: usize,
    /// The longest time that an unaffected source task did not count on, and which.
    pub longest_pause: (Duration, Option<TaskName>),
}

impl Passage {
    /// Waits until all is settled on `workers`, and begins there. Whatever happens next leaves `alone` of them alone.
    pub fn begin(load: &Load, workers: &[Door], alone: Vec<Door>) -> anyhow::Result<Self> {
        let watch = Watch::start(load, alone)?;
        let before = settle(load, workers)?;
        Ok(Passage { before, watch })
    }

    /// Waits until all is settled on `workers`, and compares; `hit` are workers that were not left alone after all, `statuses` gives the
    /// records of the status topic since the beginning.
    ///
    /// *Errors*: a task that was started again, or stood still, without a reason; a task that failed on a worker that was left alone.
    pub fn end(
        self,
        load: &Load,
        workers: &[Door],
        hit: impl FnOnce() -> BTreeSet<String>,
        statuses: impl FnOnce() -> anyhow::Result<Vec<KeyValue>>,
    ) -> anyhow::Result<Outcome> {
        let after = settle(load, workers)?;
        let statuses = &statuses()?;
        let (mut alone, all_samples) = self.watch.end()?;
        for id in hit() {
            alone.remove(&id);
        }
        let elsewhere = heard_elsewhere(&self.before, &alone, statuses)?;
        let mut outcome = Outcome::default();
        for (task, before) in &self.before {
            let run = after.get(task).with_context(|| format!("{task:?} does not run"))?;
            if !alone.contains(&before.worker) || elsewhere.contains(task) {
                outcome.affected += 1;
                continue;
            }
            if !before.is_same(run) {
                bail!(
                    "{task:?} was started again though its worker was left alone: {before:?}, now {run:?}\n{:#?}",
                    history(task, statuses)
                );
            }
            let samples = samples_of(&all_samples, task, before);
            if samples.windows(2).any(|pair| pair[1].1 < pair[0].1) || run.records <= before.records {
                bail!("{task:?} did not count on: {before:?}, now {run:?}, {samples:?}");
            }
            outcome.unaffected += 1;
            if load.is_source(&task.0) {
                let pause = (longest_pause(before, &samples), Some(task.clone()));
                outcome.longest_pause = outcome.longest_pause.max(pause);
            }
        }
        Ok(outcome)
    }
}

/// Asks workers all the time, and lets input files grow.
#[derive(Debug)]
struct Watch {
    asked: BTreeSet<String>,
    /// Dropped to end it.
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Samples>,
}

/// What a worker said of a task at some time: the worker, the time, the records.
type Samples = BTreeMap<TaskName, Vec<(String, Instant, u64)>>;

impl Watch {
    fn start(load: &Load, asked: Vec<Door>) -> anyhow::Result<Self> {
        let (inputs, expected) = (load.inputs.clone(), load.expected());
        inputs.grow()?;
        let (stop, stopped) = mpsc::channel();
        let ids = asked.iter().map(|door| door.id.clone()).collect();
        let thread = std::thread::spawn(move || {
            let mut samples = Samples::new();
            while stopped.recv_timeout(BETWEEN_SAMPLES) == Err(mpsc::RecvTimeoutError::Timeout) {
                inputs.grow().expect("input files");
                for (task, runs) in Look::at(&asked, &expected).runs {
                    let told = runs.into_iter().map(|run| (run.worker, run.at, run.records));
                    samples.entry(task).or_default().extend(told);
                }
            }
            samples
        });
        Ok(Watch {
            asked: ids,
            stop,
            thread,
        })
    }

    /// The workers that were asked, and what they said.
    fn end(self) -> anyhow::Result<(BTreeSet<String>, Samples)> {
        drop(self.stop);
        let samples = self.thread.join().ok().context("samples")?;
        Ok((self.asked, samples))
    }
}

/// Waits until everything runs, once, evenly spread over `workers`, and until every task has counted on after that.
fn settle(load: &Load, workers: &[Door]) -> anyhow::Result<BTreeMap<TaskName, Run>> {
    let expected = load.expected();
    let mut last = String::new();
    let settled = await_value("everything runs", SETTLED_WITHIN, || {
        let look = Look::at(workers, &expected);
        last = look.unsettled.clone().unwrap_or_default();
        look.unsettled.is_none().then(|| only_runs(look))
    });
    let settled = settled.with_context(|| last.clone())?;
    let counted = await_value("every task counts on", SETTLED_WITHIN, || {
        let look = Look::at(workers, &expected);
        last = format!("{:?}", look.unsettled);
        if look.unsettled.is_some() {
            return None;
        }
        let now = only_runs(look);
        let behind = settled.iter().find(|(task, then)| {
            let now = now.get(*task);
            now.is_none_or(|now| !now.is_same(then) || now.records <= then.records)
        });
        last = format!("{behind:?}");
        behind.is_none().then_some(now)
    });
    counted.with_context(|| last)
}

/// Tasks of which another worker than theirs said something.
fn heard_elsewhere(
    before: &BTreeMap<TaskName, Run>,
    alone: &BTreeSet<String>,
    statuses: &[KeyValue],
) -> anyhow::Result<BTreeSet<TaskName>> {
    let mut elsewhere = BTreeSet::new();
    for (key, value) in statuses {
        let Some(task) = task_of(key) else { continue };
        let status: Value = serde_json::from_str(value).unwrap_or_default();
        let worker = status["worker_id"].as_str().unwrap_or_default();
        if status["state"] == "FAILED" && alone.contains(worker) {
            bail!("{key} failed on a worker that was left alone: {value}");
        }
        if before.get(&task).is_some_and(|before| before.worker != worker) {
            elsewhere.insert(task);
        }
    }
    Ok(elsewhere)
}

/// What the task's worker said since the beginning.
fn samples_of(all: &Samples, task: &TaskName, before: &Run) -> Vec<(Instant, u64)> {
    let of_task = all.get(task).into_iter().flatten();
    of_task
        .filter(|(worker, at, _)| *worker == before.worker && *at >= before.at)
        .map(|(_, at, records)| (*at, *records))
        .collect()
}

fn only_runs(look: Look) -> BTreeMap<TaskName, Run> {
    let first = |(task, runs): (TaskName, Vec<Run>)| Some((task, runs.into_iter().next()?));
    look.runs.into_iter().filter_map(first).collect()
}

fn longest_pause(before: &Run, samples: &[(Instant, u64)]) -> Duration {
    let (mut since, mut records, mut longest) = (before.at, before.records, Duration::ZERO);
    for (at, now) in samples {
        longest = longest.max(at.saturating_duration_since(since));
        if *now > records {
            (since, records) = (*at, *now);
        }
    }
    longest
}

/// `status-task-NAME-NUMBER`
fn task_of(key: &str) -> Option<TaskName> {
    let (connector, task) = key.strip_prefix("status-task-")?.rsplit_once('-')?;
    Some((connector.to_owned(), task.parse().ok()?))
}

fn history<'a>(task: &TaskName, statuses: &'a [KeyValue]) -> Vec<&'a str> {
    let of_task = statuses.iter().filter(|(key, _)| task_of(key).as_ref() == Some(task));
    of_task.map(|(_, value)| value.as_str()).collect()
}
