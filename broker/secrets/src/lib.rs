//! Config providers, key stores, and the TLS that comes of them
//!
//! Values of `${file:…}`, `${directory:…}` and `${env:…}` are looked up where a client or connector starts; what users wrote is what is
//! stored and shown (KIP-297). Key and trust stores of Java's `ssl.*` settings (`key_store`: PEM, PKCS12, JKS) serve every client and
//! listener; `tls` makes rustls configurations of them.

pub mod error;
pub mod provider;
pub mod providers;
pub mod variable;

mod der;
mod jks;
mod password_based;
mod pkcs12;

pub mod key_store;
pub mod tls;

mod server_check;
