//! The sink against services on a virtual clock: batches, templates, retries, refused records, commits

mod support;

use std::sync::{Arc, Mutex};

use serde_json::json;
use support::START;
use weir_fakes::recorded::{Log, Recorded, Scripted};
use weir_fakes::service::{FakeRequest, FakeResponse, Service};
use weir_feed::testing::{self, install_service};
use weir_http::sink::{HttpSinkConnector, HttpSinkTask};
use weir_sdk::api::data::builder::{self, SchemaBuilder};
use weir_sdk::api::data::logical;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::error::{ConnectError, ErrorKind};
use weir_sdk::api::frame::writer::{FrameWriter, SinkParts};
use weir_sdk::api::record::TypedValue;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::SinkTaskContext;
use weir_sdk::schemas::GuestSchemas;
use weir_sdk::sink::{SinkConnector, SinkTask, TopicOffset, TopicPartition};
use weir_sdk::sink_batch::SinkBatch;
use weir_sdk::testing::with_host;

struct Sink {
    task: HttpSinkTask,
    log: Log,
}

impl Sink {
    fn new(settings: &[(&str, &str)], service: impl Service + 'static) -> Self {
        let mut config = ConfigMap::new();
        config.insert("http.url", "http://sink.test/items");
        for (key, value) in settings {
            config.insert(*key, *value);
        }
        let (service, log) = Recorded::new(service);
        install_service(&config, START, weir_feed::fake_service!(service));
        let mut task = HttpSinkTask::default();
        task.start(SinkTaskContext::default(), &config)
            .expect("the settings are right");
        Self { task, log }
    }

    fn put(&mut self, records: &[(i64, Option<&str>)]) -> Result<(), ConnectError> {
        let schemas = GuestSchemas::default();
        let frame = frame(records);
        self.task.put(&SinkBatch::parse(&frame, &schemas).expect("a frame"))
    }

    fn put_to_the_end(&mut self, records: &[(i64, Option<&str>)]) -> Result<(), ConnectError> {
        for _ in 0..100 {
            match self.put(records) {
                Err(error) if error.kind == ErrorKind::Retriable => {
                    let wait_ms = i64::from(error.retry_after_ms.unwrap_or(0));
                    with_host(|host| host.clock_ms = host.clock_ms.map(|now| now + wait_ms));
                }
                other => return other,
            }
        }
        panic!("the put never ends");
    }

    fn commit(&mut self, offset: i64) -> Vec<i64> {
        let committed = self.task.pre_commit(&[at(offset)]).expect("no error");
        committed.into_iter().map(|offset| offset.offset).collect()
    }

    fn bodies(&self) -> Vec<String> {
        let bodies = self.log.all().into_iter().map(|arrival| arrival.request.body);
        bodies.map(|body| String::from_utf8(body).expect("text")).collect()
    }
}

fn at(offset: i64) -> TopicOffset {
    TopicOffset {
        topic: "orders".to_owned(),
        partition: 0,
        offset,
    }
}

fn frame(records: &[(i64, Option<&str>)]) -> Vec<u8> {
    use weir_sdk::api::data::schemas::SchemaId;
    use weir_sdk::api::frame::slot::Slot;
    let mut writer = FrameWriter::sink(1);
    let topic = writer.intern("orders");
    for (offset, value) in records {
        let key = format!("k{offset}");
        let record = SinkParts {
            topic,
            partition: 0,
            offset: *offset,
            timestamp: Some(START),
            key: Slot::new(SchemaId::TEXT, Some(key.as_bytes())),
            value: Slot::new(SchemaId::OPTIONAL_TEXT, value.map(str::as_bytes)),
            ..SinkParts::default()
        };
        writer.sink_record(&record).expect("fits");
    }
    writer.finish()
}

fn taken() -> Scripted<impl FnMut(&FakeRequest, i64) -> FakeResponse + Send> {
    Scripted(|_: &FakeRequest, _: i64| FakeResponse::text(200, ""))
}

const THREE: [(i64, Option<&str>); 3] = [(5, Some(r#"{"id":1}"#)), (6, Some(r#"{"id":2}"#)), (7, Some("plain"))];

#[test]
fn records_go_alone_or_in_batches() {
    for (settings, bodies) in [
        (&[][..], vec![r#"{"id":1}"#, r#"{"id":2}"#, r#""plain""#]),
        (
            &[("http.batch.max.records", "10")],
            vec![r#"[{"id":1},{"id":2},"plain"]"#],
        ),
        (
            &[("http.batch.max.records", "2")],
            vec![r#"[{"id":1},{"id":2}]"#, r#"["plain"]"#],
        ),
        (
            &[("http.batch.max.records", "10"), ("http.batch.format", "json_lines")],
            vec!["{\"id\":1}\n{\"id\":2}\n\"plain\"\n"],
        ),
        (
            &[("http.batch.max.records", "10"), ("http.batch.format", "text")],
            vec!["{\"id\":1}\n{\"id\":2}\nplain\n"],
        ),
        (
            &[("http.batch.max.records", "10"), ("http.batch.max.bytes", "16")],
            vec![r#"[{"id":1},{"id":2}]"#, r#"["plain"]"#],
        ),
    ] {
        let mut sink = Sink::new(settings, taken());
        assert_eq!(sink.put(&THREE), Ok(()));
        assert_eq!(sink.bodies(), bodies, "{settings:?}");
        assert_eq!(sink.commit(8), [8]);
    }
}

#[test]
fn templates_hold_parts_of_the_record() {
    let settings = [
        ("http.url", "http://sink.test/${topic}/${key}?n=${value.id}"),
        ("http.method", "PUT"),
        ("http.headers", "X-Place: ${partition}/${offset}"),
        (
            "http.body.template",
            r#"{"id":${value.id},"name":"<${value.name}>","all":${value},"at":${timestamp},"none":${value.gone}}"#,
        ),
        ("http.batch.max.records", "10"),
    ];
    let mut sink = Sink::new(&settings, taken());
    assert_eq!(
        sink.put(&[(5, Some(r#"{"id":7,"name":"a \"b\""}"#)), (6, Some(r#"{"id":8}"#))]),
        Ok(())
    );
    let asked = sink.log.all();
    let first = asked.first().map(|arrival| arrival.request.clone()).expect("asked");
    assert_eq!(
        (first.method.as_str(), first.path.as_str(), first.query.as_str()),
        ("PUT", "/orders/k5", "n=7")
    );
    assert_eq!(first.header("x-place"), Some("0/5"));
    assert_eq!(
        sink.bodies().first().map(String::as_str),
        Some(
            format!(r#"[{{"id":7,"name":"<a \"b\">","all":{{"id":7,"name":"a \"b\""}},"at":{START},"none":null}}]"#)
                .as_str()
        )
    );
    // Records with URLs of their own cannot share a request.
    assert_eq!(asked.len(), 2);
}

#[test]
fn structs_are_sent_as_json() {
    let schema = SchemaBuilder::structure()
        .field("id", builder::int64())
        .field("at", logical::timestamp())
        .field("tags", SchemaBuilder::array(builder::text()).build().expect("a schema"))
        .build()
        .expect("a schema");
    let mut row = StructValue::new(Arc::clone(&schema));
    row.put("id", 1i64)
        .and_then(|row| row.put("at", START))
        .expect("fields");
    row.put("tags", Value::Array(vec![Value::from("a")])).expect("a field");
    let mut sink = Sink::new(&[], taken());
    let mut schemas = GuestSchemas::default();
    let frame = struct_frame(&TypedValue::new(schema, Value::Struct(row)), &mut schemas);
    sink.task
        .put(&SinkBatch::parse(&frame, &schemas).expect("a frame"))
        .expect("taken");
    assert_eq!(sink.bodies(), [r#"{"id":1,"at":"2026-11-20T10:00:00Z","tags":["a"]}"#]);
}

fn struct_frame(value: &TypedValue, schemas: &mut GuestSchemas) -> Vec<u8> {
    use weir_sdk::api::data::schemas::{SchemaId, SchemaIds};
    use weir_sdk::api::frame::slot::Slot;
    use weir_sdk::api::frame::value::encode_slot;
    let schema = value.schema.as_ref().expect("a schema");
    let id: SchemaId = schemas.id_of(schema).expect("declared");
    let mut bytes = Vec::new();
    encode_slot(Some(schema), &value.value, schemas, &mut bytes).expect("fits");
    let mut writer = FrameWriter::sink(1);
    let topic = writer.intern("orders");
    let record = SinkParts {
        topic,
        partition: 0,
        value: Slot::new(id, Some(&bytes)),
        ..SinkParts::default()
    };
    writer.sink_record(&record).expect("fits");
    writer.finish()
}

#[test]
fn a_put_goes_on_after_what_was_taken() {
    let mut calls = 0;
    let service = Scripted(move |_: &FakeRequest, _: i64| {
        calls += 1;
        match calls {
            2 => FakeResponse::text(503, "busy"),
            4 => FakeResponse::text(429, "").header("retry-after", "120"),
            _ => FakeResponse::text(200, ""),
        }
    });
    let mut sink = Sink::new(&[], service);
    let error = sink.put(&THREE).expect_err("busy");
    assert_eq!(error.kind, ErrorKind::Retriable);
    assert!(error.message.contains("503"), "{error}");
    assert_eq!(sink.commit(8), [6]);
    assert_eq!(sink.put_to_the_end(&THREE), Ok(()));
    assert_eq!(sink.bodies().len(), 5);
    assert_eq!(sink.bodies().iter().filter(|body| body.contains("\"id\":1")).count(), 1);
    assert!(testing::now_ms() >= START + 120_000);
    assert_eq!(sink.commit(8), [8]);
}

#[test]
fn nothing_is_committed_before_it_was_taken() {
    let mut sink = Sink::new(
        &[("retry.max.attempts", "3")],
        Scripted(|_: &FakeRequest, _: i64| FakeResponse::text(500, "")),
    );
    assert!(sink.put(&THREE).is_err());
    assert_eq!(sink.commit(8), Vec::<i64>::new());
    let error = sink.put_to_the_end(&THREE).expect_err("the attempts are used up");
    assert!(
        error.kind == ErrorKind::Fatal && error.message.contains("failed 3 times"),
        "{error}"
    );
    // Partitions that come anew begin where the consumer stands.
    let partition = TopicPartition {
        topic: "orders".to_owned(),
        partition: 0,
    };
    sink.task.open(&[partition]).expect("opened");
    assert_eq!(sink.commit(5), [5]);
}

#[test]
fn refused_records_are_found_and_reported() {
    let service = || {
        Scripted(|request: &FakeRequest, _: i64| {
            let status = if String::from_utf8_lossy(&request.body).contains("bad") {
                422
            } else {
                200
            };
            FakeResponse::text(status, "no such thing")
        })
    };
    let records: Vec<(i64, Option<&str>)> = (0..8)
        .map(|offset| (offset, Some(if offset == 5 { "bad" } else { "good" })))
        .collect();
    let batch = ("http.batch.max.records", "8");
    let mut sink = Sink::new(&[batch], service());
    assert_eq!(sink.put(&records), Ok(()));
    assert_eq!(with_host(|host| host.reported.clone()), [at(5)]);
    assert_eq!(sink.commit(8), [8]);
    let good: usize = sink
        .log
        .all()
        .iter()
        .filter(|arrival| arrival.status == 200)
        .map(|arrival| String::from_utf8_lossy(&arrival.request.body).matches("good").count())
        .sum();
    assert_eq!(good, 7);
    let mut sink = Sink::new(&[batch, ("http.on.refused", "fail")], service());
    let error = sink.put(&records).expect_err("refused");
    assert!(
        error.message.contains("orders-0 offset 5") && error.message.contains("answered 422"),
        "{error}"
    );
    assert_eq!(
        Sink::new(&[batch, ("http.on.refused", "ignore")], service()).put(&records),
        Ok(())
    );
}

#[test]
fn refused_credentials_fail_the_task_not_the_records() {
    for status in [401, 403, 405, 302] {
        let mut sink = Sink::new(
            &[("http.auth.type", "bearer"), ("http.auth.token", "MARKER")],
            Scripted(move |request: &FakeRequest, _: i64| {
                FakeResponse::text(status, &format!("{:?}", request.headers))
            }),
        );
        let error = sink.put(&THREE).expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Fatal, "{status}");
        assert!(
            error.message.contains(&format!("answered {status}")) && !error.message.contains("MARKER"),
            "{error}"
        );
        assert_eq!(with_host(|host| host.reported.len()), 0);
        assert!(!testing::outputs(&[]).contains("MARKER"));
    }
}

#[test]
fn records_without_value_are_left_out_deleted_or_refused() {
    let records = [(1, Some("{}")), (2, None)];
    let run = |action: &str, status: u16| {
        let settings = [
            ("http.url", "http://sink.test/items/${key}"),
            ("http.method", "PUT"),
            ("http.tombstones", action),
        ];
        let mut sink = Sink::new(
            &settings,
            Scripted(move |request: &FakeRequest, _: i64| {
                FakeResponse::text(if request.method == "DELETE" { status } else { 200 }, "")
            }),
        );
        let result = sink.put(&records);
        let asked: Vec<String> = sink
            .log
            .all()
            .into_iter()
            .map(|arrival| format!("{} {}", arrival.request.method, arrival.request.path))
            .collect();
        (result, asked)
    };
    assert_eq!(run("skip", 200), (Ok(()), vec!["PUT /items/k1".to_owned()]));
    for status in [204, 404] {
        assert_eq!(
            run("delete", status),
            (Ok(()), vec!["PUT /items/k1".to_owned(), "DELETE /items/k2".to_owned()])
        );
    }
    assert_eq!(run("send", 200).1.last().map(String::as_str), Some("PUT /items/k2"));
    assert_eq!(run("fail", 200), (Ok(()), vec!["PUT /items/k1".to_owned()]));
    assert_eq!(with_host(|host| host.reported.clone()), [at(2)]);
}

#[test]
fn tokens_are_used_by_the_sink_too() {
    let issued = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&issued);
    let service = Scripted(move |request: &FakeRequest, _: i64| {
        let mut issued = counter.lock().expect("not poisoned");
        if request.path == "/token" {
            *issued += 1;
            return FakeResponse::json(
                200,
                &json!({"access_token": format!("MARKER-{issued}"), "expires_in": 3600}),
            );
        }
        let fine = request.header("authorization") == Some("Bearer MARKER-2");
        FakeResponse::text(if fine { 200 } else { 401 }, "")
    });
    let settings = [
        ("http.auth.type", "oauth2_client_credentials"),
        ("http.auth.oauth2.token.url", "http://sink.test/token"),
        ("http.auth.oauth2.client.id", "me"),
        ("http.auth.oauth2.client.secret", "MARKER-secret"),
    ];
    let mut sink = Sink::new(&settings, service);
    assert_eq!(sink.put_to_the_end(&THREE), Ok(()));
    assert_eq!(*issued.lock().expect("not poisoned"), 2);
    assert!(!testing::outputs(&[]).contains("MARKER"));
}

#[test]
fn wrong_settings_are_named() {
    for (settings, key, part) in [
        (&[("http.url", "http://sink.test/${id}")], "http.url", "${value.FIELD}"),
        (&[("http.headers", "nonsense")], "http.headers", "NAME: VALUE"),
        (&[("http.auth.type", "basic")], "http.auth.user", "Missing required"),
        (&[("http.body.template", "${value")], "http.body.template", "not closed"),
    ] {
        let mut config: ConfigMap = [("http.url", "http://sink.test/items")].into_iter().collect();
        for (key, value) in settings {
            config.insert(*key, *value);
        }
        let infos = HttpSinkConnector::default().validate(&config).expect("validated");
        let errors: Vec<&String> = infos
            .iter()
            .filter(|info| info.name == key)
            .flat_map(|info| &info.errors)
            .collect();
        assert!(
            errors.iter().any(|error| error.contains(part)),
            "{settings:?}: {infos:?}"
        );
    }
}
