//! Acknowledgements on their way to a guest that wants them.
//!
//! Collected in columns, one set a batch, and handed over many at a time between two polls: Java's
//! `commitRecord` without a crossing a record.

use std::time::Duration;

use tokio::time::Instant;
use weir_client::producer::Ack;
use weir_plugins::guest::source::Acks;

/// Acknowledgements reach the guest at most this late …
const EVERY: Duration = Duration::from_millis(50);
/// … or this many at a time.
const MAX_WAITING: usize = 10_000;

/// Columns waiting to be handed over.
#[derive(Debug, Default)]
pub struct AckColumns {
    waiting: Vec<Acks>,
    count: usize,
    since: Option<Instant>,
}

impl AckColumns {
    /// Adds a stored record.
    pub fn acked(&mut self, batch: u64, index: u32, topic: &str, ack: &Ack, now: Instant) {
        let (partition, offset) = if ack.error.is_some() {
            (-1, -1)
        } else {
            (ack.partition, ack.offset)
        };
        self.push(batch, index, topic, (partition, offset, ack.timestamp), now);
    }

    /// Adds a record that was left out.
    pub fn dropped(&mut self, batch: u64, index: u32, topic: &str, now: Instant) {
        self.push(batch, index, topic, (-1, -1, -1), now);
    }

    /// Is true when the guest should be told.
    pub fn is_due(&self, now: Instant) -> bool {
        self.count >= MAX_WAITING || self.since.is_some_and(|since| now.duration_since(since) >= EVERY)
    }

    /// Takes everything, one set of columns a batch, in order.
    pub fn take(&mut self) -> Vec<Acks> {
        self.count = 0;
        self.since = None;
        std::mem::take(&mut self.waiting)
    }

    fn push(
        &mut self,
        batch: u64,
        index: u32,
        topic: &str,
        (partition, offset, timestamp): (i32, i64, i64),
        now: Instant,
    ) {
        if self.waiting.last().is_none_or(|last| last.batch != batch) {
            self.waiting.push(Acks {
                batch,
                ..Acks::default()
            });
        }
        let Some(columns) = self.waiting.last_mut() else { return };
        let known = columns.topics.iter().position(|known| known == topic);
        let at = known.unwrap_or_else(|| {
            columns.topics.push(topic.to_owned());
            columns.topics.len() - 1
        });
        columns.topic.push(at as u32);
        columns.index.push(index);
        columns.partition.push(partition);
        columns.offset.push(offset);
        columns.timestamp.push(timestamp);
        self.count += 1;
        self.since.get_or_insert(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use weir_client::producer::Ack;

    use super::AckColumns;

    #[test]
    fn columns_are_parallel_and_start_anew_for_each_batch() {
        let now = Instant::now();
        let ack = Ack {
            opaque: 0,
            partition: 2,
            offset: 9,
            timestamp: 5,
            error: None,
        };
        let mut columns = AckColumns::default();
        columns.acked(0, 1, "a", &ack, now);
        columns.dropped(0, 2, "b", now);
        columns.acked(0, 3, "a", &ack, now);
        columns.acked(1, 0, "b", &ack, now);
        assert!(!columns.is_due(now));
        assert!(columns.is_due(now + Duration::from_millis(50)));
        let taken = columns.take();
        assert_eq!(taken.iter().map(|acks| acks.batch).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(taken[0].index, [1, 2, 3]);
        assert_eq!(taken[0].topic, [0, 1, 0]);
        assert_eq!(taken[0].topics, ["a", "b"]);
        assert_eq!(taken[0].partition, [2, -1, 2]);
        assert_eq!(taken[0].offset, [9, -1, 9]);
        assert!(!columns.is_due(now + Duration::from_secs(9)));
    }
}
