//! Validators run on parsed values and defaults
//!
//! Texts are those of Kafka's validators. A null value is checked like any other: ranges and choices refuse it, which
//! is why an unparsable value is reported twice.

use crate::def::{ConfigDef, ConfigKey, Validator};
use crate::error::ConfigError;
use crate::parse::{ConfigValue, parse_type};

impl ConfigDef {
    /// Adds a row of a table that stands in the code.
    ///
    /// # Panics
    /// The key is defined twice or its default does not fit: a mistake in the table, found by any test that builds it.
    #[must_use]
    pub fn key(mut self, key: ConfigKey) -> Self {
        let added = self.try_key(key);
        assert!(added.is_ok(), "{added:?}");
        self
    }

    /// Adds a row that comes from outside, such as a plugin's.
    ///
    /// # Errors
    /// The key is defined twice, or its default fails its own type or validators.
    pub fn try_key(&mut self, key: ConfigKey) -> Result<(), ConfigError> {
        if self.get(&key.name).is_some() {
            return Err(ConfigError::Other(format!(
                "Configuration {} is defined twice.",
                key.name
            )));
        }
        let default = key.default_value()?;
        if !key.is_required() {
            ensure_valid(&key, default.as_ref())?;
        }
        self.push(key);
        Ok(())
    }
}

/// Runs a key's validators in order; the first that fails gives the error. Custom ones pass here.
///
/// # Errors
/// Kafka's text of the failed check.
pub fn ensure_valid(key: &ConfigKey, value: Option<&ConfigValue>) -> Result<(), ConfigError> {
    key.validators
        .iter()
        .try_for_each(|validator| check(key, validator, value))
}

fn check(key: &ConfigKey, validator: &Validator, value: Option<&ConfigValue>) -> Result<(), ConfigError> {
    match validator {
        Validator::Between { min, max } => check_range(key, min.as_deref(), max.as_deref(), value),
        Validator::OneOf(valid) => check_choice(key, valid, value, value_text(value)),
        Validator::OneOfIgnoreCase(valid) => check_choice_ignore_case(key, valid, value),
        Validator::ListOf(valid) => check_list(key, valid, value),
        Validator::ListSizeMax(max) => check_list_size(key, *max, value),
        Validator::NonNull if value.is_none() => Err(refused(key, value, "entry must be non null")),
        Validator::NonEmptyText if value_text(value) == Some("") => {
            Err(refused(key, value, "String must be non-empty"))
        }
        Validator::NoControlCharacters => check_control_characters(key, value),
        Validator::NonNull | Validator::NonEmptyText | Validator::Custom(_) => Ok(()),
    }
}

fn refused(key: &ConfigKey, value: Option<&ConfigValue>, reason: impl Into<String>) -> ConfigError {
    ConfigError::invalid(
        &key.name,
        value.map_or_else(|| "null".to_owned(), ToString::to_string),
        reason,
    )
}

fn value_text(value: Option<&ConfigValue>) -> Option<&str> {
    match value? {
        ConfigValue::Text(text) | ConfigValue::Class(text) => Some(text),
        ConfigValue::Password(password) => Some(password.reveal()),
        ConfigValue::Boolean(_)
        | ConfigValue::Int(_)
        | ConfigValue::Short(_)
        | ConfigValue::Long(_)
        | ConfigValue::Double(_)
        | ConfigValue::List(_) => None,
    }
}

fn check_range(
    key: &ConfigKey,
    min: Option<&str>,
    max: Option<&str>,
    value: Option<&ConfigValue>,
) -> Result<(), ConfigError> {
    let Some(number) = value.and_then(ConfigValue::as_f64) else {
        return Err(refused(key, value, "Value must be non-null"));
    };
    let bound = |text: Option<&str>| -> Result<Option<ConfigValue>, ConfigError> {
        text.map_or(Ok(None), |text| parse_type(&key.name, Some(text), key.config_type))
    };
    if let Some(min) = bound(min)?
        && min.as_f64().is_some_and(|limit| number < limit)
    {
        return Err(refused(key, value, format!("Value must be at least {min}")));
    }
    if let Some(max) = bound(max)?
        && max.as_f64().is_some_and(|limit| number > limit)
    {
        return Err(refused(key, value, format!("Value must be no more than {max}")));
    }
    Ok(())
}

fn check_choice(
    key: &ConfigKey,
    valid: &[String],
    value: Option<&ConfigValue>,
    text: Option<&str>,
) -> Result<(), ConfigError> {
    if text.is_some_and(|text| valid.iter().any(|choice| choice == text)) {
        return Ok(());
    }
    Err(refused(
        key,
        value,
        format!("String must be one of: {}", valid.join(", ")),
    ))
}

fn check_choice_ignore_case(key: &ConfigKey, valid: &[String], value: Option<&ConfigValue>) -> Result<(), ConfigError> {
    let given = value_text(value).map(str::to_uppercase);
    if given.is_some_and(|given| valid.iter().any(|choice| choice.to_uppercase() == given)) {
        return Ok(());
    }
    Err(refused(
        key,
        value,
        format!(
            "String must be one of (case insensitive): {}",
            valid.join(", ").to_uppercase()
        ),
    ))
}

/// Kafka's `ValidList`, including its checks for null, empty and repeated elements, whose texts have no common form.
fn check_list(key: &ConfigKey, valid: &[String], value: Option<&ConfigValue>) -> Result<(), ConfigError> {
    let name = &key.name;
    let Some(ConfigValue::List(items)) = value else {
        return Err(ConfigError::Other(format!(
            "Configuration '{name}' values must not be null."
        )));
    };
    let repeated = items
        .iter()
        .enumerate()
        .any(|(position, item)| items.iter().take(position).any(|earlier| earlier == item));
    if repeated {
        return Err(ConfigError::Other(format!(
            "Configuration '{name}' values must not be duplicated."
        )));
    }
    for item in items {
        if item.is_empty() {
            return Err(ConfigError::Other(format!(
                "Configuration '{name}' values must not be empty."
            )));
        }
        if !valid.is_empty() && !valid.contains(item) {
            return Err(ConfigError::invalid(
                name,
                item,
                format!("String must be one of: {}", valid.join(", ")),
            ));
        }
    }
    Ok(())
}

fn check_list_size(key: &ConfigKey, max: u32, value: Option<&ConfigValue>) -> Result<(), ConfigError> {
    match value {
        Some(ConfigValue::List(items)) if items.len() > max as usize => {
            Err(refused(key, value, format!("exceeds maximum list size of [{max}].")))
        }
        _ => Ok(()),
    }
}

fn check_control_characters(key: &ConfigKey, value: Option<&ConfigValue>) -> Result<(), ConfigError> {
    let Some(text) = value_text(value) else {
        return Ok(());
    };
    if text.is_empty() {
        return Err(refused(key, value, "String may not be empty"));
    }
    let found: Vec<String> = text
        .chars()
        .filter(|c| c.is_control())
        .map(|c| u32::from(c).to_string())
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(refused(
        key,
        value,
        format!(
            "String may not contain control sequences but had the following ASCII chars: {}",
            found.join(", ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::ensure_valid;
    use crate::def::{ConfigKey, ConfigType, Validator};
    use crate::parse::parse_type;

    fn check(config_type: ConfigType, validator: Validator, text: Option<&str>, expected: &str) {
        let key = ConfigKey::new("k", config_type).validator(validator);
        let value = parse_type("k", text, config_type).expect("parses");
        let shown = ensure_valid(&key, value.as_ref()).map_or_else(|error| error.to_string(), |()| "ok".to_owned());
        assert_eq!(shown, expected);
    }

    #[test]
    fn texts_are_those_kafka_answers() {
        use ConfigType::{Double, Int, List, Text};
        let one_of = || Validator::one_of(&["a", "b"]);
        check(
            Text,
            one_of(),
            None,
            "Invalid value null for configuration k: String must be one of: a, b",
        );
        check(Text, one_of(), Some("b"), "ok");
        check(Text, Validator::one_of_ignore_case(&["a", "b"]), Some("B"), "ok");
        check(
            Text,
            Validator::one_of_ignore_case(&["a", "b"]),
            Some("x"),
            "Invalid value x for configuration k: String must be one of (case insensitive): A, B",
        );
        check(
            List,
            Validator::list_of(&["a", "b"]),
            Some("x,a"),
            "Invalid value x for configuration k: String must be one of: a, b",
        );
        check(
            List,
            Validator::list_of(&["a", "b"]),
            Some("a,a"),
            "Configuration 'k' values must not be duplicated.",
        );
        check(
            List,
            Validator::list_of(&["a", "b"]),
            Some(",a"),
            "Configuration 'k' values must not be empty.",
        );
        check(
            List,
            Validator::list_of(&["a", "b"]),
            None,
            "Configuration 'k' values must not be null.",
        );
        check(List, Validator::list_of(&["a", "b"]), Some(""), "ok");
        check(
            List,
            Validator::ListSizeMax(1),
            Some("a,b"),
            "Invalid value [a, b] for configuration k: exceeds maximum list size of [1].",
        );
        check(
            Text,
            Validator::NonNull,
            None,
            "Invalid value null for configuration k: entry must be non null",
        );
        check(
            Text,
            Validator::NonEmptyText,
            Some(" "),
            "Invalid value  for configuration k: String must be non-empty",
        );
        check(Text, Validator::NonEmptyText, None, "ok");
        check(
            Text,
            Validator::NoControlCharacters,
            Some(""),
            "Invalid value  for configuration k: String may not be empty",
        );
        check(
            Text,
            Validator::NoControlCharacters,
            Some("a\u{1}b\u{7f}c"),
            "Invalid value a\u{1}b\u{7f}c for configuration k: String may not contain control sequences but had the following ASCII chars: 1, 127",
        );
        check(
            Int,
            Validator::between(1, 5),
            Some("9"),
            "Invalid value 9 for configuration k: Value must be no more than 5",
        );
        check(
            Int,
            Validator::at_least(1),
            Some("0"),
            "Invalid value 0 for configuration k: Value must be at least 1",
        );
        check(
            Int,
            Validator::at_least(1),
            None,
            "Invalid value null for configuration k: Value must be non-null",
        );
        check(
            Double,
            Validator::at_least("0.5"),
            Some("0.1"),
            "Invalid value 0.1 for configuration k: Value must be at least 0.5",
        );
    }
}
