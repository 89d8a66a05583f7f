//! Which segments are past their time, size or log start
//!
//! A decision over plain facts, applied by the partition. The active segment
//! counts as the last one and goes only when all are expired by time, after a
//! roll. Source: Kafka's `UnifiedLog.deleteOldSegments`.

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
            (
                "start",
                Limits {
                    log_start: 25,
                    ..none
                },
                2,
            ),
            (
                "start at end",
                Limits {
                    log_start: 40,
                    ..none
                },
                3,
            ),
        ] {
            assert_eq!(check(limits), count, "{name}");
        }
    }
}
