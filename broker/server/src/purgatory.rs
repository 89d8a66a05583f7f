//! Parked fetches: who waits for which partition to move.
//!
//! A parked fetch registers one `Notify` with every partition it reads and stays registered until
//! it is answered; a move of the high watermark notifies them all. Nothing here polls or owns a
//! timer: the wait bound is the fetch future's own deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The fetches parked on one partition. Bounded by the connections: one parked fetch each.
#[derive(Debug, Default)]
pub(crate) struct WaiterList {
    waiters: Mutex<Vec<Arc<Notify>>>,
    /// Mirrors the length, so that the append path looks without the lock.
    count: AtomicUsize,
}

impl WaiterList {
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    /// Wakes every parked fetch; each looks again and parks again when still short.
    pub(crate) fn wake_all(&self) {
        if self.is_empty() {
            return;
        }
        for waiter in self.waiters.lock().iter() {
            waiter.notify_one();
        }
    }

    fn register(&self, waiter: &Arc<Notify>) {
        let mut waiters = self.waiters.lock();
        waiters.push(Arc::clone(waiter));
        self.count.store(waiters.len(), Ordering::SeqCst);
    }

    fn unregister(&self, waiter: &Arc<Notify>) {
        let mut waiters = self.waiters.lock();
        if let Some(at) = waiters.iter().position(|known| Arc::ptr_eq(known, waiter)) {
            waiters.swap_remove(at);
        }
        self.count.store(waiters.len(), Ordering::SeqCst);
    }
}

/// A fetch waiting for any of its partitions; unregisters itself when dropped.
#[derive(Debug)]
pub(crate) struct ParkedFetch {
    notify: Arc<Notify>,
    lists: Vec<Arc<WaiterList>>,
}

impl ParkedFetch {
    /// Registers with every partition's list. Look at the partitions again *after* this and before
    /// waiting, so that a move in between is not missed.
    pub(crate) fn register(lists: Vec<Arc<WaiterList>>) -> Self {
        let notify = Arc::new(Notify::new());
        for list in &lists {
            list.register(&notify);
        }
        Self { notify, lists }
    }

    /// Resolves once a partition moved since the last call.
    pub(crate) async fn moved(&self) {
        self.notify.notified().await;
    }
}

impl Drop for ParkedFetch {
    fn drop(&mut self) {
        for list in &self.lists {
            list.unregister(&self.notify);
        }
    }
}
