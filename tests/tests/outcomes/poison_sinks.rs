//! Records that a sink cannot handle, at each stage, with and without tolerance and dead letter queue
//!
//! Stages, classes and messages are what Apache's dead letters say of the same records. Each stage with a queue is in
//! `runtime/worker/tests/errors.rs`; records that a task itself finds bad, and those that `put` fails on, in `tests/tests/errant.rs`.

use serde_json::{Value, json};
use weir_tests::kafka::{Given, read_contents, store};
use weir_tests::process::{PATIENCE, await_true};

use crate::{JSON, STRING, Worker, exceptions, with};

const DATA_EXCEPTION: &str = "org.apache.kafka.connect.errors.DataException";
const NO_JSON: &str = "Converting byte[] to Kafka Connect data failed due to serialization error: ";

/// One way to fail on the first record of `poison`, or on both.
struct Case {
    name: &'static str,
    settings: Value,
    stage: &'static str,
    class: String,
    message: &'static str,
    /// What still arrives.
    arrives: &'static str,
}

fn converter(what: &'static str, stage: &'static str) -> Case {
    Case {
        name: what,
        settings: json!({format!("{what}.converter"): JSON, format!("{what}.converter.schemas.enable"): "false"}),
        stage,
        class: JSON.to_owned(),
        message: NO_JSON,
        arrives: "1\n",
    }
}

fn transform(name: &'static str, class: &str, options: &Value, message: &'static str, arrives: &'static str) -> Case {
    let class = format!("org.apache.kafka.connect.transforms.{class}");
    let mut settings = json!({"transforms": "t", "transforms.t.type": class});
    for (key, value) in options.as_object().into_iter().flatten() {
        settings[format!("transforms.t.{key}")] = value.clone();
    }
    Case {
        name,
        settings,
        stage: "TRANSFORMATION",
        class,
        message,
        arrives,
    }
}

fn cases() -> Vec<Case> {
    let no_struct = |name, class, options, message| transform(name, class, options, message, "");
    vec![
        converter("key", "KEY_CONVERTER"),
        converter("value", "VALUE_CONVERTER"),
        converter("header", "HEADER_CONVERTER"),
        // The first stage that fails is the one that is told.
        Case {
            name: "all",
            settings: json!({"key.converter": JSON, "key.converter.schemas.enable": "false", "value.converter": JSON,
                "value.converter.schemas.enable": "false", "header.converter": JSON, "header.converter.schemas.enable": "false"}),
            ..converter("key", "KEY_CONVERTER")
        },
        transform(
            "cast",
            "Cast$Value",
            &json!({"spec": "int32"}),
            "Value ({bad) was out of range for requested data type",
            "1\n",
        ),
        transform(
            "time",
            "TimestampConverter$Value",
            &json!({"target.type": "Timestamp", "format": "yyyy"}),
            "Could not parse timestamp: value ({bad) does not match pattern (yyyy)",
            "Sat Jan 01 00:00:00 UTC 1\n",
        ),
        no_struct(
            "extract",
            "ExtractField$Value",
            &json!({"field": "f"}),
            "Only Struct objects supported for [field extraction], found: java.lang.String",
        ),
        no_struct(
            "flatten",
            "Flatten$Value",
            &json!({}),
            "Only Struct objects supported for [flattening], found: java.lang.String",
        ),
        no_struct(
            "header-from",
            "HeaderFrom$Value",
            &json!({"fields": "f", "headers": "g", "operation": "copy"}),
            "Only Struct objects supported for [header copy], found: java.lang.String",
        ),
        no_struct(
            "insert",
            "InsertField$Value",
            &json!({"static.field": "f", "static.value": "v"}),
            "Only Struct objects supported for [field insertion], found: java.lang.String",
        ),
        no_struct(
            "mask",
            "MaskField$Value",
            &json!({"fields": "f"}),
            "Only Struct objects supported for [mask fields], found: java.lang.String",
        ),
        no_struct(
            "replace",
            "ReplaceField$Value",
            &json!({"exclude": "f"}),
            "Only Struct objects supported for [field replacement], found: java.lang.String",
        ),
        no_struct(
            "schema",
            "SetSchemaMetadata$Value",
            &json!({"schema.name": "f"}),
            "Cannot list fields on non-struct type",
        ),
        no_struct(
            "value-to-key",
            "ValueToKey",
            &json!({"fields": "f"}),
            "Only Struct objects supported for [copying fields from value to key], found: java.lang.String",
        ),
    ]
}

fn sink(worker: &Worker, name: &str, tolerance: &str, more: &Value) -> String {
    let file = worker.path(&format!("{name}.out"));
    let config = json!({
        "connector.class": "FileStreamSink", "topics": "poison", "file": file, "errors.tolerance": tolerance,
        "errors.log.enable": "true", "errors.log.include.messages": "true",
    });
    worker.put(name, &with(config, more));
    file
}

fn queue(name: &str) -> Value {
    json!({"errors.deadletterqueue.topic.name": format!("dlq-{name}"), "errors.deadletterqueue.topic.replication.factor": "1",
        "errors.deadletterqueue.context.headers.enable": "true"})
}

fn worker() -> Worker {
    let worker = Worker::up("");
    let record = |text: &'static str, headers: &'static [(&'static str, Option<&'static str>)]| Given {
        key: Some(text),
        value: Some(text),
        headers,
    };
    let records = [record("{bad", &[("h", Some("{bad"))]), record("1", &[("h", Some("1"))])];
    store(&worker.kafka, "poison", &records).expect("stored");
    worker
}

/// Checks the letters of a case: the record as it was, then the context in Apache's order.
fn check_letters(worker: &Worker, case: &Case, connector: &str, count: usize) {
    let letters = read_contents(&worker.kafka, &format!("dlq-{connector}")).expect("letters");
    assert_eq!(letters.len(), count, "{connector}: {letters:?}");
    let letter = &letters[0];
    assert_eq!(
        (letter.key.as_deref(), letter.value.as_deref()),
        (Some(&b"{bad"[..]), Some(&b"{bad"[..])),
        "{connector}"
    );
    let headers: Vec<(&str, String)> = letter
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value).into_owned()))
        .collect();
    let told: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .take(10)
        .collect();
    let expected = [
        ("h", "{bad"),
        ("__connect.errors.topic", "poison"),
        ("__connect.errors.partition", "0"),
        ("__connect.errors.offset", "0"),
        ("__connect.errors.connector.name", connector),
        ("__connect.errors.task.id", "0"),
        ("__connect.errors.stage", case.stage),
        ("__connect.errors.class.name", case.class.as_str()),
        ("__connect.errors.exception.class.name", DATA_EXCEPTION),
        ("__connect.errors.exception.message", case.message),
    ];
    assert_eq!(told, expected, "{connector}");
    let (name, trace) = &headers[10];
    assert_eq!(*name, "__connect.errors.exception.stacktrace");
    assert!(
        trace.starts_with(&format!("{DATA_EXCEPTION}: {}", case.message)),
        "{connector}: {trace}"
    );
}

#[test]
fn what_each_transformation_fails_on_becomes_a_letter() {
    let worker = worker();
    let cases: Vec<Case> = cases()
        .into_iter()
        .filter(|case| !["key", "value", "header"].contains(&case.name))
        .collect();
    let files: Vec<String> = cases
        .iter()
        .map(|case| {
            sink(
                &worker,
                case.name,
                "all",
                &with(case.settings.clone(), &queue(case.name)),
            )
        })
        .collect();
    for (case, file) in cases.iter().zip(&files) {
        let count = if case.arrives.is_empty() { 2 } else { 1 };
        worker.await_end(&format!("dlq-{}", case.name), count);
        check_letters(&worker, case, case.name, count as usize);
        await_true("what is good arrives", PATIENCE, || {
            std::fs::read_to_string(file).is_ok_and(|text| text == case.arrives)
        })
        .unwrap_or_else(|error| panic!("{}: {error:#}\n{}", case.name, worker.weir.log_text()));
        worker.rest.await_state(case.name, "RUNNING", 1).expect(case.name);
        let line = format!(
            "Error encountered in task {}-0. Executing stage '{}' with class '{}', where consumed record is {{topic='poison', \
             partition=0, offset=0, timestamp=",
            case.name, case.stage, case.class
        );
        assert!(
            worker.weir.log_text().contains(&line),
            "{line}\n{}",
            worker.weir.log_text()
        );
    }
}

#[test]
fn without_tolerance_and_queue_the_task_fails_with_the_cause() {
    let worker = worker();
    let chosen = ["key", "value", "header", "cast", "extract"];
    let cases: Vec<Case> = cases().into_iter().filter(|case| chosen.contains(&case.name)).collect();
    for case in &cases {
        sink(&worker, case.name, "none", &case.settings);
    }
    for case in &cases {
        let trace = worker.rest.await_failed(case.name, 0).expect("it fails");
        let lines = exceptions(&trace);
        assert_eq!(
            lines.get(..2).unwrap_or_default(),
            [
                "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler".to_owned(),
                format!("Caused by: {DATA_EXCEPTION}: {}", case.message),
            ],
            "{}: {trace}",
            case.name
        );
    }
}

#[test]
fn without_a_queue_a_tolerated_record_is_logged_and_counted() {
    let worker = worker();
    let file = sink(
        &worker,
        "plain",
        "all",
        &json!({"value.converter": JSON, "value.converter.schemas.enable": "false"}),
    );
    await_true("what is good arrives", PATIENCE, || {
        std::fs::read_to_string(&file).is_ok_and(|text| text == "1\n")
    })
    .expect("it arrives");
    let status = worker.rest.await_state("plain", "RUNNING", 1).expect("it runs");
    let figures = &status["weir"]["tasks"][0];
    assert_eq!(
        (&figures["records_skipped"], &figures["dead_letters"]),
        (&json!(1), &json!(0)),
        "{status}"
    );
    worker
        .weir
        .await_log("Executing stage 'VALUE_CONVERTER' with class")
        .expect("logged");
}

#[test]
fn a_predicate_keeps_the_record_from_the_transformation_that_fails_on_it() {
    let worker = worker();
    let predicate = |negate: &str| {
        json!({"transforms": "t", "transforms.t.type": "org.apache.kafka.connect.transforms.Cast$Value",
            "transforms.t.spec": "int32", "transforms.t.predicate": "p", "transforms.t.negate": negate, "predicates": "p",
            "predicates.p.type": "org.apache.kafka.connect.transforms.predicates.HasHeaderKey", "predicates.p.name": "other"})
    };
    let spared = sink(&worker, "spared", "none", &predicate("false"));
    await_true("both arrive", PATIENCE, || {
        std::fs::read_to_string(&spared).is_ok_and(|text| text == "{bad\n1\n")
    })
    .unwrap_or_else(|error| panic!("{error:#}: {}", worker.rest.status("spared")));
    sink(&worker, "hit", "none", &predicate("true"));
    let trace = worker.rest.await_failed("hit", 0).expect("it fails");
    assert!(
        trace.contains("Caused by: org.apache.kafka.connect.errors.DataException: Value ({bad) was out of range"),
        "{trace}"
    );
}

#[test]
fn a_queue_that_cannot_be_created_fails_the_task_before_it_reads() {
    let worker = worker();
    let file = sink(
        &worker,
        "nowhere",
        "all",
        &json!({"errors.deadletterqueue.topic.name": "dlq-nowhere", "errors.deadletterqueue.topic.replication.factor": "3",
            "value.converter": STRING}),
    );
    let trace = worker.rest.await_failed("nowhere", 0).expect("it fails");
    let lines = exceptions(&trace);
    assert_eq!(
        lines.first().copied(),
        Some(
            "org.apache.kafka.connect.errors.ConnectException: Could not initialize dead letter queue with topic=dlq-nowhere"
        ),
        "{trace}"
    );
    assert!(
        lines
            .get(1)
            .is_some_and(|line| line
                .starts_with("Caused by: org.apache.kafka.common.errors.InvalidReplicationFactorException: ")),
        "{trace}"
    );
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written.is_empty(), "{written}");
}
