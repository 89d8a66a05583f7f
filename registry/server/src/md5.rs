//! MD5, the registry's fingerprint of a schema
//!
//! Not for security: equal fingerprints mean equal schemas, and the sixteen bytes are the schema's guid. What goes into it is in
//! `store::fingerprint`. Source: RFC 1321.

use std::fmt;

use ::md5::{Digest as _, Md5 as Hasher};

/// Sixteen bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Md5(pub(crate) [u8; 16]);

impl fmt::Debug for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uuid())
    }
}

impl Md5 {
    /// Fingerprint of some bytes.
    #[cfg(test)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut digest = Digest::new();
        digest.update(bytes);
        digest.finish()
    }

    /// The bytes as a UUID: the schema's guid.
    pub(crate) fn uuid(self) -> String {
        let mut text = String::with_capacity(36);
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        text
    }

    /// Reads a UUID in any case.
    pub(crate) fn from_uuid(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        if lengths != [8, 4, 4, 4, 12] {
            return None;
        }
        let mut bytes = [0; 16];
        let mut digits = parts.iter().flat_map(|part| part.chars());
        for byte in &mut bytes {
            let high = digits.next()?.to_digit(16)?;
            let low = digits.next()?.to_digit(16)?;
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        Some(Self(bytes))
    }
}

/// A fingerprint being computed.
#[derive(Debug)]
pub(crate) struct Digest(Hasher);

impl Digest {
    pub(crate) fn new() -> Self {
        Self(Hasher::new())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Md5 {
        Md5(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, hex: &str) {
        assert_eq!(Md5::of(text.as_bytes()).uuid().replace('-', ""), hex);
    }

    #[test]
    fn the_rfcs_own_examples() {
        check("", "d41d8cd98f00b204e9800998ecf8427e");
        check("a", "0cc175b9c0f1b6a831c399e269772661");
        check("abc", "900150983cd24fb0d6963f7d28e17f72");
        check("message digest", "f96b697d7cb7938d525a2f31aaf161d0");
        check("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b");
        check(
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a",
        );
    }

    #[test]
    fn pieces_give_the_same_as_the_whole() {
        let text: Vec<u8> = (0..1000u32).map(|n| (n % 251) as u8).collect();
        for cut in [0, 1, 55, 56, 63, 64, 65, 127, 999] {
            let mut digest = Digest::new();
            digest.update(&text[..cut]);
            digest.update(&text[cut..]);
            assert_eq!(digest.finish(), Md5::of(&text), "cut at {cut}");
        }
    }

    #[test]
    fn a_guid_reads_back() {
        let md5 = Md5::of(b"abc");
        assert_eq!(md5.uuid(), "90015098-3cd2-4fb0-d696-3f7d28e17f72");
        assert_eq!(Md5::from_uuid("90015098-3CD2-4fb0-d696-3f7d28e17f72"), Some(md5));
        for wrong in [
            "",
            "9001509-83cd2-4fb0-d696-3f7d28e17f72",
            "90015098-3cd2-4fb0-d696-3f7d28e17f7g",
            "é0015098-3cd2-4fb0-d696-3f7d28e17f72",
        ] {
            assert_eq!(Md5::from_uuid(wrong), None, "{wrong}");
        }
    }
}
