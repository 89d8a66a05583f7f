//! What a sink task reports as bad: Connect's errant record reporter.
//!
//! A report names records by the coordinates they had in Kafka. One that is no longer in hand is read
//! again from its topic, so that the dead letter is the message itself and not a copy of it. The report
//! is stored before offsets are committed; who waits for that is the loop. Source: `WorkerErrantRecordReporter`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weir_api::error::ConnectError;
use weir_client::client_config::Translated;
use weir_client::consumer::{Consumer, Polled};
use weir_client::error::ClientError;
use weir_client::topic_partition::TopicPartition;
use weir_plugins::context::BoxFuture;
use weir_plugins::sink_requests::{ErrantReporter, TopicOffset};

use crate::pipeline::original::Original;
use crate::pipeline::report::{ErrorReporter, FailedRecord, Failing};
use crate::pipeline::stage::Stage;
use crate::sink::originals::Originals;
use crate::sink::reader::Reader;

/// Class that is said to execute while a task judges its records.
const SINK_TASK: &str = "org.apache.kafka.connect.sink.SinkTask";
/// Longest wait for a message that is read again.
const READ_AGAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Messages taken at a time while one is looked for.
const READ_AGAIN_RECORDS: usize = 100;

/// Reports for the guest of one sink task.
#[derive(Debug)]
pub struct TaskReports {
    pub reporter: Arc<ErrorReporter>,
    /// False: a report fails the call, and with it the task.
    pub is_tolerated: bool,
    pub originals: Originals,
    /// Settings of the task's consumer.
    pub consumer: Translated,
}

impl ErrantReporter for TaskReports {
    fn report<'a>(&'a self, records: Vec<TopicOffset>, error: ConnectError) -> BoxFuture<'a, Result<(), ConnectError>> {
        Box::pin(self.report_all(records, error))
    }
}

impl TaskReports {
    async fn report_all(&self, records: Vec<TopicOffset>, error: ConnectError) -> Result<(), ConnectError> {
        let mut again = None;
        let mut result = Ok(());
        for at in &records {
            result = self.report_one(at, &error, &mut again).await;
            if result.is_err() {
                break;
            }
        }
        if let Some(reader) = again {
            Reader::close(reader).await;
        }
        result
    }

    async fn report_one(
        &self,
        at: &TopicOffset,
        error: &ConnectError,
        again: &mut Option<Reader>,
    ) -> Result<(), ConnectError> {
        let original = match self.originals.find(&at.topic, at.partition, at.offset) {
            Some(original) => original,
            None => {
                let reader = match again {
                    Some(reader) => reader,
                    none => none.insert(Reader::new(Consumer::new(&self.consumer).map_err(not_read)?)),
                };
                read_again(reader, at).await?
            }
        };
        let failing = Failing {
            stage: Stage::TaskPut,
            class: SINK_TASK,
            record: FailedRecord::Message(&original),
        };
        let counters = &self.reporter.counters;
        counters.failed();
        counters.gave_up();
        let reported = self.reporter.report_for_task(failing, error).await;
        if !self.is_tolerated {
            return Err(ConnectError::fatal("Tolerance exceeded in error handler").caused_by(&error.message));
        }
        counters.skipped();
        reported.map_err(|error| ConnectError::fatal(error.to_string()))
    }
}

/// Reads one message from its topic.
async fn read_again(reader: &Reader, at: &TopicOffset) -> Result<Original, ConnectError> {
    let partition = TopicPartition::new(at.topic.as_str(), at.partition);
    let gone = || {
        ConnectError::data(format!(
            "the record {}-{}@{} that the task reported cannot be read again",
            at.topic, at.partition, at.offset
        ))
    };
    reader
        .assign(&[(partition.clone(), Some(at.offset))])
        .await
        .map_err(not_read)?;
    let deadline = Instant::now() + READ_AGAIN_TIMEOUT;
    let mut found = Err(gone());
    while Instant::now() < deadline {
        let wait = deadline.saturating_duration_since(Instant::now());
        let Polled::Messages(messages) = reader.next(READ_AGAIN_RECORDS, wait).await else {
            continue;
        };
        let of_partition = |message: &weir_client::consumer::MessageView<'_>| {
            message.partition() == at.partition && message.topic() == at.topic
        };
        let first = messages
            .iter()
            .find(|message| of_partition(message) && message.offset() >= at.offset);
        if let Some(message) = first {
            // A later one first means that it was deleted or compacted away.
            found = (message.offset() == at.offset)
                .then(|| Original::from(&message))
                .ok_or_else(gone);
            break;
        }
    }
    reader.unassign(&[partition]).await.map_err(not_read)?;
    found
}

fn not_read(error: ClientError) -> ConnectError {
    ConnectError::fatal(format!("a reported record cannot be read again: {error}"))
}
