//! HTTP over wasi:http 0.2, budgets and secrets over `wit/host.wit`
//!
//! The crate `wasip2` has the bindings of WASI 0.2, and wasmtime links its version to any later one of 0.2.

use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme as WasiScheme, http_error_code,
};
use wasip2::io::poll;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use weir_api::budget::Rate;

use crate::bindings::imports::weir::connect::{budget, secrets};
use crate::http::{Answer, Chunk, HttpError, Method, Request, Scheme, Target};
use crate::runtime;

const NS_PER_MS: u64 = 1_000_000;

pub(crate) fn monotonic_ms() -> u64 {
    monotonic_clock::now() / NS_PER_MS
}

pub(crate) fn send_request(request: &Request, target: &Target<'_>) -> Result<Answer, HttpError> {
    let outgoing = outgoing(request, target)?;
    let body = outgoing.body().map_err(|()| refused_part("body"))?;
    let options = options(request)?;
    let map = |code| error_of(code, target.authority, Stage::Head);
    let future = outgoing_handler::handle(outgoing, Some(options)).map_err(map)?;
    // A server may answer before it took the whole body, so a failed write is no error of its own.
    let _ = write_body(body, &request.body);
    let response = wait_for(&future)?.map_err(map)?;
    incoming(&response, target.authority)
}

fn refused_part(part: &str) -> HttpError {
    HttpError::Other(format!("the host refuses the {part} of the request"))
}

fn outgoing(request: &Request, target: &Target<'_>) -> Result<OutgoingRequest, HttpError> {
    let mut entries: Vec<(String, Vec<u8>)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
        .collect();
    let has_body = matches!(request.method, Method::Post | Method::Put | Method::Patch) || !request.body.is_empty();
    if has_body && request.header("content-length").is_none() {
        entries.push(("content-length".to_owned(), request.body.len().to_string().into_bytes()));
    }
    let headers =
        Fields::from_list(&entries).map_err(|error| HttpError::Other(format!("a header is malformed: {error:?}")))?;
    let outgoing = OutgoingRequest::new(headers);
    let method = match request.method {
        Method::Get => WasiMethod::Get,
        Method::Post => WasiMethod::Post,
        Method::Put => WasiMethod::Put,
        Method::Patch => WasiMethod::Patch,
        Method::Delete => WasiMethod::Delete,
        Method::Head => WasiMethod::Head,
    };
    let scheme = match target.scheme {
        Scheme::Http => WasiScheme::Http,
        Scheme::Https => WasiScheme::Https,
    };
    let invalid = |part: &str| HttpError::InvalidUrl(format!("its {part} is malformed"));
    outgoing.set_method(&method).map_err(|()| refused_part("method"))?;
    outgoing
        .set_scheme(Some(&scheme))
        .map_err(|()| refused_part("scheme"))?;
    outgoing
        .set_authority(Some(target.authority))
        .map_err(|()| invalid("host"))?;
    outgoing
        .set_path_with_query(Some(&target.path_and_query))
        .map_err(|()| invalid("path"))?;
    Ok(outgoing)
}

fn options(request: &Request) -> Result<RequestOptions, HttpError> {
    let options = RequestOptions::new();
    let connect = u64::from(request.connect_timeout_ms).saturating_mul(NS_PER_MS);
    let read = u64::from(request.read_timeout_ms).saturating_mul(NS_PER_MS);
    let set = options.set_connect_timeout(Some(connect)).is_ok()
        && options.set_first_byte_timeout(Some(read)).is_ok()
        && options.set_between_bytes_timeout(Some(read)).is_ok();
    if set {
        Ok(options)
    } else {
        Err(refused_part("timeouts"))
    }
}

fn write_body(body: OutgoingBody, bytes: &[u8]) -> Result<(), StreamError> {
    if let Ok(stream) = body.write() {
        write_all(&stream, bytes)?;
    }
    // An error here is told by the answer, too.
    let _ = OutgoingBody::finish(body, None);
    Ok(())
}

fn write_all(stream: &OutputStream, mut rest: &[u8]) -> Result<(), StreamError> {
    while !rest.is_empty() {
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if room == 0 {
            stream.subscribe().block();
            continue;
        }
        let (now, later) = rest.split_at(room.min(rest.len()));
        stream.write(now)?;
        rest = later;
    }
    stream.flush()
}

/// Waits for the head. The host ends the wait by the first-byte timeout, or when a stop cuts requests off.
fn wait_for(future: &FutureIncomingResponse) -> Result<Result<IncomingResponse, ErrorCode>, HttpError> {
    future.subscribe().block();
    match future.get() {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(())) | None => Err(HttpError::Other("the host gave no answer".to_owned())),
    }
}

fn incoming(response: &IncomingResponse, authority: &str) -> Result<Answer, HttpError> {
    let headers = response
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect();
    let lost = |()| HttpError::Other("the host gave no body".to_owned());
    let body = response.consume().map_err(lost)?;
    Ok(Answer {
        status: response.status(),
        headers,
        body: BodyHandle {
            stream: body.stream().map_err(lost)?,
            _body: body,
            authority: authority.to_owned(),
        },
    })
}

/// A body that comes in. The stream goes before the body that it belongs to: fields are dropped in order.
#[derive(Debug)]
pub(crate) struct BodyHandle {
    stream: InputStream,
    _body: IncomingBody,
    authority: String,
}

impl BodyHandle {
    pub(crate) fn read(&mut self, max: usize, wait_ms: u32) -> Result<Chunk, HttpError> {
        let until = monotonic_clock::now().saturating_add(u64::from(wait_ms).saturating_mul(NS_PER_MS));
        loop {
            match self.stream.read(u64::try_from(max).unwrap_or(u64::MAX)) {
                Ok(bytes) if !bytes.is_empty() => return Ok(Chunk::Bytes(bytes)),
                Ok(_) => {}
                Err(StreamError::Closed) => return Ok(Chunk::End),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(match http_error_code(&error) {
                        Some(code) => error_of(code, &self.authority, Stage::Body),
                        None => HttpError::Other(error.to_debug_string()),
                    });
                }
            }
            if monotonic_clock::now() >= until {
                return Ok(Chunk::Nothing);
            }
            let timer = monotonic_clock::subscribe_instant(until);
            let bytes = self.stream.subscribe();
            poll::poll(&[&bytes, &timer]);
        }
    }
}

/// How far the answer had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Body,
}

fn error_of(code: ErrorCode, authority: &str, stage: Stage) -> HttpError {
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => HttpError::Denied(format!(
            "{authority} is not covered by the worker's grants and the connector's settings; the worker's log says why"
        )),
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => HttpError::NameNotFound,
        ErrorCode::ConnectionRefused
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionLimitReached => HttpError::Refused,
        ErrorCode::ConnectionTerminated if runtime::stop_requested() => HttpError::Stopped,
        ErrorCode::ConnectionTerminated if stage == Stage::Head => HttpError::Reset,
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => HttpError::Truncated,
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => HttpError::TimedOut,
        ErrorCode::TlsCertificateError => HttpError::Certificate(authority.to_owned()),
        ErrorCode::TlsProtocolError => HttpError::Tls(authority.to_owned()),
        ErrorCode::TlsAlertReceived(alert) => HttpError::Tls(alert.alert_message.unwrap_or_default()),
        ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestUriTooLong => {
            HttpError::InvalidUrl("the host cannot ask it".to_owned())
        }
        ErrorCode::HttpResponseHeaderSectionSize(limit) => HttpError::TooLarge {
            limit: limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0),
        },
        ErrorCode::HttpProtocolError => HttpError::Other("the answer is not HTTP".to_owned()),
        ErrorCode::InternalError(Some(text)) => HttpError::Other(text),
        other => HttpError::Other(format!("{other:?}")),
    }
}

pub(crate) fn budget_take(name: &str, rate: Rate) -> u32 {
    let rate = budget::Rate {
        requests: rate.requests,
        per_ms: rate.per_ms,
    };
    budget::take(name, rate)
}

pub(crate) fn budget_hold(name: &str, ms: u32) {
    budget::hold(name, ms);
}

pub(crate) fn learn_secret(value: &str) -> String {
    secrets::learn(value)
}

pub(crate) fn secret_entries(reference: &str) -> Vec<(String, String)> {
    secrets::entries(reference)
}

/// The host knows this form by the reference in it, which is no base64.
pub(crate) fn basic_credentials(user: &str, password: &str) -> String {
    format!("Basic {user}:{password}")
}
