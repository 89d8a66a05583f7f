//! ISO-8859-15: what the real service writes

/// The eight places where ISO-8859-15 differs from ISO-8859-1.
const DIFFERENT: [(char, u8); 8] = [
    ('€', 0xA4),
    ('Š', 0xA6),
    ('š', 0xA8),
    ('Ž', 0xB4),
    ('ž', 0xB8),
    ('Œ', 0xBC),
    ('œ', 0xBD),
    ('Ÿ', 0xBE),
];

/// Writes a text; a letter that the charset has not becomes a question mark.
pub fn encoded(text: &str) -> Vec<u8> {
    text.chars().map(byte_of).collect()
}

fn byte_of(letter: char) -> u8 {
    if let Some((_, byte)) = DIFFERENT.iter().find(|(known, _)| *known == letter) {
        return *byte;
    }
    let byte = u8::try_from(u32::from(letter)).unwrap_or(b'?');
    if DIFFERENT.iter().any(|(_, taken)| *taken == byte) {
        b'?'
    } else {
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn the_euro_sign_and_letters_have_their_bytes() {
        assert_eq!(encoded("2 € Ñ Í ¤ 漢"), b"2 \xA4 \xD1 \xCD ? ?");
    }
}
