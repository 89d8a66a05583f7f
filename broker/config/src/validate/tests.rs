//! Tests of validation as Kafka answers it

use super::{ACCEPT_ALL, Hooks, ValueInfo};
use crate::def::{ConfigDef, ConfigKey, Validator};
use crate::map::ConfigMap;

fn definition() -> ConfigDef {
    ConfigDef::new()
        .key(ConfigKey::text("name"))
        .key(
            ConfigKey::int("tasks.max")
                .default("1")
                .validator(Validator::at_least(1)),
        )
        .key(ConfigKey::list("topics").default(""))
        .key(ConfigKey::password("secret").default_null())
        .key(ConfigKey::class("key.converter").default_null())
        .key(ConfigKey::double("ratio").default("0.5"))
}

fn config(entries: &[(&str, &str)]) -> ConfigMap {
    entries.iter().copied().collect()
}

fn info<'a>(infos: &'a [ValueInfo], name: &str) -> &'a ValueInfo {
    infos.iter().find(|info| info.name == name).expect("key is listed")
}

#[test]
fn unparsable_value_has_two_errors_and_no_value() {
    let infos = definition().validate(&config(&[("name", "n"), ("tasks.max", "x")]));
    let tasks = info(&infos, "tasks.max");
    assert_eq!(tasks.value, None);
    assert_eq!(
        tasks.errors,
        [
            "Invalid value x for configuration tasks.max: Not a number of type INT",
            "Invalid value null for configuration tasks.max: Value must be non-null"
        ]
    );
}

#[test]
fn missing_defaults_and_hidden_values() {
    let infos = definition().validate(&config(&[("secret", "hunter2"), ("topics", "a , b")]));
    assert_eq!(
        info(&infos, "name").errors,
        ["Missing required configuration \"name\" which has no default value."]
    );
    assert_eq!(info(&infos, "tasks.max").value.as_deref(), Some("1"));
    assert_eq!(info(&infos, "topics").value.as_deref(), Some("a,b"));
    assert_eq!(info(&infos, "secret").value.as_deref(), Some("[hidden]"));
    assert_eq!(info(&infos, "key.converter").value, None);
    assert_eq!(info(&infos, "ratio").value.as_deref(), Some("0.5"));
}

#[test]
fn unknown_class_and_custom_errors_come_from_hooks() {
    let hooks = Hooks {
        class_exists: &|class| class == "Json",
        custom: &|key, value| (key.name == "name").then(|| format!("custom {value:?}")),
    };
    let infos = definition().validate_with(&config(&[("name", "n"), ("key.converter", "Nope")]), &hooks);
    assert_eq!(
        info(&infos, "key.converter").errors,
        ["Invalid value Nope for configuration key.converter: Class Nope could not be found."]
    );
    assert_eq!(info(&infos, "name").errors, ["custom Some(Text(\"n\"))"]);
    assert!(
        definition()
            .validate_with(&config(&[("name", "n"), ("key.converter", "Nope")]), &ACCEPT_ALL)
            .iter()
            .all(|info| info.errors.is_empty())
    );
}

#[test]
fn dependents_are_followed_and_circles_end() {
    let definition = ConfigDef::new()
        .key(ConfigKey::text("parent").dependents(&["child", "ghost"]))
        .key(ConfigKey::int("child").dependents(&["grandchild"]))
        .key(ConfigKey::int("grandchild").default("1").dependents(&["child"]));
    let infos = definition.validate(&config(&[("parent", "p")]));
    assert_eq!(
        info(&infos, "child").errors.first().map(String::as_str),
        Some("Missing required configuration \"child\" which has no default value.")
    );
    let ghost = info(&infos, "ghost");
    assert_eq!(
        (ghost.errors.as_slice(), ghost.visible),
        (
            ["ghost is referred in the dependents, but not defined.".to_owned()].as_slice(),
            false
        )
    );
    let error = definition
        .parse(&config(&[("parent", "p")]))
        .expect_err("undefined dependent");
    assert_eq!(
        error.to_string(),
        "Some configurations in are referred in the dependents, but not defined: ghost"
    );
}

#[test]
fn parsed_values_have_types() {
    let mut given = config(&[("name", " n "), ("tasks.max", "7"), ("secret", "hunter2")]);
    given.insert_entry("topics", None);
    let parsed = definition().parse(&given).expect("valid");
    assert_eq!(parsed.get_text("name"), Ok("n"));
    assert_eq!(parsed.get_int("tasks.max"), Ok(7));
    assert_eq!(
        parsed.get_password("secret").map(|secret| secret.reveal()),
        Ok("hunter2")
    );
    assert!(!format!("{parsed:?}").contains("hunter2"));
    assert_eq!(parsed.opt_list("topics"), None);
    assert_eq!(
        parsed.get_list("topics").expect_err("null").to_string(),
        "Invalid value null for configuration topics: Value must be non-null"
    );
    assert_eq!(
        parsed.get_int("nope").expect_err("undefined").to_string(),
        "Unknown configuration 'nope'"
    );
    assert_eq!(
        definition().parse(&config(&[])).expect_err("missing").to_string(),
        "Missing required configuration \"name\" which has no default value."
    );
}

#[test]
fn definition_refuses_repeats_and_bad_defaults() {
    let mut definition = definition();
    assert_eq!(
        definition
            .try_key(ConfigKey::text("name"))
            .expect_err("repeat")
            .to_string(),
        "Configuration name is defined twice."
    );
    let bad = ConfigKey::int("n").default("0").validator(Validator::at_least(1));
    assert_eq!(
        definition.try_key(bad).expect_err("default").to_string(),
        "Invalid value 0 for configuration n: Value must be at least 1"
    );
}
