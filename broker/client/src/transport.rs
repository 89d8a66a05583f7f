//! What a raw connection runs over: TCP or TLS, and who logs in
//!
//! Settings are read once; opening a stream and the SASL exchange belong to each connection.
//! Source: `SaslClientAuthenticator`, `SslTransportLayer` of Kafka 4.3.

use std::fmt;
use std::io;
use std::sync::Arc;

use rand::Rng as _;
use rand::distr::Alphanumeric;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig};
use weir_config::properties::Properties;
use weir_secrets::tls::client_config;

use crate::error::ClientError;
use crate::scram::{ScramHash, ScramLogin, ServerProof};
use crate::security::{Login, Mechanism, Protocol};

/// An open stream of bytes.
pub(crate) trait Stream: AsyncRead + AsyncWrite + fmt::Debug + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + fmt::Debug + Send + Sync + Unpin> Stream for S {}

/// How connections are encrypted and who logs in.
#[derive(Clone, Default)]
pub(crate) struct Transport {
    tls: Option<Arc<ClientConfig>>,
    login: Option<Arc<Login>>,
}

/// Says what is on, no more.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("tls", &self.tls.is_some())
            .field("mechanism", &self.login.as_ref().map(|login| login.mechanism.name()))
            .finish()
    }
}

impl Transport {
    /// Reads `security.protocol` and what it calls for; stores are read here.
    ///
    /// *Errors*: a setting that cannot be used.
    pub(crate) fn from_properties(properties: &Properties) -> Result<Self, ClientError> {
        let protocol = Protocol::of(properties)?;
        let tls = match protocol.uses_tls {
            true => Some(Arc::new(client_config(properties)?)),
            false => None,
        };
        let login = match protocol.uses_sasl {
            true => Some(Arc::new(Login::of(properties)?)),
            false => None,
        };
        Ok(Self { tls, login })
    }

    pub(crate) fn login(&self) -> Option<Arc<Login>> {
        self.login.clone()
    }

    /// Opens a stream to `host:port`.
    ///
    /// *Errors*: of the network; `Authentication` when TLS cannot be agreed on, which another try would not change.
    pub(crate) async fn connect(&self, address: &str) -> Result<Box<dyn Stream>, ClientError> {
        let failed = |source: io::Error| ClientError::Connection {
            address: address.to_owned(),
            source: Arc::new(source),
        };
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|error| failed(io::Error::other(error)))?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
        match stream {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(handshake_failure(address, &error).unwrap_or_else(|| failed(error))),
        }
    }
}

/// What the TLS library or the broker has against this handshake; nothing for other failures of a stream.
///
/// With TLS 1.3 a broker's refusal of the client's certificate comes with the first answer.
pub(crate) fn handshake_failure(address: &str, error: &io::Error) -> Option<ClientError> {
    let reason = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(refused(address, format!("SSL handshake failed: {reason}")))
}

/// A login that will not succeed by another try.
pub(crate) fn refused(address: &str, message: impl Into<String>) -> ClientError {
    ClientError::Authentication {
        address: address.to_owned(),
        message: message.into(),
    }
}

/// The client's side of one SASL exchange: a message out, the answer in, until it is over.
pub(crate) enum Exchange<'a> {
    Plain(&'a Login),
    Scram(ScramLogin<'a>),
}

/// What to expect after the first message.
pub(crate) enum Next {
    /// This goes out, and its answer is checked.
    Send(String, ServerProof),
    Done,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(login: &'a Login) -> Self {
        let hash = match login.mechanism {
            Mechanism::Plain => return Self::Plain(login),
            Mechanism::ScramSha256 => ScramHash::Sha256,
            Mechanism::ScramSha512 => ScramHash::Sha512,
        };
        let nonce: String = rand::rng().sample_iter(Alphanumeric).take(32).map(char::from).collect();
        Self::Scram(ScramLogin::new(hash, &login.username, &login.password, nonce))
    }

    pub(crate) fn first(&self) -> String {
        match self {
            Self::Plain(login) => format!("\0{}\0{}", login.username, login.password),
            Self::Scram(scram) => scram.first(),
        }
    }

    pub(crate) fn next(&self, answer: &[u8]) -> Result<Next, String> {
        match self {
            Self::Plain(_) => Ok(Next::Done),
            Self::Scram(scram) => {
                let (second, proof) = scram.second(answer)?;
                Ok(Next::Send(second, proof))
            }
        }
    }
}
