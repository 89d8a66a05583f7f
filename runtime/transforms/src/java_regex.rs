//! Java regular expressions on Rust's engine
//!
//! Kafka: `java.util.regex.Pattern` with `matches`.

use regex::Regex;
use weir_config::def::ConfigKey;
use weir_config::error::ConfigError;
use weir_config::parse::ConfigValue;

use crate::error::TransformError;

/// Compiles a Java expression that has to match whole texts.
///
/// # Errors
/// The expression is malformed, or uses what the engine does not have.
pub fn whole(pattern: &str) -> Result<Regex, TransformError> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|error| TransformError::Regex {
        pattern: pattern.to_owned(),
        reason: error.to_string(),
    })
}

/// Checks a setting that holds an expression; gives the whole error text.
pub(crate) fn problem(key: &ConfigKey, value: &ConfigValue) -> Option<String> {
    let ConfigValue::Text(pattern) = value else {
        return None;
    };
    let error = whole(pattern).err()?;
    let invalid = ConfigError::invalid(&key.name, pattern, format!("Invalid regex: {error}"));
    Some(invalid.to_string())
}
