//! Java regular expressions on Rust's engine
//!
//! Kafka: `java.util.regex.Pattern`. An expression is rewritten: quotes, escapes, classes of Java's own, case folding of
//! ASCII letters. What the engine cannot do (look-around, back-references, possessive quantifiers) is refused by name;
//! malformed expressions give Java's text. Topics are ASCII, so of Unicode properties the ASCII part is kept.

mod class;

use regex::Regex;
use weir_config::def::ConfigKey;
use weir_config::error::ConfigError;
use weir_config::parse::ConfigValue;

use crate::error::TransformError;

/// Deepest nesting of groups and of classes.
const MAX_DEPTH: usize = 100;

/// Compiles a Java expression that has to match whole texts.
///
/// # Errors
/// The expression is malformed, or uses what the engine does not have.
pub fn whole(pattern: &str) -> Result<Regex, TransformError> {
    let translated = translate(pattern).map_err(|fault| fault.of(pattern))?;
    compile(pattern, &format!(r"\A(?:{translated})\z"))
}

/// Compiles a Java expression that is looked for inside texts.
///
/// # Errors
/// The expression is malformed, or uses what the engine does not have.
pub fn part(pattern: &str) -> Result<Regex, TransformError> {
    let translated = translate(pattern).map_err(|fault| fault.of(pattern))?;
    compile(pattern, &translated)
}

fn compile(pattern: &str, translated: &str) -> Result<Regex, TransformError> {
    Regex::new(translated).map_err(|error| TransformError::Regex {
        pattern: pattern.to_owned(),
        reason: error.to_string(),
    })
}

/// Checks a setting that holds an expression; gives the whole error text.
pub fn problem(key: &ConfigKey, value: &ConfigValue) -> Option<String> {
    let ConfigValue::Text(pattern) = value else {
        return None;
    };
    let error = whole(pattern).err()?;
    let reason = match error {
        TransformError::Regex { reason, .. } => reason,
        TransformError::Config(error) => error.to_string(),
    };
    let invalid = ConfigError::invalid(&key.name, pattern, format!("Invalid regex: {reason}"));
    Some(invalid.to_string())
}

/// Why an expression is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// Java refuses it too: description and index.
    Syntax(String, usize),
    /// Java has it, the engine does not.
    Missing(&'static str),
}

impl Fault {
    fn of(self, pattern: &str) -> TransformError {
        let reason = match self {
            Self::Missing(what) => format!("{what} are not supported"),
            Self::Syntax(description, index) => {
                let mut text = format!("{description} near index {index}\n{pattern}");
                if index < pattern.chars().count() {
                    text.push('\n');
                    text.push_str(&" ".repeat(index));
                    text.push('^');
                }
                text
            }
        };
        TransformError::Regex {
            pattern: pattern.to_owned(),
            reason,
        }
    }
}

fn syntax<T>(description: &str, index: usize) -> Result<T, Fault> {
    Err(Fault::Syntax(description.to_owned(), index))
}

/// A walk over the expression.
struct Walk {
    chars: Vec<char>,
    at: usize,
    /// Letters match in both cases.
    folds: bool,
    /// A dot matches line ends.
    dot_all: bool,
    out: String,
}

fn translate(pattern: &str) -> Result<String, Fault> {
    let mut walk = Walk {
        chars: pattern.chars().collect(),
        at: 0,
        folds: false,
        dot_all: false,
        out: String::new(),
    };
    // Flags as they were before each open group.
    let mut groups: Vec<(bool, bool)> = Vec::new();
    let mut can_repeat = false;
    while let Some(char) = walk.peek() {
        match char {
            '(' => {
                if groups.len() == MAX_DEPTH {
                    return Err(Fault::Missing("groups nested so deep"));
                }
                let before = (walk.folds, walk.dot_all);
                if walk.open_group()? {
                    groups.push(before);
                }
                can_repeat = false;
            }
            ')' => {
                let Some((folds, dot_all)) = groups.pop() else {
                    return syntax("Unmatched closing ')'", walk.at.saturating_sub(1));
                };
                (walk.folds, walk.dot_all) = (folds, dot_all);
                walk.take_as(")");
                can_repeat = true;
            }
            '|' => {
                walk.take_as("|");
                can_repeat = false;
            }
            '*' | '+' | '?' | '{' => {
                if !can_repeat && char != '{' {
                    return syntax(&format!("Dangling meta character '{char}'"), walk.at);
                }
                walk.quantifier()?;
                can_repeat = false;
            }
            _ => {
                walk.atom()?;
                can_repeat = true;
            }
        }
    }
    if !groups.is_empty() {
        return syntax("Unclosed group", walk.chars.len());
    }
    Ok(walk.out)
}

impl Walk {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(ahead, char)| self.chars.get(self.at + ahead) == Some(&char))
    }

    fn take(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += 1;
        Some(char)
    }

    fn take_as(&mut self, text: &str) {
        self.at += 1;
        self.out.push_str(text);
    }

    /// Takes `(` and what belongs to it; false for flags that stand alone, `(?i)`.
    fn open_group(&mut self) -> Result<bool, Fault> {
        if !self.starts("(?") {
            self.take_as("(");
            return Ok(true);
        }
        for (prefix, what) in [
            ("(?=", "look-ahead groups"),
            ("(?!", "look-ahead groups"),
            ("(?<=", "look-behind groups"),
            ("(?<!", "look-behind groups"),
            ("(?>", "atomic groups"),
        ] {
            if self.starts(prefix) {
                return Err(Fault::Missing(what));
            }
        }
        self.at += 2;
        if self.peek() == Some('<') {
            self.out.push_str("(?P");
            while let Some(char) = self.take() {
                self.out.push(char);
                if char == '>' {
                    return Ok(true);
                }
            }
            return syntax("named capturing group is missing trailing '>'", self.chars.len());
        }
        let mut on = true;
        loop {
            let at = self.at;
            match self.take() {
                Some('-') => on = false,
                Some('i') => self.folds = on,
                Some('s') => self.dot_all = on,
                // Line ends inside a text do not occur; folding beyond ASCII does not either.
                Some('m' | 'u' | 'd') => {}
                Some('x' | 'U') => return Err(Fault::Missing("the flags x and U")),
                Some(':') => {
                    self.out.push_str("(?:");
                    return Ok(true);
                }
                Some(')') => return Ok(false),
                Some(_) => return syntax("Unknown inline modifier", at),
                None => return syntax("Unknown inline modifier", self.chars.len()),
            }
        }
    }

    fn quantifier(&mut self) -> Result<(), Fault> {
        match self.take() {
            Some('{') => {
                let start = self.at;
                let digits = |walk: &mut Self| {
                    let from = walk.at;
                    while walk.peek().is_some_and(|char| char.is_ascii_digit()) {
                        walk.at += 1;
                    }
                    walk.at > from
                };
                if !digits(self) {
                    return syntax("Illegal repetition", start.saturating_sub(1));
                }
                if self.peek() == Some(',') {
                    self.at += 1;
                    digits(self);
                }
                if self.take() != Some('}') {
                    return syntax("Unclosed counted closure", self.at);
                }
                self.out.push('{');
                let counted: String = self.chars.get(start..self.at).unwrap_or_default().iter().collect();
                self.out.push_str(&counted);
            }
            Some(char) => self.out.push(char),
            None => {}
        }
        match self.peek() {
            Some('?') => self.take_as("?"),
            Some('+') => return Err(Fault::Missing("possessive quantifiers")),
            _ => {}
        }
        Ok(())
    }

    /// Takes one character, class or escape.
    fn atom(&mut self) -> Result<(), Fault> {
        match self.take() {
            Some('[') => {
                let class = self.class(0)?;
                self.out.push_str(&class);
            }
            Some('\\') => self.escape()?,
            Some('.') if self.dot_all => self.out.push_str("(?s:.)"),
            Some('.') => self.out.push_str(r"[^\n\r\x{85}\x{2028}\x{2029}]"),
            Some(char @ ('^' | '$')) => self.out.push(char),
            Some(char) => self.literal(char),
            None => {}
        }
        Ok(())
    }

    fn literal(&mut self, char: char) {
        if self.folds && char.is_ascii_alphabetic() {
            let (low, high) = (char.to_ascii_lowercase(), char.to_ascii_uppercase());
            self.out.extend(['[', low, high, ']']);
        } else {
            self.out.push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
        }
    }

    /// Takes what follows a backslash outside a class.
    fn escape(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some('Q') => {
                self.at += 1;
                while self.peek().is_some() && !self.starts("\\E") {
                    let char = self.take().unwrap_or_default();
                    self.literal(char);
                }
                self.at = (self.at + 2).min(self.chars.len());
            }
            Some('1'..='9' | 'k') => return Err(Fault::Missing("back-references")),
            Some('G') => return Err(Fault::Missing(r"the anchors \G")),
            Some('X' | 'N') => return Err(Fault::Missing(r"the escapes \X and \N")),
            Some('A') => self.take_as(r"\A"),
            Some('z' | 'Z') => self.take_as(r"\z"),
            Some('b') => self.take_as(r"\b"),
            Some('B') => self.take_as(r"\B"),
            Some('R') => self.take_as(r"(?:\r\n|[\n\x0B\x0C\r\x{85}\x{2028}\x{2029}])"),
            Some(_) => match self.class_escape()? {
                class::Item::Set(set) => self.out.push_str(&set),
                class::Item::Char(char) => self.literal(char),
            },
            None => return syntax("Unexpected internal error", self.chars.len()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{part, whole};

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let regex = whole(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for text in matching {
            assert!(regex.is_match(text), "{pattern} should match {text}");
        }
        for text in others {
            assert!(!regex.is_match(text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn javas_syntax_means_the_same() {
        check("a|ab", &["a", "ab"], &["abc", ""]);
        check(r"\Qa.b\E.", &["a.bx"], &["axbx"]);
        check("(?i)Ab[c-e]", &["aBD", "ABc"], &["abf"]);
        check("x(?i:y)z", &["xYz"], &["XYz"]);
        check(r"[a-z&&[^m-p]]+", &["abz"], &["am"]);
        check(r"[]x]+", &["]x"], &["y"]);
        check(r"[\d_\-.]+", &["1_-."], &["a"]);
        check(r"\p{Alpha}\p{Digit}\P{Alpha}", &["a1-"], &["a1b"]);
        check(r"\x41\u0042\0103\t", &["ABC\t"], &["abc\t"]);
        check(r"a{2,3}?b{2}", &["aabb"], &["abb"]);
        check(r"(?<name>a)\w\W\s\S", &["ab- c"], &["ab-cc"]);
        check("[~&-]+", &["~&-"], &["a"]);
        check("", &[""], &["a"]);
    }

    #[test]
    fn what_the_engine_lacks_is_named() {
        for (pattern, what) in [
            ("a(?=b)", "look-ahead"),
            ("(?<!a)b", "look-behind"),
            ("(a)\\1", "back-references"),
            ("a*+", "possessive"),
            ("(?>a)", "atomic"),
        ] {
            let error = part(pattern).expect_err(pattern).to_string();
            assert!(error.contains(what), "{pattern}: {error}");
        }
    }
}
