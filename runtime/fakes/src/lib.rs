//! Services that answer as the real feeds do
//!
//! For `weir up --demo` without keys and for tests: pure state machines over a clock that is passed in, and a server that
//! puts them on loopback.

pub mod service;
// Around any service.
pub mod faults;
pub mod recorded;
// The services.
pub mod aemet;
pub mod items;
pub mod places;
pub mod x;
// Over HTTP.
pub mod server;
