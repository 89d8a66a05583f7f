//! Any HTTP service as a source or a sink
//!
//! Settings say how to authenticate, page, select and resume; nothing here knows a particular service.

pub mod plugin;

// Settings.
pub mod auth_config;
pub mod problems;
pub mod sink_config;
pub mod source_config;
pub mod source_settings;
// Requests.
pub mod auth;
pub mod paging;
pub mod request;
pub mod template;
// What a service answers.
pub mod body;
pub mod expression;
pub mod rules;
// Values into records.
pub mod converter;
pub mod infer;
pub mod inline;
pub mod value;
// How far it was read.
pub mod parent;
pub mod progress;
pub mod snapshot;
pub mod stream;

// Records into requests.
pub mod sink_body;

pub mod sink;
pub mod source;
