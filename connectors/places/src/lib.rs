//! Google Places as a source
//!
//! Text search, nearby search and details, of the new API and the legacy one, cell by cell within a daily budget.

pub mod plugin;

pub mod connector;
pub mod task;
// The work of a task.
mod finish;
pub mod progress;
pub mod reader;
pub mod search_run;
// Pure parts.
pub mod answer;
pub mod area;
pub mod daily_budget;
pub mod judge;
pub mod mask;
pub mod memory;
pub mod place;
pub mod places_config;
pub mod request;
pub mod settings;
pub mod unit;
