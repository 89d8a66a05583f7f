//! Fake services over loopback HTTP
//!
//! Any service on a port of its own: requests are read whole, pieces of a response are played in real time, a reset cuts
//! the connection. Two control endpoints beside the service's own: `GET /_requests` tells what was asked (`?last=N`,
//! secrets as they came: they are made up, too), `PUT /_script` takes answers to give to the next requests.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::aemet::service::AemetService;
use crate::items::Items;
use crate::places::fake::PlacesFake;
use crate::recorded::{Log, Recorded};
use crate::service::{FakeRequest, FakeResponse, Piece, Service};
use crate::x::service::XService;

/// Largest body of a request.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Responses on their way at a time; a request beyond waits for one to end.
const MAX_RESPONSES: usize = 256;
/// How long a response hangs before the connection is cut after all.
const HANG: Duration = Duration::from_secs(600);
/// Answers of a script.
const MAX_SCRIPT: usize = 10_000;
/// Requests told unless the query says otherwise.
const REQUESTS_TOLD: usize = 1000;

/// Items of the small API: two a tick, from ten minutes before the start.
const ITEMS_EVERY_MS: i64 = 10_000;
const ITEMS_BEFORE_MS: i64 = 600_000;
const ITEMS_FOR_MS: i64 = 10 * 365 * 86_400_000;

/// All fake services, until dropped.
#[derive(Debug)]
pub struct FakeServices {
    x: FakeServer,
    aemet: FakeServer,
    places: FakeServer,
    items: FakeServer,
}

impl FakeServices {
    /// Gives the URL of the X API.
    pub fn x_url(&self) -> String {
        self.x.url()
    }

    /// Gives the URL of AEMET OpenData.
    pub fn aemet_url(&self) -> String {
        self.aemet.url()
    }

    /// Gives the URL of both Places APIs.
    pub fn places_url(&self) -> String {
        self.places.url()
    }

    /// Gives the URL of the small paged API.
    pub fn items_url(&self) -> String {
        self.items.url()
    }
}

/// Serves all fake services on free ports of an address.
///
/// # Errors
/// An address that cannot be listened on.
pub async fn serve_all(host: &str, seed: u64) -> io::Result<FakeServices> {
    let started_ms = now_ms();
    let items = Items::new(started_ms - ITEMS_BEFORE_MS, started_ms + ITEMS_FOR_MS, ITEMS_EVERY_MS);
    Ok(FakeServices {
        x: FakeServer::start(host, XService::new(seed)).await?,
        aemet: FakeServer::start(host, AemetService::new(seed)).await?,
        places: FakeServer::start(host, PlacesFake::new(seed)).await?,
        items: FakeServer::start(host, items).await?,
    })
}

/// One service on a port, until dropped.
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    log: Log,
    /// Ends the server when dropped.
    _tasks: JoinSet<()>,
}

impl FakeServer {
    /// Serves on a free port.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub async fn start<S: Service + 'static>(host: &str, service: S) -> io::Result<Self> {
        let listener = TcpListener::bind((host, 0)).await?;
        let address = listener.local_addr()?;
        let (recorded, log) = Recorded::new(service);
        let shared = Shared {
            service: Arc::new(Mutex::new(Box::new(recorded))),
            log: log.clone(),
            script: Arc::default(),
            responses: Arc::new(Semaphore::new(MAX_RESPONSES)),
        };
        let routes = Router::new().fallback(answer).with_state(shared);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Ends with the set; an accept that fails is tried again by axum.
            drop(axum::serve(listener, routes).await);
        });
        Ok(Self {
            address,
            log,
            _tasks: tasks,
        })
    }

    /// Gives the URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives the requests so far, those to the control endpoints left out.
    pub fn log(&self) -> &Log {
        &self.log
    }
}

/// An answer of a script.
#[derive(Debug)]
struct Scripted {
    /// Start of the path that it is for.
    path: String,
    response: FakeResponse,
}

#[derive(Clone)]
struct Shared {
    service: Arc<Mutex<Box<dyn Service>>>,
    log: Log,
    script: Arc<Mutex<VecDeque<Scripted>>>,
    responses: Arc<Semaphore>,
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let Ok(permit) = Arc::clone(&shared.responses).acquire_owned().await else {
        return plain(503, "the server ends");
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return plain(413, "the request is too large or ended early");
    };
    let mut headers = Vec::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        headers.push((
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        ));
    }
    let request = FakeRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.to_vec(),
    };
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/_requests") => played(requests(&shared.log, &request), permit),
        ("PUT", "/_script") => match script(&request.body) {
            Ok(scripted) => {
                *locked(&shared.script) = scripted;
                played(FakeResponse::json(200, &json!({})), permit)
            }
            Err(reason) => plain(400, &reason),
        },
        _ => {
            let scripted = next_scripted(&shared.script, &request.path);
            let response = scripted.unwrap_or_else(|| locked(&shared.service).handle(&request, now_ms()));
            played(response, permit)
        }
    }
}

fn next_scripted(script: &Mutex<VecDeque<Scripted>>, path: &str) -> Option<FakeResponse> {
    let mut script = locked(script);
    let at = script.iter().position(|scripted| path.starts_with(&scripted.path))?;
    script.remove(at).map(|scripted| scripted.response)
}

/// What was asked, oldest first.
fn requests(log: &Log, request: &FakeRequest) -> FakeResponse {
    let last = request
        .query_param("last")
        .and_then(|last| last.parse().ok())
        .unwrap_or(REQUESTS_TOLD);
    let all = log.all();
    let told = all.iter().skip(all.len().saturating_sub(last)).map(|arrival| {
        let headers: serde_json::Map<String, Value> = arrival
            .request
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        json!({
            "at_ms": arrival.at_ms,
            "method": arrival.request.method,
            "path": arrival.request.path,
            "query": arrival.request.query,
            "headers": headers,
            "body": String::from_utf8_lossy(&arrival.request.body),
            "status": arrival.status,
        })
    });
    FakeResponse::json(200, &Value::Array(told.collect()))
}

/// Reads `[{"path": "/2/", "status": 429, "headers": {"retry-after": "5"}, "body": …, "wait_ms": 10, "end": "reset"}]`: all
/// but the brackets may be left out; a body that is no text is sent as JSON, `end` may be `reset` or `hang`.
fn script(body: &[u8]) -> Result<VecDeque<Scripted>, String> {
    let list: Vec<Value> = serde_json::from_slice(body).map_err(|error| format!("not a list of answers: {error}"))?;
    if list.len() > MAX_SCRIPT {
        return Err(format!("more than {MAX_SCRIPT} answers"));
    }
    list.iter().map(scripted).collect()
}

fn scripted(answer: &Value) -> Result<Scripted, String> {
    let status = answer.get("status").map_or(Some(200), Value::as_u64);
    let status = status
        .and_then(|status| u16::try_from(status).ok())
        .filter(|status| (100..1000).contains(status));
    let status = status.ok_or_else(|| format!("no status: {answer}"))?;
    let mut response = match answer.get("body") {
        None => FakeResponse::text(status, ""),
        Some(Value::String(text)) => FakeResponse::text(status, text),
        Some(body) => FakeResponse::json(status, body),
    };
    for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().ok_or_else(|| format!("header {name} is no text"))?;
        response.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        response = response.header(&name.to_ascii_lowercase(), value);
    }
    if let Some(wait_ms) = answer.get("wait_ms").and_then(Value::as_u64) {
        response.pieces.insert(0, Piece::Wait(wait_ms));
    }
    match answer.get("end").and_then(Value::as_str) {
        None => {}
        Some("reset") => response.pieces.push(Piece::Reset),
        Some("hang") => response.pieces.push(Piece::Hang),
        Some(other) => return Err(format!("end is neither reset nor hang: {other}")),
    }
    let path = answer
        .get("path")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    Ok(Scripted { path, response })
}

/// Plays a response; the permit is held until its end.
fn played(response: FakeResponse, permit: OwnedSemaphorePermit) -> Response {
    let is_whole = response.pieces.iter().all(|piece| matches!(piece, Piece::Bytes(_)));
    let body = if is_whole {
        // With a length, as services answer what they have at hand.
        Body::from(response.body())
    } else {
        let pieces = VecDeque::from(response.pieces);
        Body::from_stream(stream::unfold((pieces, permit), next_bytes))
    };
    let mut built = Response::new(body);
    *built.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &response.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value.as_bytes()),
        ) {
            built.headers_mut().append(name, value);
        }
    }
    built
}

type Playing = (VecDeque<Piece>, OwnedSemaphorePermit);

/// Gives the next bytes of a body, after the waits before them; an error cuts the connection.
async fn next_bytes((mut pieces, permit): Playing) -> Option<(io::Result<Bytes>, Playing)> {
    loop {
        match pieces.pop_front()? {
            Piece::Bytes(bytes) if bytes.is_empty() => {}
            Piece::Bytes(bytes) => return Some((Ok(Bytes::from(bytes)), (pieces, permit))),
            Piece::Wait(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Piece::Reset => {
                pieces.clear();
                return Some((Err(io::ErrorKind::ConnectionReset.into()), (pieces, permit)));
            }
            Piece::Hang => {
                tokio::time::sleep(HANG).await;
                pieces.push_front(Piece::Reset);
            }
        }
    }
}

fn plain(status: u16, text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
