//! Limits of a plugin instance and their defaults
//!
//! Every number here binds: it is either enforced by the engine (memory, stack, CPU) or counted in the store (log lines,
//! metric series, open requests). Messages name the number that was exceeded.

use std::time::Duration;

/// One epoch tick; fairness and the CPU budget count in it.
pub const TICK: Duration = Duration::from_millis(10);
/// Stack of wasm frames in one instance, in bytes.
pub const MAX_WASM_STACK_BYTES: usize = 1024 * 1024;
/// Fiber stack: wasm frames and the host frames above them.
pub const FIBER_STACK_BYTES: usize = 2 * 1024 * 1024;
/// Largest component file that is read, in bytes.
pub const MAX_COMPONENT_BYTES: u64 = 64 * 1024 * 1024;
/// Largest number of series that one instance may create.
pub const MAX_METRIC_SERIES: usize = 64;
/// HTTP requests of one instance that may be in flight; more wait.
pub const MAX_HTTP_IN_FLIGHT: usize = 256;
/// Body of a guest's request that is taken whole, in bytes; a larger one streams, and holds no secret.
pub const MAX_FILLED_BODY_BYTES: usize = 1024 * 1024;
/// Head of an answer, in bytes; a larger one is refused. The client itself refuses more than 100 headers.
pub const MAX_RESPONSE_HEADER_BYTES: usize = 64 * 1024;
/// Longest time that a guest may give a connection.
pub const MAX_CONNECT_LIMIT: Duration = Duration::from_secs(60);
/// Longest silence that a guest may accept, before the head of an answer and within its body.
pub const MAX_SILENCE: Duration = Duration::from_secs(300);
/// Lines a second that an instance may log through the `log` import.
pub const MAX_LOG_LINES_PER_SECOND: u32 = 1_000;
/// Lines a second taken from standard output and error each.
pub const MAX_STDIO_LINES_PER_SECOND: u32 = 100;
/// Longest line taken from standard output or error, in bytes; the rest of it is cut.
pub const MAX_STDIO_LINE_BYTES: usize = 4 * 1024;
/// Lines of standard error kept for the trace of a trap.
pub const KEPT_STDERR_LINES: usize = 20;

/// The limits an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of a task instance, in bytes, all memories together.
    pub task_memory_bytes: usize,
    /// Linear memory of every other instance, in bytes.
    pub other_memory_bytes: usize,
    /// Table elements of an instance.
    pub table_elements: usize,
    /// CPU time between two host calls of a connector or task, in milliseconds.
    pub call_cpu_ms: u64,
    /// CPU time between two host calls of `describe`, `get-config-def` and `validate`, in milliseconds.
    pub describe_cpu_ms: u64,
    /// Largest record frame, in bytes.
    pub max_frame_bytes: usize,
    /// Most records in one frame.
    pub max_frame_records: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            task_memory_bytes: 256 * 1024 * 1024,
            other_memory_bytes: 64 * 1024 * 1024,
            table_elements: 64 * 1024,
            call_cpu_ms: 10_000,
            describe_cpu_ms: 2_000,
            max_frame_bytes: 16 * 1024 * 1024,
            max_frame_records: 1_000_000,
        }
    }
}
