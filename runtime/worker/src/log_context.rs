//! Whose lines log lines are: a connector's, a task's, or those of its offsets
//!
//! Spans with the fields that the log reads, so that every line written inside them says so, also those of clients and
//! plugins. How that looks is the command's matter. Source: `LoggingContext` (KIP-449).

use tracing::Span;

use crate::lifecycle::TaskId;

/// Lines of a connector and of what is done for it.
pub fn connector_span(name: &str) -> Span {
    tracing::error_span!("connector", connector = name)
}

/// Lines of a task.
pub fn task_span(id: &TaskId) -> Span {
    tracing::error_span!("task", connector = id.connector, task = id.task)
}

/// Lines about the offsets of a source task.
pub fn offsets_span(id: &TaskId) -> Span {
    tracing::error_span!("offsets", connector = id.connector, task = id.task, scope = "offsets")
}
