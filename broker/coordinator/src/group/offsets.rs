//! What a group has committed, and when it lapses
//!
//! Only offsets whose record is durable are in here; those of an open transaction wait apart. They lapse by the retention of the broker,
//! counted from when the group became empty, or from the commit where no group ever formed or
//! nobody in a live one reads the topic any more (KIP-211); or at their own expiry.

use std::collections::BTreeMap;

use super::classic::{ClassicGroup, State};
use super::record::{LogRecord, OffsetValue, offset_key};
use crate::transaction::request::Verdict;

/// One committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Next offset to read.
    pub offset: i64,
    /// Leader epoch of the last record read; -1 when unknown.
    pub leader_epoch: i32,
    /// The client's own text.
    pub metadata: String,
    /// When it was committed, wall clock.
    pub commit_ms: i64,
    /// When it lapses, if the commit said so.
    pub expire_ms: Option<i64>,
}

/// A group's committed offsets.
#[derive(Debug, Default)]
pub struct GroupOffsets {
    /// Invariant: no topic has an empty map.
    topics: BTreeMap<String, BTreeMap<i32, CommittedOffset>>,
    /// Offsets that wait for the end of a transaction, by producer id. No producer has none.
    pending: BTreeMap<i64, BTreeMap<(String, i32), CommittedOffset>>,
}

impl GroupOffsets {
    /// Returns the offset of one partition.
    pub fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.topics.get(topic)?.get(&partition)
    }

    /// Returns all offsets, by topic.
    pub fn topics(&self) -> impl Iterator<Item = (&str, &BTreeMap<i32, CommittedOffset>)> {
        self.topics
            .iter()
            .map(|(topic, partitions)| (topic.as_str(), partitions))
    }

    /// Returns the partitions of `topic` that have an offset.
    pub fn partitions_of(&self, topic: &str) -> Vec<i32> {
        self.topics
            .get(topic)
            .map(|found| found.keys().copied().collect())
            .unwrap_or_default()
    }

    /// Returns whether nothing is committed.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Returns whether an offset of the partition waits for the end of a transaction.
    pub fn is_unstable(&self, topic: &str, partition: i32) -> bool {
        let key = (topic.to_owned(), partition);
        self.pending.values().any(|offsets| offsets.contains_key(&key))
    }

    /// Returns whether any offset waits for the end of a transaction.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Returns every topic and partition that has an offset or waits for one.
    pub(super) fn all_and_pending(&self) -> Vec<(String, i32)> {
        let waiting = self.pending.values().flat_map(|offsets| offsets.keys().cloned());
        let mut all: Vec<_> = self.all().into_iter().chain(waiting).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(super) fn put_pending(&mut self, producer_id: i64, topic: String, partition: i32, offset: CommittedOffset) {
        let offsets = self.pending.entry(producer_id).or_default();
        offsets.insert((topic, partition), offset);
    }

    /// Ends what waits for a producer's transaction; false if nothing does.
    pub(super) fn end_pending(&mut self, producer_id: i64, verdict: Verdict) -> bool {
        let Some(offsets) = self.pending.remove(&producer_id) else {
            return false;
        };
        if verdict == Verdict::Commit {
            for ((topic, partition), offset) in offsets {
                self.put_decided(&topic, partition, offset);
            }
        }
        true
    }

    /// A later record overrides what waits: it comes after it in the log.
    fn override_pending(&mut self, topic: &str, partition: i32) {
        if self.pending.is_empty() {
            return;
        }
        let key = (topic.to_owned(), partition);
        self.pending.retain(|_, offsets| {
            offsets.remove(&key);
            !offsets.is_empty()
        });
    }

    pub(super) fn put(&mut self, topic: &str, partition: i32, offset: CommittedOffset) {
        self.override_pending(topic, partition);
        self.put_decided(topic, partition, offset);
    }

    fn put_decided(&mut self, topic: &str, partition: i32, offset: CommittedOffset) {
        if let Some(partitions) = self.topics.get_mut(topic) {
            partitions.insert(partition, offset);
        } else {
            self.topics
                .insert(topic.to_owned(), BTreeMap::from([(partition, offset)]));
        }
    }

    pub(super) fn remove(&mut self, topic: &str, partition: i32) {
        self.override_pending(topic, partition);
        if let Some(partitions) = self.topics.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.topics.remove(topic);
            }
        }
    }

    /// Returns every topic and partition that has an offset.
    pub(super) fn all(&self) -> Vec<(String, i32)> {
        let each = self
            .topics
            .iter()
            .flat_map(|(topic, partitions)| partitions.keys().map(move |partition| (topic.clone(), *partition)));
        each.collect()
    }

    /// Returns what has lapsed by `wall_ms`.
    pub(super) fn lapsed(&self, group: &ClassicGroup, wall_ms: i64, retention_ms: i64) -> Vec<(String, i32)> {
        let Some(counted_from) = CountedFrom::of(group) else {
            return Vec::new();
        };
        let mut lapsed = Vec::new();
        for (topic, partitions) in &self.topics {
            if group.is_subscribed_to(topic) {
                continue;
            }
            for (partition, offset) in partitions {
                let lapses_ms = offset
                    .expire_ms
                    .unwrap_or_else(|| counted_from.moment_ms(offset).saturating_add(retention_ms));
                if lapses_ms <= wall_ms {
                    lapsed.push((topic.clone(), *partition));
                }
            }
        }
        lapsed
    }
}

/// Where the retention of a group's offsets starts.
#[derive(Debug, Clone, Copy)]
enum CountedFrom {
    Commit,
    EmptySince(i64),
}

impl CountedFrom {
    /// `None` while nothing of the group may lapse.
    fn of(group: &ClassicGroup) -> Option<Self> {
        if group.protocol_type().is_none() {
            return Some(Self::Commit);
        }
        match group.state() {
            State::Empty => Some(group.empty_since_ms().map_or(Self::Commit, Self::EmptySince)),
            State::Stable if group.uses_consumer_protocol() && group.knows_subscriptions() => Some(Self::Commit),
            State::Stable | State::PreparingRebalance | State::CompletingRebalance => None,
        }
    }

    fn moment_ms(self, offset: &CommittedOffset) -> i64 {
        match self {
            Self::Commit => offset.commit_ms,
            Self::EmptySince(since_ms) => since_ms,
        }
    }
}

impl CommittedOffset {
    pub(super) fn record(&self, group: &str, topic: &str, partition: i32) -> LogRecord {
        let value = OffsetValue {
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata: self.metadata.clone(),
            commit_ms: self.commit_ms,
            expire_ms: self.expire_ms,
        };
        LogRecord {
            key: offset_key(group, topic, partition),
            value: Some(value.encode()),
        }
    }
}

impl From<OffsetValue> for CommittedOffset {
    fn from(value: OffsetValue) -> Self {
        Self {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata,
            commit_ms: value.commit_ms,
            expire_ms: value.expire_ms,
        }
    }
}
