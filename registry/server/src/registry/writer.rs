//! The one writer
//!
//! Takes changes in order, decides each on the newest state, appends its records and answers once they are read back: two clients that
//! register one schema get one id, and no answer is given before its record is durable. After a failed write it first makes sure what
//! became of it. Runs on a thread of its own, since schemas are parsed and compared here. An elected leader would start it, and a
//! follower would pass its changes on to the leader's.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::refusal::Refusal;
use crate::registry::change::{Change, Outcome, Plan};
use crate::registry::delete::{delete_context, delete_subject, delete_version};
use crate::registry::handle::State;
use crate::registry::settings::{delete_config, delete_mode, put_config, put_mode};
use crate::store::records::Record;
use crate::store::topic::{SchemasTopic, WriteError};

/// Changes that may wait; a further client waits for room.
pub(crate) const WAITING_CHANGES: usize = 256;
/// Repairs that may wait; a further one is dropped.
pub(crate) const WAITING_REPAIRS: usize = 64;

/// A change and who waits for it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) change: Change,
    pub(crate) answer: oneshot::Sender<Result<Outcome, Refusal>>,
}

/// The writer's state.
#[derive(Debug)]
pub(crate) struct Writer {
    state: Arc<State>,
    topic: SchemasTopic,
    requests: mpsc::Receiver<Request>,
    repairs: mpsc::Receiver<Record>,
    /// Is true when an earlier write may yet arrive.
    is_uncertain: bool,
}

impl Writer {
    pub(crate) fn new(
        state: Arc<State>,
        topic: SchemasTopic,
        requests: mpsc::Receiver<Request>,
        repairs: mpsc::Receiver<Record>,
    ) -> Self {
        Self {
            state,
            topic,
            requests,
            repairs,
            is_uncertain: false,
        }
    }

    /// Works until `shutdown`; the change under way is finished.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            // Both queues lose nothing when another branch wins.
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(repair) = self.repairs.recv() => self.repair(repair).await,
                request = self.requests.recv() => match request {
                    Some(request) => {
                        let outcome = self.change(request.change).await;
                        // The client may have gone; the change stands.
                        let _gone = request.answer.send(outcome);
                    }
                    None => return,
                },
            }
        }
    }

    async fn change(&mut self, change: Change) -> Result<Outcome, Refusal> {
        let words = words(&change);
        if self.is_uncertain {
            self.topic.catch_up().await.map_err(|error| refused(words, &error))?;
            self.is_uncertain = false;
        }
        let plan = self.decide(change)?;
        if !plan.records.is_empty()
            && let Err(error) = self.topic.append(&plan.records).await
        {
            self.is_uncertain = !matches!(error, WriteError::TooLarge);
            tracing::warn!(%error, "writing to the schemas topic failed");
            return Err(refused(words, &error));
        }
        match plan.outcome {
            Outcome::Registered { subject, version } => {
                let found = self.state.cache.read().version(&subject, version).cloned();
                found.map(Outcome::Schema).ok_or_else(|| {
                    Refusal::Store(format!(
                        "Version {version} of subject '{subject}' was written and is gone"
                    ))
                })
            }
            outcome => Ok(outcome),
        }
    }

    fn decide(&self, change: Change) -> Result<Plan, Refusal> {
        let cache = &self.state.cache;
        let settings = &self.state.settings;
        match change {
            Change::Register {
                subject,
                candidate,
                options,
            } => self.state.finder().register(&subject, *candidate, options),
            Change::DeleteVersion {
                subject,
                version,
                removal,
            } => delete_version(&cache.read(), &subject, version, removal),
            Change::DeleteSubject { subject, removal } => delete_subject(&cache.read(), &subject, removal),
            Change::PutConfig { subject, update } => put_config(&cache.read(), subject.as_deref(), *update),
            Change::DeleteConfig { subject } => delete_config(&cache.read(), settings, subject.as_deref()),
            Change::PutMode { subject, mode, import } => {
                put_mode(&cache.read(), settings, subject.as_deref(), mode, import)
            }
            Change::DeleteMode { subject, reach } => delete_mode(&cache.read(), settings, subject.as_deref(), reach),
            Change::DeleteContext { context } => delete_context(&cache.read(), &context),
        }
    }

    async fn repair(&mut self, record: Record) {
        if let Err(error) = self.topic.append(std::slice::from_ref(&record)).await {
            self.is_uncertain = true;
            tracing::warn!(%error, "a contradicting record could not be written back");
        }
    }
}

/// What the client was doing, for the text of a failed write.
fn words(change: &Change) -> &'static str {
    match change {
        Change::Register { .. } => "Register operation",
        Change::DeleteVersion { .. } => "Delete Schema Version operation",
        Change::DeleteSubject { .. } => "Delete Subject operation",
        Change::PutConfig { .. } => "Update config operation",
        Change::DeleteConfig { .. } => "Delete config operation",
        Change::PutMode { .. } => "Update mode operation",
        Change::DeleteMode { .. } => "Delete mode operation",
        Change::DeleteContext { .. } => "Delete context operation",
    }
}

fn refused(words: &str, error: &WriteError) -> Refusal {
    match error {
        WriteError::TooLarge => Refusal::SchemaTooLarge,
        WriteError::TimedOut(_) => Refusal::TimedOut(format!("{words} timed out")),
        WriteError::Failed(_) => Refusal::Store(format!("{words} failed while writing to the Kafka store")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_client::error::{ClientError, KafkaError};

    #[test]
    fn failed_writes_are_told_apart() {
        let failed = WriteError::Failed(ClientError::kafka("x", KafkaError { code: 2 }));
        for (error, expected) in [
            (
                WriteError::TooLarge,
                "Register operation failed because schema is too large",
            ),
            (WriteError::TimedOut("x".to_owned()), "Register operation timed out"),
            (failed, "Register operation failed while writing to the Kafka store"),
        ] {
            assert_eq!(refused("Register operation", &error).to_string(), expected);
        }
    }
}
