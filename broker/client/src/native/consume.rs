//! Batch consume, message views and the consumer's control calls.
//!
//! Cost per record: none of ours; a batch is one vector of pointers. Messages are freed when their batch is dropped.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as sys;

use crate::error::{ClientError, KafkaError};
use crate::native::errors::owned_text;
use crate::native::handle::Handle;
use crate::native::list::List;
use crate::topic_partition::TopicPartition;

/// Where a message's timestamp comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    NotAvailable,
    CreateTime,
    LogAppendTime,
}

/// Messages of one poll, in partition order, and partition errors.
#[derive(Debug)]
pub struct MessageBatch {
    messages: Vec<*mut sys::rd_kafka_message_t>,
    /// Errors that arrived between the messages.
    pub errors: Vec<(TopicPartition, KafkaError)>,
    // Keeps the client alive: messages must be destroyed before it.
    _handle: Arc<Handle>,
}

// SAFETY: messages are owned by the batch and may be read and destroyed on any one thread. Not Sync: reading headers fills a cache.
unsafe impl Send for MessageBatch {}

impl MessageBatch {
    /// Takes up to `max` waiting messages without blocking; callbacks run inside.
    pub(crate) fn poll(handle: &Arc<Handle>, max: usize) -> Self {
        let mut messages: Vec<*mut sys::rd_kafka_message_t> = Vec::with_capacity(max);
        // SAFETY: room for `max` pointers; the call initialises as many as it answers; a timeout of 0 never blocks.
        unsafe {
            let count = sys::rd_kafka_consume_batch_queue(handle.queue(), 0, messages.as_mut_ptr(), max);
            messages.set_len(usize::try_from(count).unwrap_or(0));
        }
        let mut batch = Self {
            messages,
            errors: Vec::new(),
            _handle: Arc::clone(handle),
        };
        batch.split_errors();
        batch
    }

    fn split_errors(&mut self) {
        let errors = &mut self.errors;
        self.messages.retain(|message| {
            // SAFETY: a live message of this batch; the code is read as a number, see `list::first_error`.
            let code = unsafe { (&raw const (**message).err).cast::<i32>().read() };
            let Some(error) = KafkaError::from_code(code) else {
                return true;
            };
            // SAFETY: as above; destroyed once, and dropped from the vector by answering false.
            unsafe {
                let topic = if (**message).rkt.is_null() {
                    String::new()
                } else {
                    owned_text(sys::rd_kafka_topic_name((**message).rkt))
                };
                errors.push((TopicPartition::new(topic, (**message).partition), error));
                sys::rd_kafka_message_destroy(*message);
            }
            false
        });
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Walks the messages in order.
    pub fn iter(&self) -> impl Iterator<Item = MessageView<'_>> {
        let mut last: (*mut sys::rd_kafka_topic_t, &str) = (std::ptr::null_mut(), "");
        self.messages.iter().map(move |message| {
            // SAFETY: messages of a batch are live and were checked to carry no error, so `rkt` is set; the name lives as long as
            // the topic, which the message holds.
            let message = unsafe { &**message };
            if message.rkt != last.0 {
                let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(message.rkt)) };
                // A broker refuses names outside [a-zA-Z0-9._-], so this cannot fail for a topic that has messages.
                last = (message.rkt, name.to_str().unwrap_or_default());
            }
            MessageView { message, topic: last.1 }
        })
    }
}

impl Drop for MessageBatch {
    fn drop(&mut self) {
        for message in self.messages.drain(..) {
            // SAFETY: owned, destroyed once.
            unsafe { sys::rd_kafka_message_destroy(message) };
        }
    }
}

/// One received message, borrowed from its batch.
#[derive(Debug, Clone, Copy)]
pub struct MessageView<'a> {
    message: &'a sys::rd_kafka_message_t,
    topic: &'a str,
}

impl<'a> MessageView<'a> {
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    pub fn partition(&self) -> i32 {
        self.message.partition
    }

    pub fn offset(&self) -> i64 {
        self.message.offset
    }

    /// The key; `None` is a null key.
    pub fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: librdkafka gives a pointer to `key_len` bytes, alive with the message.
        unsafe { bytes(self.message.key, self.message.key_len) }
    }

    /// The value; `None` is a tombstone.
    pub fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: as for the key.
        unsafe { bytes(self.message.payload, self.message.len) }
    }

    /// Milliseconds since the epoch, with where they come from.
    pub fn timestamp(&self) -> (Option<i64>, TimestampType) {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: a live message; `kind` is writable.
        let timestamp = unsafe { sys::rd_kafka_message_timestamp(self.message, &raw mut kind) };
        match kind {
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => (None, TimestampType::NotAvailable),
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => {
                (Some(timestamp), TimestampType::CreateTime)
            }
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => {
                (Some(timestamp), TimestampType::LogAppendTime)
            }
        }
    }

    /// Headers in order, duplicates kept. Names that are not UTF-8 are replaced as Java does.
    pub fn headers(&self) -> Headers<'a> {
        let mut headers = std::ptr::null_mut();
        // SAFETY: a live message, not shared between threads (the batch is not Sync); the list belongs to it and lives as long.
        let code = unsafe { sys::rd_kafka_message_headers(self.message, &raw mut headers) } as i32;
        if code != 0 {
            headers = std::ptr::null_mut();
        }
        Headers {
            headers,
            next: 0,
            message: std::marker::PhantomData,
        }
    }
}

unsafe fn bytes<'a>(pointer: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: promised by the caller.
    (!pointer.is_null()).then(|| unsafe { std::slice::from_raw_parts(pointer.cast(), len) })
}

/// Walks the headers of one message.
#[derive(Debug)]
pub struct Headers<'a> {
    headers: *mut sys::rd_kafka_headers_t,
    next: usize,
    message: std::marker::PhantomData<MessageView<'a>>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (Cow<'a, str>, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.headers.is_null() {
            return None;
        }
        let (mut name, mut value, mut len) = (std::ptr::null(), std::ptr::null(), 0usize);
        // SAFETY: the list lives as long as its message; the three outputs are writable; name and value live as long as the list.
        unsafe {
            let code =
                sys::rd_kafka_header_get_all(self.headers, self.next, &raw mut name, &raw mut value, &raw mut len);
            if code as i32 != 0 {
                return None;
            }
            self.next += 1;
            Some((CStr::from_ptr(name).to_string_lossy(), bytes(value, len)))
        }
    }
}

fn check(context: &str, code: sys::rd_kafka_resp_err_t) -> Result<(), ClientError> {
    KafkaError::from_code(code as i32).map_or(Ok(()), |error| Err(ClientError::kafka(context, error)))
}

unsafe fn check_error(context: &str, error: *mut sys::rd_kafka_error_t) -> Result<(), ClientError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the caller hands over a live error, freed here.
    let (code, text) = unsafe {
        let found = (
            sys::rd_kafka_error_code(error) as i32,
            owned_text(sys::rd_kafka_error_string(error)),
        );
        sys::rd_kafka_error_destroy(error);
        found
    };
    Err(ClientError::Broker {
        error: KafkaError { code },
        message: format!("{context}: {text}"),
    })
}

fn timeout_ms(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX)
}

// SAFETY of the calls below: the client is live while its handle is, lists are live while borrowed, and librdkafka locks inside.

/// Replaces the subscription.
pub(crate) fn subscribe(handle: &Handle, topics: &[String]) -> Result<(), ClientError> {
    let list = List::of_topics(topics.iter().map(String::as_str))?;
    // SAFETY: see above.
    check("subscribe", unsafe {
        sys::rd_kafka_subscribe(handle.client(), list.pointer())
    })
}

/// Replaces the whole assignment; an offset of `None` starts at the committed one.
pub(crate) fn assign(handle: &Handle, partitions: &List) -> Result<(), ClientError> {
    // SAFETY: see above.
    check("assign", unsafe {
        sys::rd_kafka_assign(handle.client(), partitions.pointer())
    })
}

/// Is true when the group moves partitions one by one instead of revoking all first.
pub(crate) fn is_cooperative(handle: &Handle) -> bool {
    // SAFETY: see above; the answer is a static text or null.
    unsafe { owned_text(sys::rd_kafka_rebalance_protocol(handle.client())) == "COOPERATIVE" }
}

pub(crate) fn incremental_assign(handle: &Handle, partitions: &List) -> Result<(), ClientError> {
    // SAFETY: see above.
    unsafe {
        check_error(
            "assign",
            sys::rd_kafka_incremental_assign(handle.client(), partitions.pointer()),
        )
    }
}

pub(crate) fn incremental_unassign(handle: &Handle, partitions: &List) -> Result<(), ClientError> {
    // SAFETY: see above.
    unsafe {
        check_error(
            "unassign",
            sys::rd_kafka_incremental_unassign(handle.client(), partitions.pointer()),
        )
    }
}

/// Drops the whole assignment.
pub(crate) fn unassign(handle: &Handle) -> Result<(), ClientError> {
    // SAFETY: see above; null means none.
    check("unassign", unsafe {
        sys::rd_kafka_assign(handle.client(), std::ptr::null())
    })
}

/// The current assignment.
pub(crate) fn assignment(handle: &Handle) -> Result<List, ClientError> {
    let mut list = std::ptr::null_mut();
    // SAFETY: see above; the list is given away on success, null otherwise.
    unsafe {
        let code = sys::rd_kafka_assignment(handle.client(), &raw mut list);
        let list = List::adopt(list);
        check("assignment", code).map(|()| list)
    }
}

/// Commits and waits for the coordinator's answer; each partition must have succeeded.
pub(crate) fn commit(handle: &Handle, offsets: &List) -> Result<(), ClientError> {
    // SAFETY: see above.
    check("offset commit", unsafe {
        sys::rd_kafka_commit(handle.client(), offsets.pointer(), 0)
    })?;
    match offsets.first_error() {
        Some((partition, error)) => Err(ClientError::kafka(format!("offset commit of {partition}"), error)),
        None => Ok(()),
    }
}

/// Fills the list with the committed offsets.
pub(crate) fn committed(handle: &Handle, partitions: &List, timeout: Duration) -> Result<(), ClientError> {
    // SAFETY: see above; the list is written in place.
    check("committed offsets", unsafe {
        sys::rd_kafka_committed(handle.client(), partitions.pointer(), timeout_ms(timeout))
    })
}

/// Fills the list with the next offsets to be handed out.
pub(crate) fn position(handle: &Handle, partitions: &List) -> Result<(), ClientError> {
    // SAFETY: see above; the list is written in place.
    check("position", unsafe {
        sys::rd_kafka_position(handle.client(), partitions.pointer())
    })
}

pub(crate) fn seek(handle: &Handle, offsets: &List, timeout: Duration) -> Result<(), ClientError> {
    // SAFETY: see above.
    unsafe {
        check_error(
            "seek",
            sys::rd_kafka_seek_partitions(handle.client(), offsets.pointer(), timeout_ms(timeout)),
        )
    }?;
    match offsets.first_error() {
        Some((partition, error)) => Err(ClientError::kafka(format!("seek of {partition}"), error)),
        None => Ok(()),
    }
}

pub(crate) fn pause(handle: &Handle, partitions: &List) -> Result<(), ClientError> {
    // SAFETY: see above.
    check("pause", unsafe {
        sys::rd_kafka_pause_partitions(handle.client(), partitions.pointer())
    })
}

pub(crate) fn resume(handle: &Handle, partitions: &List) -> Result<(), ClientError> {
    // SAFETY: see above.
    check("resume", unsafe {
        sys::rd_kafka_resume_partitions(handle.client(), partitions.pointer())
    })
}

/// Asks the leader for the first and the next offset of a partition.
pub(crate) fn watermarks(
    handle: &Handle,
    partition: &TopicPartition,
    timeout: Duration,
) -> Result<(i64, i64), ClientError> {
    let topic = CString::new(partition.topic.as_str())
        .map_err(|_| ClientError::config("topic", &partition.topic, "contains a NUL byte"))?;
    let (mut low, mut high) = (0i64, 0i64);
    // SAFETY: see above; both outputs are writable.
    let code = unsafe {
        sys::rd_kafka_query_watermark_offsets(
            handle.client(),
            topic.as_ptr(),
            partition.partition,
            &raw mut low,
            &raw mut high,
            timeout_ms(timeout),
        )
    };
    check("watermark offsets", code).map(|()| (low, high))
}

/// Partition numbers of a topic, from fresh metadata; empty when it does not exist.
pub(crate) fn partitions_of(handle: &Handle, topic: &str, timeout: Duration) -> Result<Vec<i32>, ClientError> {
    let name = CString::new(topic).map_err(|_| ClientError::config("topic", topic, "contains a NUL byte"))?;
    // SAFETY: see above; the topic handle is freed below, the metadata is read only while it is ours.
    unsafe {
        let rkt = sys::rd_kafka_topic_new(handle.client(), name.as_ptr(), std::ptr::null_mut());
        if rkt.is_null() {
            return Err(ClientError::config("topic", topic, "not a valid topic name"));
        }
        let mut metadata = std::ptr::null();
        let code = sys::rd_kafka_metadata(handle.client(), 0, rkt, &raw mut metadata, timeout_ms(timeout));
        sys::rd_kafka_topic_destroy(rkt);
        check("metadata", code)?;
        let mut found = Vec::new();
        let topics =
            std::slice::from_raw_parts((*metadata).topics, usize::try_from((*metadata).topic_cnt).unwrap_or(0));
        for entry in topics {
            let count = usize::try_from(entry.partition_cnt).unwrap_or(0);
            if count > 0 {
                found.extend(
                    std::slice::from_raw_parts(entry.partitions, count)
                        .iter()
                        .map(|partition| partition.id),
                );
            }
        }
        sys::rd_kafka_metadata_destroy(metadata);
        Ok(found)
    }
}
