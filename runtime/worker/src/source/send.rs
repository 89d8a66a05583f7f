//! The producer of one source task: made at the first record, fed in slices.
//!
//! Nothing here waits but `acked` and `close`: a full queue shows as a partial accept and the loop
//! decides what to do meanwhile. Cost a record: one entry of a reused array; librdkafka makes the
//! one copy of the bytes.

use std::collections::HashMap;
use std::time::Duration;

use weir_api::frame::reader::Frame;
use weir_client::client_config::Translated;
use weir_client::error::ClientError;
use weir_client::producer::{Ack, OutRecord, Producer, TopicHandle};

use crate::pipeline::convert::{OutPart, Outgoing};

/// Longest wait for the end of the client's threads.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends converted records and counts those on their way.
#[derive(Debug)]
pub struct Sender {
    settings: Translated,
    producer: Option<Producer>,
    handles: HashMap<String, TopicHandle>,
    /// Kept for its allocation only; always empty between calls.
    records: Vec<OutRecord<'static>>,
    acks: Vec<Ack>,
    in_flight: u64,
}

/// One slice of one topic.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    pub bytes: &'a [u8],
    pub frame: &'a Frame<'a>,
    pub outgoing: &'a Outgoing,
    pub parts: &'a [OutPart],
    /// Sequence number of the frame's record 0.
    pub base: u64,
}

impl Sender {
    /// Keeps the settings; no client is made before the first record.
    pub fn new(settings: Translated) -> Self {
        Self {
            settings,
            producer: None,
            handles: HashMap::new(),
            records: Vec::new(),
            acks: Vec::new(),
            in_flight: 0,
        }
    }

    /// Returns the handle of a topic, making client and handle where needed.
    ///
    /// # Errors
    /// Settings the client refuses, or an impossible topic name.
    pub fn topic(&mut self, name: &str) -> Result<TopicHandle, ClientError> {
        if let Some(handle) = self.handles.get(name) {
            return Ok(handle.clone());
        }
        let handle = self.open()?.topic(name)?;
        self.handles.insert(name.to_owned(), handle.clone());
        Ok(handle)
    }

    /// Returns the client, made now if it was not before.
    ///
    /// # Errors
    /// Settings that the client refuses.
    pub fn open(&mut self) -> Result<&Producer, ClientError> {
        match &mut self.producer {
            Some(producer) => Ok(producer),
            slot => Ok(slot.insert(Producer::new(&self.settings)?)),
        }
    }

    /// Is true when a topic was sent to before.
    pub fn knows(&self, topic: &str) -> bool {
        self.handles.contains_key(topic)
    }

    /// Hands records of one topic to the client; answers how many it took, fewer when its queue is full.
    ///
    /// # Errors
    /// The producer failed for good.
    pub fn send(&mut self, topic: &TopicHandle, slice: Slice<'_>) -> Result<usize, ClientError> {
        let Some(producer) = &self.producer else {
            return Err(ClientError::Closed);
        };
        let headers = named_headers(slice);
        let mut next_header = 0;
        let mut records = recycle(std::mem::take(&mut self.records));
        for part in slice.parts {
            let count = if headers.is_empty() {
                0
            } else {
                slice.outgoing.headers(part, slice.bytes).count()
            };
            records.push(OutRecord {
                partition: part.partition,
                key: slice.outgoing.key(part, slice.bytes),
                value: slice.outgoing.value(part, slice.bytes),
                timestamp: part.timestamp,
                headers: headers.get(next_header..next_header + count).unwrap_or_default(),
                opaque: slice.base + u64::from(part.index),
            });
            next_header += count;
        }
        let taken = producer.send_batch(topic, &records);
        self.records = recycle(records);
        self.in_flight += *taken.as_ref().unwrap_or(&0) as u64;
        taken
    }

    /// Hands finished records of one topic to the client; answers how many it took.
    ///
    /// # Errors
    /// The producer failed for good.
    pub fn send_records(&mut self, topic: &TopicHandle, records: &[OutRecord<'_>]) -> Result<usize, ClientError> {
        let taken = self.open()?.send_batch(topic, records)?;
        self.in_flight += taken as u64;
        Ok(taken)
    }

    /// Waits until there may be room in the client's queue; acknowledgements stay to be drained.
    pub async fn await_room(&mut self, limit: Duration) {
        if let Some(producer) = &self.producer
            && tokio::time::timeout(limit, producer.acked()).await.is_ok()
        {
            producer.drain_acks(&mut self.acks);
        }
    }

    /// Commits the open transaction; acknowledgements stay to be drained.
    ///
    /// # Errors
    /// As [`Producer::commit_transaction`].
    pub async fn commit(&mut self, timeout: Duration) -> Result<(), ClientError> {
        let producer = self.producer.as_ref().ok_or(ClientError::Closed)?;
        producer.commit_transaction(timeout, &mut self.acks).await
    }

    /// Aborts the open transaction; acknowledgements stay to be drained.
    ///
    /// What is on its way goes out first: librdkafka 2.12 ends a transaction at the coordinator even when that has not heard of
    /// it yet, which is refused for good.
    ///
    /// # Errors
    /// As [`Producer::abort_transaction`].
    pub async fn abort(&mut self, timeout: Duration) -> Result<(), ClientError> {
        self.flush(timeout).await;
        let producer = self.producer.as_ref().ok_or(ClientError::Closed)?;
        producer.abort_transaction(timeout, &mut self.acks).await
    }

    /// Takes the acknowledgements that have arrived. To be given back with [`Sender::drained`].
    pub fn drain(&mut self) -> Vec<Ack> {
        let mut acks = std::mem::take(&mut self.acks);
        if let Some(producer) = &self.producer {
            producer.drain_acks(&mut acks);
        }
        self.in_flight = self.in_flight.saturating_sub(acks.len() as u64);
        acks
    }

    /// Takes the emptied array back for the next call.
    pub fn drained(&mut self, mut acks: Vec<Ack>) {
        acks.clear();
        self.acks = acks;
    }

    /// Waits until acknowledgements may have arrived; for ever when nothing is on its way. Cancel safe.
    pub async fn acked(&self) {
        match &self.producer {
            Some(producer) if self.in_flight > 0 => producer.acked().await,
            _ => std::future::pending().await,
        }
    }

    /// Records taken by the client and not yet acknowledged.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Waits until everything is acknowledged, at most `timeout`; acknowledgements stay to be drained.
    pub async fn flush(&mut self, timeout: Duration) {
        let Some(producer) = &self.producer else { return };
        if self.in_flight == 0 {
            return;
        }
        if let Err(error) = producer.flush(timeout, &mut self.acks).await {
            tracing::warn!(%error, "records were not acknowledged in time");
        }
    }

    /// Ends the client; what is still on its way is given up.
    pub async fn close(mut self) {
        let Some(producer) = self.release() else { return };
        if tokio::time::timeout(CLOSE_TIMEOUT, producer.close()).await.is_err() {
            tracing::warn!("producer did not close in time");
        }
    }

    fn release(&mut self) -> Option<Producer> {
        // Handles keep the client alive and would end it wherever the last one is dropped.
        self.handles.clear();
        let producer = self.producer.take()?;
        producer.purge();
        Some(producer)
    }
}

impl Drop for Sender {
    /// A cancelled task ends here: ending a client joins threads, which a runtime thread must not wait for.
    fn drop(&mut self) {
        if let Some(producer) = self.release()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // Detached on purpose: it ends by itself and nothing waits for it.
            drop(runtime.spawn_blocking(move || drop(producer)));
        }
    }
}

fn named_headers<'a>(slice: Slice<'a>) -> Vec<(&'a str, Option<&'a [u8]>)> {
    if slice.outgoing.is_headerless() {
        return Vec::new();
    }
    let of_part = |part| slice.outgoing.headers(part, slice.bytes);
    let all = slice.parts.iter().flat_map(of_part);
    all.map(|(name, value)| (slice.frame.table(name).unwrap_or_default(), value))
        .collect()
}

/// Empties an array and hands its allocation on under another lifetime.
fn recycle<'a>(mut records: Vec<OutRecord<'_>>) -> Vec<OutRecord<'a>> {
    records.clear();
    // Empty, so the closure never runs; the standard library collects in place.
    records
        .into_iter()
        .map(|_| OutRecord {
            partition: None,
            key: None,
            value: None,
            timestamp: None,
            headers: &[],
            opaque: 0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{OutRecord, recycle};

    #[test]
    fn a_recycled_array_keeps_its_allocation() {
        let records: Vec<OutRecord<'_>> = Vec::with_capacity(500);
        let place = records.as_ptr().addr();
        let again: Vec<OutRecord<'static>> = recycle(records);
        assert_eq!((again.as_ptr().addr(), again.capacity()), (place, 500));
    }
}
