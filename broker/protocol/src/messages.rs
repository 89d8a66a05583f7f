//! Kafka's messages, under our own name for the codec crate
//!
//! Everything else imports messages from here (`messages::fetch_request::…`),
//! so the choice of codec stays a change of this crate (docs/adr/0002). Request
//! and response structs are non-exhaustive: start from `Default` and set fields.
//! Record batches and the Fetch response body are not built through it.

pub use kafka_wire::*;
pub use kafka_wire_core::{StrBytes, TaggedFields, Uuid};
