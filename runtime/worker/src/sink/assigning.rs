//! Partitions of a sink task: given, taken away, paused, sought.
//!
//! Follows the consumer's group and the wishes of the guest; which partitions flow is `partitions.rs`' decision.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use weir_client::consumer::ConsumerEvent;
use weir_client::topic_partition::TopicPartition;
use weir_plugins::sink_requests::{self as guest, FlowChange};
use weir_stores::status::records::State;

use crate::error::TaskFailure;
use crate::sink::commit::Offsets;
use crate::sink::task::{SinkTask, Work};

/// Longest wait for positions of newly assigned partitions, and for a seek.
const POSITION_TIMEOUT: Duration = Duration::from_secs(60);

impl SinkTask {
    pub(super) async fn rebalance(&mut self, event: ConsumerEvent, work: &mut Work) -> Result<(), TaskFailure> {
        match event {
            ConsumerEvent::Assigned(partitions) => self.assigned(&partitions, work).await,
            ConsumerEvent::Revoked(partitions) => {
                let gone: BTreeSet<_> = partitions.iter().cloned().collect();
                let closed = self.close(&gone, work).await;
                self.forget(&gone, work)?;
                self.consumer.unassign(&partitions).await?;
                closed
            }
            ConsumerEvent::Lost(partitions) => {
                let gone: BTreeSet<_> = partitions.iter().cloned().collect();
                tracing::warn!(task = %self.id, partitions = partitions.len(), "partitions were lost");
                let closed = self.close_guest(&gone).await;
                self.forget(&gone, work)?;
                self.consumer.unassign(&partitions).await?;
                closed
            }
            ConsumerEvent::Failed(error) => {
                tracing::warn!(task = %self.id, %error, "group was not balanced, trying again");
                Ok(())
            }
        }
    }

    async fn assigned(&mut self, partitions: &[TopicPartition], work: &mut Work) -> Result<(), TaskFailure> {
        work.partitions.assign(partitions);
        self.tell_assignment(work);
        let committed = match partitions {
            [] => Vec::new(),
            _ => self.consumer.committed(partitions, POSITION_TIMEOUT).await?,
        };
        let mut positions: Vec<(TopicPartition, Option<i64>)> = partitions.iter().cloned().zip(committed).collect();
        for (partition, offset) in &positions {
            if let Some(offset) = offset {
                self.commits.started_at(partition, *offset);
            }
        }
        if !partitions.is_empty() {
            let opened: Vec<_> = partitions.iter().map(to_guest).collect();
            self.instance.open(&opened).await?;
        }
        // Seeks asked for while opening move the start; a seek right after the assignment could come too early.
        let wishes = self.context.take_requests();
        let mut seeks = Vec::new();
        for wish in wishes.seeks {
            let partition = TopicPartition::new(wish.topic, wish.partition);
            self.commits.moved(&partition, wish.offset);
            match positions.iter_mut().find(|(known, _)| *known == partition) {
                Some((_, offset)) => *offset = Some(wish.offset),
                None => seeks.push((partition, wish.offset)),
            }
        }
        self.consumer.assign(&positions).await?;
        self.seek(&seeks).await?;
        self.change_flow(wishes.flow, work);
        if wishes.is_commit_requested {
            self.commits.request();
        }
        self.apply_flow(work).await
    }

    fn forget(&mut self, gone: &BTreeSet<TopicPartition>, work: &mut Work) -> Result<(), TaskFailure> {
        work.partitions.revoke(gone);
        self.commits.revoke(gone);
        work.batch.revoke(gone)?;
        if work.is_redelivering && work.batch.records() == 0 {
            work.is_redelivering = false;
            work.partitions.set_redelivering(false);
        }
        self.tell_assignment(work);
        Ok(())
    }

    fn tell_assignment(&mut self, work: &Work) {
        self.meter.assigned(work.partitions.assigned().len());
        self.context
            .set_assignment(work.partitions.assigned().iter().map(to_guest));
    }

    pub(super) async fn apply_target(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        let is_paused = self.control.is_paused();
        if is_paused == work.is_paused {
            return Ok(());
        }
        work.is_paused = is_paused;
        work.partitions.set_target_paused(is_paused);
        self.apply_flow(work).await?;
        if is_paused {
            self.commits.request();
        }
        let state = if is_paused { State::Paused } else { State::Running };
        self.reports.task(&self.id, state, None).await;
        Ok(())
    }

    pub(super) async fn apply_wishes(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        let wishes = self.context.take_requests();
        if wishes.is_commit_requested {
            self.commits.request();
        }
        if let Some(ms) = wishes.retry_after_ms {
            work.retry_after = Some(Duration::from_millis(u64::from(ms)));
        }
        if !wishes.seeks.is_empty() {
            let offsets: Offsets = wishes
                .seeks
                .into_iter()
                .map(|at| (TopicPartition::new(at.topic, at.partition), at.offset))
                .collect();
            for (partition, offset) in &offsets {
                self.commits.moved(partition, *offset);
            }
            self.rewind(&offsets, work).await?;
        }
        if !wishes.flow.is_empty() {
            self.change_flow(wishes.flow, work);
            self.apply_flow(work).await?;
        }
        Ok(())
    }

    fn change_flow(&mut self, changes: Vec<FlowChange>, work: &mut Work) {
        for change in changes {
            match change {
                FlowChange::Pause(partitions) => work.partitions.pause(partitions.into_iter().map(from_guest)),
                FlowChange::Resume(partitions) => work.partitions.resume(partitions.into_iter().map(from_guest)),
            }
        }
    }

    pub(super) async fn apply_flow(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        let flow = work.partitions.flow();
        if !flow.pause.is_empty() {
            self.consumer.pause(&flow.pause).await?;
        }
        if !flow.resume.is_empty() {
            self.consumer.resume(&flow.resume).await?;
        }
        Ok(())
    }

    pub(super) async fn apply_subscription(&mut self) -> Result<(), TaskFailure> {
        if self.subscription.next_look().is_none_or(|look| look <= Instant::now())
            && let Some(topics) = self.subscription.changed().await
        {
            self.consumer.subscribe(&topics).await?;
        }
        Ok(())
    }

    pub(super) async fn rewind(&mut self, offsets: &Offsets, work: &mut Work) -> Result<(), TaskFailure> {
        let assigned = work.partitions.assigned();
        let offsets: Vec<_> = offsets
            .iter()
            .filter(|(p, _)| assigned.contains(*p))
            .map(|(p, offset)| (p.clone(), *offset))
            .collect();
        for (partition, _) in &offsets {
            work.batch.moved(partition);
        }
        self.seek(&offsets).await
    }

    pub(super) async fn seek(&mut self, offsets: &[(TopicPartition, i64)]) -> Result<(), TaskFailure> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.consumer
            .seek(offsets, POSITION_TIMEOUT)
            .await
            .map_err(TaskFailure::from)
    }
}

pub(super) fn to_guest(partition: &TopicPartition) -> guest::TopicPartition {
    guest::TopicPartition {
        topic: partition.topic.clone(),
        partition: partition.partition,
    }
}

fn from_guest(partition: guest::TopicPartition) -> TopicPartition {
    TopicPartition::new(partition.topic, partition.partition)
}
