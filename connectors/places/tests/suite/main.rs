//! The places connector against a service that answers from a list, and against the fake one
//!
//! On a virtual clock: waits of hours and months of cycles take milliseconds.

mod budget;
mod errors;
mod records;
mod replay;
mod support;
mod tasks;
