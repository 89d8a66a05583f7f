//! AEMET OpenData as a source
//!
//! Observations, forecasts and climatology of the Spanish weather service.
