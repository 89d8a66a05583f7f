//! JSON Schema and Protobuf made to cost: deep, wide, cyclic, broken
//!
//! Every case must end in a stated time, on a thread with a small stack, with a schema or a clear error.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use weir_schema::compatibility::{Policy, changes};
use weir_schema::error::SchemaError;
use weir_schema::schema::{ParseOptions, ParsedSchema, Reference, ResolvedReference, SchemaType};

/// Half of what a thread of the server has, in a build that is not optimized.
const STACK_BYTES: usize = 1024 * 1024;

/// Far above what is measured, far below what a loop that grows too fast would take. Time of the processor: the machine
/// may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `work` on a small stack and fails if it takes too long.
fn bounded(work: impl FnOnce() + Send + 'static) {
    let start = Instant::now();
    let timed = move || {
        work();
        processor_time().unwrap_or_else(|| start.elapsed())
    };
    let thread = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(timed)
        .expect("a thread");
    let took = thread.join().expect("no panic");
    assert!(took < PATIENCE, "took {took:?}");
}

/// What this thread had of a processor so far, where the system tells.
fn processor_time() -> Option<Duration> {
    let figures = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = figures.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn read(schema_type: SchemaType, text: &str) -> Result<ParsedSchema, SchemaError> {
    ParsedSchema::parse(schema_type, text, &[], ParseOptions { validate: true })
}

fn json(text: &str) -> ParsedSchema {
    read(SchemaType::Json, text).expect("a schema")
}

fn protobuf(text: &str) -> ParsedSchema {
    read(SchemaType::Protobuf, text).expect("a schema")
}

/// Prints in every form, reads again, and compares with itself.
fn whole_way(schema: &ParsedSchema) {
    let again = read(schema.schema_type(), &schema.canonical_text()).expect("the canonical text");
    let _normalized = schema.normalized_text();
    let found = changes(Policy::Strict, &again, schema, ["new", "old"]).expect("compared");
    assert!(found.iter().all(|change| change.is_compatible), "{found:?}");
}

fn is_limit(read: &Result<ParsedSchema, SchemaError>) -> bool {
    matches!(read, Err(SchemaError::Limit(_)))
}

#[test]
fn nesting_is_bounded() {
    bounded(|| {
        let schemas = |depth: usize| format!("{}{{}}{}", r#"{"items":"#.repeat(depth), "}".repeat(depth));
        whole_way(&json(&schemas(199)));
        for depth in [200, 900, 100_000, 1_000_000] {
            assert!(is_limit(&read(SchemaType::Json, &schemas(depth))), "{depth}");
        }
        // What is no schema may be deeper.
        let deep = format!("{}1{}", "[".repeat(990), "]".repeat(990));
        whole_way(&json(&format!(r#"{{"default":{deep}}}"#)));
        for text in ["[".repeat(1_000_000), "{\"a\":".repeat(1_000_000)] {
            assert!(is_limit(&read(SchemaType::Json, &text)));
        }
        let messages = |depth: usize| format!("{}{}", "message M {".repeat(depth), "}".repeat(depth));
        whole_way(&protobuf(&messages(32)));
        for depth in [33, 100_000] {
            assert!(is_limit(&read(SchemaType::Protobuf, &messages(depth))), "{depth}");
        }
        for open in ["{a:", "[", "<a:"] {
            let text = format!("option (o) = {{ a: {} ", open.repeat(100_000));
            assert!(is_limit(&read(SchemaType::Protobuf, &text)), "{open}");
        }
    });
}

#[test]
fn a_hundred_thousand_fields() {
    bounded(|| {
        let properties: Vec<String> = (0..100_000)
            .map(|at| format!(r#""field{at}":{{"type":["null","string"],"default":null,"title":"t"}}"#))
            .collect();
        whole_way(&json(&format!(
            r#"{{"type":"object","properties":{{{}}}}}"#,
            properties.join(",")
        )));
    });
    bounded(|| {
        let fields: Vec<String> = (1..=100_000)
            .map(|at| format!("repeated string field{at} = {at};"))
            .collect();
        whole_way(&protobuf(&format!(
            "syntax = \"proto3\"; message M {{ {} }}",
            fields.join(" ")
        )));
    });
}

#[test]
fn a_hundred_thousand_values_of_an_enum() {
    bounded(|| {
        let values: Vec<String> = (0..100_000).map(|at| format!("\"value{at}\"")).collect();
        let all = json(&format!(r#"{{"enum":[{}]}}"#, values.join(",")));
        whole_way(&all);
        let found = changes(Policy::Strict, &all, &json(r#"{"enum":["value1"]}"#), ["new", "old"]).expect("compared");
        assert_eq!(
            found.iter().map(|change| change.kind).collect::<Vec<_>>(),
            ["ENUM_ARRAY_NARROWED"]
        );
        let values: Vec<String> = (0..100_000).map(|at| format!("V{at} = {at};")).collect();
        whole_way(&protobuf(&format!("enum E {{ {} }}", values.join(" "))));
    });
}

#[test]
fn combinations_of_many_branches_are_matched_or_refused() {
    bounded(|| {
        let side = |branches: usize, kind: &str| {
            let branches: Vec<String> = (0..branches)
                .map(|at| format!(r#"{{"type":"{kind}","title":"{at}"}}"#))
                .collect();
            json(&format!(r#"{{"oneOf":[{}]}}"#, branches.join(",")))
        };
        let same = changes(
            Policy::Strict,
            &side(400, "string"),
            &side(400, "string"),
            ["new", "old"],
        );
        assert!(same.expect("compared").iter().all(|change| change.is_compatible));
        let other = changes(
            Policy::Strict,
            &side(400, "string"),
            &side(400, "integer"),
            ["new", "old"],
        );
        let kinds: Vec<&str> = other.expect("compared").iter().map(|change| change.kind).collect();
        assert_eq!(kinds, ["COMBINED_TYPE_SUBSCHEMAS_CHANGED"]);
        let refused = changes(
            Policy::Strict,
            &side(5_000, "string"),
            &side(5_000, "string"),
            ["new", "old"],
        );
        assert_eq!(refused, Err("schemas are too large to be compared".to_owned()));
    });
}

#[test]
fn references_in_circles_and_long_chains_end() {
    bounded(|| {
        whole_way(&json(r##"{"$ref":"#"}"##));
        whole_way(&json(
            r##"{"$ref":"#/definitions/a","definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}}}"##,
        ));
        let circle = |kind: &str| {
            json(&format!(
                r##"{{"type":"object","properties":{{"v":{{"type":"{kind}"}},"all":{{"type":"array","items":{{"oneOf":[{{"$ref":"#"}},{{"not":{{"$ref":"#"}}}}]}}}}}}}}"##
            ))
        };
        whole_way(&circle("string"));
        let found = changes(Policy::Strict, &circle("string"), &circle("integer"), ["new", "old"]).expect("compared");
        assert!(
            found
                .iter()
                .any(|change| change.path == "#/properties/v" && !change.is_compatible)
        );
        // One reference to the next, a hundred thousand times, each also used.
        let chain: Vec<String> = (0..100_000)
            .map(|at| format!(r##""d{at}":{{"$ref":"#/definitions/d{}"}}"##, at + 1))
            .collect();
        let users: Vec<String> = (0..1_000)
            .map(|at| format!(r##""p{at}":{{"$ref":"#/definitions/d{at}"}}"##))
            .collect();
        whole_way(&json(&format!(
            r#"{{"properties":{{{}}},"definitions":{{{},"d100000":{{"type":"string"}}}}}}"#,
            users.join(","),
            chain.join(",")
        )));
    });
}

#[test]
fn definitions_that_use_each_other_do_not_multiply() {
    bounded(|| {
        // Each uses the next twice: 2^60 ways from the first to the last.
        let side = |kind: &str| {
            let definitions: Vec<String> = (0..60)
                .map(|at| {
                    let next = format!(r##"{{"$ref":"#/definitions/d{}"}}"##, at + 1);
                    format!(r#""d{at}":{{"type":"object","properties":{{"a":{next},"b":{next}}}}}"#)
                })
                .collect();
            json(&format!(
                r##"{{"$ref":"#/definitions/d0","definitions":{{{},"d60":{{"type":"{kind}"}}}}}}"##,
                definitions.join(",")
            ))
        };
        whole_way(&side("string"));
        let found = changes(Policy::Strict, &side("string"), &side("integer"), ["new", "old"]).expect("compared");
        assert!((1_000..=2_000).contains(&found.len()), "{}", found.len());
    });
    bounded(|| {
        let reference = |version: i32, kind: &str| {
            let messages: Vec<String> = (0..60)
                .map(|at| format!("message D{at} {{ D{} a = 1; D{} b = 2; }}", at + 1, at + 1))
                .collect();
            let schema = format!("{} message D60 {{ {kind} a = 1; }}", messages.join(" "));
            let reference = Reference {
                name: "d.proto".to_owned(),
                subject: "d".to_owned(),
                version,
            };
            [ResolvedReference { reference, schema }]
        };
        let side = |version: i32, kind: &str| {
            let text = "import \"d.proto\"; message M { D0 d = 1; }";
            let options = ParseOptions { validate: true };
            ParsedSchema::parse(SchemaType::Protobuf, text, &reference(version, kind), options).expect("a schema")
        };
        let found = changes(Policy::Strict, &side(1, "string"), &side(2, "int32"), ["new", "old"]).expect("compared");
        assert!(
            found.len() <= 2_000 && found.iter().any(|change| change.path == "#/D60/1"),
            "{}",
            found.len()
        );
    });
}

#[test]
fn patterns_that_explode_do_not() {
    bounded(|| {
        let side = |property: &str| {
            let patterns = [
                "^(a+)+$",
                "(a|a)*b",
                "(.*)*x",
                "a{1000}{1000}{1000}",
                "(?=a)a",
                "\\p{L}{500}",
                "(x+x+)+y",
                "[[a]",
            ];
            let patterns: Vec<String> = patterns
                .iter()
                .filter(|pattern| !pattern.starts_with("[["))
                .map(|pattern| format!("{}:{{\"type\":\"string\"}}", serde_json::json!(pattern)))
                .collect();
            json(&format!(
                r#"{{"type":"object","properties":{{{property}}},"patternProperties":{{{}}},"additionalProperties":false}}"#,
                patterns.join(",")
            ))
        };
        let long = format!("\"{}!\":{{\"type\":\"string\"}}", "a".repeat(100_000));
        let found = changes(Policy::Strict, &side(""), &side(&long), ["new", "old"]).expect("compared");
        assert!(!found.is_empty());
        // A new pattern for each property: compiling them is paid for.
        let many = |properties: usize| {
            let patterns: Vec<String> = (0..4_000)
                .map(|at| format!(r#""^x{at}[a-z]{{1,50}}$":{{"type":"string"}}"#))
                .collect();
            let properties: Vec<String> = (0..properties)
                .map(|at| format!(r#""y{at}":{{"type":"string"}}"#))
                .collect();
            json(&format!(
                r#"{{"properties":{{{}}},"patternProperties":{{{}}}}}"#,
                properties.join(","),
                patterns.join(",")
            ))
        };
        let refused = changes(Policy::Strict, &many(0), &many(4_000), ["new", "old"]);
        assert_eq!(refused, Err("schemas are too large to be compared".to_owned()));
    });
}

#[test]
fn ten_mebibytes_are_read_and_more_are_refused() {
    const MAX: usize = 10 * 1024 * 1024;
    bounded(|| {
        let filled = |around: usize| "x".repeat(MAX - around);
        whole_way(&json(&format!(r#"{{"title":"{}"}}"#, filled(12))));
        whole_way(&json(&format!("{{}}{}", filled(2))));
        whole_way(&protobuf(&format!("message M {{}} /* {} */", filled(19))));
        assert!(read(SchemaType::Protobuf, &format!("option a = \"{}\";", filled(14))).is_ok());
        for schema_type in [SchemaType::Json, SchemaType::Protobuf] {
            assert!(is_limit(&read(schema_type, &" ".repeat(MAX + 1))));
        }
    });
    bounded(|| {
        // Combined schemas with a large one inside of each.
        let inner = format!(r#"{{"title":"{}"}}"#, "x".repeat(1024 * 1024));
        let depth = 150;
        let text = format!(
            "{}{inner}{}",
            r#"{"anyOf":[{"type":"null"},"#.repeat(depth),
            "]}".repeat(depth)
        );
        whole_way(&json(&text));
    });
}

#[test]
fn names_and_options_are_bounded() {
    bounded(|| {
        for name in ["a".repeat(1_025), "a.".repeat(64) + "a"] {
            assert!(is_limit(&read(SchemaType::Protobuf, &format!("package {name};"))));
        }
        let options: Vec<String> = (0..10_001).map(|at| format!("(o).c = {at}")).collect();
        let field = |options: &[String]| format!("message M {{ string a = 1 [{}]; }}", options.join(", "));
        assert!(is_limit(&read(SchemaType::Protobuf, &field(&options))));
        let extension = "import \"google/protobuf/descriptor.proto\"; message O { repeated int32 c = 1; } \
                         extend google.protobuf.FieldOptions { optional O o = 50000; } ";
        whole_way(&protobuf(&format!("{extension}{}", field(&options[..5_000]))));
        let keys: Vec<String> = (0..200_000).map(|at| format!("k{at}: 1")).collect();
        whole_way(&protobuf(&format!("option (o) = {{ {} }};", keys.join(" "))));
    });
}

#[test]
fn broken_texts_are_errors() {
    bounded(|| {
        let whole = "syntax = \"proto3\"; package p; import public \"a\"; option (a.b).c = { d: [1, 2] e <f: 'x'> }; \
                     message M { reserved 1 to 3, \"x\"; map<string, int32> m = 4; oneof o { string a = 5 [json_name = \"z\"]; } \
                     enum E { Z = -0x1; } extensions 100 to max; } service S { rpc R (stream M) returns (M) { } }";
        for at in 0..whole.len() {
            let _cut = read(SchemaType::Protobuf, &whole[..at]);
            for replacement in ["", "}", "\"", "\u{1F600}", "\0", "9", "/*"] {
                let broken = format!("{}{replacement}{}", &whole[..at], &whole[at + 1..]);
                let _outcome = read(SchemaType::Protobuf, &broken).map(|schema| schema.normalized_text());
            }
        }
        let whole = r##"{"$schema":"http://json-schema.org/draft-07/schema#","$id":"a://b/c","type":["string",null],"properties":{"a":{"$ref":"#/definitions/%41~1"}},"patternProperties":{"(":true},"items":[{}],"dependencies":{"a":["b"]},"multipleOf":1e999,"minimum":-1.5E-9}"##;
        for at in 0..whole.len() {
            for replacement in ["", "}", "\"", "\u{1F600}", "\\u", "9", "[", "null"] {
                let broken = format!("{}{replacement}{}", &whole[..at], &whole[at + 1..]);
                let _outcome = read(SchemaType::Json, &broken).map(|schema| schema.canonical_text());
            }
        }
    });
}
