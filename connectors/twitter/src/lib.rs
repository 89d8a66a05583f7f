//! X/Twitter posts as a source
//!
//! Recent search, filtered stream and timelines of the API v2. Delivery is at least once: what may come twice, and when,
//! is said at each mode's file.

pub mod plugin;

// Settings.
pub mod checks;
pub mod settings;
pub mod twitter_config;
pub mod values;

// What X says.
pub mod ids;
pub mod parse;
pub mod problem;
pub mod records;

// Asking.
pub mod api;
pub mod auth;
pub mod handover;
pub mod walk;

// Searches and timelines.
pub mod cursor;
pub mod reader;
pub mod search;
pub mod timelines;

// The stream.
pub mod connection;
pub mod fill;
pub mod lines;
pub mod reconnect;
pub mod rules;
pub mod stream;

pub mod source;

#[cfg(test)]
mod tests;
