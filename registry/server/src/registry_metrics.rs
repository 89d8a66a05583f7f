//! What the registry measures
//!
//! Counts are read from the cache when the text is asked for; requests go into one sensor. Names follow Confluent's
//! (`kafka.schema.registry`). The text itself is served at `/metrics`.

use std::sync::Arc;

use parking_lot::RwLock;
use weir_metrics::group::{GroupDef, Kind, MetricDef};
use weir_metrics::registry::{Figure, Group, MetricRegistry};
use weir_metrics::sensor::Sensor;

use crate::store::cache::Cache;

const fn row(name: &'static str, kind: Kind, doc: &'static str) -> MetricDef {
    MetricDef { name, kind, doc }
}

/// What is registered.
pub static REGISTERED: GroupDef = GroupDef {
    domain: "kafka.schema.registry",
    group: "registered-count",
    tags: &[],
    metrics: &[
        row(
            "subject-count",
            Kind::Gauge,
            "Subjects, with those that hold deleted versions only.",
        ),
        row(
            "version-count",
            Kind::Gauge,
            "Versions of all subjects, deleted ones included.",
        ),
    ],
};

/// Requests over HTTP.
pub static REQUESTS: GroupDef = GroupDef {
    domain: "kafka.schema.registry",
    group: "jersey-metrics",
    tags: &[],
    metrics: &[
        row("request-rate", Kind::Gauge, "Requests a second."),
        row("request-total", Kind::Counter, "Requests answered."),
        row(
            "request-latency-avg",
            Kind::Gauge,
            "Average time of a request, milliseconds.",
        ),
        row(
            "request-latency-max",
            Kind::Gauge,
            "Longest time of a request, milliseconds.",
        ),
    ],
};

/// All groups, for the reference page.
pub static ALL: [&GroupDef; 2] = [&REGISTERED, &REQUESTS];

/// Metrics of one registry; shown as long as it lives.
#[derive(Debug, Clone)]
pub(crate) struct RegistryMetrics {
    registry: MetricRegistry,
    requests: Sensor,
    latency: Sensor,
    _groups: Arc<[Group; 2]>,
}

impl RegistryMetrics {
    pub(crate) fn new(registry: &MetricRegistry, cache: &Arc<RwLock<Cache>>) -> Self {
        let registered = registry.group(&REGISTERED, &[]);
        let (subjects, versions) = (Arc::clone(cache), Arc::clone(cache));
        registered.number("subject-count", move || subjects.read().counts().0 as f64);
        registered.number("version-count", move || versions.read().counts().1 as f64);
        let group = registry.group(&REQUESTS, &[]);
        Self {
            registry: registry.clone(),
            requests: group.sensor(&[("request-rate", Figure::Rate), ("request-total", Figure::Total)]),
            latency: group.sensor(&[
                ("request-latency-avg", Figure::Avg),
                ("request-latency-max", Figure::Max),
            ]),
            _groups: Arc::new([registered, group]),
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, took_ms: f64) {
        let now_ms = self.registry.now_ms();
        self.requests.record(1.0, now_ms);
        self.latency.record(took_ms, now_ms);
    }

    /// Everything this process measures, as Prometheus reads it.
    pub(crate) fn text(&self) -> String {
        self.registry.render()
    }
}
