//! Transactions of a producer: librdkafka's blocking calls and what their errors ask for.
//!
//! Every function blocks until the coordinator answered or the time is over: callers are on a blocking thread. A call that timed out is
//! repeated with the same function; librdkafka goes on where it stood.

use std::ffi::c_int;

use rdkafka_sys as sys;

use crate::error::{ClientError, KafkaError, TransactionFailure};
use crate::native::errors::owned_text;
use crate::native::handle::Handle;

/// Gets the producer id of the transactional id, which fences earlier holders and ends what they left open.
pub(crate) fn init(handle: &Handle, timeout_ms: c_int) -> Result<(), ClientError> {
    // SAFETY: the client is live; the error, if any, is handed over.
    unsafe { outcome(sys::rd_kafka_init_transactions(handle.client(), timeout_ms)) }
}

/// Opens a transaction; nothing is sent for it yet.
pub(crate) fn begin(handle: &Handle) -> Result<(), ClientError> {
    // SAFETY: as above.
    unsafe { outcome(sys::rd_kafka_begin_transaction(handle.client())) }
}

/// Sends what is queued and commits. Delivery reports must be drained meanwhile.
pub(crate) fn commit(handle: &Handle, timeout_ms: c_int) -> Result<(), ClientError> {
    // SAFETY: as above.
    unsafe { outcome(sys::rd_kafka_commit_transaction(handle.client(), timeout_ms)) }
}

/// Drops what is queued and aborts. Delivery reports must be drained meanwhile.
pub(crate) fn abort(handle: &Handle, timeout_ms: c_int) -> Result<(), ClientError> {
    // SAFETY: as above.
    unsafe { outcome(sys::rd_kafka_abort_transaction(handle.client(), timeout_ms)) }
}

// SAFETY of callers: `error` is null or an error that the caller owns and does not use again.
unsafe fn outcome(error: *mut sys::rd_kafka_error_t) -> Result<(), ClientError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: promised by the caller; the text is copied before the error is destroyed.
    unsafe {
        let code = sys::rd_kafka_error_code(error) as i32;
        let message = owned_text(sys::rd_kafka_error_string(error));
        let (is_fatal, is_retriable, needs_abort) = (
            sys::rd_kafka_error_is_fatal(error) != 0,
            sys::rd_kafka_error_is_retriable(error) != 0,
            sys::rd_kafka_error_txn_requires_abort(error) != 0,
        );
        sys::rd_kafka_error_destroy(error);
        let error = KafkaError { code };
        let failure = if error.is_fenced() {
            TransactionFailure::Fenced
        } else if is_fatal {
            TransactionFailure::Fatal
        } else if needs_abort {
            TransactionFailure::Abortable
        } else if is_retriable {
            TransactionFailure::Retriable
        } else {
            TransactionFailure::Fatal
        };
        Err(ClientError::Transaction {
            failure,
            error,
            message,
        })
    }
}
