//! Metric groups: Kafka's tables of names, tags and meanings
//!
//! A group is named as its MBean is in Kafka (`domain:type=group`), its metrics as the attributes are. From the tables
//! come the Prometheus names and `docs/metrics`.

/// How a value behaves, for readers of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A text: shown as a gauge of 1 with the text as a label.
    Text,
}

/// One metric of a group.
#[derive(Debug, Clone, Copy)]
pub struct MetricDef {
    /// Kafka's attribute name, e.g. `source-record-poll-rate`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it tells, with its unit.
    pub doc: &'static str,
}

/// One group.
#[derive(Debug, Clone, Copy)]
pub struct GroupDef {
    /// JMX domain, e.g. `kafka.connect`.
    pub domain: &'static str,
    /// MBean type, e.g. `source-task-metrics`.
    pub group: &'static str,
    /// Tag names in order.
    pub tags: &'static [&'static str],
    /// Its metrics.
    pub metrics: &'static [MetricDef],
}

impl GroupDef {
    /// The Prometheus name of a metric: domain, group and name, as the JMX exporter joins them by default.
    pub fn prometheus_name(&self, metric: &MetricDef) -> String {
        prometheus_name(self.domain, self.group, metric.name)
    }

    /// The table as Markdown rows, for the reference page.
    pub fn markdown(&self) -> String {
        let mut page = format!("## `{}:type={}`", self.domain, self.group);
        if !self.tags.is_empty() {
            page.push_str(&format!("\n\nLabels: `{}`", self.tags.join("`, `")));
        }
        page.push_str("\n\n| metric | Prometheus | kind | meaning |\n|---|---|---|---|\n");
        for metric in self.metrics {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Text => "text",
            };
            let name = self.prometheus_name(metric);
            page.push_str(&format!("| `{}` | `{name}` | {kind} | {} |\n", metric.name, metric.doc));
        }
        page
    }
}

/// Domain, group and name in Prometheus' characters.
pub(crate) fn prometheus_name(domain: &str, group: &str, name: &str) -> String {
    format!("{}_{}_{}", plain(domain), plain(group), plain(name))
}

/// What is neither letter nor digit becomes an underscore.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_join_domain_group_and_attribute() {
        const METRIC: MetricDef = MetricDef {
            name: "source-record-poll-rate",
            kind: Kind::Gauge,
            doc: "x",
        };
        const GROUP: GroupDef = GroupDef {
            domain: "kafka.connect",
            group: "source-task-metrics",
            tags: &["connector", "task"],
            metrics: &[METRIC],
        };
        let name = "kafka_connect_source_task_metrics_source_record_poll_rate";
        assert_eq!(GROUP.prometheus_name(&METRIC), name);
        assert!(GROUP.markdown().contains(name));
    }
}
