//! The exports of a component, on top of the author's registration
//!
//! The instance is the object: `start` makes the connector or task, later calls go to it. Errors become
//! `plugin-error`; a panic traps the instance after its message went to standard error.

pub mod component;
pub(crate) mod convert;
mod plugin;
mod sink;
mod source;
