//! What the broker measures, and under which of Kafka's names
//!
//! Counters that grow are atomics, read when the text is asked for; times of requests go into one sensor an API. Cost: two
//! clock reads and one uncontended lock a request, nothing for a record. Source: `kafka.server`, `kafka.network` MBeans.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weir_metrics::group::{GroupDef, Kind, MetricDef};
use weir_metrics::registry::{Figure, Group, MetricRegistry};
use weir_metrics::sensor::Sensor;
use weir_protocol::api;

use crate::partitions::Partitions;

const fn row(name: &'static str, kind: Kind, doc: &'static str) -> MetricDef {
    MetricDef { name, kind, doc }
}

/// Records and bytes of all topics.
pub static TOPICS: GroupDef = GroupDef {
    domain: "kafka.server",
    group: "BrokerTopicMetrics",
    tags: &[],
    metrics: &[
        row("MessagesIn-total", Kind::Counter, "Records appended to the logs."),
        row("BytesIn-total", Kind::Counter, "Bytes of requests read from clients."),
        row("BytesOut-total", Kind::Counter, "Bytes of answers written to clients."),
    ],
};

/// What the broker keeps.
pub static REPLICAS: GroupDef = GroupDef {
    domain: "kafka.server",
    group: "ReplicaManager",
    tags: &[],
    metrics: &[
        row("PartitionCount", Kind::Gauge, "Partitions on this broker."),
        row("LogSize", Kind::Gauge, "Bytes of all logs on the disk."),
    ],
};

/// The sockets.
pub static SOCKETS: GroupDef = GroupDef {
    domain: "kafka.server",
    group: "socket-server-metrics",
    tags: &[],
    metrics: &[row("connection-count", Kind::Gauge, "Open connections of clients.")],
};

/// Requests of one API.
pub static REQUESTS: GroupDef = GroupDef {
    domain: "kafka.network",
    group: "RequestMetrics",
    tags: &["request"],
    metrics: &[
        row("Requests-total", Kind::Counter, "Requests answered."),
        row(
            "TotalTimeMs-avg",
            Kind::Gauge,
            "Average time from request to answer, waits included, milliseconds.",
        ),
        row(
            "TotalTimeMs-max",
            Kind::Gauge,
            "Longest time from request to answer, waits included, milliseconds.",
        ),
    ],
};

/// All groups, for the reference page.
pub static ALL: [&GroupDef; 4] = [&TOPICS, &REPLICAS, &SOCKETS, &REQUESTS];

/// Counters of one broker.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) messages_in: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) connections: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, amount: usize) {
        counter.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

/// Metrics of one broker; shown as long as it lives.
#[derive(Debug)]
pub(crate) struct BrokerMetrics {
    pub(crate) counters: Arc<Counters>,
    registry: MetricRegistry,
    /// By API key.
    requests: Vec<(i16, Sensor)>,
    _groups: Vec<Group>,
}

impl BrokerMetrics {
    pub(crate) fn new(registry: &MetricRegistry, counters: Arc<Counters>, partitions: &Arc<Partitions>) -> Self {
        let mut groups = Vec::new();
        let topics = registry.group(&TOPICS, &[]);
        let shown = |group: &Group, name, read: fn(&Counters) -> &AtomicU64| {
            let counters = Arc::clone(&counters);
            group.number(name, move || read(&counters).load(Ordering::Relaxed) as f64);
        };
        shown(&topics, "MessagesIn-total", |counters| &counters.messages_in);
        shown(&topics, "BytesIn-total", |counters| &counters.bytes_in);
        shown(&topics, "BytesOut-total", |counters| &counters.bytes_out);
        let sockets = registry.group(&SOCKETS, &[]);
        shown(&sockets, "connection-count", |counters| &counters.connections);
        let replicas = registry.group(&REPLICAS, &[]);
        // Weak: what is shown must not keep the logs open.
        let (count, size) = (Arc::downgrade(partitions), Arc::downgrade(partitions));
        replicas.number("PartitionCount", move || {
            count.upgrade().map_or(0.0, |all| {
                all.topics().iter().map(|topic| topic.partitions.len()).sum::<usize>() as f64
            })
        });
        replicas.number("LogSize", move || {
            size.upgrade().map_or(0.0, |all| log_size(&all) as f64)
        });
        groups.extend([topics, sockets, replicas]);
        let mut requests = Vec::new();
        for api in api::TABLE {
            let group = registry.group(&REQUESTS, &[api.name]);
            let sensor = group.sensor(&[("TotalTimeMs-avg", Figure::Avg), ("TotalTimeMs-max", Figure::Max)]);
            let count = sensor.clone();
            group.number("Requests-total", move || count.read(|recorded| recorded.count() as f64));
            requests.push((api.key.0, sensor));
            groups.push(group);
        }
        Self {
            counters,
            registry: registry.clone(),
            requests,
            _groups: groups,
        }
    }

    /// A request of this API was answered.
    pub(crate) fn answered(&self, api_key: i16, took_ms: f64) {
        if let Some((_, sensor)) = self.requests.iter().find(|(key, _)| *key == api_key) {
            sensor.record(took_ms, self.registry.now_ms());
        }
    }
}

fn log_size(partitions: &Partitions) -> u64 {
    let topics = partitions.topics();
    let all = topics.iter().flat_map(|topic| topic.partitions.iter());
    all.filter_map(|partition| partition.reader())
        .map(|reader| reader.size())
        .sum()
}
