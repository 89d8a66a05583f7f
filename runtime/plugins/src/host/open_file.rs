//! One open file of a guest: regular, pipe, device or standard stream
//!
//! Regular files are read at an offset and appended to on blocking threads. Everything else is a stream: reads return what
//! has arrived within a moment, and no wait outlives a stop. Links and roots are judged here, on the path that the disk
//! really has.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use crate::host::stream_reader::StreamReader;
use crate::policy::{AllowedFile, AllowedPath, FileAccess};
use crate::stop::StopSignal;

/// How long a read of a stream waits for the first byte.
const STREAM_WAIT: Duration = Duration::from_millis(100);

/// Why a file call failed; each text names the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileFailure {
    Denied(String),
    NotFound(String),
    Forbidden(String),
    IsDirectory(String),
    NoSpace(String),
    Stopped(String),
    Other(String),
}

/// Tells a rotated or replaced file from the one that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    Stream,
}

const STANDARD_STREAM: Identity = Identity {
    device: 0,
    inode: 0,
    kind: Kind::Stream,
};

/// A file that a guest holds open.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "generated code exports it again")]
pub struct OpenFile {
    /// For messages.
    name: String,
    handle: Handle,
    identity: Identity,
    stop: StopSignal,
}

#[derive(Debug)]
enum Handle {
    Regular(Arc<File>),
    PipeInput(pipe::Receiver),
    PipeOutput(pipe::Sender),
    Input(StreamReader),
    DeviceOutput(Arc<File>),
    StandardOutput,
}

/// Opens an allowed file.
pub(crate) async fn open(allowed: AllowedFile, access: FileAccess, stop: StopSignal) -> Result<OpenFile, FileFailure> {
    match allowed {
        AllowedFile::Standard => Ok(open_standard(access, stop)),
        AllowedFile::Path(allowed) => open_path(allowed, access, stop).await,
    }
}

/// Says what the path leads to now.
pub(crate) async fn identity_of(allowed: AllowedFile) -> Result<Identity, FileFailure> {
    let allowed = match allowed {
        AllowedFile::Standard => return Ok(STANDARD_STREAM),
        AllowedFile::Path(allowed) => allowed,
    };
    blocking(allowed.path.clone(), move || {
        let path = real_path(&allowed, FileAccess::Read)?;
        let found = fs::metadata(&path).map_err(|error| failure(&allowed.path, &error))?;
        Ok(identity(&found))
    })
    .await
}

fn open_standard(access: FileAccess, stop: StopSignal) -> OpenFile {
    let (name, handle) = match access {
        FileAccess::Read => ("standard input", Handle::Input(StreamReader::standard_input())),
        FileAccess::Append => ("standard output", Handle::StandardOutput),
    };
    OpenFile {
        name: name.to_owned(),
        handle,
        identity: STANDARD_STREAM,
        stop,
    }
}

async fn open_path(allowed: AllowedPath, access: FileAccess, stop: StopSignal) -> Result<OpenFile, FileFailure> {
    let shown = allowed.path.clone();
    let path = blocking(shown.clone(), move || real_path(&allowed, access)).await?;
    let named = shown.clone();
    let opened = blocking(shown.clone(), move || open_real(&path, &named, access)).await?;
    let (handle, identity) = match opened {
        Opened::Regular(file, identity) => (Handle::Regular(Arc::new(file)), identity),
        Opened::Device(file, identity) => (device(file, access), identity),
        Opened::Pipe(path, identity) => (open_pipe(&path, &shown, access)?, identity),
    };
    Ok(OpenFile {
        name: shown.display().to_string(),
        handle,
        identity,
        stop,
    })
}

/// The path after links, checked against the link rule and the roots.
fn real_path(allowed: &AllowedPath, access: FileAccess) -> Result<PathBuf, FileFailure> {
    let path = &allowed.path;
    let real = match (path.canonicalize(), access) {
        (Ok(real), _) => real,
        (Err(error), FileAccess::Append) if error.kind() == io::ErrorKind::NotFound => real_path_of_new(path)?,
        (Err(error), _) => return Err(failure(path, &error)),
    };
    if !allowed.follows_link && real != *path {
        return Err(FileFailure::Denied(format!(
            "{} is denied: it leads through a symbolic link to {}",
            path.display(),
            real.display()
        )));
    }
    let Some(roots) = &allowed.roots else {
        return Ok(real);
    };
    let is_inside = roots
        .iter()
        .filter_map(|root| root.canonicalize().ok())
        .any(|root| real.starts_with(root));
    if is_inside {
        Ok(real)
    } else {
        Err(FileFailure::Denied(format!(
            "{} is not granted: it is outside of weir.file.roots",
            real.display()
        )))
    }
}

fn real_path_of_new(path: &Path) -> Result<PathBuf, FileFailure> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(FileFailure::IsDirectory(format!("{} is a directory", path.display())));
    };
    // A dangling link would be created where it points: judge that place, not the link's.
    if let Ok(target) = fs::read_link(path) {
        return Err(FileFailure::NotFound(format!(
            "{} is a symbolic link to {}, which does not exist",
            path.display(),
            target.display()
        )));
    }
    let folder = folder.canonicalize().map_err(|error| failure(path, &error))?;
    Ok(folder.join(name))
}

enum Opened {
    Regular(File, Identity),
    Device(File, Identity),
    Pipe(PathBuf, Identity),
}

fn open_real(path: &Path, shown: &Path, access: FileAccess) -> Result<Opened, FileFailure> {
    let failed = |error: io::Error| failure(shown, &error);
    if let Ok(found) = fs::metadata(path)
        && found.file_type().is_fifo()
    {
        return Ok(Opened::Pipe(path.to_owned(), identity(&found)));
    }
    // The path holds no link any more; one put there in the meantime is refused, and so is waiting for a pipe's other end.
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    match access {
        FileAccess::Read => options.read(true),
        FileAccess::Append => options.append(true).create(true),
    };
    let file = options.open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if found.is_dir() {
        return Err(FileFailure::IsDirectory(format!("{} is a directory", shown.display())));
    }
    if found.is_file() {
        return Ok(Opened::Regular(file, identity(&found)));
    }
    // Devices are read by a thread that may wait, so they are opened again without the non-blocking flag.
    drop(file);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NOCTTY);
    let file = options.open(path).map_err(failed)?;
    Ok(Opened::Device(file, identity(&found)))
}

fn device(file: File, access: FileAccess) -> Handle {
    match access {
        FileAccess::Read => Handle::Input(StreamReader::of(file)),
        FileAccess::Append => Handle::DeviceOutput(Arc::new(file)),
    }
}

/// Opens a FIFO so that neither side needs the other one to be there: Linux allows both ends in one descriptor.
fn open_pipe(path: &Path, shown: &Path, access: FileAccess) -> Result<Handle, FileFailure> {
    let mut options = pipe::OpenOptions::new();
    #[cfg(any(target_os = "linux", target_os = "android"))]
    options.read_write(true);
    let opened = match access {
        FileAccess::Read => options.open_receiver(path).map(Handle::PipeInput),
        FileAccess::Append => options.open_sender(path).map(Handle::PipeOutput),
    };
    opened.map_err(|error| failure(shown, &error))
}

impl OpenFile {
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Reads up to `max` bytes; fewer only at the end of the file. Streams give what has arrived.
    pub(crate) async fn read_at(&mut self, offset: u64, max: usize) -> Result<Vec<u8>, FileFailure> {
        let name = &self.name;
        match &mut self.handle {
            Handle::Regular(file) => {
                let file = Arc::clone(file);
                let read = move || read_regular(&file, offset, max);
                blocking_io(name, read).await
            }
            Handle::PipeInput(pipe) => until_stopped(&self.stop, name, read_pipe(pipe, max)).await,
            Handle::Input(reader) => {
                until_stopped(&self.stop, name, async { Ok(reader.read(max, STREAM_WAIT).await) }).await
            }
            Handle::PipeOutput(_) | Handle::DeviceOutput(_) | Handle::StandardOutput => {
                Err(FileFailure::Other(format!("{name} is open for appending only")))
            }
        }
    }

    /// Appends all bytes.
    pub(crate) async fn append(&mut self, bytes: Vec<u8>) -> Result<(), FileFailure> {
        let name = &self.name;
        match &mut self.handle {
            Handle::Regular(file) | Handle::DeviceOutput(file) => {
                let file = Arc::clone(file);
                cut_off(&self.stop, name, async {
                    blocking_io(name, move || (&*file).write_all(&bytes)).await
                })
                .await
            }
            Handle::StandardOutput => {
                cut_off(&self.stop, name, async {
                    blocking_io(name, move || {
                        let mut output = io::stdout().lock();
                        output.write_all(&bytes)?;
                        output.flush()
                    })
                    .await
                })
                .await
            }
            Handle::PipeOutput(pipe) => {
                cut_off(&self.stop, name, async {
                    let written = pipe.write_all(&bytes).await;
                    written.map_err(|error| failure(Path::new(name), &error))
                })
                .await
            }
            Handle::PipeInput(_) | Handle::Input(_) => {
                Err(FileFailure::Other(format!("{name} is open for reading only")))
            }
        }
    }

    /// Makes what was appended durable; streams have nothing to sync.
    pub(crate) async fn sync(&mut self) -> Result<(), FileFailure> {
        match &self.handle {
            Handle::Regular(file) => {
                let file = Arc::clone(file);
                blocking_io(&self.name, move || file.sync_data()).await
            }
            Handle::PipeInput(_)
            | Handle::PipeOutput(_)
            | Handle::Input(_)
            | Handle::DeviceOutput(_)
            | Handle::StandardOutput => Ok(()),
        }
    }

    /// Returns the size now; 0 for a stream. A stat of an open file is too short for a thread of its own.
    pub(crate) fn size(&self) -> Result<u64, FileFailure> {
        match &self.handle {
            Handle::Regular(file) => file
                .metadata()
                .map(|found| found.len())
                .map_err(|error| failure(Path::new(&self.name), &error)),
            Handle::PipeInput(_)
            | Handle::PipeOutput(_)
            | Handle::Input(_)
            | Handle::DeviceOutput(_)
            | Handle::StandardOutput => Ok(0),
        }
    }
}

fn read_regular(file: &File, offset: u64, max: usize) -> io::Result<Vec<u8>> {
    let left = file.metadata()?.len().saturating_sub(offset);
    let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(max);
    let mut bytes = vec![0; wanted];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..)
        && !rest.is_empty()
    {
        let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

async fn read_pipe(pipe: &pipe::Receiver, max: usize) -> Result<Vec<u8>, FileFailure> {
    let mut bytes = vec![0; max.min(64 * 1024)];
    // Readiness may be stale, so the wait is around the loop and not around one step.
    let read = tokio::time::timeout(STREAM_WAIT, async {
        loop {
            pipe.readable().await?;
            match pipe.try_read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
        }
    });
    match read.await {
        Ok(Ok(count)) => bytes.truncate(count),
        Ok(Err(error)) => return Err(FileFailure::Other(error.to_string())),
        Err(_elapsed) => bytes.clear(),
    }
    Ok(bytes)
}

/// Ends a wait for input as soon as stop is requested: nothing was taken from the stream yet.
async fn until_stopped<T>(
    stop: &StopSignal,
    name: &str,
    read: impl Future<Output = Result<T, FileFailure>>,
) -> Result<T, FileFailure> {
    tokio::select! {
        biased;
        outcome = read => outcome,
        () = stop.requested() => Err(stopped(name)),
    }
}

/// Ends a write at half of the grace period: it may be waiting for a reader that never comes.
async fn cut_off<T>(
    stop: &StopSignal,
    name: &str,
    write: impl Future<Output = Result<T, FileFailure>>,
) -> Result<T, FileFailure> {
    tokio::select! {
        biased;
        outcome = write => outcome,
        () = stop.cut() => Err(stopped(name)),
    }
}

fn stopped(name: &str) -> FileFailure {
    FileFailure::Stopped(format!("stop was requested while {name} was waited for"))
}

fn identity(found: &Metadata) -> Identity {
    Identity {
        device: found.dev(),
        inode: found.ino(),
        kind: if found.is_file() { Kind::Regular } else { Kind::Stream },
    }
}

fn failure(path: &Path, error: &io::Error) -> FileFailure {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => FileFailure::NotFound(text),
        io::ErrorKind::PermissionDenied => FileFailure::Forbidden(text),
        io::ErrorKind::IsADirectory => FileFailure::IsDirectory(text),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            FileFailure::NoSpace(text)
        }
        _ => FileFailure::Other(text),
    }
}

async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce() -> Result<T, FileFailure> + Send + 'static,
) -> Result<T, FileFailure> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(FileFailure::Other(format!("{}: {error}", path.display()))))
}

async fn blocking_io<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FileFailure> {
    let path = PathBuf::from(name);
    let shown = path.clone();
    blocking(path, move || work().map_err(|error| failure(&shown, &error))).await
}

#[cfg(test)]
mod tests;
