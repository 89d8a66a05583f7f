//! AEMET OpenData as a source
//!
//! Observations, forecasts and climatology of the Spanish weather service, each with a schema of its own. Answers come in
//! two steps: an envelope that names a short-lived address, and the data behind it.

pub mod plugin;

pub mod aemet_config;
pub mod source;

pub mod task;
// What a task does.
pub mod cycle;
pub mod envelope;
pub mod failures;
pub mod intake;
pub mod memory;
pub mod seen;
// What a row means.
pub mod names;
pub mod number;
pub mod product;
pub mod records;
pub mod stamp;
