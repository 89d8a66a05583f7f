//! UTF-8 as Java reads it: what is invalid becomes U+FFFD
//!
//! Java and Rust agree on how many replacement characters stand for a broken sequence, except for encoded surrogates:
//! Java takes the two or three bytes together, Rust one by one. Java's readers and its `String` constructor do the same,
//! compared over half a million sequences; see also `connectors/filestream/tests/java/observed.txt`.

use std::borrow::Cow;

/// Gives the text; borrowed where all is valid.
pub fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 8);
    push_decoded(bytes, &mut text);
    Cow::Owned(text)
}

/// Appends the text. A sequence that the end cuts off is one replacement.
fn push_decoded(bytes: &[u8], out: &mut String) {
    let mut rest = bytes;
    loop {
        let error = match std::str::from_utf8(rest) {
            Ok(text) => return out.push_str(text),
            Err(error) => error,
        };
        let (valid, broken) = rest.split_at(error.valid_up_to());
        out.push_str(std::str::from_utf8(valid).unwrap_or_default());
        out.push(char::REPLACEMENT_CHARACTER);
        let skipped = surrogate_len(broken).or(error.error_len()).unwrap_or(broken.len());
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
    use super::decoded;

    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(decoded(bytes), expected, "{bytes:x?}");
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
