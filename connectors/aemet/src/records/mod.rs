//! From AEMET's JSON to records
//!
//! One file a product: its schema and how a row becomes a value of it. No requests, no state; what is remembered of rows
//! already seen is in `seen.rs`.

pub mod fields;

pub mod daily_climate;
pub mod daily_forecast;
pub mod forecast;
pub mod hourly_forecast;
pub mod observation;

pub mod mapper;
