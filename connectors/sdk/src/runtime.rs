//! Who runs this, waiting, stopping, time and metrics
//!
//! Nothing runs in a guest between two calls, so waiting is only possible inside a call: [`sleep`] returns early when
//! stop was requested, and a loop that can take long asks [`stop_requested`].

use std::time::{SystemTime, UNIX_EPOCH};

use weir_config::map::ConfigMap;

use crate::host;

/// The instance this code runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The connector's name.
    pub connector: String,
    /// The task's number; `None` in a connector instance.
    pub task: Option<u32>,
    /// The worker's id.
    pub worker: String,
    /// The plugin version chosen for this instance.
    pub plugin_version: String,
}

/// One measurement. The first call fixes a metric's name and tag names; an instance has at most 64 series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sample {
    /// Adds to a counter.
    CounterAdd(u64),
    /// Sets a gauge.
    Gauge(f64),
    /// Adds one observation to a distribution.
    Observe(f64),
}

/// Tells who runs this.
pub fn identity() -> Identity {
    host::who_am_i()
}

/// Gives the settings as they are now, variables resolved.
pub fn current_config() -> ConfigMap {
    host::current_config()
}

/// Tells whether stop was requested.
pub fn stop_requested() -> bool {
    host::stop_requested()
}

/// Waits; true = woken early because stop was requested.
pub fn sleep(ms: u32) -> bool {
    host::sleep(ms)
}

/// Gives the wall clock in milliseconds since the epoch. Frozen at the start time unless the plugin asks for
/// [`Capability::WallClock`](crate::plugin::Capability::WallClock) and is granted it.
pub fn now_ms() -> i64 {
    host::now_ms()
}

pub(crate) fn system_now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Gives a random number. The same sequence in every start unless the plugin asks for
/// [`Capability::Random`](crate::plugin::Capability::Random) and is granted it.
pub fn random_u64() -> u64 {
    host::random_u64()
}

/// Records a measurement.
pub fn metric(name: &str, tags: &[(&str, &str)], sample: Sample) {
    host::metric(name, tags, sample);
}
