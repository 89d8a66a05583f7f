//! `weir broker FILE`: the bundled broker alone, from a stock `server.properties`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tokio::task::JoinSet;
use weir_config::properties::Properties;
use weir_metrics::registry::MetricRegistry;
use weir_server::broker::{BoundBroker, Broker};
use weir_server::broker_config::BrokerConfig;

use crate::metrics_port::MetricsPort;
use crate::ready::Ready;
use crate::{Failure, overrides, shutdown};

/// Start the bundled Kafka broker alone
///
/// Example:  weir broker server.properties --override listeners=PLAINTEXT://127.0.0.1:9092
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct BrokerArguments {
    /// A Kafka server.properties file
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
pub(crate) async fn run(arguments: BrokerArguments) -> Result<(), Failure> {
    let mut properties = overrides::read_properties(&arguments.file)?;
    overrides::apply(&mut properties, &arguments.overrides)?;
    let config = configure(&properties).map_err(Failure::startup)?;
    let mut tasks = JoinSet::new();
    let stop = shutdown::on_signal(&mut tasks)
        .context("signal handlers")
        .map_err(Failure::startup)?;
    let port = match config.metrics_listener.as_deref() {
        Some(listener) => Some(MetricsPort::bind(listener).await.map_err(Failure::startup)?),
        None => None,
    };
    let metrics = MetricRegistry::default();
    let bound = bind(config).map_err(Failure::startup)?.with_metrics(metrics.clone());
    let ready = Ready {
        kafka: bound.addresses().first().copied(),
        metrics: port.as_ref().map(MetricsPort::address),
        ..Ready::default()
    };
    let announce = async {
        if let Some(path) = &arguments.ready_file {
            ready.write(path)?;
        }
        tracing::info!(kafka = ?ready.kafka, metrics = ?ready.metrics, "broker is ready");
        std::future::pending::<anyhow::Result<()>>().await
    };
    let show = async {
        match port {
            Some(port) => port.serve(metrics).await,
            None => std::future::pending().await,
        }
    };
    // The ports answer from the moment they are bound; the first requests wait for recovery.
    tokio::select! {
        result = bound.run(stop) => result.context("the broker failed")?,
        result = announce => result?,
        result = show => result?,
    }
    Ok(())
}

/// Parses broker settings; warnings go to the log.
pub(crate) fn configure(properties: &Properties) -> anyhow::Result<BrokerConfig> {
    let properties = overrides::filled(properties)?;
    let (config, warnings) = BrokerConfig::from_properties(&properties).context("broker settings")?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// Binds ports and takes the data directory.
pub(crate) fn bind(config: BrokerConfig) -> anyhow::Result<BoundBroker> {
    Broker::bind(config).context("the broker cannot start")
}
