//! What polite feed connectors share
//!
//! One client that waits, retries and redacts, and the small parts all feeds need: dedupe window, charsets, time, JSON
//! pointers. What a service means is in its own crate.
