//! What Apache Connect 4.3.1 answered to the same bodies, text for text.

use serde_json::json;
use weir_stores::configs::state::TargetState;

use super::{config_map, create_request, offsets, task_configs};

const SOURCE: &str = "Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";
const ENTITIES: &str = "org.apache.kafka.connect.runtime.rest.entities";

fn refused(body: &str) -> String {
    let error = create_request(body.as_bytes()).expect_err(body);
    assert_eq!(error.status.as_u16(), 500, "{body}");
    error.message
}

fn at(column: usize, chain: &str) -> String {
    let chain = if chain.is_empty() {
        String::new()
    } else {
        format!(" (through reference chain: {ENTITIES}.CreateConnectorRequest{chain})")
    };
    format!("\n at [{SOURCE}; line: 1, column: {column}]{chain}")
}

#[test]
fn scalars_become_texts_as_written_and_null_stays() {
    let body = r#"{"a": 3, "b": true, "c": "x", "d": null, "e": 1.50, "f": 1e3, "g": 12345678901234567890123}"#;
    let config = config_map(body.into()).expect("valid");
    let pairs: Vec<_> = config.iter().collect();
    assert_eq!(
        pairs,
        [
            ("a", Some("3")),
            ("b", Some("true")),
            ("c", Some("x")),
            ("d", None),
            ("e", Some("1.50")),
            ("f", Some("1e3")),
            ("g", Some("12345678901234567890123")),
        ]
    );
}

#[test]
fn a_create_request_is_trimmed_and_its_state_read_in_any_case() {
    let request = create_request(br#"{"name": " a ", "config": {}, "initial_state": "paused"}"#).expect("valid");
    assert_eq!(
        (request.name.as_str(), request.change.initial_state),
        ("a", Some(TargetState::Paused))
    );
    let request =
        create_request(br#"{"config": {"k": "\u00fc\ud83d\ude00\n"}, "initial_state": null}"#).expect("valid");
    assert_eq!((request.name.as_str(), request.change.initial_state), ("", None));
    assert_eq!(request.change.config.get("k"), Some("ü😀\n"));
}

#[test]
fn a_missing_body_or_config_is_told_as_java_does() {
    let no_body =
        format!("Cannot invoke \"{ENTITIES}.CreateConnectorRequest.name()\" because \"createRequest\" is null");
    assert_eq!(refused(""), no_body);
    assert_eq!(refused(" null "), no_body);
    let no_config = "Cannot invoke \"java.util.Map.get(Object)\" because \"connectorConfig\" is null";
    assert_eq!(refused("{}"), no_config);
    assert_eq!(refused(r#"{"name":"e","config":null}"#), no_config);
    assert_eq!(config_map("".into()).expect_err("none").message, no_config);
}

#[test]
fn syntax_faults_are_told_with_their_place() {
    let config = "[\"config\"]";
    for (body, text, column, chain) in [
        (
            "nonsense",
            "Unrecognized token 'nonsense': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            1,
            "",
        ),
        (
            r#"{"name":"e","config":{}} trailing"#,
            "Unrecognized token 'trailing': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            26,
            "",
        ),
        (
            r#"{"name":"e","config":{"a" 1}}"#,
            "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
            27,
            config,
        ),
        (
            r#"{"name":"e","config":{"a":1 "b":2}}"#,
            "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
            29,
            config,
        ),
        (
            r#"{"name":"e","config":{"a":}}"#,
            "Unexpected character ('}' (code 125)): expected a value",
            27,
            config,
        ),
        (
            r#"{"name":"e","config":{a:1}}"#,
            "Unexpected character ('a' (code 97)): was expecting double-quote to start field name",
            23,
            config,
        ),
        (
            r#"{"name":"e","config":{"a":1,}}"#,
            "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
            29,
            config,
        ),
        (
            r#"{"name":"e","config":{"a":"x"#,
            "Unexpected end-of-input in VALUE_STRING",
            29,
            config,
        ),
        (
            r#"{"name":"e","config":{"a"#,
            "Unexpected end-of-input in field name",
            25,
            config,
        ),
        (
            r#"{"name":"e","config":{"a""#,
            "Unexpected end-of-input within/between Object entries",
            26,
            config,
        ),
        (
            r#"{"name":"e","config":{"a":01}}"#,
            "Invalid numeric value: Leading zeroes not allowed",
            28,
            config,
        ),
        (
            r#"{"name":"e","config":{"a":tru}}"#,
            "Unrecognized token 'tru': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            27,
            config,
        ),
        (
            r#"{"name":"e","config":{"a":"\q"}}"#,
            "Unrecognized character escape 'q' (code 113)",
            29,
            config,
        ),
        (
            "{\"name\":\"e\",\"config\":{\"a\":\"x\ny\"}}",
            "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in string value",
            29,
            config,
        ),
    ] {
        assert_eq!(refused(body), format!("{text}{}", at(column, chain)), "{body}");
    }
    assert_eq!(
        refused(r#"{"name":"e""#),
        format!(
            "Unexpected end-of-input: expected close marker for Object (start marker at [{SOURCE}; line: 1, column: 1]){}",
            at(12, "")
        )
    );
}

#[test]
fn wrong_shapes_are_told_with_their_place_and_chain() {
    let create = format!("{ENTITIES}.CreateConnectorRequest");
    let string = "Cannot deserialize value of type `java.lang.String` from";
    let constructed = |class: &str, from: &str| {
        format!("Cannot construct instance of `{class}` (although at least one Creator exists): no {from}")
    };
    let map = "java.util.LinkedHashMap";
    for (body, text, column, chain) in [
        ("[1", format!("Cannot deserialize value of type `{create}` from Array value (token `JsonToken.START_ARRAY`)"), 1, ""),
        ("\"x\"", constructed(&create, "String-argument constructor/factory method to deserialize from String value ('x')"), 1, ""),
        ("3", constructed(&create, "int/Int-argument constructor/factory method to deserialize from Number value (3)"), 1, ""),
        (r#"{"name":"e","config":"x"}"#, constructed(map, "String-argument constructor/factory method to deserialize from String value ('x')"), 22, "[\"config\"]"),
        (r#"{"name":"e","config":true}"#, "Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.String,java.lang.String>` from Boolean value (token `JsonToken.VALUE_TRUE`)".to_owned(), 22, "[\"config\"]"),
        (r#"{"name":"e","config":{"a":{"b":1}}}"#, format!("{string} Object value (token `JsonToken.START_OBJECT`)"), 27, "[\"config\"]->java.util.LinkedHashMap[\"a\"]"),
        (r#"{"name":["e"],"config":{}}"#, format!("{string} Array value (token `JsonToken.START_ARRAY`)"), 9, "[\"name\"]"),
        (r#"{"name":"e","config":{},"initial_state":"bad"}"#, format!("Cannot construct instance of `{create}$InitialState`, problem: No enum constant {create}.InitialState.BAD"), 41, "[\"initial_state\"]"),
        (r#"{"name":"e","configs":{}}"#, format!("Unrecognized field \"configs\" (class {create}), not marked as ignorable (3 known properties: \"config\", \"name\", \"initial_state\")"), 26, "[\"configs\"]"),
        (r#"{"name":"e","config":{},"zzz":{"a":1},"initial_state":"RUNNING"}"#, format!("Unrecognized field \"zzz\" (class {create}), not marked as ignorable (3 known properties: \"config\", \"name\", \"initial_state\")"), 65, "[\"zzz\"]"),
    ] {
        assert_eq!(refused(body), format!("{text}{}", at(column, chain)), "{body}");
    }
    let second_line = refused("{\"name\":\"e\",\n  \"config\":{\"a\":{\"b\":1}}}");
    assert!(second_line.contains("line: 2, column: 17]"), "{second_line}");
}

#[test]
fn offsets_are_read_and_their_faults_told() {
    let read = offsets(br#"{"offsets":[{"partition":{"f":"/x"},"offset":{"p":5}},{"offset":null}]}"#).expect("valid");
    assert_eq!(read[0].partition, json!({"f": "/x"}).as_object().cloned());
    assert_eq!(read[0].offset, json!({"p": 5}).as_object().cloned());
    assert_eq!((&read[1].partition, &read[1].offset), (&None, &None));
    let refused = |body: &str| {
        let error = offsets(body.as_bytes()).expect_err(body);
        format!("{} {}", error.status.as_u16(), error.message)
    };
    let needed = "400 Partitions / offsets need to be provided for an alter offsets request";
    assert_eq!(refused("{}"), needed);
    assert_eq!(refused(r#"{"offsets":[]}"#), needed);
    assert_eq!(
        refused(""),
        format!("500 Cannot invoke \"{ENTITIES}.ConnectorOffsets.offsets()\" because \"offsets\" is null")
    );
    assert_eq!(
        refused(r#"{"offsets":[null]}"#),
        format!("500 Cannot invoke \"{ENTITIES}.ConnectorOffset.partition()\" because \"offset\" is null")
    );
    assert_eq!(
        refused(r#"{"offset":[]}"#),
        format!(
            "500 Unrecognized field \"offset\" (class {ENTITIES}.ConnectorOffsets), not marked as ignorable (one known property: \"offsets\")\n at [{SOURCE}; line: 1, column: 14] (through reference chain: {ENTITIES}.ConnectorOffsets[\"offset\"])"
        )
    );
    let list = refused(r#"{"offsets":3}"#);
    assert!(list.starts_with(&format!("500 Cannot deserialize value of type `java.util.ArrayList<{ENTITIES}.ConnectorOffset>` from Integer value (token `JsonToken.VALUE_NUMBER_INT`)\n at [{SOURCE}; line: 1, column: 12]")), "{list}");
    let nested = refused(r#"{"offsets":[{"partitions":{},"offset":{}}]}"#);
    assert!(nested.ends_with(&format!("column: 42] (through reference chain: {ENTITIES}.ConnectorOffsets[\"offsets\"]->java.util.ArrayList[0]->{ENTITIES}.ConnectorOffset[\"partitions\"])")), "{nested}");
}

#[test]
fn task_configs_of_another_worker_are_a_list_of_maps() {
    let configs = task_configs(br#"[{"a":"1"},{}]"#).expect("valid");
    assert_eq!(configs.len(), 2);
    let empty = task_configs(b"").expect_err("no content").message;
    assert_eq!(
        empty,
        format!("No content to map due to end-of-input\n at [{SOURCE}; line: 1]")
    );
    assert!(task_configs(b"{}").is_err());
}

#[test]
fn hostile_bodies_end_in_a_refusal() {
    let deep = "[".repeat(5000);
    for body in [
        deep.as_bytes(),
        b"\xff\xfe",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\\u12",
        b"-",
        b"1.",
        b"\"\\ud800\"",
    ] {
        assert!(offsets(body).is_err(), "{body:?}");
    }
}
