//! The stop protocol seen from one task: signal, cut, deadline
//!
//! A stop has three moments: the request (guest waits return), half of the grace period (HTTP, network and stream calls in
//! flight fail) and its end (the guest is trapped). The worker makes the request; host imports and the epoch callback read it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// The stop state of one connector or task; clones share it.
#[derive(Debug, Clone, Default)]
pub struct StopSignal {
    requested: CancellationToken,
    moments: Arc<OnceLock<Moments>>,
}

#[derive(Debug, Clone, Copy)]
struct Moments {
    cut_at: Instant,
    deadline: Instant,
}

impl StopSignal {
    /// Creates a signal on which nothing was requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests the stop; calls in flight fail after half of `grace`, the guest is trapped after all of it.
    ///
    /// Only the first request sets the moments: a second one cannot prolong the first.
    pub fn request(&self, grace: Duration) {
        let now = Instant::now();
        self.moments.get_or_init(|| Moments {
            cut_at: now + grace / 2,
            deadline: now + grace,
        });
        self.requested.cancel();
    }

    /// True once stop was requested.
    pub fn is_requested(&self) -> bool {
        self.requested.is_cancelled()
    }

    /// True once the grace period is over.
    pub fn is_past_deadline(&self) -> bool {
        self.moments
            .get()
            .is_some_and(|moments| Instant::now() >= moments.deadline)
    }

    /// Waits for the request. Cancel safe.
    pub async fn requested(&self) {
        self.requested.cancelled().await;
    }

    /// Waits for the moment at which calls in flight must fail. Cancel safe.
    pub async fn cut(&self) {
        self.requested.cancelled().await;
        if let Some(moments) = self.moments.get() {
            sleep_until(moments.cut_at).await;
        }
    }

    /// Waits for the end of the grace period. Cancel safe.
    pub async fn deadline(&self) {
        self.requested.cancelled().await;
        if let Some(moments) = self.moments.get() {
            sleep_until(moments.deadline).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cut_comes_at_half_of_the_grace_period_and_a_second_request_does_not_move_it() {
        let stop = StopSignal::new();
        assert!(!stop.is_requested());
        let begin = Instant::now();
        stop.request(Duration::from_secs(4));
        stop.request(Duration::from_secs(400));
        stop.cut().await;
        assert_eq!(begin.elapsed().as_secs(), 2);
        assert!(!stop.is_past_deadline());
        stop.deadline().await;
        assert_eq!(begin.elapsed().as_secs(), 4);
        assert!(stop.is_past_deadline());
    }
}
