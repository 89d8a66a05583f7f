//! Google Places: a town whose places come, change and go
//!
//! Both APIs over one world: `new_api` (`/v1/places…`) and `legacy` (`/maps/api/place/…`). Field masks, page tokens,
//! full answers, keys and quotas are enforced as the service does. The world is a function of seed and time, so a test
//! knows what a reader must have seen.

pub mod fake;
mod legacy;
mod new_api;
mod quota;
pub mod search;
pub mod world;
