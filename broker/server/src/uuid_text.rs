//! Kafka's ids: random, and their text form (base64 without padding, URL alphabet).

use weir_protocol::messages::Uuid;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The alphabet's place of `-`.
const HYPHEN: u8 = 62;

/// A random id that is not reserved and whose text no tool takes for an option.
pub(crate) fn fresh() -> Uuid {
    loop {
        let bytes: [u8; 16] = rand::random();
        let is_reserved = bytes[..15].iter().all(|byte| *byte == 0);
        if !is_reserved && bytes[0] >> 2 != HYPHEN {
            return Uuid::from_bytes(bytes);
        }
    }
}

/// The 22 characters of an id.
pub(crate) fn text(id: Uuid) -> String {
    let mut text = String::with_capacity(22);
    for chunk in id.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * at)) as usize & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_javas() {
        // As Kafka's `Uuid.toString` prints them.
        assert_eq!(text(Uuid::ZERO), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(text(Uuid::from_bytes([0xff; 16])), "_____________________w");
        let counted: [u8; 16] = std::array::from_fn(|at| at as u8);
        assert_eq!(text(Uuid::from_bytes(counted)), "AAECAwQFBgcICQoLDA0ODw");
        assert!(!text(fresh()).starts_with('-'));
    }
}
