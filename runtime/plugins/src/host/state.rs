//! Store data of one instance
//!
//! Owned by the instance's store and reached by every host import. Also the two guards that the engine itself asks:
//! the memory limiter and the CPU budget.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use weir_api::data::schemas::SchemaTable;
use weir_config::map::ConfigMap;

use crate::context::InstanceContext;
use crate::egress::clients::HttpClients;
use crate::error::LimitExceeded;
use crate::host::budget::Budgets;
use crate::host::clock::{self, Clocks};
use crate::host::http::Egress;
use crate::host::log::GuestLog;
use crate::host::metrics::SharedMetrics;
use crate::host::stdio::{StdioKind, StdioLog};
use crate::limits::TICK;
use crate::policy::Policy;
use crate::secrets::Secrets;

/// Who the guest is, for `who-am-i` and the log.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) connector: Arc<str>,
    pub(crate) task: Option<u32>,
    pub(crate) worker: String,
    pub(crate) plugin_version: String,
}

/// Everything that host imports of one instance can reach.
pub(crate) struct HostState {
    pub(crate) table: ResourceTable,
    pub(crate) limiter: MemoryLimiter,
    pub(crate) budget: CallBudget,
    pub(crate) identity: Identity,
    pub(crate) context: InstanceContext,
    pub(crate) config: Arc<ConfigMap>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) schemas: SchemaTable,
    pub(crate) log: GuestLog,
    pub(crate) stderr: StdioLog,
    pub(crate) metrics: SharedMetrics,
    pub(crate) max_read_bytes: usize,
    pub(crate) budgets: Budgets,
    pub(crate) secrets: Arc<Secrets>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    egress: Egress,
}

/// The parts from which a [`HostState`] is made.
pub(crate) struct StateParts {
    pub(crate) identity: Identity,
    pub(crate) context: InstanceContext,
    pub(crate) policy: Policy,
    pub(crate) memory_bytes: usize,
    pub(crate) table_elements: usize,
    pub(crate) cpu_ms: u64,
    pub(crate) max_frame_bytes: usize,
    pub(crate) http: HttpClients,
    pub(crate) secrets: Arc<Secrets>,
}

impl HostState {
    pub(crate) fn new(parts: StateParts) -> Self {
        let policy = Arc::new(parts.policy);
        let secrets = parts.secrets;
        let log = GuestLog::new(&parts.identity, &secrets);
        let stdout = StdioLog::new(StdioKind::Out, &parts.identity, &secrets);
        let stderr = StdioLog::new(StdioKind::Error, &parts.identity, &secrets);
        let wasi = wasi_context(&parts.identity, &policy, &stdout, &stderr);
        Self {
            table: ResourceTable::new(),
            limiter: MemoryLimiter {
                memory_bytes: parts.memory_bytes,
                table_elements: parts.table_elements,
                used_bytes: 0,
                used_elements: 0,
            },
            budget: CallBudget::new(parts.cpu_ms),
            budgets: parts.http.budgets(),
            egress: Egress::new(
                parts.http,
                Arc::clone(&policy),
                Arc::clone(&secrets),
                parts.context.stop.clone(),
            ),
            secrets,
            config: Arc::new(parts.context.config.clone()),
            identity: parts.identity,
            context: parts.context,
            policy,
            schemas: SchemaTable::default(),
            log,
            stderr,
            metrics: SharedMetrics::default(),
            max_read_bytes: parts.max_frame_bytes,
            wasi,
            http: WasiHttpCtx::new(),
        }
    }

    /// Called by every host import: only the time *between* two host calls counts against the CPU limit.
    pub(crate) fn enter_host(&mut self) {
        self.budget.reset();
    }

    /// Replaces the capabilities by those that the real instance described: a manifest may lie.
    pub(crate) fn set_policy(&mut self, policy: Policy) {
        let policy = Arc::new(policy);
        self.secrets.set_hides(policy.hides_secrets());
        self.egress.set_policy(Arc::clone(&policy));
        self.policy = policy;
    }

    /// Decides what happens at an epoch tick.
    pub(crate) fn on_tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.context.stop.is_past_deadline() {
            return Err(LimitExceeded::StopDeadline.into());
        }
        self.budget.tick()?;
        // Not `UpdateDeadline::Yield`: that wakes itself at once, and tokio then looks at its timers and sockets only
        // every 61 polls, which are 610 ms here.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    }
}

fn wasi_context(identity: &Identity, policy: &Policy, stdout: &StdioLog, stderr: &StdioLog) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(stdout.clone())
        .stderr(stderr.clone())
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    for name in policy.env_names() {
        if let Ok(value) = std::env::var(name) {
            builder.env(name, value);
        }
    }
    let clocks = if policy.allows_wall_clock() {
        Clocks::Real
    } else {
        Clocks::Coarse
    };
    clock::install(&mut builder, clocks);
    if !policy.allows_random() {
        clock::install_seeded_random(&mut builder, identity);
    }
    builder.build()
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.budget.reset();
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for HostState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.budget.reset();
        WasiHttpCtxView {
            hooks: &mut self.egress,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

/// Counts the memory of all linear memories of a store together.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    memory_bytes: usize,
    table_elements: usize,
    used_bytes: usize,
    used_elements: usize,
}

impl MemoryLimiter {
    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes
    }
}

impl ResourceLimiter for MemoryLimiter {
    /// An error here traps. Answering false instead would reach a Rust guest as a bare "unreachable".
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used_bytes.saturating_add(desired.saturating_sub(current));
        if used > self.memory_bytes {
            return Err(LimitExceeded::Memory(self.memory_bytes).into());
        }
        self.used_bytes = used;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used_elements.saturating_add(desired.saturating_sub(current));
        if used > self.table_elements {
            return Err(LimitExceeded::Table(self.table_elements).into());
        }
        self.used_elements = used;
        Ok(true)
    }

    fn instances(&self) -> usize {
        64
    }
}

/// CPU time that a guest may take between two host calls, in epoch ticks.
#[derive(Debug)]
pub(crate) struct CallBudget {
    limit_ms: u64,
    limit_ticks: u64,
    ticks_left: u64,
}

impl CallBudget {
    fn new(limit_ms: u64) -> Self {
        let tick_ms = u64::try_from(TICK.as_millis()).unwrap_or(1).max(1);
        let limit_ticks = (limit_ms / tick_ms).max(1);
        Self {
            limit_ms,
            limit_ticks,
            ticks_left: limit_ticks,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.ticks_left = self.limit_ticks;
    }

    fn tick(&mut self) -> Result<(), LimitExceeded> {
        match self.ticks_left.checked_sub(1) {
            Some(left) => {
                self.ticks_left = left;
                Ok(())
            }
            None => Err(LimitExceeded::Cpu(self.limit_ms)),
        }
    }
}
