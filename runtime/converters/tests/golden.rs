//! What Apache Kafka's converters answer, checked line by line
//!
//! `golden/*.txt` are written by `golden/ConverterGolden.java`: an input, then what each converter made of it. The
//! places where Weir differs on purpose are listed here, each with its reason.

use std::collections::HashMap;

use weir_api::converter::{ConvertCx, Converted, Converter, ConverterSlot};
use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::error::ConnectError;
use weir_api::frame::slot::Slot;
use weir_config::map::ConfigMap;
use weir_converters::native::create;

/// A value between two converters.
struct Held {
    schema: SchemaId,
    bytes: Option<Vec<u8>>,
}

#[derive(Default)]
struct Bench {
    schemas: SchemaTable,
    converters: HashMap<String, Box<dyn Converter>>,
}

impl Bench {
    fn converter(&mut self, label: &str) -> &mut Box<dyn Converter> {
        self.converters.entry(label.to_owned()).or_insert_with(|| {
            let parts: Vec<&str> = label.split('.').collect();
            let (class, config): (&str, ConfigMap) = match parts.as_slice() {
                ["json", envelope, decimals, replace] => (
                    "Json",
                    [
                        ("schemas.enable", *envelope),
                        ("decimal.format", *decimals),
                        ("replace.null.with.default", *replace),
                    ]
                    .into_iter()
                    .collect(),
                ),
                ["string"] => ("String", ConfigMap::new()),
                _ => ("Simple", ConfigMap::new()),
            };
            create(class, &config, ConverterSlot::Header).expect("known converter")
        })
    }

    fn read(&mut self, label: &str, text: &str) -> Result<Held, ConnectError> {
        self.converter(label);
        let converter = self.converters.get_mut(label).expect("just made");
        let mut out = b"before".to_vec();
        let read = converter.to_connect(
            &mut ConvertCx {
                topic: "t",
                schemas: &mut self.schemas,
            },
            Some(text.as_bytes()),
            &mut out,
        )?;
        let bytes = match read.form {
            Converted::Null => None,
            Converted::Borrowed => Some(text.as_bytes().to_vec()),
            Converted::Written => Some(out.split_off(b"before".len())),
        };
        Ok(Held {
            schema: read.schema,
            bytes,
        })
    }

    fn write(&mut self, label: &str, held: &Held) -> String {
        self.converter(label);
        let converter = self.converters.get_mut(label).expect("just made");
        let mut out = b"before".to_vec();
        let slot = Slot::new(held.schema, held.bytes.as_deref());
        let written = match converter.from_connect(
            &mut ConvertCx {
                topic: "t",
                schemas: &mut self.schemas,
            },
            slot,
            &mut out,
        ) {
            Err(error) => return format!("! {}", error.message),
            Ok(Converted::Null) => return "= null".to_owned(),
            Ok(Converted::Borrowed) => held.bytes.clone().expect("a null is not borrowed"),
            Ok(Converted::Written) => out.split_off(b"before".len()),
        };
        format!(
            "> {}",
            String::from_utf8(written)
                .expect("text")
                .replace('\n', "\u{240a}")
                .replace('\r', "\u{240d}")
        )
    }
}

/// Runs a file's blocks; gives the lines that differ from Java's.
fn differences(text: &str, mut read: impl FnMut(&mut Bench, &str, &str) -> Result<Held, ConnectError>) -> Vec<String> {
    let mut bench = Bench::default();
    let (mut input, mut checked, mut found) = ("", 0, Vec::new());
    for line in text.split('\n') {
        if let Some(next) = line.strip_prefix("in ") {
            input = next;
            continue;
        }
        let Some((label, expected)) = line.split_once(' ').filter(|(label, _)| !label.starts_with('#')) else {
            continue;
        };
        let label = if label == "json" {
            "json.true.NUMERIC.true"
        } else {
            label
        };
        let shown = match read(&mut bench, input, label) {
            Err(error) => format!("! {}", error.message),
            Ok(held) => bench.write(label, &held),
        };
        checked += 1;
        let known = DIVERGENCES
            .iter()
            .any(|(known, kind)| *known == input && label.starts_with(kind));
        if shown != expected && !known {
            found.push(format!(
                "in       {input}\n{label}\n  Java   {expected}\n  Weir   {shown}"
            ));
        }
    }
    assert!(checked > 100, "the golden file holds its lines");
    found
}

/// Inputs where Weir's answer differs from Java's on purpose.
const DIVERGENCES: [(&str, &str); 7] = [
    // Texts are UTF-8 here, so half a surrogate pair cannot be kept: it is read as Java writes it outside JSON, `?`.
    (r#"{"schema":{"type":"string"},"payload":"\ud800x"}"#, "json"),
    (r#"{"schema":{"type":"string"},"payload":"\udc00"}"#, "json"),
    // A null inside a required map value is refused when it is read, not when it is written.
    (
        r#"{"schema":{"type":"map","keys":{"type":"int32"},"values":{"type":"string"}},"payload":[[1,2]]}"#,
        "",
    ),
    // A time beyond its day is refused by Java when it is written.
    ("25:00:00.000Z", "json"),
    // Java's converter ends in a null pointer or a cast for these; they are written here.
    ("{}", "json"),
    (r#"{1:"x","b":"y"}"#, "json"),
    (r#"[[1],["a"]]"#, "json"),
];

#[test]
fn json_values_are_read_and_written_as_java_does() {
    let text = include_str!("golden/json.txt");
    let (typed, schemaless) = text.split_once("# schemaless").expect("two parts");
    let mut found = Vec::new();
    for (part, envelope) in [(typed, "true"), (schemaless, "false")] {
        found.extend(differences(part, |bench, input, label| {
            let replace = if label.ends_with(".false") && label.starts_with("json") {
                "false"
            } else {
                "true"
            };
            bench.read(&format!("json.{envelope}.BASE64.{replace}"), input)
        }));
    }
    assert!(found.is_empty(), "{} lines differ:\n{}", found.len(), found.join("\n"));
}

#[test]
fn header_texts_are_read_and_written_as_java_does() {
    let found = differences(include_str!("golden/header.txt"), |bench, input, _| {
        bench.read("simple", input)
    });
    assert!(found.is_empty(), "{} lines differ:\n{}", found.len(), found.join("\n"));
}
