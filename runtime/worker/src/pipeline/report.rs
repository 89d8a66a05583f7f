//! Telling that a record failed: the log and the dead letter queue of one task.
//!
//! What follows from a failure is `tolerance`'s decision; here it is only made known and counted.
//! Source: `LogReporter`, `DeadLetterQueueReporter`, KIP-298.

use std::sync::Arc;
use std::time::Duration;

use weir_api::error::ConnectError;
use weir_client::error::ClientError;

use crate::connector_config::ErrorLog;
use crate::error::TaskFailure;
use crate::figures::ErrorCounters;
use crate::lifecycle::TaskId;
use crate::pipeline::dead_letters::{DeadLetters, Letter};
use crate::pipeline::original::Original;
use crate::pipeline::stage::Stage;

/// Where a failure happened.
#[derive(Debug, Clone, Copy)]
pub struct Failing<'a> {
    pub stage: Stage,
    /// Class that was executing.
    pub class: &'a str,
    pub record: FailedRecord<'a>,
}

/// The record that failed.
#[derive(Debug, Clone, Copy)]
pub enum FailedRecord<'a> {
    /// A message read from Kafka.
    Message(&'a Original),
    /// A record of a source, in words for `errors.log.include.messages`.
    Source(&'a str),
}

/// Reports failures of one task.
#[derive(Debug)]
pub struct ErrorReporter {
    pub id: TaskId,
    pub log: ErrorLog,
    pub dead_letters: Option<DeadLetters>,
    pub counters: Arc<ErrorCounters>,
}

impl ErrorReporter {
    /// Makes ready what failures are reported to.
    ///
    /// # Errors
    /// The topic of the dead letter queue is missing and cannot be created.
    pub async fn prepare(&self) -> Result<(), TaskFailure> {
        match &self.dead_letters {
            Some(dead_letters) => dead_letters.prepare().await,
            None => Ok(()),
        }
    }

    /// Is true when a task's own reports go anywhere.
    pub fn is_listening(&self) -> bool {
        self.dead_letters.is_some() || self.log != ErrorLog::Off
    }

    /// Reports a failure that is final.
    pub async fn report(&self, failing: Failing<'_>, error: &ConnectError) {
        self.log(failing, error);
        if let Err(error) = self.send(failing, error, false).await {
            self.counters.dead_letter_failed();
            tracing::error!(task = %self.id, %error, "could not write to the dead letter queue");
        }
    }

    /// Reports a record that the task itself found bad.
    ///
    /// # Errors
    /// The dead letter queue takes nothing.
    pub async fn report_for_task(&self, failing: Failing<'_>, error: &ConnectError) -> Result<(), ClientError> {
        self.log(failing, error);
        self.send(failing, error, true).await
    }

    async fn send(
        &self,
        failing: Failing<'_>,
        error: &ConnectError,
        is_reported_by_task: bool,
    ) -> Result<(), ClientError> {
        let (Some(dead_letters), FailedRecord::Message(original)) = (&self.dead_letters, failing.record) else {
            return Ok(());
        };
        let letter = Letter {
            original,
            stage: failing.stage,
            class: failing.class,
            error,
            is_reported_by_task,
        };
        dead_letters.send(&letter).await
    }

    /// Waits until everything reported is stored; false when it is not yet.
    ///
    /// # Errors
    /// A record that the task reported was refused by the dead letter queue.
    pub async fn settle(&self, limit: Duration) -> Result<bool, TaskFailure> {
        let Some(dead_letters) = &self.dead_letters else {
            return Ok(true);
        };
        match dead_letters.settle(limit).await {
            Ok(()) => Ok(true),
            Err(ClientError::Timeout { .. }) => Ok(false),
            Err(error) => Err(TaskFailure::connect(
                "Encountered an error while awaiting an errant record future's completion.",
            )
            .caused_by(error)),
        }
    }

    /// Ends the clients.
    pub async fn close(&self) {
        if let Some(dead_letters) = &self.dead_letters {
            dead_letters.close().await;
        }
    }

    /// Writes Connect's line about a failure, where the connector asks for it.
    pub fn log(&self, failing: Failing<'_>, error: &ConnectError) {
        let Some(line) = line(&self.id, self.log, failing) else {
            return;
        };
        self.counters.logged();
        tracing::error!(error = error.trace_text(), "{line}");
    }
}

fn line(id: &TaskId, log: ErrorLog, failing: Failing<'_>) -> Option<String> {
    let record = match (log, failing.record) {
        (ErrorLog::Off, _) => return None,
        (ErrorLog::Context, _) => String::new(),
        (ErrorLog::ContextAndRecord, FailedRecord::Message(original)) => original.in_words(),
        (ErrorLog::ContextAndRecord, FailedRecord::Source(text)) => text.to_owned(),
    };
    Some(format!(
        "Error encountered in task {id}. Executing stage '{}' with class '{}'{record}.",
        failing.stage.name(),
        failing.class,
    ))
}

#[cfg(test)]
mod tests {
    use weir_client::consumer::TimestampType;

    use super::{FailedRecord, Failing, line};
    use crate::connector_config::ErrorLog;
    use crate::lifecycle::TaskId;
    use crate::pipeline::original::Original;
    use crate::pipeline::stage::Stage;

    #[test]
    fn the_line_is_connects() {
        let original = Original {
            topic: "in".to_owned(),
            partition: 0,
            offset: 7,
            timestamp: Some(1_700_000_000_000),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: None,
            headers: Vec::new(),
        };
        let id = TaskId {
            connector: "c".to_owned(),
            task: 0,
        };
        let failing = Failing {
            stage: Stage::Transformation,
            class: "org.apache.kafka.connect.transforms.Cast$Value",
            record: FailedRecord::Message(&original),
        };
        let short = "Error encountered in task c-0. Executing stage 'TRANSFORMATION' with class 'org.apache.kafka.connect.transforms.Cast$Value'";
        assert_eq!(line(&id, ErrorLog::Off, failing), None);
        assert_eq!(line(&id, ErrorLog::Context, failing), Some(format!("{short}.")));
        assert_eq!(
            line(&id, ErrorLog::ContextAndRecord, failing),
            Some(format!(
                "{short}, where consumed record is {{topic='in', partition=0, offset=7, timestamp=1700000000000, timestampType=CreateTime}}."
            ))
        );
    }
}
