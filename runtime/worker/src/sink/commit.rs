//! Which offsets a sink task commits, and when.
//!
//! Pure: time is passed in. Offsets are next-to-read. A commit is never started while one is on its
//! way; one that takes longer than the timeout counts as failed. Source: `WorkerSinkTask`.

use std::collections::{BTreeMap, BTreeSet};

use weir_client::topic_partition::TopicPartition;

/// Offsets by partition.
pub type Offsets = BTreeMap<TopicPartition, i64>;

/// When commits are due and when they are late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitTiming {
    pub interval_ms: i64,
    pub timeout_ms: i64,
}

/// A commit that was begun; its offsets go to the task's `pre-commit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    pub sequence: u64,
    pub offsets: Offsets,
}

/// What to do with the task's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The task wants nothing committed.
    OptedOut,
    /// Everything is committed already.
    NoChange,
    Commit(Offsets),
}

/// An offset of the task's answer that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    pub partition: TopicPartition,
    pub offset: i64,
    pub reason: IgnoredReason,
}

/// Why an offset is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredReason {
    NotConsumed,
    NotAssigned,
    NotRequested,
}

/// Offsets of one sink task.
#[derive(Debug)]
pub struct Commits {
    timing: CommitTiming,
    consumed: Offsets,
    committed: Offsets,
    /// When the commit on its way counts as late.
    late_ms: Option<i64>,
    sequence: u64,
    due_ms: i64,
    is_requested: bool,
}

impl Commits {
    /// Starts with no partition; the first commit is due after one interval.
    pub fn new(timing: CommitTiming, now_ms: i64) -> Self {
        Self {
            timing,
            consumed: Offsets::new(),
            committed: Offsets::new(),
            late_ms: None,
            sequence: 0,
            due_ms: now_ms.saturating_add(timing.interval_ms),
            is_requested: false,
        }
    }

    /// Notes where reading of a partition starts, unless that is known.
    pub fn started_at(&mut self, partition: &TopicPartition, offset: i64) {
        if !self.committed.contains_key(partition) {
            self.moved(partition, offset);
        }
    }

    /// Notes that the partition was moved: by a seek of the task, or back to the last commit.
    pub fn moved(&mut self, partition: &TopicPartition, offset: i64) {
        self.committed.insert(partition.clone(), offset);
        self.consumed.insert(partition.clone(), offset);
    }

    /// Notes that records before `offset` were put.
    pub fn consumed(&mut self, partition: &TopicPartition, offset: i64) {
        match self.consumed.get_mut(partition) {
            Some(known) => *known = offset,
            None => {
                self.consumed.insert(partition.clone(), offset);
            }
        }
    }

    /// How many records were put whose offsets are not committed.
    pub fn uncommitted(&self) -> u64 {
        let behind = self.consumed.iter().map(|(partition, consumed)| {
            let committed = self.committed.get(partition).unwrap_or(consumed);
            u64::try_from(consumed - committed).unwrap_or(0)
        });
        behind.sum()
    }

    /// Asks for a commit at the next chance.
    pub fn request(&mut self) {
        self.is_requested = true;
    }

    /// Is true when a commit should begin.
    pub fn is_due(&self, now_ms: i64) -> bool {
        self.late_ms.is_none() && (self.is_requested || now_ms >= self.due_ms)
    }

    /// Time until the next commit is due, 0 when it is.
    pub fn until_due_ms(&self, now_ms: i64) -> i64 {
        (self.due_ms - now_ms).max(0)
    }

    /// Is true once when the commit on its way is late; it then counts as failed.
    pub fn expire(&mut self, now_ms: i64) -> bool {
        let is_late = self.late_ms.is_some_and(|late| now_ms >= late);
        if is_late {
            self.late_ms = None;
        }
        is_late
    }

    /// Begins the periodic commit of all partitions; none when there is nothing to offer.
    pub fn begin(&mut self, now_ms: i64) -> Option<Offered> {
        self.due_ms = now_ms.saturating_add(self.timing.interval_ms);
        self.is_requested = false;
        let offsets = self.consumed.clone();
        self.offer(offsets, now_ms)
    }

    /// Begins the last commit of partitions that are closed.
    pub fn begin_closing(&mut self, partitions: &BTreeSet<TopicPartition>, now_ms: i64) -> Option<Offered> {
        let offsets = self
            .consumed
            .iter()
            .filter(|(partition, _)| partitions.contains(partition));
        let offsets = offsets
            .map(|(partition, offset)| (partition.clone(), *offset))
            .collect();
        self.offer(offsets, now_ms)
    }

    fn offer(&mut self, offsets: Offsets, now_ms: i64) -> Option<Offered> {
        if offsets.is_empty() {
            return None;
        }
        self.sequence += 1;
        self.late_ms = Some(now_ms.saturating_add(self.timing.timeout_ms));
        Some(Offered {
            sequence: self.sequence,
            offsets,
        })
    }

    /// Decides what of the task's answer is committed. Unless the decision is to commit, the begun
    /// commit is over.
    pub fn decide(
        &mut self,
        offered: &Offered,
        answer: Offsets,
        assignment: &BTreeSet<TopicPartition>,
    ) -> (Decision, Vec<Ignored>) {
        if answer.is_empty() {
            self.late_ms = None;
            return (Decision::OptedOut, Vec::new());
        }
        let known = |partition: &TopicPartition| offered.offsets.contains_key(partition);
        let last: Offsets = self
            .committed
            .iter()
            .filter(|(p, _)| known(p))
            .map(|(p, o)| (p.clone(), *o))
            .collect();
        let mut committable = last.clone();
        let mut ignored = Vec::new();
        for (partition, offset) in answer {
            let reason = match offered.offsets.get(&partition) {
                Some(consumed) if offset <= *consumed => {
                    committable.insert(partition, offset);
                    continue;
                }
                Some(_) => IgnoredReason::NotConsumed,
                None if assignment.contains(&partition) => IgnoredReason::NotRequested,
                None => IgnoredReason::NotAssigned,
            };
            ignored.push(Ignored {
                partition,
                offset,
                reason,
            });
        }
        if committable == last {
            self.late_ms = None;
            return (Decision::NoChange, ignored);
        }
        (Decision::Commit(committable), ignored)
    }

    /// Ends the begun commit because `pre-commit` failed, and returns the positions to go back to.
    pub fn pre_commit_failed(&mut self, offered: &Offered) -> Offsets {
        self.late_ms = None;
        let back: Offsets = self
            .committed
            .iter()
            .filter(|(partition, _)| offered.offsets.contains_key(*partition))
            .map(|(partition, offset)| (partition.clone(), *offset))
            .collect();
        self.consumed
            .extend(back.iter().map(|(partition, offset)| (partition.clone(), *offset)));
        back
    }

    /// Ends a commit; false when a later one was begun meanwhile and the answer no longer counts.
    pub fn completed(&mut self, sequence: u64, stored: Option<Offsets>) -> bool {
        if sequence != self.sequence {
            return false;
        }
        self.late_ms = None;
        for (partition, offset) in stored.into_iter().flatten() {
            // A partition that was revoked meanwhile stays forgotten.
            if self.consumed.contains_key(&partition) {
                self.committed.insert(partition, offset);
            }
        }
        true
    }

    /// Forgets partitions that were taken away.
    pub fn revoke(&mut self, partitions: &BTreeSet<TopicPartition>) {
        self.consumed.retain(|partition, _| !partitions.contains(partition));
        self.committed.retain(|partition, _| !partitions.contains(partition));
    }
}

#[cfg(test)]
mod tests;
