//! A service that keeps the requests it got
//!
//! For assertions: the log is shared, so it can be read while the service is at work elsewhere. Bounded, so that the
//! demo may record, too.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::service::{FakeRequest, FakeResponse, Service};

/// Requests kept; older ones are dropped.
const MAX_REQUESTS: usize = 100_000;

/// A request and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// What was asked.
    pub request: FakeRequest,
    /// What was answered.
    pub status: u16,
}

/// The requests of a service; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Log {
    arrivals: Arc<Mutex<VecDeque<Arrival>>>,
}

impl Log {
    /// Gives all requests so far, in order.
    pub fn all(&self) -> Vec<Arrival> {
        self.lock().iter().cloned().collect()
    }

    /// Gives the requests to a path.
    pub fn of_path(&self, path: &str) -> Vec<Arrival> {
        self.lock()
            .iter()
            .filter(|arrival| arrival.request.path == path)
            .cloned()
            .collect()
    }

    /// Number of requests so far.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Tells whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Forgets what was asked.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arrival>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the requests to a service.
#[derive(Debug)]
pub struct Recorded<S> {
    service: S,
    log: Log,
}

impl<S: Service> Recorded<S> {
    /// Wraps a service; the log is read from outside.
    pub fn new(service: S) -> (Self, Log) {
        let log = Log::default();
        let recorded = Self {
            service,
            log: log.clone(),
        };
        (recorded, log)
    }
}

impl<S: Service> Service for Recorded<S> {
    fn handle(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        let response = self.service.handle(request, now_ms);
        let mut arrivals = self.log.lock();
        if arrivals.len() >= MAX_REQUESTS {
            arrivals.pop_front();
        }
        arrivals.push_back(Arrival {
            at_ms: now_ms,
            request: request.clone(),
            status: response.status,
        });
        response
    }
}

/// A service that several share, or that a test changes while it is asked.
impl<S: Service> Service for Arc<Mutex<S>> {
    fn handle(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        let mut service = self.lock().unwrap_or_else(PoisonError::into_inner);
        service.handle(request, now_ms)
    }
}

/// Any function is a service.
#[derive(Debug)]
pub struct Scripted<F>(pub F);

impl<F: FnMut(&FakeRequest, i64) -> FakeResponse + Send> Service for Scripted<F> {
    fn handle(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        (self.0)(request, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::{Recorded, Scripted};
    use crate::service::{FakeRequest, FakeResponse, Service};

    #[test]
    fn requests_are_kept_in_order() {
        let (mut service, log) = Recorded::new(Scripted(|_: &FakeRequest, _| FakeResponse::text(201, "")));
        for path in ["/a", "/b", "/a"] {
            let request = FakeRequest {
                path: path.to_owned(),
                ..FakeRequest::default()
            };
            service.handle(&request, 7);
        }
        let paths: Vec<String> = log.all().into_iter().map(|arrival| arrival.request.path).collect();
        assert_eq!(paths, ["/a", "/b", "/a"]);
        assert_eq!(
            (log.of_path("/a").len(), log.all().first().map(|first| first.status)),
            (2, Some(201))
        );
        log.clear();
        assert!(log.is_empty());
    }
}
