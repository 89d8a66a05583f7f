//! Schemas made to cost: deep, wide, cyclic, broken
//!
//! Every case must end in a stated time, on a thread with a small stack, with a schema or a clear error.

use std::thread;
use std::time::{Duration, Instant};

use weir_schema::avro::parse::{MAX_DEPTH, ParseAvro, parse};
use weir_schema::avro::{canonical, compatibility, normalize, schema::AvroSchema};
use weir_schema::error::SchemaError;

/// Half of what a thread of the server has, in a build that is not optimized.
const STACK_BYTES: usize = 1024 * 1024;

/// Far above what is measured, far below what a loop that grows too fast would take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `work` on a small stack and fails if it takes too long.
fn bounded<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let start = Instant::now();
    let thread = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(work)
        .expect("a thread");
    let result = thread.join().expect("no panic");
    let took = start.elapsed();
    assert!(took < PATIENCE, "took {took:?}");
    result
}

fn read(text: &str) -> Result<AvroSchema, SchemaError> {
    parse(text, &[], ParseAvro { validate: true })
}

/// Reads, prints in every form, reads again, and compares with itself.
fn whole_way(text: &str) -> Result<(), String> {
    let schema = read(text).map_err(|error| error.to_string())?;
    let canonical = canonical::canonical_text(&schema);
    let again = read(&canonical).map_err(|error| error.to_string())?;
    assert!(again == schema, "the canonical text lost something");
    let _normalized = normalize::normalized_text(&schema);
    let _resolved = canonical::resolved_text(&schema);
    compatibility::differences(&again, &schema)
        .map(|found| assert_eq!(found, []))
        .map_err(|reason| reason.clone())
}

fn array_of(depth: usize, inner: &str) -> String {
    format!(
        "{}{inner}{}",
        r#"{"type":"array","items":"#.repeat(depth),
        "}".repeat(depth)
    )
}

fn records_of(depth: usize) -> String {
    let open = |at: usize| format!(r#"{{"type":"record","name":"R{at}","fields":[{{"name":"f","type":["null","#);
    let opened: String = (0..depth).map(open).collect();
    format!("{opened}\"int\"{}", "]}]}".repeat(depth))
}

#[test]
fn nesting_up_to_the_limit_is_read() {
    bounded(|| {
        assert_eq!(whole_way(&array_of(MAX_DEPTH - 1, "\"int\"")), Ok(()));
        // A record and its union are two levels.
        assert_eq!(whole_way(&records_of(MAX_DEPTH / 2 - 1)), Ok(()));
    });
}

#[test]
fn nesting_beyond_the_limit_is_refused() {
    bounded(|| {
        let too_deep = Err(SchemaError::Limit(format!(
            "Schema is nested deeper than {MAX_DEPTH} levels"
        )));
        assert_eq!(read(&array_of(MAX_DEPTH, "\"int\"")).map(drop), too_deep);
        assert_eq!(read(&records_of(MAX_DEPTH / 2 + 1)).map(drop), too_deep);
    });
}

#[test]
fn nesting_of_the_json_is_refused() {
    bounded(|| {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[[{\"a\":[", "]}]]")] {
            for depth in [1_001, 100_000, 1_000_000] {
                for text in [
                    open.repeat(depth),
                    format!("{}1{}", open.repeat(depth), close.repeat(depth)),
                ] {
                    assert!(matches!(read(&text), Err(SchemaError::Limit(_))), "{open} {depth}");
                }
            }
        }
        // Deep attributes and defaults are no schemas, and are kept.
        let deep = format!("{}1{}", "[".repeat(990), "]".repeat(990));
        assert_eq!(whole_way(&format!(r#"{{"type":"int","x":{deep}}}"#)), Ok(()));
    });
}

#[test]
fn a_hundred_thousand_fields() {
    bounded(|| {
        let field = |at: usize| format!(r#"{{"name":"field{at}","type":["null","string"],"default":null,"doc":"d"}}"#);
        let fields: Vec<String> = (0..100_000).map(field).collect();
        let text = format!(r#"{{"type":"record","name":"R","fields":[{}]}}"#, fields.join(","));
        let start = Instant::now();
        assert_eq!(whole_way(&text), Ok(()));
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10), "took {took:?}");
    });
}

#[test]
fn a_hundred_thousand_symbols() {
    bounded(|| {
        let symbols: Vec<String> = (0..100_000).map(|at| format!("\"S{at}\"")).collect();
        let text = format!(r#"{{"type":"enum","name":"E","symbols":[{}]}}"#, symbols.join(","));
        assert_eq!(whole_way(&text), Ok(()));
        let none = read(r#"{"type":"enum","name":"E","symbols":[]}"#).expect("a schema");
        let found = compatibility::differences(&none, &read(&text).expect("a schema")).expect("compared");
        assert_eq!(found.len(), 1);
    });
}

#[test]
fn a_chain_of_types_by_name() {
    bounded(|| {
        let link = |at: usize| match at {
            0 => r#"{"type":"record","name":"R0","fields":[]}"#.to_owned(),
            at => format!(
                r#"{{"type":"record","name":"R{at}","fields":[{{"name":"f","type":"R{}"}}]}}"#,
                at - 1
            ),
        };
        let forwards: Vec<String> = (0..50_000).map(link).collect();
        assert_eq!(whole_way(&format!("[{}]", forwards[..1_000].join(","))), Ok(()));
        let long = read(&format!("[{}]", forwards.join(",")));
        assert!(long.is_ok());
        // Written the other way round, every definition is printed inside the one before.
        let backwards: Vec<String> = (0..50_000).rev().map(link).collect();
        let refused = read(&format!("[{}]", backwards.join(",")));
        assert!(matches!(refused, Err(SchemaError::Limit(_))), "{refused:?}");
    });
}

#[test]
fn a_chain_that_is_deep_only_in_the_comparison() {
    bounded(|| {
        // The reader lists the chain from its end, the writer holds only its head: the comparison walks all of it.
        let link = |at: usize| match at {
            0 => r#"{"type":"record","name":"R0","fields":[]}"#.to_owned(),
            at => format!(
                r#"{{"type":"record","name":"R{at}","fields":[{{"name":"f","type":"R{}"}}]}}"#,
                at - 1
            ),
        };
        let chain: Vec<String> = (0..20_000).map(link).collect();
        let user = format!(
            r#"{{"type":"record","name":"U","fields":[{{"name":"f","type":"R{}"}}]}}"#,
            chain.len() - 1
        );
        let reader = read(&format!("[{},{user}]", chain.join(","))).expect("a schema");
        let writer = reader.clone();
        let Some(head) = writer
            .nodes
            .iter()
            .position(|node| node.kind.name().is_some_and(|name| name.name == "U"))
        else {
            panic!("the user's record");
        };
        let writer = AvroSchema {
            root: weir_schema::avro::schema::NodeId(u32::try_from(head).expect("small")),
            ..writer
        };
        let reason = compatibility::differences(&reader, &writer).expect_err("too deep");
        assert!(reason.contains("nested deeper"), "{reason}");
    });
}

#[test]
fn twenty_records_with_a_million_differences() {
    bounded(|| {
        let side = |leaf: &str| {
            let first = format!(r#"{{"type":"record","name":"R0","fields":[{{"name":"f","type":"{leaf}"}}]}}"#);
            let next = |at: usize| {
                let of = at - 1;
                format!(
                    r#"{{"type":"record","name":"R{at}","fields":[{{"name":"f","type":"R{of}"}},{{"name":"g","type":"R{of}"}}]}}"#
                )
            };
            let all: Vec<String> = std::iter::once(first).chain((1..40).map(next)).collect();
            let last = r#"{"type":"record","name":"U","fields":[{"name":"f","type":"R39"}]}"#;
            (format!("[{}]", all.join(",")), last)
        };
        let ((new, user), (old, _)) = (side("int"), side("string"));
        let read = |types: &str| parse(user, &[types], ParseAvro { validate: true }).expect("a schema");
        let found = compatibility::differences(&read(&new), &read(&old)).expect("compared");
        assert_eq!(found.len(), compatibility::MAX_DIFFERENCES);
    });
}

#[test]
fn unions_of_thousands_of_records() {
    bounded(|| {
        let side = |count: usize, leaf: &str| {
            let one = |at: usize| {
                format!(r#"{{"type":"record","name":"n{at}.R","fields":[{{"name":"f{at}","type":"{leaf}"}}]}}"#)
            };
            let all: Vec<String> = (0..count).map(one).collect();
            read(&format!("[{}]", all.join(","))).expect("a schema")
        };
        let found = compatibility::differences(&side(300, "int"), &side(300, "string")).expect("compared");
        assert_eq!(found.len(), 300);
        let reason = compatibility::differences(&side(5_000, "int"), &side(5_000, "string")).expect_err("too large");
        assert!(reason.contains("too large"), "{reason}");
    });
}

#[test]
fn defaults_that_try_every_branch() {
    bounded(|| {
        let depth = 60;
        let record = |name: &str, last: &str| {
            format!(
                r#"{{"type":"record","name":"{name}","fields":[{{"name":"f","type":["A","B","null"]}},{{"name":"{last}","type":"int","default":1}}]}}"#
            )
        };
        let value = format!("{}5{}", r#"{"f":"#.repeat(depth), "}".repeat(depth));
        let text = format!(
            r#"{{"type":"record","name":"U","fields":[{{"name":"a","type":{}}},{{"name":"b","type":{}}},{{"name":"d","type":["A","B"],"default":{value}}}]}}"#,
            record("A", "x"),
            record("B", "y"),
        );
        let refused = read(&text).map(drop);
        assert!(matches!(refused, Err(SchemaError::Limit(_))), "{refused:?}");
        // Stored schemas are not checked again.
        assert!(parse(&text, &[], ParseAvro { validate: false }).is_ok());
    });
}

#[test]
fn defaults_of_defaults_are_checked_once() {
    bounded(|| {
        let first = r#"{"type":"record","name":"R0","fields":[{"name":"f","type":"int","default":0}]}"#.to_owned();
        let next = |at: usize| {
            let of = at - 1;
            format!(
                r#"{{"type":"record","name":"R{at}","fields":[{{"name":"f","type":"R{of}","default":{{}}}},{{"name":"g","type":"R{of}","default":{{}}}}]}}"#
            )
        };
        let all: Vec<String> = std::iter::once(first).chain((1..60).map(next)).collect();
        assert!(read(&format!("[{}]", all.join(","))).is_ok());
    });
}

#[test]
fn texts_beyond_the_size_limit() {
    bounded(|| {
        let text = format!("\"int\"{}", " ".repeat(10 * 1024 * 1024));
        assert!(matches!(read(&text), Err(SchemaError::Limit(_))));
        let large = format!("\"int\"{}", " ".repeat(9 * 1024 * 1024));
        let many: Vec<&str> = std::iter::repeat_n(large.as_str(), 8).collect();
        assert!(matches!(
            parse("\"int\"", &many, ParseAvro::default()),
            Err(SchemaError::Limit(_))
        ));
    });
}

#[test]
fn errors_quote_no_more_than_a_page() {
    bounded(|| {
        let long = "x".repeat(1_000_000);
        for text in [
            format!(r#"{{"type":"record","name":"R","x":"{long}"}}"#),
            format!(r#"{{"x":"{long}"}}"#),
            format!("\"int\" {long}"),
            long.clone(),
            format!(r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":"int","default":"{long}"}}]}}"#),
        ] {
            let error = read(&text).expect_err("no schema").to_string();
            assert!(error.len() < 25 * 1024, "{} bytes", error.len());
        }
    });
}

#[test]
fn every_byte_changed_and_every_cut_is_read_or_refused() {
    bounded(|| {
        for text in SAMPLES {
            for at in 0..text.len() {
                let _cut = read(text.get(..at).unwrap_or_default());
                for byte in [
                    0, b'"', b'\\', b'{', b'}', b'[', b']', b',', b':', b'0', b'-', b'.', b'e', b'/', b'*', b'n', 0x7f,
                ] {
                    let mut bytes = text.as_bytes().to_vec();
                    bytes[at] = byte;
                    let Ok(changed) = String::from_utf8(bytes) else {
                        continue;
                    };
                    for validate in [true, false] {
                        let Ok(schema) = parse(&changed, &[], ParseAvro { validate }) else {
                            continue;
                        };
                        let canonical = canonical::canonical_text(&schema);
                        let again = parse(&canonical, &[], ParseAvro { validate });
                        assert!(
                            again.is_ok_and(|again| canonical::canonical_text(&again) == canonical),
                            "{changed}"
                        );
                    }
                }
            }
        }
    });
}

/// Texts that use every part of the format.
const SAMPLES: [&str; 6] = [
    r#"{"type":"record","name":"a.R","namespace":"b","doc":"d","aliases":["X","c.Y"],"fields":[{"name":"f","type":["null","a.R",{"type":"array","items":"int"}],"default":null,"order":"ignore","aliases":["g"],"x":{"y":[1,-2.5e3,true,null]}}]}"#,
    r#"{"type":"enum","name":"E","symbols":["A","B","C"],"default":"B","doc":"é\u00e9\ud83d\ude00\n"}"#,
    r#"[{"type":"fixed","name":"F","size":16,"logicalType":"uuid"},{"type":"map","values":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},"null"]"#,
    r#"/* c */ {"type":"error","name":"Oops","fields":[{"name":"a","type":"double","default":"NaN"},{"name":"b","type":"float","default":1}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":["null","Later"]},{"name":"b","type":{"type":"record","name":"Later","fields":[{"name":"x","type":"int","default":3}]},"default":{"x":4}}]}"#,
    "{\n  \"type\" : \"record\" , // a comment\n  \"name\" : \"R\" , \"fields\" : [ ]\n}",
];
