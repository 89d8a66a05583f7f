//! Google Places as a source
//!
//! Text search, nearby search and details, new API and legacy one.
