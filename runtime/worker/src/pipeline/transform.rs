//! The transformations of one task, between converter and guest or guest and converter.
//!
//! A frame goes in and a frame comes out: rows point into the first until a transformation rewrites
//! them. Cost a record: one copy into the new frame besides what the transformations write. Tasks
//! without transformations never come here. Source: `TransformationChain`.

use weir_api::data::schemas::SchemaTable;
use weir_api::error::ConnectError;
use weir_api::frame::frame_error::FrameError;
use weir_api::frame::layout::record_flags;
use weir_api::frame::reader::{Frame, FrameLimits, RecordView};
use weir_api::frame::slot::Slot;
use weir_api::frame::writer::{FrameWriter, HeaderParts, SourceParts};
use weir_config::map::ConfigMap;
use weir_transforms::chain::{Chain, RecordKind, RowFailure};
use weir_transforms::rows::{RowState, Rows};

use crate::error::WorkerError;

/// Flags that the frame writer derives from other fields.
const DERIVED: u16 = record_flags::HAS_TIMESTAMP | record_flags::HAS_ORIGIN;

/// A chain and the rows on their way through it.
#[derive(Debug)]
pub struct Transforms {
    chain: Chain,
    rows: Rows,
    failures: Vec<RowFailure>,
    /// Rows that went through at a later try, each as row 0 of its own.
    again: Vec<(u32, Rows)>,
}

impl Transforms {
    /// Builds the chain of a connector; none when it has no transformations.
    ///
    /// # Errors
    /// An unknown class or a setting that one of them refuses.
    pub fn build(connector: &ConfigMap) -> Result<Option<Self>, WorkerError> {
        let chain = Chain::build(connector).map_err(|error| WorkerError::Invalid(error.to_string()))?;
        Ok(chain.map(|chain| Self {
            chain,
            rows: Rows::default(),
            failures: Vec::new(),
            again: Vec::new(),
        }))
    }

    /// Sends the records of a frame through; answers what failed, in order.
    pub fn apply(
        &mut self,
        kind: RecordKind,
        schemas: &mut SchemaTable,
        bytes: &[u8],
        frame: &Frame<'_>,
    ) -> Vec<RowFailure> {
        self.rows.clear();
        self.again.clear();
        for record in frame.records() {
            self.rows.push(bytes, &record);
        }
        let mut failures = std::mem::take(&mut self.failures);
        failures.clear();
        self.chain.apply(kind, schemas, bytes, &mut self.rows, &mut failures);
        failures
    }

    /// Takes the array of failures back, for its allocation.
    pub fn applied(&mut self, failures: Vec<RowFailure>) {
        self.failures = failures;
    }

    /// Sends one failed record through again.
    ///
    /// # Errors
    /// It failed again.
    pub fn try_again(
        &mut self,
        kind: RecordKind,
        schemas: &mut SchemaTable,
        bytes: &[u8],
        record: &RecordView<'_>,
    ) -> Result<(), RowFailure> {
        let mut rows = Rows::default();
        rows.push(bytes, record);
        let mut failures = Vec::new();
        self.chain.apply(kind, schemas, bytes, &mut rows, &mut failures);
        match failures.pop() {
            None => {
                self.again.push((record.index, rows));
                Ok(())
            }
            Some(failure) => Err(RowFailure {
                row: record.index,
                ..failure
            }),
        }
    }

    /// Writes the rows that are kept into a sink frame, each with the coordinates it had before.
    ///
    /// # Errors
    /// The frame becomes too large.
    pub fn write_sink(&self, bytes: &[u8], out: &mut FrameWriter) -> Result<(), FrameError> {
        for number in 0..self.rows.len() {
            let (rows, row) = self.place(number);
            if rows.state(row) == RowState::Kept {
                rows.write_sink(row, bytes, out)?;
            }
        }
        Ok(())
    }

    /// Writes the rows before `end` into a source frame; dropped and failed ones are marked as dropped,
    /// so that every record keeps its index.
    ///
    /// # Errors
    /// The frame becomes too large.
    pub fn write_source(
        &self,
        bytes: &[u8],
        frame: &Frame<'_>,
        end: u32,
        out: &mut FrameWriter,
    ) -> Result<(), FrameError> {
        for record in frame.records().take(end as usize) {
            let (rows, row) = self.place(record.index as usize);
            let source_partition = record.source_partition.and_then(|index| frame.table(index));
            let mut parts = SourceParts {
                topic: out.intern(rows.topic(row)),
                source_partition: source_partition.map(|text| out.intern(text)),
                source_offset: record.source_offset,
                flags: record.flags & !DERIVED,
                ..SourceParts::default()
            };
            if rows.state(row) != RowState::Kept {
                parts.flags |= record_flags::DROPPED;
                out.source_record(&parts)?;
                continue;
            }
            let headers: Vec<HeaderParts<'_>> = rows
                .headers(row, bytes)
                .map(|(name, value)| HeaderParts {
                    name: out.intern(name),
                    value,
                })
                .collect();
            let (key, value): (Slot<'_>, Slot<'_>) = (rows.key(row, bytes), rows.value(row, bytes));
            out.source_record(&SourceParts {
                partition: rows.partition(row),
                timestamp: rows.timestamp(row),
                key,
                value,
                headers: &headers,
                ..parts
            })?;
        }
        out.set_flags(frame.flags());
        Ok(())
    }

    fn place(&self, number: usize) -> (&Rows, usize) {
        let again = self.again.iter().find(|(row, _)| *row as usize == number);
        again.map_or((&self.rows, number), |(_, rows)| (rows, 0))
    }
}

/// Parses a frame that was written here.
///
/// # Errors
/// It is damaged.
pub fn parse_own(bytes: &[u8]) -> Result<Frame<'_>, ConnectError> {
    let limits = FrameLimits {
        max_bytes: usize::MAX,
        max_records: u32::MAX,
        ..FrameLimits::default()
    };
    Ok(Frame::parse(bytes, &limits)?)
}
