//! Config definitions: one row an option
//!
//! Kafka's `ConfigDef` as data. Rows are built with [`ConfigKey`]'s constructors and kept in definition order. Custom
//! checks and recommended values are marked here and computed by whoever calls `validate.rs`.

use std::collections::HashMap;

/// The type of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfigType {
    /// `true` or `false`, any case.
    Boolean,
    /// STRING.
    Text,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// Double precision.
    Double,
    /// Comma-separated texts.
    List,
    /// A class name or alias.
    Class,
    /// A text that is never shown.
    Password,
}

impl ConfigType {
    /// Gives Kafka's name of the type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Text => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// How much a setting matters to most users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Importance {
    /// Must be looked at.
    High,
    /// Worth knowing.
    Medium,
    /// For special cases.
    Low,
}

impl Importance {
    /// Gives Kafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

/// Width of an input field in a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// Not given.
    None,
    /// A few characters.
    Short,
    /// A word or two.
    Medium,
    /// A line.
    Long,
}

impl Width {
    /// Gives Kafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Short => "SHORT",
            Self::Medium => "MEDIUM",
            Self::Long => "LONG",
        }
    }
}

/// What stands for a setting that is not given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DefaultValue {
    /// The setting must be given.
    Required,
    /// Null.
    Null,
    /// A text, parsed by the key's type.
    Value(String),
}

/// A check on the parsed value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Validator {
    /// A number from `min` to `max`, both inclusive, as texts of the key's type.
    Between {
        /// Least value.
        min: Option<String>,
        /// Greatest value.
        max: Option<String>,
    },
    /// One of these texts.
    OneOf(Vec<String>),
    /// One of these texts, upper or lower case.
    OneOfIgnoreCase(Vec<String>),
    /// A list of these texts.
    ListOf(Vec<String>),
    /// A list of at most so many elements.
    ListSizeMax(u32),
    /// Not null.
    NonNull,
    /// Not the empty text; null passes.
    NonEmptyText,
    /// Neither empty nor holding control characters; null passes.
    NoControlCharacters,
    /// Checked by the plugin; the text is the check's printed form.
    Custom(String),
}

impl Validator {
    /// Checks that a number is at least `min`.
    pub fn at_least(min: impl ToString) -> Self {
        Self::Between {
            min: Some(min.to_string()),
            max: None,
        }
    }

    /// Checks that a number lies from `min` to `max`.
    pub fn between(min: impl ToString, max: impl ToString) -> Self {
        Self::Between {
            min: Some(min.to_string()),
            max: Some(max.to_string()),
        }
    }

    /// Checks that a text is one of those given.
    pub fn one_of(texts: &[&str]) -> Self {
        Self::OneOf(owned(texts))
    }

    /// Checks that a text is one of those given in any case.
    pub fn one_of_ignore_case(texts: &[&str]) -> Self {
        Self::OneOfIgnoreCase(owned(texts))
    }

    /// Checks that a list holds only those given.
    pub fn list_of(texts: &[&str]) -> Self {
        Self::ListOf(owned(texts))
    }

    /// Gives the printed form, as Kafka's docs show valid values.
    pub fn describe(&self) -> String {
        match self {
            Self::Between { min: None, max: None } => "[...]".to_owned(),
            Self::Between {
                min: Some(min),
                max: None,
            } => format!("[{min},...]"),
            Self::Between {
                min: None,
                max: Some(max),
            } => format!("[...,{max}]"),
            Self::Between {
                min: Some(min),
                max: Some(max),
            } => format!("[{min},...,{max}]"),
            Self::OneOf(texts) | Self::ListOf(texts) => format!("[{}]", texts.join(", ")),
            Self::OneOfIgnoreCase(texts) => {
                format!("(case insensitive) [{}]", texts.join(", ").to_uppercase())
            }
            Self::ListSizeMax(max) => format!("List containing maximum of {max} elements"),
            Self::NonNull => "non-null string".to_owned(),
            Self::NonEmptyText => "non-empty string".to_owned(),
            Self::NoControlCharacters => "non-empty string without ISO control characters".to_owned(),
            Self::Custom(text) => text.clone(),
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConfigKey {
    /// The key.
    pub name: String,
    /// Type of the value.
    pub config_type: ConfigType,
    /// What stands for an absent value.
    pub default: DefaultValue,
    /// All must hold; the first that fails gives the error.
    pub validators: Vec<Validator>,
    /// How much it matters.
    pub importance: Importance,
    /// Documentation, plain text.
    pub documentation: String,
    /// Group in forms and docs.
    pub group: Option<String>,
    /// Place in the group, -1 without one.
    pub order: i32,
    /// Width of the input field.
    pub width: Width,
    /// Name shown to people.
    pub display_name: String,
    /// Keys whose value or visibility depends on this one.
    pub dependents: Vec<String>,
    /// Recommended values and visibility are computed by the owner.
    pub recommended: bool,
    /// Not shown by the API.
    pub internal: bool,
}

impl ConfigKey {
    /// Starts a row: required, medium importance, no group.
    pub fn new(name: &str, config_type: ConfigType) -> Self {
        Self {
            name: name.to_owned(),
            config_type,
            default: DefaultValue::Required,
            validators: Vec::new(),
            importance: Importance::Medium,
            documentation: String::new(),
            group: None,
            order: -1,
            width: Width::None,
            display_name: name.to_owned(),
            dependents: Vec::new(),
            recommended: false,
            internal: false,
        }
    }

    /// Starts a BOOLEAN row.
    pub fn boolean(name: &str) -> Self {
        Self::new(name, ConfigType::Boolean)
    }

    /// Starts a STRING row.
    pub fn text(name: &str) -> Self {
        Self::new(name, ConfigType::Text)
    }

    /// Starts an INT row.
    pub fn int(name: &str) -> Self {
        Self::new(name, ConfigType::Int)
    }

    /// Starts a SHORT row.
    pub fn short(name: &str) -> Self {
        Self::new(name, ConfigType::Short)
    }

    /// Starts a LONG row.
    pub fn long(name: &str) -> Self {
        Self::new(name, ConfigType::Long)
    }

    /// Starts a DOUBLE row.
    pub fn double(name: &str) -> Self {
        Self::new(name, ConfigType::Double)
    }

    /// Starts a LIST row.
    pub fn list(name: &str) -> Self {
        Self::new(name, ConfigType::List)
    }

    /// Starts a CLASS row.
    pub fn class(name: &str) -> Self {
        Self::new(name, ConfigType::Class)
    }

    /// Starts a PASSWORD row.
    pub fn password(name: &str) -> Self {
        Self::new(name, ConfigType::Password)
    }

    /// Sets the default.
    #[must_use]
    pub fn default(mut self, text: &str) -> Self {
        self.default = DefaultValue::Value(text.to_owned());
        self
    }

    /// Makes null the default.
    #[must_use]
    pub fn default_null(mut self) -> Self {
        self.default = DefaultValue::Null;
        self
    }

    /// Adds a check.
    #[must_use]
    pub fn validator(mut self, validator: Validator) -> Self {
        self.validators.push(validator);
        self
    }

    /// Sets the importance.
    #[must_use]
    pub fn importance(mut self, importance: Importance) -> Self {
        self.importance = importance;
        self
    }

    /// Sets the documentation.
    #[must_use]
    pub fn doc(mut self, documentation: &str) -> Self {
        self.documentation = documentation.to_owned();
        self
    }

    /// Sets the group and the place in it.
    #[must_use]
    pub fn group(mut self, group: &str, order: i32) -> Self {
        self.group = Some(group.to_owned());
        self.order = order;
        self
    }

    /// Sets the width.
    #[must_use]
    pub fn width(mut self, width: Width) -> Self {
        self.width = width;
        self
    }

    /// Sets the name shown to people.
    #[must_use]
    pub fn display_name(mut self, display_name: &str) -> Self {
        self.display_name = display_name.to_owned();
        self
    }

    /// Sets the dependents.
    #[must_use]
    pub fn dependents(mut self, dependents: &[&str]) -> Self {
        self.dependents = owned(dependents);
        self
    }

    /// Marks recommended values as computed by the owner.
    #[must_use]
    pub fn recommended(mut self) -> Self {
        self.recommended = true;
        self
    }

    /// Hides the row from the API.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// Tells whether the setting must be given.
    pub fn is_required(&self) -> bool {
        self.default == DefaultValue::Required
    }

    /// Tells whether the plugin itself must be asked.
    pub fn needs_plugin(&self) -> bool {
        self.recommended
            || self
                .validators
                .iter()
                .any(|validator| matches!(validator, Validator::Custom(_)))
    }
}

/// A set of options in definition order.
///
/// Invariant: `index[name]` is the position of `name` in `keys`, one row a name.
#[derive(Debug, Clone, Default)]
pub struct ConfigDef {
    keys: Vec<ConfigKey>,
    index: HashMap<String, usize>,
}

impl ConfigDef {
    /// Creates an empty definition.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a row that was checked, under a name not yet taken; see `check.rs` for the ways in.
    pub(crate) fn push(&mut self, key: ConfigKey) {
        self.index.insert(key.name.clone(), self.keys.len());
        self.keys.push(key);
    }

    /// Gives all rows in order.
    pub fn keys(&self) -> &[ConfigKey] {
        &self.keys
    }

    /// Gives one row.
    pub fn get(&self, name: &str) -> Option<&ConfigKey> {
        self.index.get(name).and_then(|position| self.keys.get(*position))
    }

    /// Gives all names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.name.as_str())
    }

    /// Gives the groups in order of first use.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups = Vec::new();
        for group in self.keys.iter().filter_map(|key| key.group.as_deref()) {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
    }

    /// Gives the dependents that name no row, each once, in order.
    pub fn undefined_dependents(&self) -> Vec<&str> {
        let mut undefined = Vec::new();
        for dependent in self.keys.iter().flat_map(|key| &key.dependents) {
            if self.get(dependent).is_none() && !undefined.contains(&dependent.as_str()) {
                undefined.push(dependent.as_str());
            }
        }
        undefined
    }
}
