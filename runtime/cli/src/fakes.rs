//! `weir fakes`: services on loopback that answer as X, AEMET and Google Places do.
//!
//! For writing and trying connectors without keys. The services themselves are in `weir_fakes`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use tokio::task::JoinSet;
use weir_fakes::server::serve_all;

use crate::{Failure, ready, shutdown};

/// Serve made-up feeds that answer as X, AEMET and Google Places do, and a small paged API
///
/// Example:  weir fakes --ready-file fakes.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct FakesArguments {
    /// Address to listen on; each service picks a free port
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    listen: String,
    /// Seed of the made-up data: the same seed tells the same story
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Write the URLs to this file as JSON once they answer
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
}

/// Runs until a signal.
#[allow(clippy::print_stdout, reason = "the addresses a person waits for")]
pub(crate) async fn run(arguments: FakesArguments) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    let stop = shutdown::on_signal(&mut tasks)
        .context("signal handlers")
        .map_err(Failure::startup)?;
    let services = serve_all(&arguments.listen, arguments.seed)
        .await
        .context("the services cannot start")
        .map_err(Failure::startup)?;
    let urls = json!({
        "x": services.x_url(),
        "aemet": services.aemet_url(),
        "places": services.places_url(),
        "items": services.items_url(),
        "pid": std::process::id(),
    });
    if let Some(path) = &arguments.ready_file {
        ready::write_atomically(path, &urls.to_string()).map_err(Failure::startup)?;
    }
    println!("{urls:#}");
    stop.cancelled().await;
    Ok(())
}
