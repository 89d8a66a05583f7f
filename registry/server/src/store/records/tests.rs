use super::*;

/// Reads, compares with `expected`, writes again and compares the bytes.
#[track_caller]
fn check(key: &str, value: Option<&str>, expected: &Record) {
    let record = Record::parse(key.as_bytes(), value.map(str::as_bytes)).unwrap();
    assert_eq!(&record, expected);
    let bytes = record.to_bytes();
    assert_eq!(String::from_utf8(bytes.key).unwrap(), key);
    assert_eq!(
        bytes.value.map(|value| String::from_utf8(value).unwrap()).as_deref(),
        value
    );
}

fn schema(subject: &str, version: i32, id: i32, text: &str) -> SchemaValue {
    SchemaValue {
        subject: subject.to_owned(),
        version,
        id,
        md5: None,
        schema_type: None,
        references: Vec::new(),
        metadata: None,
        rule_set: None,
        schema: text.to_owned(),
        deleted: false,
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn schema_records_keep_their_bytes() {
    check(
        r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#,
        Some(r#"{"subject":"s","version":1,"id":1,"schema":"\"string\"","deleted":false}"#),
        &Record::Schema(Box::new(schema("s", 1, 1, "\"string\""))),
    );
    let full = SchemaValue {
        md5: some("kAFQmDzST7DWlj99KOF/cg=="),
        schema_type: some("AVRO"),
        references: vec![Reference {
            name: "n.R".to_owned(),
            subject: "r".to_owned(),
            version: 2,
        }],
        metadata: serde_json::from_str(r#"{"tags":{"p":["T"]},"properties":{"a":"1"},"sensitive":["a"]}"#).unwrap(),
        rule_set: serde_json::from_str(r#"{"domainRules":[{"name":"r","kind":"CONDITION","type":"CEL"}]}"#).unwrap(),
        deleted: true,
        ..schema(":.ctx:s", 3, 7, "\"int\"")
    };
    check(
        r#"{"keytype":"SCHEMA","subject":":.ctx:s","version":3,"magic":1}"#,
        Some(
            r#"{"subject":":.ctx:s","version":3,"id":7,"md5":"kAFQmDzST7DWlj99KOF/cg==","schemaType":"AVRO","references":[{"name":"n.R","subject":"r","version":2}],"metadata":{"tags":{"p":["T"]},"properties":{"a":"1"},"sensitive":["a"]},"ruleSet":{"domainRules":[{"name":"r","kind":"CONDITION","type":"CEL","disabled":false}]},"schema":"\"int\"","deleted":true}"#,
        ),
        &Record::Schema(Box::new(full)),
    );
    check(
        r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#,
        None,
        &Record::SchemaTombstone {
            subject: "s".to_owned(),
            version: 1,
        },
    );
}

#[test]
fn texts_are_escaped_as_jackson_does() {
    let value = schema("s", 1, 1, "a\u{1b}\n\"é😀/\u{7f}");
    let bytes = Record::Schema(Box::new(value)).to_bytes().value.unwrap();
    assert!(
        String::from_utf8(bytes)
            .unwrap()
            .contains("\"a\\u001B\\n\\\"é😀/\u{7f}\"")
    );
}

#[test]
fn settings_records_keep_their_bytes() {
    let level = ConfigValue {
        compatibility_level: some("FULL"),
        ..ConfigValue::default()
    };
    check(
        r#"{"keytype":"CONFIG","magic":0}"#,
        Some(r#"{"compatibilityLevel":"FULL"}"#),
        &Record::Config(None, Box::new(level)),
    );
    let full = ConfigValue {
        subject: some("s"),
        alias: some("t"),
        normalize: Some(true),
        validate_fields: Some(false),
        validate_new_schemas: Some(true),
        validate_rules: Some(true),
        compatibility_level: some("NONE"),
        compatibility_policy: some("STRICT"),
        compatibility_group: some("g"),
        default_metadata: serde_json::from_str(r#"{"properties":{"a":"1"}}"#).unwrap(),
        ..ConfigValue::default()
    };
    check(
        r#"{"keytype":"CONFIG","subject":"s","magic":0}"#,
        Some(
            r#"{"subject":"s","alias":"t","normalize":true,"validateFields":false,"validateNewSchemas":true,"validateRules":true,"compatibilityLevel":"NONE","compatibilityPolicy":"STRICT","compatibilityGroup":"g","defaultMetadata":{"properties":{"a":"1"}}}"#,
        ),
        &Record::Config(some("s"), Box::new(full)),
    );
    check(
        r#"{"keytype":"CONFIG","subject":"s","magic":0}"#,
        None,
        &Record::ConfigTombstone(some("s")),
    );
    check(
        r#"{"keytype":"MODE","subject":"s","magic":0}"#,
        Some(r#"{"subject":"s","mode":"READONLY"}"#),
        &Record::Mode(some("s"), Mode::ReadOnly),
    );
    check(
        r#"{"keytype":"MODE","magic":0}"#,
        Some(r#"{"mode":"IMPORT"}"#),
        &Record::Mode(None, Mode::Import),
    );
    check(r#"{"keytype":"MODE","magic":0}"#, None, &Record::ModeTombstone(None));
}

#[test]
fn the_other_kinds_keep_their_bytes() {
    check(r#"{"keytype":"NOOP","magic":0}"#, None, &Record::Noop);
    check(
        r#"{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}"#,
        Some(r#"{"subject":"s","version":3}"#),
        &Record::DeleteSubject {
            subject: "s".to_owned(),
            version: 3,
        },
    );
    check(
        r#"{"keytype":"CLEAR_SUBJECT","subject":"s","magic":0}"#,
        Some(r#"{"subject":"s"}"#),
        &Record::ClearSubject(some("s")),
    );
    check(
        r#"{"keytype":"CONTEXT","tenant":"default","context":".ctx","magic":0}"#,
        Some(r#"{"tenant":"default","context":".ctx"}"#),
        &Record::Context(".ctx".to_owned()),
    );
}

#[test]
fn other_orders_and_old_forms_are_read_and_written_in_order() {
    for (key, value, canonical) in [
        (
            r#"{"subject":"s","version":1,"magic":0,"keytype":"SCHEMA"}"#,
            r#"{"deleted":false,"schema":"\"int\"","id":4,"version":1,"subject":"s","x":[1]}"#,
            r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#,
        ),
        (
            r#"{"keytype":"CONFIG","subject":null,"magic":0}"#,
            r#"{"compatibilityLevel":"BACKWARD"}"#,
            r#"{"keytype":"CONFIG","magic":0}"#,
        ),
        (
            r#"{ "magic": 0, "keytype": "MODE", "subject": "s" }"#,
            r#"{"mode":"READWRITE","subject":"s"}"#,
            r#"{"keytype":"MODE","subject":"s","magic":0}"#,
        ),
    ] {
        let record = Record::parse(key.as_bytes(), Some(value.as_bytes())).unwrap();
        assert_eq!(String::from_utf8(record.to_bytes().key).unwrap(), canonical);
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    for (key, value, expected) in [
        ("{", Some("{}"), None),
        ("[]", Some("{}"), None),
        ("\u{0}\u{1}", None, None),
        (r#"{"keytype":"ASSOC","tenant":"default"}"#, Some("{}"), Some("ASSOC")),
        (r#"{"magic":0}"#, None, None),
        (r#"{"keytype":"SCHEMA","subject":"s"}"#, None, None),
        (
            r#"{"keytype":"SCHEMA","subject":"s","version":99999999999}"#,
            None,
            None,
        ),
        (r#"{"keytype":"SCHEMA","subject":"s","version":1}"#, Some("{}"), None),
        (r#"{"keytype":"SCHEMA","subject":"s","version":1}"#, Some("null"), None),
        (r#"{"keytype":"MODE"}"#, Some(r#"{"mode":"WHATEVER"}"#), None),
        (r#"{"keytype":"CONTEXT"}"#, Some("{}"), None),
    ] {
        let unread = Record::parse(key.as_bytes(), value.map(str::as_bytes)).unwrap_err();
        match expected {
            Some(kind) => assert_eq!(unread, Unread::UnknownKind(kind.to_owned())),
            None => assert!(matches!(unread, Unread::Malformed(_)), "{key}: {unread:?}"),
        }
    }
}

#[test]
fn modes_have_one_name_each() {
    for mode in [
        Mode::ReadWrite,
        Mode::ReadOnly,
        Mode::ReadOnlyOverride,
        Mode::Import,
        Mode::Forward,
    ] {
        assert_eq!(Mode::parse(&mode.as_str().to_lowercase()), Some(mode));
        assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{}\"", mode.as_str()));
    }
    assert_eq!(Mode::parse("x"), None);
}
