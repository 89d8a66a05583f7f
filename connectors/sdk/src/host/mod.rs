//! What the host offers, behind one set of functions
//!
//! In a component the calls go to the imports of `wit/host.wit` (`guest.rs`). Built for the development machine they
//! go to the stand-in host of the current thread (`native.rs`), so connectors are unit-tested without a runtime.

#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(target_arch = "wasm32")]
mod guest_http;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native;
#[cfg(not(target_arch = "wasm32"))]
mod native_http;

#[cfg(target_arch = "wasm32")]
pub(crate) use {guest::*, guest_http::*};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use {native::*, native_http::*};
