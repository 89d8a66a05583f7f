//! One raw connection to a broker: requests in order, one at a time
//!
//! Opens, asks for the supported versions, logs in, then answers calls. A call that fails or is cancelled half-way leaves the
//! connection broken; the owner opens a new one. Which broker to ask, and trying again, is `cluster`'s work; what the bytes run over
//! is `transport`'s.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use weir_config::properties::Properties;
use weir_protocol::decode::{decode_response, encode_request};
use weir_protocol::messages::{
    ApiVersionsRequest, KafkaRequest, RequestResponsePair, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, StrBytes,
};

use crate::error::{ClientError, KafkaError};
use crate::security::Login;
use crate::transport::{Exchange, Next, Stream, Transport, handshake_failure, refused};

/// Settings of raw connections.
#[derive(Debug, Clone)]
pub struct WireSettings {
    /// `host:port` each.
    pub bootstrap: Vec<String>,
    pub client_id: String,
    pub connect_timeout: Duration,
    /// How long one answer may take.
    pub request_timeout: Duration,
    pub retry_backoff: Duration,
    pub retry_backoff_max: Duration,
    /// How long an operation may take with all its retries.
    pub api_timeout: Duration,
    pub(crate) transport: Transport,
}

impl WireSettings {
    /// Reads the Java client keys that matter here, and the stores they name.
    ///
    /// *Errors*: no bootstrap server, a value that is no number, or security settings that cannot be used.
    pub fn from_properties(properties: &Properties) -> Result<Self, ClientError> {
        let bootstrap: Vec<String> = properties
            .get("bootstrap.servers")
            .unwrap_or_default()
            .split(',')
            .map(|server| server.trim().to_owned())
            .filter(|server| !server.is_empty())
            .collect();
        if bootstrap.is_empty() {
            return Err(ClientError::config(
                "bootstrap.servers",
                "",
                "must name at least one host:port",
            ));
        }
        let millis = |key: &str, default: u64| match properties.get(key) {
            None => Ok(Duration::from_millis(default)),
            Some(value) => match value.trim().parse() {
                Ok(millis) => Ok(Duration::from_millis(millis)),
                Err(_) => Err(ClientError::config(
                    key,
                    value,
                    "must be a whole number of milliseconds",
                )),
            },
        };
        Ok(Self {
            bootstrap,
            client_id: properties.get("client.id").unwrap_or_default().to_owned(),
            connect_timeout: millis("socket.connection.setup.timeout.ms", 10_000)?,
            request_timeout: millis("request.timeout.ms", 30_000)?,
            retry_backoff: millis("retry.backoff.ms", 100)?,
            retry_backoff_max: millis("retry.backoff.max.ms", 1_000)?,
            api_timeout: millis("default.api.timeout.ms", 60_000)?,
            transport: Transport::from_properties(properties)?,
        })
    }

    /// The same settings under another client id.
    #[must_use]
    pub fn with_client_id(&self, client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            ..self.clone()
        }
    }
}

/// Versions of one API that this client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub min: i16,
    pub max: i16,
}

/// Largest answer taken: librdkafka's `receive.message.max.bytes`.
const MAX_RESPONSE_BYTES: usize = 100_000_000;
const API_VERSIONS_MAX: i16 = 3;
/// Version 0 would send the login without Kafka's header.
const SASL_HANDSHAKE: Versions = Versions { min: 1, max: 1 };
/// Version 1 tells how long the login holds.
const SASL_AUTHENTICATE: Versions = Versions { min: 0, max: 2 };

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: Box<dyn Stream>,
    address: String,
    client_id: Option<String>,
    request_timeout: Duration,
    /// Key, lowest, highest version of each API of the broker.
    versions: Vec<(i16, Versions)>,
    next_correlation: i32,
    login: Option<Arc<Login>>,
    /// When to log in again, on brokers that limit how long a login holds (KIP-368).
    login_again: Option<Instant>,
    /// Set while a call is under way: if it stays set, an answer may still be on the wire.
    is_broken: bool,
}

impl Connection {
    /// Connects and negotiates.
    ///
    /// *Errors*: `Connection`, `Timeout`, `Malformed`; `Authentication` when TLS or the login is refused, which is for good.
    pub async fn open(address: &str, settings: &WireSettings) -> Result<Self, ClientError> {
        let connect = tokio::time::timeout(settings.connect_timeout, settings.transport.connect(address));
        let stream = connect
            .await
            .map_err(|_| timed_out(format!("connecting to {address}"), settings.connect_timeout))??;
        let mut connection = Self {
            stream,
            address: address.to_owned(),
            client_id: Some(settings.client_id.clone()).filter(|id| !id.is_empty()),
            request_timeout: settings.request_timeout,
            versions: Vec::new(),
            next_correlation: 0,
            login: settings.transport.login(),
            login_again: None,
            is_broken: false,
        };
        connection.negotiate().await?;
        connection.log_in().await?;
        Ok(connection)
    }

    async fn negotiate(&mut self) -> Result<(), ClientError> {
        let mut request = ApiVersionsRequest::default();
        request.client_software_name = StrBytes::from("weir");
        request.client_software_version = StrBytes::from(env!("CARGO_PKG_VERSION"));
        let payload = self.exchange(&request, API_VERSIONS_MAX, self.request_timeout).await?;
        // A broker that does not know our version answers in version 0, with what it does know.
        let first = self.decode::<ApiVersionsRequest>(payload.clone(), API_VERSIONS_MAX);
        let response = match first {
            Ok(response) if response.error_code != KafkaError::UNSUPPORTED_VERSION.code as i16 => response,
            _ => {
                let plain = ApiVersionsRequest::default();
                let payload = self.exchange(&plain, 0, self.request_timeout).await?;
                self.decode::<ApiVersionsRequest>(payload, 0)?
            }
        };
        self.check(response.error_code)?;
        let versions = response.api_keys.iter().map(|api| {
            (
                api.api_key,
                Versions {
                    min: api.min_version,
                    max: api.max_version,
                },
            )
        });
        self.versions = versions.collect();
        Ok(())
    }

    async fn log_in(&mut self) -> Result<(), ClientError> {
        let Some(login) = self.login.clone() else {
            return Ok(());
        };
        let mut handshake = SaslHandshakeRequest::default();
        handshake.mechanism = StrBytes::from(login.mechanism.name());
        let version = self.version_of::<SaslHandshakeRequest>(SASL_HANDSHAKE)?;
        let payload = self.exchange(&handshake, version, self.request_timeout).await?;
        let offered = self.decode::<SaslHandshakeRequest>(payload, version)?;
        if offered.error_code != 0 {
            let names: Vec<&str> = offered.mechanisms.iter().map(StrBytes::as_str).collect();
            let text = format!(
                "Client SASL mechanism '{}' not enabled in the server, enabled mechanisms are [{}]",
                login.mechanism.name(),
                names.join(", ")
            );
            return Err(self.locked_out(text));
        }
        let exchange = Exchange::new(&login);
        let mut answer = self.authenticate(exchange.first()).await?;
        if let Next::Send(message, proof) = exchange
            .next(&answer.auth_bytes)
            .map_err(|text| self.locked_out(text))?
        {
            answer = self.authenticate(message).await?;
            proof.check(&answer.auth_bytes).map_err(|text| self.locked_out(text))?;
        }
        let lifetime = u64::try_from(answer.session_lifetime_ms).unwrap_or(0);
        // Java picks a point between 85 and 95 per cent.
        self.login_again = (lifetime > 0).then(|| Instant::now() + Duration::from_millis(lifetime / 20 * 17));
        Ok(())
    }

    async fn authenticate(&mut self, message: String) -> Result<SaslAuthenticateResponse, ClientError> {
        let mut request = SaslAuthenticateRequest::default();
        request.auth_bytes = message.into_bytes().into();
        let version = self.version_of::<SaslAuthenticateRequest>(SASL_AUTHENTICATE)?;
        let payload = self.exchange(&request, version, self.request_timeout).await?;
        let answer = self.decode::<SaslAuthenticateRequest>(payload, version)?;
        match KafkaError::from_code(answer.error_code) {
            None => Ok(answer),
            Some(error) => {
                let text = answer.error_message.map(StrBytes::into_string);
                Err(self.locked_out(text.unwrap_or_else(|| error.to_string())))
            }
        }
    }

    /// The login failed: nothing may be sent on this connection.
    fn locked_out(&mut self, text: String) -> ClientError {
        self.is_broken = true;
        refused(&self.address, text)
    }

    fn check(&self, code: i16) -> Result<(), ClientError> {
        KafkaError::from_code(code).map_or(Ok(()), |error| {
            Err(ClientError::kafka(format!("broker {}", self.address), error))
        })
    }

    /// Is true when the next call needs a new connection.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Highest version of `R` both sides speak.
    ///
    /// *Errors*: `Unsupported`.
    pub fn version_of<R: KafkaRequest>(&self, ours: Versions) -> Result<i16, ClientError> {
        let key = R::API_KEY.value();
        self.versions
            .iter()
            .find(|(api, _)| *api == key)
            .map(|(_, theirs)| ours.max.min(theirs.max))
            .filter(|version| {
                *version >= ours.min
                    && self
                        .versions
                        .iter()
                        .any(|(api, theirs)| *api == key && *version >= theirs.min)
            })
            .ok_or_else(|| ClientError::Unsupported {
                address: self.address.clone(),
                api: R::NAME,
            })
    }

    /// Sends a request and reads its answer.
    ///
    /// *Errors*: any leaves the connection broken, but for `Unsupported`. *Cancel safety*: cancelling breaks the connection.
    pub async fn call<R: RequestResponsePair>(
        &mut self,
        request: &R,
        ours: Versions,
    ) -> Result<R::Response, ClientError> {
        self.call_waiting(request, ours, Duration::ZERO).await
    }

    /// As [`Connection::call`], for a request the broker may hold back for `wait`.
    pub async fn call_waiting<R: RequestResponsePair>(
        &mut self,
        request: &R,
        ours: Versions,
        wait: Duration,
    ) -> Result<R::Response, ClientError> {
        if self.login_again.is_some_and(|at| at <= Instant::now()) {
            self.log_in().await?;
        }
        let version = self.version_of::<R>(ours)?;
        let payload = self.exchange(request, version, self.request_timeout + wait).await?;
        self.decode::<R>(payload, version)
    }

    async fn exchange<R: KafkaRequest>(
        &mut self,
        request: &R,
        version: i16,
        timeout: Duration,
    ) -> Result<Bytes, ClientError> {
        self.is_broken = true;
        self.next_correlation = self.next_correlation.wrapping_add(1);
        let frame = encode_request(self.next_correlation, self.client_id.as_deref(), request, version)
            .map_err(|error| malformed(&self.address, &error))?;
        let answer = tokio::time::timeout(timeout, self.round_trip(&frame));
        let payload = answer
            .await
            .map_err(|_| timed_out(format!("{} at {}", R::NAME, self.address), timeout))??;
        self.is_broken = false;
        Ok(payload)
    }

    async fn round_trip(&mut self, frame: &[u8]) -> Result<Bytes, ClientError> {
        let is_new = self.versions.is_empty();
        let io = |source| match handshake_failure(&self.address, &source) {
            Some(refused) if is_new => refused,
            _ => failed(&self.address, source),
        };
        self.stream.write_all(frame).await.map_err(io)?;
        self.stream.flush().await.map_err(io)?;
        let length = self.stream.read_i32().await.map_err(io)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= MAX_RESPONSE_BYTES);
        let length = length.ok_or_else(|| malformed(&self.address, &"length of the answer is out of bounds"))?;
        // Grows as bytes arrive: a lying length costs nothing.
        let mut payload = BytesMut::with_capacity(length.min(64 * 1024));
        let mut rest = (&mut self.stream).take(length as u64);
        while payload.len() < length {
            if rest.read_buf(&mut payload).await.map_err(io)? == 0 {
                return Err(failed(&self.address, io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(payload.freeze())
    }

    fn decode<R: RequestResponsePair>(&mut self, payload: Bytes, version: i16) -> Result<R::Response, ClientError> {
        let decoded = decode_response::<R::Response>(payload, version);
        let (correlation, response) = decoded.map_err(|error| {
            self.is_broken = true;
            malformed(&self.address, &error)
        })?;
        if correlation != self.next_correlation {
            self.is_broken = true;
            return Err(malformed(&self.address, &"answer to another request"));
        }
        Ok(response)
    }
}

fn failed(address: &str, source: io::Error) -> ClientError {
    ClientError::Connection {
        address: address.to_owned(),
        source: Arc::new(source),
    }
}

fn malformed(address: &str, reason: &dyn ToString) -> ClientError {
    ClientError::Malformed {
        address: address.to_owned(),
        reason: reason.to_string(),
    }
}

pub(crate) fn timed_out(context: String, timeout: Duration) -> ClientError {
    ClientError::Timeout {
        context,
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
    }
}
