//! Values of topics into a file, one a line
//!
//! One append a `put`, so that lines of tasks that share a file never mix. Kafka classes: `FileStreamSinkConnector`,
//! `FileStreamSinkTask`. DIVERGES: byte values are written as they are, where Java prints an array's address; `flush`
//! puts the file on the disk before offsets are committed; a failed write fails the task, where Apache's task goes on
//! and loses the records.

use weir_sdk::api::data::text::push_text;
use weir_sdk::api::error::ConnectError;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::{ConnectorContext, SinkTaskContext};
use weir_sdk::files::{File, FilesError, OpenMode};
use weir_sdk::sink::{SinkConnector, SinkOffsetChange, SinkTask, TopicOffset};
use weir_sdk::sink_batch::{DataRef, SinkBatch};

use crate::filestream_config::{FILE, sink_path};
use crate::source::java_file_error;

/// Gives its settings to every task.
#[derive(Debug, Default)]
pub struct FileStreamSinkConnector {
    config: ConfigMap,
}

impl SinkConnector for FileStreamSinkConnector {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let path = sink_path(config)?;
        self.config = config.clone();
        weir_sdk::info!("starting file sink connector"; "file" => path.as_deref().unwrap_or("standard output"));
        Ok(())
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok((0..max_tasks).map(|_| self.config.clone()).collect())
    }

    fn alter_offsets(&self, _config: &ConfigMap, _offsets: &[SinkOffsetChange]) -> Result<bool, ConnectError> {
        // The file says nothing about offsets: any are fine.
        Ok(true)
    }
}

/// Writes one file.
#[derive(Debug, Default)]
pub struct FileStreamSinkTask {
    file: Option<File>,
    has_unsynced: bool,
}

impl SinkTask for FileStreamSinkTask {
    fn start(&mut self, _context: SinkTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let path = sink_path(config)?;
        let opened = File::open(FILE, OpenMode::Append);
        self.file = Some(opened.map_err(|error| not_opened(path.as_deref().unwrap_or("standard output"), error))?);
        Ok(())
    }

    fn put(&mut self, batch: &SinkBatch<'_>) -> Result<(), ConnectError> {
        let mut lines = Vec::new();
        for record in batch.records() {
            push_line(record.value(), &mut lines)?;
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        if lines.is_empty() {
            return Ok(());
        }
        file.append(&lines).map_err(|error| match error {
            FilesError::Stopped(_) => ConnectError::stopped(),
            other => ConnectError::fatal(format!("cannot append {} bytes: {other}", lines.len())),
        })?;
        self.has_unsynced = true;
        Ok(())
    }

    fn flush(&mut self, _current: &[TopicOffset]) -> Result<(), ConnectError> {
        if let Some(file) = self.file.as_ref().filter(|_| self.has_unsynced) {
            file.sync()
                .map_err(|error| ConnectError::fatal(format!("cannot flush: {error}")))?;
            self.has_unsynced = false;
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        self.file = None;
        Ok(())
    }
}

fn push_line(value: DataRef<'_>, lines: &mut Vec<u8>) -> Result<(), ConnectError> {
    if let Some(bytes) = value.raw() {
        lines.extend_from_slice(bytes);
    } else {
        let typed = value.to_typed()?;
        let mut text = String::new();
        push_text(&mut text, typed.schema.as_deref(), &typed.value)?;
        lines.extend_from_slice(text.as_bytes());
    }
    lines.push(b'\n');
    Ok(())
}

fn not_opened(path: &str, error: FilesError) -> ConnectError {
    let cause = match error {
        FilesError::Stopped(_) => return ConnectError::stopped(),
        FilesError::Denied(reason) => return ConnectError::fatal(reason),
        FilesError::NotFound(_) => format!("java.nio.file.NoSuchFileException: {path}"),
        FilesError::Forbidden(_) => format!("java.nio.file.AccessDeniedException: {path}"),
        FilesError::IsDirectory(_) => {
            format!("java.nio.file.FileSystemException: {path}: Is a directory")
        }
        FilesError::NoSpace(reason) | FilesError::Other(reason) => java_file_error(&reason),
    };
    ConnectError::fatal(format!("Couldn't find or create file '{path}' for FileStreamSinkTask")).caused_by(cause)
}
