//! Measuring: the clock, sensors, and their Prometheus text
//!
//! A role describes its metrics in tables ([`group::GroupDef`]), records into sensors once a batch, and serves
//! [`registry::MetricRegistry::render`]. No metric is named at the place that records it.

pub mod clock;
pub mod group;
pub mod registry;
pub mod sensor;
