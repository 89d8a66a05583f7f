//! The client's errors in the words of wasi:http

use std::error::Error as _;
use std::io;

use tokio_rustls::rustls;
use wasmtime_wasi_http::Error;

use crate::egress::connect::ConnectTimedOut;
use crate::egress::lookup::{LookupFailed, ProhibitedAddress};
use crate::limits::MAX_RESPONSE_HEADER_BYTES;

/// How far the answer had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Head,
    Body,
}

/// Maps an error by the first cause that has a name of its own. No text holds the URL: its query may be secret.
pub(crate) fn wasi_error(error: reqwest::Error, stage: Stage) -> Error {
    let error = error.without_url();
    let mut cause = error.source();
    while let Some(source) = cause {
        if let Some(named) = named(source, stage) {
            return named;
        }
        cause = source.source();
    }
    if error.is_timeout() {
        Error::ConnectionTimeout
    } else if error.is_connect() {
        Error::InternalError(Some(innermost(&error)))
    } else {
        Error::InternalError(Some(error.to_string()))
    }
}

fn named(cause: &(dyn std::error::Error + 'static), stage: Stage) -> Option<Error> {
    if cause.is::<ProhibitedAddress>() {
        return Some(Error::DestinationIpProhibited);
    }
    if cause.is::<LookupFailed>() {
        return Some(Error::DnsError {
            rcode: None,
            info_code: None,
        });
    }
    if cause.is::<ConnectTimedOut>() {
        return Some(Error::ConnectionTimeout);
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls_error(error));
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return hyper_error(error, stage);
    }
    cause
        .downcast_ref::<io::Error>()
        .and_then(|error| io_error(error, stage))
}

fn hyper_error(error: &hyper::Error, stage: Stage) -> Option<Error> {
    if error.is_parse_too_large() {
        let limit = u32::try_from(MAX_RESPONSE_HEADER_BYTES).unwrap_or(u32::MAX);
        return Some(Error::HttpResponseHeaderSectionSize(Some(limit)));
    }
    if error.is_parse() {
        return Some(Error::HttpProtocolError);
    }
    if error.is_incomplete_message() {
        return Some(ended(stage));
    }
    None
}

fn ended(stage: Stage) -> Error {
    match stage {
        Stage::Head => Error::ConnectionTerminated,
        Stage::Body => Error::HttpResponseIncomplete,
    }
}

fn io_error(error: &io::Error, stage: Stage) -> Option<Error> {
    // The TLS library's errors travel inside of these.
    if let Some(inner) = error.get_ref()
        && let Some(named) = named(inner, stage)
    {
        return Some(named);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Error::ConnectionRefused),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(ended(stage)),
        io::ErrorKind::TimedOut => Some(Error::ConnectionTimeout),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => {
            Some(Error::DestinationIpUnroutable)
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput if stage == Stage::Body => {
            Some(Error::HttpProtocolError)
        }
        _ => None,
    }
}

fn tls_error(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(reason) => {
            tracing::warn!(?reason, "the server's certificate does not verify");
            Error::TlsCertificateError
        }
        rustls::Error::NoCertificatesPresented | rustls::Error::UnsupportedNameType => Error::TlsCertificateError,
        rustls::Error::AlertReceived(alert) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: Some(format!("{alert:?}")),
        },
        _ => Error::TlsProtocolError,
    }
}

fn innermost(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = source.to_string();
        cause = source.source();
    }
    text
}
