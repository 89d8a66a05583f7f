use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::frame::reader::{Frame, FrameLimits};
use weir_api::frame::slot::Slot;
use weir_api::frame::writer::{FrameWriter, HeaderParts, SourceParts};
use weir_config::map::ConfigMap;

use super::{Converters, Outgoing, Span};
use crate::pipeline::stage::Stage;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

fn converters(worker: &[(&str, &str)], connector: &[(&str, &str)]) -> Converters {
    let worker: ConfigMap = worker.iter().copied().collect();
    let connector: ConfigMap = connector.iter().copied().collect();
    Converters::build(&worker, &connector).unwrap()
}

fn worker(value: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("key.converter", STRING),
        ("value.converter", value),
        ("value.converter.schemas.enable", "false"),
        (
            "header.converter",
            "org.apache.kafka.connect.storage.SimpleHeaderConverter",
        ),
    ]
}

/// Two records: (key, value, one header) and (null key, null value).
fn frame() -> Vec<u8> {
    let mut writer = FrameWriter::source();
    let topic = writer.intern("t");
    let name = writer.intern("h");
    let headers = [HeaderParts {
        name,
        value: Slot::text("x"),
    }];
    let full = SourceParts {
        topic,
        key: Slot::text("k"),
        value: Slot::text("héllo"),
        headers: &headers,
        ..SourceParts::default()
    };
    writer.source_record(&full).unwrap();
    writer
        .source_record(&SourceParts {
            topic,
            ..SourceParts::default()
        })
        .unwrap();
    writer.finish()
}

fn convert(converters: &mut Converters, bytes: &[u8]) -> Outgoing {
    let frame = Frame::parse(bytes, &FrameLimits::default()).unwrap();
    let mut schemas = SchemaTable::new();
    let mut out = Outgoing::default();
    for record in frame.records() {
        converters.to_kafka(&mut schemas, bytes, &record, &mut out).unwrap();
    }
    out
}

#[test]
fn text_goes_out_of_the_frame_without_a_copy() {
    let bytes = frame();
    let out = convert(&mut converters(&worker(STRING), &[]), &bytes);
    let [first, second] = out.records() else {
        panic!("two records")
    };
    assert_eq!(out.key(first, &bytes), Some("k".as_bytes()));
    assert_eq!(out.value(first, &bytes), Some("héllo".as_bytes()));
    assert_eq!((out.key(second, &bytes), out.value(second, &bytes)), (None, None));
    let value = out.value(first, &bytes).unwrap();
    assert!(
        bytes.as_ptr_range().contains(&value.as_ptr()),
        "borrowed from the frame"
    );
    let headers: Vec<_> = out.headers(first, &bytes).collect();
    assert_eq!(headers, [(1, Some("x".as_bytes()))]);
    assert_eq!(out.headers(second, &bytes).count(), 0);
}

#[test]
fn a_rewriting_converter_fills_the_arena() {
    let bytes = frame();
    let out = convert(&mut converters(&worker(JSON), &[]), &bytes);
    let [first, second] = out.records() else {
        panic!("two records")
    };
    assert_eq!(out.value(first, &bytes), Some("\"héllo\"".as_bytes()));
    assert_eq!(out.value(second, &bytes), None, "no schema and no value is a tombstone");
}

#[test]
fn options_of_the_worker_do_not_reach_a_converter_of_the_connector() {
    let bytes = frame();
    let out = convert(&mut converters(&worker(JSON), &[("value.converter", JSON)]), &bytes);
    let value = String::from_utf8(out.value(&out.records()[0], &bytes).unwrap().to_vec()).unwrap();
    assert!(value.starts_with("{\"schema\":"), "{value}");
    let out = convert(
        &mut converters(&worker(JSON), &[("value.converter.schemas.enable", "true")]),
        &bytes,
    );
    assert_eq!(out.value(&out.records()[0], &bytes), Some("\"héllo\"".as_bytes()));
}

#[test]
fn a_record_that_cannot_be_converted_leaves_nothing_behind() {
    let mut writer = FrameWriter::source();
    let topic = writer.intern("t");
    let name = writer.intern("h");
    let headers = [HeaderParts {
        name,
        value: Slot::text("x"),
    }];
    // Three bytes are no 32-bit number.
    let broken = Slot::new(SchemaId::INT32, Some(&[1, 2, 3]));
    writer
        .source_record(&SourceParts {
            topic,
            value: broken,
            headers: &headers,
            ..SourceParts::default()
        })
        .unwrap();
    let bytes = writer.finish();
    let frame = Frame::parse(&bytes, &FrameLimits::default()).unwrap();
    let record = frame.records().next().unwrap();
    let mut out = Outgoing::default();
    let mut converters = converters(&worker(JSON), &[]);
    let error = converters
        .to_kafka(&mut SchemaTable::new(), &bytes, &record, &mut out)
        .unwrap_err();
    assert_eq!(error.stage, Stage::ValueConverter);
    assert_eq!(converters.class(error.stage), JSON);
    assert!(out.records().is_empty() && out.is_headerless());
    assert_eq!(out.written(), 0);
}

#[test]
fn records_of_one_topic_come_together_in_their_order() {
    let mut writer = FrameWriter::source();
    let (a, b) = (writer.intern("a"), writer.intern("b"));
    for topic in [a, b, a, b, b, a] {
        writer
            .source_record(&SourceParts {
                topic,
                ..SourceParts::default()
            })
            .unwrap();
    }
    let mut out = convert(&mut converters(&worker(STRING), &[]), &writer.finish());
    out.group_by_topic();
    let order: Vec<u32> = out.records().iter().map(|record| record.index).collect();
    assert_eq!(order, [0, 2, 5, 1, 3, 4]);
}

#[test]
fn an_unknown_converter_is_refused_by_key_and_name() {
    let worker: ConfigMap = [("key.converter", "com.example.Nothing")].into_iter().collect();
    let error = Converters::build(&worker, &ConfigMap::new()).unwrap_err().to_string();
    assert!(
        error.contains("key.converter") && error.contains("com.example.Nothing"),
        "{error}"
    );
}

#[test]
fn a_span_finds_its_bytes_again() {
    let whole = b"abcdef";
    assert_eq!(Span::of(whole, &whole[2..4]).get(whole), b"cd");
    assert_eq!(Span::of(whole, &whole[6..]).get(whole), b"");
}
