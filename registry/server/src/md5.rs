//! MD5, the registry's fingerprint of a schema
//!
//! Not for security: equal fingerprints mean equal schemas, and the sixteen bytes are the schema's guid. What goes into it is in
//! `store::fingerprint`. Source: RFC 1321.

use std::fmt;

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
pub(crate) struct Digest {
    state: [u32; 4],
    block: Vec<u8>,
    length: u64,
}

const BLOCK: usize = 64;
const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

// floor(2³² · |sin(i + 1)|), as the RFC tabulates it.
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

impl Digest {
    pub(crate) fn new() -> Self {
        Self {
            state: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476],
            block: Vec::with_capacity(BLOCK),
            length: 0,
        }
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        while !bytes.is_empty() {
            let room = (BLOCK - self.block.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK {
                self.compress();
            }
        }
    }

    pub(crate) fn finish(mut self) -> Md5 {
        let bits = self.length.wrapping_mul(8);
        self.update(&[0x80]);
        while self.block.len() != BLOCK - 8 {
            self.update(&[0]);
        }
        self.update(&bits.to_le_bytes());
        let mut bytes = [0; 16];
        for (slot, byte) in bytes
            .iter_mut()
            .zip(self.state.iter().flat_map(|word| word.to_le_bytes()))
        {
            *slot = byte;
        }
        Md5(bytes)
    }

    fn compress(&mut self) {
        let mut words = [0u32; 16];
        for (word, bytes) in words.iter_mut().zip(self.block.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let [mut a, mut b, mut c, mut d] = self.state;
        for (step, sine) in SINES.iter().enumerate() {
            let round = step / 16;
            let (mix, word) = match round {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            let sum = a.wrapping_add(mix).wrapping_add(*sine).wrapping_add(words[word]);
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[round][step % 4]));
        }
        for (word, add) in self.state.iter_mut().zip([a, b, c, d]) {
            *word = word.wrapping_add(add);
        }
        self.block.clear();
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
