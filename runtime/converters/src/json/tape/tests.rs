//! Tests of the tape: what Jackson accepts and refuses

use proptest::prelude::*;

use super::{NodeRef, Tape};
use crate::json::scanner::Kind;

/// Prints a value with all escapes resolved.
fn shown(node: NodeRef<'_>) -> String {
    match node.kind() {
        Kind::Text => format!("{:?}", node.to_text().expect("text")),
        Kind::Array => format!("[{}]", node.elements().map(shown).collect::<Vec<_>>().join(",")),
        Kind::Object => format!(
            "{{{}}}",
            node.pairs()
                .map(|(name, value)| format!("{}:{}", shown(name), shown(value)))
                .collect::<Vec<_>>()
                .join(",")
        ),
        _ => node.raw().to_owned(),
    }
}

fn check(text: &str, expected: &str) {
    let mut tape = Tape::default();
    let found = match tape.parse(text) {
        Ok(Some(node)) => shown(node),
        Ok(None) => "nothing".to_owned(),
        Err(error) => format!("{} expected at {}", error.reason, error.at),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn values_are_found() {
    check(
        r#" {"a": [1, -2.5e3, {}], "b": {"c": null, "c": true}, "": "x"} "#,
        r#"{"a":[1,-2.5e3,{}],"b":{"c":null,"c":true},"":"x"}"#,
    );
    check("[[],[[]],{}]", "[[],[[]],{}]");
    check(r#""a\u00e9\ud83d\ude00\n\/\ud800x\udc00""#, r#""aé😀\n/?x?""#);
    check(r#""\ud800\ud83d\ude00\ud800""#, r#""?😀?""#);
    check("  ", "nothing");
    check("\u{feff}1", "1");
    check("{\"a\":1}x", r#"{"a":1}"#);
    check("01", "01");
}

#[test]
fn faults_are_placed() {
    check("{\"a\":}", "a value expected at 5");
    check("{a:1}", "a double quote to start a field name expected at 1");
    check("{\"a\" 1}", "a colon after the field name expected at 5");
    check("{\"a\":1,}", "a double quote to start a field name expected at 7");
    check("[1,]", "a value expected at 3");
    check("[1 2]", "a comma or ] to end the array expected at 3");
    check("[1}", "a comma or ] to end the array expected at 2");
    check("{\"a\":1]", "a comma or } to end the object expected at 6");
    check("\"a", "a double quote to end the string expected at 2");
    check("\"\n\"", "control characters to be escaped expected at 1");
    check("5.", "a digit expected at 2");
    check("1]", "space separating root-level values expected at 1");
    check(&"[".repeat(1001), "nesting of at most 1000 expected at 1000");
    check(
        &"1".repeat(1001),
        "a number of at most 1000 characters expected at 1001",
    );
}

#[test]
fn last_of_equal_keys_is_given() {
    let mut tape = Tape::default();
    let root = tape
        .parse(r#"{"a":1,"b":2,"\u0061":3}"#)
        .expect("valid")
        .expect("a value");
    assert_eq!(root.get("a").map(|value| value.raw()), Some("3"));
    assert_eq!(root.get("c").map(|value| value.raw()), None);
}

#[test]
fn last_member_ends_with_its_object() {
    let mut tape = Tape::default();
    assert_eq!(
        tape.parse_last_member("5 } x").expect("valid").expect("a value").raw(),
        "5"
    );
    assert_eq!(
        tape.parse_last_member("5,\"more\":1}")
            .map(|_| ())
            .expect_err("more")
            .reason,
        "} to end the object"
    );
    assert!(tape.parse_last_member("5").is_err());
}

proptest! {
    #[test]
    fn arbitrary_texts_never_panic(text in "[\\[\\]{}:,\"\\\\u0-9a-f .eE+-ntr\u{e9}]{0,40}") {
        if let Ok(Some(root)) = Tape::default().parse(&text) {
            shown(root);
        }
    }
}
