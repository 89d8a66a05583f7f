//! What a compaction must know of transactions
//!
//! Which batches were aborted, from the segments' lists, and which markers still end something,
//! from a walk over the log from its start. Only decided transactions are ever walked.
//! Source: Kafka's `CleanedTransactionMetadata`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use weir_protocol::records::batch::BatchHeader;

use crate::segment::Segment;

/// The aborted transactions of a log.
#[derive(Debug, Default)]
pub(crate) struct Aborted {
    // First and last offset by producer, rising.
    spans: HashMap<i64, Vec<(i64, i64)>>,
}

impl Aborted {
    /// Collects the lists of all segments: a marker may lie in a later one than the records.
    pub(crate) fn of(segments: &[Arc<Segment>]) -> Self {
        let mut spans: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
        for segment in segments {
            segment.with_aborted(|entries| {
                for entry in entries {
                    let span = (entry.first_offset, entry.last_offset);
                    spans.entry(entry.producer_id).or_default().push(span);
                }
            });
        }
        spans.values_mut().for_each(|spans| spans.sort_unstable());
        Self { spans }
    }

    /// Whether the records of a batch were aborted.
    pub(crate) fn holds(&self, header: &BatchHeader) -> bool {
        if !header.attributes.is_transactional() || header.attributes.is_control() {
            return false;
        }
        let Some(spans) = self.spans.get(&header.producer_id) else {
            return false;
        };
        // A producer has one transaction at a time here, so its spans do not overlap.
        let after = spans.partition_point(|(first, _)| *first <= header.base_offset);
        let span = after.checked_sub(1).and_then(|at| spans.get(at));
        span.is_some_and(|(_, last)| header.base_offset < *last)
    }
}

/// A walk over the batches of a log, oldest first.
#[derive(Debug)]
pub(crate) struct TransactionWalk<'a> {
    aborted: &'a Aborted,
    /// Producers of which a batch was met since their last marker.
    met: HashSet<i64>,
}

impl<'a> TransactionWalk<'a> {
    pub(crate) fn new(aborted: &'a Aborted) -> Self {
        Self {
            aborted,
            met: HashSet::new(),
        }
    }

    /// Meets a batch of records; true when they were aborted.
    pub(crate) fn meets_aborted(&mut self, header: &BatchHeader) -> bool {
        if header.attributes.is_transactional() {
            self.met.insert(header.producer_id);
        }
        self.aborted.holds(header)
    }

    /// Meets a marker; true when a batch of its transaction is still there.
    pub(crate) fn ends_something(&mut self, header: &BatchHeader) -> bool {
        self.met.remove(&header.producer_id)
    }
}
