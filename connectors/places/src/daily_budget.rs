//! The daily budget: what protects the bill
//!
//! Pure. Requests are counted by the day of the US Pacific coast, as Google counts. A block of requests is written down
//! before it is used, and a block after the first waits until that is durable, so that a restart never starts the count
//! anew: what a crash left unused of a block counts as used. Only a kill before the first commit of a day forgets, at
//! most one block.

use serde_json::{Value, json};
use weir_feed::time::rfc3339;
use weir_feed::zone::Zone;
use weir_sdk::offsets::JsonObject;

/// The reason shown while nothing is asked.
pub const PAUSED: &str = "PAUSED-BY-BUDGET";
const DAY_MS: i64 = 86_400_000;
/// Largest block.
const MAX_BLOCK: u64 = 50;

/// What may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Ask.
    Granted,
    /// Write down a block first.
    Reserve,
    /// A block was written down and is not durable yet.
    Wait,
    /// Nothing more today; the time at which the next day begins.
    Paused(i64),
}

/// Counts the requests of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyBudget {
    allowance: u64,
    /// The allowance of a day that begins with nothing used.
    whole_day: u64,
    day: String,
    used: u64,
    reserved: u64,
    durable: u64,
    /// Whether the day's count began here, with nothing written down before.
    is_fresh: bool,
}

impl DailyBudget {
    /// Starts with what is durable: the task's own offset, and its share of the limit today and on other days.
    pub fn new(allowance: u64, whole_day: u64, durable: Option<&JsonObject>, now_ms: i64) -> Self {
        let day = day_of(now_ms);
        let used = durable.map_or(0, |offset| used_on(offset, &day));
        Self {
            allowance,
            whole_day,
            is_fresh: used == 0,
            day,
            used,
            reserved: used,
            durable: used,
        }
    }

    /// Tells what may be done now.
    pub fn permit(&mut self, now_ms: i64) -> Permit {
        self.turn(now_ms);
        if self.used >= self.allowance {
            return Permit::Paused(Zone::Pacific.next_midnight(now_ms));
        }
        if self.used >= self.reserved {
            return Permit::Reserve;
        }
        let first = if self.is_fresh { self.block() } else { 0 };
        if self.used < self.durable.max(first) {
            Permit::Granted
        } else {
            Permit::Wait
        }
    }

    /// Reserves the next block and gives the offset that writes it down.
    pub fn reserve(&mut self) -> String {
        self.reserved = (self.used + self.block()).min(self.allowance);
        self.offset(self.reserved).to_string()
    }

    /// Gives the offset that says why nothing is asked.
    pub fn paused_offset(&self, until_ms: i64) -> String {
        let mut offset = self.offset(self.used);
        offset["reason"] = PAUSED.into();
        offset["until"] = rfc3339(until_ms).into();
        offset.to_string()
    }

    /// Notes what is durable.
    pub fn confirm(&mut self, offset: &JsonObject) {
        self.durable = self.durable.max(used_on(offset, &self.day));
    }

    /// Counts requests that were sent.
    pub fn spend(&mut self, requests: u64) {
        self.used = self.used.saturating_add(requests);
    }

    /// Gives the day, the requests made on it and how many there may be.
    pub fn state(&self) -> (&str, u64, u64) {
        (&self.day, self.used, self.allowance)
    }

    fn offset(&self, used: u64) -> Value {
        json!({"day": self.day, "used": used})
    }

    /// Begins a new day. A clock set back keeps the count: what was spent stays spent.
    fn turn(&mut self, now_ms: i64) {
        let day = day_of(now_ms);
        if day > self.day {
            *self = Self::new(self.whole_day, self.whole_day, None, now_ms);
        }
    }

    fn block(&self) -> u64 {
        (self.allowance / 20).clamp(1, MAX_BLOCK)
    }
}

/// A day as its date. One that lies ahead of the clock by more than a day counts as today: the clock was wrong then.
pub fn used_on(offset: &JsonObject, today: &str) -> u64 {
    let day = offset.get("day").and_then(Value::as_str).unwrap_or_default();
    if day < today {
        return 0;
    }
    offset.get("used").and_then(Value::as_u64).unwrap_or(0)
}

/// Gives the date on the US Pacific coast.
pub fn day_of(now_ms: i64) -> String {
    let midnight = Zone::Pacific.to_local_ms(now_ms).div_euclid(DAY_MS) * DAY_MS;
    rfc3339(midnight).chars().take(10).collect()
}

/// Gives a task's share of a connector's limit, from what all its tasks have used today, also tasks that there were
/// before the number of tasks changed. Tasks beyond an equal share keep what they used; the others share the rest.
pub fn share(limit: u64, used: &[u64], tasks: usize, task: usize) -> u64 {
    let gone: u64 = used.iter().skip(tasks).sum();
    let used_by = |task: usize| used.get(task).copied().unwrap_or(0);
    let mut rest = limit.saturating_sub(gone);
    let mut sharing: Vec<usize> = (0..tasks).collect();
    loop {
        let each = rest / (sharing.len() as u64).max(1);
        let over: Vec<usize> = sharing.iter().copied().filter(|other| used_by(*other) > each).collect();
        if over.is_empty() {
            break;
        }
        if over.contains(&task) {
            return used_by(task);
        }
        rest = over
            .iter()
            .fold(rest, |rest, other| rest.saturating_sub(used_by(*other)));
        sharing.retain(|other| !over.contains(other));
    }
    let count = sharing.len() as u64;
    let position = sharing.iter().position(|other| *other == task).unwrap_or(0) as u64;
    // The remainder goes to the first ones.
    rest / count.max(1) + u64::from(position < rest % count.max(1))
}

#[cfg(test)]
mod tests;
