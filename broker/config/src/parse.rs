//! One setting: from text to a typed value
//!
//! Kafka's `ConfigDef.parseType` and `convertToString`: what is trimmed, what a list is, and the error texts that REST
//! clients match. Whether a class exists is not known here; see `validate.rs`.

use std::fmt;

use crate::def::{ConfigKey, ConfigType, DefaultValue};
use crate::error::ConfigError;
use crate::number_text::f64_text;
use crate::secret::Password;

/// A parsed setting.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigValue {
    /// BOOLEAN.
    Boolean(bool),
    /// STRING.
    Text(String),
    /// INT.
    Int(i32),
    /// SHORT.
    Short(i16),
    /// LONG.
    Long(i64),
    /// DOUBLE.
    Double(f64),
    /// LIST.
    List(Vec<String>),
    /// CLASS, the name as given.
    Class(String),
    /// PASSWORD.
    Password(Password),
}

impl ConfigValue {
    /// Gives the text REST shows for the value: lists joined by commas, passwords hidden.
    pub fn to_text(&self) -> String {
        match self {
            Self::List(items) => items.join(","),
            Self::Boolean(_)
            | Self::Text(_)
            | Self::Int(_)
            | Self::Short(_)
            | Self::Long(_)
            | Self::Double(_)
            | Self::Class(_)
            | Self::Password(_) => self.to_string(),
        }
    }

    /// Gives a number's value as a double, as Kafka's ranges compare it.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(n) => Some(f64::from(*n)),
            Self::Short(n) => Some(f64::from(*n)),
            // Kafka compares ranges as doubles, whatever the type.
            Self::Long(n) => Some(*n as f64),
            Self::Double(n) => Some(*n),
            Self::Boolean(_) | Self::Text(_) | Self::List(_) | Self::Class(_) | Self::Password(_) => None,
        }
    }
}

/// The form Java prints inside error texts: lists as `[a, b]`.
impl fmt::Display for ConfigValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Text(text) | Self::Class(text) => f.write_str(text),
            Self::Int(value) => value.fmt(f),
            Self::Short(value) => value.fmt(f),
            Self::Long(value) => value.fmt(f),
            Self::Double(value) => f.write_str(&f64_text(*value)),
            Self::List(items) => write!(f, "[{}]", items.join(", ")),
            Self::Password(password) => password.fmt(f),
        }
    }
}

/// Parses a setting by its type; a null value stays null.
///
/// # Errors
/// [`ConfigError::Invalid`] with Kafka's text.
pub fn parse_type(
    name: &str,
    value: Option<&str>,
    config_type: ConfigType,
) -> Result<Option<ConfigValue>, ConfigError> {
    let Some(given) = value else {
        return Ok(None);
    };
    let text = java_trim(given);
    let parsed = match config_type {
        ConfigType::Boolean if text.eq_ignore_ascii_case("true") => Some(ConfigValue::Boolean(true)),
        ConfigType::Boolean if text.eq_ignore_ascii_case("false") => Some(ConfigValue::Boolean(false)),
        ConfigType::Boolean => None,
        ConfigType::Text => Some(ConfigValue::Text(text.to_owned())),
        ConfigType::Int => text.parse().ok().map(ConfigValue::Int),
        ConfigType::Short => text.parse().ok().map(ConfigValue::Short),
        ConfigType::Long => text.parse().ok().map(ConfigValue::Long),
        ConfigType::Double => parse_double(text).map(ConfigValue::Double),
        ConfigType::List => Some(ConfigValue::List(parse_list(text))),
        ConfigType::Class => Some(ConfigValue::Class(text.to_owned())),
        ConfigType::Password => Some(ConfigValue::Password(Password::new(text))),
    };
    parsed
        .map(Some)
        .ok_or_else(|| ConfigError::invalid(name, given, refusal(config_type)))
}

impl ConfigKey {
    /// Gives the parsed default; null if there is none.
    ///
    /// # Errors
    /// The default does not fit the type.
    pub fn default_value(&self) -> Result<Option<ConfigValue>, ConfigError> {
        match &self.default {
            DefaultValue::Required | DefaultValue::Null => Ok(None),
            DefaultValue::Value(text) => parse_type(&self.name, Some(text), self.config_type),
        }
    }

    /// Gives the default as REST shows it: null when required or null, `[hidden]` for passwords.
    pub fn default_text(&self) -> Option<String> {
        self.default_value().ok().flatten().map(|value| value.to_text())
    }
}

fn refusal(config_type: ConfigType) -> String {
    match config_type {
        ConfigType::Boolean => "Expected value to be either true or false".to_owned(),
        other => format!("Not a number of type {}", other.as_str()),
    }
}

/// Strips what Java's `String.trim` strips: everything up to the space character.
pub fn java_trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

fn parse_double(text: &str) -> Option<f64> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(sign * f64::INFINITY),
        _ => {}
    }
    // Java allows a type letter; Rust would also take "inf" and "nan" in any case, and a second sign.
    let digits = unsigned.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(unsigned);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    digits.parse::<f64>().ok().map(|value| sign * value)
}

fn parse_list(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',')
        .map(|item| item.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{ConfigValue, parse_type};
    use crate::def::ConfigType;

    fn check(text: &str, config_type: ConfigType, expected: &str) {
        let shown = match parse_type("k", Some(text), config_type) {
            Ok(value) => value.map_or("null".to_owned(), |value| value.to_string()),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn values_and_error_texts_are_kafkas() {
        check(" TRUE ", ConfigType::Boolean, "true");
        check(
            "yes",
            ConfigType::Boolean,
            "Invalid value yes for configuration k: Expected value to be either true or false",
        );
        check(" +5 ", ConfigType::Int, "5");
        check(
            "x",
            ConfigType::Int,
            "Invalid value x for configuration k: Not a number of type INT",
        );
        check(
            " 1d",
            ConfigType::Int,
            "Invalid value  1d for configuration k: Not a number of type INT",
        );
        check(
            "40000",
            ConfigType::Short,
            "Invalid value 40000 for configuration k: Not a number of type SHORT",
        );
        check("9223372036854775807", ConfigType::Long, "9223372036854775807");
        check("1,,a , b,", ConfigType::List, "[1, , a, b, ]");
        check("", ConfigType::List, "[]");
        check("hunter2", ConfigType::Password, "[hidden]");
    }

    #[test]
    fn doubles_follow_java() {
        for (text, expected) in [
            ("+5", "5.0"),
            ("1e3", "1000.0"),
            ("NaN", "NaN"),
            (" 1d", "1.0"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("-Infinity", "-Infinity"),
        ] {
            check(text, ConfigType::Double, expected);
        }
        for text in ["0x5", "1_0", "", "inf", "nan", "+-1", "d", "."] {
            check(
                text,
                ConfigType::Double,
                &format!("Invalid value {text} for configuration k: Not a number of type DOUBLE"),
            );
        }
    }

    #[test]
    fn null_stays_null_and_lists_join() {
        assert_eq!(parse_type("k", None, ConfigType::Int), Ok(None));
        assert_eq!(ConfigValue::List(vec!["a".into(), "b".into()]).to_text(), "a,b");
    }
}
