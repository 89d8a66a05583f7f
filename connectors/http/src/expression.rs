//! The filter language: `/state == "on" && !(/n < 3 || exists(/gone))`
//!
//! Pointers, literals, comparisons, `&&`, `||`, `!`, `exists()` and brackets; nothing else. Numbers compare as numbers,
//! texts by their characters; values of different types are unequal and not ordered. A pointer alone asks for true.

use std::cmp::Ordering;

use serde_json::Value;
use weir_feed::pointer::Pointer;

/// Deepest nesting.
const MAX_DEPTH: usize = 32;

/// A condition on a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// Both.
    And(Box<Expression>, Box<Expression>),
    /// At least one.
    Or(Box<Expression>, Box<Expression>),
    /// Not.
    Not(Box<Expression>),
    /// The pointer leads to a value, be it null.
    Exists(Pointer),
    /// A comparison.
    Compare(Operand, Operator, Operand),
    /// The operand is true.
    Holds(Operand),
}

/// A side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// What a pointer leads to; null where it leads nowhere.
    At(Pointer),
    /// A literal.
    Literal(Value),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong and where, for a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { text, rest: text };
        let expression = parser.or(0)?;
        parser.skip_blanks();
        if parser.rest.is_empty() {
            Ok(expression)
        } else {
            Err(parser.wrong("the end or one of == != < <= > >= && ||"))
        }
    }

    /// Tells whether the value fulfils it.
    pub fn holds(&self, value: &Value) -> bool {
        match self {
            Self::And(one, other) => one.holds(value) && other.holds(value),
            Self::Or(one, other) => one.holds(value) || other.holds(value),
            Self::Not(inner) => !inner.holds(value),
            Self::Exists(pointer) => pointer.first(value).is_some(),
            Self::Holds(operand) => operand.of(value) == &Value::Bool(true),
            Self::Compare(one, operator, other) => operator.holds(one.of(value), other.of(value)),
        }
    }
}

impl Operand {
    fn of<'v>(&'v self, value: &'v Value) -> &'v Value {
        match self {
            Self::At(pointer) => pointer.first(value).unwrap_or(&Value::Null),
            Self::Literal(literal) => literal,
        }
    }
}

impl Operator {
    const ALL: [(&'static str, Self); 6] = [
        ("==", Self::Equal),
        ("!=", Self::Unequal),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    fn holds(self, one: &Value, other: &Value) -> bool {
        let order = order_of(one, other);
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::Unequal => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

fn order_of(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => (one == other).then_some(Ordering::Equal),
    }
}

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn or(&mut self, depth: usize) -> Result<Expression, String> {
        let mut left = self.and(depth)?;
        while self.take("||") {
            left = Expression::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Expression, String> {
        let mut left = self.not(depth)?;
        while self.take("&&") {
            left = Expression::And(Box::new(left), Box::new(self.not(depth)?));
        }
        Ok(left)
    }

    fn not(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} brackets or ! within each other"));
        }
        self.skip_blanks();
        if self.rest.starts_with('!') && !self.rest.starts_with("!=") && self.take("!") {
            return Ok(Expression::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.or(depth + 1)?;
            return if self.take(")") {
                Ok(inner)
            } else {
                Err(self.wrong("a closing bracket"))
            };
        }
        if self.take("exists") {
            if !self.take("(") {
                return Err(self.wrong("( after exists"));
            }
            self.skip_blanks();
            let pointer = self.pointer()?;
            return if self.take(")") {
                Ok(Expression::Exists(pointer))
            } else {
                Err(self.wrong("a closing bracket"))
            };
        }
        let left = self.operand()?;
        for (text, operator) in Operator::ALL {
            if self.take(text) {
                let right = self.operand()?;
                return Ok(Expression::Compare(left, operator, right));
            }
        }
        Ok(Expression::Holds(left))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        self.skip_blanks();
        if self.rest.starts_with('/') {
            return self.pointer().map(Operand::At);
        }
        let end = if self.rest.starts_with('"') {
            self.end_of_text().ok_or_else(|| self.wrong("a closing quote"))?
        } else {
            let is_end = |c: char| c.is_whitespace() || "()=!<>&|".contains(c);
            self.rest.find(is_end).unwrap_or(self.rest.len())
        };
        let literal = self.rest.get(..end).and_then(|text| serde_json::from_str(text).ok());
        match literal {
            Some(literal @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))) => {
                self.rest = self.rest.get(end..).unwrap_or_default();
                Ok(Operand::Literal(literal))
            }
            _ => Err(self.wrong("a pointer such as /status, a text in double quotes, a number, true, false or null")),
        }
    }

    /// The byte after the closing quote.
    fn end_of_text(&self) -> Option<usize> {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return Some(at + 1),
                _ => {}
            }
        }
        None
    }

    fn pointer(&mut self) -> Result<Pointer, String> {
        let is_end = |c: char| c.is_whitespace() || "()=!<>&|".contains(c);
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        let pointer = Pointer::parse(text)?;
        self.rest = rest;
        Ok(pointer)
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn wrong(&self, expected: &str) -> String {
        let at = self.text.len() - self.rest.len();
        let found = self.rest.split_whitespace().next().unwrap_or("the end");
        format!("at character {}: found {found}, but expected {expected}", at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::Expression;
    use serde_json::json;

    #[test]
    fn conditions_are_judged() {
        let value =
            json!({"status": "active", "n": 3, "x": 2.5, "on": true, "null": null, "a": [{"b": 1}], "q": "say \"hi\""});
        for (text, expected) in [
            (r#"/status == "active""#, true),
            (r#"/status!="active""#, false),
            (r#"/status > "aardvark" && /n>=3"#, true),
            ("/n < 3 || /x == 2.5", true),
            ("!(/n < 3 || /x == 2.5)", false),
            ("/n == 3.0", true),
            (r#"/n == "3""#, false),
            (r#"/n < "9""#, false),
            ("exists(/null) && !exists( /gone )", true),
            ("/null == null && /gone == null", true),
            ("/on", true),
            ("/n", false),
            ("!/on", false),
            ("/a/0/b == 1", true),
            (r#"/q == "say \"hi\"""#, true),
            ("true && !false", true),
            ("/n == 1 && /n == 2 || /n == 3", true),
        ] {
            let parsed = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(parsed.holds(&value), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, part) in [
            ("/a = 1", "at character 4: found ="),
            ("status == 1", "a pointer such as /status"),
            (r#"/a == "x"#, "a closing quote"),
            ("(/a == 1", "a closing bracket"),
            ("/a == [1]", "a text in double quotes"),
            ("/a == 1 /b", "expected the end"),
            ("", "found the end"),
            ("exists /a", "( after exists"),
        ] {
            let error = Expression::parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(Expression::parse(&"(".repeat(10_000)).is_err());
        assert!(Expression::parse(&"!".repeat(10_000)).is_err());
    }
}
