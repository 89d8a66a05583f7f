//! JSON as the Java library reads and writes it
//!
//! Read: comments are allowed, `-0` is an integer, a repeated key keeps its first place and its last value, nesting is
//! bounded. Written: no blanks, key order kept, doubles as Java prints them. serde_json's own reader and writer differ
//! in each of these, and texts are hashed byte by byte.
//!
//! DIVERGES: integers beyond 64 bits become doubles, numbers beyond a double and half a surrogate pair are refused; Java
//! keeps the first, reads the second as infinity and prints the third as a question mark.

use serde_json::{Map, Number, Value};

use crate::error::SchemaError;

/// Deepest nesting of arrays and objects; what Jackson allows too.
pub(crate) const MAX_NESTING: usize = 1000;

/// Longest number, as in Jackson.
const MAX_NUMBER_CHARS: usize = 1000;

/// Longest text shown inside an error.
const MAX_SHOWN_CHARS: usize = 10 * 1024;

/// What texts are read into.
pub(crate) trait Tree: Sized {
    fn null() -> Self;
    fn bool(value: bool) -> Self;
    /// None for a number that cannot be kept; `whole` says that it has neither point nor exponent.
    fn number(text: &str, whole: bool) -> Option<Self>;
    fn string(text: String) -> Self;
    fn array(items: Vec<Self>) -> Self;
    /// Keys may come twice: the last value counts, at the first one's place.
    fn object(entries: Vec<(String, Self)>) -> Self;
}

impl Tree for Value {
    fn null() -> Self {
        Value::Null
    }

    fn bool(value: bool) -> Self {
        Value::Bool(value)
    }

    fn number(text: &str, whole: bool) -> Option<Self> {
        number_of(text, whole)
    }

    fn string(text: String) -> Self {
        Value::String(text)
    }

    fn array(items: Vec<Self>) -> Self {
        Value::Array(items)
    }

    fn object(entries: Vec<(String, Self)>) -> Self {
        Value::Object(Map::from_iter(entries))
    }
}

/// Reads the first value of a text without comments, whatever comes after it; None for a blank text.
pub(crate) fn read_first<T: Tree>(text: &str) -> Result<Option<T>, SchemaError> {
    let mut reader = Reader {
        text,
        at: 0,
        has_comments: false,
    };
    reader.skip_blanks()?;
    match reader.peek() {
        None => Ok(None),
        Some(_) => reader.value(0).map(Some),
    }
}

/// Reads one JSON value and refuses anything after it.
pub(crate) fn read(text: &str) -> Result<Value, SchemaError> {
    let mut reader = Reader {
        text,
        at: 0,
        has_comments: true,
    };
    reader.skip_blanks()?;
    if reader.peek().is_none() {
        return Err(SchemaError::Invalid("Cannot parse <null> schema".to_owned()));
    }
    let value = reader.value(0)?;
    let rest = reader.rest().trim_matches(|c: char| c <= ' ');
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(SchemaError::Invalid(format!(
            "dangling content after end of schema: {}",
            shorten(rest)
        )))
    }
}

/// Returns the value as text for an error message, cut where it is long.
pub(crate) fn shown(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    shorten(&text)
}

/// Cuts a text where it is too long for an error message.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Appends a value without blanks.
pub(crate) fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write(out, item);
            }
            out.push('}');
        }
    }
}

/// Appends a string in quotes, escaped as Jackson does: control characters in capitals, nothing else.
pub(crate) fn write_string(out: &mut String, text: &str) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => {
                let code = usize::try_from(u32::from(c)).unwrap_or(0);
                out.push_str("\\u00");
                out.extend([HEX.get(code >> 4), HEX.get(code & 15)].into_iter().flatten());
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_number(out: &mut String, number: &Number) {
    match number.as_f64() {
        Some(double) if number.is_f64() => out.push_str(&java_double(double)),
        _ => out.push_str(&number.to_string()),
    }
}

/// Returns a double as Java's `Double.toString` writes it.
pub(crate) fn java_double(double: f64) -> String {
    let size = double.abs();
    if double == 0.0 || (1e-3..1e7).contains(&size) {
        let plain = double.to_string();
        return if plain.contains('.') {
            plain
        } else {
            format!("{plain}.0")
        };
    }
    let scientific = format!("{double:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => scientific,
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    has_comments: bool,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn skip_blanks(&mut self) -> Result<(), SchemaError> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'/') if !self.has_comments => return Ok(()),
                Some(b'/') if self.rest().starts_with("/*") => match self.rest().get(2..).and_then(|t| t.find("*/")) {
                    Some(length) => self.at += length + 4,
                    None => return Err(self.wrong("Unexpected end-of-input in a comment")),
                },
                Some(b'/') if self.rest().starts_with("//") => {
                    self.at += self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
                }
                _ => return Ok(()),
            }
        }
    }

    fn value<T: Tree>(&mut self, depth: usize) -> Result<T, SchemaError> {
        match self.peek() {
            Some(b'{') => self.object(self.deeper(depth)?),
            Some(b'[') => self.array(self.deeper(depth)?),
            Some(b'"') => Ok(T::string(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'a'..=b'z' | b'A'..=b'Z') => self.word(),
            _ => Err(self.unexpected("expected a valid value (JSON String, Number, Array, Object or token)")),
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, SchemaError> {
        if depth < MAX_NESTING {
            return Ok(depth + 1);
        }
        let found = depth + 1;
        Err(SchemaError::Limit(format!(
            "Document nesting depth ({found}) exceeds the maximum allowed ({MAX_NESTING})"
        )))
    }

    fn object<T: Tree>(&mut self, depth: usize) -> Result<T, SchemaError> {
        let mut entries = Vec::new();
        self.at += 1;
        self.skip_blanks()?;
        if self.take(b'}') {
            return Ok(T::object(entries));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("was expecting double-quote to start field name"));
            }
            let key = self.string()?;
            self.skip_blanks()?;
            if !self.take(b':') {
                return Err(self.unexpected("was expecting a colon to separate field name and value"));
            }
            self.skip_blanks()?;
            let value = self.value(depth)?;
            entries.push((key, value));
            self.skip_blanks()?;
            if self.take(b'}') {
                return Ok(T::object(entries));
            }
            if !self.take(b',') {
                return Err(self.unexpected("was expecting comma to separate Object entries"));
            }
            self.skip_blanks()?;
        }
    }

    fn array<T: Tree>(&mut self, depth: usize) -> Result<T, SchemaError> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_blanks()?;
        if self.take(b']') {
            return Ok(T::array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_blanks()?;
            if self.take(b']') {
                return Ok(T::array(items));
            }
            if !self.take(b',') {
                return Err(self.unexpected("was expecting comma to separate Array entries"));
            }
            self.skip_blanks()?;
        }
    }

    fn word<T: Tree>(&mut self) -> Result<T, SchemaError> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        let value = match word {
            "null" => T::null(),
            "true" => T::bool(true),
            "false" => T::bool(false),
            _ => {
                let what = format!(
                    "Unrecognized token '{}': was expecting 'null', 'true' or 'false'",
                    shorten(word)
                );
                return Err(self.wrong(&what));
            }
        };
        self.at += end;
        Ok(value)
    }

    fn number<T: Tree>(&mut self) -> Result<T, SchemaError> {
        let start = self.at;
        let _minus = self.take(b'-');
        let digits = self.digits();
        let leading_zero = digits > 1 && self.text.as_bytes().get(self.at - digits) == Some(&b'0');
        if digits == 0 {
            return Err(self.unexpected("expected digit (0-9) to follow minus sign, for valid numeric value"));
        }
        if leading_zero {
            return Err(self.wrong("Invalid numeric value: Leading zeroes not allowed"));
        }
        let mut whole = true;
        if self.take(b'.') {
            whole = false;
            if self.digits() == 0 {
                return Err(self.unexpected("Decimal point not followed by a digit"));
            }
        }
        if self.take(b'e') || self.take(b'E') {
            whole = false;
            let _sign = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return Err(self.unexpected("Exponent indicator not followed by a digit"));
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if text.len() > MAX_NUMBER_CHARS {
            return Err(SchemaError::Limit(format!(
                "Number value length exceeds the maximum ({MAX_NUMBER_CHARS})"
            )));
        }
        T::number(text, whole).ok_or_else(|| self.wrong("Numeric value out of range"))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<String, SchemaError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let Some(stop) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') else {
                self.at = self.text.len();
                return Err(self.wrong("Unexpected end-of-input: was expecting closing quote for a string value"));
            };
            out.push_str(rest.get(..stop).unwrap_or_default());
            self.at += stop;
            if self.take(b'"') {
                return Ok(out);
            }
            if !self.take(b'\\') {
                return Err(self.unexpected("control characters have to be escaped to be included in string value"));
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, SchemaError> {
        let c = match self.peek() {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.unexpected("Unrecognized character escape")),
        };
        self.at += 1;
        Ok(c)
    }

    fn unicode_escape(&mut self) -> Result<char, SchemaError> {
        let first = self.hex4()?;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.wrong("Unrecognized character escape"));
        }
        let second = if first < 0xDC00 && self.take(b'\\') && self.peek() == Some(b'u') {
            self.hex4()?
        } else {
            0
        };
        if !(0xDC00..0xE000).contains(&second) {
            return Err(self.wrong("Unpaired surrogate in a character escape"));
        }
        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        char::from_u32(code).ok_or_else(|| self.wrong("Unrecognized character escape"))
    }

    /// Reads `uXXXX`, standing on the `u`.
    fn hex4(&mut self) -> Result<u32, SchemaError> {
        let digits = self
            .rest()
            .get(1..5)
            .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|text| u32::from_str_radix(text, 16).ok()) {
            Some(code) => {
                self.at += 5;
                Ok(code)
            }
            None => Err(self.wrong("expected a hex-digit for character escape sequence")),
        }
    }

    fn unexpected(&self, expected: &str) -> SchemaError {
        match self.rest().chars().next() {
            Some(c) if c < ' ' => self.wrong(&format!("Illegal character (code {}): {expected}", u32::from(c))),
            Some(c) => self.wrong(&format!(
                "Unexpected character ('{c}' (code {})): {expected}",
                u32::from(c)
            )),
            None => self.wrong(&format!("Unexpected end-of-input: {expected}")),
        }
    }

    fn wrong(&self, what: &str) -> SchemaError {
        let before = self.text.get(..self.at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        SchemaError::Json(format!("{what} at line {line}, column {column}"))
    }
}

/// Returns the number of a text; integers beyond 64 bits become doubles.
fn number_of(text: &str, whole: bool) -> Option<Value> {
    if whole {
        if let Ok(number) = text.parse::<i64>() {
            return Some(Value::from(number));
        }
        if let Ok(number) = text.parse::<u64>() {
            return Some(Value::from(number));
        }
    }
    text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number)
}
