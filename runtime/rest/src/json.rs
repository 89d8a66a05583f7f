//! A JSON reader that says what is wrong in the words of Connect's own parser, and where.
//!
//! Pulls one token after another, so that a wrong type is told before a fault that stands behind it, as Apache's REST layer does.
//! What the tokens mean is in `body.rs`. Bytes are a client's: nothing here panics.

use std::fmt::{self, Display};

use serde_json::{Map, Value};

/// Deepest nesting read, as in Jackson.
const MAX_DEPTH: u32 = 1000;
const SOURCE: &str = "Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";
const ANY_VALUE: &str = "JSON String, Number, Array, Object or token 'null', 'true' or 'false'";

/// A line and a column, both from one; columns count bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    line: usize,
    column: usize,
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{SOURCE}; line: {}, column: {}]", self.line, self.column)
    }
}

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}\n at {place}{}", chain_text(.chain))]
pub struct JsonError {
    text: String,
    place: Place,
    /// No JSON at all, other than JSON of a wrong shape.
    is_syntax: bool,
    /// Where in the target, outermost first.
    chain: Vec<String>,
}

fn chain_text(chain: &[String]) -> String {
    if chain.is_empty() {
        return String::new();
    }
    format!(" (through reference chain: {})", chain.join("->"))
}

impl JsonError {
    /// JSON of a shape that the target cannot take.
    pub fn shape(text: impl Into<String>, place: Place) -> Self {
        JsonError {
            text: text.into(),
            place,
            is_syntax: false,
            chain: Vec::new(),
        }
    }

    /// Adds what the value stands in.
    #[must_use]
    pub fn inside(mut self, link: impl Into<String>) -> Self {
        self.chain.insert(0, link.into());
        self
    }

    /// Adds the map that the value stands in; Jackson names maps for wrong shapes only.
    #[must_use]
    pub fn inside_map(self, key: &str) -> Self {
        if self.is_syntax {
            return self;
        }
        self.inside(format!("java.util.LinkedHashMap[\"{key}\"]"))
    }
}

/// One token; containers are entered by [`Reader::object`] and [`Reader::array`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    StartObject,
    StartArray,
    Text(String),
    /// As written.
    Number(String),
    True,
    False,
    Null,
}

/// Reads a body from its beginning.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    line_start: usize,
    depth: u32,
}

/// What a value stands in; decides how a missing one is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    Root,
    Object,
    Array,
}

impl Around {
    fn name(self) -> &'static str {
        match self {
            Around::Root => "Root",
            Around::Object => "Object",
            Around::Array => "Array",
        }
    }
}

type Outcome<T> = Result<T, JsonError>;

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader {
            bytes,
            at: 0,
            line: 1,
            line_start: 0,
            depth: 0,
        }
    }

    /// Where the next byte is.
    pub fn place(&self) -> Place {
        Place {
            line: self.line,
            column: self.at - self.line_start + 1,
        }
    }

    /// The first token of the body; none when it is empty.
    pub fn first(&mut self) -> Outcome<Option<(Token, Place)>> {
        self.skip_space();
        if self.peek().is_none() {
            return Ok(None);
        }
        self.value(Around::Root).map(Some)
    }

    /// Nothing may follow the value.
    pub fn finish(&mut self) -> Outcome<()> {
        self.skip_space();
        if self.peek().is_none() {
            return Ok(());
        }
        let (_, place) = self.value(Around::Root)?;
        Err(JsonError::shape("Trailing token found after value", place))
    }

    /// Reads an object whose start was taken; `field` is given each name and the token of its value.
    pub fn object(
        &mut self,
        start: Place,
        mut field: impl FnMut(&mut Self, String, Token, Place) -> Outcome<()>,
    ) -> Outcome<()> {
        self.enter()?;
        let mut is_first = true;
        while self.next_entry(Around::Object, b'}', start, is_first)? {
            is_first = false;
            if self.peek() != Some(b'"') {
                return Err(match self.peek() {
                    None => self.ended("within/between Object entries"),
                    Some(_) => self.unexpected("was expecting double-quote to start field name"),
                });
            }
            let name = self.text("field name")?;
            self.skip_space();
            match self.peek() {
                Some(b':') => self.at += 1,
                None => return Err(self.ended("within/between Object entries")),
                Some(_) => return Err(self.unexpected("was expecting a colon to separate field name and value")),
            }
            let (token, place) = self.value(Around::Object)?;
            field(self, name, token, place)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads an array whose start was taken.
    pub fn array(
        &mut self,
        start: Place,
        mut item: impl FnMut(&mut Self, usize, Token, Place) -> Outcome<()>,
    ) -> Outcome<()> {
        self.enter()?;
        let mut index = 0;
        while self.next_entry(Around::Array, b']', start, index == 0)? {
            let (token, place) = self.value(Around::Array)?;
            item(self, index, token, place)?;
            index += 1;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads the rest of a value whose first token was taken.
    pub fn tree(&mut self, token: Token, place: Place) -> Outcome<Value> {
        Ok(match token {
            Token::Null => Value::Null,
            Token::True => Value::Bool(true),
            Token::False => Value::Bool(false),
            Token::Text(text) => Value::String(text),
            Token::Number(text) => serde_json::from_str(&text)
                .map_err(|_| JsonError::shape(format!("Numeric value ({text}) out of range"), place))?,
            Token::StartObject => {
                let mut fields = Map::new();
                self.object(place, |reader, name, token, place| {
                    let value = reader.tree(token, place)?;
                    fields.insert(name, value);
                    Ok(())
                })?;
                Value::Object(fields)
            }
            Token::StartArray => {
                let mut items = Vec::new();
                self.array(place, |reader, _, token, place| {
                    items.push(reader.tree(token, place)?);
                    Ok(())
                })?;
                Value::Array(items)
            }
        })
    }

    // ---- between values ----------------------------------------------------------------------------------

    fn enter(&mut self) -> Outcome<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let text = format!(
                "Document nesting depth ({}) exceeds the maximum allowed ({MAX_DEPTH}, from `StreamReadConstraints.getMaxNestingDepth()`)",
                self.depth
            );
            return Err(self.syntax(text, self.place()));
        }
        Ok(())
    }

    /// Steps over the separator before an entry, or over the end of the container.
    fn next_entry(&mut self, around: Around, close: u8, start: Place, is_first: bool) -> Outcome<bool> {
        self.skip_space();
        let kind = around.name();
        match self.peek() {
            None => {
                let text =
                    format!("Unexpected end-of-input: expected close marker for {kind} (start marker at {start})");
                Err(self.syntax(text, self.place()))
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if is_first => Ok(true),
            Some(b',') => {
                self.at += 1;
                self.skip_space();
                Ok(true)
            }
            Some(_) => Err(self.unexpected(&format!("was expecting comma to separate {kind} entries"))),
        }
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                _ => break,
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    // ---- values ------------------------------------------------------------------------------------------

    fn value(&mut self, around: Around) -> Outcome<(Token, Place)> {
        self.skip_space();
        let place = self.place();
        let Some(byte) = self.peek() else {
            return Err(self.ended(&format!("within/between {} entries", around.name())));
        };
        let token = match byte {
            b'{' => {
                self.at += 1;
                Token::StartObject
            }
            b'[' => {
                self.at += 1;
                Token::StartArray
            }
            b'"' => Token::Text(self.text("VALUE_STRING")?),
            b'-' | b'0'..=b'9' => self.number()?,
            b'}' | b']' | b',' | b':' => return Err(self.unexpected("expected a value")),
            _ => self.word(place)?,
        };
        Ok((token, place))
    }

    fn word(&mut self, place: Place) -> Outcome<Token> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        let word = String::from_utf8_lossy(rest.get(..length).unwrap_or(&[])).into_owned();
        self.at += length;
        match word.as_str() {
            "true" => Ok(Token::True),
            "false" => Ok(Token::False),
            "null" => Ok(Token::Null),
            "" => Err(self.unexpected(&format!("expected a valid value ({ANY_VALUE})"))),
            _ => {
                let text = format!("Unrecognized token '{word}': was expecting ({ANY_VALUE})");
                Err(self.syntax(text, place))
            }
        }
    }

    fn number(&mut self) -> Outcome<Token> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return Err(self.syntax("Invalid numeric value: Leading zeroes not allowed", self.place()));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.bytes.get(start..self.at).unwrap_or(&[]);
        Ok(Token::Number(String::from_utf8_lossy(text).into_owned()))
    }

    fn digits(&mut self) -> Outcome<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start {
            return Ok(());
        }
        Err(match self.peek() {
            None => self.ended("within/between Root entries"),
            Some(_) => self.unexpected("Invalid numeric value: expected digit"),
        })
    }

    /// A text whose opening quote is next.
    fn text(&mut self, what: &str) -> Outcome<String> {
        self.at += 1;
        let mut text: Vec<u8> = Vec::new();
        loop {
            let Some(byte) = self.peek() else {
                return Err(self.ended(&format!("in {what}")));
            };
            match byte {
                b'"' => {
                    self.at += 1;
                    break;
                }
                b'\\' => self.escape(&mut text, what)?,
                0..0x20 => {
                    let text = format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {byte})): has to be escaped using backslash to be included in {}",
                        if what == "field name" { "name" } else { "string value" }
                    );
                    return Err(self.syntax(text, self.place()));
                }
                _ => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        String::from_utf8(text).map_err(|error| {
            let byte = error
                .as_bytes()
                .get(error.utf8_error().valid_up_to())
                .copied()
                .unwrap_or(0);
            self.syntax(format!("Invalid UTF-8 start byte 0x{byte:x}"), self.place())
        })
    }

    fn escape(&mut self, text: &mut Vec<u8>, what: &str) -> Outcome<()> {
        self.at += 1;
        let Some(byte) = self.peek() else {
            return Err(self.ended(&format!("in {what}")));
        };
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.at += 1;
                return self.unicode(text, what);
            }
            _ => {
                let text = format!("Unrecognized character escape '{}' (code {byte})", char::from(byte));
                return Err(self.syntax(text, self.place()));
            }
        };
        text.push(plain);
        self.at += 1;
        Ok(())
    }

    /// Four digits, or two times four for a pair; half a pair becomes U+FFFD.
    fn unicode(&mut self, text: &mut Vec<u8>, what: &str) -> Outcome<()> {
        let first = self.four_digits(what)?;
        let mut units = vec![first];
        let is_high = (0xd800..0xdc00).contains(&first);
        if is_high && self.bytes.get(self.at..self.at + 2) == Some(b"\\u") {
            self.at += 2;
            units.push(self.four_digits(what)?);
        }
        for character in char::decode_utf16(units) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }

    fn four_digits(&mut self, what: &str) -> Outcome<u16> {
        let mut unit = 0u16;
        for _ in 0..4 {
            let Some(byte) = self.peek() else {
                return Err(self.ended(&format!("in {what}")));
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(self.unexpected("expected a hex-digit for character escape sequence"));
            };
            unit = (unit << 4) | u16::try_from(digit).unwrap_or(0);
            self.at += 1;
        }
        Ok(unit)
    }

    // ---- faults ------------------------------------------------------------------------------------------

    fn syntax(&self, text: impl Into<String>, place: Place) -> JsonError {
        JsonError {
            text: text.into(),
            place,
            is_syntax: true,
            chain: Vec::new(),
        }
    }

    fn ended(&self, rest: &str) -> JsonError {
        self.syntax(format!("Unexpected end-of-input {rest}"), self.place())
    }

    fn unexpected(&self, rest: &str) -> JsonError {
        let rest_bytes = self.bytes.get(self.at..).unwrap_or(&[]);
        let width = rest_bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let character = width.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
        let text = format!(
            "Unexpected character ('{character}' (code {})): {rest}",
            u32::from(character)
        );
        self.syntax(text, self.place())
    }
}
