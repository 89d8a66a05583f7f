//! Base64 as Java's basic decoder reads it
//!
//! Padding may be left out. What is refused is refused in Java's words, which end up in answers of the REST API.
//! Source: `java.util.Base64.Decoder`.

/// Decodes a text.
///
/// *Errors*: what Java says of it.
pub fn decode(text: &str) -> Result<Vec<u8>, String> {
    let bytes = text.as_bytes();
    if bytes.len() == 1 {
        return Err("Input byte[] should at least have 2 bytes for base64 bytes".to_owned());
    }
    let mut decoded = Vec::with_capacity(bytes.len() / 4 * 3 + 2);
    let (mut bits, mut digits) = (0u32, 0);
    let mut rest = bytes.iter().enumerate();
    while let Some((_, byte)) = rest.next() {
        if *byte == b'=' {
            // Two digits want two signs, three want one; a single digit is refused below.
            let is_complete = match digits {
                0 => false,
                2 => rest.next().is_some_and(|(_, second)| *second == b'='),
                _ => true,
            };
            if !is_complete {
                return Err("Input byte array has wrong 4-byte ending unit".to_owned());
            }
            break;
        }
        let Some(digit) = digit(*byte) else {
            return Err(format!("Illegal base64 character {byte:x}"));
        };
        bits = bits << 6 | u32::from(digit);
        digits += 1;
        if digits == 4 {
            decoded.extend(bits.to_be_bytes().into_iter().skip(1));
            (bits, digits) = (0, 0);
        }
    }
    let last = (bits << (6 * (4 - digits))).to_be_bytes().into_iter().skip(1);
    match digits {
        0 => {}
        1 => return Err("Last unit does not have enough valid bits".to_owned()),
        two_or_three => decoded.extend(last.take(two_or_three - 1)),
    }
    match rest.next() {
        Some((at, _)) => Err(format!("Input byte array has incorrect ending byte at {at}")),
        None => Ok(decoded),
    }
}

fn digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decoded_with_padding_and_without() {
        for (text, expected) in [
            ("", ""),
            ("aGVsbG8=", "hello"),
            ("aGVsbG8", "hello"),
            ("aA==", "h"),
            ("aA", "h"),
            ("aGVs", "hel"),
        ] {
            assert_eq!(decode(text).as_deref(), Ok(expected.as_bytes()), "{text}");
        }
        assert_eq!(decode("+/+/"), Ok(vec![0xfb, 0xff, 0xbf]));
    }

    #[test]
    fn what_is_refused_is_refused_in_javas_words() {
        for (text, expected) in [
            ("a", "Input byte[] should at least have 2 bytes for base64 bytes"),
            ("???", "Illegal base64 character 3f"),
            ("aaaaa", "Last unit does not have enough valid bits"),
            ("aa=a", "Input byte array has wrong 4-byte ending unit"),
            ("====", "Input byte array has wrong 4-byte ending unit"),
            ("a===", "Last unit does not have enough valid bits"),
            ("aa=", "Input byte array has wrong 4-byte ending unit"),
            ("aA==aA==", "Input byte array has incorrect ending byte at 4"),
        ] {
            assert_eq!(decode(text), Err(expected.to_owned()), "{text}");
        }
    }
}
