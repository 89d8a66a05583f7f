//! REST scenarios recorded from Apache Kafka Connect and replayed on Weir.
//!
//! The scenarios and the recorded answers lie in `tests/conformance`; `tests/tests/conformance.rs` replays them and records them.

pub mod cluster;
pub mod compare;
pub mod recorded;
pub mod report;
pub mod rules;
pub mod run;
pub mod scenario;
