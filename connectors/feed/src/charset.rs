//! Bytes of unknown charset into text
//!
//! Services name the wrong charset, or none. Order: byte order mark, charset parameter, strict UTF-8, and then what the
//! feed knows about its service. Tables of single-byte sets: ISO 8859-1, ISO 8859-15, windows-1252.

/// A charset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, also for US-ASCII.
    Utf8,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// ISO-8859-1.
    Latin1,
    /// ISO-8859-15: 0xA4 is the euro sign.
    Latin9,
    /// What browsers mean by ISO-8859-1.
    Windows1252,
}

/// A text and how it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Text, without byte order mark.
    pub text: String,
    /// Charset it was read as.
    pub charset: Charset,
    /// Whether bytes were replaced because they are not of that charset.
    pub is_lossy: bool,
}

impl Charset {
    /// Reads a name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().trim_matches('"').to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" | "us-ascii" | "ascii" => Some(Self::Utf8),
            "utf-16le" => Some(Self::Utf16Le),
            "utf-16be" | "utf-16" => Some(Self::Utf16Be),
            "iso-8859-1" | "iso8859-1" | "latin1" => Some(Self::Latin1),
            "iso-8859-15" | "iso8859-15" | "latin9" | "latin-9" => Some(Self::Latin9),
            "windows-1252" | "cp1252" => Some(Self::Windows1252),
            _ => None,
        }
    }

    /// Gives the name as IANA has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Latin1 => "ISO-8859-1",
            Self::Latin9 => "ISO-8859-15",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// Reads the charset parameter of a content type.
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        content_type.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("charset")
                .then(|| Self::parse(value))?
        })
    }

    /// Decodes; what is not of this charset becomes U+FFFD.
    pub fn decode(self, bytes: &[u8]) -> Decoded {
        let (text, is_lossy) = match self {
            Self::Utf8 => match std::str::from_utf8(bytes) {
                Ok(text) => (text.to_owned(), false),
                Err(_) => (String::from_utf8_lossy(bytes).into_owned(), true),
            },
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes),
            Self::Utf16Be => utf16(bytes, u16::from_be_bytes),
            Self::Latin1 => (bytes.iter().copied().map(char::from).collect(), false),
            Self::Latin9 => (bytes.iter().copied().map(latin9).collect(), false),
            Self::Windows1252 => (bytes.iter().copied().map(windows_1252).collect(), false),
        };
        Decoded {
            text,
            charset: self,
            is_lossy,
        }
    }

    /// Encodes, for fakes and tests; what this charset does not have becomes `?`.
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Latin1 | Self::Latin9 | Self::Windows1252 => text
                .chars()
                .map(|c| {
                    (0..=u8::MAX)
                        .find(|byte| self.decode(&[*byte]).text.starts_with(c))
                        .unwrap_or(b'?')
                })
                .collect(),
        }
    }
}

/// Decodes a body: by its byte order mark, the charset parameter, as strict UTF-8, or else as `fallback`. A body that
/// says UTF-8 and is not is read as `fallback`, too.
pub fn decode(bytes: &[u8], content_type: Option<&str>, fallback: Charset) -> Decoded {
    for (mark, charset) in [
        (&b"\xef\xbb\xbf"[..], Charset::Utf8),
        (&b"\xff\xfe"[..], Charset::Utf16Le),
        (&b"\xfe\xff"[..], Charset::Utf16Be),
    ] {
        if let Some(rest) = bytes.strip_prefix(mark) {
            return charset.decode(rest);
        }
    }
    match content_type.and_then(Charset::of_content_type) {
        Some(Charset::Utf8) | None => {
            let decoded = Charset::Utf8.decode(bytes);
            if decoded.is_lossy {
                fallback.decode(bytes)
            } else {
                decoded
            }
        }
        Some(charset) => charset.decode(bytes),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> (String, bool) {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut is_lossy = !rest.is_empty();
    let text = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .map(|c| {
            c.unwrap_or_else(|_| {
                is_lossy = true;
                char::REPLACEMENT_CHARACTER
            })
        })
        .collect();
    (text, is_lossy)
}

fn latin9(byte: u8) -> char {
    match byte {
        0xa4 => '€',
        0xa6 => 'Š',
        0xa8 => 'š',
        0xb4 => 'Ž',
        0xb8 => 'ž',
        0xbc => 'Œ',
        0xbd => 'œ',
        0xbe => 'Ÿ',
        _ => char::from(byte),
    }
}

fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    let high = byte.checked_sub(0x80).and_then(|at| HIGH.get(usize::from(at)));
    high.copied().unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::{Charset, decode};

    #[test]
    fn the_charset_is_found_in_order() {
        let latin9 = Charset::Latin9;
        let cases: [(&[u8], Option<&str>, &str, Charset); 9] = [
            ("año €".as_bytes(), None, "año €", Charset::Utf8),
            (b"a\xf1o \xa4", None, "año €", latin9),
            (b"a\xf1o \xa4", Some("application/json"), "año €", latin9),
            (b"a\xf1o \xa4", Some("text/plain; charset=utf-8"), "año €", latin9),
            (
                b"a\xf1o \xa4",
                Some("text/plain;CHARSET=\"ISO-8859-1\""),
                "año ¤",
                Charset::Latin1,
            ),
            (
                b"\x80\x99",
                Some("text/plain; charset=windows-1252"),
                "€™",
                Charset::Windows1252,
            ),
            (
                b"\xef\xbb\xbf{}",
                Some("text/plain; charset=iso-8859-1"),
                "{}",
                Charset::Utf8,
            ),
            (b"\xff\xfea\0\xac\x20", None, "a€", Charset::Utf16Le),
            (b"\xfe\xff\0a", None, "a", Charset::Utf16Be),
        ];
        for (bytes, content_type, text, charset) in cases {
            let decoded = decode(bytes, content_type, latin9);
            assert_eq!((decoded.text.as_str(), decoded.charset), (text, charset), "{bytes:?}");
            assert!(!decoded.is_lossy);
        }
    }

    #[test]
    fn broken_utf_16_is_marked() {
        assert!(decode(b"\xff\xfea", None, Charset::Latin9).is_lossy);
        assert!(decode(b"\xff\xfe\0\xd8", None, Charset::Latin9).is_lossy);
    }

    #[test]
    fn encoding_undoes_decoding() {
        for charset in [Charset::Latin9, Charset::Latin1, Charset::Windows1252, Charset::Utf16Le] {
            let bytes = charset.encode("LA CAÑADA, BAHÍA");
            assert_eq!(charset.decode(&bytes).text, "LA CAÑADA, BAHÍA");
        }
        assert_eq!(Charset::Latin1.encode("€"), b"?");
    }
}
