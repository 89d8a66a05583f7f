//! Records inside a batch, borrowed
//!
//! Walks the decompressed record block without allocating. Headers are an
//! ordered list in which a key may repeat, and a null value differs from an
//! empty one. Source: Kafka's `DefaultRecord`.

use crate::error::ProtocolError;
use crate::primitives::Reader;

/// One record, borrowed from its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Timestamp relative to the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Offset relative to the batch's base offset.
    pub offset_delta: i32,
    /// Key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is null, which on a compacted topic is a tombstone.
    pub value: Option<&'a [u8]>,
    header_count: i32,
    // Invariant: holds `header_count` well-formed headers and nothing more.
    headers: &'a [u8],
}

/// One header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderView<'a> {
    /// Name; UTF-8 by convention, kept as bytes because nothing enforces it.
    pub key: &'a [u8],
    /// Value; `None` is null.
    pub value: Option<&'a [u8]>,
}

impl<'a> RecordView<'a> {
    /// Walks the headers in order.
    pub fn headers(&self) -> impl Iterator<Item = HeaderView<'a>> + use<'a> {
        let mut reader = Reader::new(self.headers);
        std::iter::from_fn(move || read_header(&mut reader))
    }

    /// Returns the number of headers.
    pub fn header_count(&self) -> usize {
        usize::try_from(self.header_count).unwrap_or(0)
    }

    /// Returns the headers as the batch holds them, without their count.
    pub fn raw_headers(&self) -> &'a [u8] {
        self.headers
    }
}

/// Walks the records of a decompressed block.
#[derive(Debug, Clone)]
pub struct RecordWalker<'a> {
    reader: Reader<'a>,
    left: i32,
}

impl<'a> RecordWalker<'a> {
    /// Starts at the first record; `count` is the header's record count.
    pub fn new(records: &'a [u8], count: i32) -> Self {
        Self {
            reader: Reader::new(records),
            left: count,
        }
    }

    /// Returns the bytes after the records read so far.
    pub fn remaining(&self) -> usize {
        self.reader.remaining()
    }
}

impl<'a> Iterator for RecordWalker<'a> {
    type Item = Result<RecordView<'a>, ProtocolError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        let record = read_record(&mut self.reader);
        self.left = if record.is_ok() { self.left - 1 } else { 0 };
        Some(record)
    }
}

#[inline]
fn read_record<'a>(reader: &mut Reader<'a>) -> Result<RecordView<'a>, ProtocolError> {
    let short = || ProtocolError::MalformedRecord {
        reason: "record cut short",
    };
    let length = reader.varint().ok_or_else(short)?;
    let length = usize::try_from(length).map_err(|_| ProtocolError::MalformedRecord {
        reason: "negative record length",
    })?;
    let mut body = Reader::new(reader.take(length).ok_or_else(short)?);
    body.i8().ok_or_else(short)?;
    let timestamp_delta = body.varlong().ok_or_else(short)?;
    let offset_delta = body.varint().ok_or_else(short)?;
    let key = read_nullable(&mut body).ok_or_else(short)?;
    let value = read_nullable(&mut body).ok_or_else(short)?;
    let header_count = body.varint().ok_or_else(short)?;
    if header_count < 0 {
        return Err(ProtocolError::MalformedRecord {
            reason: "negative header count",
        });
    }
    let headers = body.rest();
    for _ in 0..header_count {
        read_header(&mut body).ok_or(ProtocolError::MalformedRecord {
            reason: "malformed record header",
        })?;
    }
    if body.remaining() != 0 {
        return Err(ProtocolError::MalformedRecord {
            reason: "record longer than its fields",
        });
    }
    Ok(RecordView {
        timestamp_delta,
        offset_delta,
        key,
        value,
        header_count,
        headers,
    })
}

/// Outer `None`: malformed. A length below −1 is refused as Kafka refuses it.
#[inline]
fn read_nullable<'a>(reader: &mut Reader<'a>) -> Option<Option<&'a [u8]>> {
    match reader.varint()? {
        -1 => Some(None),
        length => Some(Some(reader.take(usize::try_from(length).ok()?)?)),
    }
}

fn read_header<'a>(reader: &mut Reader<'a>) -> Option<HeaderView<'a>> {
    let length = usize::try_from(reader.varint()?).ok()?;
    let key = reader.take(length)?;
    let value = read_nullable(reader)?;
    Some(HeaderView { key, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8], count: i32) -> Vec<Result<RecordView<'_>, ProtocolError>> {
        RecordWalker::new(bytes, count).collect()
    }

    #[test]
    fn fields_and_repeated_header_keys_are_kept() {
        // length 17: attributes 0, ts delta 1, offset delta 0, key "k", value null,
        // two headers of one name, the second null.
        let bytes = [30, 0, 2, 0, 2, b'k', 1, 4, 2, b'h', 2, b'x', 2, b'h', 1, 0];
        let records = walk(&bytes, 1);
        let record = records[0].as_ref();
        // The byte after the last header makes the record longer than its fields.
        assert!(record.is_err());
        let mut bytes = bytes.to_vec();
        bytes.pop();
        bytes[0] = 28;
        let records = walk(&bytes, 1);
        let record = records[0].as_ref().unwrap();
        assert_eq!((record.timestamp_delta, record.offset_delta), (1, 0));
        assert_eq!((record.key, record.value), (Some(&b"k"[..]), None));
        let headers: Vec<_> = record.headers().collect();
        assert_eq!(headers.len(), record.header_count());
        assert_eq!(
            headers[0],
            HeaderView {
                key: b"h",
                value: Some(b"x")
            }
        );
        assert_eq!(headers[1], HeaderView { key: b"h", value: None });
    }

    #[test]
    fn malformed_records_end_the_walk() {
        for bytes in [
            &[][..],
            &[1],
            &[40, 0],
            &[2, 0],
            &[12, 0, 0, 0, 3, 1, 0],
            &[12, 0, 0, 0, 1, 9, 0],
            &[12, 0, 0, 0, 1, 1, 1],
            &[12, 0, 0, 0, 1, 1, 2],
        ] {
            let records = walk(bytes, 2);
            assert_eq!(records.len(), 1, "{bytes:?}");
            assert!(records[0].is_err(), "{bytes:?}");
        }
    }
}
