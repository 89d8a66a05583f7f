//! A whole config against its definition
//!
//! Kafka's `ConfigDef.validate` (every problem, for REST) and `ConfigDef.parse` (first problem, for starting things).
//! Plugins' own checks come in through [`Hooks`]; values shown are texts with passwords hidden.

use std::collections::HashMap;
use std::fmt;

use crate::check::ensure_valid;
use crate::def::{ConfigDef, ConfigKey, ConfigType};
use crate::error::ConfigError;
use crate::map::ConfigMap;
use crate::parse::{ConfigValue, parse_type};
use crate::secret::Password;

/// Bound on visits through dependents: a plugin's definition may hold circles.
const MAX_VISITS_PER_KEY: usize = 64;

/// What validation says about one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueInfo {
    /// The key.
    pub name: String,
    /// The value used, default included, as shown to people.
    pub value: Option<String>,
    /// Values worth offering.
    pub recommended: Vec<String>,
    /// What is wrong, in the order found.
    pub errors: Vec<String>,
    /// Whether a form should show it.
    pub visible: bool,
}

impl ValueInfo {
    /// Starts with a name and nothing to say.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: None,
            recommended: Vec::new(),
            errors: Vec::new(),
            visible: true,
        }
    }
}

/// Checks that need knowledge from outside the definition.
pub struct Hooks<'a> {
    /// Tells whether a class name or alias can be found; asked for CLASS values.
    pub class_exists: &'a dyn Fn(&str) -> bool,
    /// Runs a key's custom validators on the parsed value, after the built-in ones passed; gives the whole error text.
    pub custom: &'a dyn Fn(&ConfigKey, Option<&ConfigValue>) -> Option<String>,
}

impl fmt::Debug for Hooks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// Hooks that accept everything.
pub const ACCEPT_ALL: Hooks<'static> = Hooks {
    class_exists: &|_| true,
    custom: &|_, _| None,
};

impl ConfigDef {
    /// Validates a config: one entry a key in definition order, then undefined dependents.
    pub fn validate(&self, config: &ConfigMap) -> Vec<ValueInfo> {
        self.validate_with(config, &ACCEPT_ALL)
    }

    /// Validates a config with class lookup and custom checks.
    pub fn validate_with(&self, config: &ConfigMap, hooks: &Hooks<'_>) -> Vec<ValueInfo> {
        let mut infos: Vec<ValueInfo> = self.names().map(ValueInfo::new).collect();
        let positions: HashMap<&str, usize> = self
            .names()
            .enumerate()
            .map(|(position, name)| (name, position))
            .collect();
        let mut visits = self.keys().len().saturating_mul(MAX_VISITS_PER_KEY);
        // Depth first from the keys that nobody depends on; Kafka reports a key once for each way that leads to it.
        let mut stack: Vec<&str> = self.roots();
        stack.reverse();
        while let Some(name) = stack.pop() {
            let (Some(key), Some(info)) = (
                self.get(name),
                positions.get(name).and_then(|position| infos.get_mut(*position)),
            ) else {
                continue;
            };
            if visits == 0 {
                break;
            }
            visits -= 1;
            validate_key(key, config, hooks, info);
            stack.extend(key.dependents.iter().rev().map(String::as_str));
        }
        infos.extend(self.undefined_dependents().into_iter().map(undefined_dependent));
        infos
    }

    /// Parses a config; unknown keys are ignored.
    ///
    /// # Errors
    /// The first setting that is missing, does not parse or fails a validator.
    pub fn parse(&self, config: &ConfigMap) -> Result<ParsedConfig, ConfigError> {
        let undefined = self.undefined_dependents();
        if !undefined.is_empty() {
            return Err(ConfigError::Other(format!(
                "Some configurations in are referred in the dependents, but not defined: {}",
                undefined.join(",")
            )));
        }
        let mut values = HashMap::with_capacity(self.keys().len());
        for key in self.keys() {
            let value = given_or_default(key, config)?;
            ensure_valid(key, value.as_ref())?;
            values.insert(key.name.clone(), value);
        }
        Ok(ParsedConfig { values })
    }

    fn roots(&self) -> Vec<&str> {
        let mut has_parent: HashMap<&str, bool> = self.names().map(|name| (name, false)).collect();
        for dependent in self.keys().iter().flat_map(|key| &key.dependents) {
            has_parent.insert(dependent, true);
        }
        self.names()
            .filter(|name| has_parent.get(name) == Some(&false))
            .collect()
    }
}

fn validate_key(key: &ConfigKey, config: &ConfigMap, hooks: &Hooks<'_>, info: &mut ValueInfo) {
    let value = match given_or_default(key, config).and_then(|value| check_class(key, value, config, hooks)) {
        Ok(value) => value,
        Err(error) => {
            info.errors.push(error.to_string());
            None
        }
    };
    match ensure_valid(key, value.as_ref()) {
        Ok(()) => info.errors.extend((hooks.custom)(key, value.as_ref())),
        Err(error) => info.errors.push(error.to_string()),
    }
    info.value = value.map(|value| value.to_text());
}

fn given_or_default(key: &ConfigKey, config: &ConfigMap) -> Result<Option<ConfigValue>, ConfigError> {
    match config.get_entry(&key.name) {
        Some(given) => parse_type(&key.name, given, key.config_type),
        None if key.is_required() => Err(ConfigError::Missing(key.name.clone())),
        None => key.default_value(),
    }
}

fn check_class(
    key: &ConfigKey,
    value: Option<ConfigValue>,
    config: &ConfigMap,
    hooks: &Hooks<'_>,
) -> Result<Option<ConfigValue>, ConfigError> {
    match (&value, config.get(&key.name)) {
        (Some(ConfigValue::Class(class)), Some(given))
            if key.config_type == ConfigType::Class && !(hooks.class_exists)(class) =>
        {
            Err(ConfigError::invalid(
                &key.name,
                given,
                format!("Class {given} could not be found."),
            ))
        }
        _ => Ok(value),
    }
}

fn undefined_dependent(name: &str) -> ValueInfo {
    ValueInfo {
        errors: vec![format!("{name} is referred in the dependents, but not defined.")],
        visible: false,
        ..ValueInfo::new(name)
    }
}

/// A config whose every defined key has a typed value or null.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedConfig {
    values: HashMap<String, Option<ConfigValue>>,
}

/// A pair of getters: one that demands a value, one that lets null through.
macro_rules! getters {
    ($($(#[$doc:meta])* $get:ident, $opt:ident, $variant:pat => $value:expr, $type:ty, $name:literal;)+) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// The key is not defined, null or of another type.
        pub fn $get(&self, name: &str) -> Result<$type, ConfigError> {
            match self.present(name)? {
                $variant => Ok($value),
                other => Err(ConfigError::invalid(name, other.to_string(), concat!("Not a value of type ", $name))),
            }
        }

        /// As the getter above; `None` for null, undefined or another type.
        pub fn $opt(&self, name: &str) -> Option<$type> {
            self.$get(name).ok()
        }
    )+};
}

impl ParsedConfig {
    getters! {
        /// Gives a BOOLEAN.
        get_boolean, opt_boolean, ConfigValue::Boolean(value) => *value, bool, "BOOLEAN";
        /// Gives an INT.
        get_int, opt_int, ConfigValue::Int(value) => *value, i32, "INT";
        /// Gives a SHORT.
        get_short, opt_short, ConfigValue::Short(value) => *value, i16, "SHORT";
        /// Gives a LONG.
        get_long, opt_long, ConfigValue::Long(value) => *value, i64, "LONG";
        /// Gives a DOUBLE.
        get_double, opt_double, ConfigValue::Double(value) => *value, f64, "DOUBLE";
        /// Gives a STRING.
        get_text, opt_text, ConfigValue::Text(value) => value, &str, "STRING";
        /// Gives a LIST.
        get_list, opt_list, ConfigValue::List(value) => value, &[String], "LIST";
        /// Gives a CLASS, the name as given.
        get_class, opt_class, ConfigValue::Class(value) => value, &str, "CLASS";
        /// Gives a PASSWORD.
        get_password, opt_password, ConfigValue::Password(value) => value, &Password, "PASSWORD";
    }

    /// Gives any value; null and undefined are both `None`.
    pub fn value(&self, name: &str) -> Option<&ConfigValue> {
        self.values.get(name)?.as_ref()
    }

    fn present(&self, name: &str) -> Result<&ConfigValue, ConfigError> {
        match self.values.get(name) {
            None => Err(ConfigError::Unknown(name.to_owned())),
            Some(None) => Err(ConfigError::invalid(name, "null", "Value must be non-null")),
            Some(Some(value)) => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests;
