//! Names and texts of error codes, and C strings.

use std::ffi::{CStr, c_char};

use rdkafka_sys as sys;

/// Kafka's name of `code`.
pub(crate) fn name(code: i32) -> &'static str {
    lookup(code).0
}

/// librdkafka's text of `code`.
pub(crate) fn message(code: i32) -> &'static str {
    lookup(code).1
}

// The table is asked for by number because the binding's code type is a Rust enum: transmuting a code that a newer broker
// invented would be undefined behaviour.
fn lookup(code: i32) -> (&'static str, &'static str) {
    let mut table = std::ptr::null::<sys::rd_kafka_err_desc>();
    let mut count = 0usize;
    // SAFETY: fills in a pointer to, and the size of, a static table that is never freed or changed.
    let rows = unsafe {
        sys::rd_kafka_get_err_descs(&raw mut table, &raw mut count);
        std::slice::from_raw_parts(table, count)
    };
    for row in rows {
        if row.code as i32 == code && !row.name.is_null() && !row.desc.is_null() {
            // SAFETY: both are static, NUL-terminated C strings.
            return unsafe { (static_text(row.name), static_text(row.desc)) };
        }
    }
    ("UNKNOWN", "unknown error code")
}

// SAFETY of callers: `text` is a NUL-terminated string that lives for ever.
unsafe fn static_text(text: *const c_char) -> &'static str {
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("unknown")
}

/// Copies a C string that may be null or not UTF-8.
///
/// # Safety
/// `text` is null or a NUL-terminated string alive during the call.
pub(crate) unsafe fn owned_text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
