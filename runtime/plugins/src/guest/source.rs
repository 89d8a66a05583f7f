//! Source connectors and source tasks
//!
//! One value is one instance in its own store; calls never overlap because each takes `&mut self`. A frame that `poll`
//! returns is checked by [`SourceTaskInstance::frame`], so that the bytes can be kept and read in place.

use std::time::Duration;

use weir_api::data::schemas::SchemaTable;
use weir_api::frame::reader::{Frame, FrameLimits};
use weir_config::map::ConfigMap;

use crate::bindings::exports::weir::connect::source_connector as connector_wit;
use crate::bindings::exports::weir::connect::source_task as task_wit;
use crate::context::InstanceContext;
use crate::error::{Fault, GuestError};
use crate::guest::create::Purpose;
use crate::host::metrics::SharedMetrics;
use crate::instance::Instance;
use crate::limits::Limits;
use crate::marshal;
use crate::plugins::{ConnectorPlugin, Plugins};

/// What a connector says when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Started {
    /// Call `monitor` about this often, in milliseconds; none = never.
    pub monitor_every_ms: Option<u32>,
}

/// Answer to the preflight question about exactly-once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExactlyOnceSupport {
    /// The connector does not implement the question.
    Unknown,
    Supported,
    Unsupported,
}

/// One source connector.
pub struct SourceConnectorInstance {
    instance: Instance,
    class: String,
}

/// Makes the error of a component that lacks the interface which its class needs.
pub(crate) fn missing(interface: &str) -> GuestError {
    GuestError::fatal(
        Fault::Contract,
        format!("the component does not export weir:connect/{interface}"),
    )
}

/// Calls one function of an exported interface under guard and ends the call.
macro_rules! call {
    ($instance:expr, $interface:ident, $name:literal, $finish:ident, |$guest:ident, $store:ident| $call:expr) => {{
        let (live, mut guard) = $instance.begin()?;
        let $store = &mut live.store;
        match &live.exports.$interface {
            Some($guest) => {
                let outcome = guard.run($call).await;
                let cpu = guard.cpu;
                $instance.$finish(outcome, cpu)
            }
            None => {
                let cpu = guard.cpu;
                $instance.finish(Ok(()), cpu)?;
                Err(crate::guest::source::missing($name))
            }
        }
    }};
}
pub(crate) use call;

impl SourceConnectorInstance {
    /// Creates an instance that is not started.
    pub async fn create(
        plugins: &Plugins,
        plugin: &ConnectorPlugin,
        context: InstanceContext,
    ) -> Result<Self, GuestError> {
        let instance = plugins.instantiate(plugin, context, Purpose::Connector).await?;
        Ok(Self {
            instance,
            class: plugin.class.clone(),
        })
    }

    /// Series that the guest keeps; none once the instance is gone.
    pub fn metrics(&self) -> Option<SharedMetrics> {
        self.instance.data().map(|state| state.metrics.clone())
    }

    /// Starts the connector.
    pub async fn start(&mut self, config: &ConfigMap) -> Result<Started, GuestError> {
        let (class, config) = (&self.class, self.instance.seen(config));
        let started = call!(
            self.instance,
            source_connector,
            "source-connector",
            finish_fallible,
            |guest, store| guest.call_start(store, class, &config)
        )?;
        Ok(Started {
            monitor_every_ms: started.monitor_every_ms,
        })
    }

    /// Computes the settings of at most `max_tasks` tasks.
    pub async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<ConfigMap>, GuestError> {
        let configs = call!(
            self.instance,
            source_connector,
            "source-connector",
            finish_fallible,
            |guest, store| guest.call_task_configs(store, max_tasks)
        )?;
        let secrets = self.instance.secrets();
        configs
            .into_iter()
            .map(|config| secrets.reveal(marshal::config_from_wit(config)))
            .collect()
    }

    /// Asks whether the set of tasks must be computed again.
    pub async fn monitor(&mut self) -> Result<bool, GuestError> {
        call!(
            self.instance,
            source_connector,
            "source-connector",
            finish_fallible,
            |guest, store| guest.call_monitor(store)
        )
    }

    /// Stops the connector.
    pub async fn stop(&mut self) -> Result<(), GuestError> {
        call!(
            self.instance,
            source_connector,
            "source-connector",
            finish_fallible,
            |guest, store| guest.call_stop(store)
        )
    }

    /// Answers the preflight question; only on an instance that was never started.
    pub async fn exactly_once_support(&mut self, config: &ConfigMap) -> Result<ExactlyOnceSupport, GuestError> {
        let (class, config) = (&self.class, self.instance.seen(config));
        let support = call!(
            self.instance,
            source_connector,
            "source-connector",
            finish_fallible,
            |guest, store| guest.call_exactly_once_support(store, class, &config)
        )?;
        Ok(match support {
            connector_wit::Support::Unknown => ExactlyOnceSupport::Unknown,
            connector_wit::Support::Supported => ExactlyOnceSupport::Supported,
            connector_wit::Support::Unsupported => ExactlyOnceSupport::Unsupported,
        })
    }

    /// Answers whether the connector defines its own transactions; only on an instance that was never started.
    pub async fn can_define_transaction_boundaries(&mut self, config: &ConfigMap) -> Result<bool, GuestError> {
        let (class, config) = (&self.class, self.instance.seen(config));
        call!(
            self.instance,
            source_connector,
            "source-connector",
            finish_fallible,
            |guest, store| guest.call_can_define_transaction_boundaries(store, class, &config)
        )
    }

    /// Lets the connector check or apply changed offsets; only on an instance that was never started.
    pub async fn alter_offsets(
        &mut self,
        config: &ConfigMap,
        offsets: &[(String, Option<String>)],
    ) -> Result<bool, GuestError> {
        let (class, config) = (&self.class, self.instance.seen(config));
        call!(
            self.instance,
            source_connector,
            "source-connector",
            finish_fallible,
            |guest, store| guest.call_alter_offsets(store, class, &config, offsets)
        )
    }

    /// True where the instance can never be called again.
    pub fn is_poisoned(&self) -> bool {
        self.instance.is_poisoned()
    }
}

/// What a poll may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollBudget {
    pub max_records: u32,
    pub max_bytes: u32,
    pub max_wait_ms: u32,
}

impl Default for PollBudget {
    fn default() -> Self {
        Self {
            max_records: 2_000,
            max_bytes: 1024 * 1024,
            max_wait_ms: 500,
        }
    }
}

/// Acknowledged records of one batch, in parallel columns; see `wit/source.wit`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acks {
    /// Counts polls that returned a frame.
    pub batch: u64,
    pub index: Vec<u32>,
    /// Indexes into `topics`.
    pub topic: Vec<u32>,
    pub topics: Vec<String>,
    /// -1 = dropped or skipped.
    pub partition: Vec<i32>,
    pub offset: Vec<i64>,
    pub timestamp: Vec<i64>,
}

/// One source task.
pub struct SourceTaskInstance {
    instance: Instance,
    class: String,
    limits: Limits,
    /// Stands in for the table of an instance that is gone, so that callers need no second path.
    no_schemas: SchemaTable,
}

/// What a source task says when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskStarted {
    /// `records_acked` is wanted.
    pub wants_acks: bool,
}

impl SourceTaskInstance {
    /// Creates an instance that is not started.
    pub async fn create(
        plugins: &Plugins,
        plugin: &ConnectorPlugin,
        context: InstanceContext,
    ) -> Result<Self, GuestError> {
        let instance = plugins.instantiate(plugin, context, Purpose::Task).await?;
        Ok(Self {
            instance,
            class: plugin.class.clone(),
            limits: plugins.limits(),
            no_schemas: SchemaTable::new(),
        })
    }

    /// Starts the task.
    pub async fn start(&mut self, config: &ConfigMap) -> Result<TaskStarted, GuestError> {
        let (class, config) = (&self.class, self.instance.seen(config));
        let started = call!(
            self.instance,
            source_task,
            "source-task",
            finish_fallible,
            |guest, store| guest.call_start(store, class, &config)
        )?;
        Ok(TaskStarted {
            wants_acks: started.wants_acks,
        })
    }

    /// Polls once. None = nothing to do now; a frame may hold no records.
    pub async fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<u8>>, GuestError> {
        let budget = task_wit::PollBudget {
            max_records: budget.max_records,
            max_bytes: budget.max_bytes,
            max_wait_ms: budget.max_wait_ms,
        };
        call!(
            self.instance,
            source_task,
            "source-task",
            finish_fallible,
            |guest, store| guest.call_poll(store, budget)
        )
    }

    /// Checks a polled frame against the limits and this instance's schemas. A bad frame is fatal for the task.
    pub fn frame<'f>(&self, bytes: &'f [u8]) -> Result<Frame<'f>, GuestError> {
        let schemas = self.instance.data().map(|state| &state.schemas);
        let limits = FrameLimits {
            max_bytes: self.limits.max_frame_bytes,
            max_records: self.limits.max_frame_records,
            schema_end: schemas.unwrap_or(&self.no_schemas).end(),
        };
        let frame = Frame::parse(bytes, &limits)
            .map_err(|error| GuestError::fatal(Fault::Contract, format!("plugin returned a bad frame: {error}")))?;
        if frame.is_sink() {
            return Err(GuestError::fatal(
                Fault::Contract,
                "plugin returned a bad frame: a source must not set the SINK flag",
            ));
        }
        Ok(frame)
    }

    /// Tells the task which records are stored.
    pub async fn records_acked(&mut self, acks: Acks) -> Result<(), GuestError> {
        let acks = task_wit::Acks {
            batch: acks.batch,
            index: acks.index,
            topic: acks.topic,
            topics: acks.topics,
            partition: acks.partition,
            offset: acks.offset,
            timestamp: acks.timestamp,
        };
        call!(
            self.instance,
            source_task,
            "source-task",
            finish_fallible,
            |guest, store| guest.call_records_acked(store, &acks)
        )
    }

    /// Tells the task that its offsets are durable.
    pub async fn commit(&mut self) -> Result<(), GuestError> {
        call!(
            self.instance,
            source_task,
            "source-task",
            finish_fallible,
            |guest, store| guest.call_commit(store)
        )
    }

    /// Stops the task.
    pub async fn stop(&mut self) -> Result<(), GuestError> {
        call!(
            self.instance,
            source_task,
            "source-task",
            finish_fallible,
            |guest, store| guest.call_stop(store)
        )
    }

    /// Schema ids of this instance, shared with its converters.
    pub fn schemas(&mut self) -> &mut SchemaTable {
        match self.instance.data_mut() {
            Some(state) => &mut state.schemas,
            None => &mut self.no_schemas,
        }
    }

    /// Series that the guest keeps; none once the instance is gone.
    pub fn metrics(&self) -> Option<SharedMetrics> {
        self.instance.data().map(|state| state.metrics.clone())
    }

    /// CPU time that the guest has taken.
    pub fn cpu(&self) -> Duration {
        self.instance.cpu()
    }

    /// Bytes of linear memory in use; 0 once the instance is gone.
    pub fn memory_bytes(&self) -> usize {
        self.instance.data().map_or(0, |state| state.limiter.used_bytes())
    }

    /// True where the instance can never be called again.
    pub fn is_poisoned(&self) -> bool {
        self.instance.is_poisoned()
    }
}

impl std::fmt::Debug for SourceConnectorInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceConnectorInstance")
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SourceTaskInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceTaskInstance")
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}
