//! Names, states and reports that connectors and tasks share.
//!
//! What runs is told what to be through [`Control`] and reports through [`Reports`]; a cancelled one
//! is muted, so that a late status never overwrites its successor's.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use weir_plugins::stop::StopSignal;
use weir_stores::configs::state::TargetState;
use weir_stores::status::records::State;

use crate::figures::TaskMeter;
use crate::worker_metrics::ConnectorMetrics;

/// One task of one connector.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    pub connector: String,
    pub task: u32,
}

/// Prints as Kafka does: connector, hyphen, number.
impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.connector, self.task)
    }
}

/// What the data plane reports to the herder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerEvent {
    /// A connector instance changed state.
    ConnectorStatus {
        name: String,
        state: State,
        trace: Option<String>,
    },
    /// A task changed state.
    TaskStatus {
        id: TaskId,
        state: State,
        trace: Option<String>,
    },
    /// The connector asks for its task set to be computed again.
    ReconfigureTasks { name: String },
    /// A task used a topic, for the first time or again after a while.
    TopicUsed { id: TaskId, topic: String },
    /// A task is to be started again: it failed, or its settings have other values now.
    RestartTask { id: TaskId },
    /// The settings of a connector have other values now.
    RestartConnector { name: String },
}

/// The way in to a running task: what it should be, and its stop signal.
#[derive(Debug, Clone)]
pub struct Control {
    pub target: watch::Receiver<TargetState>,
    pub stop: StopSignal,
}

impl Control {
    /// Is true once the task has to end: stopped, or its target is STOPPED.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_requested() || *self.target.borrow() == TargetState::Stopped
    }

    /// Is true while the target is PAUSED.
    pub fn is_paused(&self) -> bool {
        *self.target.borrow() == TargetState::Paused
    }

    /// Waits for a stop request or a change of target. Cancel safe.
    pub async fn changed(&mut self) {
        tokio::select! {
            biased;
            () = self.stop.requested() => {}
            result = self.target.changed() => {
                if result.is_err() {
                    // The worker dropped the sender: the stop request is all that can still come.
                    self.stop.requested().await;
                }
            }
        }
    }

    /// Waits while the target is PAUSED; false when the task has to end instead.
    pub async fn await_unpause(&mut self) -> bool {
        while self.is_paused() && !self.is_stopping() {
            self.changed().await;
        }
        !self.is_stopping()
    }

    /// Waits at most `time`; returns early on a stop request. Cancel safe.
    pub async fn sleep(&self, time: Duration) {
        tokio::select! {
            biased;
            () = self.stop.requested() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}

/// The way out of a connector or task, until it is muted.
#[derive(Debug, Clone)]
pub struct Reports {
    events: mpsc::Sender<WorkerEvent>,
    muted: Arc<AtomicBool>,
    /// Of a task: what follows its states.
    meter: Option<Arc<TaskMeter>>,
    /// Of a connector: the same.
    metrics: Option<Arc<ConnectorMetrics>>,
}

impl Reports {
    /// Reports go to `events`. A full channel makes the reporter wait: the receiver must be drained
    /// while calls into the worker are awaited.
    pub fn new(events: mpsc::Sender<WorkerEvent>) -> Self {
        Self {
            events,
            muted: Arc::new(AtomicBool::new(false)),
            meter: None,
            metrics: None,
        }
    }

    /// The same way out, whose connector states the metrics follow.
    #[must_use]
    pub fn with_metrics(self, metrics: Arc<ConnectorMetrics>) -> Self {
        Self {
            metrics: Some(metrics),
            ..self
        }
    }

    /// The same way out, whose task states the meter follows.
    #[must_use]
    pub fn with_meter(self, meter: Arc<TaskMeter>) -> Self {
        Self {
            meter: Some(meter),
            ..self
        }
    }

    /// Drops every later report.
    pub fn mute(&self) {
        self.muted.store(true, Ordering::SeqCst);
    }

    /// Reports the state of a task.
    pub async fn task(&self, id: &TaskId, state: State, trace: Option<String>) {
        if let Some(meter) = &self.meter {
            meter.entered(state);
        }
        self.send(WorkerEvent::TaskStatus {
            id: id.clone(),
            state,
            trace,
        })
        .await;
    }

    /// Reports the state of a connector.
    pub async fn connector(&self, name: &str, state: State, trace: Option<String>) {
        if let Some(metrics) = &self.metrics {
            metrics.enter(state);
        }
        self.send(WorkerEvent::ConnectorStatus {
            name: name.to_owned(),
            state,
            trace,
        })
        .await;
    }

    /// Asks for the task set to be computed again.
    pub async fn reconfigure(&self, name: &str) {
        self.send(WorkerEvent::ReconfigureTasks { name: name.to_owned() }).await;
    }

    /// Reports that a task used a topic.
    pub async fn topic(&self, id: &TaskId, topic: &str) {
        self.send(WorkerEvent::TopicUsed {
            id: id.clone(),
            topic: topic.to_owned(),
        })
        .await;
    }

    /// Asks for a connector to be started again.
    pub async fn restart_connector(&self, name: &str) {
        self.send(WorkerEvent::RestartConnector { name: name.to_owned() }).await;
    }

    /// Asks for a task to be started again.
    pub async fn restart(&self, id: &TaskId) {
        self.send(WorkerEvent::RestartTask { id: id.clone() }).await;
    }

    async fn send(&self, event: WorkerEvent) {
        if self.muted.load(Ordering::SeqCst) {
            return;
        }
        // A closed channel means that the herder is gone; nobody is left to tell.
        let _gone = self.events.send(event).await;
    }
}
