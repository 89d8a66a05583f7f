//! `/connectors`: listing, create, config, status, tasks, actions.
//!
//! Paths, codes and bodies of connect.md A.3–A.5. Existence and naming rules that belong to the resource are checked here.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use weir_config::map::ConfigMap;
use weir_herder::error::HerderError;
use weir_herder::request::{ConfigChange, RestartScope};
use weir_stores::configs::state::TargetState;

use crate::body::{NULL_PATCH, config_map, create_request, optional_string_map, read_json};
use crate::error::RestError;
use crate::forward::{Done, Onward, forward_flag, passed_on};
use crate::model::{ConfigJson, ConnectorJson, ExpandedJson, StateJson, StatusJson, TaskJson};
use crate::server::Api;

pub(crate) type Answer<T> = Result<T, RestError>;

/// `GET /connectors`, plain or with `expand=status` and `expand=info`.
pub(crate) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer<Response> {
    let expansions: Vec<String> = query_values(query.as_deref(), "expand");
    let names = api.herder.connectors().await?;
    if expansions.is_empty() {
        return Ok(Json(names).into_response());
    }
    let mut listed = BTreeMap::new();
    for name in names {
        if let Some(expanded) = expand(&api, &name, &expansions).await? {
            listed.insert(name, expanded);
        }
    }
    Ok(Json(listed).into_response())
}

/// None when the connector vanished meanwhile.
async fn expand(api: &Api, name: &str, expansions: &[String]) -> Answer<Option<ExpandedJson>> {
    let mut expanded = ExpandedJson::default();
    for expansion in expansions {
        let found = match expansion.as_str() {
            "status" => api
                .herder
                .status(name)
                .await
                .map(|status| expanded.status = Some(status.into())),
            "info" => api
                .herder
                .connector_info(name)
                .await
                .map(|info| expanded.info = Some(info.into())),
            _ => Ok(()),
        };
        match found {
            Ok(()) => {}
            Err(HerderError::NotFound(_)) => return Ok(None),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(Some(expanded))
}

/// `POST /connectors`
pub(crate) async fn create(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let request = create_request(&read_json(&headers, body).await?)?;
    let (name, mut change) = (request.name, request.change);
    check_name(&name, &mut change.config)?;
    let change = ConfigChange::from(change);
    let onward = changing(&name, &change, &headers, query.as_deref());
    let put = api.herder.put_connector(&name, change).await;
    let location = location(&api, &headers, &name);
    Ok(match api.forwarder.complete(put, onward).await? {
        Done::Here(put) => (StatusCode::CREATED, location, Json(ConnectorJson::from(put.info))).into_response(),
        Done::There(answer) => passed_on(answer, location),
    })
}

/// Creates or replaces a connector as a request to this worker does: by way of the leader where another worker leads.
///
/// *Errors*: what such a request would be answered.
pub async fn put_connector(api: &Api, name: &str, change: ConfigChange) -> Result<(), RestError> {
    let headers = HeaderMap::new();
    let onward = changing(name, &change, &headers, None);
    let put = api.herder.put_connector(name, change).await;
    api.forwarder.complete(put, onward).await.map(drop)
}

/// The request that has another worker make a change.
fn changing<'a>(name: &str, change: &ConfigChange, headers: &'a HeaderMap, query: Option<&str>) -> Onward<'a> {
    let (method, path, body) = match change {
        ConfigChange::Create { config, initial_state } => {
            let state = initial_state.map(initial_state_name);
            let body = json!({ "name": name, "config": ConfigJson(config.clone()), "initial_state": state });
            (Method::POST, "/connectors".to_owned(), body)
        }
        ConfigChange::Replace(config) => {
            let body = json!(ConfigJson(config.clone()));
            (Method::PUT, connector_path(name, "/config"), body)
        }
        ConfigChange::Patch(patch) => {
            let body = json!(ConfigJson(patch.clone()));
            (Method::PATCH, connector_path(name, "/config"), body)
        }
    };
    Onward {
        method,
        path,
        query: Vec::new(),
        headers,
        body: Some(body.to_string()),
        forward: forward_flag(query),
    }
}

fn initial_state_name(state: TargetState) -> &'static str {
    match state {
        TargetState::Started => "RUNNING",
        TargetState::Paused => "PAUSED",
        TargetState::Stopped => "STOPPED",
    }
}

/// The config's `name` is filled in, or must be that of the request.
fn check_name(name: &str, config: &mut ConfigMap) -> Answer<()> {
    match config.get("name") {
        None => {
            config.insert("name", name);
            Ok(())
        }
        Some(given) if given == name => Ok(()),
        Some(given) => Err(RestError::new(
            StatusCode::BAD_REQUEST,
            format!("Connector name configuration ({given}) doesn't match connector name in the URL ({name})"),
        )),
    }
}

/// `Location` with the host that the client used, as Connect's server builds it.
fn location(api: &Api, headers: &HeaderMap, name: &str) -> HeaderMap {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or(&api.worker_id);
    let url = format!("{}://{host}{}", api.scheme.name(), connector_path(name, ""));
    let mut answer = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&url) {
        answer.insert(header::LOCATION, value);
    }
    answer
}

/// The path of a connector, encoded.
pub(crate) fn connector_path(name: &str, rest: &str) -> String {
    format!("/connectors/{}{rest}", percent_encode(name))
}

/// Encodes a path segment as Java's `UriBuilder` does: what may stand in a path stays, slashes as well.
fn percent_encode(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            other if b"-._~!$&'()*+,;=:@/".contains(&other) => encoded.push(char::from(other)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// `GET /connectors/{c}`
pub(crate) async fn info(State(api): State<Api>, Path(name): Path<String>) -> Answer<Json<ConnectorJson>> {
    Ok(Json(api.herder.connector_info(&name).await?.into()))
}

/// `GET /connectors/{c}/config`
pub(crate) async fn config(State(api): State<Api>, Path(name): Path<String>) -> Answer<Json<ConfigJson>> {
    Ok(Json(ConfigJson(api.herder.connector_info(&name).await?.config)))
}

/// `PUT /connectors/{c}/config`: 201 with `Location` when created, 200 when replaced.
pub(crate) async fn put_config(
    State(api): State<Api>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let mut config = config_map(read_json(&headers, body).await?)?;
    check_name(&name, &mut config)?;
    let change = ConfigChange::Replace(config);
    let onward = changing(&name, &change, &headers, query.as_deref());
    let put = api.herder.put_connector(&name, change).await;
    let location = || location(&api, &headers, &name);
    Ok(match api.forwarder.complete(put, onward).await? {
        Done::Here(put) if put.created => {
            (StatusCode::CREATED, location(), Json(ConnectorJson::from(put.info))).into_response()
        }
        Done::Here(put) => Json(ConnectorJson::from(put.info)).into_response(),
        Done::There(answer) if answer.status == StatusCode::CREATED => passed_on(answer, location()),
        Done::There(answer) => passed_on(answer, HeaderMap::new()),
    })
}

/// `PATCH /connectors/{c}/config` (KIP-477)
pub(crate) async fn patch_config(
    State(api): State<Api>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let Some(patch) = optional_string_map(&read_json(&headers, body).await?)? else {
        // An unknown connector is told first.
        api.herder.connector_info(&name).await?;
        return Err(RestError::unreadable(NULL_PATCH));
    };
    let change = ConfigChange::Patch(patch);
    let onward = changing(&name, &change, &headers, query.as_deref());
    let put = api.herder.put_connector(&name, change).await;
    Ok(match api.forwarder.complete(put, onward).await? {
        Done::Here(put) => Json(ConnectorJson::from(put.info)).into_response(),
        Done::There(answer) => passed_on(answer, HeaderMap::new()),
    })
}

/// `DELETE /connectors/{c}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<StatusCode> {
    let onward = bodiless(Method::DELETE, connector_path(&name, ""), &headers, query.as_deref());
    let deleted = api.herder.delete_connector(&name).await;
    api.forwarder.complete(deleted, onward).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn bodiless<'a>(method: Method, path: String, headers: &'a HeaderMap, query: Option<&str>) -> Onward<'a> {
    Onward {
        method,
        path,
        query: Vec::new(),
        headers,
        body: None,
        forward: forward_flag(query),
    }
}

/// `GET /connectors/{c}/status`
pub(crate) async fn status(State(api): State<Api>, Path(name): Path<String>) -> Answer<Json<StatusJson>> {
    Ok(Json(api.herder.status(&name).await?.into()))
}

/// `GET /connectors/{c}/tasks`
pub(crate) async fn tasks(State(api): State<Api>, Path(name): Path<String>) -> Answer<Json<Vec<TaskJson>>> {
    let configs = api.herder.task_configs(&name).await?;
    Ok(Json(
        (0..)
            .zip(configs)
            .map(|(task, config)| TaskJson::new(&name, task, config))
            .collect(),
    ))
}

/// `GET /connectors/{c}/tasks/{t}/status`
pub(crate) async fn task_status(
    State(api): State<Api>,
    Path((name, task)): Path<(String, String)>,
) -> Answer<Json<StateJson>> {
    match task_number(&task)? {
        Some(task) => Ok(Json(StateJson::task(task, api.herder.task_status(&name, task)?))),
        None => Err(RestError::new(
            StatusCode::NOT_FOUND,
            format!("No status found for task {name}-{task}"),
        )),
    }
}

/// A task segment that is no number names no resource; none for a negative one, which names no task.
fn task_number(text: &str) -> Answer<Option<u32>> {
    let number: i32 = text
        .parse()
        .map_err(|_| RestError::of_resource(StatusCode::NOT_FOUND))?;
    Ok(u32::try_from(number).ok())
}

/// `PUT /connectors/{c}/pause`: 202, written but not yet applied.
pub(crate) async fn pause(State(api): State<Api>, Path(name): Path<String>) -> Answer<StatusCode> {
    api.herder.set_target_state(&name, TargetState::Paused).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `PUT /connectors/{c}/resume`
pub(crate) async fn resume(State(api): State<Api>, Path(name): Path<String>) -> Answer<StatusCode> {
    api.herder.set_target_state(&name, TargetState::Started).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `PUT /connectors/{c}/stop`
pub(crate) async fn stop(
    State(api): State<Api>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<StatusCode> {
    let onward = bodiless(Method::PUT, connector_path(&name, "/stop"), &headers, query.as_deref());
    let stopped = api.herder.set_target_state(&name, TargetState::Stopped).await;
    api.forwarder.complete(stopped, onward).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /connectors/{c}/restart`: 204 for the plain form, 202 with the plan otherwise (KIP-745).
pub(crate) async fn restart(
    State(api): State<Api>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    let flag = |key: &str| {
        let given = query_values(query.as_deref(), key).into_iter().next();
        given.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    };
    let scope = RestartScope {
        include_tasks: flag("includeTasks"),
        only_failed: flag("onlyFailed"),
    };
    let mut onward = bodiless(
        Method::POST,
        connector_path(&name, "/restart"),
        &headers,
        query.as_deref(),
    );
    onward.query = vec![
        ("includeTasks", scope.include_tasks.to_string()),
        ("onlyFailed", scope.only_failed.to_string()),
    ];
    if !scope.include_tasks && !scope.only_failed {
        let restarted = api.herder.restart_connector(&name).await;
        api.forwarder.complete(restarted, onward).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let plan = api.herder.restart(&name, scope).await;
    Ok(match api.forwarder.complete(plan, onward).await? {
        Done::Here(plan) => (StatusCode::ACCEPTED, Json(StatusJson::from(plan))).into_response(),
        Done::There(answer) => passed_on(answer, HeaderMap::new()),
    })
}

/// `POST /connectors/{c}/tasks/{t}/restart`
pub(crate) async fn restart_task(
    State(api): State<Api>,
    Path((name, task)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<StatusCode> {
    // No task has the highest number, nor a negative one.
    let number = task_number(&task)?.unwrap_or(u32::MAX);
    let path = connector_path(&name, &format!("/tasks/{task}/restart"));
    let onward = bodiless(Method::POST, path, &headers, query.as_deref());
    let restarted = api.herder.restart_task(&name, number).await;
    api.forwarder.complete(restarted, onward).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All values of one query key, in order.
pub(crate) fn query_values(query: Option<&str>, key: &str) -> Vec<String> {
    let pairs = query
        .unwrap_or("")
        .split('&')
        .filter_map(|pair| pair.split_once('=').or(Some((pair, ""))));
    pairs
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_into_the_location() {
        assert_eq!(percent_encode("q rü+&=-1._~%?#"), "q%20r%C3%BC+&=-1._~%25%3F%23");
    }

    #[test]
    fn query_values_repeat_in_order() {
        assert_eq!(
            query_values(Some("expand=status&x=1&expand=info"), "expand"),
            ["status", "info"]
        );
        assert_eq!(query_values(None, "expand"), Vec::<String>::new());
    }

    #[test]
    fn a_name_in_the_config_must_be_the_one_addressed() {
        let mut config = ConfigMap::new();
        assert!(check_name("a", &mut config).is_ok());
        assert_eq!(config.get("name"), Some("a"));
        let refused = check_name("b", &mut config).err().map(|error| error.message);
        assert_eq!(
            refused.as_deref(),
            Some("Connector name configuration (a) doesn't match connector name in the URL (b)")
        );
    }
}
