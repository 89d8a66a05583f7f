//! `weir docs FOLDER`: reference pages made from the tables that parse the settings.
//!
//! The pages in `docs/config` are its output; a test compares them, `make docs` renews them.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use weir_config::def::ConfigDef;
use weir_config::docs::markdown;

use weir_server::broker_config::BrokerConfig;

use crate::Failure;

/// Write the reference pages of all settings into a folder
#[derive(Debug, Args)]
pub(crate) struct DocsArguments {
    /// Where the pages go; made if it is not there
    folder: PathBuf,
}

/// File name, title and table of each page.
fn pages() -> Vec<(&'static str, &'static str, ConfigDef)> {
    vec![
        (
            "broker.md",
            "Broker settings (`server.properties`)",
            BrokerConfig::definition().clone(),
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

/// Writes all pages.
pub(crate) fn run(arguments: &DocsArguments) -> Result<(), Failure> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, title, def) in pages() {
        let text = markdown(title, &def);
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
