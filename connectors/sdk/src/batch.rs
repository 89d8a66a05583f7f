//! The batch a source task fills: records go straight into a `WRF1` frame
//!
//! Fast path: name topic and source partition once, then `append` slots that borrow from the task's own buffer; text
//! and bytes cost one copy and nothing is allocated for a record. Easy path: `push` owned records of any schema.

use weir_api::data::schemas::{SchemaId, SchemaIds};
use weir_api::error::ConnectError;
use weir_api::frame::layout::frame_flags;
use weir_api::frame::slot::Slot;
use weir_api::frame::value::encode_slot;
use weir_api::frame::writer::{FrameWriter, HeaderParts, SourceParts};
use weir_api::record::{SourceRecord, TypedValue};

use crate::schemas::GuestSchemas;
use crate::source::PollBudget;

/// What a transaction does after a batch, for connectors that define the boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// Commit.
    Commit,
    /// Abort.
    Abort,
}

/// Records on their way to the host.
#[derive(Debug)]
pub struct SourceBatch<'a> {
    writer: FrameWriter,
    schemas: &'a mut GuestSchemas,
    budget: PollBudget,
    scratch: Vec<u8>,
}

impl<'a> SourceBatch<'a> {
    /// Starts an empty batch.
    pub fn new(budget: PollBudget, schemas: &'a mut GuestSchemas) -> Self {
        Self {
            writer: FrameWriter::source(),
            schemas,
            budget,
            scratch: Vec::new(),
        }
    }

    /// Gives what this poll may take.
    pub fn budget(&self) -> PollBudget {
        self.budget
    }

    /// Number of records so far.
    pub fn len(&self) -> u32 {
        self.writer.record_count()
    }

    /// Tells whether there is no record yet.
    pub fn is_empty(&self) -> bool {
        self.writer.is_empty()
    }

    /// Tells whether the budget is used up.
    pub fn is_full(&self) -> bool {
        self.writer.record_count() >= self.budget.max_records
            || self.writer.len() >= usize::try_from(self.budget.max_bytes).unwrap_or(usize::MAX)
    }

    /// Gives the number that stands for a topic, source partition or header name in this batch.
    pub fn intern(&mut self, text: &str) -> u32 {
        self.writer.intern(text)
    }

    /// Gives the id of a schema, for slots written by hand.
    ///
    /// # Errors
    /// Fatal when the host refuses the schema.
    pub fn schemas(&mut self) -> &mut GuestSchemas {
        self.schemas
    }

    /// Appends one record whose parts are already encoded.
    ///
    /// # Errors
    /// Fatal when the frame would outgrow its format.
    pub fn append(&mut self, record: &SourceParts<'_>) -> Result<(), ConnectError> {
        Ok(self.writer.source_record(record)?)
    }

    /// Appends one owned record.
    ///
    /// # Errors
    /// Data when a value does not fit its schema, fatal when a schema is refused or the frame outgrows its format.
    pub fn push(&mut self, record: &SourceRecord) -> Result<(), ConnectError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let key = self.encode(&record.key, &mut scratch)?;
        let value = self.encode(&record.value, &mut scratch)?;
        let mut encoded = Vec::with_capacity(record.headers.len());
        for header in &record.headers {
            encoded.push((
                self.writer.intern(&header.name),
                self.encode(&header.value, &mut scratch)?,
            ));
        }
        let headers: Vec<HeaderParts<'_>> = encoded
            .iter()
            .map(|(name, part)| HeaderParts {
                name: *name,
                value: part.slot(&scratch),
            })
            .collect();
        let topic = self.writer.intern(&record.topic);
        let source_partition = record.source_partition.as_deref().map(|text| self.writer.intern(text));
        self.writer.source_record(&SourceParts {
            topic,
            partition: record.partition,
            timestamp: record.timestamp,
            source_partition,
            source_offset: record.source_offset.as_deref().map(str::as_bytes),
            key: key.slot(&scratch),
            value: value.slot(&scratch),
            headers: &headers,
            ..SourceParts::default()
        })?;
        drop(headers);
        self.scratch = scratch;
        Ok(())
    }

    /// Ends a transaction after this batch.
    pub fn end_transaction(&mut self, how: Transaction) {
        self.writer.set_flags(match how {
            Transaction::Commit => frame_flags::TXN_COMMIT,
            Transaction::Abort => frame_flags::TXN_ABORT,
        });
    }

    /// Gives the frame.
    pub fn finish(mut self) -> Vec<u8> {
        self.writer.finish()
    }

    fn encode(&mut self, value: &TypedValue, out: &mut Vec<u8>) -> Result<Encoded, ConnectError> {
        let schema = match &value.schema {
            Some(schema) => self.schemas.id_of(schema)?,
            None => SchemaId::NONE,
        };
        let start = out.len();
        let present = encode_slot(value.schema.as_deref(), &value.value, self.schemas, out)?;
        Ok(Encoded {
            schema,
            range: present.then_some((start, out.len())),
        })
    }
}

/// Where an encoded value stands in the scratch buffer; none = null.
struct Encoded {
    schema: SchemaId,
    range: Option<(usize, usize)>,
}

impl Encoded {
    fn slot<'b>(&self, scratch: &'b [u8]) -> Slot<'b> {
        Slot::new(self.schema, self.range.and_then(|(start, end)| scratch.get(start..end)))
    }
}
