//! The batch of one poll on its way to the guest.
//!
//! Messages become frames of bounded size, grouped by partition in offset order. What is put, and to
//! what position that brings each partition, is known here; when it counts is the loop's business.
//! A frame outlives a failed put: the same bytes are put again. Cost a record: one copy into the frame.

use std::collections::BTreeSet;

use weir_api::data::schemas::SchemaTable;
use weir_api::error::ConnectError;
use weir_api::frame::frame_error::FrameError;
use weir_api::frame::layout::record_flags;
use weir_api::frame::writer::{FrameWriter, HeaderParts, OriginParts, SinkParts};
use weir_client::consumer::{MessageBatch, MessageView};
use weir_client::topic_partition::TopicPartition;

use crate::pipeline::convert::{ConvertError, Converters, Scratch};
use crate::pipeline::original::Original;
use crate::pipeline::transform::{Transforms, parse_own};
use crate::sink::originals::Originals;

/// Size at which a frame is put and the next one begun; one message may be larger.
const FRAME_BYTES: usize = 1024 * 1024;

/// Messages of one poll, the frame made of them so far, and the positions it leads to.
#[derive(Debug)]
pub struct SinkBatch {
    /// What `rest` points into.
    originals: Originals,
    rest: Option<Rest>,
    writer: FrameWriter,
    /// The frame that is put, and how many records it holds.
    frame: Vec<u8>,
    records: u32,
    number: u64,
    scratch: Scratch,
    /// One entry a partition that messages were seen of; removed when it is revoked.
    positions: Vec<Position>,
}

/// Messages not yet converted.
#[derive(Debug)]
struct Rest {
    /// Indexes into the messages, where those had to be brought together by partition.
    order: Option<Vec<u32>>,
    at: usize,
}

#[derive(Debug)]
struct Position {
    partition: TopicPartition,
    /// Offset after the last message that the frame covers.
    next: Option<i64>,
    /// The partition was moved: what is left of it is fetched again.
    is_moved: bool,
}

/// A message that could not be converted.
#[derive(Debug)]
pub struct FailedMessage {
    pub error: ConvertError,
    pub original: Original,
}

/// How far filling a frame came.
#[derive(Debug)]
pub enum Filled {
    /// The frame is ready to be put.
    Ready,
    /// A message could not be converted: fill again to try it again, after `skip_message` without it.
    Failed(Box<FailedMessage>),
}

enum Progress {
    Full,
    All,
}

impl Default for SinkBatch {
    fn default() -> Self {
        let mut batch = Self {
            originals: Originals::default(),
            rest: None,
            writer: FrameWriter::sink(0),
            frame: Vec::new(),
            records: 0,
            number: 0,
            scratch: Scratch::default(),
            positions: Vec::new(),
        };
        batch.begin_frame();
        batch
    }
}

impl SinkBatch {
    /// Starts empty; messages are shared through `originals`.
    pub fn new(originals: Originals) -> Self {
        Self {
            originals,
            ..Self::default()
        }
    }

    /// Takes the messages of a poll; answers where reading began for partitions seen first.
    pub fn begin(&mut self, messages: MessageBatch) -> Vec<(TopicPartition, i64)> {
        let mut began = Vec::new();
        let (mut last, mut highest, mut is_grouped) = (0, 0, true);
        for message in messages.iter() {
            if !self
                .positions
                .get(last)
                .is_some_and(|position| position.is_of(&message))
            {
                last = self.slot_or_new(&message, &mut began);
                is_grouped &= last >= highest;
                highest = highest.max(last);
            }
        }
        let order = (!is_grouped).then(|| self.order(&messages));
        for position in &mut self.positions {
            position.is_moved = false;
        }
        self.originals.set(messages);
        self.rest = Some(Rest { order, at: 0 });
        began
    }

    /// Is true when messages wait that no frame covers yet.
    pub fn has_rest(&self) -> bool {
        self.rest.is_some()
    }

    /// Starts the next frame; until it is filled, the frame to put is an empty one.
    pub fn begin_frame(&mut self) {
        self.number += 1;
        for position in &mut self.positions {
            position.next = None;
        }
        self.seal();
    }

    fn seal(&mut self) {
        self.records = self.writer.record_count();
        self.writer.set_batch(self.number);
        self.writer.finish_into(&mut self.frame);
    }

    /// Converts messages until the frame is full or none is left.
    pub fn fill(&mut self, converters: &mut Converters, schemas: &mut SchemaTable) -> Filled {
        let Some(mut rest) = self.rest.take() else {
            return Filled::Ready;
        };
        match self.fill_from(&mut rest, converters, schemas) {
            Ok(Progress::All) => {
                self.seal();
                Filled::Ready
            }
            Ok(Progress::Full) => {
                self.rest = Some(rest);
                self.seal();
                Filled::Ready
            }
            Err(failed) => {
                self.rest = Some(rest);
                Filled::Failed(failed)
            }
        }
    }

    fn fill_from(
        &mut self,
        rest: &mut Rest,
        converters: &mut Converters,
        schemas: &mut SchemaTable,
    ) -> Result<Progress, Box<FailedMessage>> {
        let originals = self.originals.clone();
        let Some(messages) = originals.get() else {
            return Ok(Progress::All);
        };
        let (views, mut ordered, mut plain);
        let walk: &mut dyn Iterator<Item = MessageView<'_>> = match &rest.order {
            None => {
                plain = messages.iter().skip(rest.at);
                &mut plain
            }
            Some(order) => {
                views = messages.iter().collect::<Vec<_>>();
                ordered = order
                    .iter()
                    .skip(rest.at)
                    .filter_map(|index| views.get(*index as usize).copied());
                &mut ordered
            }
        };
        let mut last = 0;
        let mut done = 0;
        for message in walk {
            if self.writer.len() >= FRAME_BYTES {
                rest.at += done;
                return Ok(Progress::Full);
            }
            if !self
                .positions
                .get(last)
                .is_some_and(|position| position.is_of(&message))
            {
                last = slot(&self.positions, &message).unwrap_or(usize::MAX);
            }
            done += 1;
            let Some(position) = self.positions.get_mut(last).filter(|position| !position.is_moved) else {
                continue;
            };
            if let Err(error) = converters.to_connect(schemas, &message, &mut self.scratch, &mut self.writer) {
                rest.at += done - 1;
                return Err(Box::new(FailedMessage {
                    error,
                    original: Original::from(&message),
                }));
            }
            position.next = Some(message.offset() + 1);
        }
        Ok(Progress::All)
    }

    /// Leaves out the message at which filling stopped; its offset counts as consumed.
    pub fn skip_message(&mut self) {
        let Some(rest) = &mut self.rest else { return };
        let index = match &rest.order {
            None => rest.at,
            Some(order) => order.get(rest.at).copied().unwrap_or(u32::MAX) as usize,
        };
        rest.at += 1;
        let originals = self.originals.clone();
        if let Some(messages) = originals.get()
            && let Some(message) = messages.iter().nth(index)
            && let Some(position) = slot(&self.positions, &message).and_then(|at| self.positions.get_mut(at))
        {
            position.next = Some(message.offset() + 1);
        }
    }

    /// Takes the frame out, to be transformed and given back by [`SinkBatch::transformed`].
    pub fn take_frame(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.frame)
    }

    /// Makes the frame of what the transformations left of `bytes`, the frame taken out.
    ///
    /// # Errors
    /// The frame becomes too large.
    pub fn transformed(&mut self, bytes: Vec<u8>, transforms: &Transforms) -> Result<(), FrameError> {
        transforms.write_sink(&bytes, &mut self.writer)?;
        // Its allocation is what the next frame is written into.
        self.frame = bytes;
        self.seal();
        Ok(())
    }

    /// Lets go of messages that were put.
    pub fn release(&mut self) {
        if self.rest.is_none() {
            self.originals.clear();
        }
    }

    /// Returns the bytes of the frame to put.
    pub fn frame(&self) -> &Vec<u8> {
        &self.frame
    }

    /// Number of records in the frame to put.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Walks the positions that the frame leads to.
    pub fn positions(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        self.positions
            .iter()
            .filter_map(|position| Some((&position.partition, position.next?)))
    }

    /// Notes that a partition was moved: messages of it that no frame covers are left out.
    pub fn moved(&mut self, partition: &TopicPartition) {
        if let Some(position) = self
            .positions
            .iter_mut()
            .find(|position| position.partition == *partition)
        {
            position.is_moved = true;
        }
    }

    /// Forgets partitions that were taken away, and their records in a frame that waits.
    ///
    /// # Errors
    /// The frame cannot be written anew.
    pub fn revoke(&mut self, partitions: &BTreeSet<TopicPartition>) -> Result<(), ConnectError> {
        self.positions
            .retain(|position| !partitions.contains(&position.partition));
        if self.records > 0 {
            copy_without(&self.frame, partitions, &mut self.writer)?;
            self.seal();
        }
        Ok(())
    }

    fn slot_or_new(&mut self, message: &MessageView<'_>, began: &mut Vec<(TopicPartition, i64)>) -> usize {
        if let Some(at) = slot(&self.positions, message) {
            return at;
        }
        let partition = TopicPartition::new(message.topic(), message.partition());
        began.push((partition.clone(), message.offset()));
        self.positions.push(Position {
            partition,
            next: None,
            is_moved: false,
        });
        self.positions.len() - 1
    }

    /// Brings messages of one partition together, in the order of their offsets.
    fn order(&self, messages: &MessageBatch) -> Vec<u32> {
        let slots: Vec<Option<usize>> = messages.iter().map(|message| slot(&self.positions, &message)).collect();
        let mut order: Vec<u32> = (0..slots.len() as u32).collect();
        order.sort_by_key(|index| slots.get(*index as usize));
        order
    }
}

impl Position {
    fn is_of(&self, message: &MessageView<'_>) -> bool {
        self.partition.partition == message.partition() && self.partition.topic == message.topic()
    }
}

fn slot(positions: &[Position], message: &MessageView<'_>) -> Option<usize> {
    positions.iter().position(|position| position.is_of(message))
}

fn copy_without(
    bytes: &[u8],
    partitions: &BTreeSet<TopicPartition>,
    out: &mut FrameWriter,
) -> Result<(), ConnectError> {
    let frame = parse_own(bytes)?;
    for record in frame.records() {
        let partition = record.partition.unwrap_or(-1);
        // Where it was read from; a transformation may have given it another topic.
        let read_from = match record.origin {
            Some(origin) => TopicPartition::new(origin.topic, origin.partition),
            None => TopicPartition::new(record.topic, partition),
        };
        if partitions.contains(&read_from) {
            continue;
        }
        let topic = out.intern(record.topic);
        let headers: Vec<HeaderParts<'_>> = record
            .headers()
            .map(|header| HeaderParts {
                name: out.intern(header.name),
                value: header.slot(),
            })
            .collect();
        let origin = record.origin.map(|origin| OriginParts {
            topic: out.intern(origin.topic),
            partition: origin.partition,
            offset: origin.offset,
        });
        out.sink_record(&SinkParts {
            topic,
            partition,
            offset: record.kafka_offset,
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: &headers,
            flags: record.flags & record_flags::LOG_APPEND_TIME,
            origin,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use weir_api::frame::reader::{Frame, FrameLimits};
    use weir_api::frame::slot::Slot;
    use weir_api::frame::writer::{FrameWriter, HeaderParts, OriginParts, SinkParts};
    use weir_client::topic_partition::TopicPartition;

    use super::copy_without;

    #[test]
    fn a_frame_is_written_anew_without_revoked_partitions() {
        let mut writer = FrameWriter::sink(7);
        let topic = writer.intern("t");
        let name = writer.intern("h");
        for (partition, offset) in [(0, 5), (1, 9), (0, 6)] {
            let headers = [HeaderParts {
                name,
                value: Slot::text("x"),
            }];
            let parts = SinkParts {
                topic,
                partition,
                offset,
                timestamp: Some(3),
                value: Slot::text("v"),
                headers: &headers,
                ..SinkParts::default()
            };
            writer.sink_record(&parts).unwrap();
        }
        let (other, read_from) = (writer.intern("other"), writer.intern("t"));
        let origin = |partition, offset| OriginParts {
            topic: read_from,
            partition,
            offset,
        };
        for (partition, offset) in [(0, 7), (1, 10)] {
            // Sent to another topic by a transformation.
            let parts = SinkParts {
                topic: other,
                partition,
                offset,
                origin: Some(origin(partition, offset)),
                ..SinkParts::default()
            };
            writer.sink_record(&parts).unwrap();
        }
        let mut out = FrameWriter::sink(7);
        let gone: BTreeSet<_> = [TopicPartition::new("t", 0)].into();
        copy_without(&writer.finish(), &gone, &mut out).unwrap();
        let bytes = out.finish();
        let frame = Frame::parse(&bytes, &FrameLimits::default()).unwrap();
        let records: Vec<_> = frame.records().collect();
        assert_eq!(records.len(), 2);
        let origin = records[1].origin.unwrap();
        assert_eq!(
            (records[1].topic, origin.topic, origin.partition, origin.offset),
            ("other", "t", 1, 10)
        );
        assert_eq!(
            (records[0].partition, records[0].kafka_offset, records[0].timestamp),
            (Some(1), 9, Some(3))
        );
        assert_eq!(
            records[0].headers().map(|header| header.name).collect::<Vec<_>>(),
            ["h"]
        );
    }
}
