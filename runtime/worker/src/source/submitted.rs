//! Which records were sent, and up to where each source partition is acknowledged.
//!
//! Pure. A record is a sequence number; acknowledgements come in any order. A source partition is
//! committable up to its first unacknowledged record, whatever other partitions do. Cost a record:
//! one bit and one counter; nothing is allocated or hashed. Source: `SubmittedRecords`.

use std::collections::VecDeque;

/// A source partition of one task, numbered by `source/offsets.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId(pub u32);

/// The last record of a source partition before its first unacknowledged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committable {
    pub partition: PartitionId,
    /// Number of the batch, from 0.
    pub batch: u64,
    /// Index of the record in its frame.
    pub index: u32,
}

/// Records on their way, batch by batch.
///
/// Invariant: `batches[i]` has the number `first_batch + i`; sequence numbers of batches are
/// contiguous and rise; `queues[p]` holds, oldest first, every group of `p` not yet completed.
#[derive(Debug, Default)]
pub struct Submitted {
    batches: VecDeque<Batch>,
    first_batch: u64,
    next_sequence: u64,
    queues: Vec<Queue>,
    /// Partitions whose `completed` was set since it was last taken.
    news: Vec<PartitionId>,
    /// Emptied batches, kept for their allocations.
    spare: Vec<Batch>,
}

/// Batches kept for their allocations.
const MAX_SPARE: usize = 8;

#[derive(Debug, Default)]
struct Batch {
    base: u64,
    records: u32,
    unacked: u32,
    sealed: bool,
    acked: Vec<u64>,
    runs: Vec<Run>,
    groups: Vec<Group>,
}

/// Neighbouring submitted records of one partition: `start..end`.
#[derive(Debug, Clone, Copy)]
struct Run {
    start: u32,
    end: u32,
    group: u32,
}

/// The records of one partition in one batch.
#[derive(Debug, Clone, Copy)]
struct Group {
    partition: PartitionId,
    unacked: u32,
    last: u32,
}

#[derive(Debug, Default)]
struct Queue {
    /// Batch number and group index.
    groups: VecDeque<(u64, u32)>,
    completed: Option<(u64, u32)>,
    /// What [`Submitted::partial`] answered last for the front group.
    partial: Option<(u64, u32)>,
}

impl Submitted {
    /// Opens the next batch and returns the sequence number of its record 0; record `i` gets `+ i`.
    pub fn begin_batch(&mut self, records: u32) -> u64 {
        debug_assert!(self.batches.back().is_none_or(|last| last.sealed));
        let base = self.next_sequence;
        self.next_sequence += u64::from(records);
        let mut batch = self.spare.pop().unwrap_or_default();
        batch.reset(base, records);
        self.batches.push_back(batch);
        base
    }

    /// Registers record `index` of the open batch; indexes rise. Records left out were dropped.
    pub fn submit(&mut self, index: u32, partition: PartitionId) {
        let number = self.first_batch + (self.batches.len() as u64).saturating_sub(1);
        let Some(batch) = self.batches.back_mut() else { return };
        debug_assert!(index < batch.records && !batch.sealed);
        batch.unacked += 1;
        if let Some(run) = batch.runs.last_mut()
            && let Some(group) = batch.groups.get_mut(run.group as usize)
            && group.partition == partition
        {
            group.unacked += 1;
            group.last = index;
            if run.end == index {
                run.end += 1;
            } else {
                let group = run.group;
                batch.runs.push(Run {
                    start: index,
                    end: index + 1,
                    group,
                });
            }
            return;
        }
        let at = partition.0 as usize;
        if self.queues.len() <= at {
            self.queues.resize_with(at + 1, Queue::default);
        }
        let Some(queue) = self.queues.get_mut(at) else { return };
        let group = match queue.groups.back() {
            Some((newest, group)) if *newest == number => *group,
            _ => {
                let group = batch.groups.len() as u32;
                batch.groups.push(Group {
                    partition,
                    unacked: 0,
                    last: index,
                });
                queue.groups.push_back((number, group));
                group
            }
        };
        if let Some(entry) = batch.groups.get_mut(group as usize) {
            entry.unacked += 1;
            entry.last = index;
        }
        batch.runs.push(Run {
            start: index,
            end: index + 1,
            group,
        });
    }

    /// Closes the open batch: no further record of it will be submitted.
    pub fn seal(&mut self) {
        let Some(batch) = self.batches.back_mut() else { return };
        batch.sealed = true;
        for at in 0..batch.groups.len() {
            let Some(group) = self.batches.back().and_then(|batch| batch.groups.get(at)) else {
                return;
            };
            self.advance(group.partition);
        }
    }

    /// Notes that a record is stored. A second acknowledgement of the same record is ignored.
    pub fn ack(&mut self, sequence: u64) {
        let at = self.batches.partition_point(|batch| batch.base <= sequence);
        let Some(batch) = at.checked_sub(1).and_then(|at| self.batches.get_mut(at)) else {
            return;
        };
        let index = (sequence - batch.base) as u32;
        let Some(group) = batch.group_of(index) else { return };
        if !batch.set_acked(index) {
            return;
        }
        batch.unacked -= 1;
        let sealed = batch.sealed;
        let Some(group) = batch.groups.get_mut(group as usize) else {
            return;
        };
        group.unacked -= 1;
        if group.unacked == 0 && sealed {
            let partition = group.partition;
            self.advance(partition);
        }
    }

    /// Finds the batch of a sequence number: its number and the record's index in it.
    pub fn locate(&self, sequence: u64) -> Option<(u64, u32)> {
        let at = self
            .batches
            .partition_point(|batch| batch.base <= sequence)
            .checked_sub(1)?;
        let index = sequence - self.batches.get(at)?.base;
        Some((self.first_batch + at as u64, index as u32))
    }

    /// Moves out, for each partition that completed a batch since the last call, the last record
    /// that may be committed. To be called before [`Submitted::release`].
    pub fn take_completed(&mut self, out: &mut Vec<Committable>) {
        for partition in self.news.drain(..) {
            let completed = self
                .queues
                .get_mut(partition.0 as usize)
                .and_then(|queue| queue.completed.take());
            if let Some((batch, index)) = completed {
                out.push(Committable {
                    partition,
                    batch,
                    index,
                });
            }
        }
    }

    /// Adds the records that may be committed inside batches not yet complete, each once.
    pub fn partial(&mut self, out: &mut Vec<Committable>) {
        for (at, queue) in self.queues.iter_mut().enumerate() {
            let Some((number, group)) = queue.groups.front().copied() else {
                continue;
            };
            let batch = number
                .checked_sub(self.first_batch)
                .and_then(|at| self.batches.get(at as usize));
            let Some(index) = batch.and_then(|batch| batch.acked_prefix(group)) else {
                continue;
            };
            if queue.partial != Some((number, index)) {
                queue.partial = Some((number, index));
                out.push(Committable {
                    partition: PartitionId(at as u32),
                    batch: number,
                    index,
                });
            }
        }
    }

    /// Adds, for each partition that has records on their way, the last one submitted.
    pub fn last_submitted(&self, out: &mut Vec<Committable>) {
        for (at, queue) in self.queues.iter().enumerate() {
            let Some((number, group)) = queue.groups.back().copied() else {
                continue;
            };
            let batch = number
                .checked_sub(self.first_batch)
                .and_then(|at| self.batches.get(at as usize));
            if let Some(group) = batch.and_then(|batch| batch.groups.get(group as usize)) {
                out.push(Committable {
                    partition: PartitionId(at as u32),
                    batch: number,
                    index: group.last,
                });
            }
        }
    }

    /// Forgets completed batches at the front and returns how many: the owner drops as many frames.
    pub fn release(&mut self) -> usize {
        let mut released = 0;
        while self
            .batches
            .front()
            .is_some_and(|batch| batch.sealed && batch.unacked == 0)
        {
            if let Some(batch) = self.batches.pop_front()
                && self.spare.len() < MAX_SPARE
            {
                self.spare.push(batch);
            }
            self.first_batch += 1;
            released += 1;
        }
        released
    }

    /// Number of the oldest batch kept.
    pub fn first_batch(&self) -> u64 {
        self.first_batch
    }

    /// Batches not yet released.
    pub fn batches(&self) -> usize {
        self.batches.len()
    }

    /// Records submitted and not acknowledged.
    pub fn unacked(&self) -> u64 {
        self.batches.iter().map(|batch| u64::from(batch.unacked)).sum()
    }

    /// Is true when nothing of the partition is on its way or waiting to be taken.
    pub fn is_idle(&self, partition: PartitionId) -> bool {
        self.queues
            .get(partition.0 as usize)
            .is_none_or(|queue| queue.groups.is_empty() && queue.completed.is_none())
    }

    fn advance(&mut self, partition: PartitionId) {
        let Some(queue) = self.queues.get_mut(partition.0 as usize) else {
            return;
        };
        let mut completed = None;
        while let Some((number, group)) = queue.groups.front().copied() {
            let batch = number
                .checked_sub(self.first_batch)
                .and_then(|at| self.batches.get(at as usize));
            let Some(batch) = batch.filter(|batch| batch.sealed) else {
                break;
            };
            let Some(group) = batch.groups.get(group as usize).filter(|group| group.unacked == 0) else {
                break;
            };
            completed = Some((number, group.last));
            queue.groups.pop_front();
        }
        if completed.is_some() {
            if queue.completed.is_none() {
                self.news.push(partition);
            }
            queue.completed = completed;
            queue.partial = None;
        }
    }
}

impl Batch {
    fn reset(&mut self, base: u64, records: u32) {
        self.base = base;
        self.records = records;
        self.unacked = 0;
        self.sealed = false;
        self.acked.clear();
        self.acked.resize((records as usize).div_ceil(64), 0);
        self.runs.clear();
        self.groups.clear();
    }

    fn group_of(&self, index: u32) -> Option<u32> {
        let at = match self.runs.as_slice() {
            [only] => return (only.start..only.end).contains(&index).then_some(only.group),
            runs => runs.partition_point(|run| run.start <= index).checked_sub(1)?,
        };
        let run = self.runs.get(at)?;
        (index < run.end).then_some(run.group)
    }

    /// Sets the bit; false when it was set before.
    fn set_acked(&mut self, index: u32) -> bool {
        let Some(word) = self.acked.get_mut(index as usize / 64) else {
            return false;
        };
        let bit = 1 << (index % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn is_acked(&self, index: u32) -> bool {
        self.acked
            .get(index as usize / 64)
            .is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    /// Last record of the group before its first unacknowledged one.
    fn acked_prefix(&self, group: u32) -> Option<u32> {
        let mut last = None;
        for run in self.runs.iter().filter(|run| run.group == group) {
            for index in run.start..run.end {
                if !self.is_acked(index) {
                    return last;
                }
                last = Some(index);
            }
        }
        last
    }
}

#[cfg(test)]
mod tests;
