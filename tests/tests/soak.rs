//! Three workers on a three-node Apache Kafka, and a fault a round: nothing is lost, nothing comes twice, what is not hit goes on.
//!
//! A short form runs with the other suites; `make soak-connect` runs the long one. `WEIR_SOAK_ROUNDS`, `WEIR_SOAK_CONNECTORS` (of four tasks
//! each) and `WEIR_SOAK_SEED` change it. A failure tells seed and round, and keeps the logs of all processes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::consumer::BaseConsumer;
use weir_tests::apache_cluster::{self, Cluster};
use weir_tests::kafka::Isolation;
use weir_tests::process::{PATIENCE, await_true};
use weir_tests::side_by_side::scratch;
use weir_tests::soak::fleet::{Door, Fleet, SESSION};
use weir_tests::soak::load::Load;
use weir_tests::soak::passage::Passage;
use weir_tests::soak::topic_reader::{TopicReader, consumer};

const WORKERS: usize = 3;
/// How long an unaffected source task may stand still while workers come and go: less than it takes to notice that one is gone.
const PAUSE: Duration = SESSION;
/// The same while the leader of a partition is dead, which is noticed after four seconds.
const PAUSE_WITHOUT_BROKER: Duration = Duration::from_secs(30);

/// How a worker's client tells that its producer is another's predecessor.
const FENCED: &str = "fenced by a newer instance";

#[derive(Debug, Clone, Copy)]
enum Fault {
    KilledWorker,
    KilledBroker,
    FrozenWorker,
    RolledWorkers,
}

impl Fault {
    const ALL: [Self; 4] = [
        Self::KilledWorker,
        Self::KilledBroker,
        Self::FrozenWorker,
        Self::RolledWorkers,
    ];
}

/// SplitMix64: a seed tells the whole run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) % sides as u64) as usize
    }

    /// Every fault once, in some order.
    fn shuffled(&mut self) -> Vec<Fault> {
        let mut rest = Fault::ALL.to_vec();
        (0..rest.len()).map(|_| rest.remove(self.roll(rest.len()))).collect()
    }
}

struct Soak {
    /// Before the cluster, so that their logs end with what mattered.
    fleet: Fleet,
    cluster: Cluster,
    load: Load,
    dice: Dice,
    committed: BaseConsumer,
    all: BaseConsumer,
    statuses: TopicReader,
}

#[test]
fn faults_lose_nothing_double_nothing_and_leave_the_rest_alone() {
    let number = |name: &str, default: u64| {
        let set = std::env::var(name).ok();
        set.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
    };
    let (rounds, connectors) = (number("WEIR_SOAK_ROUNDS", 3), number("WEIR_SOAK_CONNECTORS", 10));
    let seed = number("WEIR_SOAK_SEED", 1);
    let folder = fresh_folder();
    println!(
        "seed {seed}, {connectors} connectors, {rounds} rounds, logs in {}",
        folder.display()
    );
    let mut soak = Soak::start(&folder, connectors as usize, seed)
        .unwrap_or_else(|error| panic!("seed {seed}, start: {error:#}\nlogs in {}", folder.display()));
    let mut faults = Vec::new();
    for round in 1..=rounds {
        if faults.is_empty() {
            faults = soak.dice.shuffled();
        }
        let fault = faults.pop().expect("a fault");
        let began = Instant::now();
        let told = soak.round(fault).unwrap_or_else(|error| {
            panic!(
                "seed {seed}, round {round} of {rounds}, {connectors} connectors, {fault:?}: {error:#}\nlogs in {}",
                folder.display()
            )
        });
        println!(
            "round {round}: {fault:?}: {told}, {} records so far, {} s",
            soak.load.records,
            began.elapsed().as_secs()
        );
    }
    drop(soak);
    std::fs::remove_dir_all(&folder).expect("nobody holds it");
}

/// A folder of this process's. Of processes that are gone only the logs stay.
fn fresh_folder() -> PathBuf {
    const PREFIX: &str = "soak-";
    for entry in std::fs::read_dir(scratch()).expect("a folder").flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX);
        if owner.is_some_and(|pid| Path::new("/proc").join(pid).metadata().is_err()) {
            for data in apache_cluster::data_folders(&entry.path()) {
                // Already gone when it was cleared before.
                let _ = std::fs::remove_dir_all(data);
            }
        }
    }
    let folder = scratch().join(format!("{PREFIX}{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

impl Soak {
    fn start(folder: &Path, connectors: usize, seed: u64) -> anyhow::Result<Self> {
        let mut dice = Dice(seed);
        dice.roll(1);
        let cluster = Cluster::start(folder)?;
        let mut fleet = Fleet::new(folder, &cluster.addresses);
        for _ in 0..WORKERS {
            fleet.start_worker()?;
        }
        let mut load = Load::new(folder, connectors, dice.0);
        load.create(&fleet.workers[0].door.rest)?;
        let (committed, all) = (
            consumer(&cluster.addresses, Isolation::Committed)?,
            consumer(&cluster.addresses, Isolation::Uncommitted)?,
        );
        Ok(Soak {
            cluster,
            fleet,
            load,
            dice,
            committed,
            all,
            statuses: TopicReader::new("soak-status"),
        })
    }

    fn round(&mut self, fault: Fault) -> anyhow::Result<String> {
        let told = match fault {
            Fault::KilledWorker => self.kill_a_worker(),
            Fault::KilledBroker => self.kill_a_broker(),
            Fault::FrozenWorker => self.freeze_a_worker(),
            Fault::RolledWorkers => self.roll_all_workers(),
        }?;
        let rest = self.fleet.workers.first().context("a worker")?.door.rest.clone();
        self.load.verify(&rest, &self.committed)?;
        Ok(told)
    }

    /// Waits until `workers` run everything; a fault follows that leaves `alone` alone.
    fn begin(&mut self, workers: &[Door], alone: Vec<Door>) -> anyhow::Result<Passage> {
        let passage = Passage::begin(&self.load, workers, alone)?;
        // What was said until now belongs to what was before.
        self.statuses.news(&self.all)?;
        Ok(passage)
    }

    /// Waits until `workers` run everything again, and compares.
    fn end(&mut self, passage: Passage, workers: &[Door], pause: Duration) -> anyhow::Result<String> {
        self.end_but(passage, workers, pause, None)
    }

    /// The same after a broker's death, which a worker with such a log at the beginning may have noticed.
    fn end_but(
        &mut self,
        passage: Passage,
        workers: &[Door],
        pause: Duration,
        logs: Option<&[usize]>,
    ) -> anyhow::Result<String> {
        let hit = || logs.map_or_else(BTreeSet::new, |since| self.fleet.without_coordinator(since));
        let statuses = || self.statuses.news(&self.all);
        let outcome = passage.end(&self.load, workers, hit, statuses)?;
        anyhow::ensure!(outcome.unaffected > 0, "every task was affected: {outcome:?}");
        let (paused, task) = &outcome.longest_pause;
        anyhow::ensure!(
            *paused < pause,
            "{task:?} was left alone and stood still for {paused:?}"
        );
        Ok(format!(
            "{} tasks unaffected, {} not, {} ms without a record",
            outcome.unaffected,
            outcome.affected,
            paused.as_millis()
        ))
    }

    /// Its successor joins before the group knows that it is gone.
    fn kill_a_worker(&mut self) -> anyhow::Result<String> {
        let victim = self.dice.roll(WORKERS);
        let others = self.fleet.doors_but(&self.fleet.workers[victim].door.id);
        let passage = self.begin(&self.fleet.doors(), others)?;
        self.fleet.workers.remove(victim).process.kill()?;
        self.fleet.start_worker()?;
        self.end(passage, &self.fleet.doors(), PAUSE)
    }

    fn kill_a_broker(&mut self) -> anyhow::Result<String> {
        let workers = self.fleet.doors();
        let passage = self.begin(&workers, workers.clone())?;
        let logs = self.fleet.log_lengths();
        let victim = self.dice.roll(self.cluster.len());
        self.cluster.kill(victim)?;
        self.cluster.await_without(victim)?;
        self.cluster.restart(victim)?;
        self.cluster.await_whole()?;
        self.end_but(passage, &workers, PAUSE_WITHOUT_BROKER, Some(&logs))
    }

    /// Its successors are at work when it wakes up with what it was about to write.
    fn freeze_a_worker(&mut self) -> anyhow::Result<String> {
        let index = self.dice.roll(WORKERS);
        let all = self.fleet.doors();
        let others = self.fleet.doors_but(&self.fleet.workers[index].door.id);
        let passage = self.begin(&all, others.clone())?;
        self.fleet.workers[index].process.signal("STOP")?;
        let asleep = self.end(passage, &others, PAUSE).context("asleep")?;
        let passage = self.begin(&others, others.clone())?;
        let zombie = &self.fleet.workers[index];
        let told_before = zombie.process.log_text().len();
        zombie.process.signal("CONT")?;
        let fenced = await_true("a write of the zombie is fenced", PATIENCE, || {
            let log = zombie.process.log_text();
            log.get(told_before..).is_some_and(|news| news.contains(FENCED))
        });
        fenced.with_context(|| zombie.name.clone())?;
        let awake = self.end(passage, &all, PAUSE).context("awake again")?;
        Ok(format!("{asleep}; then {awake}"))
    }

    fn roll_all_workers(&mut self) -> anyhow::Result<String> {
        let mut told = Vec::new();
        for _ in 0..WORKERS {
            // The oldest one; its successor goes to the end.
            let others = self.fleet.doors_but(&self.fleet.workers[0].door.id);
            let passage = self.begin(&self.fleet.doors(), others)?;
            let mut leaving = self.fleet.workers.remove(0);
            let status = leaving.process.stop()?;
            anyhow::ensure!(status.success(), "{}: {status}", leaving.name);
            self.fleet.start_worker()?;
            told.push(self.end(passage, &self.fleet.doors(), PAUSE)?);
        }
        Ok(told.join("; then "))
    }
}
