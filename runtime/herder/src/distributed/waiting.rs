//! Requests that wait for the end of a rebalance
//!
//! While the group is rebalancing nobody knows who leads and who owns what. What needs to know waits, for less than REST's own limit,
//! also when another worker has waited before; then it is refused as Apache Connect refuses it at once.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use weir_stores::configs::state::TargetState;

use crate::error::HerderError;
use crate::request::Request;

/// How long a request waits: twice this, on the worker that got it and on the leader, is within REST's 90 s.
const LONGEST_WAIT: Duration = Duration::from_secs(40);
/// Requests that may wait; one more is refused.
const MOST_WAITING: usize = 1024;

/// What Apache Connect answers during a rebalance.
pub const STALE: &str =
    "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)";

/// Requests in the order of their arrival, with the time until which each waits.
#[derive(Debug, Default)]
pub struct Waiting {
    requests: VecDeque<(Instant, Request)>,
}

impl Waiting {
    /// Has a request wait from `now` on; refuses it when too many do.
    pub fn add(&mut self, request: Request, now: Instant) {
        if self.requests.len() >= MOST_WAITING {
            refuse(request, HerderError::Conflict(STALE.to_owned()));
            return;
        }
        self.requests.push_back((now + LONGEST_WAIT, request));
    }

    /// The rebalance is over: all that have waited.
    pub fn take(&mut self) -> Vec<Request> {
        self.requests.drain(..).map(|(_, request)| request).collect()
    }

    /// When the first has waited long enough.
    pub fn first_deadline(&self) -> Option<Instant> {
        self.requests.front().map(|(until, _)| *until)
    }

    /// Refuses those that have waited long enough.
    pub fn refuse_until(&mut self, now: Instant) {
        while self.first_deadline().is_some_and(|until| until <= now) {
            if let Some((_, request)) = self.requests.pop_front() {
                refuse(request, HerderError::Conflict(STALE.to_owned()));
            }
        }
    }
}

/// Is true for a request whose answer depends on who leads or who owns.
pub fn needs_settled_group(request: &Request) -> bool {
    match request {
        Request::Ping { .. }
        | Request::Connectors { .. }
        | Request::Info { .. }
        | Request::TaskConfigs { .. }
        | Request::SetClusterLogger { .. } => false,
        // Any worker writes these two.
        Request::SetTargetState { state, .. } => *state == TargetState::Stopped,
        Request::Lead { .. }
        | Request::Put { .. }
        | Request::Delete { .. }
        | Request::RestartConnector { .. }
        | Request::Restart { .. }
        | Request::RestartTask { .. }
        | Request::OffsetsModifiable { .. }
        | Request::SubmitTaskConfigs { .. }
        | Request::FenceZombies { .. } => true,
    }
}

fn refuse(request: Request, error: HerderError) {
    match request {
        Request::Connectors { reply } => drop(reply.send(Err(error))),
        Request::Info { reply, .. } => drop(reply.send(Err(error))),
        Request::TaskConfigs { reply, .. } => drop(reply.send(Err(error))),
        Request::Put { reply, .. } => drop(reply.send(Err(error))),
        Request::Restart { reply, .. } => drop(reply.send(Err(error))),
        Request::OffsetsModifiable { reply, .. } => drop(reply.send(Err(error))),
        Request::Ping { reply }
        | Request::Lead { reply }
        | Request::Delete { reply, .. }
        | Request::SetTargetState { reply, .. }
        | Request::RestartConnector { reply, .. }
        | Request::RestartTask { reply, .. }
        | Request::SetClusterLogger { reply, .. }
        | Request::SubmitTaskConfigs { reply, .. }
        | Request::FenceZombies { reply, .. } => drop(reply.send(Err(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_request_waits_for_the_group_and_no_longer_than_its_time() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let (first, refused) = oneshot::channel();
        let (second, kept) = oneshot::channel();
        waiting.add(Request::Lead { reply: first }, now);
        waiting.add(Request::Lead { reply: second }, now + Duration::from_secs(1));
        waiting.refuse_until(now + LONGEST_WAIT);
        assert_eq!(refused.await, Ok(Err(HerderError::Conflict(STALE.to_owned()))));
        assert_eq!(waiting.take().len(), 1);
        assert_eq!(waiting.first_deadline(), None);
        assert!(kept.await.is_err(), "taken, and dropped by the test");
    }

    #[test]
    fn pausing_needs_nobody_and_stopping_the_leader() {
        let ask = |state| {
            let request = Request::SetTargetState {
                name: "c".to_owned(),
                state,
                reply: oneshot::channel().0,
            };
            needs_settled_group(&request)
        };
        assert!(!ask(TargetState::Paused) && !ask(TargetState::Started) && ask(TargetState::Stopped));
    }
}
