//! The host functions on the development machine: the stand-in host of `testing.rs`

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use weir_api::data::schema::Schema;
use weir_api::data::schemas::SchemaId;
use weir_api::error::ConnectError;
use weir_config::map::ConfigMap;

use super::native_http;
use crate::files::{FileIdentity, FileKind, FilesError, OpenMode};
use crate::log::Level;
use crate::net::{NetError, Tls};
use crate::runtime::{Identity, Sample, system_now_ms};
use crate::sink::{TopicOffset, TopicPartition};
use crate::testing::with_host;

pub(crate) fn who_am_i() -> Identity {
    Identity {
        connector: "test".to_owned(),
        task: Some(0),
        worker: "127.0.0.1:8083".to_owned(),
        plugin_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

pub(crate) fn current_config() -> ConfigMap {
    with_host(|host| host.config.clone())
}

pub(crate) fn stop_requested() -> bool {
    with_host(|host| host.stopped)
}

pub(crate) fn sleep(ms: u32) -> bool {
    with_host(|host| {
        host.sleeps.push(ms);
    });
    // A wait that stop cuts short takes no time.
    let is_stopped = stop_requested();
    if !is_stopped {
        native_http::advance(u64::from(ms));
    }
    is_stopped
}

pub(crate) fn now_ms() -> i64 {
    with_host(|host| host.clock_ms).unwrap_or_else(system_now_ms)
}

/// The next of a sequence that is the same in every run (splitmix64).
pub(crate) fn random_u64() -> u64 {
    with_host(|host| {
        host.random = host.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = host.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    })
}

pub(crate) fn metric(name: &str, tags: &[(&str, &str)], sample: Sample) {
    let tags = tags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    with_host(|host| host.metrics.push((name.to_owned(), tags, sample)));
}

pub(crate) fn log_enabled(level: Level) -> bool {
    level >= Level::Info
}

pub(crate) fn log(level: Level, message: &str, fields: &[(&str, String)]) {
    with_host(|host| {
        host.lines.push((level, message.to_owned()));
        host.fields
            .extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    });
}

pub(crate) fn request_task_reconfiguration() {
    with_host(|host| host.reconfigurations += 1);
}

pub(crate) fn raise_error(error: &ConnectError) {
    with_host(|host| host.raised.push(error.clone()));
}

pub(crate) fn offsets(partitions: &[&str]) -> Result<Vec<Option<String>>, ConnectError> {
    with_host(|host| {
        Ok(partitions
            .iter()
            .map(|partition| host.offsets.get(*partition).cloned())
            .collect())
    })
}

pub(crate) fn assignment() -> Vec<TopicPartition> {
    with_host(|host| host.assignment.clone())
}

pub(crate) fn seek(offsets: &[TopicOffset]) {
    with_host(|host| host.seeks.extend_from_slice(offsets));
}

pub(crate) fn retry_after(ms: u32) {
    with_host(|host| host.sleeps.push(ms));
}

pub(crate) fn pause(partitions: &[TopicPartition]) -> Result<(), ConnectError> {
    with_host(|host| host.paused.extend_from_slice(partitions));
    Ok(())
}

pub(crate) fn resume(partitions: &[TopicPartition]) -> Result<(), ConnectError> {
    with_host(|host| host.paused.retain(|paused| !partitions.contains(paused)));
    Ok(())
}

pub(crate) fn request_commit() {}

pub(crate) fn can_report() -> bool {
    true
}

pub(crate) fn report(records: &[TopicOffset], _error: &ConnectError) -> Result<(), ConnectError> {
    with_host(|host| host.reported.extend_from_slice(records));
    Ok(())
}

pub(crate) fn declare_schema(schema: &Schema) -> Result<SchemaId, ConnectError> {
    // Through the flat form, so that tests see what a real host would get.
    let crossed = crate::schema_def::build(&crate::schema_def::flatten(schema)?)?;
    with_host(|host| host.schemas.declare(crossed))
}

pub(crate) fn describe_schema(id: SchemaId) -> Result<Option<Arc<Schema>>, ConnectError> {
    Ok(with_host(|host| host.schemas.get(id).cloned()))
}

/// The path that a setting holds; null is standard input or output, as the real host has it.
fn path_of(setting: &str) -> Option<String> {
    with_host(|host| match host.config.get_entry(setting) {
        Some(value) => value.filter(|path| !path.is_empty()).map(str::to_owned),
        None => setting.starts_with('/').then(|| setting.to_owned()),
    })
}

#[derive(Debug)]
pub(crate) enum FileHandle {
    Regular { path: String, file: fs::File },
    Standard,
}

impl FileHandle {
    pub(crate) fn read_at(&self, offset: u64, max: u32) -> Result<Vec<u8>, FilesError> {
        let Self::Regular { path, file } = self else {
            return Ok(with_host(|host| host.stdin.pop_front().unwrap_or_default()));
        };
        let left = file
            .metadata()
            .map_err(|error| files_error(path, &error))?
            .len()
            .saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(left.min(u64::from(max))).unwrap_or(0)];
        let read = file
            .read_at(&mut bytes, offset)
            .map_err(|error| files_error(path, &error))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    pub(crate) fn append(&self, bytes: &[u8]) -> Result<(), FilesError> {
        match self {
            Self::Regular { path, file } => {
                let mut writer: &fs::File = file;
                writer.write_all(bytes).map_err(|error| files_error(path, &error))
            }
            Self::Standard => {
                with_host(|host| host.stdout.extend_from_slice(bytes));
                Ok(())
            }
        }
    }

    pub(crate) fn sync(&self) -> Result<(), FilesError> {
        match self {
            Self::Regular { path, file } => file.sync_data().map_err(|error| files_error(path, &error)),
            Self::Standard => Ok(()),
        }
    }

    pub(crate) fn size(&self) -> Result<u64, FilesError> {
        match self {
            Self::Regular { path, file } => file
                .metadata()
                .map(|meta| meta.len())
                .map_err(|error| files_error(path, &error)),
            Self::Standard => Ok(0),
        }
    }

    pub(crate) fn identity(&self) -> Result<FileIdentity, FilesError> {
        match self {
            Self::Regular { path, file } => file
                .metadata()
                .map(|meta| identity_of(&meta))
                .map_err(|error| files_error(path, &error)),
            Self::Standard => Ok(FileIdentity {
                device: 0,
                inode: 0,
                kind: FileKind::Stream,
            }),
        }
    }
}

pub(crate) fn open_file(setting: &str, mode: OpenMode) -> Result<FileHandle, FilesError> {
    let Some(path) = path_of(setting) else {
        return Ok(FileHandle::Standard);
    };
    let opened = match mode {
        OpenMode::Read => fs::File::open(&path),
        OpenMode::Append => fs::OpenOptions::new().append(true).create(true).open(&path),
    };
    let file = opened.map_err(|error| files_error(&path, &error))?;
    if file.metadata().is_ok_and(|meta| meta.is_dir()) {
        return Err(FilesError::IsDirectory(format!("{path}: Is a directory")));
    }
    Ok(FileHandle::Regular { path, file })
}

pub(crate) fn file_identity(setting: &str) -> Result<FileIdentity, FilesError> {
    match path_of(setting) {
        Some(path) => fs::metadata(Path::new(&path))
            .map(|meta| identity_of(&meta))
            .map_err(|error| files_error(&path, &error)),
        None => Ok(FileIdentity {
            device: 0,
            inode: 0,
            kind: FileKind::Stream,
        }),
    }
}

fn identity_of(meta: &fs::Metadata) -> FileIdentity {
    let kind = if meta.is_file() {
        FileKind::Regular
    } else {
        FileKind::Stream
    };
    FileIdentity {
        device: meta.dev(),
        inode: meta.ino(),
        kind,
    }
}

fn files_error(path: &str, error: &io::Error) -> FilesError {
    match error.kind() {
        io::ErrorKind::NotFound => FilesError::NotFound(path.to_owned()),
        io::ErrorKind::PermissionDenied => FilesError::Forbidden(path.to_owned()),
        io::ErrorKind::IsADirectory => FilesError::IsDirectory(format!("{path}: Is a directory")),
        io::ErrorKind::NotADirectory => FilesError::Other(format!("{path}: Not a directory")),
        io::ErrorKind::StorageFull => FilesError::NoSpace(format!("{path}: No space left on device")),
        _ => FilesError::Other(format!("{path}: {error}")),
    }
}

#[derive(Debug)]
pub(crate) struct ConnectionHandle;

impl ConnectionHandle {
    pub(crate) fn start_tls(&self, _tls: &Tls) -> Result<(), NetError> {
        Err(NetError::Denied)
    }

    pub(crate) fn read(&self, _max: u32, _timeout_ms: u32) -> Result<Vec<u8>, NetError> {
        Err(NetError::Denied)
    }

    pub(crate) fn write(&self, _bytes: &[u8]) -> Result<(), NetError> {
        Err(NetError::Denied)
    }
}

pub(crate) fn connect(
    _host: &str,
    _port: u16,
    _tls: Option<&Tls>,
    _timeout_ms: u32,
) -> Result<ConnectionHandle, NetError> {
    Err(NetError::Denied)
}
