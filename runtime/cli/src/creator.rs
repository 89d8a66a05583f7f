//! Connectors of files, created as requests to REST create them.
//!
//! Whatever a request would be answered holds here too; the files are read in `connector_file.rs`.

use std::time::Duration;

use anyhow::anyhow;
use tokio::time::Instant;
use weir_herder::request::ConfigChange;
use weir_rest::connectors::put_connector;
use weir_rest::error::RestError;
use weir_rest::server::Api;

use crate::connector_file::ConnectorFile;

/// How long a connector of a file is tried again while others are in the way.
const CREATION_PATIENCE: Duration = Duration::from_secs(60);
const CREATION_PAUSE: Duration = Duration::from_millis(500);
/// HTTP's code for what may succeed later.
const CONFLICT: u16 = 409;

/// Creates connectors as requests to REST do, by way of the leader where another worker leads.
#[derive(Debug, Clone)]
pub(crate) struct Creator {
    api: Api,
}

impl Creator {
    /// Creates through a worker's API.
    pub(crate) fn new(api: Api) -> Self {
        Creator { api }
    }

    /// Creates or updates the connector of a file. What is refused because of a rebalance, or of another worker that does the same, is
    /// tried again for a while.
    pub(crate) async fn create(&self, file: ConnectorFile) -> anyhow::Result<()> {
        let end = Instant::now() + CREATION_PATIENCE;
        loop {
            let refusal = match self.create_once(&file).await {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            if refusal.status.as_u16() != CONFLICT || Instant::now() >= end {
                let ConnectorFile { name, path, .. } = &file;
                return Err(anyhow!(refusal.message).context(format!("connector {name} from {}", path.display())));
            }
            tokio::time::sleep(CREATION_PAUSE).await;
        }
    }

    async fn create_once(&self, file: &ConnectorFile) -> Result<(), RestError> {
        let config = file.config.clone();
        let change = match self.api.herder.connector_info(&file.name).await {
            // As it is: a restart of its tasks would serve nobody.
            Ok(info) if info.config == config => return Ok(()),
            Ok(_) => ConfigChange::Replace(config),
            Err(_) => ConfigChange::Create {
                config,
                initial_state: file.initial_state,
            },
        };
        put_connector(&self.api, &file.name, change).await?;
        tracing::info!(connector = file.name, file = %file.path.display(), "connector created");
        Ok(())
    }
}
