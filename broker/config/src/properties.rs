//! Java properties files
//!
//! The syntax of `java.util.Properties.load`: `=`, `:` or white space end a key, lines go on after an odd number of
//! backslashes, `#` and `!` begin comments, `\uXXXX` are UTF-16 units. Order is kept, the last of equal keys wins.

use crate::error::ConfigError;
use crate::map::ConfigMap;

/// Settings read from a properties file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    map: ConfigMap,
}

impl Properties {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`] for a broken `\u` escape, as Java's "Malformed \\uxxxx encoding.".
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut properties = Self::new();
        let mut lines = LogicalLines { rest: text, line: 0 };
        while let Some((line, logical)) = lines.next_line() {
            let (name, value) = split_entry(&logical);
            properties.insert(unescape(name, line)?, unescape(value, line)?);
        }
        Ok(properties)
    }

    /// Reads a file's bytes as Java does for a stream: each byte is one Latin-1 character.
    ///
    /// # Errors
    /// As [`Properties::parse`].
    pub fn parse_latin1(bytes: &[u8]) -> Result<Self, ConfigError> {
        Self::parse(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>())
    }

    /// Gives the value of a key.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.map.get(name)
    }

    /// Tells whether a key is present.
    pub fn contains_key(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Sets a value; a known key keeps its place.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.map.insert(name, value);
    }

    /// Removes a key and gives its value.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        self.map.remove(name).flatten()
    }

    /// Walks the entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.map.iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Tells whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Gives the entries below a prefix, the prefix taken off.
    #[must_use]
    pub fn with_prefix(&self, prefix: &str) -> Self {
        Self {
            map: self.map.with_prefix(prefix),
        }
    }

    /// Gives the entries as a config map.
    pub fn to_map(&self) -> ConfigMap {
        self.map.clone()
    }
}

impl FromIterator<(String, String)> for Properties {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(entries: I) -> Self {
        Self {
            map: entries.into_iter().collect(),
        }
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Properties {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(entries: I) -> Self {
        Self {
            map: entries.into_iter().collect(),
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

struct LogicalLines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> LogicalLines<'a> {
    /// Gives the next line that holds an entry and its number, continuations joined, escapes still in place.
    fn next_line(&mut self) -> Option<(usize, String)> {
        loop {
            let first = self.next_natural()?.trim_start_matches(is_blank);
            if first.is_empty() || first.starts_with(['#', '!']) {
                continue;
            }
            let line = self.line;
            let mut logical = first.to_owned();
            while ends_with_odd_backslashes(&logical) {
                logical.pop();
                match self.next_natural() {
                    Some(next) => logical.push_str(next.trim_start_matches(is_blank)),
                    // Java keeps an entry with an empty key when the file ends in a lone backslash.
                    None => return Some((line, logical)),
                }
            }
            if !logical.is_empty() {
                return Some((line, logical));
            }
        }
    }

    fn next_natural(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let Some(end) = self.rest.find(['\n', '\r']) else {
            return Some(std::mem::take(&mut self.rest));
        };
        let (natural, tail) = self.rest.split_at(end);
        self.rest = tail
            .strip_prefix("\r\n")
            .or_else(|| tail.strip_prefix(['\n', '\r']))
            .unwrap_or("");
        Some(natural)
    }
}

fn ends_with_odd_backslashes(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn split_entry(logical: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = logical.find(|c: char| {
        if escaped {
            escaped = false;
            return false;
        }
        escaped = c == '\\';
        matches!(c, '=' | ':') || is_blank(c)
    });
    let (name, tail) = logical.split_at(end.unwrap_or(logical.len()));
    let tail = tail.trim_start_matches(is_blank);
    let value = tail.strip_prefix(['=', ':']).unwrap_or(tail);
    (name, value.trim_start_matches(is_blank))
}

fn unescape(text: &str, line: usize) -> Result<String, ConfigError> {
    if !text.contains('\\') {
        return Ok(text.to_owned());
    }
    // UTF-16 units, so that an escaped surrogate pair joins to one character.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut buffer = [0; 2];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = match c {
            '\\' => match chars.next() {
                Some('u') => {
                    units.push(hex_unit(&mut chars, line)?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        units.extend_from_slice(plain.encode_utf16(&mut buffer));
    }
    Ok(String::from_utf16_lossy(&units))
}

fn hex_unit(chars: &mut std::str::Chars<'_>, line: usize) -> Result<u16, ConfigError> {
    let mut unit = 0u16;
    for _ in 0..4 {
        let digit = chars
            .next()
            .and_then(|c| c.to_digit(16))
            .and_then(|digit| u16::try_from(digit).ok());
        let digit = digit.ok_or_else(|| ConfigError::Syntax {
            line,
            reason: "Malformed \\uxxxx encoding.".to_owned(),
        })?;
        unit = (unit << 4) | digit;
    }
    Ok(unit)
}

#[cfg(test)]
mod tests;
