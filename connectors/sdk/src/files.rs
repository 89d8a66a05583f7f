//! Files that a setting names
//!
//! The host opens them: a plugin asks for [`Capability::Files`](crate::plugin::Capability::Files) with `config:KEY`
//! and opens by that key; it sees no directory and no other path. A null setting is standard input or output. One call
//! moves up to the frame limit (16 MiB).

use crate::host;

/// What to do with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Read; the file must exist.
    Read,
    /// Write at the end; the file is created when missing.
    Append,
}

/// Why a file call failed. Each text names the path; `Denied` also the grant that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesError {
    /// No grant covers the path.
    Denied(String),
    /// Nothing is there, or a directory on the way is missing.
    NotFound(String),
    /// The operating system refuses.
    Forbidden(String),
    /// The path is a directory.
    IsDirectory(String),
    /// The disk or the allowance is full.
    NoSpace(String),
    /// Stop was requested while the call waited.
    Stopped(String),
    /// Anything else.
    Other(String),
}

impl FilesError {
    /// Gives the text.
    pub fn message(&self) -> &str {
        match self {
            Self::Denied(text)
            | Self::NotFound(text)
            | Self::Forbidden(text)
            | Self::IsDirectory(text)
            | Self::NoSpace(text)
            | Self::Stopped(text)
            | Self::Other(text) => text,
        }
    }
}

impl std::fmt::Display for FilesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for FilesError {}

/// How a file can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Has a size and can be read at any offset.
    Regular,
    /// FIFO, device, standard input or output: in order only.
    Stream,
}

/// Tells one file from another that later has the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// How it can be read.
    pub kind: FileKind,
}

/// An open file.
#[derive(Debug)]
pub struct File(host::FileHandle);

impl File {
    /// Opens the file that `setting` names: the name of a configuration key, or a granted path itself.
    pub fn open(setting: &str, mode: OpenMode) -> Result<Self, FilesError> {
        host::open_file(setting, mode).map(Self)
    }

    /// Reads up to `max` bytes from `offset` on; fewer only at the end. Empty = nothing there now; the file may grow.
    /// A stream ignores the offset and gives what has arrived.
    pub fn read_at(&self, offset: u64, max: u32) -> Result<Vec<u8>, FilesError> {
        self.0.read_at(offset, max)
    }

    /// Appends all bytes or fails.
    pub fn append(&self, bytes: &[u8]) -> Result<(), FilesError> {
        self.0.append(bytes)
    }

    /// Puts what was appended on the disk.
    pub fn sync(&self) -> Result<(), FilesError> {
        self.0.sync()
    }

    /// Gives the size in bytes now; 0 for a stream.
    pub fn size(&self) -> Result<u64, FilesError> {
        self.0.size()
    }

    /// Identifies the open file.
    pub fn identity(&self) -> Result<FileIdentity, FilesError> {
        self.0.identity()
    }
}

/// Identifies what the path of `setting` leads to now, without opening it.
pub fn identity_now(setting: &str) -> Result<FileIdentity, FilesError> {
    host::file_identity(setting)
}
