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

    /// The chain, for what is shown of it.
    pub fn chain(&self) -> &Chain {
        &self.chain
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

    /// Sends one failed record through again; answers the failure if it failed again.
    pub fn try_again(
        &mut self,
        kind: RecordKind,
        schemas: &mut SchemaTable,
        bytes: &[u8],
        record: &RecordView<'_>,
    ) -> Option<RowFailure> {
        let mut rows = Rows::default();
        rows.push(bytes, record);
        let mut failures = Vec::new();
        self.chain.apply(kind, schemas, bytes, &mut rows, &mut failures);
        match failures.pop() {
            None => {
                self.again.push((record.index, rows));
                None
            }
            Some(failure) => Some(RowFailure {
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

#[cfg(test)]
mod tests {
    use weir_api::data::schemas::SchemaTable;
    use weir_api::frame::layout::{frame_flags, record_flags};
    use weir_api::frame::slot::Slot;
    use weir_api::frame::writer::{FrameWriter, HeaderParts, SourceParts};
    use weir_config::map::ConfigMap;
    use weir_transforms::chain::RecordKind;

    use super::{Transforms, parse_own};

    /// A chain that drops topic `drop` and cannot work on topic `bad`.
    fn transforms() -> Transforms {
        let config: ConfigMap = [
            ("transforms", "f,i"),
            ("transforms.f.type", "org.apache.kafka.connect.transforms.Filter"),
            ("transforms.f.predicate", "dropped"),
            (
                "transforms.i.type",
                "org.apache.kafka.connect.transforms.InsertField$Value",
            ),
            ("transforms.i.static.field", "a"),
            ("transforms.i.static.value", "b"),
            ("transforms.i.predicate", "bad"),
            ("predicates", "dropped,bad"),
            (
                "predicates.dropped.type",
                "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
            ),
            ("predicates.dropped.pattern", "drop"),
            (
                "predicates.bad.type",
                "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
            ),
            ("predicates.bad.pattern", "bad"),
        ]
        .into_iter()
        .collect();
        Transforms::build(&config).unwrap().unwrap()
    }

    fn frame(topics: &[&str]) -> Vec<u8> {
        let mut writer = FrameWriter::source();
        for (at, topic) in topics.iter().enumerate() {
            let name = writer.intern("h");
            let headers = [HeaderParts {
                name,
                value: Slot::text("x"),
            }];
            let offset = format!("{{\"at\":{at}}}");
            let parts = SourceParts {
                topic: writer.intern(topic),
                partition: Some(4),
                timestamp: Some(9),
                source_partition: Some(writer.intern("{}")),
                source_offset: Some(offset.as_bytes()),
                value: Slot::text("v"),
                headers: &headers,
                flags: record_flags::TXN_COMMIT_AFTER,
                ..SourceParts::default()
            };
            writer.source_record(&parts).unwrap();
        }
        writer.set_flags(frame_flags::TXN_COMMIT);
        writer.finish()
    }

    /// Dropped, topic, whether there is a value, offset.
    type Written = (bool, String, bool, String);

    /// Rows that failed, and each record written for the records before `end`.
    fn written(topics: &[&str], end: u32) -> (Vec<u32>, Vec<Written>) {
        let mut transforms = transforms();
        let bytes = frame(topics);
        let frame = parse_own(&bytes).unwrap();
        let failures = transforms.apply(RecordKind::Source, &mut SchemaTable::new(), &bytes, &frame);
        let failed = failures.iter().map(|failure| failure.row).collect();
        let mut out = FrameWriter::source();
        transforms.write_source(&bytes, &frame, end, &mut out).unwrap();
        let bytes = out.finish();
        let frame = parse_own(&bytes).unwrap();
        assert_eq!(frame.flags(), frame_flags::TXN_COMMIT);
        let records = frame
            .records()
            .map(|record| {
                assert_ne!(record.flags & record_flags::TXN_COMMIT_AFTER, 0);
                let is_dropped = record.flags & record_flags::DROPPED != 0;
                if !is_dropped {
                    assert_eq!(
                        (record.partition, record.timestamp, record.header_count()),
                        (Some(4), Some(9), 1)
                    );
                }
                let offset = String::from_utf8_lossy(record.source_offset.unwrap()).into_owned();
                (
                    is_dropped,
                    record.topic.to_owned(),
                    record.value.bytes.is_some(),
                    offset,
                )
            })
            .collect();
        (failed, records)
    }

    #[test]
    fn every_record_keeps_its_index_and_what_is_left_out_is_marked() {
        let (failed, records) = written(&["t", "drop", "bad", "t"], 4);
        assert_eq!(failed, [2]);
        let expected = [
            (false, "t", true, "{\"at\":0}"),
            (true, "drop", false, "{\"at\":1}"),
            (true, "bad", false, "{\"at\":2}"),
            (false, "t", true, "{\"at\":3}"),
        ];
        let expected: Vec<_> = expected
            .map(|(dropped, topic, value, offset)| (dropped, topic.to_owned(), value, offset.to_owned()))
            .into();
        assert_eq!(records, expected);
    }

    #[test]
    fn a_failure_that_ends_the_task_cuts_the_frame_before_it() {
        let (_, records) = written(&["t", "bad", "t"], 1);
        assert_eq!(records.len(), 1);
        assert!(!records[0].0);
    }
}
