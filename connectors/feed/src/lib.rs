//! What polite feed connectors share
//!
//! One client that waits, retries and redacts, and the small parts all feeds need: dedupe window, charsets, time, JSON
//! pointers. What a service means is in its own crate.

// Settings of every feed.
pub mod settings;
// Asking.
pub mod answer;
pub mod client;
pub mod jitter;
pub mod pause;
pub mod url;
// Reading answers.
pub mod charset;
pub mod hash;
pub mod pointer;
pub mod time;
pub mod time_format;
pub mod zone;
// Handing records over.
pub mod bad_record;
pub mod headers;
pub mod outbox;
pub mod window;
// On the development machine only.
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
