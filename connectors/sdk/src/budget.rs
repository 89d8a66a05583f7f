//! Request budgets shared by all tasks of a connector on this worker
//!
//! The worker counts, so a limit that one task runs into slows its sister tasks too, and no other connector. A name
//! stands for one limit of the service, say an endpoint. Nobody waits in here: the caller looks again later.

pub use weir_api::budget::Rate;

use crate::host;

/// Takes the permit for one request: 0 = taken, else the milliseconds to wait before asking again.
pub fn take(name: &str, rate: Rate) -> u32 {
    host::budget_take(name, rate)
}

/// Lets no task take a permit for so long, because the service said when to come back. A longer hold stays.
pub fn hold(name: &str, ms: u32) {
    host::budget_hold(name, ms);
}
