//! What a group has committed, and when it lapses
//!
//! Only offsets whose record is durable are in here. They lapse by the retention of the broker,
//! counted from when the group became empty, or from the commit where no group ever formed or
//! nobody in a live one reads the topic any more (KIP-211); or at their own expiry.

use std::collections::BTreeMap;

use super::classic::{ClassicGroup, State};
use super::record::{LogRecord, OffsetValue, offset_key};

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

    pub(super) fn put(&mut self, topic: &str, partition: i32, offset: CommittedOffset) {
        if let Some(partitions) = self.topics.get_mut(topic) {
            partitions.insert(partition, offset);
        } else {
            self.topics
                .insert(topic.to_owned(), BTreeMap::from([(partition, offset)]));
        }
    }

    pub(super) fn remove(&mut self, topic: &str, partition: i32) {
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
