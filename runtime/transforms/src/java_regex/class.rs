//! Character classes of Java expressions
//!
//! Unions by nesting, intersections with `&&`, named properties; the same escapes stand outside of classes.

use crate::java_regex::{Fault, MAX_DEPTH, Walk, syntax};

/// What one place of a class, or an escape, stands for.
pub(super) enum Item {
    Char(char),
    /// A class of the engine, in brackets.
    Set(String),
}

impl Walk {
    /// Takes a class, the opening bracket behind; gives it for the engine.
    pub(super) fn class(&mut self, depth: usize) -> Result<String, Fault> {
        if depth == MAX_DEPTH {
            return Err(Fault::Missing("classes nested so deep"));
        }
        let mut out = String::from("[");
        if self.peek() == Some('^') {
            self.at += 1;
            out.push('^');
        }
        let mut is_empty = true;
        loop {
            match self.peek() {
                None => return syntax("Unclosed character class", self.chars.len().saturating_sub(1)),
                Some(']') if !is_empty => {
                    self.at += 1;
                    out.push(']');
                    return Ok(out);
                }
                Some('[') => {
                    self.at += 1;
                    out.push_str(&self.class(depth + 1)?);
                }
                Some('&') if self.starts("&&") => {
                    self.at += 2;
                    out.push_str("&&");
                }
                Some(_) => self.member(&mut out)?,
            }
            is_empty = false;
        }
    }

    /// Takes a character, a range or an escape of a class.
    fn member(&mut self, out: &mut String) -> Result<(), Fault> {
        let low = match self.item()? {
            Item::Set(set) => {
                out.push_str(&set);
                return Ok(());
            }
            Item::Char(char) => char,
        };
        let next = self.chars.get(self.at + 1).copied();
        if self.peek() != Some('-') || matches!(next, Some(']' | '[') | None) {
            push_range(out, low, low, self.folds);
            return Ok(());
        }
        self.at += 1;
        match self.item()? {
            Item::Char(high) if low <= high => push_range(out, low, high, self.folds),
            Item::Char(_) => return syntax("Illegal character range", self.at.saturating_sub(1)),
            Item::Set(set) => {
                push_range(out, low, low, self.folds);
                push_range(out, '-', '-', false);
                out.push_str(&set);
            }
        }
        Ok(())
    }

    fn item(&mut self) -> Result<Item, Fault> {
        match self.take() {
            Some('\\') => self.class_escape(),
            Some(char) => Ok(Item::Char(char)),
            None => syntax("Unclosed character class", self.chars.len().saturating_sub(1)),
        }
    }

    /// Takes what follows a backslash, where it means the same in and out of classes.
    pub(super) fn class_escape(&mut self) -> Result<Item, Fault> {
        let set = |text: &str| Ok(Item::Set(text.to_owned()));
        let at = self.at;
        match self.take() {
            Some('d') => set("[0-9]"),
            Some('D') => set("[^0-9]"),
            Some('w') => set("[a-zA-Z0-9_]"),
            Some('W') => set("[^a-zA-Z0-9_]"),
            Some('s') => set(r"[ \t\n\x0B\x0C\r]"),
            Some('S') => set(r"[^ \t\n\x0B\x0C\r]"),
            Some('h') => set(r"[ \t\x{A0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]"),
            Some('H') => set(r"[^ \t\x{A0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]"),
            Some('v') => set(r"[\n\x0B\x0C\r\x{85}\x{2028}\x{2029}]"),
            Some('V') => set(r"[^\n\x0B\x0C\r\x{85}\x{2028}\x{2029}]"),
            Some('t') => Ok(Item::Char('\t')),
            Some('n') => Ok(Item::Char('\n')),
            Some('r') => Ok(Item::Char('\r')),
            Some('f') => Ok(Item::Char('\x0C')),
            Some('a') => Ok(Item::Char('\x07')),
            Some('e') => Ok(Item::Char('\x1B')),
            Some('0') => self.octal(),
            Some('x') => self.hex_escape(),
            Some('u') => self.hex(4),
            Some('c') => match self.take() {
                Some(char) if char.is_ascii() => Ok(Item::Char(char::from(char as u8 ^ 64))),
                _ => syntax("Illegal control escape sequence", at),
            },
            Some(kind @ ('p' | 'P')) => self.property(kind == 'P'),
            Some(char) if char.is_ascii_alphabetic() => syntax("Illegal/unsupported escape sequence", at),
            Some(char) => Ok(Item::Char(char)),
            None => syntax("Unexpected internal error", self.chars.len()),
        }
    }

    fn octal(&mut self) -> Result<Item, Fault> {
        let mut value = 0;
        let mut count = 0;
        while let Some(digit) = self.peek().and_then(|char| char.to_digit(8))
            && count < 3
            && value * 8 + digit <= 0o377
        {
            value = value * 8 + digit;
            count += 1;
            self.at += 1;
        }
        match char::from_u32(value) {
            Some(char) if count > 0 => Ok(Item::Char(char)),
            _ => syntax("Illegal octal escape sequence", self.at),
        }
    }

    fn hex_escape(&mut self) -> Result<Item, Fault> {
        if self.peek() != Some('{') {
            return self.hex(2);
        }
        self.at += 1;
        let start = self.at;
        while self.peek().is_some_and(|char| char != '}') {
            self.at += 1;
        }
        let digits: String = self.chars.get(start..self.at).unwrap_or_default().iter().collect();
        self.at += 1;
        let value = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
        value.map_or_else(
            || syntax("Illegal hexadecimal escape sequence", start),
            |char| Ok(Item::Char(char)),
        )
    }

    fn hex(&mut self, count: usize) -> Result<Item, Fault> {
        let digits: String = self
            .chars
            .get(self.at..self.at + count)
            .unwrap_or_default()
            .iter()
            .collect();
        self.at += count;
        match u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32) {
            Some(char) if digits.len() == count => Ok(Item::Char(char)),
            _ if count == 4 => syntax("Illegal Unicode escape sequence", self.at.min(self.chars.len())),
            _ => syntax("Illegal hexadecimal escape sequence", self.at.min(self.chars.len())),
        }
    }

    fn property(&mut self, negated: bool) -> Result<Item, Fault> {
        let name = match self.take() {
            Some('{') => {
                let start = self.at;
                while self.peek().is_some_and(|char| char != '}') {
                    self.at += 1;
                }
                let name: String = self.chars.get(start..self.at).unwrap_or_default().iter().collect();
                self.at += 1;
                name
            }
            Some(char) => char.to_string(),
            None => return syntax("Illegal character property", self.chars.len()),
        };
        let set = match name.strip_prefix("Is").unwrap_or(&name) {
            "Lower" | "Ll" | "Lowercase" | "javaLowerCase" if self.folds => "a-zA-Z",
            "Upper" | "Lu" | "Uppercase" | "javaUpperCase" if self.folds => "a-zA-Z",
            "Lower" | "Ll" | "Lowercase" | "javaLowerCase" => "a-z",
            "Upper" | "Lu" | "Uppercase" | "javaUpperCase" => "A-Z",
            "ASCII" => r"\x00-\x7F",
            "Alpha" | "L" | "Alphabetic" | "Letter" | "javaLetter" | "javaAlphabetic" | "Latin" => "a-zA-Z",
            "Digit" | "N" | "Nd" | "javaDigit" => "0-9",
            "Alnum" | "javaLetterOrDigit" => "a-zA-Z0-9",
            "Punct" | "Punctuation" => r"!-/:-@\[-`{-~",
            "Graph" => "!-~",
            "Print" => " -~",
            "Blank" => r" \t",
            "Cntrl" => r"\x00-\x1F\x7F",
            "XDigit" => "0-9a-fA-F",
            "Space" | "White_Space" | "WhiteSpace" | "javaWhitespace" => r" \t\n\x0B\x0C\r",
            _ => return Err(Fault::Missing("character properties beyond those of ASCII")),
        };
        Ok(Item::Set(format!("[{}{set}]", if negated { "^" } else { "" })))
    }
}

/// Appends a range; with folding the other case of its ASCII letters as well.
fn push_range(out: &mut String, low: char, high: char, folds: bool) {
    let mut push = |low: char, high: char| {
        for (at, char) in [low, high].into_iter().enumerate() {
            if at == 1 {
                if low == high {
                    break;
                }
                out.push('-');
            }
            out.push_str(&format!("\\x{{{:X}}}", u32::from(char)));
        }
    };
    push(low, high);
    if !folds {
        return;
    }
    let overlap = |first: char, last: char| (low.max(first), high.min(last));
    let (from, to) = overlap('a', 'z');
    if from <= to {
        push(from.to_ascii_uppercase(), to.to_ascii_uppercase());
    }
    let (from, to) = overlap('A', 'Z');
    if from <= to {
        push(from.to_ascii_lowercase(), to.to_ascii_lowercase());
    }
}
