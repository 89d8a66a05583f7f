use weir_config::def::ConfigKey;

use super::*;

fn secrets() -> Secrets {
    let definition = ConfigDef::new()
        .key(ConfigKey::new("token", ConfigType::Password))
        .key(ConfigKey::new("headers", ConfigType::Password))
        .key(ConfigKey::new("url", ConfigType::Text));
    Secrets::new("x", Some(&definition))
}

fn config() -> ConfigMap {
    [("token", "s3cr3t"), ("url", "http://h"), ("headers", "")]
        .into_iter()
        .collect()
}

#[test]
fn the_guest_sees_references_and_task_configs_hold_values_again() {
    let secrets = secrets();
    let config = config();
    let seen = secrets.conceal(&config).into_owned();
    let reference = seen.get("token").expect("kept").to_owned();
    assert_eq!(references(&reference).next(), Some((0, reference.as_str())));
    assert_eq!((seen.get("url"), seen.get("headers")), (Some("http://h"), Some("")));
    assert_eq!(secrets.value(&reference).as_deref(), Some("s3cr3t"));
    assert_eq!(*secrets.conceal(&config), seen, "equal settings stay equal");
    assert_eq!(secrets.reveal(seen).expect("allowed"), config);
}

#[test]
fn references_of_other_connectors_and_of_nobody_mean_nothing() {
    let (mine, others) = (secrets(), Secrets::new("y", None));
    let seen = mine.conceal(&config()).into_owned();
    assert_eq!(others.value(seen.get("token").expect("kept")), None);
    assert_ne!(reference("x", "token", "s3cr3t"), reference("y", "token", "s3cr3t"));
    assert_eq!(references("weir-secret-0123 and weir-secret-zz").count(), 0);
}

#[test]
fn a_class_that_does_not_ask_sees_the_values_and_its_texts_are_still_kept_free_of_them() {
    let secrets = secrets();
    secrets.set_hides(false);
    assert_eq!(*secrets.conceal(&config()), config());
    assert_eq!(secrets.redact("wrong token s3cr3t"), "wrong token [hidden]");
    assert_eq!(secrets.learn("access-token"), "access-token");
    assert_eq!(secrets.redact("got access-token"), "got [hidden]");
}

#[test]
fn a_task_config_shows_no_secret_where_it_would_be_stored_in_clear() {
    let secrets = secrets();
    let seen = secrets.conceal(&config()).into_owned();
    let reference = seen.get("token").expect("kept").to_owned();
    let learned = secrets.learn("access-token");
    let check = |key: &str, value: &str| {
        let task: ConfigMap = [(key, value)].into_iter().collect();
        let refused = secrets.reveal(task).expect_err("refused");
        assert!(
            refused.message.contains(key) && !refused.message.contains("s3cr3t"),
            "{refused}"
        );
    };
    check("url", &reference);
    check("token", &format!("Bearer {reference}"));
    check("token", &learned);
}

#[test]
fn secrets_with_names_are_taken_apart() {
    let secrets = secrets();
    let config: ConfigMap = [("headers", "X-Key: abc-def\nX-Other:ghi-jkl:m\nnonsense")]
        .into_iter()
        .collect();
    let seen = secrets.conceal(&config).into_owned();
    let entries = secrets.entries(seen.get("headers").expect("kept"));
    let named: Vec<(&str, Option<String>)> = entries
        .iter()
        .map(|(name, reference)| (name.as_str(), secrets.value(reference)))
        .collect();
    assert_eq!(
        named,
        [
            ("X-Key", Some("abc-def".to_owned())),
            ("X-Other", Some("ghi-jkl:m".to_owned()))
        ]
    );
    assert_eq!(secrets.redact("sent abc-def"), "sent [hidden]");
    assert_eq!(
        named_values(r#"{"a": "1", "b": 2}"#),
        [("a".to_owned(), "1".to_owned())]
    );
}

#[test]
fn what_an_instance_learns_is_bounded() {
    let secrets = secrets();
    let first = secrets.learn("token number 0");
    for number in 1..=MAX_LEARNED {
        secrets.learn(&format!("token number {number}"));
    }
    assert_eq!(secrets.value(&first), None);
    assert_eq!(secrets.table.read().by_reference.len(), MAX_LEARNED);
    assert_eq!(secrets.redact("token number 64"), "[hidden]");
}
