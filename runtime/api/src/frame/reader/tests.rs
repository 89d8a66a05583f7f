//! Tests of frames: the specification's example, round trips, hostile bytes

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{Frame, FrameLimits, Origin};
use crate::data::schemas::SchemaId;
use crate::frame::layout::{frame_flags, record_flags};
use crate::frame::slot::Slot;
use crate::frame::writer::{FrameWriter, HeaderParts, OriginParts, SinkParts, SourceParts};

/// The 95 bytes of wasm-abi §4.
const EXAMPLE: &str = "57524631 0000 0000 01000000 54000000 02000000 5f000000 0000000000000000\
    30000000 0000 0000 00000000 ffffffff 0000000000000000\
    01000000 02000000 00000000 ffffffff 08000000 02000000\
    6869 7b7d\
    0100000074 020000007b7d";

fn example() -> Vec<u8> {
    let digits: Vec<u8> = EXAMPLE.bytes().filter(|byte| byte.is_ascii_hexdigit()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex"))
        .collect()
}

#[test]
fn example_of_the_specification_is_written_byte_for_byte() {
    let mut writer = FrameWriter::source();
    let (topic, source_partition) = (writer.intern("t"), writer.intern("{}"));
    writer
        .source_record(&SourceParts {
            topic,
            source_partition: Some(source_partition),
            source_offset: Some(b"{}"),
            value: Slot::text("hi"),
            ..SourceParts::default()
        })
        .expect("fits");
    assert_eq!(writer.len(), 95);
    assert_eq!(writer.finish(), example());
    assert!(writer.is_empty());
}

#[test]
fn example_of_the_specification_is_read() {
    let bytes = example();
    let frame = Frame::parse(&bytes, &FrameLimits::default()).expect("valid");
    assert_eq!(
        (
            frame.is_sink(),
            frame.batch(),
            frame.record_count(),
            frame.table(1),
            frame.table(2)
        ),
        (false, 0, 1, Some("{}"), None)
    );
    let record = frame.records().next().expect("one record");
    assert_eq!(
        (
            record.topic,
            record.partition,
            record.timestamp,
            record.source_partition_text()
        ),
        ("t", None, None, Some("{}"))
    );
    assert_eq!(
        (record.source_offset, record.key, record.value),
        (Some(b"{}".as_slice()), Slot::NULL, Slot::text("hi"))
    );
    assert_eq!((record.header_count(), record.origin), (0, None));
}

/// Patches bytes of the example and gives the refusal.
fn refusal(patches: &[(usize, &[u8])]) -> String {
    let mut bytes = example();
    for (at, patch) in patches {
        bytes[*at..*at + patch.len()].copy_from_slice(patch);
    }
    Frame::parse(
        &bytes,
        &FrameLimits {
            schema_end: SchemaId(66),
            ..FrameLimits::default()
        },
    )
    .map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}

#[test]
fn every_rule_is_checked_and_named() {
    for (patches, expected) in [
        (
            vec![(0, b"X".as_slice())],
            "frame header: magic is 0x58524631, must be 0x57524631",
        ),
        (vec![(4, b"\x08")], "frame header: flags is 0x8, must be within 0x7"),
        (vec![(6, b"\x01")], "frame header: reserved is 0x1, must be 0"),
        (
            vec![(8, b"\x02")],
            "frame header: record_count is 0x2, must be at most 0x1 before the table",
        ),
        (
            vec![(8, b"\x00")],
            "frame header: record_count is 0x0, must be the records up to table_offset, 52 bytes are left over",
        ),
        (
            vec![(12, b"\x1f")],
            "frame header: table_offset is 0x1f, must be from 32 to 0x5f",
        ),
        (
            vec![(12, b"\xff")],
            "frame header: table_offset is 0xff, must be from 32 to 0x5f",
        ),
        (
            vec![(16, b"\xff\xff\xff\xff")],
            "frame header: table_count is 0xffffffff, must be at most 0x2 in 0xb bytes",
        ),
        (
            vec![(16, b"\x01")],
            "string table entry 1: 6 bytes left over after the table",
        ),
        (
            vec![(20, b"\x5e")],
            "frame header: frame_len is 0x5e, must be the frame's length 0x5f",
        ),
        (
            vec![(32, b"\x2f")],
            "record 0: source offset of 2 bytes, 1 left in the record",
        ),
        (vec![(32, b"\x2b")], "record 0: len is 43, must be from 44 to 48"),
        (
            vec![(32, b"\xff\xff\xff\xff")],
            "record 0: len is 4294967295, must be from 44 to 48",
        ),
        (vec![(36, b"\x40")], "record 0: flags is 64, must be within 63"),
        (
            vec![(38, b"\x01")],
            "record 0: header of 12 bytes, 2 left in the record",
        ),
        (vec![(40, b"\x02")], "record 0: topic is 2, must be an index below 2"),
        (vec![(44, b"\xfe")], "record 0: partition is -2, must be at least -1"),
        (
            vec![(48, b"\x01")],
            "record 0: timestamp is 1, must be 0 without HAS_TIMESTAMP",
        ),
        (
            vec![(56, b"\x02")],
            "record 0: source partition is 2, must be an index below 2",
        ),
        (
            vec![(60, b"\x03")],
            "record 0: source offset of 3 bytes, 2 left in the record",
        ),
        (
            vec![(60, b"\x01")],
            "record 0: len is 1, must be 0 bytes left over after the last part",
        ),
        (
            vec![(64, b"\x0a")],
            "record 0: key schema is 10, must be a known schema id",
        ),
        (
            vec![(72, b"\x42")],
            "record 0: value schema is 66, must be a known schema id",
        ),
        (vec![(72, b"\x41")], "accepted"),
        (
            vec![(68, b"\x05\x00\x00\x00")],
            "record 0: key of 5 bytes, 4 left in the record",
        ),
        (vec![(76, b"\x05")], "record 0: value of 5 bytes, 4 left in the record"),
        (
            vec![(36, b"\x20")],
            "record 0: origin of 16 bytes, 0 left in the record",
        ),
        (
            vec![(88, b"\xff")],
            "string table entry 0: not UTF-8: invalid utf-8 sequence of 1 bytes from index 0",
        ),
        (
            vec![(89, b"\x03")],
            "string table entry 1: 3 bytes announced, 2 left in the frame",
        ),
        (vec![(4, b"\x01")], "record 0: partition is -1, must be at least 0"),
    ] {
        assert_eq!(refusal(&patches), expected);
    }
}

#[test]
fn limits_are_named() {
    let bytes = example();
    let limited = |max_bytes, max_records| {
        Frame::parse(
            &bytes,
            &FrameLimits {
                max_bytes,
                max_records,
                ..FrameLimits::default()
            },
        )
        .expect_err("over the limit")
        .to_string()
    };
    assert_eq!(
        limited(94, 1),
        "frame of 95 bytes is over the limit of 94 (weir.plugin.max.frame.bytes)"
    );
    assert_eq!(limited(95, 0), "frame of 1 records is over the limit of 0");
    assert_eq!(
        Frame::parse(&bytes[..31], &FrameLimits::default())
            .expect_err("short")
            .to_string(),
        "frame header: length is 0x1f, must be at least 32"
    );
}

#[test]
fn sink_frames_carry_coordinates_and_origins() {
    let mut writer = FrameWriter::sink(7);
    writer.set_flags(frame_flags::TXN_COMMIT);
    let (topic, old, name) = (writer.intern("new"), writer.intern("old"), writer.intern("h"));
    let headers = [
        HeaderParts {
            name,
            value: Slot::NULL,
        },
        HeaderParts {
            name,
            value: Slot::text("v"),
        },
    ];
    let origin = Some(OriginParts {
        topic: old,
        partition: 3,
        offset: 99,
    });
    writer
        .sink_record(&SinkParts {
            topic,
            partition: 2,
            offset: 5,
            timestamp: Some(-1),
            headers: &headers,
            flags: record_flags::LOG_APPEND_TIME | record_flags::DROPPED,
            origin,
            ..SinkParts::default()
        })
        .expect("fits");
    let bytes = writer.seal().to_vec();
    let frame = Frame::parse(&bytes, &FrameLimits::default()).expect("valid");
    assert_eq!(
        (frame.is_sink(), frame.batch(), frame.flags()),
        (true, 7, frame_flags::SINK | frame_flags::TXN_COMMIT)
    );
    let record = frame.records().next().expect("one record");
    assert_eq!(
        (
            record.topic,
            record.partition,
            record.kafka_offset,
            record.timestamp,
            record.is_dropped()
        ),
        ("new", Some(2), 5, Some(-1), true)
    );
    assert_eq!(
        record.origin,
        Some(Origin {
            topic: "old",
            topic_index: old,
            partition: 3,
            offset: 99
        })
    );
    let headers: Vec<_> = record.headers().map(|header| (header.name, header.slot())).collect();
    assert_eq!(headers, [("h", Slot::NULL), ("h", Slot::text("v"))]);
    assert_eq!((record.source_partition, record.source_offset), (None, None));
}

#[test]
fn strings_are_interned_once() {
    let mut writer = FrameWriter::source();
    let names: Vec<String> = (0..20).map(|number| format!("name{number}")).collect();
    let first: Vec<u32> = names.iter().map(|name| writer.intern(name)).collect();
    let again: Vec<u32> = names.iter().map(|name| writer.intern(name)).collect();
    assert_eq!(first, (0..20).collect::<Vec<u32>>());
    assert_eq!(again, first);
    writer.clear();
    assert_eq!((writer.intern("name7"), writer.len()), (0, 32 + 4 + 5));
}

/// A record as owned parts.
#[derive(Debug, Clone)]
struct Given {
    topic: String,
    partition: Option<i32>,
    timestamp: Option<i64>,
    source_partition: Option<String>,
    source_offset: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    origin: Option<(i32, i64)>,
}

fn given() -> impl Strategy<Value = Given> {
    let bytes = || option::of(vec(any::<u8>(), 0..20));
    let place = (
        "[a-c]{1,2}",
        option::of(0..5i32),
        option::of(any::<i64>()),
        option::of("[a-c]{0,2}"),
        bytes(),
    );
    let content = (
        bytes(),
        bytes(),
        vec(("[a-c]{1,2}", bytes()), 0..4),
        option::of(any::<(i32, i64)>()),
    );
    (place, content).prop_map(
        |((topic, partition, timestamp, source_partition, source_offset), (key, value, headers, origin))| Given {
            topic,
            partition,
            timestamp,
            source_partition,
            source_offset,
            key,
            value,
            headers,
            origin,
        },
    )
}

fn written(records: &[Given]) -> Vec<u8> {
    let mut writer = FrameWriter::source();
    for given in records {
        let topic = writer.intern(&given.topic);
        let source_partition = given.source_partition.as_ref().map(|text| writer.intern(text));
        let headers: Vec<_> = given
            .headers
            .iter()
            .map(|(name, value)| HeaderParts {
                name: writer.intern(name),
                value: Slot::new(SchemaId::BYTES, value.as_deref()),
            })
            .collect();
        let parts = SourceParts {
            topic,
            partition: given.partition,
            timestamp: given.timestamp,
            source_partition,
            source_offset: given.source_offset.as_deref(),
            key: Slot::new(SchemaId::OPTIONAL_BYTES, given.key.as_deref()),
            value: Slot::new(SchemaId(64), given.value.as_deref()),
            headers: &headers,
            flags: 0,
            origin: given.origin.map(|(partition, offset)| OriginParts {
                topic,
                partition,
                offset,
            }),
        };
        writer.source_record(&parts).expect("fits");
    }
    writer.finish()
}

/// Touches everything a reader can reach.
fn walk(bytes: &[u8]) -> usize {
    let Ok(frame) = Frame::parse(bytes, &FrameLimits::default()) else {
        return 0;
    };
    let mut seen = 0;
    for record in frame.records() {
        seen += 1 + record.headers().count() + record.source_partition_text().map_or(0, str::len) + record.topic.len();
    }
    assert_eq!(
        frame.records().count(),
        frame.record_count() as usize,
        "a checked frame gives all its records"
    );
    seen
}

proptest! {
    #[test]
    fn records_come_back(records in vec(given(), 0..12)) {
        let bytes = written(&records);
        let frame = Frame::parse(&bytes, &FrameLimits::default()).expect("own frames are valid");
        prop_assert_eq!(frame.record_count() as usize, records.len());
        for (record, given) in frame.records().zip(&records) {
            prop_assert_eq!(record.topic, given.topic.as_str());
            prop_assert_eq!(record.partition, given.partition);
            prop_assert_eq!(record.timestamp, given.timestamp);
            prop_assert_eq!(record.source_partition_text(), given.source_partition.as_deref());
            prop_assert_eq!(record.source_offset, given.source_offset.as_deref());
            prop_assert_eq!((record.key.bytes, record.value.bytes), (given.key.as_deref(), given.value.as_deref()));
            let headers: Vec<_> = record.headers().map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec))).collect();
            prop_assert_eq!(&headers, &given.headers);
            prop_assert_eq!(record.origin.map(|origin| (origin.partition, origin.offset)), given.origin);
        }
    }

    #[test]
    fn flipped_and_cut_frames_never_panic(records in vec(given(), 1..5), flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in any::<prop::sample::Index>()) {
        let mut bytes = written(&records);
        for (at, mask) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        walk(&bytes);
        walk(&bytes[..cut.index(bytes.len())]);
        // With the length put right the cut is found later.
        let mut cut_bytes = bytes[..cut.index(bytes.len())].to_vec();
        let len = u32::try_from(cut_bytes.len()).expect("small");
        if let Some(field) = cut_bytes.get_mut(20..24) {
            field.copy_from_slice(&len.to_le_bytes());
        }
        walk(&cut_bytes);
    }
}

#[test]
fn every_single_byte_of_the_example_may_be_anything() {
    for at in 0..example().len() {
        for byte in 0..=255 {
            let mut bytes = example();
            bytes[at] = byte;
            walk(&bytes);
        }
    }
}
