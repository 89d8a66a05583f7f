//! The tokens of a header text
//!
//! Kafka's `Values.Parser`: tokens end at `: , { } [ ] "` unless escaped, blank ones are skipped where a certain token
//! is looked for.

/// A cursor over the tokens of one text.
#[derive(Debug)]
pub(crate) struct Tokens {
    chars: Vec<char>,
    at: usize,
    peeked: Option<String>,
}

impl Tokens {
    /// Starts at the first token.
    pub(crate) fn new(text: &str) -> Self {
        Self {
            chars: text.chars().collect(),
            at: 0,
            peeked: None,
        }
    }

    /// Gives the position of the next token, to come back to.
    pub(crate) fn mark(&self) -> usize {
        self.at
            .saturating_sub(self.peeked.as_ref().map_or(0, |token| token.chars().count()))
    }

    /// Goes back to a mark.
    pub(crate) fn rewind(&mut self, mark: usize) {
        self.at = mark;
        self.peeked = None;
    }

    /// Tells whether there is another token.
    pub(crate) fn has_next(&self) -> bool {
        self.peeked.is_some() || self.at < self.chars.len()
    }

    /// Takes the next token.
    pub(crate) fn take(&mut self) -> String {
        match self.peeked.take() {
            Some(token) => token,
            None => self.consume(),
        }
    }

    /// Takes the next tokens as one text; nothing is taken when there are fewer.
    pub(crate) fn take_many(&mut self, count: usize) -> Option<String> {
        let start = self.mark();
        for _ in 0..count {
            if !self.has_next() {
                self.rewind(start);
                return None;
            }
            self.take();
        }
        self.chars.get(start..self.at).map(|chars| chars.iter().collect())
    }

    /// Takes the next token that is not blank if, trimmed, it is the one expected.
    pub(crate) fn can_consume(&mut self, expected: &str) -> bool {
        if self.peeked.is_none() && !self.has_next() {
            return false;
        }
        let mut token = self.take();
        while trimmed(&token).is_empty() && self.at < self.chars.len() {
            token = self.consume();
        }
        if trimmed(&token) == expected {
            return true;
        }
        self.peeked = Some(token);
        false
    }

    fn consume(&mut self) -> String {
        let start = self.at;
        let mut escaped = false;
        while let Some(c) = self.chars.get(self.at) {
            match c {
                '\\' => escaped = !escaped,
                ':' | ',' | '{' | '}' | '[' | ']' | '"' if !escaped => {
                    if start == self.at {
                        self.at += 1;
                    }
                    break;
                }
                _ => escaped = false,
            }
            self.at += 1;
        }
        self.chars.get(start..self.at).unwrap_or_default().iter().collect()
    }
}

/// Trims as Java's `String.trim`.
fn trimmed(token: &str) -> &str {
    token.trim_matches(|c: char| c <= ' ')
}
