//! A disk that keeps no promise it did not make
//!
//! In memory and seeded. Content is durable after `sync_data` of the file, a name
//! after `sync_dir` of its directory, nothing else ever. A power cut loses, keeps
//! or tears each unsynced write, and keeps a prefix or any part of the unsynced
//! name changes. Space can run out in the middle of a write; a sync can fail, and
//! then what it should have saved never reaches the disk, as on Linux.

use std::any::Any;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use weir_log::io::{DirEntry, Disk, DiskFile, OpenMode};

type Id = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    File(Id),
    Dir(Id),
}

type Names = BTreeMap<String, Entry>;

#[derive(Debug, Clone)]
enum NameChange {
    Add(String, Entry),
    Remove(String),
    Rename(String, String),
}

#[derive(Debug, Default)]
struct Dir {
    durable: Names,
    current: Names,
    pending: Vec<NameChange>,
}

impl Dir {
    fn change(&mut self, change: NameChange) {
        apply_name(&mut self.current, &change);
        self.pending.push(change);
    }
}

#[derive(Debug, Clone)]
enum ContentChange {
    Write { at: usize, bytes: Vec<u8> },
    Size(usize),
}

#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    current: Vec<u8>,
    /// Changes since the last sync; the flag marks those a failed sync gave up.
    pending: Vec<(ContentChange, bool)>,
}

#[derive(Debug)]
struct State {
    random: SmallRng,
    files: Vec<File>,
    dirs: Vec<Dir>,
    /// Handles of an earlier life answer errors.
    life: u64,
    free_bytes: Option<usize>,
    failing_syncs: u32,
    /// Operations until the power goes.
    operations_left: Option<u32>,
}

/// The disk; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

/// How the machine stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The process was killed: the page cache lives on.
    Kill,
    /// The power went.
    PowerCut,
}

#[allow(dead_code, reason = "each suite that includes this file uses a part of it")]
impl SimDisk {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: SmallRng::seed_from_u64(seed),
            files: Vec::new(),
            dirs: vec![Dir::default()],
            life: 0,
            free_bytes: None,
            failing_syncs: 0,
            operations_left: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Lets writes fail after this many bytes; none lifts the limit.
    pub(crate) fn set_free_bytes(&self, bytes: Option<usize>) {
        self.state().free_bytes = bytes;
    }

    /// Lets the next syncs of file contents fail.
    pub(crate) fn fail_syncs(&self, count: u32) {
        self.state().failing_syncs = count;
    }

    /// Lets the power go after a number of operations; all later ones fail.
    pub(crate) fn cut_power_after(&self, operations: u32) {
        self.state().operations_left = Some(operations);
    }

    /// Returns whether the power went.
    pub(crate) fn has_no_power(&self) -> bool {
        self.state().operations_left == Some(0)
    }

    /// Returns whether the power went, or takes a coming cut back.
    pub(crate) fn lost_power(&self) -> bool {
        let mut state = self.state();
        let is_lost = state.operations_left == Some(0);
        if !is_lost {
            state.operations_left = None;
        }
        is_lost
    }

    /// Flips a bit of a file, in the durable bytes too.
    pub(crate) fn damage(&self, path: &Path, at: usize) {
        let mut state = self.state();
        let Ok(Entry::File(id)) = state.find(path) else {
            panic!("no file {path:?}")
        };
        state.files[id].current[at] ^= 1;
        state.files[id].durable[at] ^= 1;
    }

    /// Stops everything; only what the disk kept is there afterwards.
    pub(crate) fn stop(&self, stop: Stop) {
        let mut guard = self.state();
        let state = &mut *guard;
        state.life += 1;
        state.free_bytes = None;
        state.failing_syncs = 0;
        state.operations_left = None;
        match stop {
            Stop::Kill => {
                // Pages a failed sync gave up count as clean and may be dropped.
                for file in &mut state.files {
                    file.pending.retain(|(_, is_lost)| !is_lost);
                    file.current = replay(&file.durable, &file.pending);
                }
            }
            Stop::PowerCut => {
                for dir in &mut state.dirs {
                    dir.cut_power(&mut state.random);
                }
                for file in &mut state.files {
                    file.cut_power(&mut state.random);
                }
            }
        }
    }
}

fn replay(durable: &[u8], pending: &[(ContentChange, bool)]) -> Vec<u8> {
    let mut content = durable.to_vec();
    for (change, _) in pending {
        apply_content(&mut content, change);
    }
    content
}

impl Dir {
    fn cut_power(&mut self, random: &mut SmallRng) {
        let pending = std::mem::take(&mut self.pending);
        let mut names = std::mem::take(&mut self.durable);
        if random.random_bool(0.5) {
            let kept = random.random_range(0..=pending.len());
            for change in &pending[..kept] {
                apply_name(&mut names, change);
            }
        } else {
            for change in &pending {
                if random.random_bool(0.5) {
                    apply_name(&mut names, change);
                }
            }
        }
        self.current = names.clone();
        self.durable = names;
    }
}

fn apply_name(names: &mut Names, change: &NameChange) {
    match change {
        NameChange::Add(name, entry) => {
            names.insert(name.clone(), *entry);
        }
        NameChange::Remove(name) => {
            names.remove(name);
        }
        NameChange::Rename(from, to) => {
            if let Some(entry) = names.remove(from) {
                names.insert(to.clone(), entry);
            }
        }
    }
}

impl File {
    fn cut_power(&mut self, random: &mut SmallRng) {
        let pending = std::mem::take(&mut self.pending);
        let fate = random.random_range(0..4);
        for (change, is_lost) in pending {
            let kept = match fate {
                0 => 0,
                1 => 2,
                _ => random.random_range(0..3),
            };
            match (change, kept) {
                _ if is_lost => {}
                (_, 0) => {}
                (ContentChange::Write { at, bytes }, 1) => self.tear(at, &bytes, random),
                (change, _) => apply_content(&mut self.durable, &change),
            }
        }
        self.current = self.durable.clone();
    }

    /// Keeps a part of a write: its beginning, or scattered sectors, some as garbage.
    fn tear(&mut self, at: usize, bytes: &[u8], random: &mut SmallRng) {
        const SECTOR: usize = 32;
        if random.random_bool(0.5) {
            let kept = random.random_range(0..=bytes.len());
            let change = ContentChange::Write {
                at,
                bytes: bytes[..kept].to_vec(),
            };
            apply_content(&mut self.durable, &change);
        } else {
            for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                if random.random_bool(0.5) {
                    let at = at + number * SECTOR;
                    let change = ContentChange::Write {
                        at,
                        bytes: sector.to_vec(),
                    };
                    apply_content(&mut self.durable, &change);
                }
            }
        }
    }
}

fn apply_content(content: &mut Vec<u8>, change: &ContentChange) {
    match change {
        ContentChange::Write { at, bytes } => {
            let end = at + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*at..end].copy_from_slice(bytes);
        }
        ContentChange::Size(size) => content.resize(*size, 0),
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl State {
    fn find(&self, path: &Path) -> io::Result<Entry> {
        let mut at = Entry::Dir(0);
        for component in path.components() {
            let Component::Normal(name) = component else {
                continue;
            };
            let Entry::Dir(dir) = at else {
                return Err(not_found());
            };
            let name = name.to_str().unwrap();
            at = *self.dirs[dir].current.get(name).ok_or_else(not_found)?;
        }
        Ok(at)
    }

    fn find_dir(&self, path: &Path) -> io::Result<Id> {
        match self.find(path)? {
            Entry::Dir(id) => Ok(id),
            Entry::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn split(&self, path: &Path) -> io::Result<(Id, String)> {
        let parent = self.find_dir(path.parent().ok_or_else(not_found)?)?;
        Ok((parent, path.file_name().unwrap().to_str().unwrap().to_owned()))
    }

    /// Counts an operation.
    fn operate(&mut self) -> io::Result<()> {
        match &mut self.operations_left {
            Some(0) => return Err(io::Error::other("no power")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    /// Every name that is made takes a little space.
    fn take_space(&mut self, wanted: usize) -> io::Result<usize> {
        match &mut self.free_bytes {
            None => Ok(wanted),
            Some(0) if wanted > 0 => Err(io::ErrorKind::StorageFull.into()),
            Some(free) => {
                let taken = wanted.min(*free);
                *free -= taken;
                Ok(taken)
            }
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.operate()?;
        let found = state.find(path);
        let id = match (found, mode) {
            (Ok(Entry::File(id)), OpenMode::Existing) => id,
            (Ok(Entry::File(id)), OpenMode::Create) => {
                state.files[id].current.clear();
                state.files[id].pending.push((ContentChange::Size(0), false));
                id
            }
            (Ok(Entry::Dir(_)), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Err(_), OpenMode::Create) => {
                state.take_space(1)?;
                let (parent, name) = state.split(path)?;
                state.files.push(File::default());
                let id = state.files.len() - 1;
                state.dirs[parent].change(NameChange::Add(name, Entry::File(id)));
                id
            }
            (Err(error), OpenMode::Existing) => return Err(error),
        };
        let life = state.life;
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            id,
            life,
        }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.operate()?;
        if state.find_dir(path).is_ok() {
            return Ok(());
        }
        let (parent, name) = state.split(path)?;
        state.dirs.push(Dir::default());
        let id = state.dirs.len() - 1;
        state.dirs[parent].change(NameChange::Add(name, Entry::Dir(id)));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.operate()?;
        let id = state.find_dir(path)?;
        if !state.dirs[id].current.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let (parent, name) = state.split(path)?;
        state.dirs[parent].change(NameChange::Remove(name));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.operate()?;
        let Entry::File(_) = state.find(path)? else {
            return Err(io::ErrorKind::IsADirectory.into());
        };
        let (parent, name) = state.split(path)?;
        state.dirs[parent].change(NameChange::Remove(name));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.operate()?;
        state.find(from)?;
        let (old_parent, old_name) = state.split(from)?;
        let (new_parent, new_name) = state.split(to)?;
        assert_eq!(old_parent, new_parent, "a log renames inside a directory only");
        state.dirs[old_parent].change(NameChange::Rename(old_name, new_name));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.operate()?;
        let id = state.find_dir(path)?;
        let dir = &mut state.dirs[id];
        dir.durable = dir.current.clone();
        dir.pending.clear();
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let state = self.state();
        let id = state.find_dir(path)?;
        let entries = state.dirs[id].current.iter().map(|(name, entry)| match entry {
            Entry::File(id) => {
                let size = state.files[*id].current.len() as u64;
                DirEntry {
                    name: name.clone(),
                    size,
                    is_dir: false,
                }
            }
            Entry::Dir(_) => DirEntry {
                name: name.clone(),
                size: 0,
                is_dir: true,
            },
        });
        Ok(entries.collect())
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        Ok(Box::new(()))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    id: Id,
    life: u64,
}

impl SimFile {
    fn with<T>(&self, body: impl FnOnce(&mut State, Id) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state();
        if state.life != self.life {
            return Err(io::Error::other("handle of an earlier life"));
        }
        state.operate()?;
        body(&mut state, self.id)
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, out: &mut [u8], position: u64) -> io::Result<usize> {
        self.with(|state, id| {
            let content = &state.files[id].current;
            let start = (position as usize).min(content.len());
            let count = out.len().min(content.len() - start);
            out[..count].copy_from_slice(&content[start..start + count]);
            Ok(count)
        })
    }

    fn append(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.with(|state, id| {
            let wanted: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
            let taken = state.take_space(wanted.len())?;
            let file = &mut state.files[id];
            let at = file.current.len();
            let change = ContentChange::Write {
                at,
                bytes: wanted[..taken].to_vec(),
            };
            apply_content(&mut file.current, &change);
            file.pending.push((change, false));
            Ok(taken)
        })
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.with(|state, id| {
            let file = &mut state.files[id];
            let change = ContentChange::Size(size as usize);
            apply_content(&mut file.current, &change);
            file.pending.push((change, false));
            Ok(())
        })
    }

    fn size(&self) -> io::Result<u64> {
        self.with(|state, id| Ok(state.files[id].current.len() as u64))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|state, id| {
            let file = &mut state.files[id];
            if state.failing_syncs > 0 {
                state.failing_syncs -= 1;
                for (_, is_lost) in &mut file.pending {
                    *is_lost = true;
                }
                return Err(io::Error::from_raw_os_error(5));
            }
            for (change, is_lost) in std::mem::take(&mut file.pending) {
                if !is_lost {
                    apply_content(&mut file.durable, &change);
                }
            }
            Ok(())
        })
    }

    fn modified_ms(&self) -> io::Result<i64> {
        Ok(0)
    }
}
