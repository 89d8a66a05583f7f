//! Producer: records in batches, acknowledgements in arrays.
//!
//! No thread and no lock of ours: the owner calls [`Producer::send_batch`], awaits [`Producer::acked`] and empties the reports with
//! [`Producer::drain_acks`]. Backpressure is a partial accept. Which acknowledgement belongs to which record is the owner's matter,
//! by `opaque`.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::client_config::Translated;
use crate::error::{ClientError, KafkaError};
use crate::native::handle::{ClientKind, Handle};
use crate::native::{produce, transact};

/// One record to send; everything is borrowed until `send_batch` returns.
#[derive(Debug, Clone, Copy)]
pub struct OutRecord<'a> {
    /// `None` lets the partitioner choose.
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// `None` is the time of sending. Values ≤ 0 are refused: librdkafka cannot carry them.
    pub timestamp: Option<i64>,
    /// In order, duplicates kept; a `None` value is a null header, unlike an empty one.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// Comes back in the record's [`Ack`].
    pub opaque: u64,
}

impl OutRecord<'_> {
    pub(crate) fn is_plain(&self) -> bool {
        self.timestamp.is_none() && self.headers.is_empty()
    }
}

/// The fate of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    pub opaque: u64,
    pub partition: i32,
    pub offset: i64,
    pub timestamp: i64,
    pub error: Option<KafkaError>,
}

/// A topic looked up once; cheap to clone.
#[derive(Debug, Clone)]
pub struct TopicHandle {
    topic: Arc<produce::Topic>,
}

/// Sends records; cheap to clone, one librdkafka client behind all clones.
#[derive(Debug, Clone)]
pub struct Producer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    handle: Arc<Handle>,
    /// Records refused at once, waiting to be drained with the broker's answers. Bounded by the batches sent between two drains.
    refused: Mutex<Vec<Ack>>,
}

impl Producer {
    /// Creates a producer. Connects in the background.
    ///
    /// *Errors*: a setting librdkafka refuses.
    pub fn new(settings: &Translated) -> Result<Self, ClientError> {
        let handle = Handle::create(ClientKind::Producer, settings)?;
        // A transactional one asks for its id when its transactions are initialised.
        if settings.native("enable.idempotence") == Some("true")
            && settings.native("transactional.id").is_none()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let handle = Arc::clone(&handle);
            // Detached on purpose: it ends by itself within seconds, and a producer works without it.
            drop(runtime.spawn_blocking(move || produce::warm_up(&handle)));
        }
        Ok(Self {
            inner: Arc::new(Inner {
                handle,
                refused: Mutex::new(Vec::new()),
            }),
        })
    }

    /// Looks up a topic; metadata arrives in the background.
    ///
    /// *Errors*: an impossible topic name.
    pub fn topic(&self, name: &str) -> Result<TopicHandle, ClientError> {
        Ok(TopicHandle {
            topic: Arc::new(produce::Topic::new(&self.inner.handle, name)?),
        })
    }

    /// Enqueues `records` in order and answers how many were taken: fewer than given when the queue is full.
    ///
    /// A record refused for its own sake (size, partition, timestamp) counts as taken; its [`Ack`] carries the error.
    ///
    /// *Errors*: the producer failed for good.
    pub fn send_batch(&self, topic: &TopicHandle, records: &[OutRecord<'_>]) -> Result<usize, ClientError> {
        let mut refused = Vec::new();
        let taken = produce::produce(&topic.topic, records, &mut |record, error| {
            refused.push(Ack {
                opaque: record.opaque,
                partition: record.partition.unwrap_or(-1),
                offset: -1,
                timestamp: -1,
                error: Some(error),
            });
        });
        if !refused.is_empty() {
            self.inner.refused.lock().append(&mut refused);
            self.inner.handle.signals().queue.notify_one();
        }
        if taken == 0
            && !records.is_empty()
            && let Some((error, reason)) = self.fatal_error()
        {
            return Err(ClientError::Broker { error, message: reason });
        }
        Ok(taken)
    }

    /// Moves all waiting acknowledgements into `acks` and answers how many came. Once the login was refused, all fail.
    pub fn drain_acks(&self, acks: &mut Vec<Ack>) -> usize {
        let before = acks.len();
        let is_locked_out = self.inner.handle.is_locked_out();
        if is_locked_out {
            self.purge();
        }
        produce::drain_acks(&self.inner.handle, acks);
        if is_locked_out {
            // What waited for the login fails with it.
            for ack in acks.iter_mut().skip(before).filter(|ack| ack.error.is_some()) {
                ack.error = Some(KafkaError::AUTHENTICATION);
            }
        }
        acks.append(&mut self.inner.refused.lock());
        acks.len() - before
    }

    /// Waits until acknowledgements may be waiting. One waiter at a time; may wake for nothing.
    ///
    /// *Cancel safety*: safe; a wake-up that nobody took is kept.
    pub async fn acked(&self) {
        self.inner.handle.signals().queue.notified().await;
    }

    /// Waits until nothing is queued or in flight, draining acknowledgements into `acks`.
    ///
    /// *Errors*: `Timeout`, with what is left still being sent.
    pub async fn flush(&self, timeout: Duration, acks: &mut Vec<Ack>) -> Result<(), ClientError> {
        if self.outq_len() > 0 {
            let (handle, timeout_ms) = (
                Arc::clone(&self.inner.handle),
                i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
            );
            // Detached on purpose: it only cuts the linger time short and ends when the queue is empty or at the same timeout.
            drop(tokio::task::spawn_blocking(move || produce::flush(&handle, timeout_ms)));
        }
        let wait = async {
            loop {
                self.drain_acks(acks);
                if self.outq_len() == 0 {
                    return;
                }
                self.acked().await;
            }
        };
        tokio::time::timeout(timeout, wait)
            .await
            .map_err(|_| ClientError::Timeout {
                context: format!("flush of {} records", self.outq_len()),
                timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            })
    }

    /// Claims the producer's `transactional.id`: earlier holders are fenced and their open transactions ended on return.
    ///
    /// *Errors*: `Transaction`; `Retriable` also when `timeout` is over, and the same call may be made again. *Cancel safety*: a cancelled
    /// call goes on by itself until its time is over.
    pub async fn init_transactions(&self, timeout: Duration) -> Result<(), ClientError> {
        let timeout_ms = millis(timeout);
        self.transact(&mut Vec::new(), move |handle| transact::init(handle, timeout_ms))
            .await
    }

    /// Begins a transaction; every record sent from now on is part of it.
    ///
    /// *Errors*: `Transaction`.
    pub async fn begin_transaction(&self) -> Result<(), ClientError> {
        self.transact(&mut Vec::new(), transact::begin).await
    }

    /// Sends what is queued, waits for every acknowledgement, and commits; acknowledgements are moved into `acks`.
    ///
    /// *Errors*: `Transaction`; after `Retriable`, also for a time that is over, the same call goes on with the commit.
    pub async fn commit_transaction(&self, timeout: Duration, acks: &mut Vec<Ack>) -> Result<(), ClientError> {
        let timeout_ms = millis(timeout);
        self.transact(acks, move |handle| transact::commit(handle, timeout_ms))
            .await
    }

    /// Drops what is queued, and aborts; acknowledgements, those of dropped records among them, are moved into `acks`.
    ///
    /// *Errors*: as for a commit.
    pub async fn abort_transaction(&self, timeout: Duration, acks: &mut Vec<Ack>) -> Result<(), ClientError> {
        let timeout_ms = millis(timeout);
        self.transact(acks, move |handle| transact::abort(handle, timeout_ms))
            .await
    }

    /// Runs a blocking call on a thread where that is allowed; acknowledgements are drained meanwhile, as the call may wait for that.
    async fn transact(
        &self,
        acks: &mut Vec<Ack>,
        call: impl FnOnce(&Handle) -> Result<(), ClientError> + Send + 'static,
    ) -> Result<(), ClientError> {
        let handle = Arc::clone(&self.inner.handle);
        let mut running = tokio::task::spawn_blocking(move || call(&handle));
        loop {
            // Both branches are cancel safe.
            tokio::select! {
                biased;
                ended = &mut running => {
                    self.drain_acks(acks);
                    return ended.unwrap_or(Err(ClientError::Closed));
                }
                () = self.acked() => {
                    self.drain_acks(acks);
                }
            }
        }
    }

    /// Records queued, in flight, or acknowledged but not yet drained.
    pub fn outq_len(&self) -> usize {
        produce::outq_len(&self.inner.handle)
    }

    /// The error that ended this producer for good, if any.
    pub fn fatal_error(&self) -> Option<(KafkaError, String)> {
        self.inner.handle.fatal_error()
    }

    /// Gives up on everything queued or in flight; each such record is acknowledged with an error.
    pub fn purge(&self) {
        produce::purge(&self.inner.handle);
    }

    /// Ends the client on a blocking thread. Records not flushed before are lost.
    pub async fn close(self) {
        drop_blocking(self).await;
    }
}

/// Drops `value` where blocking is allowed: destroying a client joins its threads.
pub(crate) async fn drop_blocking<T: Send + 'static>(value: T) {
    // A panicking drop is already reported by the panic hook; there is nothing to hand on.
    let _ended = tokio::task::spawn_blocking(move || drop(value)).await;
}

fn millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}
