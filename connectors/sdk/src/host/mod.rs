//! What the host offers, behind one set of functions
//!
//! In a component the calls go to the imports of `wit/host.wit` (`guest.rs`). Built for the development machine they
//! go to the stand-in host of the current thread (`native.rs`), so connectors are unit-tested without a runtime.

#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native;

#[cfg(target_arch = "wasm32")]
pub(crate) use guest::*;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::*;
