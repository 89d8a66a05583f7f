//! Why a body broke off, in the words of wasi:http
//!
//! wasmtime-wasi-http 48 puts its own error into a body that breaks off and looks for another type when the guest asks
//! for the code, so no guest would learn the reason. This answers `http-error-code` in its place.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, IoError};

use crate::host::state::HostState;

/// The interface as wasmtime-wasi-http 48 defines it.
const TYPES: &str = "wasi:http/types@0.2.12";

/// Replaces the function in a linker that has wasi:http.
pub(crate) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.func_wrap(
        "http-error-code",
        |mut store: StoreContextMut<'_, HostState>, (error,): (Resource<IoError>,)| {
            let state = store.data_mut();
            state.enter_host();
            let error = state.table.get(&error)?;
            let known = error.downcast_ref::<ErrorCode>().cloned();
            Ok((known.or_else(|| error.downcast_ref::<Error>().map(code)),))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The code of an error that `errors.rs` gives to bodies; others are told by their text.
fn code(error: &Error) -> ErrorCode {
    match error {
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        Error::HttpProtocolError => ErrorCode::HttpProtocolError,
        Error::ConnectionTerminated => ErrorCode::ConnectionTerminated,
        Error::ConnectionTimeout => ErrorCode::ConnectionTimeout,
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::TlsProtocolError => ErrorCode::TlsProtocolError,
        other => ErrorCode::InternalError(Some(other.to_string())),
    }
}
