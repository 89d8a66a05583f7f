//! Basic authentication by Connect's extension `BasicAuthSecurityRestExtension`.
//!
//! Users and passwords are in the file that a JAAS file names for the login `KafkaConnect`. Requests between workers are signed
//! instead and pass. An empty file lets everybody in, as in Apache Connect.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use weir_config::properties::Properties;
use weir_herder::java_base64;

use crate::error::RestError;

/// The extension's class, and its name without the package.
pub const EXTENSION: &str = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension";
const LOGIN: &str = "KafkaConnect";
const MODULE: &str = "PropertyFileLoginModule";

/// Who may call.
#[derive(Clone)]
pub struct BasicAuth {
    passwords: Arc<HashMap<String, String>>,
}

impl std::fmt::Debug for BasicAuth {
    /// Prints no password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BasicAuth")
            .field("users", &self.passwords.len())
            .finish()
    }
}

impl BasicAuth {
    /// Reads the JAAS file and the file of users that it names.
    ///
    /// *Errors*: a file that cannot be read, or a login that is not there, by text.
    pub fn load(jaas: &Path) -> Result<Self, String> {
        let read =
            |path: &Path| std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
        let text = String::from_utf8_lossy(&read(jaas)?).into_owned();
        let file = users_file(&text).ok_or_else(|| {
            format!(
                "{} has no login {LOGIN} with a {MODULE} and its option file",
                jaas.display()
            )
        })?;
        let users = read(Path::new(&file))?;
        let users = Properties::parse_latin1(&users).map_err(|error| format!("{file}: {error}"))?;
        Ok(Self::of(&users))
    }

    fn of(users: &Properties) -> Self {
        let passwords = users
            .iter()
            .map(|(user, password)| (user.to_owned(), password.to_owned()));
        BasicAuth {
            passwords: Arc::new(passwords.collect()),
        }
    }

    /// *Errors*: credentials that are no base64, which Connect answers with 500.
    fn admits(&self, headers: &HeaderMap) -> Result<bool, String> {
        let credentials = credentials(headers)?;
        if self.passwords.is_empty() {
            return Ok(true);
        }
        Ok(credentials.is_some_and(|(user, password)| {
            let known = self.passwords.get(&user);
            known.is_some_and(|known| equal_in_time(known.as_bytes(), password.as_bytes()))
        }))
    }
}

fn credentials(headers: &HeaderMap) -> Result<Option<(String, String)>, String> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, encoded)) = value.and_then(|value| value.split_once(' ')) else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let decoded = String::from_utf8(java_base64::decode(encoded.trim())?).ok();
    let parts = decoded.as_deref().and_then(|decoded| decoded.split_once(':'));
    Ok(parts.map(|(user, password)| (user.to_owned(), password.to_owned())))
}

/// Compares without telling by its time where two texts differ.
fn equal_in_time(known: &[u8], given: &[u8]) -> bool {
    let differences = known.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
    known.len() == given.len() && differences == 0
}

/// Finds `file="…"` of the login module in a JAAS file.
fn users_file(jaas: &str) -> Option<String> {
    let login = jaas.split_once(LOGIN)?.1.split_once('{')?.1;
    let body = login.split_once('}').map_or(login, |(body, _)| body);
    let options = body.split_once(MODULE)?.1;
    let options = options.split_once(';').map_or(options, |(options, _)| options);
    let value = options
        .split_once("file")?
        .1
        .trim_start()
        .strip_prefix('=')?
        .trim_start();
    let file = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split_whitespace().next(),
    };
    file.filter(|file| !file.is_empty()).map(str::to_owned)
}

/// Requests that workers sign for each other.
fn is_internal(method: &Method, path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["connectors", _, "tasks"] => *method == Method::POST,
        ["connectors", _, "fence"] => *method == Method::PUT,
        _ => false,
    }
}

/// Lets a request through to its resource, or answers 401.
pub(crate) async fn authenticate(State(auth): State<BasicAuth>, request: Request, next: Next) -> Response {
    let admitted = match is_internal(request.method(), request.uri().path()) {
        true => Ok(true),
        false => auth.admits(request.headers()),
    };
    match admitted {
        Ok(true) => return next.run(request).await,
        Ok(false) => {}
        Err(text) => return RestError::unreadable(text).into_response(),
    }
    let json = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::UNAUTHORIZED, json, "User cannot access the resource.").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    fn headers(user: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode(user));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&value).expect("header"));
        headers
    }

    #[test]
    fn users_are_known_by_name_and_password() {
        let auth = BasicAuth::of(&Properties::parse("ann=secret\nbob=a:b\n").expect("valid"));
        for (given, expected) in [
            ("ann:secret", true),
            ("bob:a:b", true),
            ("ann:secreT", false),
            ("ann:", false),
            ("eve:secret", false),
            ("ann", false),
        ] {
            assert_eq!(auth.admits(&headers(given)), Ok(expected), "{given}");
        }
        assert_eq!(auth.admits(&HeaderMap::new()), Ok(false));
        assert_eq!(BasicAuth::of(&Properties::new()).admits(&HeaderMap::new()), Ok(true));
        let mut nonsense = HeaderMap::new();
        nonsense.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic ???"));
        assert_eq!(auth.admits(&nonsense), Err("Illegal base64 character 3f".to_owned()));
        assert!(!format!("{auth:?}").contains("secret"));
    }

    #[test]
    fn the_users_file_is_found_in_a_jaas_file() {
        let jaas = "Other { x required; };\nKafkaConnect {\n  org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required\n  file=\"/etc/users.properties\";\n};\n";
        assert_eq!(users_file(jaas).as_deref(), Some("/etc/users.properties"));
        assert_eq!(users_file("KafkaConnect { PropertyFileLoginModule required; };"), None);
        assert_eq!(
            users_file("KafkaServer { PropertyFileLoginModule required file=\"x\"; };"),
            None
        );
    }

    #[test]
    fn only_the_two_requests_between_workers_pass() {
        assert!(is_internal(&Method::POST, "/connectors/a/tasks"));
        assert!(is_internal(&Method::PUT, "/connectors/a/fence/"));
        assert!(!is_internal(&Method::GET, "/connectors/a/tasks"));
        assert!(!is_internal(&Method::PUT, "/connectors/a/config"));
    }
}
