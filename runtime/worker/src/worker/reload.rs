//! Values from config providers that have a time to live.
//!
//! When it is over they are looked up again. Where one has changed, what was started with it is started anew, unless the connector sets
//! `config.action.reload=none`. Source: `WorkerConfigTransformer`, which restarts without looking.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use weir_config::map::ConfigMap;
use weir_secrets::error::SecretsError;
use weir_secrets::providers::Providers;

use crate::connector_config::{CONFIG_ACTION_RELOAD, NAME};
use crate::error::WorkerError;
use crate::worker::Worker;

/// Looks for as long as it is kept.
pub(super) type ValuesWatch = JoinSet<()>;

/// What is looked up again.
#[derive(Debug)]
pub(super) struct Values {
    providers: Arc<Providers>,
    written: Vec<ConfigMap>,
    seen: Vec<ConfigMap>,
    time_to_live: Duration,
}

impl Worker {
    /// Looks values up for the first time; none when they are not to be looked up again.
    pub(super) fn values(
        &self,
        connector: &ConfigMap,
        task: Option<&ConfigMap>,
    ) -> Result<Option<Values>, WorkerError> {
        let providers = &self.settings.providers;
        let written: Vec<ConfigMap> = std::iter::once(connector).chain(task).cloned().collect();
        let Some(time_to_live) = written.iter().filter_map(|config| providers.time_to_live(config)).min() else {
            return Ok(None);
        };
        let action = providers.resolve_text(connector.get(CONFIG_ACTION_RELOAD).unwrap_or_default())?;
        if action.trim() == "none" {
            return Ok(None);
        }
        let seen = resolve(providers, &written)?;
        Ok(Some(Values {
            providers: Arc::clone(providers),
            written,
            seen,
            time_to_live,
        }))
    }
}

/// Calls `restart` each time a value has changed.
pub(super) fn watch<F>(values: Option<Values>, restart: impl Fn() -> F + Send + 'static) -> ValuesWatch
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut watch = JoinSet::new();
    if let Some(mut values) = values {
        watch.spawn(async move {
            loop {
                tokio::time::sleep(values.time_to_live).await;
                if values.have_changed() {
                    restart().await;
                }
            }
        });
    }
    watch
}

impl Values {
    fn have_changed(&mut self) -> bool {
        let connector = self
            .written
            .first()
            .and_then(|config| config.get(NAME))
            .unwrap_or_default();
        match resolve(&self.providers, &self.written) {
            Ok(now) if now == self.seen => false,
            Ok(now) => {
                tracing::info!(connector, "values of config providers have changed: restarting");
                self.seen = now;
                true
            }
            Err(error) => {
                tracing::warn!(connector, %error, "values of config providers are not there now: going on with the old ones");
                false
            }
        }
    }
}

fn resolve(providers: &Providers, written: &[ConfigMap]) -> Result<Vec<ConfigMap>, SecretsError> {
    written.iter().map(|config| providers.resolve(config)).collect()
}
