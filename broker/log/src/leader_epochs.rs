//! Where each leader epoch of a partition began
//!
//! Clients that remember an epoch ask for its end to learn whether what they read
//! still exists. Kept in memory, written to `leader-epoch-checkpoint` when a
//! segment is sealed or the log closed; later epochs come back from the batches
//! that recovery walks. Source: Kafka's `LeaderEpochFileCache` (KIP-101).

/// First offset of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochStart {
    /// Leader epoch.
    pub epoch: i32,
    /// Offset of its first record.
    pub start_offset: i64,
}

pub(crate) const FILE: &str = "leader-epoch-checkpoint";

/// Epochs of one partition.
#[derive(Debug, Default, Clone)]
pub(crate) struct LeaderEpochs {
    // Invariant: epochs and offsets rise.
    starts: Vec<EpochStart>,
    // Whether the file lacks something.
    pub(crate) is_dirty: bool,
}

impl LeaderEpochs {
    /// Notes the epoch of a batch.
    pub(crate) fn assign(&mut self, epoch: i32, start_offset: i64) {
        let is_new = self.starts.last().is_none_or(|last| epoch > last.epoch);
        if epoch >= 0 && is_new {
            self.starts.retain(|start| start.start_offset < start_offset);
            self.starts.push(EpochStart { epoch, start_offset });
            self.is_dirty = true;
        }
    }

    /// Drops epochs that began at or after the end of a cut log.
    pub(crate) fn truncate(&mut self, log_end_offset: i64) {
        let before = self.starts.len();
        self.starts.retain(|start| start.start_offset < log_end_offset);
        self.is_dirty |= self.starts.len() != before;
    }

    /// Returns the newest epoch that has a record.
    pub(crate) fn latest(&self) -> Option<i32> {
        self.starts.last().map(|start| start.epoch)
    }

    /// Returns the epoch an offset was written in.
    pub(crate) fn epoch_of(&self, offset: i64) -> Option<i32> {
        self.starts
            .iter()
            .rev()
            .find(|start| start.start_offset <= offset)
            .map(|start| start.epoch)
    }

    /// Returns the largest known epoch up to `epoch`, and the offset after it.
    pub(crate) fn end_of(&self, epoch: i32, log_end_offset: i64) -> Option<(i32, i64)> {
        let after = self.starts.partition_point(|start| start.epoch <= epoch);
        let known = self.starts.get(after.checked_sub(1)?)?;
        let end = self.starts.get(after).map_or(log_end_offset, |next| next.start_offset);
        Some((known.epoch, end))
    }

    pub(crate) fn render(&self) -> String {
        let lines: String = self
            .starts
            .iter()
            .map(|start| format!("{} {}\n", start.epoch, start.start_offset))
            .collect();
        format!("0\n{}\n{lines}", self.starts.len())
    }

    /// Reads the checkpoint; a torn one counts as empty.
    pub(crate) fn parse(content: &[u8]) -> Self {
        let starts = parse_starts(content).unwrap_or_default();
        Self {
            starts,
            is_dirty: false,
        }
    }
}

fn parse_starts(content: &[u8]) -> Option<Vec<EpochStart>> {
    let mut lines = std::str::from_utf8(content).ok()?.lines();
    if lines.next()? != "0" {
        return None;
    }
    let count: usize = lines.next()?.parse().ok()?;
    let mut starts: Vec<EpochStart> = Vec::new();
    for line in lines.take(count) {
        let (epoch, start_offset) = line.split_once(' ')?;
        let start = EpochStart {
            epoch: epoch.parse().ok()?,
            start_offset: start_offset.parse().ok()?,
        };
        if starts.last().is_some_and(|last| last.epoch >= start.epoch) {
            return None;
        }
        starts.push(start);
    }
    (starts.len() == count).then_some(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_the_starts_of_the_next_epoch() {
        let mut epochs = LeaderEpochs::default();
        for (epoch, offset) in [(1, 0), (1, 5), (3, 10), (2, 12), (4, 20)] {
            epochs.assign(epoch, offset);
        }
        for (epoch, answer) in [
            (0, None),
            (1, Some((1, 10))),
            (2, Some((1, 10))),
            (3, Some((3, 20))),
            (9, Some((4, 30))),
        ] {
            assert_eq!(epochs.end_of(epoch, 30), answer, "{epoch}");
        }
        assert_eq!((epochs.epoch_of(9), epochs.epoch_of(10)), (Some(1), Some(3)));
        let again = LeaderEpochs::parse(epochs.render().as_bytes());
        assert_eq!(again.starts, epochs.starts);
        epochs.truncate(20);
        assert_eq!(epochs.latest(), Some(3));
        assert!(LeaderEpochs::parse(b"0\n2\n1 0\n").starts.is_empty());
    }
}
