//! Three nodes of Apache Kafka as child processes, each broker and controller, of which any one may be killed.
//!
//! Everything is kept three times and acknowledged twice, Connect's internal topics, offsets of groups and transactions included. A single
//! node is in `apache`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::apache::{Running, free_port};
use crate::process::{PATIENCE, await_true};

const NODES: usize = 3;
const CLUSTER_ID: &str = "4L6g3nShT-eMCtK--X86sw";

/// A dead node's partitions are led by others after four seconds instead of nine; all else about time is stock. Few partitions of internal
/// topics and a small cleaner suit small heaps.
const SETTINGS: &str = "process.roles=broker,controller\n\
    listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
    inter.broker.listener.name=PLAINTEXT\ncontroller.listener.names=CONTROLLER\n\
    default.replication.factor=3\nmin.insync.replicas=2\nnum.partitions=4\n\
    offsets.topic.replication.factor=3\noffsets.topic.num.partitions=6\n\
    transaction.state.log.replication.factor=3\ntransaction.state.log.min.isr=2\ntransaction.state.log.num.partitions=6\n\
    group.initial.rebalance.delay.ms=0\nbroker.session.timeout.ms=4000\nbroker.heartbeat.interval.ms=500\n\
    log.cleaner.dedupe.buffer.size=8388608\n";

/// The nodes.
#[derive(Debug)]
pub struct Cluster {
    /// `host:port` of all, as `bootstrap.servers` has them.
    pub addresses: String,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    name: String,
    folder: PathBuf,
    settings: PathBuf,
    /// None while it is dead.
    process: Option<Running>,
}

impl Cluster {
    /// Formats a folder for each node below `folder`, starts them, and waits until all are there.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let ports = free_ports(2 * NODES)?;
        let (brokers, controllers) = ports.split_at(NODES);
        let voters: Vec<String> = controllers
            .iter()
            .zip(1..)
            .map(|(port, id)| format!("{id}@127.0.0.1:{port}"))
            .collect();
        let mut nodes = Vec::new();
        for ((broker, controller), id) in brokers.iter().zip(controllers).zip(1..) {
            let text = format!(
                "{SETTINGS}node.id={id}\ncontroller.quorum.voters={}\n\
                 listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\nlog.dirs={}\n",
                voters.join(","),
                data_folder(folder, id).display()
            );
            let settings = folder.join(format!("kafka-{id}.properties"));
            std::fs::write(&settings, text)?;
            nodes.push(Node {
                name: format!("kafka-{id}"),
                folder: folder.to_owned(),
                settings,
                process: None,
            });
        }
        let formatting: Result<Vec<Running>, _> = nodes.iter().map(Node::format).collect();
        for mut formatting in formatting? {
            anyhow::ensure!(formatting.await_end()?.success(), "format:\n{}", formatting.log_text());
        }
        let addresses: Vec<String> = brokers.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let mut cluster = Cluster {
            addresses: addresses.join(","),
            nodes,
        };
        for node in &mut cluster.nodes {
            node.start()?;
        }
        cluster.await_whole()?;
        Ok(cluster)
    }

    /// How many nodes there are, dead ones included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// It never is.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// `kill -9` for node `index`.
    pub fn kill(&mut self, index: usize) -> anyhow::Result<()> {
        let process = self.nodes.get_mut(index).and_then(|node| node.process.take());
        process.context("a node that runs")?.kill()
    }

    /// Starts node `index` on what it left, without waiting.
    pub fn restart(&mut self, index: usize) -> anyhow::Result<()> {
        self.nodes.get_mut(index).context("a node")?.start()
    }

    /// Waits until node `index` leads nothing, and everything has a leader.
    pub fn await_without(&self, index: usize) -> anyhow::Result<()> {
        let dead = i32::try_from(index + 1)?;
        self.await_leaders("the others lead all partitions", move |leader, _, _| {
            leader >= 0 && leader != dead
        })
    }

    /// Waits until all nodes are there and every replica is in sync.
    pub fn await_whole(&self) -> anyhow::Result<()> {
        let whole = i32::try_from(self.nodes.len())?;
        self.await_leaders("all nodes are in sync", move |leader, in_sync, brokers| {
            leader >= 0 && in_sync == whole && brokers == whole
        })
    }

    /// Waits until `holds` of leader, number of replicas in sync and number of brokers, for every partition.
    fn await_leaders(&self, what: &str, holds: impl Fn(i32, i32, i32) -> bool) -> anyhow::Result<()> {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.addresses)
            .set("reconnect.backoff.max.ms", "500")
            .create()
            .context("client")?;
        let mut last = "no answer".to_owned();
        let waited = await_true(what, 2 * PATIENCE, || {
            let Ok(metadata) = client.fetch_metadata(None, Duration::from_secs(5)) else {
                return false;
            };
            let count = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
            let brokers = count(metadata.brokers().len());
            let partitions = metadata.topics().iter().flat_map(|topic| {
                let name = topic.name();
                topic.partitions().iter().map(move |partition| (name, partition))
            });
            let mut wrong = partitions
                .map(|(topic, partition)| (topic, partition.id(), partition.leader(), count(partition.isr().len())))
                .filter(|(_, _, leader, in_sync)| !holds(*leader, *in_sync, brokers));
            let found = wrong.next();
            last = format!("{found:?} of {brokers} brokers");
            // Before there are topics the brokers count.
            found.is_none() && (!metadata.topics().is_empty() || brokers == count(NODES))
        });
        waited.with_context(|| format!("(topic, partition, leader, in sync): {last}"))
    }
}

/// What the nodes of a cluster in `folder` keep, and nobody needs after them.
pub fn data_folders(folder: &Path) -> Vec<PathBuf> {
    (1..=NODES).map(|id| data_folder(folder, id)).collect()
}

fn data_folder(folder: &Path, id: usize) -> PathBuf {
    folder.join(format!("kafka-{id}-data"))
}

impl Node {
    fn format(&self) -> anyhow::Result<Running> {
        let command = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"].map(OsStr::new);
        let command: Vec<&OsStr> = command.into_iter().chain([self.settings.as_os_str()]).collect();
        Running::java(&format!("{}-format", self.name), &self.folder, &command, Stdio::null())
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let command = [OsStr::new("kafka.Kafka"), self.settings.as_os_str()];
        self.process = Some(Running::java(&self.name, &self.folder, &command, Stdio::null())?);
        Ok(())
    }
}

/// Different ones: each stays taken until all are known.
fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let mut ports = std::collections::BTreeSet::new();
    while ports.len() < count {
        ports.insert(free_port()?);
    }
    Ok(ports.into_iter().collect())
}
