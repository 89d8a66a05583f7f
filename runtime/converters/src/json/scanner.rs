//! The tokens of a JSON text
//!
//! Strings, numbers and words as Jackson reads them: leading zeros pass, control characters in strings do not. What the
//! tokens make up is in `tape.rs`.

/// Longest number, Jackson's bound.
const MAX_NUMBER_LEN: usize = 1000;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true`.
    True,
    /// `false`.
    False,
    /// A number without point and exponent.
    Integer,
    /// A number with point or exponent.
    Decimal,
    /// A text.
    Text,
    /// An array; its elements follow.
    Array,
    /// An object; its keys and values follow, alternating.
    Object,
}

impl Kind {
    /// Gives Jackson's name of the node type, as error texts show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::True | Self::False => "BOOLEAN",
            Self::Integer | Self::Decimal => "NUMBER",
            Self::Text => "STRING",
            Self::Array => "ARRAY",
            Self::Object => "OBJECT",
        }
    }
}

/// Why a text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// Byte where it went wrong, from 0.
    pub at: usize,
    /// What was expected there.
    pub reason: &'static str,
}

/// A cursor over the bytes of a text.
pub(crate) struct Scanner<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl Scanner<'_> {
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn expected(&self, reason: &'static str) -> JsonError {
        JsonError { at: self.at, reason }
    }

    /// Skips white space and gives the byte after it.
    pub(crate) fn next_token(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    /// Reads a string's characters and closing quote; true if it holds escapes.
    pub(crate) fn string(&mut self) -> Result<bool, JsonError> {
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let Some(stop) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..b' ')) else {
                self.at = self.bytes.len();
                return Err(self.expected("a double quote to end the string"));
            };
            self.at += stop;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(self.expected("control characters to be escaped")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 1..self.at + 5).unwrap_or_default();
                if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(self.expected("four hex digits after \\u"));
                }
                self.at += 5;
                Ok(())
            }
            _ => Err(self.expected("a known escape")),
        }
    }

    pub(crate) fn number(&mut self, at_root: bool) -> Result<Kind, JsonError> {
        let start = self.at;
        let mut kind = Kind::Integer;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        self.digits()?;
        if self.peek() == Some(b'.') {
            kind = Kind::Decimal;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            kind = Kind::Decimal;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        if self.at - start > MAX_NUMBER_LEN {
            return Err(self.expected("a number of at most 1000 characters"));
        }
        // Anything may follow the root value, but a number must be set off from it.
        if at_root && !matches!(self.peek(), None | Some(b' ' | b'\t' | b'\n' | b'\r')) {
            return Err(self.expected("space separating root-level values"));
        }
        Ok(kind)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            Err(self.expected("a digit"))
        } else {
            Ok(())
        }
    }

    pub(crate) fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, JsonError> {
        let end = self.at + word.len();
        let is_word = self.bytes.get(self.at..end) == Some(word);
        let goes_on = self
            .bytes
            .get(end)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..));
        if !is_word || goes_on {
            return Err(self.expected("JSON string, number, array, object or token 'null', 'true' or 'false'"));
        }
        self.at = end;
        Ok(kind)
    }
}
