//! Records on their way out, oldest first
//!
//! A page is handed over in pieces. The last record of a cycle waits until the cycle is complete, because it carries the
//! moved cursor: a crash before that repeats the cycle, one after it does not.

use std::collections::VecDeque;

use weir_sdk::api::record::SourceRecord;
use weir_sdk::source::PollBudget;

/// Records not yet handed over.
#[derive(Debug, Default)]
pub struct Outbox {
    ready: VecDeque<SourceRecord>,
    last: Option<SourceRecord>,
    max_per_poll: usize,
}

impl Outbox {
    /// Starts empty; gives at most so many records a poll.
    pub fn new(max_per_poll: usize) -> Self {
        Self {
            max_per_poll: max_per_poll.max(1),
            ..Self::default()
        }
    }

    /// Adds a record of the running cycle.
    pub fn push(&mut self, record: SourceRecord) {
        self.ready.extend(self.last.replace(record));
    }

    /// Ends the cycle: the last record gets this offset, unless none is given, and may go. False = there is no record
    /// to carry it.
    pub fn finish(&mut self, offset: Option<String>) -> bool {
        let Some(mut last) = self.last.take() else {
            return false;
        };
        if offset.is_some() {
            last.source_offset = offset;
        }
        self.ready.push_back(last);
        true
    }

    /// Gives what one poll may take; none when there is nothing to hand over now.
    pub fn take(&mut self, budget: PollBudget) -> Option<Vec<SourceRecord>> {
        let budget = usize::try_from(budget.max_records).unwrap_or(usize::MAX).max(1);
        let count = self.ready.len().min(self.max_per_poll).min(budget);
        (count > 0).then(|| self.ready.drain(..count).collect())
    }

    /// Number of records that may go now.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Tells whether nothing waits, be it ready or not.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.last.is_none()
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.ready.clear();
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::Outbox;
    use weir_sdk::api::record::SourceRecord;
    use weir_sdk::source::PollBudget;

    const BUDGET: PollBudget = PollBudget {
        max_records: 3,
        max_bytes: 1_000,
        max_wait_ms: 0,
    };

    fn record(offset: &str) -> SourceRecord {
        SourceRecord {
            source_offset: Some(offset.to_owned()),
            ..SourceRecord::default()
        }
    }

    fn taken(outbox: &mut Outbox) -> Vec<String> {
        let records = outbox.take(BUDGET).unwrap_or_default();
        records.into_iter().filter_map(|record| record.source_offset).collect()
    }

    #[test]
    fn the_last_record_of_a_cycle_carries_the_moved_cursor() {
        let mut outbox = Outbox::new(500);
        for n in 0..5 {
            outbox.push(record(&format!("old+{n}")));
        }
        assert_eq!(taken(&mut outbox), ["old+0", "old+1", "old+2"]);
        assert_eq!(taken(&mut outbox), ["old+3"]);
        assert_eq!(taken(&mut outbox), Vec::<String>::new());
        assert!(!outbox.is_empty());
        assert!(outbox.finish(Some("new".to_owned())));
        assert_eq!(taken(&mut outbox), ["new"]);
        assert!(outbox.is_empty() && !outbox.finish(Some("newer".to_owned())));
    }

    #[test]
    fn a_page_is_handed_over_in_pieces() {
        let mut outbox = Outbox::new(2);
        for n in 0..5 {
            outbox.push(record(&n.to_string()));
        }
        outbox.finish(None);
        assert_eq!(taken(&mut outbox), ["0", "1"]);
        assert_eq!(taken(&mut outbox), ["2", "3"]);
        assert_eq!(taken(&mut outbox), ["4"]);
    }
}
