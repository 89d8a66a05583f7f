//! Dropping the oldest segments: by time, size or log start
//!
//! A decision over plain facts, then its application to the log. The active
//! segment counts as the last one and goes only when all are expired by time,
//! after a roll. Source: Kafka's `UnifiedLog.deleteOldSegments`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::info;
use weir_protocol::records::batch::NO_TIMESTAMP;

use crate::error::LogError;
use crate::io::remove_if_there;
use crate::partition::Partition;
use crate::reader::dir_name;
use crate::segment::{LOG, OFFSET_INDEX, Segment, TIME_INDEX, TRANSACTION_INDEX};

impl Partition {
    /// Moves the log start to an offset, durably, and drops segments below it.
    ///
    /// # Errors
    /// [`LogError::OffsetOutOfRange`] above the flushed offset; disk errors, after
    /// which the start may have moved but the caller must not say so.
    pub fn delete_records(&mut self, before: i64) -> Result<i64, LogError> {
        self.check_online()?;
        if before > self.flushed_offset() || before < 0 {
            return Err(LogError::OffsetOutOfRange {
                offset: before,
                start: self.log_start_offset(),
                end: self.flushed_offset(),
            });
        }
        if before > self.log_start_offset() {
            self.move_log_start(before)?;
            let count = self
                .segments
                .iter()
                .skip(1)
                .take_while(|segment| segment.base_offset <= before)
                .count();
            self.remove_oldest(count)?;
        }
        Ok(self.log_start_offset())
    }

    fn move_log_start(&mut self, offset: i64) -> Result<(), LogError> {
        self.reader.set_log_start(offset);
        self.shared.points.log_start.store(offset, Ordering::Release);
        self.shared
            .checkpoints
            .write_log_starts()
            .map_err(LogError::io("write", &self.place.dir))
    }

    /// Drops what time, size and the log start allow; forgets idle producers and
    /// frees the memory of an idle tail. Answers the number of segments dropped.
    ///
    /// # Errors
    /// Disk errors; what was dropped stays dropped.
    pub fn apply_retention(&mut self, now_ms: i64) -> Result<usize, LogError> {
        self.check_online()?;
        self.producers.expire(now_ms, self.config.producer_expiration_ms);
        if self.idle_mark == self.next_offset {
            self.reader.cache.clear();
        }
        self.idle_mark = self.next_offset;
        let facts = self.segment_facts()?;
        let deletes = self.config.cleanup_policy.delete;
        let limits = Limits {
            expired_before_ms: (deletes && self.config.retention_ms >= 0)
                .then(|| now_ms.saturating_sub(self.config.retention_ms)),
            keep_bytes: u64::try_from(self.config.retention_bytes).ok().filter(|_| deletes),
            log_start: self.log_start_offset(),
            high_watermark: self.flushed_offset(),
        };
        let count = expired(&facts, &limits);
        if count == 0 {
            return Ok(0);
        }
        if count == self.segments.len() {
            self.roll()?;
        }
        if let Some(first_left) = self.segments.get(count) {
            let start = first_left.base_offset.max(self.log_start_offset());
            // Told before it happens: a crash between two removals leaves a gap,
            // and the next start must know that it is none.
            self.move_log_start(start)?;
        }
        self.remove_oldest(count)?;
        info!(
            partition = dir_name(&self.place.dir),
            segments = count,
            "old segments dropped"
        );
        Ok(count)
    }

    fn segment_facts(&self) -> Result<Vec<SegmentFacts>, LogError> {
        let mut facts = Vec::with_capacity(self.segments.len());
        for (at, segment) in self.segments.iter().enumerate() {
            let end_offset = self
                .segments
                .get(at + 1)
                .map_or(self.next_offset, |next| next.base_offset);
            let newest_ms = match segment.largest_timestamp()? {
                Some((timestamp, _)) if timestamp != NO_TIMESTAMP => timestamp,
                _ if segment.size() == 0 => i64::MAX,
                _ => segment
                    .log()?
                    .modified_ms()
                    .map_err(LogError::io("read", &segment.path(LOG)))?,
            };
            facts.push(SegmentFacts {
                bytes: segment.size(),
                end_offset,
                newest_ms,
            });
        }
        Ok(facts)
    }

    fn remove_oldest(&mut self, count: usize) -> Result<(), LogError> {
        if count == 0 {
            return Ok(());
        }
        // What the last roll made must be on disk before old segments go: its
        // segment, or a crash leaves none and the log begins at 0 again; and its
        // snapshot, the last trace of the producers whose records go.
        if !self.unsynced.is_empty() {
            self.flush()?;
        }
        let removed: Vec<_> = self.segments.drain(..count).collect();
        self.reader.publish(self.segments.clone());
        self.is_changed = true;
        for segment in &removed {
            self.remove_segment(segment)?;
        }
        self.unsynced.add_dir(&Arc::clone(&self.place.dir));
        Ok(())
    }

    /// Unlinks a segment's files; readers that hold it finish on the open file.
    pub(crate) fn remove_segment(&self, segment: &Segment) -> Result<(), LogError> {
        for extension in [LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX] {
            let path = segment.path(extension);
            remove_if_there(&*self.place.disk, &path).map_err(LogError::io("remove", &path))?;
        }
        Ok(())
    }
}

/// What the decision needs of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentFacts {
    pub(crate) bytes: u64,
    /// Offset after the segment.
    pub(crate) end_offset: i64,
    /// Its largest timestamp, or the file's time when records have none.
    pub(crate) newest_ms: i64,
}

/// The limits in force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Records older than this may go; none for no limit by time.
    pub(crate) expired_before_ms: Option<i64>,
    /// Bytes that may stay; none for no limit by size.
    pub(crate) keep_bytes: Option<u64>,
    pub(crate) log_start: i64,
    /// Nothing at or above may go.
    pub(crate) high_watermark: i64,
}

/// Returns how many of the oldest segments go.
pub(crate) fn expired(segments: &[SegmentFacts], limits: &Limits) -> usize {
    let total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let mut left = total;
    let mut count = 0;
    for (at, segment) in segments.iter().enumerate() {
        let is_active = at + 1 == segments.len();
        let by_time = limits
            .expired_before_ms
            .is_some_and(|before| segment.newest_ms < before);
        let by_size = limits
            .keep_bytes
            .is_some_and(|keep| left.saturating_sub(segment.bytes) >= keep);
        let by_start = segment.end_offset <= limits.log_start;
        let may_go = segment.end_offset <= limits.high_watermark && segment.bytes > 0;
        if !may_go || !(by_time || (!is_active && (by_size || by_start))) {
            break;
        }
        left -= segment.bytes;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limits: Limits) -> usize {
        let segments: Vec<_> = (1..=4)
            .map(|at| SegmentFacts {
                bytes: 100,
                end_offset: at * 10,
                newest_ms: at * 1000,
            })
            .collect();
        expired(&segments, &limits)
    }

    #[test]
    fn oldest_first_and_never_above_the_high_watermark() {
        let none = Limits {
            expired_before_ms: None,
            keep_bytes: None,
            log_start: 0,
            high_watermark: 40,
        };
        for (name, limits, count) in [
            ("nothing", none, 0),
            (
                "time",
                Limits {
                    expired_before_ms: Some(2001),
                    ..none
                },
                2,
            ),
            (
                "time, all",
                Limits {
                    expired_before_ms: Some(9999),
                    ..none
                },
                4,
            ),
            (
                "time, above watermark",
                Limits {
                    expired_before_ms: Some(9999),
                    high_watermark: 25,
                    ..none
                },
                2,
            ),
            (
                "size",
                Limits {
                    keep_bytes: Some(200),
                    ..none
                },
                2,
            ),
            (
                "size, between",
                Limits {
                    keep_bytes: Some(250),
                    ..none
                },
                1,
            ),
            (
                "size, nothing",
                Limits {
                    keep_bytes: Some(0),
                    ..none
                },
                3,
            ),
            ("start", Limits { log_start: 25, ..none }, 2),
            ("start at end", Limits { log_start: 40, ..none }, 3),
        ] {
            assert_eq!(check(limits), count, "{name}");
        }
    }
}
