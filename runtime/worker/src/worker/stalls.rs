//! Looks at running tasks every few seconds: their rate, and whether they stand still.
//!
//! Only reads what loops count; a task that stands still is shown and logged, nothing else is done to it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::figures::{Stall, TaskMeter};
use crate::lifecycle::TaskId;
use crate::log_context::task_span;

/// Time between two looks, over which rates are taken.
const EVERY: Duration = Duration::from_secs(5);

/// The tasks looked at; cheap to clone. Looking ends when the last task is gone and starts with the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    watched: Arc<Mutex<Watched>>,
}

#[derive(Debug, Default)]
struct Watched {
    tasks: Vec<(TaskId, Weak<TaskMeter>)>,
    is_looking: bool,
}

impl Watch {
    /// Looks at a task for as long as its meter lives.
    pub(super) fn add(&self, id: TaskId, meter: &Arc<TaskMeter>, timeout: Duration) {
        let mut watched = self.watched.lock();
        watched.tasks.push((id, Arc::downgrade(meter)));
        if !watched.is_looking {
            watched.is_looking = true;
            // Ends by itself when no task is left.
            drop(tokio::spawn(self.clone().look(timeout)));
        }
    }

    async fn look(self, timeout: Duration) {
        loop {
            tokio::time::sleep(EVERY).await;
            let mut watched = self.watched.lock();
            watched.tasks.retain(|(id, meter)| {
                let Some(meter) = meter.upgrade() else { return false };
                let _context = task_span(id).entered();
                match meter.sample(EVERY, timeout) {
                    Some(Stall::Began(reason)) => tracing::warn!(task = %id, "task is running but {reason}"),
                    Some(Stall::Ended) => tracing::info!(task = %id, "task moves again"),
                    None => {}
                }
                true
            });
            if watched.tasks.is_empty() {
                watched.is_looking = false;
                return;
            }
        }
    }
}
