//! The consumer of one sink task, ended where blocking is allowed.
//!
//! Ending a consumer leaves its group and joins threads. A stopped task awaits that in `close`; a
//! cancelled one is dropped anywhere and must not make a runtime thread wait.

use std::ops::Deref;

use weir_client::consumer::Consumer;

/// Owns a consumer.
///
/// Invariant: `consumer` is taken only by `close` and `drop`, after which nothing uses it.
#[derive(Debug)]
pub struct Reader {
    consumer: Option<Consumer>,
}

impl Reader {
    /// Takes a consumer over.
    pub fn new(consumer: Consumer) -> Self {
        Self {
            consumer: Some(consumer),
        }
    }

    /// Leaves the group and ends the client.
    pub async fn close(mut self) {
        if let Some(consumer) = self.consumer.take() {
            consumer.close().await;
        }
    }
}

impl Deref for Reader {
    type Target = Consumer;

    fn deref(&self) -> &Consumer {
        self.consumer
            .as_ref()
            .expect("taken only when the reader is closed or dropped")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // Detached on purpose: it ends by itself and nothing waits for it.
            drop(runtime.spawn_blocking(move || drop(consumer)));
        }
    }
}
