//! The settings of the transformations and predicates that a connector names
//!
//! Each alias brings in keys of its own (`transforms.ALIAS.…`), grouped and ordered as Connect's `EnrichablePlugin`
//! does it. A value that does not parse is reported under its full key; the class's own checks know the short one.

use weir_config::check::ensure_valid;
use weir_config::def::{ConfigDef, ConfigKey, ConfigType, Importance, Width};
use weir_config::map::ConfigMap;
use weir_config::parse::ConfigValue;
use weir_plugins::plugins::Plugins;
use weir_transforms::catalogue::{self, TransformClass};
use weir_worker::connector_config::{ConfigProblem, PREDICATES, TRANSFORMS, split_list};

use super::versions;

const NEGATE: &str = "negate";
const PREDICATE: &str = "predicate";

/// One alias of `transforms` or `predicates`.
pub(super) struct Section {
    alias: String,
    /// `transforms.ALIAS.`
    prefix: String,
    is_transformation: bool,
    /// None when the type is missing, unknown or of another kind.
    class: Option<&'static TransformClass>,
    /// What is wrong with the version asked for.
    version_problems: Vec<ConfigProblem>,
}

/// Lists the aliases of a config: transformations, then predicates, each once.
pub(super) fn sections(plugins: &Plugins, config: &ConfigMap) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for key in [TRANSFORMS, PREDICATES] {
        for alias in split_list(config.get(key).unwrap_or("")) {
            let prefix = format!("{key}.{alias}.");
            if !sections.iter().any(|known| known.prefix == prefix) {
                sections.push(Section::new(plugins, config, key == TRANSFORMS, alias, prefix));
            }
        }
    }
    sections
}

impl Section {
    fn new(plugins: &Plugins, config: &ConfigMap, is_transformation: bool, alias: String, prefix: String) -> Self {
        let find = if is_transformation {
            catalogue::find_transformation
        } else {
            catalogue::find_predicate
        };
        let (type_key, version_key) = (format!("{prefix}type"), format!("{prefix}plugin.version"));
        let class = config.get(&type_key).map(str::trim).and_then(find);
        let version_problems = class.map_or_else(Vec::new, |class| {
            versions::problems(plugins, config, class.class, &type_key, &version_key)
        });
        Self {
            alias,
            prefix,
            is_transformation,
            class,
            version_problems,
        }
    }

    fn kind(&self) -> &'static str {
        if self.is_transformation {
            "Transformation"
        } else {
            "Predicate"
        }
    }

    /// The class whose keys are shown; none once its version cannot be had.
    fn shown_class(&self) -> Option<&'static TransformClass> {
        self.class.filter(|_| self.version_problems.is_empty())
    }

    /// Adds the rows of this alias; the class's own checks are left to [`Section::custom_problem`].
    pub(super) fn add_rows(&self, def: ConfigDef) -> ConfigDef {
        let (kind, alias) = (self.kind(), &self.alias);
        let plural = if self.is_transformation {
            "Transforms"
        } else {
            "Predicates"
        };
        let group = format!("{plural}: {alias}");
        let row = |name: &str, config_type| {
            ConfigKey::new(&format!("{}{name}", self.prefix), config_type)
                .importance(Importance::High)
                .width(Width::Long)
                .recommended()
        };
        let type_row = row("type", ConfigType::Class)
            .group(&group, 0)
            .display_name(&format!("{kind} type for {alias}"))
            .doc(&format!("Class of the {} '{alias}'.", kind.to_lowercase()));
        let version_row = row("plugin.version", ConfigType::Text)
            .group(&group, 1)
            .display_name(&format!("{kind} version for {alias}"))
            .doc("Version or version range of the class; the newest if unset.");
        let version_row = match self.class {
            Some(_) => version_row.default(catalogue::VERSION),
            None => version_row.default_null(),
        };
        let mut keys = self.shown_class().map_or_else(Vec::new, |class| self.options(class));
        keys.sort_by(|a, b| rank(a).cmp(&rank(b)));
        let options = (2..).zip(keys).map(|(order, key)| {
            let name = format!("{}{}", self.prefix, key.name);
            let key = ConfigKey {
                name,
                validators: Vec::new(),
                ..key
            };
            key.group(&group, order)
        });
        options.fold(def.key(type_row).key(version_row), ConfigDef::key)
    }

    /// The keys of the class and, for transformations, those every one has.
    fn options(&self, class: &TransformClass) -> Vec<ConfigKey> {
        let mut keys = class.config_def().keys().to_vec();
        if self.is_transformation {
            keys.push(
                ConfigKey::text(PREDICATE)
                    .default_null()
                    .doc("Alias of the predicate that decides whether a record is transformed."),
            );
            keys.push(
                ConfigKey::boolean(NEGATE)
                    .default("false")
                    .doc("Whether the records that do not satisfy the predicate are transformed instead."),
            );
        }
        keys
    }

    /// Runs the checks on one of this alias's rows; none also for the rows of others.
    pub(super) fn custom_problem(
        &self,
        plugins: &Plugins,
        config: &ConfigMap,
        key: &ConfigKey,
        value: Option<&ConfigValue>,
    ) -> Option<String> {
        let short = key.name.strip_prefix(&self.prefix)?;
        if short == "type" {
            return self.type_problem(plugins, config, value);
        }
        let class = self.shown_class()?;
        let definition = class.config_def();
        let own = definition.get(short)?;
        match ensure_valid(own, value) {
            Err(error) => Some(error.to_string()),
            Ok(()) => class.custom_problem(own, value),
        }
    }

    fn type_problem(&self, plugins: &Plugins, config: &ConfigMap, value: Option<&ConfigValue>) -> Option<String> {
        let (negate, predicate) = (
            format!("{}{NEGATE}", self.prefix),
            format!("{}{PREDICATE}", self.prefix),
        );
        if self.is_transformation && config.contains_key(&negate) && !config.contains_key(&predicate) {
            return Some(format!(
                "Config '{negate}' was provided but there is no config '{predicate}' defining a predicate to be negated."
            ));
        }
        let name = value?.to_string();
        if self.class.is_some() {
            return None;
        }
        if is_abstract(&name) {
            return Some(format!(
                "This class is abstract and cannot be created. Did you mean {name}$Key, {name}$Value?"
            ));
        }
        let class = super::full_name(plugins, &name);
        Some(format!(
            "Class class {class} does not implement the {} interface",
            self.kind()
        ))
    }

    /// Tells what is worth offering for one of this alias's keys.
    pub(super) fn recommended(&self, key: &str) -> Option<Vec<String>> {
        match key.strip_prefix(&self.prefix)? {
            "type" if self.is_transformation => Some(names(catalogue::transformations())),
            "type" => Some(names(catalogue::predicates())),
            "plugin.version" => Some(self.class.iter().map(|_| catalogue::VERSION.to_owned()).collect()),
            _ => None,
        }
    }

    pub(super) fn version_problems(&self) -> &[ConfigProblem] {
        &self.version_problems
    }
}

/// Tells whether a class stands for a pair that works on keys and on values.
pub(super) fn is_abstract(name: &str) -> bool {
    catalogue::find_transformation(&format!("{name}$Key")).is_some()
}

fn names(classes: &[TransformClass]) -> Vec<String> {
    classes.iter().map(|class| class.class.to_owned()).collect()
}

/// Kafka's order of embedded keys: what must be given, then by importance, then by name.
fn rank(key: &ConfigKey) -> (bool, u8, &str) {
    let importance = match key.importance {
        Importance::High => 0,
        Importance::Medium => 1,
        Importance::Low => 2,
    };
    (!key.is_required(), importance, &key.name)
}
