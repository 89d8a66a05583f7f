//! Lines of a file into a topic
//!
//! Cost for a batch: at most one host read of up to 1 MiB; for a record: the search for its end and one copy into the
//! frame. The open file is kept: like Apache's task it follows the file it opened, not the path. Kafka classes:
//! `FileStreamSourceConnector`, `FileStreamSourceTask`. DIVERGES: lines left over when a batch is full come with the
//! next poll, where Apache's task holds them back until the file grows; a position behind the end waits for the file to
//! grow, where Apache's task spins; a directory fails the task, where Apache's task waits forever.

use weir_sdk::api::data::schemas::SchemaId;
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::frame::slot::Slot;
use weir_sdk::api::frame::writer::SourceParts;
use weir_sdk::batch::SourceBatch;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::{ConnectorContext, SourceTaskContext};
use weir_sdk::files::{File, FilesError, OpenMode};
use weir_sdk::offsets::{JsonObject, parse, single};
use weir_sdk::runtime;
use weir_sdk::source::{ExactlyOnceSupport, OffsetChange, PollBudget, Polled, SourceConnector, SourceTask};

use crate::filestream_config::{FILE, SourceSettings};
use crate::parse::{Line, LineBuffer};

const FILENAME_FIELD: &str = "filename";
const POSITION_FIELD: &str = "position";
const READ_BYTES: u32 = 1024 * 1024;
/// How long to wait for a file to appear or grow, if the poll may take so long.
const WAIT_MS: u32 = 1000;

/// Gives its settings to one task.
#[derive(Debug, Default)]
pub struct FileStreamSourceConnector {
    config: ConfigMap,
}

impl SourceConnector for FileStreamSourceConnector {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let settings = SourceSettings::parse(config)?;
        self.config = config.clone();
        weir_sdk::info!("starting file source connector"; "file" => settings.path().unwrap_or("standard input"));
        Ok(())
    }

    fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        // One file is one source partition, whatever the number of tasks allowed.
        Ok(vec![self.config.clone()])
    }

    fn exactly_once_support(&self, config: &ConfigMap) -> Result<ExactlyOnceSupport, ConnectError> {
        Ok(match SourceSettings::parse(config)?.path() {
            Some(_) => ExactlyOnceSupport::Supported,
            None => ExactlyOnceSupport::Unsupported,
        })
    }

    fn alter_offsets(&self, config: &ConfigMap, offsets: &[OffsetChange]) -> Result<bool, ConnectError> {
        if SourceSettings::parse(config)?.path().is_none() {
            return Err(ConnectError::fatal(format!(
                "Offsets cannot be modified if the '{FILE}' configuration is unspecified. This is because stdin is \
                 used for input and offsets are not tracked."
            )));
        }
        for change in offsets {
            check_change(change)?;
        }
        // Whether the position lies in the file is found out when the task starts.
        Ok(true)
    }
}

fn check_change(change: &OffsetChange) -> Result<(), ConnectError> {
    let Some(offset) = &change.offset else {
        return Ok(());
    };
    let position = POSITION_FIELD;
    let offset = parse(offset)?;
    let Some(value) = offset.get(position) else {
        return Err(ConnectError::fatal(format!(
            "Offset objects should either be null or contain the key '{position}'"
        )));
    };
    let Some(value) = value.as_i64() else {
        return Err(ConnectError::fatal(format!(
            "The value for the '{position}' key in the offset is expected to be a Long value"
        )));
    };
    if value < 0 {
        return Err(ConnectError::fatal(format!(
            "The value for the '{position}' key in the offset should be a non-negative value"
        )));
    }
    if change.partition == "null" {
        return Err(ConnectError::fatal("Partition objects cannot be null"));
    }
    if !parse(&change.partition)?.contains_key(FILENAME_FIELD) {
        return Err(ConnectError::fatal(format!(
            "Partition objects should contain the key '{FILENAME_FIELD}'"
        )));
    }
    Ok(())
}

/// Reads one file.
#[derive(Debug, Default)]
pub struct FileStreamSourceTask {
    context: SourceTaskContext,
    settings: Option<SourceSettings>,
    partition: String,
    reading: Option<Reading>,
}

/// The open file and what was read of it.
#[derive(Debug)]
struct Reading {
    file: File,
    /// Where the next read starts; means nothing for standard input.
    read_offset: u64,
    lines: LineBuffer,
    /// Standard input has no position to come back to.
    has_position: bool,
}

impl SourceTask for FileStreamSourceTask {
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let settings = SourceSettings::parse(config)?;
        self.context = context;
        self.partition = single(FILENAME_FIELD, settings.file.clone());
        self.settings = Some(settings);
        Ok(())
    }

    fn poll_into(&mut self, batch: &mut SourceBatch<'_>) -> Result<Polled, ConnectError> {
        // Stopped, or never started: nothing to read.
        let Some(settings) = &self.settings else {
            return Ok(Polled::Nothing);
        };
        if self.reading.is_none() {
            self.reading = open(settings, &self.partition, self.context)?;
        }
        let Some(reading) = &mut self.reading else {
            wait(batch.budget());
            return Ok(Polled::Nothing);
        };
        let mut writer = LineWriter::new(batch, settings, &self.partition, reading.has_position);
        writer.take(&mut reading.lines)?;
        if !writer.is_full() && reading.read()? {
            writer.take(&mut reading.lines)?;
        } else if writer.batch.is_empty() {
            wait(batch.budget());
        }
        Ok(if batch.is_empty() {
            Polled::Nothing
        } else {
            Polled::Batch
        })
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        self.reading = None;
        self.settings = None;
        Ok(())
    }
}

fn wait(budget: PollBudget) {
    runtime::sleep(budget.max_wait_ms.min(WAIT_MS));
}

/// Opens the file at the committed position; none while there is no file.
fn open(
    settings: &SourceSettings,
    partition: &str,
    context: SourceTaskContext,
) -> Result<Option<Reading>, ConnectError> {
    let file = match File::open(FILE, OpenMode::Read) {
        Ok(file) => file,
        Err(error) => return not_opened(settings.path().unwrap_or("standard input"), error),
    };
    if settings.path().is_none() {
        let lines = LineBuffer::starting_at(0);
        return Ok(Some(Reading {
            file,
            read_offset: 0,
            lines,
            has_position: false,
        }));
    }
    let position = match context.offset_reader().offset(partition)? {
        Some(offset) => position_of(&offset)?,
        None => 0,
    };
    // Apache's task takes a negative position as it is and counts on from there, reading from the start.
    let read_offset = u64::try_from(position).unwrap_or(0);
    weir_sdk::debug!("opened file"; "file" => settings.path().unwrap_or_default(), "position" => position);
    Ok(Some(Reading {
        file,
        read_offset,
        lines: LineBuffer::starting_at(position),
        has_position: true,
    }))
}

fn position_of(offset: &JsonObject) -> Result<i64, ConnectError> {
    match offset.get(POSITION_FIELD) {
        None => Ok(0),
        Some(value) if value.is_null() => Ok(0),
        Some(value) => value
            .as_i64()
            .ok_or_else(|| ConnectError::fatal("Offset position is the incorrect type")),
    }
}

fn not_opened(path: &str, error: FilesError) -> Result<Option<Reading>, ConnectError> {
    let cause = match error {
        FilesError::NotFound(_) => {
            weir_sdk::warn!(
                "Couldn't find file {path} for FileStreamSourceTask, sleeping to wait for it to be created"
            );
            return Ok(None);
        }
        FilesError::Stopped(_) => return Err(ConnectError::stopped()),
        FilesError::Denied(reason) => return Err(ConnectError::fatal(reason)),
        FilesError::Forbidden(_) => format!("java.nio.file.AccessDeniedException: {path}"),
        FilesError::IsDirectory(_) => {
            format!("java.nio.file.FileSystemException: {path}: Is a directory")
        }
        FilesError::NoSpace(reason) | FilesError::Other(reason) => java_file_error(&reason),
    };
    Err(ConnectError::fatal(cause.clone()).caused_by(cause))
}

/// The system's reason as Java words it: without the error number.
pub(crate) fn java_file_error(reason: &str) -> String {
    let reason = reason.split(" (os error").next().unwrap_or(reason);
    format!("java.nio.file.FileSystemException: {reason}")
}

impl Reading {
    /// Reads once; false = nothing there now.
    fn read(&mut self) -> Result<bool, ConnectError> {
        let read = match self.file.read_at(self.read_offset, READ_BYTES) {
            Ok(read) => read,
            Err(FilesError::Stopped(_)) => return Ok(false),
            Err(FilesError::Denied(reason)) => return Err(ConnectError::fatal(reason)),
            Err(error) => return Err(ConnectError::fatal(format!("cannot read: {error}"))),
        };
        if read.is_empty() {
            return Ok(false);
        }
        self.read_offset += u64::try_from(read.len()).unwrap_or(0);
        self.lines.push(read)?;
        Ok(true)
    }
}

/// Puts lines into the batch.
struct LineWriter<'b, 'a> {
    batch: &'b mut SourceBatch<'a>,
    topic: u32,
    partition: u32,
    timestamp: i64,
    max_records: u32,
    has_position: bool,
}

impl<'b, 'a> LineWriter<'b, 'a> {
    fn new(batch: &'b mut SourceBatch<'a>, settings: &SourceSettings, partition: &str, has_position: bool) -> Self {
        Self {
            topic: batch.intern(&settings.topic),
            partition: batch.intern(partition),
            timestamp: runtime::now_ms(),
            max_records: settings.batch_records,
            has_position,
            batch,
        }
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= self.max_records || self.batch.is_full()
    }

    /// Takes complete lines until the batch is full or none is left.
    fn take(&mut self, lines: &mut LineBuffer) -> Result<(), ConnectError> {
        while !self.is_full() {
            let Some(line) = lines.next_line() else { break };
            self.append(&line)?;
        }
        Ok(())
    }

    fn append(&mut self, line: &Line<'_>) -> Result<(), ConnectError> {
        let offset = OffsetText::new(self.has_position.then_some(line.position));
        self.batch.append(&SourceParts {
            topic: self.topic,
            timestamp: Some(self.timestamp),
            source_partition: Some(self.partition),
            source_offset: Some(offset.as_bytes()),
            value: Slot::new(SchemaId::TEXT, Some(&line.text)),
            ..SourceParts::default()
        })
    }
}

/// `{"position":123}` without an allocation.
struct OffsetText {
    text: [u8; Self::CAPACITY],
    len: usize,
}

impl OffsetText {
    const HEAD: &'static [u8] = b"{\"position\":";
    /// Room for the head, 20 characters of a number and the brace.
    const CAPACITY: usize = 40;

    fn new(position: Option<i64>) -> Self {
        let mut offset = Self {
            text: [0; Self::CAPACITY],
            len: 0,
        };
        offset.push(Self::HEAD);
        match position {
            Some(position) => offset.push_number(position),
            None => offset.push(b"null"),
        }
        offset.push(b"}");
        offset
    }

    fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, part: &[u8]) {
        if let Some(room) = self.text.get_mut(self.len..self.len + part.len()) {
            room.copy_from_slice(part);
            self.len += part.len();
        }
    }

    fn push_number(&mut self, number: i64) {
        let mut digits = [0u8; 20];
        let mut left = number.unsigned_abs();
        let mut at = digits.len();
        loop {
            at -= 1;
            if let Some(slot) = digits.get_mut(at) {
                // A remainder of ten fits a byte.
                *slot = b'0' + (left % 10) as u8;
            }
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if number < 0 {
            self.push(b"-");
        }
        self.push(digits.get(at..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::OffsetText;

    #[test]
    fn offsets_are_compact_json() {
        for (position, expected) in [
            (Some(0), "{\"position\":0}"),
            (Some(1_234_567_890), "{\"position\":1234567890}"),
            (Some(-3), "{\"position\":-3}"),
            (Some(i64::MAX), "{\"position\":9223372036854775807}"),
            (Some(i64::MIN), "{\"position\":-9223372036854775808}"),
            (None, "{\"position\":null}"),
        ] {
            assert_eq!(std::str::from_utf8(OffsetText::new(position).as_bytes()), Ok(expected));
        }
    }
}
