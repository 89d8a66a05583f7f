//! Commits of a sink task: asked of the guest, decided, sent, answered.
//!
//! Which offsets may be committed is `commit.rs`' decision; here the guest and the broker are asked, in the loop and at the end of
//! partitions.

use std::collections::BTreeSet;

use tokio::task::JoinError;
use tokio::time::timeout;
use tracing::Instrument as _;
use weir_client::consumer::Consumer;
use weir_client::topic_partition::TopicPartition;
use weir_plugins::sink_requests as guest;

use crate::error::TaskFailure;
use crate::figures::Call;
use crate::sink::assigning::to_guest;
use crate::sink::commit::{Decision, Offered, Offsets};
use crate::sink::task::{Committed, SinkTask, Work, unrecoverable};

impl SinkTask {
    pub(super) async fn commit(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        self.topics_used.start_over();
        let Some(offered) = self.commits.begin(self.now_ms()) else {
            return Ok(());
        };
        self.meter.enter(Call::Commit);
        let answer = self.instance.pre_commit(&to_guest_offsets(&offered.offsets)).await;
        self.meter.left(self.instance.cpu(), self.instance.memory_bytes());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is_poisoned() => return Err(unrecoverable(error.into())),
            Err(error) => {
                tracing::error!(task = %self.id, %error, "offset commit failed, rewinding to last committed offsets");
                let back = self.commits.pre_commit_failed(&offered);
                self.rewind(&back, work).await?;
                return Ok(());
            }
        };
        if !self.rules.reporter().settle(self.commit_timeout).await? {
            tracing::warn!(task = %self.id, "dead letters are not stored yet, offsets are committed later");
            self.commits.completed(offered.sequence, None);
            return Ok(());
        }
        if let Some(offsets) = self.decide(&offered, answer, work) {
            self.meter.commit_begins();
            let (consumer, limit) = (Consumer::clone(&self.consumer), self.commit_timeout);
            let write = async move {
                let pairs: Vec<_> = offsets
                    .iter()
                    .map(|(partition, offset)| (partition.clone(), *offset))
                    .collect();
                let result = match timeout(limit, consumer.commit(&pairs)).await {
                    Ok(result) => result.map_err(|error| error.to_string()),
                    Err(_) => Err("timed out".to_owned()),
                };
                (offered.sequence, offsets, result)
            };
            work.commit.spawn(write.in_current_span());
        }
        Ok(())
    }

    fn decide(&mut self, offered: &Offered, answer: Vec<guest::TopicOffset>, work: &Work) -> Option<Offsets> {
        let answer = answer
            .into_iter()
            .map(|at| (TopicPartition::new(at.topic, at.partition), at.offset))
            .collect();
        let (decision, ignored) = self.commits.decide(offered, answer, work.partitions.assigned());
        for one in ignored {
            tracing::warn!(task = %self.id, partition = %one.partition, offset = one.offset, reason = ?one.reason, "ignoring offset provided by the task");
        }
        match decision {
            Decision::Commit(offsets) => Some(offsets),
            Decision::OptedOut | Decision::NoChange => None,
        }
    }

    pub(super) fn end_commits(&mut self, work: &mut Work) {
        while let Some(answer) = work.commit.try_join_next() {
            self.committed(answer);
        }
        if self.commits.expire(self.now_ms()) {
            tracing::warn!(task = %self.id, "commit of offsets timed out");
        }
    }

    pub(super) fn committed(&mut self, answer: Result<Committed, JoinError>) {
        let (sequence, offsets, result) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(task = %self.id, %error, "commit of offsets ended abnormally");
                return self.meter.commit_ended(0, false);
            }
        };
        let is_success = result.is_ok();
        if let Err(error) = result {
            tracing::error!(task = %self.id, error, "commit of offsets failed");
        }
        if self.commits.completed(sequence, is_success.then_some(offsets)) {
            self.meter.commit_ended(sequence, is_success);
            self.meter.uncommitted(self.commits.uncommitted());
        } else {
            self.meter.commit_skipped();
        }
    }

    /// Pre-commits, commits and closes partitions that are given up.
    pub(super) async fn close(
        &mut self,
        partitions: &BTreeSet<TopicPartition>,
        work: &mut Work,
    ) -> Result<(), TaskFailure> {
        // An earlier commit must not arrive after the last one.
        while let Some(answer) = work.commit.join_next().await {
            self.committed(answer);
        }
        let offered = self.commits.begin_closing(partitions, self.now_ms());
        let answer = match &offered {
            None => Ok(Vec::new()),
            Some(offered) => self.instance.pre_commit(&to_guest_offsets(&offered.offsets)).await,
        };
        let closed = self.close_guest(partitions).await;
        let settled = match self.rules.reporter().settle(self.commit_timeout).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(TaskFailure::connect("dead letters were not stored in time")),
            Err(failure) => Err(failure),
        };
        match (offered, answer) {
            (Some(offered), Ok(_)) if settled.is_err() => {
                tracing::warn!(task = %self.id, "offsets of closed partitions are not committed: their dead letters are not stored");
                self.commits.completed(offered.sequence, None);
            }
            (Some(offered), Ok(answer)) => {
                if let Some(offsets) = self.decide(&offered, answer, work) {
                    self.commit_now(offered.sequence, offsets).await;
                }
            }
            (Some(offered), Err(error)) => {
                tracing::warn!(task = %self.id, %error, "offset commit failed during close");
                self.commits.completed(offered.sequence, None);
            }
            (None, _) => {}
        }
        closed.and(settled)
    }

    async fn commit_now(&mut self, sequence: u64, offsets: Offsets) {
        self.meter.commit_begins();
        let pairs: Vec<_> = offsets
            .iter()
            .map(|(partition, offset)| (partition.clone(), *offset))
            .collect();
        let result = match timeout(self.commit_timeout, self.consumer.commit(&pairs)).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("timed out".to_owned()),
        };
        self.committed(Ok((sequence, offsets, result)));
    }

    pub(super) async fn close_guest(&mut self, partitions: &BTreeSet<TopicPartition>) -> Result<(), TaskFailure> {
        if partitions.is_empty() || self.instance.is_poisoned() {
            return Ok(());
        }
        let partitions: Vec<_> = partitions.iter().map(to_guest).collect();
        self.instance.close(&partitions).await.map_err(TaskFailure::from)
    }
}

fn to_guest_offsets(offsets: &Offsets) -> Vec<guest::TopicOffset> {
    let one = |(partition, offset): (&TopicPartition, &i64)| guest::TopicOffset {
        topic: partition.topic.clone(),
        partition: partition.partition,
        offset: *offset,
    };
    offsets.iter().map(one).collect()
}
