//! Texts with placeholders: `${offset.cursor}`, `${value.id}`
//!
//! What a placeholder stands for is told by a closure; how it is escaped depends on where the text goes. A placeholder
//! without value gives nothing.

use weir_feed::url::encoded;

/// Where a rendered text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Into a URL or form: percent-encoded.
    Url,
    /// Into a JSON text: escaped as within quotes.
    Json,
    /// Into a header: control characters become blanks.
    Header,
    /// As it is.
    Plain,
}

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Hole(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, for a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, left) = after
                .split_once('}')
                .ok_or_else(|| format!("the placeholder ${{{} is not closed", first_word(after)))?;
            if name.trim().is_empty() {
                return Err("a placeholder is empty".to_owned());
            }
            parts.push(Part::Literal(before.to_owned()));
            parts.push(Part::Hole(name.trim().to_owned()));
            rest = left;
        }
        parts.push(Part::Literal(rest.to_owned()));
        Ok(Self { parts })
    }

    /// Walks the names of the placeholders.
    pub fn holes(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// Tells whether a placeholder has no value.
    pub fn lacks(&self, value_of: &dyn Fn(&str) -> Option<String>) -> bool {
        self.holes().any(|name| value_of(name).is_none())
    }

    /// Fills the placeholders of a JSON text: within quotes as text, elsewhere as JSON; without value as null.
    pub fn render_json(&self, value_of: &dyn Fn(&str) -> Option<serde_json::Value>) -> String {
        let mut out = String::new();
        let mut in_quotes = false;
        for part in &self.parts {
            match part {
                Part::Literal(text) => {
                    let mut escaped = false;
                    for c in text.chars() {
                        match c {
                            _ if escaped => escaped = false,
                            '\\' => escaped = true,
                            '"' => in_quotes = !in_quotes,
                            _ => {}
                        }
                    }
                    out.push_str(text);
                }
                Part::Hole(name) => {
                    let value = value_of(name).unwrap_or_default();
                    match value {
                        serde_json::Value::String(text) if in_quotes => push_escaped(&mut out, Position::Json, &text),
                        serde_json::Value::Null if in_quotes => {}
                        other if in_quotes => push_escaped(&mut out, Position::Json, &other.to_string()),
                        other => out.push_str(&other.to_string()),
                    }
                }
            }
        }
        out
    }

    /// Fills the placeholders.
    pub fn render(&self, position: Position, value_of: &dyn Fn(&str) -> Option<String>) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Hole(name) => push_escaped(&mut out, position, &value_of(name).unwrap_or_default()),
            }
        }
        out
    }
}

fn push_escaped(out: &mut String, position: Position, value: &str) {
    match position {
        Position::Url => out.push_str(&encoded(value)),
        Position::Json => {
            let quoted = serde_json::Value::String(value.to_owned()).to_string();
            out.push_str(
                quoted
                    .strip_prefix('"')
                    .and_then(|text| text.strip_suffix('"'))
                    .unwrap_or_default(),
            );
        }
        Position::Header => out.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c })),
        Position::Plain => out.push_str(value),
    }
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Position, Template};

    fn value_of(name: &str) -> Option<String> {
        match name {
            "a" => Some("x y\"\n&/ñ".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn values_are_escaped_by_position() {
        let template = Template::parse("<${a}|${ none }>").expect("a template");
        for (position, expected) in [
            (Position::Url, "<x%20y%22%0A%26%2F%C3%B1|>"),
            (Position::Json, "<x y\\\"\\n&/ñ|>"),
            (Position::Header, "<x y\" &/ñ|>"),
            (Position::Plain, "<x y\"\n&/ñ|>"),
        ] {
            assert_eq!(template.render(position, &value_of), expected);
        }
        assert_eq!(template.holes().collect::<Vec<_>>(), ["a", "none"]);
        assert!(template.lacks(&value_of));
    }

    #[test]
    fn json_values_keep_their_type_outside_of_quotes() {
        let template = Template::parse(r#"{"a":${n},"b":"<${n}>","c":${t},"d":"\"${t}","e":${none},"f":"${none}"}"#);
        let value_of = |name: &str| match name {
            "n" => Some(serde_json::json!({"x": [1]})),
            "t" => Some(serde_json::json!("say \"hi\"")),
            _ => None,
        };
        assert_eq!(
            template.expect("a template").render_json(&value_of),
            r#"{"a":{"x":[1]},"b":"<{\"x\":[1]}>","c":"say \"hi\"","d":"\"say \"hi\"","e":null,"f":""}"#
        );
    }

    #[test]
    fn mistakes_are_named() {
        assert!(Template::parse("http://h/${offset.cursor").is_err_and(|error| error.contains("not closed")));
        assert!(Template::parse("${}").is_err());
    }
}
