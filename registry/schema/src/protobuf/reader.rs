//! Words, numbers and strings of a `.proto` text
//!
//! Characters in, tokens out: blanks and comments go, names may hold dots. What the tokens mean is in `parse.rs`.

use crate::error::SchemaError;

/// Longest word.
const MAX_WORD_BYTES: usize = 1024;

/// Most parts of a name with dots.
const MAX_PARTS: usize = 64;

/// Reads a text from front to back.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) -> Result<(), SchemaError> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{feff}']).len();
            self.at += blank;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                match comment.find("*/") {
                    Some(length) => self.at += length + 4,
                    None => return Err(self.wrong("unterminated comment")),
                }
            } else if blank == 0 {
                return Ok(());
            }
        }
    }

    /// Returns the next character that is not blank, without taking it.
    pub(super) fn peek(&mut self) -> Result<Option<char>, SchemaError> {
        self.skip_blanks()?;
        Ok(self.rest().chars().next())
    }

    /// Takes the character if it is the next one.
    pub(super) fn take(&mut self, wanted: char) -> Result<bool, SchemaError> {
        let found = self.peek()? == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        Ok(found)
    }

    pub(super) fn expect(&mut self, wanted: char) -> Result<(), SchemaError> {
        if self.take(wanted)? {
            return Ok(());
        }
        Err(self.wrong(&format!("expected '{wanted}'")))
    }

    /// Reads a run of letters, digits, `_`, `-` and `.`, and `+` inside numbers.
    pub(super) fn word(&mut self) -> Result<&'a str, SchemaError> {
        self.skip_blanks()?;
        let rest = self.rest();
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let mut length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let is_exponent = rest.starts_with(|c: char| c.is_ascii_digit() || c == '-')
            && rest.get(..length).is_some_and(|word| word.ends_with(['e', 'E']))
            && rest.get(length..).is_some_and(|after| after.starts_with('+'));
        if is_exponent {
            let digits = rest.get(length + 1..).unwrap_or_default();
            length += 1 + digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        }
        match rest.get(..length).filter(|word| !word.is_empty()) {
            Some(word) if word.len() > MAX_WORD_BYTES || word.matches('.').count() >= MAX_PARTS => {
                Err(SchemaError::Limit(format!(
                    "Names are longer than {MAX_WORD_BYTES} bytes, or of more than {MAX_PARTS} parts"
                )))
            }
            Some(word) => {
                self.at += length;
                Ok(word)
            }
            None => Err(self.wrong("expected a word")),
        }
    }

    /// Looks at the next word without taking it.
    pub(super) fn peek_word(&mut self) -> Result<Option<&'a str>, SchemaError> {
        match self.peek()? {
            Some(c) if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') => {
                let start = self.at;
                let word = self.word()?;
                self.at = start;
                Ok(Some(word))
            }
            _ => Ok(None),
        }
    }

    /// Reads a number: decimal, hexadecimal or octal.
    pub(super) fn number(&mut self) -> Result<i32, SchemaError> {
        let word = self.word()?;
        let (sign, digits) = match word.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, word),
        };
        let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
        let value = match hexadecimal {
            Some(digits) => i64::from_str_radix(digits, 16),
            None if digits.len() > 1 && digits.starts_with('0') => i64::from_str_radix(digits, 8),
            None => digits.parse::<i64>(),
        };
        let value = value.ok().and_then(|value| i32::try_from(sign * value).ok());
        value.ok_or_else(|| self.wrong(&format!("expected an integer but was {word}")))
    }

    /// Reads a string in either kind of quotes; neighbours are joined.
    pub(super) fn string(&mut self) -> Result<String, SchemaError> {
        let mut bytes = Vec::new();
        let mut is_first = true;
        loop {
            let quote = match self.peek()? {
                Some(quote @ ('"' | '\'')) => quote,
                _ if is_first => return Err(self.wrong("expected a string")),
                _ => break,
            };
            is_first = false;
            self.at += 1;
            self.quoted(quote, &mut bytes)?;
        }
        String::from_utf8(bytes).map_err(|_| self.wrong("a string is not UTF-8"))
    }

    fn quoted(&mut self, quote: char, out: &mut Vec<u8>) -> Result<(), SchemaError> {
        loop {
            let rest = self.rest();
            let stop = rest.find([quote, '\\', '\n']);
            let Some((stop, c)) = stop.and_then(|stop| Some((stop, rest.get(stop..)?.chars().next()?))) else {
                return Err(self.wrong("unterminated string"));
            };
            out.extend_from_slice(rest.get(..stop).unwrap_or_default().as_bytes());
            self.at += stop + 1;
            match c {
                '\n' => return Err(self.wrong("unterminated string")),
                '\\' => self.escape(out)?,
                _ => return Ok(()),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), SchemaError> {
        let Some(c) = self.rest().chars().next() else {
            return Err(self.wrong("unterminated string"));
        };
        self.at += c.len_utf8();
        let byte = match c {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            'x' | 'X' => self.digits(16, 2)?,
            '0'..='7' => {
                self.at -= 1;
                self.digits(8, 3)?
            }
            other => {
                let mut buffer = [0; 4];
                out.extend_from_slice(other.encode_utf8(&mut buffer).as_bytes());
                return Ok(());
            }
        };
        out.push(byte);
        Ok(())
    }

    fn digits(&mut self, radix: u32, most: usize) -> Result<u8, SchemaError> {
        let rest = self.rest();
        let length = rest.chars().take(most).take_while(|c| c.is_digit(radix)).count();
        let digits = rest.get(..length).unwrap_or_default();
        self.at += length;
        let value = u32::from_str_radix(digits, radix).ok();
        let byte = value.and_then(|value| u8::try_from(value).ok());
        byte.ok_or_else(|| self.wrong("expected a digit after an escape"))
    }

    /// An error that names the place.
    pub(super) fn wrong(&self, what: &str) -> SchemaError {
        let before = self.text.get(..self.at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        SchemaError::Invalid(format!("Syntax error in {line}:{column}: {what}"))
    }
}
