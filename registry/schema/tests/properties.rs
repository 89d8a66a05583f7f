//! What holds for every schema, on random ones

mod support;

use proptest::prelude::*;
use weir_schema::avro::parse::{ParseAvro, parse};
use weir_schema::avro::{canonical, compatibility, normalize, schema::AvroSchema};
use weir_schema::compatibility::{Previous, check};
use weir_schema::level::Level;
use weir_schema::schema::{ParseOptions, ParsedSchema, SchemaType};

fn read(text: &str) -> AvroSchema {
    parse(text, &[], ParseAvro { validate: true }).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn parsed(shape: &support::Shape) -> ParsedSchema {
    let text = support::text(shape);
    ParsedSchema::parse(SchemaType::Avro, &text, &[], ParseOptions { validate: true }).expect("a schema")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_canonical_text_holds_the_whole_schema(shape in support::shape()) {
        let schema = read(&support::text(&shape));
        let canonical = canonical::canonical_text(&schema);
        prop_assert_eq!(&read(&canonical), &schema);
        prop_assert_eq!(canonical::canonical_text(&read(&canonical)), canonical.clone());
        prop_assert_eq!(canonical::resolved_text(&schema), canonical.clone());
        let stored = parse(&canonical, &[], ParseAvro { validate: false }).expect("a schema");
        prop_assert_eq!(stored, schema);
    }

    #[test]
    fn normalizing_twice_changes_nothing_more(shape in support::shape()) {
        let schema = read(&support::text(&shape));
        let normalized = normalize::normalized_text(&schema);
        let again = read(&normalized);
        prop_assert_eq!(normalize::normalized_text(&again), normalized);
        prop_assert_eq!(compatibility::differences(&again, &schema), Ok(Vec::new()));
        prop_assert_eq!(compatibility::differences(&schema, &again), Ok(Vec::new()));
    }

    #[test]
    fn a_schema_is_compatible_with_itself(shape in support::shape()) {
        let schema = parsed(&shape);
        let previous = [Previous { version: 1, schema: &schema }, Previous { version: 2, schema: &schema }];
        for level in Level::ALL {
            prop_assert_eq!(check(level, &schema, &previous), Vec::<String>::new());
        }
    }

    #[test]
    fn levels_follow_from_each_other(versions in support::versions()) {
        let schemas: Vec<ParsedSchema> = versions.iter().map(parsed).collect();
        let (new, old) = schemas.split_last().expect("two at least");
        let previous: Vec<Previous<'_>> =
            old.iter().zip(1..).map(|(schema, version)| Previous { version, schema }).collect();
        let fits = |level: Level, previous: &[Previous<'_>]| check(level, new, previous).is_empty();
        let each = |level: Level| previous.iter().all(|one| fits(level, std::slice::from_ref(one)));
        prop_assert!(fits(Level::None, &previous));
        prop_assert_eq!(fits(Level::Full, &previous), fits(Level::Backward, &previous) && fits(Level::Forward, &previous));
        prop_assert_eq!(fits(Level::BackwardTransitive, &previous), each(Level::Backward));
        prop_assert_eq!(fits(Level::ForwardTransitive, &previous), each(Level::Forward));
        prop_assert_eq!(fits(Level::FullTransitive, &previous), each(Level::Full));
        for (level, transitive) in [
            (Level::Backward, Level::BackwardTransitive),
            (Level::Forward, Level::ForwardTransitive),
            (Level::Full, Level::FullTransitive),
        ] {
            prop_assert!(!fits(transitive, &previous) || fits(level, &previous));
        }
    }

    #[test]
    fn a_reference_is_as_good_as_the_text_itself(shape in support::shape()) {
        let text = support::text(&shape);
        let schema = read(&text);
        let Some(name) = schema.root_node().kind.name() else { return Ok(()) };
        let user = format!(r#"{{"type":"record","name":"User","fields":[{{"name":"f","type":"{name}"}}]}}"#);
        let by_name = parse(&user, &[text.as_str()], ParseAvro { validate: true }).expect("a schema");
        prop_assert_eq!(canonical::canonical_text(&by_name), user);
        let whole = format!(r#"{{"type":"record","name":"User","fields":[{{"name":"f","type":{text}}}]}}"#);
        let whole = read(&whole);
        prop_assert_eq!(canonical::resolved_text(&by_name), canonical::canonical_text(&whole));
        prop_assert_eq!(compatibility::differences(&by_name, &whole), Ok(Vec::new()));
    }

    #[test]
    fn other_readers_of_avro_take_what_we_print(shape in support::shape()) {
        // Inside a namespace apache-avro does not find types that have none.
        let canonical = canonical::canonical_text(&read(&support::text_in_namespace(&shape)));
        let theirs = apache_avro::Schema::parse_str(&canonical);
        prop_assert!(theirs.is_ok(), "{}\n{}", canonical, theirs.expect_err("an error"));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        for validate in [true, false] {
            let _outcome = parse(&text, &[], ParseAvro { validate });
        }
    }

    #[test]
    fn any_json_is_read_or_refused(text in support::json_text()) {
        for validate in [true, false] {
            if let Ok(schema) = parse(&text, &[], ParseAvro { validate }) {
                prop_assert_eq!(compatibility::differences(&schema, &schema).is_ok(), true);
                let canonical = canonical::canonical_text(&schema);
                prop_assert!(parse(&canonical, &[], ParseAvro { validate }).is_ok(), "{}", canonical);
            }
        }
    }
}
