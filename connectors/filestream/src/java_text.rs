//! UTF-8 as Java reads it: what is invalid becomes U+FFFD
//!
//! Java and Rust agree on how many replacement characters stand for a broken sequence, except for encoded surrogates:
//! Java takes the two or three bytes together, Rust one by one. Checked against Apache's task over every kind of
//! sequence (`tests/java/observed.txt`).

/// Appends the text of a line. A sequence that the line's end cuts off is one replacement, as the line end after it is
/// no continuation byte.
pub fn push_decoded(line: &[u8], out: &mut String) {
    let mut rest = line;
    loop {
        let error = match std::str::from_utf8(rest) {
            Ok(text) => return out.push_str(text),
            Err(error) => error,
        };
        let (valid, broken) = rest.split_at(error.valid_up_to());
        out.push_str(std::str::from_utf8(valid).unwrap_or_default());
        out.push(char::REPLACEMENT_CHARACTER);
        let skipped = surrogate_len(broken)
            .or(error.error_len())
            .unwrap_or(broken.len());
        rest = broken.get(skipped..).unwrap_or_default();
    }
}

/// Length of an encoded surrogate at the start, complete or cut.
fn surrogate_len(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..] => Some(3),
        [0xED, 0xA0..=0xBF, ..] => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::push_decoded;

    fn check(line: &[u8], expected: &str) {
        let mut text = String::new();
        push_decoded(line, &mut text);
        assert_eq!(text, expected, "{line:x?}");
    }

    #[test]
    fn valid_text_stays() {
        check("aé€😀".as_bytes(), "aé€😀");
        check(b"", "");
    }

    #[test]
    fn broken_sequences_are_replaced_as_java_does() {
        check(b"a\x80b", "a\u{fffd}b");
        check(b"\xe2\x82", "\u{fffd}");
        check(b"\xe2\x82A", "\u{fffd}A");
        check(b"\xf0\x9f\x98", "\u{fffd}");
        check(b"\xe0\x80\x80", "\u{fffd}\u{fffd}\u{fffd}");
        check(b"\xf5\x80\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn an_encoded_surrogate_is_one_replacement() {
        check(b"\xed\xa0\x80z", "\u{fffd}z");
        check(b"\xed\xa0z", "\u{fffd}z");
        check(b"\xed\xa0\xbd\xed\xb8\x80", "\u{fffd}\u{fffd}");
        check(b"\xed\x9f\xbf", "\u{d7ff}");
    }
}
