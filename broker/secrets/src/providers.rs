//! All providers of a worker, and the two directions of a config
//!
//! `resolve` fills variables in on the way into a connector or client; `restore` puts them back into task configs on the
//! way out, so that no value reaches a topic or REST. Source: `WorkerConfigTransformer`, `ConnectUtils.reverseTransform`.

use std::time::Duration;

use weir_config::map::ConfigMap;
use weir_config::properties::Properties;

use crate::error::SecretsError;
use crate::provider::Provider;
use crate::variable::{Part, has_variable, parts};

/// Setting that lists the providers' names.
const PROVIDERS: &str = "config.providers";

/// Providers by name; none are known unless the worker's file says so.
#[derive(Debug, Default)]
pub struct Providers {
    by_name: Vec<(String, Provider)>,
}

impl Providers {
    /// Sets up what `config.providers` lists.
    ///
    /// # Errors
    /// A provider without a class, of an unknown class, or with parameters that make no sense.
    pub fn from_properties(properties: &Properties) -> Result<Self, SecretsError> {
        let names = properties.get(PROVIDERS).unwrap_or_default();
        let mut by_name = Vec::new();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let own = properties.with_prefix(&format!("{PROVIDERS}.{name}."));
            let class = own.get("class").map(str::trim).filter(|class| !class.is_empty());
            let class = class.ok_or_else(|| SecretsError::NoClass { name: name.to_owned() })?;
            by_name.push((name.to_owned(), Provider::new(name, class, &own.with_prefix("param."))?));
        }
        Ok(Self { by_name })
    }

    /// Fills the variables of one value in. A variable of an unknown provider, or without a value, stays as written.
    ///
    /// # Errors
    /// A provider that could not be asked.
    pub fn resolve_text(&self, value: &str) -> Result<String, SecretsError> {
        let mut resolved = String::with_capacity(value.len());
        for part in parts(value) {
            match part {
                Part::Text(text) => resolved.push_str(text),
                Part::Variable(variable, written) => {
                    let provider = self.by_name.iter().find(|(name, _)| name == variable.provider);
                    let found = match provider {
                        Some((_, provider)) => provider.get(variable.path, variable.key)?,
                        None => None,
                    };
                    resolved.push_str(found.as_deref().unwrap_or(written));
                }
            }
        }
        Ok(resolved)
    }

    /// Returns the time after which a value of `config` may be another: the shortest of its providers; none when values are for ever.
    pub fn time_to_live(&self, config: &ConfigMap) -> Option<Duration> {
        let values = config.iter().filter_map(|(_, value)| value);
        let of_part = |part| match part {
            Part::Text(_) => None,
            Part::Variable(variable, _) => {
                let found = self.by_name.iter().find(|(name, _)| name == variable.provider);
                found.and_then(|(_, provider)| provider.time_to_live)
            }
        };
        values.flat_map(parts).filter_map(of_part).min()
    }

    /// Fills the variables of a config in.
    ///
    /// # Errors
    /// As [`Providers::resolve_text`].
    pub fn resolve(&self, config: &ConfigMap) -> Result<ConfigMap, SecretsError> {
        let mut resolved = config.clone();
        if self.by_name.is_empty() {
            return Ok(resolved);
        }
        for (key, value) in config.iter() {
            if let Some(value) = value.filter(|value| has_variable(value)) {
                resolved.insert(key, self.resolve_text(value)?);
            }
        }
        Ok(resolved)
    }

    /// As [`Providers::resolve`], for a properties file; the providers' own settings stay as they are.
    ///
    /// # Errors
    /// As [`Providers::resolve_text`].
    pub fn resolve_properties(&self, properties: &Properties) -> Result<Properties, SecretsError> {
        let mut resolved = Properties::default();
        for (key, value) in properties.iter() {
            if key.starts_with(PROVIDERS) {
                resolved.insert(key, value);
            } else {
                resolved.insert(key, self.resolve_text(value)?);
            }
        }
        Ok(resolved)
    }
}

/// Puts the variables of a connector's config back into one of its task configs: a key that holds a variable there holds
/// the same text here.
pub fn restore(connector: &ConfigMap, task: &mut ConfigMap) {
    for (key, value) in connector.iter() {
        if let Some(value) = value.filter(|value| has_variable(value))
            && task.contains_key(key)
        {
            task.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(lines: &[(&str, &str)]) -> Properties {
        let mut properties = Properties::default();
        for (key, value) in lines {
            properties.insert(*key, *value);
        }
        properties
    }

    fn env() -> Providers {
        Providers::from_properties(&properties(&[
            ("config.providers", "env, "),
            (
                "config.providers.env.class",
                "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
            ),
        ]))
        .expect("provider")
    }

    #[test]
    fn variables_are_filled_in_and_others_stay() {
        let path = std::env::var("PATH").expect("PATH");
        let written: ConfigMap = [
            ("a", "x${env:PATH}y"),
            ("b", "${env:NOT_SET_ANYWHERE_1}"),
            ("c", "${vault:k}"),
            ("d", "1"),
        ]
        .into_iter()
        .collect();
        let resolved = env().resolve(&written).expect("resolved");
        assert_eq!(resolved.get("a"), Some(format!("x{path}y").as_str()));
        assert_eq!(resolved.get("b"), Some("${env:NOT_SET_ANYWHERE_1}"));
        assert_eq!(resolved.get("c"), Some("${vault:k}"));
        assert_eq!(resolved.get("d"), Some("1"));
    }

    #[test]
    fn task_configs_get_their_variables_back() {
        let connector: ConfigMap = [("token", "${env:PATH}"), ("plain", "1")].into_iter().collect();
        let mut task = env().resolve(&connector).expect("resolved");
        task.insert("task.id", "0");
        task.insert("plain", "2");
        restore(&connector, &mut task);
        assert_eq!(task.get("token"), Some("${env:PATH}"));
        assert_eq!(task.get("plain"), Some("2"));
        assert_eq!(task.get("task.id"), Some("0"));
    }

    #[test]
    fn a_worker_file_is_filled_in_but_for_its_providers() {
        let file = properties(&[
            ("config.providers", "env"),
            ("config.providers.env.class", "EnvVarConfigProvider"),
            ("config.providers.env.param.allowlist.pattern", "${env:PATH}"),
            ("sasl.jaas.config", "p=${env:PATH}"),
        ]);
        let providers = Providers::from_properties(&properties(&[
            ("config.providers", "env"),
            ("config.providers.env.class", "EnvVarConfigProvider"),
        ]))
        .expect("provider");
        let resolved = providers.resolve_properties(&file).expect("resolved");
        assert_eq!(
            resolved.get("config.providers.env.param.allowlist.pattern"),
            Some("${env:PATH}")
        );
        assert!(
            resolved
                .get("sasl.jaas.config")
                .is_some_and(|text| !text.contains("${"))
        );
    }

    #[test]
    fn the_shortest_time_of_what_a_config_uses_counts() {
        let class = "FileConfigProvider";
        let providers = Providers::from_properties(&properties(&[
            ("config.providers", "quick,slow,ever"),
            ("config.providers.quick.class", class),
            ("config.providers.quick.param.ttl.ms", "5"),
            ("config.providers.slow.class", class),
            ("config.providers.slow.param.ttl.ms", "60000"),
            ("config.providers.ever.class", class),
        ]))
        .expect("providers");
        let time = |value: &str| providers.time_to_live(&[("a", "1"), ("b", value)].into_iter().collect());
        assert_eq!(time("${slow:/f:k} ${quick:/f:k}"), Some(Duration::from_millis(5)));
        assert_eq!(time("${slow:/f:k}${ever:/f:k}"), Some(Duration::from_secs(60)));
        assert_eq!(time("${ever:/f:k}${other:/f:k}"), None);
        for wrong in ["0", "-1", "soon"] {
            let file = [
                ("config.providers", "f"),
                ("config.providers.f.class", class),
                ("config.providers.f.param.ttl.ms", wrong),
            ];
            let error = Providers::from_properties(&properties(&file))
                .expect_err(wrong)
                .to_string();
            assert!(error.contains("ttl.ms") && error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_provider_without_class_is_named() {
        let error = Providers::from_properties(&properties(&[("config.providers", "vault")])).expect_err("no class");
        assert!(error.to_string().contains("config.providers.vault.class"), "{error}");
    }
}
