//! Connector and task configs, target states, restart requests.

pub mod records;
pub mod state;

mod store;

pub use store::{ConfigReader, ConfigStore};
