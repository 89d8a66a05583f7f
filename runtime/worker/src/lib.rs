//! Data plane: connectors and tasks, their lifecycles and their loops.
//!
//! Read downward: `worker` starts `connector`s and tasks; `source/task` and `sink/task` are the two
//! loops; `pipeline` is what both do to a record. Settings come in through `worker_config` and
//! `connector_config`. Which connectors run here is decided by the herder.

pub mod worker;

pub mod connector;
pub mod task_builder;

pub mod sink;
pub mod source;

pub mod pipeline;

pub mod settings;

pub mod clients;
pub mod offset_stores;

pub mod metric_tables;
pub mod state_times;
pub mod task_metrics;
pub mod worker_metrics;

pub mod connector_config;
pub mod worker_config;
pub mod worker_keys;

pub mod figures;
pub mod lifecycle;
pub mod log_context;
pub mod offset_requests;
pub mod restart;
pub mod topics_used;

pub mod error;
pub mod pattern;
