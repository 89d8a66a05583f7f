//! Folder of compiled plugins and of their descriptions
//!
//! A file here becomes machine code in this process, so it is trusted only when this user owns it and nobody else may
//! write it or the folder. Files are written under a temporary name, synced and renamed. What the names mean is decided
//! in `engine.rs` (code) and `scan.rs` (descriptions).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// Makes temporary names unique within the process.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// One cache folder, private to the user that runs the worker.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
    owner: u32,
}

impl CodeCache {
    /// Opens `folder`, which is created when missing and made private.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
        let folder = folder.canonicalize()?;
        let owner = effective_user(&folder)?;
        let found = fs::metadata(&folder)?;
        if found.uid() != owner {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("cache folder {} belongs to another user", folder.display()),
            ));
        }
        if found.mode() & 0o077 != 0 {
            fs::set_permissions(&folder, fs::Permissions::from_mode(FOLDER_MODE))?;
        }
        Ok(Self { folder, owner })
    }

    /// Returns the file's path when it exists and nobody but this user can have written it.
    pub(crate) fn trusted_path(&self, name: &str) -> Option<PathBuf> {
        let path = self.folder.join(name);
        let found = fs::symlink_metadata(&path).ok()?;
        let folder = fs::metadata(&self.folder).ok()?;
        let is_private = |meta: &fs::Metadata| meta.uid() == self.owner && meta.mode() & 0o077 == 0;
        if !found.is_file() {
            return None;
        }
        if !is_private(&found) || !is_private(&folder) {
            tracing::warn!(path = %path.display(), "cached file is not private to this user and is ignored");
            return None;
        }
        Some(path)
    }

    /// Returns the content of a trusted file.
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.trusted_path(name)?).ok()
    }

    /// Stores a file so that a reader sees all of it or nothing, also after a crash.
    pub(crate) fn store(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(format!(".{name}.{}.{serial}", std::process::id()));
        let written = write_synced(&temporary, content).and_then(|()| fs::rename(&temporary, self.folder.join(name)));
        if written.is_err() {
            // Nothing else refers to it; a leftover would only take space.
            let _ = fs::remove_file(&temporary);
            return written;
        }
        File::open(&self.folder)?.sync_all()
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// The user that new files belong to, found by making one: std has no call for it.
fn effective_user(folder: &Path) -> io::Result<u32> {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let probe = folder.join(format!(".owner.{}.{serial}", std::process::id()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(&probe)?;
    let owner = file.metadata()?.uid();
    drop(file);
    fs::remove_file(&probe)?;
    Ok(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_may_write_is_not_trusted() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let cache = CodeCache::open(&folder.path().join("cache")).expect("opens");
        cache.store("code", b"one").expect("stores");
        assert_eq!(cache.read("code").as_deref(), Some(&b"one"[..]));
        let path = folder.path().join("cache/code");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("chmod");
        assert_eq!(cache.read("code"), None);
        cache.store("code", b"two").expect("replaces it");
        assert_eq!(cache.read("code").as_deref(), Some(&b"two"[..]));
    }

    #[test]
    fn a_symbolic_link_is_not_trusted() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let cache = CodeCache::open(folder.path()).expect("opens");
        let outside = folder.path().join("outside");
        fs::write(&outside, b"x").expect("writes");
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o600)).expect("chmod");
        std::os::unix::fs::symlink(&outside, folder.path().join("code")).expect("links");
        assert_eq!(cache.read("code"), None);
    }

    #[test]
    fn an_open_folder_is_made_private() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("cache");
        fs::create_dir(&path).expect("creates");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("chmod");
        CodeCache::open(&path).expect("opens");
        let mode = fs::metadata(&path).expect("exists").mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
