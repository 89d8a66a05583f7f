use weir_config::def::{ConfigDef, ConfigKey, ConfigType};
use weir_config::map::ConfigMap;

use super::*;

const SECRET: &str = "p\"w +\u{e4}&";

fn secrets() -> (Secrets, String) {
    let definition = ConfigDef::new().key(ConfigKey::new("p", ConfigType::Password));
    let secrets = Secrets::new("c", Some(&definition));
    let config: ConfigMap = [("p", SECRET)].into_iter().collect();
    let reference = secrets.conceal(&config).get("p").expect("kept").to_owned();
    (secrets, reference)
}

struct Sent {
    url: reqwest::Url,
    headers: HeaderMap,
    body: Bytes,
}

fn send(secrets: &Secrets, url: &str, headers: &[(&'static str, String)], body: &str) -> Result<Sent, Error> {
    let mut sent = Sent {
        url: reqwest::Url::parse(url).expect("an URL"),
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_owned()),
    };
    for (name, value) in headers {
        sent.headers
            .insert(*name, HeaderValue::from_str(value).expect("a header"));
    }
    let mut parts = Fillable {
        url: &mut sent.url,
        headers: &mut sent.headers,
        body: Some(&mut sent.body),
    };
    if parts.needs_secrets(secrets) {
        parts.fill(secrets)?;
    }
    Ok(sent)
}

fn json_type(media: &str) -> Vec<(&'static str, String)> {
    vec![("content-type", media.to_owned())]
}

#[test]
fn a_value_is_encoded_by_its_place() {
    let (secrets, token) = secrets();
    let url = format!("http://h/p?key={token}&x=1");
    let sent = send(&secrets, &url, &[("x-key", token.clone())], "").expect("filled");
    assert_eq!(sent.url.query(), Some("key=p%22w%20%2B%C3%A4%26&x=1"));
    let header = sent.headers.get("x-key").expect("kept");
    assert_eq!(header.as_bytes(), SECRET.as_bytes());
    assert!(header.is_sensitive());

    let body = |media: &str, text: &str| {
        let sent = send(&secrets, "http://h/", &json_type(media), text).expect("filled");
        String::from_utf8(sent.body.to_vec()).expect("text")
    };
    assert_eq!(
        body("application/x-www-form-urlencoded", &format!("a=1&p={token}")),
        "a=1&p=p%22w%20%2B%C3%A4%26"
    );
    let json = body(
        "application/json; charset=utf-8",
        &format!(r#"{{"a":"\"{token}","b":"{token}"}}"#),
    );
    let value: serde_json::Value = serde_json::from_str(&json).expect("still JSON");
    assert_eq!(value, serde_json::json!({"a": format!("\"{SECRET}"), "b": SECRET}));
    assert_eq!(body("text/plain", &format!("<{token}>")), format!("<{SECRET}>"));
    assert_eq!(body("application/json", &token), SECRET, "a body that is the secret");
    let binary = format!("<{token}>");
    assert_eq!(body("application/octet-stream", &binary), binary);
}

#[test]
fn basic_credentials_are_composed_and_kept_out_of_texts() {
    let (secrets, token) = secrets();
    let sent = send(
        &secrets,
        "http://h/",
        &[("authorization", format!("Basic user:{token}"))],
        "",
    )
    .expect("filled");
    let encoded = crate::redact::base64(format!("user:{SECRET}").as_bytes());
    assert_eq!(
        sent.headers.get("authorization").expect("kept").to_str().ok(),
        Some(format!("Basic {encoded}").as_str())
    );
    assert_eq!(secrets.redact(&format!("sent {encoded}")), "sent [hidden]");
    let sent = send(&secrets, "http://h/", &[("x-note", format!("Basic {token}"))], "").expect("filled");
    assert!(
        sent.headers
            .get("x-note")
            .is_some_and(|value| value.as_bytes().starts_with(b"Basic p"))
    );
}

#[test]
fn what_stands_for_nothing_is_sent_as_it_is() {
    let (secrets, _) = secrets();
    let foreign = "weir-secret-00000000000000000000000000000000";
    let sent = send(&secrets, &format!("http://h/?k={foreign}"), &[], foreign).expect("sent");
    assert_eq!(sent.url.query(), Some(format!("k={foreign}").as_str()));
    assert_eq!(sent.body, foreign.as_bytes());
}

#[test]
fn a_header_cannot_be_split_by_a_secret() {
    let definition = ConfigDef::new().key(ConfigKey::new("p", ConfigType::Password));
    let secrets = Secrets::new("c", Some(&definition));
    let reference = |value: &str| {
        let config: ConfigMap = [("p", value)].into_iter().collect();
        secrets.conceal(&config).get("p").expect("kept").to_owned()
    };
    let split = send(&secrets, "http://h/", &[("x-key", reference("abcd\r\nX-Admin: 1"))], "");
    let refused = split.err();
    assert!(
        matches!(&refused, Some(Error::InternalError(Some(text))) if text.contains("x-key") && !text.contains("abcd")),
        "{refused:?}"
    );
    let ended = send(&secrets, "http://h/", &[("x-key", reference("from-a-file\n"))], "").expect("filled");
    assert_eq!(ended.headers.get("x-key").expect("kept"), "from-a-file");
}
