//! Datagen: made-up records with schemas, the same ones each time
//!
//! For trying things out, tests and benches. Record `n` depends on the seed and `n` only, so a restart goes on where it
//! stopped and two runs give equal topics.

pub mod plugin;

pub mod datagen_config;
pub mod pace;
pub mod records;

pub mod source;
