//! The tables of `data`: every line equals what Java's Avro library answers
//!
//! `tests/clients/avro-java/run.sh` compares the same files with the library itself.

use weir_schema::avro::compatibility::differences;
use weir_schema::avro::parse::{ParseAvro, parse};
use weir_schema::avro::{canonical, normalize, schema::AvroSchema};
use weir_schema::error::SchemaError;

const COMPATIBILITY: &str = include_str!("data/compatibility.txt");
const CANONICAL: &str = include_str!("data/canonical.txt");
const NORMALIZED: &str = include_str!("data/normalized.txt");

/// One block of a table: its lines by key, and the answers.
#[derive(Debug)]
struct Block<'a> {
    lines: Vec<(&'a str, &'a str)>,
    answers: Vec<&'a str>,
}

impl<'a> Block<'a> {
    fn all(&self, key: &str) -> Vec<&'a str> {
        self.lines
            .iter()
            .filter(|(found, _)| *found == key)
            .map(|(_, value)| *value)
            .collect()
    }

    fn one(&self, key: &str) -> &'a str {
        let [value] = self.all(key)[..] else {
            panic!("one line of {key} in {self:?}")
        };
        value
    }
}

fn blocks<'a>(table: &'a str, key: &str) -> Vec<Block<'a>> {
    let blocks = table.split("\n\n").map(|text| {
        let answers = text.lines().filter_map(|line| line.strip_prefix("= ")).collect();
        let lines = text
            .lines()
            .filter(|line| !line.starts_with(['=', '#']))
            .filter_map(|line| line.split_once(": "));
        Block {
            lines: lines.collect(),
            answers,
        }
    });
    blocks.filter(|block| !block.all(key).is_empty()).collect()
}

/// Fails with every block whose answers differ.
fn compare(blocks: &[Block<'_>], answer: impl Fn(&Block<'_>) -> Vec<String>) {
    let mut wrong = String::new();
    for block in blocks {
        let found = answer(block);
        if found != block.answers {
            let lines = |lines: &[String]| lines.iter().map(|line| format!("\n    {line}")).collect::<String>();
            let expected: Vec<String> = block.answers.iter().map(|line| (*line).to_owned()).collect();
            wrong += &format!(
                "{}\n  expected{}\n  found{}\n",
                block.one("name"),
                lines(&expected),
                lines(&found)
            );
        }
    }
    assert!(wrong.is_empty(), "answers differ from the table:\n{wrong}");
}

fn new_schema(text: &str, with: &[&str]) -> Result<AvroSchema, SchemaError> {
    parse(text, with, ParseAvro { validate: true })
}

fn told(result: Result<String, SchemaError>) -> String {
    match result {
        Ok(text) => text,
        Err(SchemaError::Json(_)) => "! not JSON".to_owned(),
        Err(other) => format!("! {other}"),
    }
}

#[test]
fn compatibility_is_judged_as_java_judges_it() {
    let blocks = blocks(COMPATIBILITY, "reader");
    assert!(blocks.len() >= 350, "{} pairs", blocks.len());
    compare(&blocks, |block| {
        let reader = new_schema(block.one("reader"), &[]).expect("a schema");
        let writer = new_schema(block.one("writer"), &[]).expect("a schema");
        match differences(&reader, &writer) {
            Ok(found) if found.is_empty() => vec!["compatible".to_owned()],
            Ok(found) => found
                .iter()
                .map(|one| format!("{} {} {}", one.kind.as_str(), one.location, one.info))
                .collect(),
            Err(reason) => vec![format!("! {reason}")],
        }
    });
}

#[test]
fn schemas_are_read_and_printed_as_java_does() {
    let blocks = blocks(CANONICAL, "schema");
    assert!(blocks.len() >= 200, "{} schemas", blocks.len());
    compare(&blocks, |block| {
        let (text, with) = (block.one("schema"), block.all("with"));
        let print = |validate: bool| {
            told(parse(text, &with, ParseAvro { validate }).map(|schema| canonical::canonical_text(&schema)))
        };
        let mut answers = vec![format!("new {}", print(true)), format!("stored {}", print(false))];
        if !with.is_empty() {
            let resolved = new_schema(text, &with).map(|schema| canonical::resolved_text(&schema));
            answers.push(format!("resolved {}", told(resolved)));
        }
        answers
    });
}

#[test]
fn schemas_are_normalized_as_the_registry_does() {
    let blocks = blocks(NORMALIZED, "schema");
    assert!(blocks.len() >= 30, "{} schemas", blocks.len());
    compare(&blocks, |block| {
        let schema = new_schema(block.one("schema"), &block.all("with"));
        vec![told(schema.map(|schema| normalize::normalized_text(&schema)))]
    });
}

#[test]
fn canonical_texts_are_fixed_points() {
    let mut wrong = Vec::new();
    for block in blocks(CANONICAL, "schema") {
        let (text, with) = (block.one("schema"), block.all("with"));
        let Ok(schema) = new_schema(text, &with) else { continue };
        let canonical = canonical::canonical_text(&schema);
        let again = new_schema(&canonical, &with).map(|schema| canonical::canonical_text(&schema));
        if told(again) != canonical {
            wrong.push(block.one("name"));
        }
    }
    // The alias of the null namespace inside a namespace is printed without its dot, as Java does. The text is the
    // same again; only its meaning changed.
    assert_eq!(wrong, Vec::<&str>::new());
}
