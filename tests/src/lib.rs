//! What the suites share: starting the built binary, and talking to it.
//!
//! Nothing imports this but the test binaries in `tests/`.

pub mod apache;
pub mod apache_cluster;
pub mod conformance;
pub mod guests;
pub mod kafka;
pub mod process;
pub mod rest;
pub mod side_by_side;
pub mod soak;
