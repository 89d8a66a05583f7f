//! Settings that hold for a subject, with what they fall back on
//!
//! The nearest place that has settings counts; six of its fields fall back one by one on the places behind it, the others do not.

use std::sync::Arc;

use weir_schema::compatibility::Policy;
use weir_schema::level::Level;

use crate::registry_config::DecisionSettings;
use crate::store::cache::Cache;
use crate::store::records::ConfigValue;

/// Settings in force for a subject.
#[derive(Debug, Clone)]
pub(crate) struct Effective {
    /// What answers show; the level is always there.
    pub(crate) config: ConfigValue,
    pub(crate) level: Level,
    pub(crate) policy: Policy,
    pub(crate) normalizes: bool,
    pub(crate) validates_fields: bool,
    pub(crate) validates_new_schemas: bool,
}

impl Effective {
    pub(crate) fn of(cache: &Cache, settings: &DecisionSettings, subject: Option<&str>) -> Self {
        let places = cache.configs_in_scope(subject);
        let mut config = places
            .first()
            .map_or_else(ConfigValue::default, |nearest| ConfigValue::clone(nearest));
        let behind = places.get(1..).unwrap_or_default();
        fn fall_back<T: Clone>(
            behind: &[&Arc<ConfigValue>],
            own: &mut Option<T>,
            field: fn(&ConfigValue) -> &Option<T>,
        ) {
            if own.is_none() {
                *own = behind.iter().find_map(|config| field(config).clone());
            }
        }
        fall_back(behind, &mut config.normalize, |config| &config.normalize);
        fall_back(behind, &mut config.validate_fields, |config| &config.validate_fields);
        fall_back(behind, &mut config.validate_new_schemas, |config| {
            &config.validate_new_schemas
        });
        fall_back(behind, &mut config.validate_rules, |config| &config.validate_rules);
        fall_back(behind, &mut config.compatibility_policy, |config| {
            &config.compatibility_policy
        });
        fall_back(behind, &mut config.compatibility_group, |config| {
            &config.compatibility_group
        });
        let level = config.compatibility_level.as_deref().and_then(Level::parse);
        let level = level.unwrap_or(settings.default_level);
        config.compatibility_level = Some(level.as_str().to_owned());
        let is_lenient = |policy: &str| policy.eq_ignore_ascii_case("LENIENT");
        Self {
            level,
            policy: match config.compatibility_policy.as_deref().is_some_and(is_lenient) {
                true => Policy::Lenient,
                false => Policy::Strict,
            },
            normalizes: config.normalize.unwrap_or(false),
            validates_fields: config.validate_fields.unwrap_or(settings.validates_fields),
            validates_new_schemas: config.validate_new_schemas.unwrap_or(settings.validates_new_schemas),
            config,
        }
    }

    /// Is true when registering may change what was sent.
    pub(crate) fn has_defaults_or_overrides(&self) -> bool {
        let config = &self.config;
        config.default_metadata.is_some()
            || config.override_metadata.is_some()
            || config.default_rule_set.is_some()
            || config.override_rule_set.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry_config::RegistryConfig;
    use crate::store::records::Record;
    use weir_config::properties::Properties;

    fn settings() -> DecisionSettings {
        let properties: Properties = [("kafkastore.bootstrap.servers", "h:1")].into_iter().collect();
        RegistryConfig::from_properties(&properties).unwrap().0.decisions
    }

    #[test]
    fn some_fields_fall_back_one_by_one_and_the_others_do_not() {
        let mut cache = Cache::default();
        for (subject, json) in [
            (
                None,
                r#"{"compatibilityLevel":"FULL","normalize":true,"alias":"x","defaultMetadata":{"properties":{"a":"1"}}}"#,
            ),
            (Some("s"), r#"{"validateFields":true}"#),
            (Some(":.__GLOBAL:"), r#"{"compatibilityGroup":"g"}"#),
        ] {
            let value: ConfigValue = serde_json::from_str(json).unwrap();
            cache.apply(Record::Config(subject.map(str::to_owned), Box::new(value)), 0);
        }
        let of = |subject| Effective::of(&cache, &settings(), subject);
        let own = of(Some("s"));
        assert_eq!(
            (own.level, own.normalizes, own.validates_fields),
            (Level::Backward, true, true)
        );
        assert_eq!(
            (own.config.alias.as_deref(), own.has_defaults_or_overrides()),
            (None, false)
        );
        assert_eq!(own.config.compatibility_group.as_deref(), Some("g"));
        let global = of(Some("t"));
        assert_eq!((global.level, global.has_defaults_or_overrides()), (Level::Full, true));
        // Another context does not fall back on the default one.
        let other = of(Some(":.c:s"));
        assert_eq!((other.level, other.normalizes), (Level::Backward, false));
        assert_eq!(other.config.compatibility_group.as_deref(), Some("g"));
    }
}
