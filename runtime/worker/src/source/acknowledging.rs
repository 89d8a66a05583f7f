//! The way back: from the broker's answers to stored offsets.
//!
//! Says which records are stored, tells the guest, and commits what may be committed without exactly-once support.

use tokio::task::JoinError;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;
use weir_api::error::{ConnectError, ErrorKind};
use weir_client::error::KafkaError;
use weir_plugins::guest::source::Acks;

use crate::error::{TaskFailure, kafka_class};
use crate::log_context::offsets_span;
use crate::pipeline::report::{FailedRecord, Failing};
use crate::pipeline::stage::Stage;
use crate::source::exactly_once::flush_failure;
use crate::source::task::{SourceTask, Work, Written};

impl SourceTask {
    /// Takes what the broker answered; fails on the first record it refused, unless errors are tolerated.
    pub(crate) fn acknowledge(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        let acks = self.sender.drain();
        let now = Instant::now();
        let mut failure = None;
        for ack in &acks {
            let is_offset = self
                .transactions
                .as_mut()
                .is_some_and(|transactions| transactions.take_ack(ack));
            if let Some(error) = ack.error {
                let cause = refused(error);
                // No record of a transaction may be missing from it.
                if !self.rules.tolerates() || self.transactions.is_some() {
                    failure.get_or_insert((error, cause));
                    continue;
                }
                let error = ConnectError::fatal(cause.message).with_class_name(cause.class_name);
                let failing = Failing {
                    stage: Stage::KafkaProduce,
                    class: "org.apache.kafka.connect.runtime.WorkerSourceTask",
                    record: FailedRecord::Source(""),
                };
                self.rules.tolerate(failing, &error);
            }
            if is_offset {
                continue;
            }
            if let Some(columns) = &mut work.acks
                && let Some(record) = self.delivery.locate(ack.opaque)
                && let Some(topic) = self.delivery.topic_of(record)
            {
                columns.acked(record.batch, record.index, topic, ack, now);
            }
            self.delivery.acked(ack.opaque);
        }
        let acked = acks.len();
        let had_acks = acked > 0;
        work.has_acks |= had_acks;
        self.sender.drained(acks);
        self.meter.on_the_way(self.sender.in_flight(), acked);
        if had_acks {
            self.delivery.collect();
        }
        match failure {
            None => Ok(()),
            Some((error, cause)) if self.transactions.is_some() => Err(flush_failure(&self.id, Some(error), cause)),
            Some((_, cause)) => {
                Err(TaskFailure::connect("Unrecoverable exception from producer send callback").caused_by(cause))
            }
        }
    }

    /// Hands acknowledgements to a guest that wants them, many at a time.
    pub(super) async fn tell_guest(&mut self, work: &mut Work) {
        if self.transactions.is_none()
            && let Some(columns) = &mut work.acks
            && columns.is_due(Instant::now())
        {
            self.tell_acks(columns.take()).await;
        }
    }

    /// Tells which topics were used first, once something was acknowledged.
    pub(super) async fn tell_topics(&mut self, work: &Work) {
        if !work.has_acks {
            return;
        }
        for topic in self.topics_used.news() {
            self.reports.topic(&self.id, &topic).await;
        }
    }

    pub(crate) async fn tell_acks(&mut self, columns: Vec<Acks>) {
        for acks in columns {
            if let Err(error) = self.instance.records_acked(acks).await {
                tracing::error!(task = %self.id, %error, "exception thrown while calling task.commitRecord()");
            }
        }
    }

    pub(super) async fn begin_commit(&mut self, work: &mut Work) {
        work.next_commit = Instant::now() + self.timing.interval;
        self.topics_used.start_over();
        if !work.commit.is_empty() || self.transactions.is_some() {
            return;
        }
        let offsets = self.delivery.commit();
        if offsets.is_empty() {
            self.commit_guest().await;
            return;
        }
        let (store, connector, limit) = (self.store.clone(), self.id.connector.clone(), self.timing.timeout);
        self.meter.commit_begins();
        let write = async move {
            let result = match timeout(limit, store.write(&connector, offsets.clone())).await {
                Ok(result) => result.map_err(|error| error.to_string()),
                Err(_) => Err("timed out; will try again on next flush interval with latest offsets".to_owned()),
            };
            (offsets, result)
        };
        work.commit.spawn(write.in_current_span());
    }

    /// Takes the result of a write of offsets, if there is one by now.
    pub(super) async fn end_commit(&mut self, work: &mut Work) {
        if let Some(written) = work.commit.try_join_next() {
            let span = offsets_span(&self.id);
            self.committed(written).instrument(span).await;
            // A fixed delay: the next commit is one interval after the end of this one.
            work.next_commit = Instant::now() + self.timing.interval;
        }
    }

    pub(super) async fn committed(&mut self, written: Result<Written, JoinError>) {
        self.meter.commit_ended(0, matches!(written, Ok((_, Ok(())))));
        match written {
            Ok((_, Ok(()))) => self.commit_guest().await,
            Ok((offsets, Err(error))) => {
                tracing::error!(task = %self.id, error, "failed to flush offsets to storage");
                self.delivery.restore(offsets);
            }
            Err(error) => tracing::error!(task = %self.id, %error, "write of offsets ended abnormally"),
        }
    }

    pub(crate) async fn commit_guest(&mut self) {
        if let Err(error) = self.instance.commit().await
            && error.kind != ErrorKind::Stopped
            && !error.is_poisoned()
        {
            tracing::error!(task = %self.id, %error, "exception thrown while calling task.commit()");
        }
    }
}

/// Says why the broker, or the client in its place, did not take a record.
fn refused(error: KafkaError) -> TaskFailure {
    let text = match error {
        KafkaError::INVALID_TIMESTAMP => {
            "a record with timestamp 0 cannot be sent: the client library would send the current time instead"
        }
        KafkaError::MSG_SIZE_TOO_LARGE => {
            "a record is larger than the producer's max.request.size or the topic's max.message.bytes"
        }
        other => other.message(),
    };
    TaskFailure {
        retriable: error.is_retriable(),
        ..TaskFailure::of(kafka_class(error), text)
    }
}
