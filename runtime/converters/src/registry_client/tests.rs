//! What the client sends, keeps, tries again and says

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use weir_config::secret::Password;

use super::RegistryClient;
use super::fixture::FixtureRegistry;
use crate::registry_http::{Call, CallError};
use crate::registry_settings::{Authorization, RegistrySettings, TlsSettings};

fn settings(urls: &[&str]) -> RegistrySettings {
    RegistrySettings {
        urls: urls.iter().map(|url| Password::new(*url)).collect(),
        authorization: Authorization::None,
        tls: TlsSettings::default(),
        connect_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(10),
        max_retries: 2,
        retry_wait: Duration::from_millis(1),
        retry_max_wait: Duration::from_millis(2),
        proxy: None,
        headers: Vec::new(),
        max_schemas: 100,
    }
}

fn register(subject: &str, schema: &str, normalize: bool) -> Call {
    Call::Register {
        subject: subject.to_owned(),
        schema: schema.into(),
        normalize,
    }
}

/// An address that nobody listens at.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("bound"))
}

#[test]
fn registering_asks_once() {
    let registry = FixtureRegistry::start();
    let client = RegistryClient::shared(&settings(&[&registry.url])).expect("client");
    for _ in 0..3 {
        let answer = client
            .call(&register("a/b-value", "\"int\"", false))
            .expect("registered");
        assert_eq!(answer.id, Some(1));
    }
    let asked = registry.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "POST /subjects/a%2Fb-value/versions");
    assert_eq!(asked[0].body, r#"{"schema":"\"int\"","schemaType":"AVRO"}"#);
}

#[test]
fn normalizing_is_asked_for_in_the_query() {
    let registry = FixtureRegistry::start();
    let mut settings = settings(&[&registry.url]);
    settings.authorization = Authorization::Bearer(Password::new("t0ken"));
    let client = RegistryClient::shared(&settings).expect("client");
    assert_eq!(
        client.call(&register("s", "\"int\"", true)).expect("registered").id,
        Some(1)
    );
    let look_up = Call::LookUp {
        subject: "s".to_owned(),
        schema: "\"int\"".into(),
        references: Vec::new(),
        normalize: true,
        deleted: false,
    };
    assert_eq!(client.call(&look_up).expect("found").version, Some(1));
    let asked = registry.asked();
    assert_eq!(asked[0].line, "POST /subjects/s/versions?normalize=true");
    assert_eq!(asked[1].line, "POST /subjects/s?normalize=true&deleted=false");
    assert!(
        asked
            .iter()
            .all(|asked| asked.authorization.as_deref() == Some("Bearer t0ken"))
    );
}

#[test]
fn credentials_come_from_url_or_settings() {
    let registry = FixtureRegistry::start();
    let with_user = registry.url.replace("http://", "http://ann:secret@");
    let client = RegistryClient::shared(&settings(&[&with_user])).expect("client");
    client.call(&register("s", "\"int\"", false)).expect("registered");
    client.call(&register("s", "\"int\"", true)).expect("registered");
    let mut settings = settings(&[&registry.url]);
    settings.authorization = Authorization::Basic {
        user: "ann".to_owned(),
        password: Password::new("secret"),
    };
    let client = RegistryClient::shared(&settings).expect("client");
    client.call(&register("s", "\"int\"", false)).expect("registered");
    let asked = registry.asked();
    assert_eq!(asked.len(), 3);
    for asked in asked {
        assert_eq!(
            asked.authorization.as_deref(),
            Some("Basic YW5uOnNlY3JldA=="),
            "{}",
            asked.line
        );
    }
}

#[test]
fn a_registry_that_is_down_is_passed_over() {
    let registry = FixtureRegistry::start();
    let client = RegistryClient::shared(&settings(&[&nowhere(), &registry.url])).expect("client");
    assert_eq!(
        client.call(&register("s", "\"int\"", false)).expect("registered").id,
        Some(1)
    );
}

#[test]
fn what_failed_on_the_way_is_tried_again() {
    let registry = FixtureRegistry::start();
    registry.answer_next(503, 50003, "busy");
    registry.answer_next(500, 50001, "store");
    let client = RegistryClient::shared(&settings(&[&registry.url])).expect("client");
    assert_eq!(
        client.call(&register("s", "\"int\"", false)).expect("registered").id,
        Some(1)
    );
    assert_eq!(registry.asked().len(), 3);
}

#[test]
fn an_unreachable_registry_is_named_without_credentials() {
    let down = nowhere();
    let secret = down.replace("http://", "http://mallory:s3cret@");
    let client = RegistryClient::shared(&settings(&[&secret])).expect("client");
    for normalize in [false, true] {
        let Err(CallError::Unreachable(message)) = client.call(&register("t-value", "\"int\"", normalize)) else {
            panic!("nobody is there")
        };
        assert!(
            message.starts_with("Error registering schema under subject t-value: "),
            "{message}"
        );
        assert!(
            message.contains(&format!("schema registry at {down} cannot be reached")),
            "{message}"
        );
        assert!(message.contains("Connection refused"), "{message}");
        assert!(!message.contains("s3cret") && !message.contains("mallory"), "{message}");
    }
    assert!(
        !format!("{client:?}").contains("s3cret"),
        "debug text shows the password"
    );
}

#[test]
fn refusals_carry_the_registrys_words_and_are_not_tried_again() {
    let registry = FixtureRegistry::start();
    let client = RegistryClient::shared(&settings(&[&registry.url])).expect("client");
    for (status, code, call, message) in [
        (
            409,
            409,
            register("s", "\"long\"", false),
            "Error registering schema under subject s: no; error code: 409",
        ),
        (
            409,
            40901,
            register("s", "\"long\"", true),
            "Error registering schema under subject s: no; error code: 40901",
        ),
        (
            422,
            42201,
            register("s", "x", false),
            "Error registering schema under subject s: no; error code: 42201",
        ),
        (
            404,
            40403,
            Call::ById { id: 9 },
            "Error retrieving schema for id 9: no; error code: 40403",
        ),
        (
            401,
            401,
            Call::ById { id: 8 },
            "Error retrieving schema for id 8: no; error code: 401",
        ),
    ] {
        registry.answer_next(status, code, "no");
        let before = registry.asked().len();
        assert_eq!(
            client.call(&call),
            Err(CallError::Refused {
                status,
                message: message.to_owned()
            })
        );
        assert_eq!(registry.asked().len(), before + 1);
    }
}

#[test]
fn equal_settings_share_a_client_and_equal_calls_an_answer() {
    let registry = FixtureRegistry::start();
    let settings = settings(&[&registry.url]);
    let client = RegistryClient::shared(&settings).expect("client");
    assert!(Arc::ptr_eq(
        &client,
        &RegistryClient::shared(&settings).expect("client")
    ));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let client = Arc::clone(&client);
            std::thread::spawn(move || client.call(&register("s", "\"int\"", false)).map(|answer| answer.id))
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.join().expect("joined"), Ok(Some(1)));
    }
    assert_eq!(registry.asked().len(), 1);
}

#[test]
fn callers_on_a_runtime_do_not_block_it() {
    let registry = FixtureRegistry::start();
    let client = RegistryClient::shared(&settings(&[&registry.url])).expect("client");
    let call = register("s", "\"int\"", false);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("runtime");
    let (one, own) = (Arc::clone(&client), call.clone());
    let answer = runtime.block_on(async move { tokio::spawn(async move { one.call(&own) }).await.expect("task") });
    assert_eq!(answer.map(|answer| answer.id), Ok(Some(1)));
    let single = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    assert_eq!(
        single.block_on(async { client.call(&call) }).map(|answer| answer.id),
        Ok(Some(1))
    );
}

#[test]
fn references_come_dependencies_first() {
    let registry = FixtureRegistry::start();
    registry.register("a", json!({"schema": "A"}));
    registry.register(
        "b",
        json!({"schema": "B", "references": [{"name": "A", "subject": "a", "version": 1}]}),
    );
    let top = json!({"schema": "C", "references": [{"name": "B", "subject": "b", "version": 1}, {"name": "A", "subject": "a", "version": 1}]});
    let id = registry.register("c", top);
    let client = RegistryClient::shared(&settings(&[&registry.url])).expect("client");
    let schema = client.call(&Call::ById { id: id as u32 }).expect("schema");
    assert_eq!(client.references(&schema).expect("texts"), ["A", "B"]);
}

#[test]
fn an_answer_that_is_no_registrys_is_not_believed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            use std::io::{Read, Write};
            let mut stream = stream;
            let mut buffer = [0; 4096];
            let _read = stream.read(&mut buffer);
            let _written = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n<html");
        }
    });
    let client = RegistryClient::shared(&settings(&[&url])).expect("client");
    for call in [Call::ById { id: 1 }, register("s", "\"int\"", true)] {
        let Err(CallError::Unreachable(message)) = client.call(&call) else {
            panic!("believed")
        };
        assert!(message.contains("an answer that is not its own"), "{message}");
    }
}
