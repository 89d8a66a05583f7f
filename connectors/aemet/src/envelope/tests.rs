//! Answers of both steps and their classes

use super::*;

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    Answer {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
        ..Answer::default()
    }
}

fn retry(reason: &str) -> Found {
    Found::Retry(reason.to_owned())
}

#[test]
fn estado_is_read_before_the_status() {
    let no_data = r#"{"descripcion":"No hay datos que satisfagan esos criterios","estado":404}"#;
    let exito = r#"{"descripcion":"exito","estado":200,"datos":" http://h/sh/1 ","metadatos":"http://h/sh/2"}"#;
    let address = Found::Address("http://h/sh/1".to_owned());
    for (status, body, found) in [
        (200, exito, address.clone()),
        (500, exito, address.clone()),
        (200, r#"{"datos":"http://h/sh/1"}"#, address.clone()),
        (200, r#"{"estado":"200","datos":"http://h/sh/1"}"#, address),
        (200, no_data, Found::Nothing),
        (404, no_data, Found::Nothing),
        (200, r#"{"estado":401}"#, Found::Fatal(KEY_HINT)),
        (401, r#"{"error":"no"}"#, Found::Fatal(KEY_HINT)),
        (403, "", Found::Fatal(KEY_HINT)),
        (200, r#"{"estado":429}"#, Found::TooMany(None)),
        (429, "<html>", Found::TooMany(None)),
        (200, r#"{"estado":500}"#, retry("estado 500")),
        (503, "<html>", retry("estado 503")),
        (200, r#"{"estado":200}"#, retry("the envelope has no datos")),
        (200, r#"{"estado":200,"datos":""}"#, retry("the envelope has no datos")),
        (200, r#"{"estado":200,"datos":7}"#, retry("the envelope has no datos")),
        (200, "", retry("the body is empty")),
        (200, "<html>", retry("the body is markup, not JSON")),
        (404, "<html>", retry("the body is markup, not JSON")),
        (200, "[1]", retry("the body is not an envelope")),
        (200, r#"{"estado":400}"#, Found::Fatal(REQUEST_HINT)),
        (400, "", Found::Fatal(REQUEST_HINT)),
    ] {
        assert_eq!(Found::envelope(&answer(status, &[], body), 0), found, "{status} {body}");
    }
    assert!(matches!(Found::envelope(&answer(302, &[], ""), 0), Found::Fatal(hint) if hint.contains("redirects")));
}

#[test]
fn headers_stand_in_for_the_body() {
    let header = [("AEMET_estado", "429"), ("Retry-After", "90")];
    assert_eq!(
        Found::envelope(&answer(200, &header, ""), 0),
        Found::TooMany(Some(90_000))
    );
    assert_eq!(
        Found::envelope(&answer(429, &[("retry-after", "7")], "{}"), 0),
        Found::TooMany(Some(7_000))
    );
}

#[test]
fn data_are_rows_or_a_reason() {
    for (status, body, found) in [
        (200, "[]", Found::Rows(vec![])),
        (200, r#"[{"a":1}]"#, Found::Rows(vec![serde_json::json!({"a": 1})])),
        (404, "[]", Found::Gone),
        (410, "", Found::Gone),
        (200, r#"{"estado":404}"#, Found::Gone),
        (200, r#"{"estado":429}"#, Found::TooMany(None)),
        (200, r#"{"estado":401}"#, Found::Fatal(KEY_HINT)),
        (200, r#"{"estado":503}"#, retry("estado 503")),
        (200, r#"{"a":1}"#, retry("the body is an object, not a list of rows")),
        (200, "7", retry("the body is not a list of rows")),
        (200, "", retry("the body is empty")),
        (200, "<p>", retry("the body is markup, not JSON")),
        (500, "[]", retry("estado 500")),
        (429, "", Found::TooMany(None)),
    ] {
        assert_eq!(Found::data(&answer(status, &[], body), 0), found, "{status} {body}");
    }
    let cut = Found::data(&answer(200, &[], r#"[{"a":"#), 0);
    assert!(
        matches!(&cut, Found::Retry(reason) if reason.starts_with("the body is not JSON")),
        "{cut:?}"
    );
}
