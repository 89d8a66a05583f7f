//! Error bodies in X's four shapes
//!
//! Problem, problem with a list, the older list and the older single object. One function an error that the service
//! is known to answer.

use serde_json::{Value, json};

use crate::service::FakeResponse;

const TYPES: &str = "https://api.x.com/2/problems/";

fn problem(status: u16, kind: &str, title: &str, detail: &str) -> FakeResponse {
    let kind = if kind == "about:blank" {
        kind.to_owned()
    } else {
        format!("{TYPES}{kind}")
    };
    FakeResponse::json(
        status,
        &json!({"title": title, "detail": detail, "type": kind, "status": status}),
    )
}

/// A parameter is wrong: a problem with a list.
pub fn invalid_request(parameter: &str, value: &str, message: &str) -> FakeResponse {
    FakeResponse::json(
        400,
        &json!({
            "errors": [{"parameters": {parameter: [value]}, "message": message}],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": format!("{TYPES}invalid-request"),
        }),
    )
}

/// The credentials are wrong.
pub fn unauthorized() -> FakeResponse {
    FakeResponse::json(
        401,
        &json!({"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}),
    )
}

/// The app may not use this endpoint.
pub fn client_forbidden(reason: &str) -> FakeResponse {
    FakeResponse::json(
        403,
        &json!({
            "title": "Client Forbidden", "reason": reason, "client_id": "1", "status": 403,
            "detail": "This request must be made using an approved developer account that is enrolled in the requested endpoint.",
            "type": format!("{TYPES}client-forbidden"), "registration_url": "https://developer.x.com/en/docs/projects/overview",
        }),
    )
}

/// There is no such path.
pub fn not_found(path: &str) -> FakeResponse {
    problem(404, "about:blank", "Not Found", &format!("{path} was not found"))
}

/// The limit of the window is used up: the headers say until when.
pub fn too_many_requests() -> FakeResponse {
    problem(429, "about:blank", "Too Many Requests", "Too Many Requests")
}

/// The limit is used up, in the older list.
pub fn legacy_limit() -> FakeResponse {
    FakeResponse::json(
        429,
        &json!({"errors": [{"code": 88, "message": "Rate limit exceeded"}]}),
    )
}

/// The credentials are wrong, as the older single object.
pub fn legacy_unauthorized() -> FakeResponse {
    FakeResponse::json(401, &json!({"code": 32, "message": "Could not authenticate you."}))
}

/// The account's posts of the month are used up.
pub fn usage_capped(status: u16) -> FakeResponse {
    FakeResponse::json(
        status,
        &json!({
            "account_id": 1, "product_name": "standard-basic", "title": "UsageCapExceeded", "period": "Monthly",
            "scope": "Product", "detail": "Usage cap exceeded: Monthly product cap",
            "type": format!("{TYPES}usage-capped"),
        }),
    )
}

/// Another connection is open.
pub fn too_many_connections() -> FakeResponse {
    FakeResponse::json(
        429,
        &json!({
            "title": "ConnectionException", "connection_issue": "TooManyConnections",
            "detail": "This stream is currently at the maximum allowed connection limit.",
            "type": format!("{TYPES}streaming-connection"),
        }),
    )
}

/// A stream without rules.
pub fn no_rules() -> FakeResponse {
    FakeResponse::json(
        409,
        &json!({
            "title": "RulesMissing", "status": 409, "type": format!("{TYPES}rule-missing"),
            "detail": "No rules are defined; add at least one rule before connecting",
        }),
    )
}

/// Something broke inside.
pub fn internal() -> FakeResponse {
    problem(500, "about:blank", "Internal Server Error", "Something is broken")
}

/// An edge server answers in place of the service.
pub fn unavailable() -> FakeResponse {
    FakeResponse::bytes(
        503,
        "text/html",
        b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>".to_vec(),
    )
}

/// The key or the secret of the app is wrong.
pub fn bad_app_credentials() -> FakeResponse {
    FakeResponse::json(
        403,
        &json!({"errors": [{
            "code": 99, "message": "Unable to verify your credentials", "label": "authenticity_token_error",
        }]}),
    )
}

/// A user that is not there, as an entry of `errors` beside an answer.
pub fn no_such_user(parameter: &str, value: &str) -> Value {
    json!({
        "value": value, "detail": format!("Could not find user with {parameter}: [{value}]."),
        "title": "Not Found Error", "resource_type": "user", "parameter": parameter, "resource_id": value,
        "type": format!("{TYPES}resource-not-found"),
    })
}

/// A user that may not be read, as an entry of `errors` beside an answer.
pub fn protected_user(id: &str) -> Value {
    json!({
        "value": id, "detail": format!("Sorry, you are not authorized to see the user with id: [{id}]."),
        "title": "Authorization Error", "resource_type": "user", "parameter": "id", "resource_id": id,
        "type": format!("{TYPES}not-authorized-for-resource"),
    })
}

/// A suspended user.
pub fn suspended_user(name: &str) -> FakeResponse {
    FakeResponse::json(
        403,
        &json!({
            "title": "Forbidden", "status": 403, "value": name, "resource_type": "user",
            "detail": format!("User has been suspended: [{name}]."),
            "type": format!("{TYPES}resource-unavailable"),
        }),
    )
}

/// The stream's own end.
pub fn operational_disconnect() -> Value {
    json!({"errors": [{
        "title": "operational-disconnect", "disconnect_type": "UpstreamOperationalDisconnect",
        "detail": "This stream has been disconnected upstream for operational reasons.",
        "type": format!("{TYPES}operational-disconnect"),
    }]})
}
