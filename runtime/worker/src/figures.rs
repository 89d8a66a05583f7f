//! What a task has done so far, in numbers.
//!
//! Loops write into atomics once a batch; whoever asks gets a copy. Nothing here decides anything but
//! `watch`, which looks at the same numbers for tasks that stand still.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use weir_metrics::clock::Clock;
use weir_metrics::registry::{Loose, MetricRegistry};
use weir_plugins::host::metrics::SharedMetrics;
use weir_stores::status::records::State;

use crate::lifecycle::TaskId;
use crate::restart::RestartFigures;
use crate::task_metrics::{
    ErrorMetrics, PipelineMetrics, PipelineTexts, SinkMetrics, SourceMetrics, TaskMetrics, plugin_metrics,
};
use crate::worker_metrics::{FirstState, PluginTexts, WorkerMetrics};

/// Errors of one task, counted as Connect's `task-error-metrics` are.
#[derive(Debug, Default)]
pub struct ErrorCounters {
    failures: AtomicU64,
    errors: AtomicU64,
    skipped: AtomicU64,
    retries: AtomicU64,
    logged: AtomicU64,
    dead_letters: AtomicU64,
    dead_letter_failures: AtomicU64,
    last_error_ms: AtomicI64,
}

/// A copy of [`ErrorCounters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErrorFigures {
    /// Every failed attempt.
    pub failures: u64,
    /// Records that failed for good.
    pub errors: u64,
    /// Records left out.
    pub skipped: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Errors written to the log.
    pub logged: u64,
    /// Records given to the dead letter queue.
    pub dead_letters: u64,
    /// Records that the dead letter queue did not take.
    pub dead_letter_failures: u64,
    /// Milliseconds since the epoch; 0 = never.
    pub last_error_ms: i64,
}

impl ErrorCounters {
    /// An attempt failed.
    pub fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// A record failed for good.
    pub fn gave_up(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.last_error_ms.store(Clock::System.now_ms(), Ordering::Relaxed);
    }

    /// A record was left out.
    pub fn skipped(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    /// An operation is tried again.
    pub fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// An error was written to the log.
    pub fn logged(&self) {
        self.logged.fetch_add(1, Ordering::Relaxed);
    }

    /// A record was given to the dead letter queue.
    pub fn dead_letter(&self) {
        self.dead_letters.fetch_add(1, Ordering::Relaxed);
    }

    /// The dead letter queue did not take a record.
    pub fn dead_letter_failed(&self) {
        self.dead_letter_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Copies the counts.
    pub fn figures(&self) -> ErrorFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ErrorFigures {
            failures: read(&self.failures),
            errors: read(&self.errors),
            skipped: read(&self.skipped),
            retries: read(&self.retries),
            logged: read(&self.logged),
            dead_letters: read(&self.dead_letters),
            dead_letter_failures: read(&self.dead_letter_failures),
            last_error_ms: self.last_error_ms.load(Ordering::Relaxed),
        }
    }
}

/// What a task is doing outside of its own loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Call {
    /// Nothing: the loop runs or waits.
    None = 0,
    Poll = 1,
    Put = 2,
    Commit = 3,
}

impl Call {
    fn name(code: u8) -> Option<&'static str> {
        match code {
            1 => Some("poll"),
            2 => Some("put"),
            3 => Some("commit"),
            _ => None,
        }
    }
}

/// Counts of one run of a task, written by its loop.
#[derive(Debug)]
pub struct TaskMeter {
    pub errors: Arc<ErrorCounters>,
    started: Instant,
    records: AtomicU64,
    bytes: AtomicU64,
    in_flight: AtomicU64,
    cpu_us: AtomicU64,
    memory: AtomicU64,
    call: AtomicU8,
    /// Milliseconds since the start: when the call began, and when a record was last acknowledged or sent.
    call_since_ms: AtomicU64,
    /// How long the latest call took.
    call_took_ms: AtomicU64,
    acked_ms: AtomicU64,
    /// Kept by `sample`.
    sampled: AtomicU64,
    rate: AtomicU64,
    is_stalled: AtomicBool,
    /// Milliseconds since the start; 0 while it runs.
    ended_ms: AtomicU64,
    /// Milliseconds since the start at which the commit under way began.
    commit_since_ms: AtomicU64,
    /// Records of all committed transactions.
    in_transactions: AtomicU64,
    /// The state it reached last, and where its first one counts.
    state: Mutex<State>,
    first: FirstState,
    worker: Option<Arc<WorkerMetrics>>,
    /// Connect's metrics of the task, once its class is known.
    measures: OnceLock<Measures>,
    /// What the plugin measures itself.
    plugin: OnceLock<Loose>,
}

/// Connect's metrics of one task.
#[derive(Debug)]
struct Measures {
    task: TaskMetrics,
    kind: KindMetrics,
    _errors: ErrorMetrics,
    _pipeline: PipelineMetrics,
}

#[derive(Debug)]
enum KindMetrics {
    Source(SourceMetrics),
    Sink(SinkMetrics),
}

/// What is shown of a task besides its state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFigures {
    pub running_ms: u64,
    pub records: u64,
    pub bytes: u64,
    pub records_per_second: u64,
    /// Records sent and not acknowledged yet.
    pub in_flight: u64,
    /// CPU time of the guest.
    pub cpu_ms: u64,
    /// Linear memory of the guest.
    pub memory_bytes: u64,
    pub errors: ErrorFigures,
    /// Why the task counts as standing still.
    pub stalled: Option<String>,
    pub restarts: RestartFigures,
}

impl Default for TaskMeter {
    fn default() -> Self {
        Self {
            errors: Arc::default(),
            started: Instant::now(),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            cpu_us: AtomicU64::new(0),
            memory: AtomicU64::new(0),
            call: AtomicU8::new(Call::None as u8),
            call_since_ms: AtomicU64::new(0),
            call_took_ms: AtomicU64::new(0),
            acked_ms: AtomicU64::new(0),
            sampled: AtomicU64::new(0),
            rate: AtomicU64::new(0),
            is_stalled: AtomicBool::new(false),
            ended_ms: AtomicU64::new(0),
            commit_since_ms: AtomicU64::new(0),
            in_transactions: AtomicU64::new(0),
            state: Mutex::new(State::Unassigned),
            first: FirstState::default(),
            worker: None,
            measures: OnceLock::new(),
            plugin: OnceLock::new(),
        }
    }
}

impl TaskMeter {
    /// A meter whose first state counts as the outcome of a start.
    pub fn of_worker(worker: &Arc<WorkerMetrics>) -> Self {
        Self {
            worker: Some(Arc::clone(worker)),
            ..Self::default()
        }
    }

    /// Shows Connect's metrics of a source task until the meter is dropped. A second call changes nothing.
    pub fn measure_source(&self, registry: &MetricRegistry, id: &TaskId, texts: (PluginTexts, PipelineTexts)) {
        let kind = KindMetrics::Source(SourceMetrics::new(registry, id));
        self.measure(registry, id, texts, kind);
    }

    /// As [`TaskMeter::measure_source`], for a sink task.
    pub fn measure_sink(&self, registry: &MetricRegistry, id: &TaskId, texts: (PluginTexts, PipelineTexts)) {
        self.measure(registry, id, texts, KindMetrics::Sink(SinkMetrics::new(registry, id)));
    }

    fn measure(
        &self,
        registry: &MetricRegistry,
        id: &TaskId,
        (plugin, pipeline): (PluginTexts, PipelineTexts),
        kind: KindMetrics,
    ) {
        let task = TaskMetrics::new(registry, id, plugin);
        let measures = Measures {
            _pipeline: PipelineMetrics::new(registry, id, &task, pipeline),
            task,
            kind,
            _errors: ErrorMetrics::new(registry, id, &self.errors),
        };
        let _second = self.measures.set(measures);
    }

    /// Shows what the plugin's own code measures until the meter is dropped.
    pub fn measure_plugin(&self, registry: &MetricRegistry, id: &TaskId, series: Option<SharedMetrics>) {
        if let Some(series) = series {
            let loose = plugin_metrics(registry, &id.connector, Some(id.task), series);
            let _second = self.plugin.set(loose);
        }
    }

    /// The task reached a state.
    pub fn entered(&self, state: State) {
        *self.state.lock() = state;
        if let Some(measures) = self.measures.get() {
            measures.task.enter(state);
        }
        if let (Some(worker), Some(is_success)) = (&self.worker, self.first.of(state)) {
            worker.task_started(is_success);
        }
    }

    /// The state that the task reached last.
    pub fn state(&self) -> State {
        *self.state.lock()
    }

    /// So many records were put into a sink and are not committed.
    pub fn uncommitted(&self, records: u64) {
        if let Some(sink) = self.sink() {
            sink.active(records);
        }
    }

    /// The answer of a sink's commit came after a later one had begun.
    pub fn commit_skipped(&self) {
        if let Some(sink) = self.sink() {
            sink.skipped();
        }
    }

    fn sink(&self) -> Option<&SinkMetrics> {
        match self.measures.get()?.kind {
            KindMetrics::Sink(ref sink) => Some(sink),
            KindMetrics::Source(_) => None,
        }
    }

    /// A commit of offsets begins.
    pub fn commit_begins(&self) {
        self.commit_since_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// The commit of offsets with this number ended.
    pub fn commit_ended(&self, sequence: u64, is_success: bool) {
        let Some(measures) = self.measures.get() else { return };
        let took_ms = self
            .now_ms()
            .saturating_sub(self.commit_since_ms.load(Ordering::Relaxed));
        measures.task.commit(took_ms as i64, is_success);
        if let KindMetrics::Sink(sink) = &measures.kind
            && is_success
        {
            sink.committed(sequence);
        }
    }

    /// A transaction was committed: of what moved since the one before.
    pub fn transaction(&self) {
        let records = self.records.load(Ordering::Relaxed);
        let before = self.in_transactions.swap(records, Ordering::Relaxed);
        if let Some(Measures {
            kind: KindMetrics::Source(source),
            ..
        }) = self.measures.get()
        {
            source.transaction(records.saturating_sub(before));
        }
    }

    /// So many partitions are assigned.
    pub fn assigned(&self, partitions: usize) {
        if let Some(sink) = self.sink() {
            sink.partitions(partitions);
        }
    }

    /// The guest is called.
    pub fn enter(&self, call: Call) {
        self.call_since_ms.store(self.now_ms(), Ordering::Relaxed);
        self.call.store(call as u8, Ordering::Relaxed);
    }

    /// The guest returned; `cpu` and `memory_bytes` are its use so far.
    pub fn left(&self, cpu: Duration, memory_bytes: usize) {
        let took_ms = self.now_ms().saturating_sub(self.call_since_ms.load(Ordering::Relaxed));
        self.call_took_ms.store(took_ms, Ordering::Relaxed);
        self.call.store(Call::None as u8, Ordering::Relaxed);
        self.cpu_us
            .store(u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.memory.store(memory_bytes as u64, Ordering::Relaxed);
    }

    /// A batch went on its way.
    pub fn moved(&self, records: u32, bytes: usize) {
        self.records.fetch_add(u64::from(records), Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let Some(measures) = self.measures.get() else { return };
        measures.task.batch(records as usize);
        let took_ms = self.call_took_ms.load(Ordering::Relaxed) as i64;
        match &measures.kind {
            KindMetrics::Source(source) => source.polled(records as usize, took_ms),
            KindMetrics::Sink(sink) => sink.put(records as usize, took_ms),
        }
    }

    /// So many records came from Kafka.
    pub fn read(&self, records: usize) {
        if let Some(sink) = self.sink() {
            sink.read(records);
        }
    }

    /// Records on their way now, and how many were acknowledged since the last call.
    pub fn on_the_way(&self, in_flight: u64, acked: usize) {
        let before = self.in_flight.swap(in_flight, Ordering::Relaxed);
        if acked > 0 || before == 0 {
            self.acked_ms.store(self.now_ms(), Ordering::Relaxed);
        }
        if acked > 0
            && let Some(Measures {
                kind: KindMetrics::Source(source),
                ..
            }) = self.measures.get()
        {
            source.written(acked, in_flight);
        }
    }

    /// The task ended; nothing of it is on its way any more.
    pub fn ended(&self) {
        self.call.store(Call::None as u8, Ordering::Relaxed);
        self.in_flight.store(0, Ordering::Relaxed);
        self.ended_ms.store(self.now_ms().max(1), Ordering::Relaxed);
    }

    /// Copies everything.
    pub fn figures(&self, stall_timeout: Duration, restarts: RestartFigures) -> TaskFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TaskFigures {
            running_ms: match read(&self.ended_ms) {
                0 => self.now_ms(),
                ended => ended,
            },
            records: read(&self.records),
            bytes: read(&self.bytes),
            records_per_second: read(&self.rate),
            in_flight: read(&self.in_flight),
            cpu_ms: read(&self.cpu_us) / 1000,
            memory_bytes: read(&self.memory),
            errors: self.errors.figures(),
            stalled: self.stalled(stall_timeout),
            restarts,
        }
    }

    /// Tells why the task counts as standing still; none while it does not.
    pub fn stalled(&self, timeout: Duration) -> Option<String> {
        if timeout.is_zero() {
            return None;
        }
        let limit = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let now = self.now_ms();
        let since = |start: &AtomicU64| now.saturating_sub(start.load(Ordering::Relaxed));
        let in_call = since(&self.call_since_ms);
        if let Some(call) = Call::name(self.call.load(Ordering::Relaxed))
            && in_call >= limit
        {
            return Some(format!("has not returned from {call} for {} s", in_call / 1000));
        }
        let unacked = since(&self.acked_ms);
        match self.in_flight.load(Ordering::Relaxed) {
            0 => None,
            _ if unacked < limit => None,
            count => Some(format!(
                "{count} records were sent and none acknowledged for {} s",
                unacked / 1000
            )),
        }
    }

    /// Takes the rate since the last sample, `every` ago; answers what changed about standing still.
    pub fn sample(&self, every: Duration, timeout: Duration) -> Option<Stall> {
        let records = self.records.load(Ordering::Relaxed);
        let before = self.sampled.swap(records, Ordering::Relaxed);
        let rate = records.saturating_sub(before) as f64 / every.as_secs_f64().max(0.001);
        self.rate.store(rate.round() as u64, Ordering::Relaxed);
        let stalled = self.stalled(timeout);
        let was_stalled = self.is_stalled.swap(stalled.is_some(), Ordering::Relaxed);
        match stalled {
            Some(reason) if !was_stalled => Some(Stall::Began(reason)),
            None if was_stalled => Some(Stall::Ended),
            Some(_) | None => None,
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A task began or ceased to stand still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stall {
    Began(String),
    Ended,
}

#[cfg(test)]
mod tests;
