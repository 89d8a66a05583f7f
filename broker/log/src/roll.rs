//! Sealing segments, and leaving a log so that it opens fast
//!
//! Indexes, producer snapshot and leader epochs are written here and nowhere
//! else on the append path. None is synced on the spot but the epochs and the
//! aborted transactions: the next
//! flush covers them, and until then recovery does not trust them.
//! Source: Kafka's `UnifiedLog.roll` and `close`.

use std::sync::Arc;

use crate::error::LogError;
use crate::io::{DiskFile, remove_if_there, replace_file, write_file};
use crate::leader_epochs;
use crate::partition::Partition;
use crate::recovery::{Place, SNAPSHOT, file_name};
use crate::segment::{OFFSET_INDEX, Segment, TIME_INDEX};

type DynFile = Arc<dyn DiskFile>;

impl Partition {
    /// Seals the active segment and starts a new one; nothing happens when it is empty.
    ///
    /// # Errors
    /// [`LogError::Io`]: the old segment stays active and the log goes on.
    pub fn roll(&mut self) -> Result<(), LogError> {
        self.check_online()?;
        let active = Arc::clone(self.active()?);
        if active.size() == 0 {
            return Ok(());
        }
        let (offset_file, time_file) = self.write_indexes(&active)?;
        // Durable before the snapshot, which no longer tells what was aborted.
        active.write_aborted()?;
        self.write_epochs()?;
        let snapshot_file = self.write_snapshot()?;
        let interval_bytes = self.config.index_interval_bytes;
        let Place { disk, dir } = &self.place;
        let next = Segment::create(disk, dir, self.next_offset, interval_bytes)?;
        // From here on nothing fails.
        self.snapshot_at = Some(self.next_offset);
        self.unsynced.add_file(active.log()?);
        for file in [&offset_file, &time_file].into_iter().chain(&snapshot_file) {
            self.unsynced.add_file(file);
        }
        self.unsynced.add_dir(&Arc::clone(dir));
        active.seal(offset_file, time_file);
        self.segments.push(Arc::new(next));
        self.reader.publish(self.segments.clone());
        self.active_since_ms = None;
        self.is_changed = true;
        Ok(())
    }

    fn write_indexes(&self, segment: &Segment) -> Result<(DynFile, DynFile), LogError> {
        let (offsets, times) = segment
            .with_active(|indexes| {
                indexes.close();
                (indexes.offsets.encode(), indexes.times.encode())
            })
            .unwrap_or_default();
        let write = |extension, content: &[u8]| {
            let path = segment.path(extension);
            write_file(&*self.place.disk, &path, content).map_err(LogError::io("write", &path))
        };
        Ok((write(OFFSET_INDEX, &offsets)?, write(TIME_INDEX, &times)?))
    }

    /// Writes the producers' state at the log end; none if it is there already.
    fn write_snapshot(&self) -> Result<Option<DynFile>, LogError> {
        if self.snapshot_at == Some(self.next_offset) {
            return Ok(None);
        }
        let path = self.place.dir.join(file_name(self.next_offset, SNAPSHOT));
        let file = write_file(&*self.place.disk, &path, &self.producers.encode_snapshot())
            .map_err(LogError::io("write", &path))?;
        Ok(Some(file))
    }

    /// Saves the epochs if they changed. At a roll this must be durable before the
    /// recovery point passes the batches that would tell them again.
    fn write_epochs(&mut self) -> Result<(), LogError> {
        if self.epochs.is_dirty {
            let Place { disk, dir } = &self.place;
            replace_file(&**disk, dir, leader_epochs::FILE, self.epochs.render().as_bytes())
                .map_err(LogError::io("write", &dir.join(leader_epochs::FILE)))?;
            self.epochs.is_dirty = false;
        }
        Ok(())
    }

    /// Keeps the two newest snapshots that a durable log reaches: the newest to
    /// restore from, the other in case a cut takes the log below it.
    pub(crate) fn prune_snapshots(&self, durable_end: i64) {
        let bases: Vec<i64> = self.segments.iter().map(|segment| segment.base_offset).collect();
        let keep = bases.iter().rev().filter(|base| **base <= durable_end).nth(1);
        let Some(keep) = keep.copied() else { return };
        for base in bases.iter().filter(|base| **base < keep) {
            let path = self.place.dir.join(file_name(*base, SNAPSHOT));
            // A snapshot too many costs a few bytes; the next flush tries again.
            let _ = remove_if_there(&*self.place.disk, &path);
        }
    }

    /// Makes everything durable and leaves the directory so that the next start
    /// reads no more than its tail.
    ///
    /// # Errors
    /// Disk errors; the directory must not be marked clean then.
    pub fn close(&mut self) -> Result<(), LogError> {
        self.check_online()?;
        if !self.is_changed && self.dirty_files().is_none() {
            return Ok(());
        }
        self.flush()?;
        let active = Arc::clone(self.active()?);
        let (offset_file, time_file) = self.write_indexes(&active)?;
        active.write_aborted()?;
        let snapshot = self.write_snapshot()?;
        self.write_epochs()?;
        for file in [Some(offset_file), Some(time_file), snapshot].into_iter().flatten() {
            file.sync_data().map_err(LogError::io("sync", &self.place.dir))?;
        }
        self.place
            .disk
            .sync_dir(&self.place.dir)
            .map_err(LogError::io("sync", &self.place.dir))?;
        self.snapshot_at = Some(self.next_offset);
        self.is_changed = false;
        Ok(())
    }
}
