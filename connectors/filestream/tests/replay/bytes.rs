//! Bytes of the scripts: hexadecimal, made-up files, digest

use std::fmt;

/// As in `Observe.java`: bytes that stand for every class of byte a UTF-8 decoder tells apart.
const BYTES: [u8; 25] = [
    0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xee, 0xef, 0xf0, 0xf1,
    0xf3, 0xf4, 0xf5, 0xf8, 0xfc, 0xff,
];

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A line for each sequence of one, two and three bytes, and of four after a byte that can lead four.
pub(super) fn products() -> Vec<u8> {
    let mut all = Vec::new();
    let mut line = |bytes: &[u8]| {
        all.extend_from_slice(bytes);
        all.push(b'\n');
    };
    for a in BYTES {
        line(&[a]);
        for b in BYTES {
            line(&[a, b]);
            for c in BYTES {
                line(&[a, b, c]);
                if a >= 0xf0 {
                    for d in BYTES {
                        line(&[a, b, c, d]);
                    }
                }
            }
        }
    }
    all
}

/// The same bytes, letters, line feeds and carriage returns in an order drawn from a seed.
pub(super) fn random(mut seed: u64, length: usize) -> Vec<u8> {
    let mut all = Vec::with_capacity(length);
    for _ in 0..length {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let pick = (seed >> 33) % 64;
        let byte = BYTES.get(usize::try_from(pick).expect("small")).copied();
        let letter = b'a' + u8::try_from(pick % 26).expect("small");
        all.push(byte.unwrap_or(if pick < 30 {
            b'\n'
        } else if pick < 33 {
            b'\r'
        } else {
            letter
        }));
    }
    all
}

/// FNV-1a over values, each followed by a zero byte.
pub(super) struct Digest {
    count: u32,
    hash: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self {
            count: 0,
            hash: 0xcbf2_9ce4_8422_2325,
        }
    }
}

impl Digest {
    pub(super) fn add(&mut self, value: &[u8]) {
        self.count += 1;
        for byte in value.iter().chain(&[0]) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:x}", self.count, self.hash)
    }
}
