//! Any HTTP service as a source or a sink
//!
//! Settings say how to authenticate, page, select and resume; nothing here knows a particular service.

pub mod plugin;

// The source: rounds over partitions, cycles over pages.
pub mod cycle;
pub mod parent;
pub mod progress;
pub mod request;
pub mod rounds;
pub mod snapshot;
pub mod source;
pub mod stream;
// The sink.
pub mod sink;
pub mod sink_body;
// Settings.
pub mod auth_config;
pub mod problems;
pub mod request_config;
pub mod sink_config;
pub mod source_checks;
pub mod source_config;
pub mod source_reader;
pub mod source_settings;
// Parts of both.
pub mod auth;
pub mod batch_shape;
pub mod rules;
pub mod template;
// What a service answers.
pub mod body;
pub mod expression;
pub mod paging;
// Values into records.
pub mod converter;
pub mod infer;
pub mod inline;
pub mod value;
