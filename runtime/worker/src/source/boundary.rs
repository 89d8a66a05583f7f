//! Where the transactions of a source task end.
//!
//! Pure: what a batch or record asks for and the time go in, what to do comes out. Source:
//! `ExactlyOnceWorkerSourceTask.TransactionBoundaryManager`.

use std::time::Duration;

use tokio::time::Instant;
use weir_api::frame::layout::{frame_flags, record_flags};
use weir_config::map::ConfigMap;

use crate::connector_config::{ConnectorKind, TRANSACTION_BOUNDARY, TRANSACTION_BOUNDARY_INTERVAL, enriched_def};
use crate::error::WorkerError;

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Records and offsets become visible together.
    Commit,
    /// Records are dropped; the offsets up to them are committed all the same, so that they do not come again.
    Abort,
}

/// `transaction.boundary`, with its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// After every poll.
    Poll,
    /// At the end of the first batch that comes this long after the last commit.
    Interval { every: Duration, last: Instant },
    /// Where the connector says.
    Connector,
}

impl Boundary {
    /// Reads `transaction.boundary`; an interval that is not set is `flush_interval`.
    ///
    /// # Errors
    /// A value that does not parse.
    pub fn from_config(connector: &ConfigMap, flush_interval: Duration) -> Result<Self, WorkerError> {
        let parsed = enriched_def(ConnectorKind::Source, connector).parse(connector)?;
        Ok(
            match parsed.get_text(TRANSACTION_BOUNDARY)?.to_ascii_lowercase().as_str() {
                "connector" => Self::Connector,
                "interval" => {
                    let every = parsed
                        .opt_long(TRANSACTION_BOUNDARY_INTERVAL)
                        .and_then(|ms| u64::try_from(ms).ok());
                    Self::Interval {
                        every: every.map_or(flush_interval, Duration::from_millis),
                        last: Instant::now(),
                    }
                }
                _ => Self::Poll,
            },
        )
    }

    /// Record flags that end a transaction; 0 = none does.
    pub fn record_mask(&self) -> u16 {
        match self {
            Self::Connector => record_flags::TXN_COMMIT_AFTER | record_flags::TXN_ABORT_AFTER,
            Self::Poll | Self::Interval { .. } => 0,
        }
    }

    /// Decides after a record was handed to the producer or dropped, given its flags.
    pub fn after_record(&self, flags: u16) -> Option<End> {
        let flags = flags & self.record_mask();
        end(
            flags & record_flags::TXN_COMMIT_AFTER,
            flags & record_flags::TXN_ABORT_AFTER,
        )
    }

    /// Decides after a whole batch, given its frame's flags; a poll that brought nothing is a batch without flags.
    pub fn after_batch(&mut self, flags: u16, now: Instant) -> Option<End> {
        match self {
            Self::Poll => Some(End::Commit),
            Self::Interval { every, last } => {
                if now.duration_since(*last) < *every {
                    return None;
                }
                *last = now;
                Some(End::Commit)
            }
            Self::Connector => end(flags & frame_flags::TXN_COMMIT, flags & frame_flags::TXN_ABORT),
        }
    }

    /// Decides when the task pauses or stops: a connector's own transaction is not ended for it.
    pub fn at_rest(&self) -> Option<End> {
        match self {
            Self::Poll | Self::Interval { .. } => Some(End::Commit),
            Self::Connector => None,
        }
    }
}

// Both asked for: as in Connect, the abort is looked for first.
fn end(commit: u16, abort: u16) -> Option<End> {
    match (commit != 0, abort != 0) {
        (_, true) => Some(End::Abort),
        (true, false) => Some(End::Commit),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::Instant;
    use weir_api::frame::layout::{frame_flags, record_flags};
    use weir_config::map::ConfigMap;

    use super::{Boundary, End};

    #[test]
    fn the_boundary_is_read_from_the_connectors_config() {
        let flush = Duration::from_secs(9);
        let read = |pairs: &[(&str, &str)]| {
            let base = [("name", "c"), ("connector.class", "X")];
            let config: ConfigMap = base.iter().chain(pairs).copied().collect();
            match Boundary::from_config(&config, flush).unwrap() {
                Boundary::Interval { every, .. } => ("interval", every.as_millis()),
                Boundary::Poll => ("poll", 0),
                Boundary::Connector => ("connector", 0),
            }
        };
        assert_eq!(read(&[]), ("poll", 0));
        assert_eq!(read(&[("transaction.boundary", "CONNECTOR")]), ("connector", 0));
        assert_eq!(read(&[("transaction.boundary", "interval")]), ("interval", 9000));
        let interval = [
            ("transaction.boundary", "interval"),
            ("transaction.boundary.interval.ms", "20"),
        ];
        assert_eq!(read(&interval), ("interval", 20));
    }

    #[test]
    fn a_poll_boundary_ends_every_batch_and_no_record() {
        let mut boundary = Boundary::Poll;
        assert_eq!(
            boundary.after_batch(frame_flags::TXN_ABORT, Instant::now()),
            Some(End::Commit)
        );
        assert_eq!(boundary.after_record(record_flags::TXN_COMMIT_AFTER), None);
        assert_eq!(boundary.at_rest(), Some(End::Commit));
    }

    #[test]
    fn a_connector_boundary_follows_the_flags_alone() {
        let mut boundary = Boundary::Connector;
        let now = Instant::now();
        for (flags, expected) in [
            (0, None),
            (frame_flags::TXN_COMMIT, Some(End::Commit)),
            (frame_flags::TXN_ABORT, Some(End::Abort)),
            (frame_flags::TXN_COMMIT | frame_flags::TXN_ABORT, Some(End::Abort)),
        ] {
            assert_eq!(boundary.after_batch(flags, now), expected, "{flags:#x}");
        }
        for (flags, expected) in [
            (record_flags::DROPPED, None),
            (
                record_flags::TXN_COMMIT_AFTER | record_flags::DROPPED,
                Some(End::Commit),
            ),
            (record_flags::TXN_ABORT_AFTER, Some(End::Abort)),
        ] {
            assert_eq!(boundary.after_record(flags), expected, "{flags:#x}");
        }
        assert_eq!(boundary.at_rest(), None);
    }

    proptest! {
        /// Commits come at batch ends only, never closer than the interval, and as soon as it is over.
        #[test]
        fn an_interval_boundary_commits_at_the_first_batch_end_after_the_interval(
            every in 0_u64..200,
            steps in prop::collection::vec(0_u64..100, 1..60),
        ) {
            let start = Instant::now();
            let every = Duration::from_millis(every);
            let mut boundary = Boundary::Interval { every, last: start };
            let (mut now, mut last) = (start, start);
            for step in steps {
                now += Duration::from_millis(step);
                let ended = boundary.after_batch(0, now);
                prop_assert_eq!(ended.is_some(), now - last >= every);
                if ended.is_some() {
                    last = now;
                }
                prop_assert_eq!(boundary.after_record(record_flags::ALL), None);
            }
        }
    }
}
