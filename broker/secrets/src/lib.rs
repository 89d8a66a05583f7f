//! Config providers: `${file:…}`, `${directory:…}`, `${env:…}`
//!
//! Values are looked up where a client or connector starts; what users wrote is what is stored and shown (KIP-297).

pub mod error;
pub mod provider;
pub mod providers;
pub mod variable;
