//! Budgets that the operator sets for hosts, over all connectors
//!
//! Requests wait for their turn here, at most until a stop cuts them off; budgets that a connector keeps with its
//! service are in `host/budget.rs` and nobody waits there.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use weir_api::budget::{Bucket, Rate};

use crate::host_rule::HostRule;

/// The budgets of a worker, one bucket for each rule.
#[derive(Debug)]
pub(crate) struct HostBudgets {
    rules: Vec<(HostRule, Rate, Mutex<Bucket>)>,
    began: Instant,
}

impl HostBudgets {
    pub(crate) fn new(rules: &[(HostRule, Rate)]) -> Self {
        Self {
            rules: rules
                .iter()
                .map(|(rule, rate)| (rule.clone(), *rate, Mutex::default()))
                .collect(),
            began: Instant::now(),
        }
    }

    /// Waits until every budget that covers the host has given a permit. Cancel safe: permits taken are lost.
    pub(crate) async fn wait(&self, host: &str, port: u16) {
        for (_, rate, bucket) in self.rules.iter().filter(|(rule, _, _)| rule.matches(host, port)) {
            loop {
                let now_ms = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
                let wait_ms = bucket.lock().take(*rate, now_ms);
                if wait_ms == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_host_is_asked_no_more_often_than_the_operator_allows() {
        let rule = HostRule::parse_any_port("*.example.com").expect("parses");
        let rate = Rate {
            requests: 2,
            per_ms: 10_000,
        };
        let budgets = HostBudgets::new(&[(rule, rate)]);
        let began = Instant::now();
        for _ in 0..4 {
            budgets.wait("api.example.com", 8443).await;
        }
        assert_eq!(began.elapsed().as_secs(), 10);
        budgets.wait("elsewhere.com", 443).await;
        assert_eq!(began.elapsed().as_secs(), 10);
    }
}
