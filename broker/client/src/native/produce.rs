//! Batch produce with a cached topic handle, and delivery reports in arrays.
//!
//! Cost per record: one allocation and copy inside librdkafka; none of ours. Records without timestamp and headers go through
//! `rd_kafka_produce_batch`, 64 at a time from the stack; the others through `rd_kafka_producev`.

use std::ffi::{CString, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;

use rdkafka_sys as sys;
use sys::rd_kafka_vtype_t::{
    RD_KAFKA_VTYPE_END, RD_KAFKA_VTYPE_HEADERS, RD_KAFKA_VTYPE_KEY, RD_KAFKA_VTYPE_MSGFLAGS, RD_KAFKA_VTYPE_OPAQUE,
    RD_KAFKA_VTYPE_PARTITION, RD_KAFKA_VTYPE_RKT, RD_KAFKA_VTYPE_TIMESTAMP, RD_KAFKA_VTYPE_VALUE,
};

use crate::error::{ClientError, KafkaError};
use crate::native::errors::owned_text;
use crate::native::handle::Handle;
use crate::producer::{Ack, OutRecord};

const CHUNK_RECORDS: usize = 64;
const ACK_CHUNK: usize = 256;
const ANY_PARTITION: i32 = -1;
const NO_ERROR: i32 = 0;
const TIMED_OUT: i32 = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT as i32;
const QUEUE_FULL: i32 = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL as i32;

// The opaque of a record is carried in a pointer.
const _: () = assert!(size_of::<usize>() == size_of::<u64>());

/// A topic of one producer, looked up once.
#[derive(Debug)]
pub(crate) struct Topic {
    topic: NonNull<sys::rd_kafka_topic_t>,
    // Keeps the client alive: a topic must be destroyed before it.
    handle: Arc<Handle>,
}

// SAFETY: topic handles are reference counted and locked inside librdkafka.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

impl Topic {
    pub(crate) fn new(handle: &Arc<Handle>, name: &str) -> Result<Self, ClientError> {
        let invalid = || ClientError::config("topic", name, "not a valid topic name");
        let text = CString::new(name).map_err(|_| invalid())?;
        // SAFETY: the client is live, the name NUL-terminated; a null configuration means the client's defaults.
        let topic = unsafe { sys::rd_kafka_topic_new(handle.client(), text.as_ptr(), std::ptr::null_mut()) };
        let topic = NonNull::new(topic).ok_or_else(invalid)?;
        Ok(Self {
            topic,
            handle: Arc::clone(handle),
        })
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: owned reference; the client is still alive because `handle` is.
        unsafe { sys::rd_kafka_topic_destroy(self.topic.as_ptr()) };
    }
}

/// Enqueues records in order until the queue is full; answers how many were taken.
///
/// A record refused for its own sake (too large, unknown partition) counts as taken and is handed to `refused`.
pub(crate) fn produce(
    topic: &Topic,
    records: &[OutRecord<'_>],
    refused: &mut dyn FnMut(&OutRecord<'_>, KafkaError),
) -> usize {
    let mut done = 0;
    while let Some((first, rest)) = records.get(done..).and_then(<[_]>::split_first) {
        // One partition a call: with mixed ones librdkafka 2.12 leaks a record whose partition does not exist, and then never
        // reports an empty queue again.
        let alike = |record: &&OutRecord<'_>| record.is_plain() && record.partition == first.partition;
        let run = if first.is_plain() {
            1 + rest.iter().take(CHUNK_RECORDS - 1).take_while(alike).count()
        } else {
            0
        };
        let (taken, offered) = match records.get(done..done + run) {
            Some(chunk) if run > 0 => (produce_plain(topic, chunk, first.partition, refused), run),
            _ => (produce_one(topic, first, refused), 1),
        };
        done += taken;
        if taken < offered {
            break;
        }
    }
    done
}

fn produce_plain(
    topic: &Topic,
    records: &[OutRecord<'_>],
    partition: Option<i32>,
    refused: &mut dyn FnMut(&OutRecord<'_>, KafkaError),
) -> usize {
    let mut messages = [const { MaybeUninit::<sys::rd_kafka_message_t>::uninit() }; CHUNK_RECORDS];
    let mut count = 0;
    for (message, record) in messages.iter_mut().zip(records) {
        let (payload, len) = raw(record.value);
        let (key, key_len) = raw(record.key);
        message.write(sys::rd_kafka_message_t {
            err: sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
            rkt: std::ptr::null_mut(),
            partition: ANY_PARTITION,
            payload,
            len,
            key,
            key_len,
            offset: 0,
            _private: opaque(record.opaque),
        });
        count += 1;
    }
    // SAFETY: `count` messages are initialised; keys and values stay borrowed during the call, which copies them.
    let enqueued = unsafe {
        sys::rd_kafka_produce_batch(
            topic.topic.as_ptr(),
            partition.unwrap_or(ANY_PARTITION),
            sys::RD_KAFKA_MSG_F_COPY,
            messages.as_mut_ptr().cast(),
            count as c_int,
        )
    };
    if usize::try_from(enqueued) == Ok(count) {
        return count;
    }
    for (index, (message, record)) in messages.iter().zip(records).enumerate() {
        // SAFETY: the first `count` messages are initialised; the code is read as a number, see `list::first_error`.
        match unsafe { (&raw const (*message.as_ptr()).err).cast::<i32>().read() } {
            NO_ERROR => {}
            QUEUE_FULL => return index,
            code => refused(record, KafkaError { code }),
        }
    }
    count
}

fn produce_one(topic: &Topic, record: &OutRecord<'_>, refused: &mut dyn FnMut(&OutRecord<'_>, KafkaError)) -> usize {
    // librdkafka reads timestamp 0 as "now", and Kafka has no negative ones: both are refused rather than changed silently.
    if record.timestamp.is_some_and(|timestamp| timestamp <= 0) {
        refused(record, KafkaError::INVALID_TIMESTAMP);
        return 1;
    }
    let headers = headers(record);
    let (value, value_len) = raw(record.value);
    let (key, key_len) = raw(record.key);
    // SAFETY: arguments follow each type tag as `rdkafka.h` lists them, ended by END; borrowed bytes are copied; the headers are
    // taken over on success and stay ours on failure.
    let code = unsafe {
        sys::rd_kafka_producev(
            topic.handle.client(),
            RD_KAFKA_VTYPE_RKT,
            topic.topic.as_ptr(),
            RD_KAFKA_VTYPE_PARTITION,
            record.partition.unwrap_or(ANY_PARTITION),
            RD_KAFKA_VTYPE_VALUE,
            value,
            value_len,
            RD_KAFKA_VTYPE_KEY,
            key,
            key_len,
            RD_KAFKA_VTYPE_OPAQUE,
            opaque(record.opaque),
            RD_KAFKA_VTYPE_MSGFLAGS,
            sys::RD_KAFKA_MSG_F_COPY as c_int,
            RD_KAFKA_VTYPE_TIMESTAMP,
            record.timestamp.unwrap_or(0),
            RD_KAFKA_VTYPE_HEADERS,
            headers,
            RD_KAFKA_VTYPE_END,
        )
    } as i32;
    if code != NO_ERROR && !headers.is_null() {
        // SAFETY: still ours, see above.
        unsafe { sys::rd_kafka_headers_destroy(headers) };
    }
    match code {
        NO_ERROR => 1,
        QUEUE_FULL => 0,
        code => {
            refused(record, KafkaError { code });
            1
        }
    }
}

// Names go in with their length, so they need no C string of ours.
fn headers(record: &OutRecord<'_>) -> *mut sys::rd_kafka_headers_t {
    if record.headers.is_empty() {
        return std::ptr::null_mut();
    }
    // SAFETY: a new list; names and values are copied with the given lengths, a null value means a null header.
    unsafe {
        let list = sys::rd_kafka_headers_new(record.headers.len());
        for (name, value) in record.headers {
            let (bytes, len) = raw(*value);
            sys::rd_kafka_header_add(list, name.as_ptr().cast(), name.len() as isize, bytes, len as isize);
        }
        list
    }
}

// An empty slice keeps its non-null pointer: librdkafka tells null from empty by the pointer.
fn raw(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((std::ptr::null_mut(), 0), |bytes| {
        (bytes.as_ptr().cast_mut().cast(), bytes.len())
    })
}

fn opaque(value: u64) -> *mut c_void {
    std::ptr::without_provenance_mut(value as usize)
}

/// Moves every waiting delivery report into `acks`.
pub(crate) fn drain_acks(handle: &Handle, acks: &mut Vec<Ack>) {
    loop {
        // SAFETY: the queue is live; a timeout of 0 never blocks; the event is ours until destroyed.
        let event = unsafe { sys::rd_kafka_queue_poll(handle.queue(), 0) };
        if event.is_null() {
            return;
        }
        let mut messages = [std::ptr::null::<sys::rd_kafka_message_t>(); ACK_CHUNK];
        loop {
            // SAFETY: the event is live; at most `ACK_CHUNK` pointers are written. Other event types answer 0.
            let count = unsafe { sys::rd_kafka_event_message_array(event, messages.as_mut_ptr(), ACK_CHUNK) };
            acks.extend(messages.iter().take(count).map(|message| {
                // SAFETY: messages live as long as their event.
                unsafe { ack(*message) }
            }));
            if count < ACK_CHUNK {
                break;
            }
        }
        // SAFETY: the event is live.
        if let Some(reason) = unsafe { refused_login(event) } {
            handle.signals().lock_out(reason);
        }
        // SAFETY: ours, and no message of it is kept.
        unsafe { sys::rd_kafka_event_destroy(event) };
    }
}

// Errors come as events here, not to the callback: the queue is polled for events.
unsafe fn refused_login(event: *mut sys::rd_kafka_event_t) -> Option<String> {
    // SAFETY: the caller gives a live event; its text lives as long.
    unsafe {
        if sys::rd_kafka_event_type(event) != sys::RD_KAFKA_EVENT_ERROR {
            return None;
        }
        let code = sys::rd_kafka_event_error(event) as i32;
        (code == KafkaError::AUTHENTICATION.code).then(|| owned_text(sys::rd_kafka_event_error_string(event)))
    }
}

unsafe fn ack(message: *const sys::rd_kafka_message_t) -> Ack {
    // SAFETY: the caller gives a live message; the code is read as a number, see `list::first_error`.
    unsafe {
        let code = (&raw const (*message).err).cast::<i32>().read();
        Ack {
            opaque: (*message)._private.addr() as u64,
            partition: (*message).partition,
            offset: (*message).offset,
            timestamp: sys::rd_kafka_message_timestamp(message, std::ptr::null_mut()),
            error: KafkaError::from_code(code),
        }
    }
}

/// Makes an idempotent producer ready soon: blocks for a few milliseconds, or until no broker answered in time.
///
/// librdkafka 2.12 asks for its producer id when metadata arrives, but the first answer comes over a bootstrap connection that it
/// drops at that moment; it then asks again after 500 ms only. A second metadata answer makes it ask at once.
pub(crate) fn warm_up(handle: &Handle) {
    const ATTEMPTS: usize = 5;
    const TIMEOUT_MS: c_int = 3_000;
    let mut answers = 0;
    for _ in 0..ATTEMPTS {
        let mut metadata = std::ptr::null();
        // SAFETY: the client is live; null asks for its own topics; the answer is ours and freed here.
        let code = unsafe {
            let code =
                sys::rd_kafka_metadata(handle.client(), 0, std::ptr::null_mut(), &raw mut metadata, TIMEOUT_MS) as i32;
            if !metadata.is_null() {
                sys::rd_kafka_metadata_destroy(metadata);
            }
            code
        };
        match code {
            NO_ERROR => answers += 1,
            TIMED_OUT => return,
            _ => {}
        }
        if answers == 2 {
            return;
        }
    }
}

/// Blocks until nothing is queued or in flight, not waiting for the linger time; the reports stay for `drain_acks`.
pub(crate) fn flush(handle: &Handle, timeout_ms: c_int) {
    // SAFETY: the client is live. The outcome is read from `outq_len`, so the answer is not needed.
    unsafe { sys::rd_kafka_flush(handle.client(), timeout_ms) };
}

/// Records queued, in flight, or reported and not yet drained.
pub(crate) fn outq_len(handle: &Handle) -> usize {
    // SAFETY: the client is live.
    usize::try_from(unsafe { sys::rd_kafka_outq_len(handle.client()) }).unwrap_or(0)
}

/// Drops every record that waits or is in flight; each gets a delivery report with an error.
pub(crate) fn purge(handle: &Handle) {
    const QUEUE_AND_IN_FLIGHT: c_int = 3;
    // SAFETY: the client is live.
    unsafe { sys::rd_kafka_purge(handle.client(), QUEUE_AND_IN_FLIGHT) };
}
