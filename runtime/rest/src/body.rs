//! Reading request bodies: media type, size cap, JSON, and the texts of what can be wrong.
//!
//! Connect answers 500 with its JSON parser's words to a malformed body; clients match on the beginnings, which are kept here.
//! Scalars in a config map become texts; null stays null; nested values are refused.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value};
use weir_config::map::ConfigMap;
use weir_herder::request::ConfigChange;
use weir_stores::configs::state::TargetState;

use crate::error::RestError;

/// Largest body read; connector configs are far smaller.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
const CREATE_REQUEST: &str = "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest";

/// A parsed `POST /connectors`.
#[derive(Debug)]
pub struct CreateRequest {
    /// Trimmed; empty when the body has none.
    pub name: String,
    /// Config and initial state.
    pub change: CreateChange,
}

/// Config and initial state of a create request.
#[derive(Debug)]
pub struct CreateChange {
    /// The config as given.
    pub config: ConfigMap,
    /// None = running.
    pub initial_state: Option<TargetState>,
}

impl From<CreateChange> for ConfigChange {
    fn from(change: CreateChange) -> Self {
        ConfigChange::Create {
            config: change.config,
            initial_state: change.initial_state,
        }
    }
}

/// Reads a JSON body.
///
/// *Errors*: 415 for another media type, 413 above the cap, 500 for what is not JSON.
pub async fn read_json(headers: &HeaderMap, body: Body) -> Result<Option<Value>, RestError> {
    require_json(headers)?;
    let collected = Limited::new(body, MAX_BODY_BYTES).collect().await;
    let bytes = collected
        .map_err(|_| {
            RestError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("request body is larger than {MAX_BODY_BYTES} bytes or was cut off"),
            )
        })?
        .to_bytes();
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| RestError::unreadable(format!("Unexpected input in JSON: {error}")))
}

fn require_json(headers: &HeaderMap) -> Result<(), RestError> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let media = given.split(';').next().unwrap_or("").trim();
    if media.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(RestError::http(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// Reads the flat config map of `PUT` and `PATCH …/config` and of validate.
pub fn config_map(body: Option<Value>) -> Result<ConfigMap, RestError> {
    match body {
        None => Err(RestError::unreadable(
            "Cannot read a config: the request has no body, a JSON object of settings is needed",
        )),
        Some(Value::Object(map)) => flat(map, ""),
        Some(other) => Err(wrong_shape(
            "java.util.LinkedHashMap<java.lang.String,java.lang.String>",
            &other,
            "",
        )),
    }
}

/// Reads `{"name":…,"config":{…},"initial_state":…}`.
pub fn create_request(body: Option<Value>) -> Result<CreateRequest, RestError> {
    let map = match body {
        None => {
            return Err(RestError::unreadable(
                "Cannot read a connector: the request has no body, {\"name\":…,\"config\":{…}} is needed",
            ));
        }
        Some(Value::Object(map)) => map,
        Some(other) => return Err(wrong_shape(CREATE_REQUEST, &other, "")),
    };
    let (mut name, mut config, mut initial_state) = (String::new(), None, None);
    for (key, value) in map {
        match key.as_str() {
            "name" => name = scalar(&value, "[\"name\"]")?.unwrap_or_default().trim().to_owned(),
            "config" => {
                config = match value {
                    Value::Null => None,
                    Value::Object(map) => Some(flat(map, "[\"config\"]")?),
                    other => {
                        return Err(wrong_shape(
                            "java.util.LinkedHashMap<java.lang.String,java.lang.String>",
                            &other,
                            "[\"config\"]",
                        ));
                    }
                }
            }
            "initial_state" => initial_state = target_state(&value)?,
            other => {
                return Err(RestError::unreadable(format!(
                    "Unrecognized field \"{other}\" (class {CREATE_REQUEST}), not marked as ignorable (3 known properties: \"config\", \"name\", \"initial_state\")"
                )));
            }
        }
    }
    let config =
        config.ok_or_else(|| RestError::unreadable("Cannot read a connector: \"config\" is missing or null"))?;
    Ok(CreateRequest {
        name,
        change: CreateChange { config, initial_state },
    })
}

fn target_state(value: &Value) -> Result<Option<TargetState>, RestError> {
    let Some(text) = scalar(value, "[\"initial_state\"]")? else {
        return Ok(None);
    };
    match text.to_ascii_uppercase().as_str() {
        "RUNNING" => Ok(Some(TargetState::Started)),
        "PAUSED" => Ok(Some(TargetState::Paused)),
        "STOPPED" => Ok(Some(TargetState::Stopped)),
        other => Err(RestError::unreadable(format!(
            "Cannot construct instance of `{CREATE_REQUEST}$InitialState`, problem: No enum constant {}.InitialState.{other}",
            CREATE_REQUEST
        ))),
    }
}

fn flat(map: Map<String, Value>, path: &str) -> Result<ConfigMap, RestError> {
    let mut config = ConfigMap::new();
    for (key, value) in map {
        let text = scalar(&value, &format!("{path}[\"{key}\"]"))?;
        config.insert_entry(key, text);
    }
    Ok(config)
}

/// A JSON scalar as text, as Connect's parser coerces it.
fn scalar(value: &Value, path: &str) -> Result<Option<String>, RestError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Array(_) | Value::Object(_) => Err(wrong_shape("java.lang.String", value, path)),
    }
}

fn wrong_shape(wanted: &str, found: &Value, path: &str) -> RestError {
    let (shape, token) = match found {
        Value::Array(_) => ("Array value", "START_ARRAY"),
        Value::Object(_) => ("Object value", "START_OBJECT"),
        Value::String(_) => ("String value", "VALUE_STRING"),
        Value::Bool(_) => ("Boolean value", "VALUE_TRUE"),
        Value::Number(_) => ("Integer value", "VALUE_NUMBER_INT"),
        Value::Null => ("Null value", "VALUE_NULL"),
    };
    let through = if path.is_empty() {
        String::new()
    } else {
        format!(" (through reference chain: {path})")
    };
    RestError::unreadable(format!(
        "Cannot deserialize value of type `{wanted}` from {shape} (token `JsonToken.{token}`){through}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(body: Value) -> String {
        let error = create_request(Some(body)).err();
        error
            .map(|error| format!("{} {}", error.status.as_u16(), error.message))
            .unwrap_or_default()
    }

    #[test]
    fn scalars_become_texts_and_null_stays() {
        let config = config_map(Some(json!({"a": 3, "b": true, "c": "x", "d": null, "e": 1.5}))).unwrap_or_default();
        let pairs: Vec<_> = config.iter().collect();
        assert_eq!(
            pairs,
            [
                ("a", Some("3")),
                ("b", Some("true")),
                ("c", Some("x")),
                ("d", None),
                ("e", Some("1.5"))
            ]
        );
    }

    #[test]
    fn a_create_request_is_trimmed_and_its_state_read_in_any_case() {
        let request =
            create_request(Some(json!({"name": " a ", "config": {}, "initial_state": "paused"}))).expect("valid");
        assert_eq!(
            (request.name.as_str(), request.change.initial_state),
            ("a", Some(TargetState::Paused))
        );
    }

    #[test]
    fn malformed_requests_answer_500_with_the_words_clients_match() {
        assert!(refused(json!([1])).starts_with("500 Cannot deserialize value of type"));
        assert!(refused(json!({"name": "e", "configs": {}})).starts_with("500 Unrecognized field \"configs\""));
        assert!(
            refused(json!({"name": "e", "config": {"a": {"b": 1}}}))
                .starts_with("500 Cannot deserialize value of type `java.lang.String` from Object value")
        );
        assert!(
            refused(json!({"name": "e", "config": {}, "initial_state": "bad"}))
                .starts_with("500 Cannot construct instance of")
        );
        assert!(refused(json!({"name": "e"})).starts_with("500 "));
        assert!(create_request(None).is_err());
    }
}
