//! Records of a source that cannot be transformed, converted or stored
//!
//! The traces are Apache's for the same file; where it names a size that librdkafka does not tell, ours names the settings.

use serde_json::{Value, json};
use weir_tests::kafka::read_all;
use weir_tests::process::{PATIENCE, await_true};

use crate::{BYTES, JSON, Worker, exceptions, with, write_lines};

const TOLERANCE: &str = "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler";

/// Lines of the file.
const RECORDS: usize = 3;

struct Case {
    name: &'static str,
    settings: Value,
    /// Lines of the trace without tolerance.
    trace: Vec<String>,
    /// What is stored of `bad`, 2000 times `y`, `1` with tolerance.
    stored: &'static [&'static str],
    /// Stage and class of the log's line.
    stage: (&'static str, &'static str),
}

fn not_bytes(kind: &str) -> Vec<String> {
    vec![
        TOLERANCE.to_owned(),
        format!(
            "Caused by: org.apache.kafka.connect.errors.DataException: Invalid schema type for ByteArrayConverter: {kind}"
        ),
    ]
}

fn cases() -> Vec<Case> {
    let transforms = "org.apache.kafka.connect.transforms";
    vec![
        Case {
            name: "transformation",
            settings: json!({"transforms": "t", "transforms.t.type": format!("{transforms}.Cast$Value"), "transforms.t.spec": "int32"}),
            trace: vec![
                TOLERANCE.to_owned(),
                "Caused by: org.apache.kafka.connect.errors.DataException: Value (bad) was out of range for requested data type"
                    .to_owned(),
            ],
            stored: &["1"],
            stage: ("TRANSFORMATION", "org.apache.kafka.connect.transforms.Cast$Value"),
        },
        Case {
            name: "value",
            settings: json!({"value.converter": BYTES}),
            trace: not_bytes("STRING"),
            stored: &[],
            stage: ("VALUE_CONVERTER", BYTES),
        },
        Case {
            name: "key",
            settings: json!({"key.converter": BYTES, "value.converter": JSON, "transforms": "h,k",
                "transforms.h.type": format!("{transforms}.HoistField$Value"), "transforms.h.field": "f",
                "transforms.k.type": format!("{transforms}.ValueToKey"), "transforms.k.fields": "f"}),
            trace: not_bytes("STRUCT"),
            stored: &[],
            stage: ("KEY_CONVERTER", BYTES),
        },
        Case {
            name: "header",
            settings: json!({"header.converter": BYTES, "transforms": "t",
                "transforms.t.type": format!("{transforms}.InsertHeader"), "transforms.t.header": "a",
                "transforms.t.value.literal": "b"}),
            trace: not_bytes("STRING"),
            stored: &[],
            stage: ("HEADER_CONVERTER", BYTES),
        },
        Case {
            name: "large",
            settings: json!({"producer.override.max.request.size": "1000"}),
            trace: vec![
                "org.apache.kafka.connect.errors.ConnectException: Unrecoverable exception from producer send callback".to_owned(),
                "Caused by: org.apache.kafka.common.errors.RecordTooLargeException: a record is larger than the producer's \
                 max.request.size or the topic's max.message.bytes"
                    .to_owned(),
            ],
            stored: &["bad", "1"],
            stage: ("KAFKA_PRODUCE", "org.apache.kafka.connect.runtime.WorkerSourceTask"),
        },
    ]
}

#[test]
fn each_stage_fails_the_task_or_leaves_the_record_out() {
    let worker = Worker::up("");
    let input = worker.path("in.txt");
    write_lines(&input, &["bad", &"y".repeat(2000), "1"]);
    let name = |case: &Case, tolerance: &str| format!("{}-{tolerance}", case.name);
    let cases = cases();
    for case in &cases {
        for tolerance in ["none", "all"] {
            let name = name(case, tolerance);
            let config = json!({"connector.class": "FileStreamSource", "file": input, "topic": name,
                "errors.tolerance": tolerance, "errors.log.enable": "true"});
            worker.put(&name, &with(config, &case.settings));
        }
    }
    for case in &cases {
        let trace = worker.rest.await_failed(&name(case, "none"), 0).expect("it fails");
        let lines = exceptions(&trace);
        assert_eq!(lines.get(..2).unwrap_or_default(), case.trace, "{}: {trace}", case.name);
        let name = name(case, "all");
        let line = format!(
            "Error encountered in task {name}-0. Executing stage '{}' with class '{}'",
            case.stage.0, case.stage.1
        );
        let left_out = RECORDS - case.stored.len();
        await_true(&line, PATIENCE, || {
            worker.weir.log_text().matches(&line).count() >= left_out
        })
        .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
        let stored = match case.stored {
            [] => Vec::new(),
            some => {
                worker.await_end(&name, some.len() as i64);
                read_all(&worker.kafka, &name).expect("records")
            }
        };
        let texts: Vec<_> = stored.iter().map(|value| String::from_utf8_lossy(value)).collect();
        assert_eq!(texts, case.stored, "{name}");
        worker.rest.await_state(&name, "RUNNING", 1).expect("it runs");
    }
}
