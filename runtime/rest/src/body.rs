//! Reading request bodies: size cap, JSON, and the texts of what can be wrong.
//!
//! Connect answers 500 with its JSON parser's words to a malformed body, and with Java's words for a missing one; clients and their
//! tests match on both. Scalars in a config map become texts as they are written; null stays null; nested values are refused.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value};
use weir_config::map::ConfigMap;
use weir_herder::request::ConfigChange;
use weir_stores::configs::state::TargetState;
use weir_stores::offsets::connector_offset::ConnectorOffset;

use crate::error::RestError;
use crate::json::{JsonError, Place, Reader, Token};

/// Largest body read; connector configs are far smaller.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
const ENTITIES: &str = "org.apache.kafka.connect.runtime.rest.entities";
const STRING_MAP: &str = "java.util.LinkedHashMap<java.lang.String,java.lang.String>";
const OBJECT_MAP: &str = "java.util.LinkedHashMap<java.lang.String,java.lang.Object>";

/// What Java says where a config is null.
pub const NULL_CONFIG: &str = "Cannot invoke \"java.util.Map.get(Object)\" because \"connectorConfig\" is null";
/// What Java says where a patch is null.
pub const NULL_PATCH: &str =
    "Cannot invoke \"java.util.Map.forEach(java.util.function.BiConsumer)\" because \"patch\" is null";
/// What Java says where a level map is null.
pub const NULL_LEVEL: &str = "Cannot invoke \"java.util.Map.get(Object)\" because \"levelMap\" is null";

/// A parsed `POST /connectors`.
#[derive(Debug, PartialEq)]
pub struct CreateRequest {
    /// Trimmed; empty when the body has none.
    pub name: String,
    /// Config and initial state.
    pub change: CreateChange,
}

/// Config and initial state of a create request.
#[derive(Debug, PartialEq)]
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

/// Reads a body of any type, as bytes.
///
/// *Errors*: 413 above the cap.
pub async fn read_any(body: Body) -> Result<Bytes, RestError> {
    let collected = Limited::new(body, MAX_BODY_BYTES).collect().await;
    let bytes = collected.map_err(|_| {
        RestError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("request body is larger than {MAX_BODY_BYTES} bytes or was cut off"),
        )
    })?;
    Ok(bytes.to_bytes())
}

/// Reads a JSON body, as bytes.
///
/// *Errors*: 415 for bytes of no media type, 413 above the cap.
pub async fn read_json(headers: &HeaderMap, body: Body) -> Result<Bytes, RestError> {
    let bytes = read_any(body).await?;
    // Another type than JSON was refused before; here there is none.
    if !bytes.is_empty() && !headers.contains_key(header::CONTENT_TYPE) {
        return Err(RestError::of_resource(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    Ok(bytes)
}

/// Reads the flat config map of `PUT …/config` and of validate.
pub fn config_map(body: Bytes) -> Result<ConfigMap, RestError> {
    string_map(&body, NULL_CONFIG)
}

/// Reads a flat map; `null` is what is answered where there is none.
pub fn string_map(body: &[u8], null: &str) -> Result<ConfigMap, RestError> {
    match optional_string_map(body)? {
        Some(map) => Ok(map),
        None => Err(RestError::unreadable(null)),
    }
}

/// Reads a flat map, none where the body is empty or null.
pub fn optional_string_map(body: &[u8]) -> Result<Option<ConfigMap>, RestError> {
    root(body, flat)
}

/// Reads `{"name":…,"config":{…},"initial_state":…}`.
pub fn create_request(body: &[u8]) -> Result<CreateRequest, RestError> {
    let parsed = root(body, |reader, token, place| {
        let class = format!("{ENTITIES}.CreateConnectorRequest");
        let mut bean = Bean::new(&class, &["config", "name", "initial_state"]);
        let (mut name, mut config, mut state) = (None, None, None);
        bean.read(reader, token, place, |reader, field, token, place| {
            match field {
                "name" => name = scalar(&token, place)?,
                "config" if token == Token::Null => config = None,
                "config" => config = Some(flat(reader, token, place)?),
                _ => state = target_state(&token, place)?,
            }
            Ok(())
        })?;
        Ok((name, config, state))
    })?;
    let Some((name, config, initial_state)) = parsed else {
        return Err(RestError::unreadable(format!(
            "Cannot invoke \"{ENTITIES}.CreateConnectorRequest.name()\" because \"createRequest\" is null"
        )));
    };
    let config = config.ok_or_else(|| RestError::unreadable(NULL_CONFIG))?;
    Ok(CreateRequest {
        name: name.unwrap_or_default().trim().to_owned(),
        change: CreateChange { config, initial_state },
    })
}

/// Reads the list of `PATCH …/offsets`.
pub fn offsets(body: &[u8]) -> Result<Vec<ConnectorOffset>, RestError> {
    let parsed = root(body, |reader, token, place| {
        let class = format!("{ENTITIES}.ConnectorOffsets");
        let mut bean = Bean::new(&class, &["offsets"]);
        let mut entries = None;
        bean.read(reader, token, place, |reader, _, token, place| {
            entries = match token {
                Token::Null => None,
                token => Some(offset_list(reader, &token, place)?),
            };
            Ok(())
        })?;
        Ok(entries)
    })?;
    let Some(entries) = parsed else {
        return Err(RestError::unreadable(format!(
            "Cannot invoke \"{ENTITIES}.ConnectorOffsets.offsets()\" because \"offsets\" is null"
        )));
    };
    let entries = entries.unwrap_or_default();
    if entries.is_empty() {
        return Err(RestError::new(
            StatusCode::BAD_REQUEST,
            "Partitions / offsets need to be provided for an alter offsets request",
        ));
    }
    let null = format!("Cannot invoke \"{ENTITIES}.ConnectorOffset.partition()\" because \"offset\" is null");
    let complete: Option<Vec<ConnectorOffset>> = entries.into_iter().collect();
    complete.ok_or_else(|| RestError::unreadable(null))
}

/// Reads the list of task configs of an internal request.
pub fn task_configs(body: &[u8]) -> Result<Vec<ConfigMap>, RestError> {
    let list = "java.util.ArrayList<java.util.Map<java.lang.String,java.lang.String>>";
    let parsed = root(body, |reader, token, place| {
        if token != Token::StartArray {
            return Err(wrong_shape(list, &token, place));
        }
        let mut configs = Vec::new();
        reader.array(place, |reader, index, token, place| {
            let config = flat(reader, token, place);
            configs.push(config.map_err(|error| error.inside(format!("java.util.ArrayList[{index}]")))?);
            Ok(())
        })?;
        Ok(configs)
    })?;
    parsed.ok_or_else(|| {
        RestError::unreadable(
            "No content to map due to end-of-input\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1]",
        )
    })
}

// ---- shapes ----------------------------------------------------------------------------------------------

type Outcome<T> = Result<T, JsonError>;

/// Reads one value and the end of the body; none where it is empty or null.
fn root<T>(
    body: &[u8],
    read: impl FnOnce(&mut Reader<'_>, Token, Place) -> Outcome<T>,
) -> Result<Option<T>, RestError> {
    let mut reader = Reader::new(body);
    let outcome = (|| {
        let value = match reader.first()? {
            None | Some((Token::Null, _)) => None,
            Some((token, place)) => Some(read(&mut reader, token, place)?),
        };
        reader.finish()?;
        Ok(value)
    })();
    outcome.map_err(|error: JsonError| RestError::unreadable(error.to_string()))
}

/// A Java bean with a creator: unknown fields are told at its end.
struct Bean<'a> {
    class: &'a str,
    fields: &'a [&'a str],
}

impl<'a> Bean<'a> {
    fn new(class: &'a str, fields: &'a [&'a str]) -> Self {
        Bean { class, fields }
    }

    fn read(
        &mut self,
        reader: &mut Reader<'_>,
        token: Token,
        place: Place,
        mut take: impl FnMut(&mut Reader<'_>, &str, Token, Place) -> Outcome<()>,
    ) -> Outcome<()> {
        let Bean { class, fields } = *self;
        if token != Token::StartObject {
            return Err(not_constructed(class, class, &token, place));
        }
        let mut unknown = None;
        reader.object(place, |reader, name, token, place| {
            let outcome = if fields.contains(&name.as_str()) {
                take(reader, &name, token, place)
            } else {
                unknown.get_or_insert_with(|| name.clone());
                reader.tree(token, place).map(drop)
            };
            outcome.map_err(|error| error.inside(format!("{class}[\"{name}\"]")))
        })?;
        let Some(name) = unknown else {
            return Ok(());
        };
        let known: Vec<String> = fields.iter().map(|field| format!("\"{field}\"")).collect();
        let count = match known.len() {
            1 => "one known property".to_owned(),
            count => format!("{count} known properties"),
        };
        let text = format!(
            "Unrecognized field \"{name}\" (class {class}), not marked as ignorable ({count}: {})",
            known.join(", ")
        );
        Err(JsonError::shape(text, reader.place()).inside(format!("{class}[\"{name}\"]")))
    }
}

fn offset_list(reader: &mut Reader<'_>, token: &Token, place: Place) -> Outcome<Vec<Option<ConnectorOffset>>> {
    let class = format!("{ENTITIES}.ConnectorOffset");
    if *token != Token::StartArray {
        return Err(wrong_shape(&format!("java.util.ArrayList<{class}>"), token, place));
    }
    let mut entries = Vec::new();
    reader.array(place, |reader, index, token, place| {
        let entry = match token {
            Token::Null => Ok(None),
            token => offset_entry(reader, &class, token, place).map(Some),
        };
        entries.push(entry.map_err(|error| error.inside(format!("java.util.ArrayList[{index}]")))?);
        Ok(())
    })?;
    Ok(entries)
}

fn offset_entry(reader: &mut Reader<'_>, class: &str, token: Token, place: Place) -> Outcome<ConnectorOffset> {
    let mut entry = ConnectorOffset::default();
    let mut bean = Bean::new(class, &["partition", "offset"]);
    bean.read(reader, token, place, |reader, field, token, place| {
        let map = object_map(reader, token, place)?;
        match field {
            "partition" => entry.partition = map,
            _ => entry.offset = map,
        }
        Ok(())
    })?;
    Ok(entry)
}

fn object_map(reader: &mut Reader<'_>, token: Token, place: Place) -> Outcome<Option<Map<String, Value>>> {
    match token {
        Token::Null => Ok(None),
        Token::StartObject => match reader.tree(token, place)? {
            Value::Object(fields) => Ok(Some(fields)),
            _ => Ok(None),
        },
        other => Err(not_constructed(OBJECT_MAP, "java.util.LinkedHashMap", &other, place)),
    }
}

fn target_state(token: &Token, place: Place) -> Outcome<Option<TargetState>> {
    let class = format!("{ENTITIES}.CreateConnectorRequest");
    let Some(text) = scalar(token, place)? else {
        return Ok(None);
    };
    match text.to_uppercase().as_str() {
        "RUNNING" => Ok(Some(TargetState::Started)),
        "PAUSED" => Ok(Some(TargetState::Paused)),
        "STOPPED" => Ok(Some(TargetState::Stopped)),
        other => Err(JsonError::shape(
            format!(
                "Cannot construct instance of `{class}$InitialState`, problem: No enum constant {class}.InitialState.{other}"
            ),
            place,
        )),
    }
}

fn flat(reader: &mut Reader<'_>, token: Token, place: Place) -> Outcome<ConfigMap> {
    if token != Token::StartObject {
        return Err(not_constructed(STRING_MAP, "java.util.LinkedHashMap", &token, place));
    }
    let mut config = ConfigMap::new();
    reader.object(place, |_, key, token, place| {
        let text = scalar(&token, place).map_err(|error| error.inside_map(&key))?;
        config.insert_entry(key, text);
        Ok(())
    })?;
    Ok(config)
}

/// A JSON scalar as text, as Connect's parser coerces it.
fn scalar(token: &Token, place: Place) -> Outcome<Option<String>> {
    match token {
        Token::Null => Ok(None),
        Token::Text(text) | Token::Number(text) => Ok(Some(text.clone())),
        Token::True => Ok(Some("true".to_owned())),
        Token::False => Ok(Some("false".to_owned())),
        Token::StartArray | Token::StartObject => Err(wrong_shape("java.lang.String", token, place)),
    }
}

/// A text or, for beans, a number cannot become an object; everything else is of a wrong type.
fn not_constructed(target: &str, class: &str, token: &Token, place: Place) -> JsonError {
    let is_map = target != class;
    let from = match token {
        Token::Text(text) => {
            format!("String-argument constructor/factory method to deserialize from String value ('{text}')")
        }
        Token::Number(text) if !is_map && is_float(text) => {
            format!("double/Double-argument constructor/factory method to deserialize from Number value ({text})")
        }
        Token::Number(text) if !is_map => {
            format!("int/Int-argument constructor/factory method to deserialize from Number value ({text})")
        }
        Token::True | Token::False if !is_map => format!(
            "boolean/Boolean-argument constructor/factory method to deserialize from boolean value ({})",
            *token == Token::True
        ),
        other => return wrong_shape(target, other, place),
    };
    JsonError::shape(
        format!("Cannot construct instance of `{class}` (although at least one Creator exists): no {from}"),
        place,
    )
}

fn is_float(number: &str) -> bool {
    number.contains(['.', 'e', 'E'])
}

fn wrong_shape(wanted: &str, found: &Token, place: Place) -> JsonError {
    let (shape, token) = match found {
        Token::StartArray => ("Array value", "START_ARRAY"),
        Token::StartObject => ("Object value", "START_OBJECT"),
        Token::Text(_) => ("String value", "VALUE_STRING"),
        Token::True => ("Boolean value", "VALUE_TRUE"),
        Token::False => ("Boolean value", "VALUE_FALSE"),
        Token::Number(text) if is_float(text) => ("Floating-point value", "VALUE_NUMBER_FLOAT"),
        Token::Number(_) => ("Integer value", "VALUE_NUMBER_INT"),
        Token::Null => ("Null value", "VALUE_NULL"),
    };
    JsonError::shape(
        format!("Cannot deserialize value of type `{wanted}` from {shape} (token `JsonToken.{token}`)"),
        place,
    )
}

#[cfg(test)]
mod tests;
