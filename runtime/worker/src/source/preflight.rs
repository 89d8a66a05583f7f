//! What is asked of a source connector before it is accepted with exactly-once support.
//!
//! `exactly.once.support=required` and `transaction.boundary=connector` hold only where the connector's own code says so;
//! it is asked on an instance that is never started. Source: `DistributedHerder.validateSourceConnectorConfig` (A.8).

use weir_config::map::ConfigMap;
use weir_plugins::context::InstanceContext;
use weir_plugins::error::GuestError;
use weir_plugins::guest::source::{ExactlyOnceSupport, SourceConnectorInstance};
use weir_plugins::plugins::{ConnectorPlugin, Plugins};

use crate::connector_config::{ConfigProblem, EXACTLY_ONCE_SUPPORT, TRANSACTION_BOUNDARY};

const NAME: &str = "name";

/// Lists what stands against a source connector's exactly-once settings; `is_enabled`: the worker supports exactly-once sources.
pub async fn exactly_once_problems(
    plugins: &Plugins,
    plugin: &ConnectorPlugin,
    config: &ConfigMap,
    is_enabled: bool,
) -> Vec<ConfigProblem> {
    let is = |key: &str, value: &str| {
        config
            .get(key)
            .is_some_and(|given| given.trim().eq_ignore_ascii_case(value))
    };
    let (is_required, is_connectors) = (
        is(EXACTLY_ONCE_SUPPORT, "required"),
        is(TRANSACTION_BOUNDARY, "connector"),
    );
    let mut problems = Vec::new();
    if !is_required && !is_connectors {
        return problems;
    }
    let mut add = |key: &str, message: String| {
        problems.push(ConfigProblem {
            key: key.to_owned(),
            message,
        });
    };
    if is_required && !is_enabled {
        let text = "This worker does not have exactly-once source support enabled.";
        add(EXACTLY_ONCE_SUPPORT, text.to_owned());
    }
    let context = InstanceContext::bare(config.get(NAME).unwrap_or_default(), config.clone());
    let mut instance = SourceConnectorInstance::create(plugins, plugin, context).await;
    if is_required {
        let answer = match &mut instance {
            Ok(instance) => instance
                .exactly_once_support(config)
                .await
                .map_err(|error| failed(&error)),
            Err(error) => Err(failed(error)),
        };
        if let Err(text) = answer.and_then(judge_support) {
            add(EXACTLY_ONCE_SUPPORT, text);
        }
    }
    if is_connectors {
        let answer = match &mut instance {
            Ok(instance) => instance
                .can_define_transaction_boundaries(config)
                .await
                .map_err(|error| failed(&error)),
            Err(error) => Err(failed(error)),
        };
        if let Err(text) = answer.and_then(judge_boundaries) {
            add(TRANSACTION_BOUNDARY, text);
        }
    }
    problems
}

fn judge_support(support: ExactlyOnceSupport) -> Result<(), String> {
    match support {
        ExactlyOnceSupport::Supported => Ok(()),
        ExactlyOnceSupport::Unsupported => {
            Err("The connector does not support exactly-once semantics with the provided configuration.".to_owned())
        }
        ExactlyOnceSupport::Unknown => Err("The connector does not implement the API required for preflight validation of exactly-once source support. Please consult the documentation for the connector to determine whether it supports exactly-once semantics, and then consider reconfiguring the connector to use the value \"requested\" for this property (which will disable this preflight check and allow the connector to be created).".to_owned()),
    }
}

fn judge_boundaries(can_define: bool) -> Result<(), String> {
    if can_define {
        return Ok(());
    }
    Err("The connector does not support connector-defined transaction boundaries with the given configuration. Please reconfigure it to use a different transaction boundary definition.".to_owned())
}

fn failed(error: &GuestError) -> String {
    tracing::error!(%error, "failed while validating connector support for exactly-once semantics");
    match error.to_string().trim() {
        "" => "An unexpected error occurred during validation; please see the worker logs for more details.".to_owned(),
        text => format!("An unexpected error occurred during validation: {text}"),
    }
}
