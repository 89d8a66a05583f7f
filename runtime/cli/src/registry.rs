//! `weir schema-registry FILE`: the registry alone, from a stock `schema-registry.properties`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio::task::JoinSet;
use weir_config::properties::Properties;
use weir_registry::registry_config::RegistryConfig;
use weir_registry::server::BoundRegistry;

use crate::ready::Ready;
use crate::{Failure, overrides, shutdown};

/// Start the Schema Registry alone, on any Kafka
///
/// Example:  weir schema-registry schema-registry.properties --override kafkastore.bootstrap.servers=127.0.0.1:9092
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RegistryArguments {
    /// A schema-registry.properties file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A setting that wins over the file; may be given many times
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Write the addresses to this file as JSON once they answer
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
}

/// Runs until a signal.
pub(crate) async fn run(arguments: RegistryArguments) -> Result<(), Failure> {
    let mut properties = overrides::read_properties(&arguments.file)?;
    overrides::apply(&mut properties, &arguments.overrides)?;
    let config = configure(&properties).map_err(Failure::startup)?;
    let mut tasks = JoinSet::new();
    let stop = shutdown::on_signal(&mut tasks)
        .context("signal handlers")
        .map_err(Failure::startup)?;
    let bound = bind(config).await.map_err(Failure::startup)?;
    let registry = first_address(&bound).map_err(Failure::startup)?;
    let ready = bound.ready();
    let ready_file = arguments.ready_file;
    let announce = async {
        ready.await;
        let addresses = Ready {
            registry: Some(registry),
            ..Ready::default()
        };
        if let Some(path) = &ready_file {
            addresses.write(path)?;
        }
        tracing::info!(%registry, "schema registry is ready");
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        result = bound.run(stop) => result.context("the schema registry failed")?,
        result = announce => result?,
    }
    Ok(())
}

/// Parses registry settings; warnings go to the log.
pub(crate) fn configure(properties: &Properties) -> anyhow::Result<RegistryConfig> {
    let properties = overrides::filled(properties)?;
    let (config, warnings) = RegistryConfig::from_properties(&properties).context("schema registry settings")?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// Binds the ports.
pub(crate) async fn bind(config: RegistryConfig) -> anyhow::Result<BoundRegistry> {
    BoundRegistry::bind(config)
        .await
        .context("the schema registry cannot start")
}

/// Where clients find it.
pub(crate) fn first_address(bound: &BoundRegistry) -> anyhow::Result<SocketAddr> {
    let addresses = bound.addresses();
    addresses
        .first()
        .copied()
        .ok_or_else(|| anyhow!("the schema registry has no listener"))
}
