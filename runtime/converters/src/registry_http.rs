//! Requests to the registry, and what comes of them
//!
//! URLs are tried in turn, what failed on the way is tried again after a pause. Requests go through
//! `schema_registry_converter`, but for those that it has no query for. No message holds a user, password or token.
//! Kafka: `RestService`.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use schema_registry_converter::async_impl::schema_registry::{SrSettings, perform_sr_call};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, RawRegisteredSchema, SrCall};
use serde_json::json;
use weir_api::error::ConnectError;
use weir_schema::schema::Reference;

use crate::registry_settings::{Authorization, RegistrySettings, TlsSettings, without_credentials};

/// Content type of requests and answers.
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// Longest answer to a request that does not go through the library.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// A question to the registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Call {
    /// Registers a schema and gives its id.
    Register {
        /// Subject.
        subject: String,
        /// Text.
        schema: Arc<str>,
        /// The registry normalizes it first.
        normalize: bool,
    },
    /// Gives id and version of a schema that is registered.
    LookUp {
        /// Subject.
        subject: String,
        /// Text.
        schema: Arc<str>,
        /// What it uses.
        references: Vec<Reference>,
        /// The registry normalizes it first.
        normalize: bool,
        /// A version that was deleted counts too, as values written with it are still there.
        deleted: bool,
    },
    /// Gives a subject's latest version; never kept.
    Latest {
        /// Subject.
        subject: String,
    },
    /// Gives the schema of an id.
    ById {
        /// Id.
        id: u32,
    },
    /// Gives a version of a subject.
    Version {
        /// Subject.
        subject: String,
        /// Version.
        version: u32,
    },
}

impl Call {
    /// Says what failed when this did.
    pub(crate) fn failure(&self) -> String {
        match self {
            Self::Register { subject, .. } => format!("Error registering schema under subject {subject}"),
            Self::LookUp { subject, .. } => format!("Error retrieving schema under subject {subject}"),
            Self::Latest { subject } => format!("Error retrieving latest version of schema under subject {subject}"),
            Self::ById { id } => format!("Error retrieving schema for id {id}"),
            Self::Version { subject, version } => format!("Error retrieving version {version} of subject {subject}"),
        }
    }
}

/// What the registry knows of a schema; a call's answer holds what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registered {
    /// Id.
    pub id: Option<u32>,
    /// Version under the subject asked for.
    pub version: Option<i32>,
    /// Language; AVRO where the registry names none.
    pub schema_type: Option<String>,
    /// Text.
    pub schema: Option<String>,
    /// What it uses.
    pub references: Vec<Reference>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The registry cannot be reached or is not well: worth another try.
    Unreachable(String),
    /// The registry says no.
    Refused {
        /// HTTP status.
        status: u16,
        /// What failed, the registry's words and its code.
        message: String,
    },
}

impl From<CallError> for ConnectError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unreachable(message) => Self::retriable(message),
            CallError::Refused { message, .. } => Self::data(message),
        }
    }
}

/// An answer, shared by all who asked.
pub type Answer = Result<Arc<Registered>, CallError>;

/// The registry's URLs and how requests are sent there.
#[derive(Debug)]
pub(crate) struct Http {
    places: Vec<RegistryUrl>,
    client: reqwest::Client,
    authorization: Authorization,
    /// The URL that answered last.
    preferred: AtomicUsize,
    max_retries: u32,
    retry_wait: Duration,
    retry_max_wait: Duration,
}

struct RegistryUrl {
    shown: String,
    url: String,
    settings: SrSettings,
}

/// Only the part without credentials: the library's settings would print them.
impl fmt::Debug for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Http {
    /// Prepares the clients of all URLs.
    pub(crate) fn new(settings: &RegistrySettings) -> Result<Self, ConnectError> {
        let unusable = |error: &dyn fmt::Display| {
            ConnectError::config("the settings of the schema registry client are not usable").caused_by(error)
        };
        let mut places = Vec::new();
        for url in &settings.urls {
            let mut builder = SrSettings::new_builder(url.reveal().to_owned());
            match &settings.authorization {
                Authorization::None => {}
                Authorization::Basic { user, password } => {
                    builder.set_basic_authorization(user, Some(password.reveal()));
                }
                Authorization::Bearer(token) => {
                    builder.set_token_authorization(token.reveal());
                }
            }
            builder.set_timeout(settings.connect_timeout + settings.read_timeout);
            places.push(RegistryUrl {
                shown: without_credentials(url.reveal()),
                url: url.reveal().to_owned(),
                settings: builder
                    .build_with(client_builder(settings)?)
                    .map_err(|error| unusable(&error))?,
            });
        }
        Ok(Self {
            places,
            client: client_builder(settings)?.build().map_err(|error| unusable(&error))?,
            authorization: settings.authorization.clone(),
            preferred: AtomicUsize::new(0),
            max_retries: settings.max_retries,
            retry_wait: settings.retry_wait,
            retry_max_wait: settings.retry_max_wait,
        })
    }

    /// Asks the registry, again where it may help.
    pub(crate) async fn perform(&self, call: &Call) -> Answer {
        let mut pause = self.retry_wait;
        let mut retries = 0;
        loop {
            let failures = match self.try_all(call).await {
                Ok(answer) => return Ok(Arc::new(answer)),
                Err(Tried::Refused(error)) => return Err(error),
                Err(Tried::Failed(failures)) => failures,
            };
            if retries >= self.max_retries {
                return Err(CallError::Unreachable(format!(
                    "{}: {}",
                    call.failure(),
                    failures.join("; ")
                )));
            }
            retries += 1;
            tokio::time::sleep(pause.min(self.retry_max_wait)).await;
            pause = pause.saturating_mul(2);
        }
    }

    /// Goes through the URLs once, from the one that answered last.
    async fn try_all(&self, call: &Call) -> Result<Registered, Tried> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failures = Vec::new();
        for step in 0..self.places.len() {
            let at = (first + step) % self.places.len();
            let Some(place) = self.places.get(at) else {
                continue;
            };
            match self.send(place, call).await {
                Ok(answer) => {
                    self.preferred.store(at, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(Failure::OnTheWay(reason)) => {
                    failures.push(format!("schema registry at {} {reason}", place.shown));
                }
                Err(Failure::Refused { status, code, message }) => {
                    self.preferred.store(at, Ordering::Relaxed);
                    return Err(Tried::Refused(CallError::Refused {
                        status,
                        message: format!("{}: {message}; error code: {code}", call.failure()),
                    }));
                }
            }
        }
        Err(Tried::Failed(failures))
    }

    async fn send(&self, place: &RegistryUrl, call: &Call) -> Result<Registered, Failure> {
        let sent = |raw: Result<RawRegisteredSchema, SRCError>| raw.map(registered).map_err(|error| failure(&error));
        match call {
            Call::Register {
                subject,
                schema,
                normalize: true,
            } => {
                let path = format!("subjects/{}/versions?normalize=true", encoded(subject));
                self.post(place, &path, body(schema, &[])).await
            }
            Call::LookUp {
                subject,
                schema,
                references,
                normalize,
                deleted,
            } if *normalize || *deleted => {
                let path = format!("subjects/{}?normalize={normalize}&deleted={deleted}", encoded(subject));
                self.post(place, &path, body(schema, references)).await
            }
            Call::Register { subject, schema, .. } => {
                let (subject, body) = (encoded(subject), body(schema, &[]));
                sent(perform_sr_call(&place.settings, SrCall::PostNew(&subject, &body)).await)
            }
            Call::LookUp {
                subject,
                schema,
                references,
                ..
            } => {
                let (subject, body) = (encoded(subject), body(schema, references));
                sent(perform_sr_call(&place.settings, SrCall::PostForVersion(&subject, &body)).await)
            }
            Call::Latest { subject } => {
                sent(perform_sr_call(&place.settings, SrCall::GetLatest(&encoded(subject))).await)
            }
            Call::ById { id } => sent(perform_sr_call(&place.settings, SrCall::GetById(*id)).await),
            Call::Version { subject, version } => {
                let subject = encoded(subject);
                sent(perform_sr_call(&place.settings, SrCall::GetBySubjectAndVersion(&subject, *version)).await)
            }
        }
    }

    async fn post(&self, place: &RegistryUrl, path: &str, body: String) -> Result<Registered, Failure> {
        let request = self
            .client
            .post(format!("{}/{path}", place.url))
            .header("Content-Type", CONTENT_TYPE)
            .header("Accept", CONTENT_TYPE)
            .body(body);
        let request = match &self.authorization {
            Authorization::None => request,
            Authorization::Basic { user, password } => request.basic_auth(user, Some(password.reveal())),
            Authorization::Bearer(token) => request.bearer_auth(token.reveal()),
        };
        let mut response = request.send().await.map_err(|error| on_the_way(&error))?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| on_the_way(&error))? {
            if bytes.len() + piece.len() > MAX_ANSWER_BYTES {
                return Err(Failure::OnTheWay(format!(
                    "answers with more than {MAX_ANSWER_BYTES} bytes"
                )));
            }
            bytes.extend_from_slice(&piece);
        }
        if status.is_success() {
            return serde_json::from_slice(&bytes)
                .map(registered)
                .map_err(|error| Failure::OnTheWay(format!("gives an answer that is not its own: {error}")));
        }
        let told: Option<RawError> = serde_json::from_slice(&bytes).ok();
        Err(refusal(status.as_u16(), told.as_ref()))
    }
}

/// What came of all URLs.
enum Tried {
    Refused(CallError),
    Failed(Vec<String>),
}

/// What came of one request.
enum Failure {
    /// Worth another URL, and another try: what happened.
    OnTheWay(String),
    /// The registry's answer.
    Refused { status: u16, code: u32, message: String },
}

fn refusal(status: u16, told: Option<&RawError>) -> Failure {
    let message = told.map_or("no reason given", |told| told.message.as_str());
    let code = told.map_or(u32::from(status), |told| told.error_code);
    if matches!(status, 408 | 429 | 500 | 502..=504) {
        return Failure::OnTheWay(format!("answers with status {status}: {message}; error code: {code}"));
    }
    Failure::Refused {
        status,
        code,
        message: message.to_owned(),
    }
}

/// Sorts an error of the library: it keeps the answer's body as cause and its status in the text.
fn failure(error: &SRCError) -> Failure {
    let status = error
        .error
        .rsplit_once("failed with status ")
        .and_then(|(_, status)| status.get(..3)?.parse().ok());
    let told = error.source().and_then(|cause| cause.downcast_ref::<RawError>());
    if let Some(status) = status {
        return refusal(status, told.filter(|told| told.error_code != 0));
    }
    match error.source().and_then(|cause| cause.downcast_ref::<reqwest::Error>()) {
        Some(cause) => on_the_way(cause),
        None => Failure::OnTheWay(format!("gives no answer: {}", error.error)),
    }
}

fn on_the_way(error: &reqwest::Error) -> Failure {
    // The outer texts repeat the URL; the innermost cause says what happened.
    let mut innermost: &dyn std::error::Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    let what = if error.is_timeout() {
        "does not answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else if error.is_decode() {
        "gives an answer that is not its own"
    } else {
        "does not answer"
    };
    if innermost.downcast_ref::<reqwest::Error>().is_some() {
        return Failure::OnTheWay(what.to_owned());
    }
    Failure::OnTheWay(format!("{what}: {innermost}"))
}

fn registered(raw: RawRegisteredSchema) -> Registered {
    Registered {
        id: raw.id,
        version: raw.version.and_then(|version| i32::try_from(version).ok()),
        schema_type: raw.schema_type,
        schema: raw.schema,
        references: raw
            .references
            .unwrap_or_default()
            .into_iter()
            .map(|reference| Reference {
                name: reference.name,
                subject: reference.subject,
                version: i32::try_from(reference.version).unwrap_or(i32::MAX),
            })
            .collect(),
    }
}

fn body(schema: &str, references: &[Reference]) -> String {
    let mut body = json!({"schema": schema, "schemaType": "AVRO"});
    if !references.is_empty() {
        let used = references
            .iter()
            .map(|used| json!({"name": used.name, "subject": used.subject, "version": used.version}))
            .collect();
        if let Some(object) = body.as_object_mut() {
            object.insert("references".to_owned(), serde_json::Value::Array(used));
        }
    }
    body.to_string()
}

/// Encodes a subject as one segment of a path.
fn encoded(subject: &str) -> String {
    let mut path = String::with_capacity(subject.len());
    for byte in subject.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

fn client_builder(settings: &RegistrySettings) -> Result<reqwest::ClientBuilder, ConnectError> {
    let unusable = |what: &str, error: &dyn fmt::Display| {
        ConnectError::config(format!("{what} of the schema registry client cannot be used: {error}"))
    };
    let mut headers = reqwest::header::HeaderMap::new();
    for (name, value) in &settings.headers {
        let parsed = reqwest::header::HeaderName::from_bytes(name.as_bytes())
            .map_err(|error| unusable("a request header's name", &error))?;
        let mut value = reqwest::header::HeaderValue::from_str(value.reveal())
            .map_err(|error| unusable("a request header's value", &error))?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    let builder = reqwest::Client::builder()
        .default_headers(headers)
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.read_timeout);
    let builder = match &settings.proxy {
        // Java looks at no environment either.
        None => builder.no_proxy(),
        Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy).map_err(|error| unusable("the proxy", &error))?),
    };
    add_tls(builder, &settings.tls).map_err(|error| unusable("a PEM text", &error))
}

fn add_tls(builder: reqwest::ClientBuilder, tls: &TlsSettings) -> Result<reqwest::ClientBuilder, reqwest::Error> {
    let mut builder = builder;
    if let Some(pem) = &tls.trusted {
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem.as_bytes())?);
    }
    if let Some(pem) = &tls.identity {
        builder = builder.identity(reqwest::Identity::from_pem(pem.reveal().as_bytes())?);
    }
    if tls.any_host {
        builder = builder.tls_danger_accept_invalid_hostnames(true);
    }
    Ok(builder)
}
