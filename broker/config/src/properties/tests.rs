//! Tests of the properties syntax against what `java.util.Properties` answers

use proptest::prelude::*;

use super::Properties;

fn check(text: &str, expected: &[(&str, &str)]) {
    let properties = Properties::parse(text).expect("parses");
    assert_eq!(properties.iter().collect::<Vec<_>>(), expected, "{text:?}");
}

#[test]
fn separators() {
    check(
        "a=1\nb:2\nc 3\nd\t=\t4\ne = = 5\nf\n=x",
        &[
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("d", "4"),
            ("e", "= 5"),
            ("f", ""),
            ("", "x"),
        ],
    );
    check("a=1  \r\nb=2\rc=3", &[("a", "1  "), ("b", "2"), ("c", "3")]);
}

#[test]
fn comments_and_blank_lines() {
    check("# a=1\n  ! b=2\n\n \t\nc=3 # kept\n", &[("c", "3 # kept")]);
    check("#no continuation\\\na=1", &[("a", "1")]);
}

#[test]
fn continuation_lines() {
    check(
        "a=1,\\\n   2,\\\r\n\t3\nb=\\\\\nc=4",
        &[("a", "1,2,3"), ("b", "\\"), ("c", "4")],
    );
    check("a=x\\\n#y", &[("a", "x#y")]);
    check("a=x\\", &[("a", "x")]);
    check("\\", &[("", "")]);
    check("\\\n\na=1", &[("a", "1")]);
}

#[test]
fn escapes() {
    check(r"a\=b\ c\:d=\t\n\q\\", &[("a=b c:d", "\t\nq\\")]);
    check(r"u=\u00e4\ud83d\ude00", &[("u", "ä😀")]);
    let error = Properties::parse("ok=1\nx=\\u12g4").expect_err("broken escape");
    assert_eq!(error.to_string(), "line 2: Malformed \\uxxxx encoding.");
}

#[test]
fn last_wins_in_first_place() {
    check("a=1\nb=2\na=3", &[("a", "3"), ("b", "2")]);
}

#[test]
fn streams_are_latin1() {
    let properties = Properties::parse_latin1(b"a=\xe4").expect("parses");
    assert_eq!(properties.get("a"), Some("ä"));
}

#[test]
fn prefix_and_map() {
    let properties = Properties::parse("producer.acks=1\nname=n").expect("parses");
    assert_eq!(properties.with_prefix("producer.").get("acks"), Some("1"));
    assert_eq!(properties.to_map().get("name"), Some("n"));
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC*") {
        let _ = Properties::parse(&text);
    }

    #[test]
    fn escaped_entries_come_back(name in "[a-z=: \\\\#!é]{1,12}", value in "[a-z=: \\\\#!\t\n😀]{0,20}") {
        let escape = |text: &str| text.chars().fold(String::new(), |mut out, c| {
            match c {
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                c if c.is_ascii_alphabetic() || !c.is_ascii() => out.push(c),
                c => { out.push('\\'); out.push(c); }
            }
            out
        });
        let properties = Properties::parse(&format!("{}={}", escape(&name), escape(&value))).expect("parses");
        prop_assert_eq!(properties.iter().collect::<Vec<_>>(), vec![(name.as_str(), value.as_str())]);
    }
}
