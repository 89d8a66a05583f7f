//! The newest batches of a partition, in memory
//!
//! The buffers that were written to the file stay here shared, so a consumer at
//! the tail costs no system call and no copy. Bounded per partition and, through
//! [`TailBudget`], over all partitions; at either bound the oldest batches go.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

/// Memory shared by the caches of a data directory.
#[derive(Debug)]
pub(crate) struct TailBudget {
    used: AtomicUsize,
    limit: usize,
}

impl TailBudget {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            limit,
        }
    }

    fn is_exceeded(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.limit
    }
}

#[derive(Debug)]
struct Cached {
    base_offset: i64,
    last_offset: i64,
    bytes: Bytes,
}

#[derive(Debug, Default)]
struct Batches {
    // Invariant: offsets rise, and nothing is missing between first and last.
    queue: VecDeque<Cached>,
    bytes: usize,
}

/// Cache of one partition.
#[derive(Debug)]
pub(crate) struct TailCache {
    batches: Mutex<Batches>,
    budget: Arc<TailBudget>,
}

/// How much a read may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheRead {
    pub(crate) from: i64,
    pub(crate) end: i64,
    pub(crate) max_bytes: usize,
    /// Whether the first batch is given whatever its size (KIP-74).
    pub(crate) at_least_one: bool,
}

impl TailCache {
    pub(crate) fn new(budget: Arc<TailBudget>) -> Self {
        Self {
            batches: Mutex::default(),
            budget,
        }
    }

    /// Adds a batch that follows the newest one, and drops what exceeds the bounds.
    pub(crate) fn push(&self, base_offset: i64, last_offset: i64, bytes: Bytes, max_bytes: usize) {
        let mut batches = self.batches.lock();
        self.budget.used.fetch_add(bytes.len(), Ordering::Relaxed);
        batches.bytes += bytes.len();
        batches.queue.push_back(Cached {
            base_offset,
            last_offset,
            bytes,
        });
        while batches.queue.len() > 1 && (batches.bytes > max_bytes || self.budget.is_exceeded()) {
            self.pop(&mut batches);
        }
    }

    fn pop(&self, batches: &mut Batches) {
        if let Some(oldest) = batches.queue.pop_front() {
            batches.bytes -= oldest.bytes.len();
            self.budget.used.fetch_sub(oldest.bytes.len(), Ordering::Relaxed);
        }
    }

    /// Drops everything, for an idle partition.
    pub(crate) fn clear(&self) {
        let mut batches = self.batches.lock();
        while !batches.queue.is_empty() {
            self.pop(&mut batches);
        }
        batches.queue.shrink_to_fit();
    }

    /// Reads whole batches and answers the offset after them; `None` when the
    /// first one wanted is not cached.
    pub(crate) fn read(&self, read: CacheRead, out: &mut Vec<Bytes>) -> Option<i64> {
        let batches = self.batches.lock();
        let first = batches.queue.front()?;
        if read.from < first.base_offset {
            return None;
        }
        let start = batches.queue.partition_point(|batch| batch.last_offset < read.from);
        let mut bytes = 0usize;
        let mut next_offset = read.from;
        for batch in batches.queue.range(start..) {
            bytes = bytes.saturating_add(batch.bytes.len());
            let is_wanted = bytes <= read.max_bytes || (read.at_least_one && bytes == batch.bytes.len());
            if !is_wanted || batch.last_offset >= read.end {
                break;
            }
            out.push(batch.bytes.clone());
            next_offset = batch.last_offset + 1;
        }
        Some(next_offset)
    }

    /// Counts the bytes from an offset to another; `None` when not all is cached.
    pub(crate) fn bytes_between(&self, from: i64, end: i64) -> Option<usize> {
        let batches = self.batches.lock();
        if from < batches.queue.front()?.base_offset {
            return None;
        }
        let start = batches.queue.partition_point(|batch| batch.last_offset < from);
        let visible = batches.queue.range(start..).take_while(|batch| batch.last_offset < end);
        Some(visible.map(|batch| batch.bytes.len()).sum())
    }
}

impl Drop for TailCache {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(limit: usize) -> TailCache {
        let cache = TailCache::new(Arc::new(TailBudget::new(limit)));
        for at in 0..5i64 {
            cache.push(at * 10, at * 10 + 9, Bytes::from(vec![at as u8; 100]), 300);
        }
        cache
    }

    fn read(cache: &TailCache, from: i64, end: i64, max_bytes: usize) -> Option<(usize, i64)> {
        let mut out = Vec::new();
        let next = cache.read(
            CacheRead {
                from,
                end,
                max_bytes,
                at_least_one: true,
            },
            &mut out,
        )?;
        Some((out.len(), next))
    }

    #[test]
    fn reads_whole_visible_batches() {
        let cache = cache(1000);
        assert_eq!(read(&cache, 15, 50, 1000), None);
        assert_eq!(read(&cache, 20, 50, 1000), Some((3, 50)));
        assert_eq!(read(&cache, 29, 50, 250), Some((2, 40)));
        assert_eq!(read(&cache, 29, 40, 1000), Some((2, 40)));
        assert_eq!(read(&cache, 29, 35, 1), Some((1, 30)));
        assert_eq!(read(&cache, 29, 25, 1), Some((0, 29)));
        let small = CacheRead {
            from: 29,
            end: 50,
            max_bytes: 1,
            at_least_one: false,
        };
        assert_eq!(cache.read(small, &mut Vec::new()), Some(29));
        assert_eq!(cache.bytes_between(25, 50), Some(300));
        assert_eq!(cache.bytes_between(5, 50), None);
    }

    #[test]
    fn the_shared_budget_leaves_the_newest_batch() {
        let cache = cache(50);
        assert_eq!(read(&cache, 40, 50, 1000), Some((1, 50)));
        assert_eq!(read(&cache, 39, 50, 1000), None);
        let budget = Arc::clone(&cache.budget);
        drop(cache);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}
