//! Offset file of the standalone worker
//!
//! The file is replaced as a whole: written beside, synced, renamed, and the folder synced, so that a crash leaves the old or the new
//! one. `DIVERGES:` Apache writes in place and without sync. Source: `FileOffsetBackingStore`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::offsets::java_map::{self, MapEntry};

/// Reads the file; one that does not exist, or is empty, holds nothing.
pub(super) fn read(path: &Path) -> Result<Vec<MapEntry>, StoreError> {
    let stream = match fs::read(path) {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(StoreError::File {
                path: path.to_owned(),
                source,
            });
        }
    };
    // Java's worker leaves an empty file when it is killed while it writes: it starts from nothing then, and so do we.
    if stream.is_empty() {
        return Ok(Vec::new());
    }
    java_map::read(&stream).map_err(|reason| StoreError::Format {
        path: path.to_owned(),
        reason,
    })
}

/// Replaces the file; durable on return.
pub(super) fn replace(path: &Path, entries: &[MapEntry]) -> Result<(), StoreError> {
    replace_bytes(path, &java_map::write(entries)).map_err(|source| StoreError::File {
        path: path.to_owned(),
        source,
    })
}

fn replace_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link is followed, so that it still leads to the offsets afterwards.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .map_or_else(|| PathBuf::from("."), Path::to_owned);
    let mut name = target.file_name().map(ToOwned::to_owned).unwrap_or_default();
    name.push(".new");
    let beside = folder.join(name);
    let mut file = File::create(&beside)?;
    if let Ok(before) = fs::metadata(&target) {
        file.set_permissions(before.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&beside, &target)?;
    File::open(&folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connect.offsets");
        assert_eq!(read(&path).unwrap(), []);
        let entries = vec![(Some(b"k".to_vec()), Some(b"v".to_vec())), (Some(b"n".to_vec()), None)];
        replace(&path, &entries).unwrap();
        replace(&path, &entries).unwrap();
        assert_eq!(read(&path).unwrap(), entries);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is left beside"
        );
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, []).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace(&link, &[(Some(b"k".to_vec()), None)]).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read(&target).unwrap().len(), 1);
    }

    #[test]
    fn unreadable_files_are_errors_that_name_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connect.offsets");
        fs::write(&path, b"not java").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("connect.offsets"));
        let missing = folder.path().join("no/such/folder");
        assert!(matches!(replace(&missing, &[]), Err(StoreError::File { .. })));
    }
}
