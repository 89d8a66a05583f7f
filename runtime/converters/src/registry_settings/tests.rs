//! Settings that are taken, and those refused by name

use weir_api::converter::ConverterSlot;
use weir_config::def::ConfigDef;
use weir_config::map::ConfigMap;

use super::{Authorization, RegistrySettings, SchemaLookup, WriteSchema, config_def, without_credentials};
use crate::subject_name::SubjectNameStrategy;

const URL: (&str, &str) = ("schema.registry.url", "http://a:1");

fn taken(more: &[(&str, &str)]) -> Result<(RegistrySettings, SchemaLookup), String> {
    let config: ConfigMap = [URL].iter().chain(more).copied().collect();
    let parsed = config_def(ConfigDef::new())
        .parse(&config)
        .map_err(|error| error.to_string())?;
    let lookup = SchemaLookup::new(&parsed, ConverterSlot::Value).map_err(|error| error.message)?;
    let settings = RegistrySettings::new(&parsed, Vec::new()).map_err(|error| error.message)?;
    Ok((settings, lookup))
}

fn refusal(more: &[(&str, &str)]) -> String {
    taken(more).expect_err("refused")
}

#[test]
fn defaults_are_confluents() {
    let (settings, lookup) = taken(&[]).expect("taken");
    assert_eq!(lookup.write, WriteSchema::Register);
    assert_eq!(lookup.strategy, SubjectNameStrategy::TopicName);
    assert!(!lookup.normalize);
    assert_eq!(settings.authorization, Authorization::None);
    assert_eq!((settings.max_retries, settings.retry_wait.as_millis()), (3, 1000));
    assert_eq!(
        (
            settings.retry_max_wait.as_millis(),
            settings.connect_timeout.as_millis()
        ),
        (20_000, 60_000)
    );
    assert_eq!(settings.max_schemas, 1000);
}

#[test]
fn the_schema_written_with_follows_confluents_order() {
    let write = |more: &[(&str, &str)]| taken(more).expect("taken").1.write;
    let off = ("auto.register.schemas", "false");
    assert_eq!(write(&[("use.latest.version", "true")]), WriteSchema::Register);
    assert_eq!(write(&[off]), WriteSchema::LookUp);
    assert_eq!(
        write(&[off, ("use.latest.version", "true")]),
        WriteSchema::Latest { strict: true }
    );
    assert_eq!(
        write(&[
            off,
            ("use.latest.version", "true"),
            ("use.schema.id", "7"),
            ("id.compatibility.strict", "false")
        ]),
        WriteSchema::Id { id: 7, strict: false }
    );
}

#[test]
fn several_urls_and_their_credentials() {
    let (settings, _) = taken(&[("schema.registry.url", "http://u:p@a:1/, https://b:2/sub/")]).expect("taken");
    let urls: Vec<&str> = settings.urls.iter().map(|url| url.reveal()).collect();
    assert_eq!(urls, ["http://u:p@a:1", "https://b:2/sub"]);
    assert_eq!(without_credentials("http://u:p@a:1/x@y"), "http://a:1/x@y");
    assert_eq!(without_credentials("nonsense"), "nonsense");
    let message = refusal(&[("schema.registry.url", "ftp://u:p@a:1")]);
    assert!(message.contains("ftp://a:1") && !message.contains("u:p"), "{message}");
    assert!(refusal(&[("schema.registry.url", "mock://x")]).contains("mock:// is not supported"));
}

#[test]
fn credentials_of_each_source() {
    let authorization = |more: &[(&str, &str)]| taken(more).map(|(settings, _)| settings.authorization);
    let user_info = ("basic.auth.credentials.source", "USER_INFO");
    for key in ["basic.auth.user.info", "schema.registry.basic.auth.user.info"] {
        let Ok(Authorization::Basic { user, password }) = authorization(&[user_info, (key, "ann:a:b")]) else {
            panic!("no user")
        };
        assert_eq!((user.as_str(), password.reveal()), ("ann", "a:b"));
    }
    let token = [
        ("bearer.auth.credentials.source", "STATIC_TOKEN"),
        ("bearer.auth.token", "t0ken"),
    ];
    assert!(matches!(authorization(&token), Ok(Authorization::Bearer(token)) if token.reveal() == "t0ken"));
    let message = refusal(&[user_info, ("basic.auth.user.info", "s3cret")]);
    assert!(
        message.contains("user:password") && !message.contains("s3cret"),
        "{message}"
    );
    assert!(refusal(&[("basic.auth.credentials.source", "SASL_INHERIT")]).contains("SASL_INHERIT"));
    assert!(refusal(&[("bearer.auth.credentials.source", "OAUTHBEARER")]).contains("OAUTHBEARER"));
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (key, value) in [
        ("use.latest.with.metadata", "a=b"),
        ("use.schema.guid", "g"),
        ("context.name.strategy", "com.example.Contexts"),
        (
            "value.schema.id.serializer",
            "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer",
        ),
    ] {
        let message = refusal(&[(key, value)]);
        assert!(
            message.starts_with(&format!("Invalid value {value} for configuration {key}")),
            "{message}"
        );
    }
    assert!(refusal(&[("value.subject.name.strategy", "com.example.Mine")]).contains("com.example.Mine"));
}

#[test]
fn only_pem_is_taken() {
    let trust = |kind: &str| {
        refusal(&[
            ("schema.registry.ssl.truststore.location", "/nowhere/trust"),
            ("schema.registry.ssl.truststore.type", kind),
        ])
    };
    assert!(trust("JKS").contains("Invalid value JKS for configuration schema.registry.ssl.truststore.type"));
    assert!(trust("PKCS12").contains("only PEM is supported"));
    assert!(trust("PEM").contains("cannot be read: /nowhere/trust"));
    let message = refusal(&[("schema.registry.ssl.keystore.location", "/nowhere/key")]);
    assert!(message.contains("JKS (the default)"), "{message}");
    let (settings, _) = taken(&[("schema.registry.ssl.truststore.certificates", "-----BEGIN")]).expect("taken");
    assert_eq!(settings.tls.trusted.as_deref(), Some("-----BEGIN"));
    let (settings, _) = taken(&[("schema.registry.ssl.endpoint.identification.algorithm", "")]).expect("taken");
    assert!(settings.tls.any_host);
}

#[test]
fn secrets_do_not_show() {
    let (settings, _) = taken(&[
        ("schema.registry.url", "http://u:s3cret@a:1"),
        ("basic.auth.credentials.source", "USER_INFO"),
        ("basic.auth.user.info", "ann:s3cret"),
    ])
    .expect("taken");
    assert!(!format!("{settings:?}").contains("s3cret"));
}
