//! WebAssembly plugin host: find, load, confine and call connectors
//!
//! A plugin is a component of `wit/`. Reading order: [`plugins`] finds and names classes, [`guest`] makes instances and
//! calls them, [`host`] answers what they ask, [`policy`] decides what they may, [`egress`]
//! is their way to the network. Records stay bytes here: what is inside a
//! frame is the business of `weir-api` and the converters.

pub mod error;
pub mod limits;
pub mod stop;

pub mod descriptor;
mod manifest;
mod names;
mod native;
pub mod plugins;
pub mod scan;
pub mod validate;
pub mod version_range;

mod component;
pub mod context;
pub mod guest;
mod instance;
mod marshal;
mod schema_def;
pub mod sink_requests;
mod trap;

mod code_cache;
pub mod engine;

mod address;
mod bindings;
pub mod egress;
pub mod host;
pub mod host_rule;
pub mod policy;
mod redact;
mod secrets;
