use super::*;

const SECRET: &str = "p\u{e4}ss w\u{f6}rd/\"+?&";

fn redactor() -> Redactor {
    let mut redactor = Redactor::default();
    redactor.add(SECRET);
    redactor
}

#[test]
fn a_secret_is_found_in_every_encoding() {
    let redactor = redactor();
    let check = |text: &str| {
        let redacted = redactor.redact(text);
        assert!(redacted.contains(MASK), "{text} -> {redacted}");
    };
    check(&format!("login with {SECRET} failed"));
    check(&format!("GET /?key={}&x=1", percent_encoded(SECRET)));
    check(&format!("GET /?key={}&x=1", percent_encoded(SECRET).to_lowercase()));
    check(&format!("body key={}", percent_encoded(SECRET).replace("%20", "+")));
    check(&serde_json::json!({ "password": SECRET }).to_string());
    check(&base64(SECRET.as_bytes()));
    assert_eq!(redactor.redact("nothing here"), "nothing here");
}

#[test]
fn a_secret_is_found_inside_of_longer_base64() {
    let redactor = redactor();
    for user in ["u", "us", "use", "user"] {
        for tail in ["", "x", "xy"] {
            let text = base64(format!("{user}:{SECRET}{tail}").as_bytes());
            let redacted = redactor.redact(&text);
            assert!(redacted.contains(MASK), "{text}");
            // What is left tells at most one byte at either end.
            assert!(redacted.len() <= MASK.len() + 14, "{text} -> {redacted}");
        }
    }
}

#[test]
fn a_longer_secret_is_taken_out_whole() {
    let mut redactor = Redactor::default();
    redactor.add("abcd");
    redactor.add("abcd-efgh");
    assert_eq!(redactor.redact("abcd-efgh abcd"), "[hidden] [hidden]");
}

#[test]
fn a_secret_of_many_lines_is_found_line_by_line() {
    let mut redactor = Redactor::default();
    redactor.add("-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----\n");
    assert_eq!(redactor.redact("read MIIEvQIBADAN"), "read [hidden]");
}

#[test]
fn short_texts_are_left_and_forgotten_ones_shown() {
    let mut redactor = Redactor::default();
    redactor.add("abc");
    assert_eq!(redactor.redact("abc"), "abc");
    redactor.add("abcd");
    redactor.add("abcd");
    redactor.remove("abcd");
    assert_eq!(redactor.redact("abcd"), "[hidden]");
    redactor.remove("abcd");
    assert_eq!(redactor.redact("abcd"), "abcd");
}
