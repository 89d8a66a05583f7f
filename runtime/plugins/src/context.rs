//! What the worker lends to one plugin instance
//!
//! The contexts of Connect's Java interfaces (`SourceTaskContext`, `SinkTaskContext`, `ConnectorContext`) as plain values and
//! three narrow handles. The host imports in `host/` are their only readers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use weir_api::error::ConnectError;
use weir_config::map::ConfigMap;

use crate::sink_requests::SinkContextHandle;
use crate::stop::StopSignal;

/// A boxed future of a handle that is chosen at run time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Reads committed source offsets for the guest.
pub trait OffsetLookup: Send + Sync {
    /// Returns one answer for each partition (compact JSON objects), in the same order.
    fn offsets<'a>(&'a self, partitions: Vec<String>) -> BoxFuture<'a, Result<Vec<Option<String>>, ConnectError>>;
}

/// Answers that nothing was committed. For sinks and throw-away instances.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoOffsets;

impl OffsetLookup for NoOffsets {
    fn offsets<'a>(&'a self, partitions: Vec<String>) -> BoxFuture<'a, Result<Vec<Option<String>>, ConnectError>> {
        Box::pin(async move { Ok(vec![None; partitions.len()]) })
    }
}

/// What a connector instance asks of the herder.
#[derive(Debug, Clone)]
pub enum ConnectorRequest {
    /// The set of tasks must be computed again.
    ReconfigureTasks,
    /// The connector fails; its tasks are left alone.
    RaiseError(ConnectError),
}

/// Everything one instance may see of the worker.
#[derive(Clone)]
pub struct InstanceContext {
    pub connector: String,
    /// None in a connector instance.
    pub task: Option<u32>,
    /// Settings with variables resolved.
    pub config: ConfigMap,
    /// The connector's settings where these are a task's: `config:KEY` capabilities are judged by what the user wrote, not by
    /// what the connector's code made of it. None = `config` is what the user wrote.
    pub connector_config: Option<ConfigMap>,
    pub offsets: Arc<dyn OffsetLookup>,
    /// Receiver: the herder. A full channel makes the guest's call wait, a closed one drops the request.
    pub connector_context: Option<mpsc::Sender<ConnectorRequest>>,
    pub sink_context: Option<SinkContextHandle>,
    pub stop: StopSignal,
}

impl InstanceContext {
    /// Creates a context with nothing but settings, as `validate` needs it.
    pub fn bare(connector: &str, config: ConfigMap) -> Self {
        Self {
            connector: connector.to_owned(),
            task: None,
            config,
            connector_config: None,
            offsets: Arc::new(NoOffsets),
            connector_context: None,
            sink_context: None,
            stop: StopSignal::new(),
        }
    }
}

impl std::fmt::Debug for InstanceContext {
    /// Leaves the settings out: they may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstanceContext")
            .field("connector", &self.connector)
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}
