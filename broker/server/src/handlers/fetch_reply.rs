//! The Fetch response as a list of pieces, record bytes by reference.
//!
//! Written by hand because a codec would copy every record byte. All fields go into one buffer;
//! where records belong it is cut later and the log's own buffers stand in between. Records up to
//! `COPY_BYTES` are copied, which is cheaper than a slice of the `writev`.
//! Format source: Kafka's FetchResponse.json, versions 4–17.

use bytes::{BufMut, Bytes, BytesMut};
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::{StrBytes, Uuid};
use weir_protocol::primitives::{LengthEncoding, put_array_length, put_bytes_length, put_string};

const COPY_BYTES: usize = 2048;
/// An empty section of tagged fields.
const NO_TAGS: u8 = 0;

/// A whole response.
#[derive(Debug, Default)]
pub(crate) struct FetchReply {
    code: ErrorCode,
    pub(crate) topics: Vec<FetchedTopic>,
}

#[derive(Debug)]
pub(crate) struct FetchedTopic {
    pub(crate) name: StrBytes,
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<FetchedPartition>,
}

#[derive(Debug)]
pub(crate) struct FetchedPartition {
    pub(crate) index: i32,
    pub(crate) code: ErrorCode,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable_offset: i64,
    pub(crate) log_start_offset: i64,
    /// Producer id and first offset of each aborted transaction; none for read_uncommitted.
    pub(crate) aborted: Option<Vec<(i64, i64)>>,
    pub(crate) records: Vec<Bytes>,
}

impl FetchedPartition {
    pub(crate) fn refused(index: i32, code: ErrorCode) -> Self {
        Self {
            index,
            code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            aborted: None,
            records: Vec::new(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.records.iter().map(Bytes::len).sum()
    }
}

/// Fields so far, and where records are to be put in between.
struct Pieces {
    fields: BytesMut,
    cuts: Vec<(usize, Vec<Bytes>)>,
    records_bytes: usize,
}

impl FetchReply {
    /// An answer without partitions.
    pub(crate) fn refused(code: ErrorCode) -> Self {
        Self {
            code,
            topics: Vec::new(),
        }
    }

    /// The response frame, length prefix included.
    pub(crate) fn encode(self, correlation_id: i32, version: i16) -> Vec<Bytes> {
        let is_flexible = version >= 12;
        let lengths = if is_flexible {
            LengthEncoding::Compact
        } else {
            LengthEncoding::Plain
        };
        let mut out = Pieces {
            fields: BytesMut::with_capacity(256),
            cuts: Vec::new(),
            records_bytes: 0,
        };
        out.fields.put_i32(0);
        out.fields.put_i32(correlation_id);
        out.end_of_struct(is_flexible);
        out.fields.put_i32(0);
        if version >= 7 {
            out.fields.put_i16(self.code.0);
            out.fields.put_i32(0);
        }
        put_array_length(&mut out.fields, self.topics.len(), lengths);
        for topic in self.topics {
            if version >= 13 {
                out.fields.put_slice(topic.id.as_bytes());
            } else {
                put_string(&mut out.fields, &topic.name, lengths);
            }
            put_array_length(&mut out.fields, topic.partitions.len(), lengths);
            for partition in topic.partitions {
                out.partition(partition, version, lengths);
            }
            out.end_of_struct(is_flexible);
        }
        out.end_of_struct(is_flexible);
        out.finish()
    }
}

impl Pieces {
    fn end_of_struct(&mut self, is_flexible: bool) {
        if is_flexible {
            self.fields.put_u8(NO_TAGS);
        }
    }

    fn partition(&mut self, partition: FetchedPartition, version: i16, lengths: LengthEncoding) {
        let is_flexible = lengths == LengthEncoding::Compact;
        let bytes = partition.bytes();
        let out = &mut self.fields;
        out.put_i32(partition.index);
        out.put_i16(partition.code.0);
        out.put_i64(partition.high_watermark);
        out.put_i64(partition.last_stable_offset);
        if version >= 5 {
            out.put_i64(partition.log_start_offset);
        }
        match (&partition.aborted, is_flexible) {
            (Some(aborted), _) => {
                put_array_length(out, aborted.len(), lengths);
                for (producer_id, first_offset) in aborted {
                    out.put_i64(*producer_id);
                    out.put_i64(*first_offset);
                    if is_flexible {
                        out.put_u8(NO_TAGS);
                    }
                }
            }
            (None, true) => out.put_u8(0),
            (None, false) => out.put_i32(-1),
        }
        if version >= 11 {
            out.put_i32(-1);
        }
        put_bytes_length(out, bytes, lengths);
        if bytes <= COPY_BYTES {
            partition.records.iter().for_each(|piece| out.put_slice(piece));
        } else {
            self.cuts.push((out.len(), partition.records));
            self.records_bytes += bytes;
        }
        self.end_of_struct(is_flexible);
    }

    fn finish(mut self) -> Vec<Bytes> {
        let length = self.fields.len() - 4 + self.records_bytes;
        let prefix = i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes();
        self.fields[..4].copy_from_slice(&prefix);
        let fields = self.fields.freeze();
        let mut pieces = Vec::with_capacity(1 + 2 * self.cuts.len());
        let mut from = 0;
        for (at, records) in self.cuts {
            pieces.push(fields.slice(from..at));
            from = at;
            push_joined(&mut pieces, records);
        }
        if from < fields.len() {
            pieces.push(fields.slice(from..));
        }
        pieces
    }
}

/// Adds record buffers, joining neighbours too small to be worth a slice each.
fn push_joined(pieces: &mut Vec<Bytes>, records: Vec<Bytes>) {
    let mut small = BytesMut::new();
    for piece in records {
        if piece.len() <= COPY_BYTES {
            small.put_slice(&piece);
            continue;
        }
        if !small.is_empty() {
            pieces.push(small.split().freeze());
        }
        pieces.push(piece);
    }
    if !small.is_empty() {
        pieces.push(small.freeze());
    }
}

#[cfg(test)]
mod tests {
    use weir_protocol::decode::decode_response;
    use weir_protocol::messages::FetchResponse;

    use super::*;

    fn partition(index: i32, records: Vec<Bytes>) -> FetchedPartition {
        FetchedPartition {
            index,
            code: ErrorCode::NONE,
            high_watermark: 10,
            last_stable_offset: 9,
            log_start_offset: 2,
            aborted: match index {
                1 => Some(Vec::new()),
                2 => Some(vec![(7, 3), (8, 4)]),
                _ => None,
            },
            records,
        }
    }

    #[test]
    fn every_version_decodes_with_the_codec() {
        for version in 4..=17 {
            let small: Vec<Bytes> = (0..9).map(|at| Bytes::from(vec![at; 300])).collect();
            let large = vec![
                Bytes::from(vec![7; 100]),
                Bytes::from(vec![8; 5000]),
                Bytes::from(vec![9; 1]),
            ];
            let all_large: Vec<u8> = large.iter().flatten().copied().collect();
            let reply = FetchReply {
                code: ErrorCode::NONE,
                topics: vec![FetchedTopic {
                    name: StrBytes::from("t"),
                    id: Uuid::from_bytes([3; 16]),
                    partitions: vec![
                        partition(0, Vec::new()),
                        partition(1, small),
                        partition(2, large),
                        FetchedPartition::refused(3, ErrorCode::OFFSET_OUT_OF_RANGE),
                    ],
                }],
            };
            let frame: Vec<u8> = reply.encode(77, version).into_iter().flatten().collect();
            let length = i32::from_be_bytes(frame[..4].try_into().unwrap());
            assert_eq!(length as usize, frame.len() - 4, "version {version}");
            let payload = Bytes::from(frame).slice(4..);
            let (correlation, response) = decode_response::<FetchResponse>(payload, version).unwrap();
            assert_eq!(correlation, 77);
            let topic = &response.responses[0];
            assert_eq!(topic.topic.as_str() == "t", version < 13);
            let partitions = &topic.partitions;
            assert_eq!(partitions[0].records.as_deref(), Some(&[][..]));
            assert_eq!(partitions[1].records.as_ref().unwrap().len(), 2700);
            assert_eq!(partitions[2].records.as_deref(), Some(&all_large[..]));
            assert_eq!(partitions[0].aborted_transactions, None);
            assert_eq!(partitions[1].aborted_transactions, Some(Vec::new()));
            let aborted = partitions[2].aborted_transactions.as_ref().unwrap();
            let aborted: Vec<_> = aborted.iter().map(|one| (one.producer_id, one.first_offset)).collect();
            assert_eq!(aborted, [(7, 3), (8, 4)]);
            assert_eq!(partitions[2].last_stable_offset, 9);
            assert_eq!((partitions[3].error_code, partitions[3].high_watermark), (1, -1));
        }
    }
}
