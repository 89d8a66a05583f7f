//! `weir:connect/budget`: request budgets shared by the tasks of a connector
//!
//! One table a worker, keyed by connector and name: a limit that one task runs into slows its sister tasks, and no
//! other connector. The counting is `weir_api::budget`; budgets that an operator sets for a host are in `http.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;
use weir_api::budget::{Bucket, Rate as BucketRate};

use crate::bindings::weir::connect::budget::{Host, Rate};
use crate::host::state::HostState;

/// Buckets that a worker keeps. Over it the idle ones go, then new names of a connector share one bucket.
const MAX_BUCKETS: usize = 16_384;

/// Connector and name.
type Key = (Arc<str>, String);

/// The budgets of a worker; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Budgets {
    buckets: Arc<Mutex<HashMap<Key, Bucket>>>,
    began: Instant,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            buckets: Arc::default(),
            began: Instant::now(),
        }
    }
}

impl Budgets {
    fn now_ms(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Takes a permit: 0 = taken, else the milliseconds to wait.
    pub(crate) fn take(&self, connector: &Arc<str>, name: &str, rate: BucketRate) -> u32 {
        let now_ms = self.now_ms();
        let wait_ms = self.with_bucket(connector, name, now_ms, |bucket| bucket.take(rate, now_ms));
        u32::try_from(wait_ms).unwrap_or(u32::MAX)
    }

    pub(crate) fn hold(&self, connector: &Arc<str>, name: &str, ms: u32) {
        let now_ms = self.now_ms();
        self.with_bucket(connector, name, now_ms, |bucket| bucket.hold(u64::from(ms), now_ms));
    }

    fn with_bucket<R>(&self, connector: &Arc<str>, name: &str, now_ms: i64, call: impl FnOnce(&mut Bucket) -> R) -> R {
        let mut buckets = self.buckets.lock();
        let mut key = (Arc::clone(connector), name.to_owned());
        if !buckets.contains_key(&key) && buckets.len() >= MAX_BUCKETS {
            buckets.retain(|_, bucket| !bucket.is_idle(now_ms));
            if buckets.len() >= MAX_BUCKETS {
                key.1.clear();
            }
        }
        call(buckets.entry(key).or_default())
    }
}

impl Host for HostState {
    fn take(&mut self, name: String, rate: Rate) -> wasmtime::Result<u32> {
        self.enter_host();
        let rate = BucketRate {
            requests: rate.requests,
            per_ms: rate.per_ms,
        };
        Ok(self.budgets.take(&self.identity.connector, &name, rate))
    }

    fn hold(&mut self, name: String, ms: u32) -> wasmtime::Result<()> {
        self.enter_host();
        self.budgets.hold(&self.identity.connector, &name, ms);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONE_A_MINUTE: BucketRate = BucketRate {
        requests: 1,
        per_ms: 60_000,
    };

    #[tokio::test(start_paused = true)]
    async fn sister_tasks_share_a_budget_and_other_connectors_do_not() {
        let budgets = Budgets::default();
        let (x, weather): (Arc<str>, Arc<str>) = ("x".into(), "weather".into());
        let sister = budgets.clone();
        assert_eq!(budgets.take(&x, "search", ONE_A_MINUTE), 0);
        assert_eq!(sister.take(&x, "search", ONE_A_MINUTE), 60_000);
        assert_eq!(sister.take(&x, "users", ONE_A_MINUTE), 0);
        assert_eq!(sister.take(&weather, "search", ONE_A_MINUTE), 0);

        budgets.hold(&x, "search", 900_000);
        assert_eq!(sister.take(&x, "search", ONE_A_MINUTE), 900_000);
        tokio::time::advance(Duration::from_secs(900)).await;
        assert_eq!(sister.take(&x, "search", ONE_A_MINUTE), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_names_is_bounded_and_makes_nobody_faster() {
        let budgets = Budgets::default();
        let connector: Arc<str> = "flood".into();
        for name in 0..MAX_BUCKETS {
            assert_eq!(budgets.take(&connector, &name.to_string(), ONE_A_MINUTE), 0);
        }
        assert_eq!(budgets.take(&connector, "one more", ONE_A_MINUTE), 0);
        assert_eq!(budgets.take(&connector, "and another", ONE_A_MINUTE), 60_000);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(budgets.take(&connector, "later", ONE_A_MINUTE), 0);
        assert!(budgets.buckets.lock().len() < 10);
    }
}
