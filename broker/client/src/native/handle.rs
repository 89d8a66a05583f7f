//! Owned librdkafka client: creation, callbacks, destruction.
//!
//! Callbacks run on librdkafka's threads or inside a poll. They only note what happened in [`Signals`] and wake the owner; no
//! decision is taken in them.

use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rdkafka_sys as sys;
use tokio::sync::Notify;

use crate::client_config::Translated;
use crate::error::{ClientError, KafkaError};
use crate::native::errors::owned_text;
use crate::native::list;
use crate::topic_partition::TopicPartition;

/// Which kind of client a handle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientKind {
    Producer,
    Consumer,
}

/// A change of the group's assignment, not yet applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rebalance {
    Assign(Vec<TopicPartition>),
    Revoke {
        partitions: Vec<TopicPartition>,
        is_lost: bool,
    },
    Failed(KafkaError),
}

/// Whose lines those of a client's threads are: its creator's.
#[derive(Debug)]
pub(crate) struct LogContext(tracing::Span);

impl Default for LogContext {
    fn default() -> Self {
        Self(tracing::Span::current())
    }
}

/// What callbacks leave for the owner of a client.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pub(crate) context: LogContext,
    /// Woken when the polled queue turns from empty to not empty.
    pub(crate) queue: Notify,
    pub(crate) rebalances: Mutex<VecDeque<Rebalance>>,
    /// First fatal error, with librdkafka's reason.
    pub(crate) fatal: Mutex<Option<(KafkaError, String)>>,
    /// Set by close: later revocations are applied at once, as nobody is left to do so.
    pub(crate) closing: AtomicBool,
}

impl Signals {
    /// A broker refused the login: the client is of no further use.
    pub(crate) fn lock_out(&self, reason: String) {
        tracing::error!(reason, "client failed for good");
        self.fatal.lock().get_or_insert((KafkaError::AUTHENTICATION, reason));
        self.queue.notify_one();
    }
}

/// Owns one `rd_kafka_t` and the queue its owner polls.
#[derive(Debug)]
pub(crate) struct Handle {
    client: NonNull<sys::rd_kafka_t>,
    queue: NonNull<sys::rd_kafka_queue_t>,
    kind: ClientKind,
    signals: Arc<Signals>,
}

// SAFETY: librdkafka clients and queues are documented as thread-safe; `Signals` is Sync.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Creates a client from translated settings.
    pub(crate) fn create(kind: ClientKind, settings: &Translated) -> Result<Arc<Self>, ClientError> {
        let conf = Conf::new(settings)?;
        let signals = Arc::new(Signals::default());
        let opaque = Arc::as_ptr(&signals).cast_mut().cast::<c_void>();
        // SAFETY: `conf` is a live configuration; the callbacks match the declared types; `opaque` outlives the client because the
        // handle drops its `Arc<Signals>` only after `rd_kafka_destroy` returned.
        unsafe {
            sys::rd_kafka_conf_set_opaque(conf.pointer, opaque);
            sys::rd_kafka_conf_set_log_cb(conf.pointer, Some(on_log));
            sys::rd_kafka_conf_set_error_cb(conf.pointer, Some(on_error));
            match kind {
                ClientKind::Producer => sys::rd_kafka_conf_set_events(conf.pointer, sys::RD_KAFKA_EVENT_DR),
                ClientKind::Consumer => sys::rd_kafka_conf_set_rebalance_cb(conf.pointer, Some(on_rebalance)),
            }
        }
        let client = conf.into_client(kind)?;
        // SAFETY: `client` is live. A consumer's main queue is forwarded so that one queue carries messages, errors and rebalances.
        let queue = unsafe {
            match kind {
                ClientKind::Producer => sys::rd_kafka_queue_get_main(client.as_ptr()),
                ClientKind::Consumer => {
                    sys::rd_kafka_poll_set_consumer(client.as_ptr());
                    sys::rd_kafka_queue_get_consumer(client.as_ptr())
                }
            }
        };
        let Some(queue) = NonNull::new(queue) else {
            // SAFETY: `client` is live and not used afterwards.
            unsafe { sys::rd_kafka_destroy(client.as_ptr()) };
            return Err(ClientError::config("group.id", "", "a consumer needs a group id"));
        };
        // SAFETY: `queue` is live; `opaque` outlives it as above; the callback only touches `Signals`.
        unsafe { sys::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(on_queue), opaque) };
        Ok(Arc::new(Self {
            client,
            queue,
            kind,
            signals,
        }))
    }

    pub(crate) fn client(&self) -> *mut sys::rd_kafka_t {
        self.client.as_ptr()
    }

    pub(crate) fn queue(&self) -> *mut sys::rd_kafka_queue_t {
        self.queue.as_ptr()
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Is true once a broker refused the login.
    pub(crate) fn is_locked_out(&self) -> bool {
        let fatal = self.signals.fatal.lock();
        fatal
            .as_ref()
            .is_some_and(|(error, _)| *error == KafkaError::AUTHENTICATION)
    }

    /// The error that ended this client for good, if any.
    pub(crate) fn fatal_error(&self) -> Option<(KafkaError, String)> {
        if let Some(fatal) = self.signals.fatal.lock().clone() {
            return Some(fatal);
        }
        let mut text = [0 as c_char; 512];
        // SAFETY: `text` is a writable buffer of the given size.
        let code = unsafe { sys::rd_kafka_fatal_error(self.client(), text.as_mut_ptr(), text.len()) } as i32;
        let error = KafkaError::from_code(code)?;
        // SAFETY: librdkafka terminated the text.
        Some((error, unsafe { owned_text(text.as_ptr()) }))
    }
}

impl Drop for Handle {
    /// Blocks until librdkafka's threads ended: milliseconds, or a consumer's leave request. Owners drop on a blocking thread.
    fn drop(&mut self) {
        self.signals.closing.store(true, Ordering::Release);
        // SAFETY: nobody else holds this handle: messages and topics keep an `Arc` to it. The event callback is removed first.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, std::ptr::null_mut());
            if self.kind == ClientKind::Consumer {
                sys::rd_kafka_consumer_close(self.client.as_ptr());
            }
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
            sys::rd_kafka_destroy(self.client.as_ptr());
        }
    }
}

/// Owns a configuration until a client takes it.
struct Conf {
    pointer: *mut sys::rd_kafka_conf_t,
}

impl Conf {
    fn new(settings: &Translated) -> Result<Self, ClientError> {
        // SAFETY: returns a new configuration that `Conf` owns.
        let conf = Self {
            pointer: unsafe { sys::rd_kafka_conf_new() },
        };
        for (key, value) in &settings.entries {
            conf.set(key, value, settings)?;
        }
        Ok(conf)
    }

    fn set(&self, key: &str, value: &str, settings: &Translated) -> Result<(), ClientError> {
        let no_nul = |_| ClientError::config(settings.java_key(key), "[hidden]", "contains a NUL byte");
        let (name, text) = (CString::new(key).map_err(no_nul)?, CString::new(value).map_err(no_nul)?);
        let mut reason = [0 as c_char; 512];
        // SAFETY: the configuration is live, both strings are NUL-terminated, the buffer is writable.
        let result = unsafe {
            sys::rd_kafka_conf_set(
                self.pointer,
                name.as_ptr(),
                text.as_ptr(),
                reason.as_mut_ptr(),
                reason.len(),
            )
        };
        if result == sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
            return Ok(());
        }
        // SAFETY: librdkafka terminated the text.
        let reason = unsafe { owned_text(reason.as_ptr()) };
        Err(settings.refused(key, value, &reason))
    }

    fn into_client(mut self, kind: ClientKind) -> Result<NonNull<sys::rd_kafka_t>, ClientError> {
        let kind = match kind {
            ClientKind::Producer => sys::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            ClientKind::Consumer => sys::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        };
        let mut reason = [0 as c_char; 512];
        // SAFETY: takes the configuration on success only; the buffer is writable.
        let client = unsafe { sys::rd_kafka_new(kind, self.pointer, reason.as_mut_ptr(), reason.len()) };
        match NonNull::new(client) {
            Some(client) => {
                // The client owns the configuration from here on.
                self.pointer = std::ptr::null_mut();
                Ok(client)
            }
            None => {
                // SAFETY: librdkafka terminated the text.
                let reason = unsafe { owned_text(reason.as_ptr()) };
                Err(ClientError::Config {
                    key: "client".to_owned(),
                    value: String::new(),
                    reason,
                })
            }
        }
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        if !self.pointer.is_null() {
            // SAFETY: owned and not taken by a client.
            unsafe { sys::rd_kafka_conf_destroy(self.pointer) };
        }
    }
}

// SAFETY of the callbacks: `opaque` is the `Signals` given at creation, alive until the client is destroyed; texts are C strings.

unsafe extern "C" fn on_queue(_client: *mut sys::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: see above.
    let signals = unsafe { &*opaque.cast::<Signals>() };
    signals.queue.notify_one();
}

unsafe extern "C" fn on_log(
    client: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    text: *const c_char,
) {
    // SAFETY: see above. While a client is being made it may be absent, or not know its opaque yet.
    let (facility, text, signals) = unsafe {
        let opaque = match client.is_null() {
            true => std::ptr::null(),
            false => sys::rd_kafka_opaque(client).cast_const().cast::<Signals>(),
        };
        (owned_text(facility), owned_text(text), opaque.as_ref())
    };
    let _context = signals.map(|signals| signals.context.0.enter());
    match level {
        0..=3 => tracing::error!(target: "librdkafka", facility, "{text}"),
        4 => tracing::warn!(target: "librdkafka", facility, "{text}"),
        5..=6 => tracing::info!(target: "librdkafka", facility, "{text}"),
        _ => tracing::debug!(target: "librdkafka", facility, "{text}"),
    }
}

unsafe extern "C" fn on_error(client: *mut sys::rd_kafka_t, code: c_int, reason: *const c_char, opaque: *mut c_void) {
    const FATAL: c_int = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__FATAL as c_int;
    const AUTHENTICATION: c_int = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__AUTHENTICATION as c_int;
    // SAFETY: see above.
    let (signals, reason) = unsafe { (&*opaque.cast::<Signals>(), owned_text(reason)) };
    let _context = signals.context.0.enter();
    // librdkafka would try a refused login for ever; Java's clients give it up.
    if code == AUTHENTICATION {
        signals.lock_out(reason);
        return;
    }
    if code != FATAL {
        tracing::warn!(code, reason, "client error");
        return;
    }
    let mut text = [0 as c_char; 512];
    // SAFETY: `client` is live during its callback, the buffer is writable and terminated by the call.
    let (cause, text) = unsafe {
        let cause = sys::rd_kafka_fatal_error(client, text.as_mut_ptr(), text.len()) as i32;
        (cause, owned_text(text.as_ptr()))
    };
    tracing::error!(code = cause, reason = text, "client failed for good");
    signals.fatal.lock().get_or_insert((KafkaError { code: cause }, text));
    signals.queue.notify_one();
}

unsafe extern "C" fn on_rebalance(
    client: *mut sys::rd_kafka_t,
    code: sys::rd_kafka_resp_err_t,
    partitions: *mut sys::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    const ASSIGN: i32 = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS as i32;
    const REVOKE: i32 = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS as i32;
    // SAFETY: see above; the list belongs to librdkafka and is only read.
    let (signals, partitions) = unsafe { (&*opaque.cast::<Signals>(), list::read(partitions)) };
    if signals.closing.load(Ordering::Acquire) {
        // SAFETY: `client` is live. Close waits for this call; the owner has finished with its partitions.
        unsafe { sys::rd_kafka_assign(client, std::ptr::null()) };
        return;
    }
    let partitions = partitions.into_iter().map(|(partition, _)| partition).collect();
    let rebalance = match code as i32 {
        ASSIGN => Rebalance::Assign(partitions),
        REVOKE => {
            // SAFETY: `client` is live during its callback.
            let is_lost = unsafe { sys::rd_kafka_assignment_lost(client) } != 0;
            Rebalance::Revoke { partitions, is_lost }
        }
        code => Rebalance::Failed(KafkaError { code }),
    };
    signals.rebalances.lock().push_back(rebalance);
    signals.queue.notify_one();
}
