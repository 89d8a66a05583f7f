//! Making appended batches durable, apart from appending them
//!
//! A log collects what a crash could take: file contents and directory entries.
//! A flusher takes a [`FlushHandle`] under the log's lock, syncs without it, and
//! reports back. Items stay on the list until a handle that held them reports, so
//! two handles in flight cannot credit each other with a sync that did not end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::LogError;
use crate::io::{Disk, DiskFile};

#[derive(Debug, Clone)]
enum Item {
    File(Arc<dyn DiskFile>),
    Dir(Arc<Path>),
}

/// What is not known to be durable.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    items: Vec<(u64, Item)>,
    next_id: u64,
}

impl Unsynced {
    /// Adds a file whose content changed.
    pub(crate) fn add_file(&mut self, file: &Arc<dyn DiskFile>) {
        self.push(Item::File(Arc::clone(file)));
    }

    /// Adds a directory in which a name changed.
    pub(crate) fn add_dir(&mut self, dir: &Arc<Path>) {
        self.push(Item::Dir(Arc::clone(dir)));
    }

    fn push(&mut self, item: Item) {
        self.items.push((self.next_id, item));
        self.next_id += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Drops what a reported handle held.
    fn forget(&mut self, before_id: u64) {
        self.items.retain(|(id, _)| *id >= before_id);
    }
}

/// Files and directories to sync, and the offset that is durable afterwards.
#[derive(Debug)]
pub struct FlushHandle {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    items: Vec<Item>,
    before_id: u64,
    /// Everything below is durable once [`FlushHandle::sync`] succeeded.
    pub end_offset: i64,
}

impl FlushHandle {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        path: &Path,
        unsynced: &Unsynced,
        active: Option<Arc<dyn DiskFile>>,
        end_offset: i64,
    ) -> Self {
        let mut items: Vec<Item> = unsynced.items.iter().map(|(_, item)| item.clone()).collect();
        items.extend(active.map(Item::File));
        Self {
            disk,
            path: path.to_owned(),
            items,
            before_id: unsynced.next_id,
            end_offset,
        }
    }

    /// Syncs everything; may take as long as the disk takes and needs no lock.
    ///
    /// # Errors
    /// The first failure. It is final: what the disk holds is unknown, so the
    /// caller reports it to the log, which goes offline, and never tries again.
    pub fn sync(&self) -> Result<(), LogError> {
        for item in &self.items {
            let result: io::Result<()> = match item {
                Item::File(file) => file.sync_data(),
                Item::Dir(dir) => self.disk.sync_dir(dir),
            };
            result.map_err(LogError::io("sync", &self.path))?;
        }
        Ok(())
    }

    pub(crate) fn settle(&self, unsynced: &mut Unsynced) {
        unsynced.forget(self.before_id);
    }
}
