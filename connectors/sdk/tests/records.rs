//! Records through the SDK: owned into a frame, frame into borrowed and owned, schemas across the boundary

use std::sync::Arc;

use weir_sdk::api::data::builder::{self, SchemaBuilder};
use weir_sdk::api::data::schema::Schema;
use weir_sdk::api::data::schemas::{SchemaId, SchemaIds};
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::frame::layout::frame_flags;
use weir_sdk::api::frame::reader::{Frame, FrameLimits};
use weir_sdk::api::frame::slot::Slot;
use weir_sdk::api::frame::value::decode_slot;
use weir_sdk::api::frame::writer::{FrameWriter, HeaderParts, OriginParts, SinkParts, SourceParts};
use weir_sdk::api::record::{Header, SourceRecord, TimestampType, TypedValue};
use weir_sdk::batch::{SourceBatch, Transaction};
use weir_sdk::schemas::GuestSchemas;
use weir_sdk::sink::TopicOffset;
use weir_sdk::sink_batch::SinkBatch;
use weir_sdk::source::PollBudget;
use weir_sdk::testing::{TestHost, install, with_host};

const BUDGET: PollBudget = PollBudget {
    max_records: 3,
    max_bytes: 1 << 20,
    max_wait_ms: 500,
};

fn nested() -> Arc<Schema> {
    let inner = SchemaBuilder::structure()
        .name("inner")
        .field("n", builder::optional_int32())
        .build();
    SchemaBuilder::structure()
        .name("outer")
        .version(3)
        .doc("a document")
        .parameter("p", "q")
        .field("inner", inner.expect("a valid schema"))
        .field(
            "list",
            SchemaBuilder::array(builder::text()).build().expect("a valid schema"),
        )
        .field(
            "map",
            SchemaBuilder::map(builder::text(), builder::optional_float64())
                .build()
                .expect("a valid schema"),
        )
        .field(
            "fallback",
            SchemaBuilder::new(builder::int64().base)
                .default_value(7i64)
                .build()
                .expect("a valid schema"),
        )
        .build()
        .expect("a valid schema")
}

fn nested_value(schema: &Arc<Schema>) -> Value {
    let inner_schema = Arc::clone(&schema.field("inner").expect("a field").1.schema);
    let mut inner = StructValue::new(inner_schema);
    inner.put("n", 5).expect("a field");
    let mut outer = StructValue::new(Arc::clone(schema));
    outer.put("inner", Value::Struct(inner)).expect("a field");
    outer
        .put("list", Value::Array(vec![Value::from("a"), Value::from("b")]))
        .expect("a field");
    outer
        .put("map", Value::Map(vec![(Value::from("k"), Value::Null)]))
        .expect("a field");
    outer.put("fallback", 9i64).expect("a field");
    Value::Struct(outer)
}

#[test]
fn an_owned_record_arrives_as_it_was() {
    install(TestHost::default());
    let schema = nested();
    let value = nested_value(&schema);
    let record = SourceRecord {
        source_partition: Some("{\"p\":1}".to_owned()),
        source_offset: Some("{\"o\":2}".to_owned()),
        topic: "t".to_owned(),
        partition: Some(4),
        key: TypedValue::text("key"),
        value: TypedValue::new(Arc::clone(&schema), value.clone()),
        timestamp: Some(17),
        headers: vec![
            Header {
                name: "h".to_owned(),
                value: TypedValue::schemaless(Value::from("x")),
            },
            Header {
                name: "h".to_owned(),
                value: TypedValue::null(),
            },
        ],
    };
    let mut schemas = GuestSchemas::default();
    let mut batch = SourceBatch::new(BUDGET, &mut schemas);
    batch.push(&record).expect("fits");
    batch
        .push(&SourceRecord {
            topic: "t".to_owned(),
            ..SourceRecord::default()
        })
        .expect("fits");
    let bytes = batch.finish();

    let frame = Frame::parse(&bytes, &FrameLimits::default()).expect("a valid frame");
    let views: Vec<_> = frame.records().collect();
    let (full, empty) = (&views[0], &views[1]);
    assert_eq!((full.topic, full.partition, full.timestamp), ("t", Some(4), Some(17)));
    assert_eq!(full.source_partition_text(), Some("{\"p\":1}"));
    assert_eq!(full.source_offset, Some("{\"o\":2}".as_bytes()));
    assert_eq!(full.key, Slot::text("key"));
    let headers: Vec<_> = full
        .headers()
        .map(|header| (header.name, header.value.is_some()))
        .collect();
    assert_eq!(headers, [("h", true), ("h", false)]);
    let decoded = with_host(|host| decode_slot(full.value.schema, full.value.bytes, &host.schemas));
    assert_eq!(decoded.expect("decodes"), value);
    let declared = with_host(|host| host.schemas.get(full.value.schema).cloned());
    assert_eq!(declared, Some(schema), "the flat form keeps every attribute");
    assert_eq!((empty.source_partition, empty.source_offset), (None, None));
    assert_eq!((empty.key, empty.value), (Slot::NULL, Slot::NULL));
}

#[test]
fn a_schema_is_declared_once() {
    install(TestHost::default());
    let mut schemas = GuestSchemas::default();
    let (first, equal) = (nested(), nested());
    let id = schemas.id_of(&first).expect("declared");
    assert_eq!(schemas.id_of(&first).expect("known"), id);
    assert_eq!(schemas.id_of(&equal).expect("known"), id);
    assert_eq!(with_host(|host| host.schemas.len()), 1);
    assert_eq!(
        schemas.id_of(&builder::optional_text()).expect("bare"),
        SchemaId::OPTIONAL_TEXT
    );
    assert_eq!(with_host(|host| host.schemas.len()), 1, "bare types are not declared");
}

#[test]
fn a_value_that_does_not_fit_is_a_data_error() {
    install(TestHost::default());
    let mut schemas = GuestSchemas::default();
    let mut batch = SourceBatch::new(BUDGET, &mut schemas);
    let wrong = TypedValue::new(builder::int32(), Value::from("text"));
    let record = SourceRecord {
        topic: "t".to_owned(),
        value: wrong,
        ..SourceRecord::default()
    };
    let error = batch.push(&record).expect_err("text is no int");
    assert_eq!(error.class_name(), "org.apache.kafka.connect.errors.DataException");
    assert!(batch.is_empty());
}

#[test]
fn the_budget_counts_records_and_bytes() {
    let mut schemas = GuestSchemas::default();
    let mut batch = SourceBatch::new(BUDGET, &mut schemas);
    let topic = batch.intern("t");
    let append = |batch: &mut SourceBatch<'_>, size: usize| {
        let value = vec![b'x'; size];
        batch
            .append(&SourceParts {
                topic,
                value: Slot::bytes(&value),
                ..SourceParts::default()
            })
            .expect("small");
    };
    append(&mut batch, 1);
    append(&mut batch, 1);
    assert!(!batch.is_full());
    append(&mut batch, 1);
    assert!(batch.is_full(), "three records");

    let mut other_schemas = GuestSchemas::default();
    let mut batch = SourceBatch::new(BUDGET, &mut other_schemas);
    batch.intern("t");
    append(&mut batch, 1 << 20);
    assert!(batch.is_full(), "a mebibyte");
    batch.end_transaction(Transaction::Commit);
    let bytes = batch.finish();
    let frame = Frame::parse(&bytes, &FrameLimits::default()).expect("a valid frame");
    assert_eq!(frame.flags(), frame_flags::TXN_COMMIT);
}

#[test]
fn a_sink_batch_is_read_borrowed_and_owned() {
    install(TestHost::default());
    let schema = nested();
    let value = nested_value(&schema);
    let id = with_host(|host| host.schemas.declare(Arc::clone(&schema))).expect("declared");
    let mut encoded = Vec::new();
    let fits =
        weir_sdk::api::frame::value::encode_slot(Some(&schema), &value, &mut GuestSchemas::default(), &mut encoded);
    assert!(fits.expect("encodes"));
    let mut writer = FrameWriter::sink(1);
    let (topic, original, name) = (writer.intern("t"), writer.intern("was"), writer.intern("h"));
    let headers = [HeaderParts {
        name,
        value: Slot::text("v"),
    }];
    let origin = Some(OriginParts {
        topic: original,
        partition: 2,
        offset: 8,
    });
    let full = SinkParts {
        topic,
        partition: 1,
        offset: 9,
        timestamp: Some(5),
        key: Slot::bytes(b"\xff"),
        value: Slot::new(id, Some(&encoded)),
        headers: &headers,
        origin,
        ..SinkParts::default()
    };
    writer.sink_record(&full).expect("small");
    writer
        .sink_record(&SinkParts {
            topic,
            offset: 10,
            ..SinkParts::default()
        })
        .expect("small");
    let bytes = writer.finish();

    let schemas = GuestSchemas::default();
    let batch = SinkBatch::parse(&bytes, &schemas).expect("a valid frame");
    let records: Vec<_> = batch.records().collect();
    let (first, second) = (records[0], records[1]);
    assert_eq!((first.topic(), first.partition(), first.offset()), ("t", 1, 9));
    assert_eq!(
        (first.timestamp(), first.timestamp_type()),
        (Some(5), TimestampType::CreateTime)
    );
    assert_eq!(
        first.origin(),
        TopicOffset {
            topic: "was".to_owned(),
            partition: 2,
            offset: 8
        }
    );
    assert_eq!(
        second.origin(),
        TopicOffset {
            topic: "t".to_owned(),
            partition: 0,
            offset: 10
        }
    );
    assert_eq!((first.key().bytes(), first.key().text()), (Some(&b"\xff"[..]), None));
    assert_eq!(
        first
            .headers()
            .map(|(name, value)| (name, value.text()))
            .collect::<Vec<_>>(),
        [("h", Some("v"))]
    );
    assert!(second.value().is_null() && second.value().schema().is_none());
    let owned = batch.to_records().expect("decodes");
    assert_eq!(owned[0].value, TypedValue::new(schema, value));
    assert_eq!(owned[1].value, TypedValue::null());
}

#[test]
fn a_schema_the_host_does_not_know_is_a_data_error() {
    install(TestHost::default());
    let mut writer = FrameWriter::sink(1);
    let topic = writer.intern("t");
    let value = Slot::new(SchemaId(99), Some(b"x"));
    writer
        .sink_record(&SinkParts {
            topic,
            value,
            ..SinkParts::default()
        })
        .expect("small");
    let bytes = writer.finish();
    let schemas = GuestSchemas::default();
    let batch = SinkBatch::parse(&bytes, &schemas).expect("a valid frame");
    let error = batch.to_records().expect_err("99 was never declared");
    assert!(error.message.contains("99"), "{}", error.message);
}
