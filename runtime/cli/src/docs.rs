//! `weir docs FOLDER`: reference pages made from the tables of settings and metrics.
//!
//! The pages in `docs/config` are its output; a test compares them, `make docs` renews them.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use weir_config::def::ConfigDef;
use weir_config::docs::markdown;
use weir_metrics::group::GroupDef;
use weir_plugins::plugins::{PluginSettings, Plugins};
use weir_registry::registry_config;
use weir_server::broker_config::BrokerConfig;

use crate::Failure;
use crate::worker_role::bundled_components;

/// Write the reference pages of all settings and metrics into a folder
#[derive(Debug, Args)]
pub(crate) struct DocsArguments {
    /// Where the pages go; made if it is not there
    folder: PathBuf,
}

/// Pages of the roles: file name, title and table of each.
fn role_pages() -> Vec<(&'static str, &'static str, ConfigDef)> {
    vec![
        (
            "broker.md",
            "Broker settings (`server.properties`)",
            BrokerConfig::definition().clone(),
        ),
        (
            "schema-registry.md",
            "Schema Registry settings (`schema-registry.properties`)",
            registry_config::definition(),
        ),
        (
            "worker-standalone.md",
            "Standalone worker settings",
            weir_worker::worker_keys::standalone_def(),
        ),
        (
            "worker-distributed.md",
            "Distributed worker settings",
            weir_worker::worker_keys::distributed_def(),
        ),
        (
            "source-connector.md",
            "Settings of every source connector",
            weir_worker::connector_config::source_def(),
        ),
        (
            "sink-connector.md",
            "Settings of every sink connector",
            weir_worker::connector_config::sink_def(),
        ),
    ]
}

/// The page of all metrics.
fn metrics_page() -> String {
    let mut page =
        "# Metrics of every role\n\nMade by `make docs`; how to read them is in [metrics](../metrics.md).\n".to_owned();
    let parts: [(&str, &[&GroupDef]); 4] = [
        ("Worker", &weir_worker::metric_tables::ALL),
        ("Group of a distributed worker", &weir_herder::group::metrics::ALL),
        ("Schema Registry", &weir_registry::registry_metrics::ALL),
        ("Broker", &weir_server::broker_metrics::ALL),
    ];
    for (title, groups) in parts {
        page.push_str(&format!("\n# {title}\n"));
        for group in groups {
            page.push_str(&format!("\n{}", group.markdown()));
        }
    }
    page
}

/// A page for each bundled connector.
async fn connector_pages() -> anyhow::Result<Vec<(String, String, ConfigDef)>> {
    let plugins = Plugins::open(PluginSettings::default(), bundled_components())
        .await
        .context("the bundled connectors")?;
    let mut pages = Vec::new();
    for info in plugins.list(true) {
        let plugin = plugins.find_connector(&info.class)?;
        let title = format!("Settings of `{}`", plugin.class);
        pages.push((page_name(&plugin.class), title, ConfigDef::clone(&plugin.config_def)));
    }
    Ok(pages)
}

/// `weir.feeds.twitter.TwitterSourceConnector` has its page in `twitter-source.md`.
fn page_name(class: &str) -> String {
    let simple = class.rsplit('.').next().unwrap_or(class);
    let simple = simple.strip_suffix("Connector").unwrap_or(simple);
    let mut name = String::new();
    for letter in simple.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name + ".md"
}

/// Writes all pages.
pub(crate) async fn run(arguments: &DocsArguments) -> Result<(), Failure> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let roles = role_pages()
        .into_iter()
        .map(|(name, title, def)| (name.to_owned(), title.to_owned(), def));
    for (name, title, def) in roles.chain(connector_pages().await?) {
        let path = folder.join(name);
        std::fs::write(&path, markdown(&title, &def)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let path = folder.join("metrics.md");
    std::fs::write(&path, metrics_page()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::page_name;

    #[test]
    fn pages_are_named_after_simple_class_names() {
        assert_eq!(
            page_name("weir.feeds.twitter.TwitterSourceConnector"),
            "twitter-source.md"
        );
        assert_eq!(page_name("FileStreamSinkConnector"), "file-stream-sink.md");
    }
}
