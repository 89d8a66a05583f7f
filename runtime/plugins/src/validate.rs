//! Connector settings against their definition, and against the plugin where it asks for that
//!
//! Kafka's own algorithm runs on the definition without a guest. Only a plugin with custom checks, recommended values or
//! its own `validate` is asked, once, with all settings, in a throw-away instance.

use std::sync::Arc;
use std::time::Duration;

use weir_config::map::ConfigMap;
use weir_config::validate::{Hooks, ValueInfo};

use crate::bindings::exports::weir::connect::plugin as wit;
use crate::context::InstanceContext;
use crate::error::{Fault, GuestError};
use crate::guest::create::{Purpose, kind_to_wit};
use crate::marshal;
use crate::plugins::{ConnectorPlugin, Plugins};

/// Longest time that a plugin may take; it may use the network where the operator granted that.
const VALIDATE_TIMEOUT: Duration = Duration::from_secs(10);

impl Plugins {
    /// Validates settings: one answer a key of the definition, then what the plugin adds.
    ///
    /// # Errors
    /// A trap or error of the plugin's own `validate`; Connect answers 500 with the class name in front.
    pub async fn validate(&self, plugin: &ConnectorPlugin, config: &ConfigMap) -> Result<Vec<ValueInfo>, GuestError> {
        let mut infos = self.host_checks(plugin, config);
        let asks_plugin = plugin.overrides_validate || plugin.config_def.keys().iter().any(|key| key.needs_plugin());
        if !asks_plugin {
            return Ok(infos);
        }
        let answered = tokio::time::timeout(VALIDATE_TIMEOUT, self.ask_plugin(plugin, config));
        let answers = answered.await.unwrap_or_else(|_elapsed| {
            Err(GuestError::fatal(
                Fault::Trapped,
                format!("validate of {} took longer than {VALIDATE_TIMEOUT:?}", plugin.class),
            ))
        })?;
        for answer in answers {
            merge(&mut infos, answer);
        }
        Ok(infos)
    }

    /// What the definition itself says. Apart, because the hooks must not live across an await.
    fn host_checks(&self, plugin: &ConnectorPlugin, config: &ConfigMap) -> Vec<ValueInfo> {
        let hooks = Hooks {
            class_exists: &|name| self.find_any(name).is_ok(),
            custom: &|_, _| None,
        };
        plugin.config_def.validate_with(config, &hooks)
    }

    async fn ask_plugin(
        &self,
        plugin: &ConnectorPlugin,
        config: &ConfigMap,
    ) -> Result<Vec<wit::ConfigValue>, GuestError> {
        let name = config.get("name").unwrap_or(&plugin.class);
        let context = InstanceContext::bare(name, config.clone());
        let mut instance = self.instantiate(plugin, context, Purpose::Describe).await?;
        let secrets = Arc::clone(instance.secrets());
        let config = marshal::config_to_wit(&secrets.conceal(config));
        let (live, mut guard) = instance.begin()?;
        let guest = &live.exports.plugin;
        let kind = kind_to_wit(plugin.kind);
        let outcome = guard
            .run(guest.call_validate(&mut live.store, kind, &plugin.class, &config))
            .await;
        let cpu = guard.cpu;
        let mut answers = instance.finish_fallible(outcome, cpu)?;
        for answer in &mut answers {
            let shown = answer.value.take();
            answer.value = shown.map(|value| secrets.value(&value).unwrap_or(value));
            for text in &mut answer.errors {
                *text = secrets.redact_owned(std::mem::take(text));
            }
        }
        Ok(answers)
    }
}

/// Errors go after the host's; the rest replaces what the host said.
fn merge(infos: &mut Vec<ValueInfo>, answer: wit::ConfigValue) {
    let known = infos.iter_mut().find(|info| info.name == answer.name);
    let info = match known {
        Some(info) => info,
        None => infos.push_mut(ValueInfo::new(&answer.name)),
    };
    if answer.value.is_some() {
        info.value = answer.value;
    }
    info.errors.extend(answer.errors);
    info.recommended = answer.recommended;
    info.visible = answer.visible;
}
