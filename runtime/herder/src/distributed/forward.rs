//! Requests that this worker makes of the leader, signed (KIP-507)
//!
//! Task configs that a connector here has made, and rounds of fencing before a task here starts. Passing on users' requests is REST's.
//! Source: `RestClient`, `InternalRequestSignature`.

use std::error::Error as _;
use std::time::Duration;

use serde_json::{Map, Value};
use weir_config::map::ConfigMap;
use weir_config::properties::Properties;
use weir_secrets::tls::client_config;
use weir_stores::configs::ConfigReader;

use crate::distributed::session_key::KeySettings;
use crate::group::protocol::ConnectProtocol;
use crate::group::view::MembershipHandle;
use crate::request::InternalSignature;

const SIGNATURE_HEADER: &str = "X-Connect-Authorization";
const ALGORITHM_HEADER: &str = "X-Connect-Request-Signature-Algorithm";
/// Longer than the leader's own limit, whose answer says more.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(100);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An error is one line of JSON; no more than this of an answer is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Why the leader did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It answered so.
    #[error("{message}")]
    Answered {
        /// HTTP status.
        status: u16,
        /// From the body.
        message: String,
    },
    /// It was not reached.
    #[error("IO Error trying to forward REST request: {0}")]
    Unreached(String),
}

impl Refusal {
    /// Is true when the same request may succeed later: a rebalance, a key that changes, a leader that starts or has gone.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Answered { status, .. } => matches!(status, 403 | 409 | 500 | 503),
            Self::Unreached(_) => true,
        }
    }

    /// Is true when the key may have changed under way.
    pub fn may_be_old_key(&self) -> bool {
        matches!(self, Self::Answered { status: 403, .. })
    }
}

/// The client for internal requests; clones share its connections.
#[derive(Debug, Clone)]
pub struct InternalClient {
    client: reqwest::Client,
    keys: KeySettings,
    configs: ConfigReader,
    group: MembershipHandle,
}

impl InternalClient {
    /// Makes the client over an HTTP client.
    pub fn new(client: reqwest::Client, keys: KeySettings, configs: ConfigReader, group: MembershipHandle) -> Self {
        Self {
            client,
            keys,
            configs,
            group,
        }
    }

    /// Hands a connector's whole task set to the leader.
    ///
    /// *Errors*: its refusal.
    pub async fn post_tasks(&self, leader_url: &str, name: &str, configs: &[ConfigMap]) -> Result<(), Refusal> {
        tracing::debug!(connector = name, leader_url, "handing task configs to the leader");
        let url = resource(leader_url, name, "tasks");
        self.send(reqwest::Method::POST, &url, Some(tasks_json(configs))).await
    }

    /// Has the leader fence all earlier tasks of a connector.
    ///
    /// *Errors*: its refusal.
    pub async fn put_fence(&self, leader_url: &str, name: &str) -> Result<(), Refusal> {
        tracing::debug!(connector = name, leader_url, "asking the leader for a round of fencing");
        self.send(reqwest::Method::PUT, &resource(leader_url, name, "fence"), None)
            .await
    }

    async fn send(&self, method: reqwest::Method, url: &str, body: Option<String>) -> Result<(), Refusal> {
        let mut request = self
            .client
            .request(method, url)
            .timeout(ANSWER_TIMEOUT)
            .header("Accept", "application/json")
            .header("User-Agent", "kafka-connect");
        if let Some(signature) = self.signature(body.as_deref().unwrap_or_default().as_bytes()) {
            request = request
                .header(SIGNATURE_HEADER, signature.signature_base64)
                .header(ALGORITHM_HEADER, signature.algorithm);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let mut response = request.send().await.map_err(unreached)?;
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(());
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreached)? {
            body.extend_from_slice(&part);
            if body.len() >= MAX_ANSWER_BYTES {
                break;
            }
        }
        Err(Refusal::Answered {
            status,
            message: message_of(&body),
        })
    }

    /// None while the group does not sign, or has no key yet.
    fn signature(&self, body: &[u8]) -> Option<InternalSignature> {
        if self.group.protocol() != Some(ConnectProtocol::Sessioned) {
            return None;
        }
        let state = self.configs.snapshot();
        self.keys.sign(state.session_key.as_ref()?, body)
    }
}

/// The HTTP client that internal requests go through.
///
/// It trusts, and shows itself, as the `ssl.*` properties of the listeners say.
///
/// *Errors*: the setting that cannot be used, by text.
pub fn http_client(tls: &Properties) -> Result<reqwest::Client, String> {
    let tls = client_config(tls).map_err(|error| error.to_string())?;
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        // Workers of a cluster see each other.
        .no_proxy()
        .build();
    client.map_err(|error| unreached(error).to_string())
}

fn resource(base: &str, name: &str, what: &str) -> String {
    format!("{}/connectors/{}/{what}", base.trim_end_matches('/'), encoded(name))
}

/// Encodes a path segment; unreserved characters stay.
fn encoded(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

fn tasks_json(configs: &[ConfigMap]) -> String {
    let object = |config: &ConfigMap| {
        let entries: Map<String, Value> = config
            .iter()
            .map(|(key, value)| (key.to_owned(), value.map_or(Value::Null, Value::from)))
            .collect();
        Value::Object(entries)
    };
    Value::Array(configs.iter().map(object).collect()).to_string()
}

fn message_of(body: &[u8]) -> String {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let message = parsed.as_ref().and_then(|value| value.get("message")?.as_str());
    message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

/// An error with its causes: the outermost of an HTTP client says little.
fn unreached(error: reqwest::Error) -> Refusal {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    Refusal::Unreached(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_of_the_leader_are_under_its_url() {
        assert_eq!(
            resource("http://h:8083/", "a b/ü", "tasks"),
            "http://h:8083/connectors/a%20b%2F%C3%BC/tasks"
        );
    }

    #[test]
    fn task_configs_keep_their_nulls() {
        let mut config: ConfigMap = [("a", "1")].into_iter().collect();
        config.insert_entry("b", None);
        assert_eq!(tasks_json(&[config]), r#"[{"a":"1","b":null}]"#);
    }

    #[test]
    fn a_refusal_says_what_the_leader_said_and_whether_to_try_again() {
        assert_eq!(message_of(br#"{"error_code":404,"message":"no"}"#), "no");
        assert_eq!(message_of(b"plain"), "plain");
        let answered = |status| Refusal::Answered {
            status,
            message: String::new(),
        };
        for (status, passing) in [(400, false), (403, true), (404, false), (409, true), (503, true)] {
            assert_eq!(answered(status).is_passing(), passing, "{status}");
        }
        assert!(Refusal::Unreached(String::new()).is_passing());
    }
}
