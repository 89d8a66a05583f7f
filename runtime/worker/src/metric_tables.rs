//! The tables of the worker's metrics
//!
//! Names, tags and meanings as in Kafka Connect; the values come from `worker_metrics`. Source: `ConnectMetricsRegistry`.

use weir_metrics::group::{GroupDef, Kind, MetricDef};

const fn counter(name: &'static str, doc: &'static str) -> MetricDef {
    MetricDef {
        name,
        kind: Kind::Counter,
        doc,
    }
}

const fn gauge(name: &'static str, doc: &'static str) -> MetricDef {
    MetricDef {
        name,
        kind: Kind::Gauge,
        doc,
    }
}

const fn text(name: &'static str, doc: &'static str) -> MetricDef {
    MetricDef {
        name,
        kind: Kind::Text,
        doc,
    }
}

/// A connector instance.
pub static CONNECTOR: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "connector-metrics",
    tags: &["connector"],
    metrics: &[
        text("status", "State of the connector, lower case."),
        text("connector-type", "source or sink."),
        text("connector-class", "Class of the connector."),
        text("connector-version", "Version of the connector."),
    ],
};

/// A task of either kind.
pub static TASK: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "connector-task-metrics",
    tags: &["connector", "task"],
    metrics: &[
        text("status", "State of the task, lower case."),
        text("connector-type", "source or sink."),
        text("connector-class", "Class of the connector."),
        text("connector-version", "Version of the connector."),
        text("task-class", "Class of the task."),
        text("task-version", "Version of the task."),
        text("key-converter-class", "Class of the converter of keys."),
        text("key-converter-version", "Version of the converter of keys."),
        text("value-converter-class", "Class of the converter of values."),
        text("value-converter-version", "Version of the converter of values."),
        text("header-converter-class", "Class of the converter of headers."),
        text("header-converter-version", "Version of the converter of headers."),
        gauge(
            "running-ratio",
            "Part of the time since the task began that it was running, 0 to 1.",
        ),
        gauge(
            "pause-ratio",
            "Part of the time since the task began that it was paused, 0 to 1.",
        ),
        gauge("offset-commit-max-time-ms", "Longest commit of offsets, milliseconds."),
        gauge("offset-commit-avg-time-ms", "Average commit of offsets, milliseconds."),
        gauge(
            "offset-commit-failure-percentage",
            "Part of the commits of offsets that failed, 0 to 1.",
        ),
        gauge(
            "offset-commit-success-percentage",
            "Part of the commits of offsets that succeeded, 0 to 1.",
        ),
        gauge("batch-size-max", "Most records of a batch."),
        gauge("batch-size-avg", "Average records of a batch."),
    ],
};

/// A transformation of a task.
pub static TRANSFORM: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "connector-transform-metrics",
    tags: &["connector", "task", "transform"],
    metrics: &[
        text("transform-class", "Class of the transformation."),
        text("transform-version", "Version of the transformation."),
    ],
};

/// A predicate of a task.
pub static PREDICATE: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "connector-predicate-metrics",
    tags: &["connector", "task", "predicate"],
    metrics: &[
        text("predicate-class", "Class of the predicate."),
        text("predicate-version", "Version of the predicate."),
    ],
};

/// A source task.
pub static SOURCE: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "source-task-metrics",
    tags: &["connector", "task"],
    metrics: &[
        gauge(
            "source-record-poll-rate",
            "Records polled a second, before transformations.",
        ),
        counter("source-record-poll-total", "Records polled, before transformations."),
        gauge(
            "source-record-write-rate",
            "Records written to Kafka a second; filtered records do not count.",
        ),
        counter(
            "source-record-write-total",
            "Records written to Kafka; filtered records do not count.",
        ),
        gauge("poll-batch-max-time-ms", "Longest poll, milliseconds."),
        gauge("poll-batch-avg-time-ms", "Average poll, milliseconds."),
        gauge(
            "source-record-active-count",
            "Records polled and not yet written completely.",
        ),
        gauge(
            "source-record-active-count-max",
            "Most records polled and not yet written completely.",
        ),
        gauge(
            "source-record-active-count-avg",
            "Average of records polled and not yet written completely.",
        ),
        gauge("transaction-size-min", "Fewest records of a transaction."),
        gauge("transaction-size-max", "Most records of a transaction."),
        gauge("transaction-size-avg", "Average records of a transaction."),
    ],
};

/// A sink task.
pub static SINK: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "sink-task-metrics",
    tags: &["connector", "task"],
    metrics: &[
        gauge(
            "sink-record-read-rate",
            "Records read from Kafka a second, before transformations.",
        ),
        counter(
            "sink-record-read-total",
            "Records read from Kafka, before transformations.",
        ),
        gauge(
            "sink-record-send-rate",
            "Records put into the task a second, after transformations.",
        ),
        counter(
            "sink-record-send-total",
            "Records put into the task, after transformations.",
        ),
        gauge("partition-count", "Partitions assigned to the task."),
        gauge(
            "offset-commit-seq-no",
            "Sequence number of the latest commit of offsets.",
        ),
        gauge(
            "offset-commit-completion-rate",
            "Commits of offsets that succeeded, a second.",
        ),
        counter("offset-commit-completion-total", "Commits of offsets that succeeded."),
        gauge(
            "offset-commit-skip-rate",
            "Commits of offsets whose answer came after a later one had begun, a second.",
        ),
        counter(
            "offset-commit-skip-total",
            "Commits of offsets whose answer came after a later one had begun.",
        ),
        gauge(
            "sink-record-active-count",
            "Records put into the task whose offsets are not committed yet.",
        ),
        gauge(
            "sink-record-active-count-max",
            "Most records put into the task whose offsets were not committed yet.",
        ),
        gauge(
            "sink-record-active-count-avg",
            "Average of records put into the task whose offsets were not committed yet.",
        ),
        gauge("put-batch-max-time-ms", "Longest put, milliseconds."),
        gauge("put-batch-avg-time-ms", "Average put, milliseconds."),
    ],
};

/// What went wrong in a task.
pub static ERRORS: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "task-error-metrics",
    tags: &["connector", "task"],
    metrics: &[
        counter("total-record-failures", "Operations on records that failed, each try."),
        counter("total-record-errors", "Operations on records that failed for good."),
        counter("total-records-skipped", "Records left out because of errors."),
        counter("total-retries", "Operations tried again."),
        counter("total-errors-logged", "Errors written to the log."),
        counter(
            "deadletterqueue-produce-requests",
            "Records sent to the dead letter queue.",
        ),
        counter(
            "deadletterqueue-produce-failures",
            "Records that the dead letter queue did not take.",
        ),
        gauge("last-error-timestamp", "Milliseconds since 1970 of the latest error."),
    ],
};

/// The worker.
pub static WORKER: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "connect-worker-metrics",
    tags: &[],
    metrics: &[
        gauge("connector-count", "Connectors that run on this worker."),
        gauge("task-count", "Tasks that run on this worker."),
        counter("connector-startup-attempts-total", "Starts of a connector tried."),
        counter(
            "connector-startup-success-total",
            "Starts of a connector that succeeded.",
        ),
        gauge(
            "connector-startup-success-percentage",
            "Part of the starts of a connector that succeeded, 0 to 1.",
        ),
        counter("connector-startup-failure-total", "Starts of a connector that failed."),
        gauge(
            "connector-startup-failure-percentage",
            "Part of the starts of a connector that failed, 0 to 1.",
        ),
        counter("task-startup-attempts-total", "Starts of a task tried."),
        counter("task-startup-success-total", "Starts of a task that succeeded."),
        gauge(
            "task-startup-success-percentage",
            "Part of the starts of a task that succeeded, 0 to 1.",
        ),
        counter("task-startup-failure-total", "Starts of a task that failed."),
        gauge(
            "task-startup-failure-percentage",
            "Part of the starts of a task that failed, 0 to 1.",
        ),
    ],
};

/// The tasks of one connector on this worker.
pub static CONNECTOR_TASKS: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "connect-worker-metrics",
    tags: &["connector"],
    metrics: &[
        gauge("connector-total-task-count", "Tasks of the connector on this worker."),
        gauge(
            "connector-running-task-count",
            "Tasks of the connector on this worker that are running.",
        ),
        gauge(
            "connector-paused-task-count",
            "Tasks of the connector on this worker that are paused.",
        ),
        gauge(
            "connector-failed-task-count",
            "Tasks of the connector on this worker that are failed.",
        ),
        gauge(
            "connector-unassigned-task-count",
            "Tasks of the connector on this worker that are unassigned.",
        ),
        gauge(
            "connector-destroyed-task-count",
            "Tasks of the connector on this worker that are destroyed.",
        ),
        gauge(
            "connector-restarting-task-count",
            "Tasks of the connector on this worker that are restarting.",
        ),
    ],
};

/// The program.
pub static APP_INFO: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "app-info",
    tags: &[],
    metrics: &[
        text("version", "Version of Weir."),
        text("commit-id", "Commit that Weir was built from."),
        gauge("start-time-ms", "Start of the worker, milliseconds since 1970."),
    ],
};

/// Name, group and meaning of what plugins measure themselves (KIP-877); names and further labels are the plugin's.
pub const PLUGINS: (&str, &str, &str) = (
    "kafka.connect",
    "plugins",
    "Measured by the connector's own code; see its page.",
);

/// All of them, for the reference page.
pub static ALL: [&GroupDef; 10] = [
    &WORKER,
    &CONNECTOR_TASKS,
    &CONNECTOR,
    &TASK,
    &SOURCE,
    &SINK,
    &ERRORS,
    &TRANSFORM,
    &PREDICATE,
    &APP_INFO,
];
