//! Base64 as Jackson reads and writes it
//!
//! Standard alphabet, padding written and demanded, white space allowed only between units of four.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const NO_DIGIT: u8 = 0xff;

/// Values of characters; `NO_DIGIT` for those outside the alphabet.
static DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0u8;
    while value < 64 {
        digits[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// Appends the text of some bytes.
pub fn push_encoded(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    let (units, rest) = bytes.as_chunks::<3>();
    for [a, b, c] in units {
        let group = u32::from_be_bytes([0, *a, *b, *c]);
        out.extend_from_slice(&[digit(group >> 18), digit(group >> 12), digit(group >> 6), digit(group)]);
    }
    match rest {
        [a] => {
            let group = u32::from_be_bytes([0, *a, 0, 0]);
            out.extend_from_slice(&[digit(group >> 18), digit(group >> 12), b'=', b'=']);
        }
        [a, b] => {
            let group = u32::from_be_bytes([0, *a, *b, 0]);
            out.extend_from_slice(&[digit(group >> 18), digit(group >> 12), digit(group >> 6), b'=']);
        }
        _ => {}
    }
}

fn digit(group: u32) -> u8 {
    // Six bits always lie within the alphabet.
    ALPHABET.get((group & 63) as usize).copied().unwrap_or(b'=')
}

/// Appends the bytes of a text; false if it is no base64, with `out` possibly longer.
pub fn push_decoded(out: &mut Vec<u8>, text: &[u8]) -> bool {
    out.reserve(text.len() / 4 * 3);
    let mut rest = text;
    loop {
        while let [b'\0'..=b' ', tail @ ..] = rest {
            rest = tail;
        }
        let Some((unit, tail)) = rest.split_first_chunk::<4>() else {
            return rest.is_empty();
        };
        rest = tail;
        let [a, b, c, d] = unit.map(|byte| DIGITS.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT));
        let group = (u32::from(a) << 18) | (u32::from(b) << 12) | (u32::from(c & 63) << 6) | u32::from(d & 63);
        let [_, x, y, z] = group.to_be_bytes();
        match (a, b, c, d, unit) {
            (NO_DIGIT, ..) | (_, NO_DIGIT, ..) => return false,
            (_, _, NO_DIGIT, _, [_, _, b'=', b'=']) => out.push(x),
            (_, _, NO_DIGIT, ..) => return false,
            (_, _, _, NO_DIGIT, [_, _, _, b'=']) => out.extend_from_slice(&[x, y]),
            (_, _, _, NO_DIGIT, _) => return false,
            _ => out.extend_from_slice(&[x, y, z]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{push_decoded, push_encoded};

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        push_decoded(&mut out, text.as_bytes()).then_some(out)
    }

    #[test]
    fn reading_follows_jackson() {
        for (text, expected) in [
            ("AQI=", Some(vec![1, 2])),
            ("AQI=\n", Some(vec![1, 2])),
            ("AQI=AQI=", Some(vec![1, 2, 1, 2])),
            ("AQ==", Some(vec![1])),
            ("", Some(Vec::new())),
            ("AQI", None),
            (" AQ I=", None),
            ("A-_=", None),
            ("=AAA", None),
            ("AA=A", None),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes: Vec<u8>) {
            let mut text = Vec::new();
            push_encoded(&mut text, &bytes);
            prop_assert_eq!(decoded(std::str::from_utf8(&text).expect("ascii")), Some(bytes));
        }
    }
}
