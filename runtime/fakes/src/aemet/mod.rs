//! AEMET OpenData: two-step answers about made-up weather
//!
//! `service.rs` is the service with its moods (short-lived data addresses, odd charsets, a limit a minute, waves of
//! errors); the other files make the data up from seed and time, so that [`service::AemetService::truth`] can tell what a
//! perfect reader must have emitted.

pub mod calendar;
pub mod dice;
pub mod sites;

pub mod climate;
pub mod forecasts;
pub mod observations;

pub mod latin9;
pub mod limits;
pub mod service;
