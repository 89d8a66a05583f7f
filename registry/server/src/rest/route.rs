//! Paths to resources, and what HTTP itself refuses
//!
//! One table of paths; a known path with another method is 405, an unknown one 404. Types are negotiated, bodies capped, and a slow
//! request ends with its time. Source: `ContextFilter`, `AliasFilter`, Jersey's own answers.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt;

use crate::refusal::Refusal;
use crate::registry_config::{Cors, HttpSettings};
use crate::rest::call::{Answer, Api, Call, Query, Reply, decode, json};
use crate::rest::negotiation::{PRODUCED, answer_type, is_body_type};
use crate::rest::{compatibility, config, contexts, error, metadata, mode, schemas, subjects, tags};
use crate::subject::DEFAULT_CONTEXT;

/// How much beyond its cap a body is read before the connection is given up.
const DRAINED_BYTES: usize = 4 * 1024 * 1024;

/// The whole API with its bounds.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) api: Api,
    pub(crate) http: HttpSettings,
}

/// Answers any request.
pub(crate) async fn serve(State(service): State<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let accept = header_text(&parts.headers, header::ACCEPT);
    let media = answer_type(accept.as_deref());
    let is_head = parts.method == Method::HEAD;
    let method = if is_head { Method::GET } else { parts.method };
    let path = parts.uri.path();
    let resource = Resource::parse(path);
    let mut extra = HeaderMap::new();
    let outcome = if method == Method::OPTIONS {
        allow(&mut extra, &resource);
        Ok(Reply::NoContent)
    } else if media.is_none() {
        Err(Refusal::http(406))
    } else {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let content_type = header_text(&parts.headers, header::CONTENT_TYPE);
        match route(&service, method, &resource, query, content_type.as_deref(), body).await {
            Err(refusal) if error::status(&refusal) == 405 => {
                allow(&mut extra, &resource);
                Err(refusal)
            }
            outcome => outcome,
        }
    };
    let mut response = form(outcome, media.unwrap_or(PRODUCED[0]), is_head);
    response.headers_mut().extend(extra);
    if let Some(cors) = &service.http.cors {
        allow_origin(response.headers_mut(), cors);
    }
    response
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

async fn route(
    service: &Service,
    method: Method,
    resource: &Result<Routed, Refusal>,
    query: Query,
    content_type: Option<&str>,
    body: Body,
) -> Answer {
    let routed = resource.as_ref().map_err(Clone::clone)?;
    if !routed.resource.methods().contains(&method) {
        return Err(Refusal::http(405));
    }
    if matches!(method, Method::POST | Method::PUT) && !is_body_type(content_type) {
        return Err(Refusal::http(415));
    }
    let work = async {
        let body = read_body(body, service.http.max_body_bytes).await?;
        let call = Call::new(routed.context.clone(), query, body);
        answer(&service.api, &method, &routed.resource, &call).await
    };
    within(service.http.request_timeout, work).await
}

async fn within(limit: Duration, work: impl Future<Output = Answer>) -> Answer {
    if limit.is_zero() {
        return work.await;
    }
    let timed_out = |_| Refusal::http(408);
    tokio::time::timeout(limit, work).await.map_err(timed_out)?
}

/// Reads a body up to the cap. What is a little larger is read and thrown away, so that the client gets to see its answer.
async fn read_body(mut body: Body, max_bytes: usize) -> Result<Bytes, Refusal> {
    let mut collected = Vec::new();
    let mut size = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::bad_request("the request body was cut off"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size = size.saturating_add(data.len());
        if size <= max_bytes {
            collected.extend_from_slice(&data);
        } else if size > max_bytes.saturating_add(DRAINED_BYTES) {
            break;
        }
    }
    if size <= max_bytes {
        return Ok(Bytes::from(collected));
    }
    Err(Refusal::Http {
        status: 413,
        message: Some(format!("Request body is larger than {max_bytes} bytes")),
    })
}

fn form(outcome: Answer, media: &'static str, is_head: bool) -> Response {
    let (status, bytes) = match outcome {
        Ok(Reply::Json(bytes)) => (200, Bytes::from(bytes)),
        Ok(Reply::Raw(text)) => (200, Bytes::copy_from_slice(text.as_bytes())),
        Ok(Reply::NoContent) => (204, Bytes::new()),
        Err(refusal) => {
            let body = serde_json::to_vec(&error::body(&refusal)).unwrap_or_default();
            (error::status(&refusal), Bytes::from(body))
        }
    };
    let has_body = !bytes.is_empty();
    let length = bytes.len();
    let mut response = Response::new(if is_head { Body::empty() } else { Body::from(bytes) });
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if has_body {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    }
    if is_head {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

fn allow(headers: &mut HeaderMap, resource: &Result<Routed, Refusal>) {
    let methods = resource
        .as_ref()
        .map(|routed| routed.resource.methods())
        .unwrap_or_default();
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if methods.contains(&Method::GET) {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    if let Ok(value) = HeaderValue::from_str(&names.join(",")) {
        headers.insert(header::ALLOW, value);
    }
}

fn allow_origin(headers: &mut HeaderMap, cors: &Cors) {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, &cors.origin),
        (header::ACCESS_CONTROL_ALLOW_METHODS, &cors.methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, &cors.headers),
    ] {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
}

/// A path without its context prefix.
#[derive(Debug)]
struct Routed {
    context: String,
    resource: Resource,
}

/// What a path names; segments are decoded.
#[derive(Debug, PartialEq, Eq)]
enum Resource {
    Root,
    Subjects,
    Subject(String),
    SubjectMetadata(String),
    Versions(String),
    Version(String, String),
    VersionSchema(String, String),
    ReferencedBy(String, String),
    Tags(String, String),
    Schemas,
    SchemaTypes,
    SchemaById(i32),
    SchemaTextById(i32),
    SubjectsOfId(i32),
    VersionsOfId(i32),
    SchemaByGuid(String),
    IdsOfGuid(String),
    CompatibilityAll(String),
    CompatibilityOne(String, String),
    Config(Option<String>),
    Mode(Option<String>),
    Contexts,
    Context(String),
    ClusterId,
    ServerVersion,
    Deployment,
}

impl Resource {
    /// Takes a raw path apart.
    ///
    /// *Errors*: 404; 400 for a context that cannot be one.
    fn parse(path: &str) -> Result<Routed, Refusal> {
        let trimmed = path.strip_prefix('/').unwrap_or(path);
        let mut segments: Vec<String> = trimmed.split('/').map(decode).collect();
        // A trailing slash names the same; an empty segment in the midst is the empty subject.
        if segments.last().is_some_and(String::is_empty) {
            segments.pop();
        }
        let mut segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let mut context = DEFAULT_CONTEXT.to_owned();
        if let ["contexts", name, rest @ ..] = segments.as_slice()
            && !rest.is_empty()
        {
            context = context_name(name)?;
            segments = rest.to_vec();
        }
        let resource = Self::of(&segments).ok_or_else(|| Refusal::http(404))?;
        Ok(Routed { context, resource })
    }

    fn of(segments: &[&str]) -> Option<Self> {
        let text = |segment: &str| segment.to_owned();
        let id = |segment: &str| segment.parse::<i32>().ok();
        Some(match segments {
            [] => Self::Root,
            ["subjects"] => Self::Subjects,
            ["subjects", s] => Self::Subject(text(s)),
            ["subjects", s, "metadata"] => Self::SubjectMetadata(text(s)),
            ["subjects", s, "versions"] => Self::Versions(text(s)),
            ["subjects", s, "versions", v] => Self::Version(text(s), text(v)),
            ["subjects", s, "versions", v, "schema"] => Self::VersionSchema(text(s), text(v)),
            ["subjects", s, "versions", v, "referencedby"] => Self::ReferencedBy(text(s), text(v)),
            ["subjects", s, "versions", v, "tags"] => Self::Tags(text(s), text(v)),
            ["schemas"] => Self::Schemas,
            ["schemas", "types"] => Self::SchemaTypes,
            ["schemas", "ids", n] => Self::SchemaById(id(n)?),
            ["schemas", "ids", n, "schema"] => Self::SchemaTextById(id(n)?),
            ["schemas", "ids", n, "subjects"] => Self::SubjectsOfId(id(n)?),
            ["schemas", "ids", n, "versions"] => Self::VersionsOfId(id(n)?),
            ["schemas", "guids", guid] => Self::SchemaByGuid(text(guid)),
            ["schemas", "guids", guid, "ids"] => Self::IdsOfGuid(text(guid)),
            ["compatibility", "subjects", s, "versions"] => Self::CompatibilityAll(text(s)),
            ["compatibility", "subjects", s, "versions", v] => Self::CompatibilityOne(text(s), text(v)),
            ["config"] => Self::Config(None),
            ["config", s] => Self::Config(Some(text(s))),
            ["mode"] => Self::Mode(None),
            ["mode", s] => Self::Mode(Some(text(s))),
            ["contexts"] => Self::Contexts,
            ["contexts", c] => Self::Context(text(c)),
            ["v1", "metadata", "id"] => Self::ClusterId,
            ["v1", "metadata", "version"] => Self::ServerVersion,
            ["v1", "metadata", "deployment"] => Self::Deployment,
            _ => return None,
        })
    }

    fn methods(&self) -> &'static [Method] {
        match self {
            Self::Root => &[Method::GET, Method::POST],
            Self::Subject(_) => &[Method::POST, Method::DELETE],
            Self::Versions(_) => &[Method::GET, Method::POST],
            Self::Version(..) => &[Method::GET, Method::DELETE],
            Self::Tags(..) | Self::CompatibilityAll(_) | Self::CompatibilityOne(..) => &[Method::POST],
            Self::Config(_) | Self::Mode(_) => &[Method::GET, Method::PUT, Method::DELETE],
            Self::Context(_) => &[Method::DELETE],
            Self::Subjects
            | Self::SubjectMetadata(_)
            | Self::VersionSchema(..)
            | Self::ReferencedBy(..)
            | Self::Schemas
            | Self::SchemaTypes
            | Self::SchemaById(_)
            | Self::SchemaTextById(_)
            | Self::SubjectsOfId(_)
            | Self::VersionsOfId(_)
            | Self::SchemaByGuid(_)
            | Self::IdsOfGuid(_)
            | Self::Contexts
            | Self::ClusterId
            | Self::ServerVersion
            | Self::Deployment => &[Method::GET],
        }
    }
}

/// Reads the `{c}` of `/contexts/{c}`; `:.name:` is taken too.
pub(crate) fn context_name(segment: &str) -> Result<String, Refusal> {
    let bare = segment
        .strip_prefix(':')
        .and_then(|rest| rest.strip_suffix(':'))
        .unwrap_or(segment);
    if bare.contains(':') || bare.is_empty() {
        return Err(Refusal::bad_request(format!("Invalid context '{segment}'")));
    }
    Ok(if bare.starts_with('.') {
        bare.to_owned()
    } else {
        format!(".{bare}")
    })
}

async fn answer(api: &Api, method: &Method, resource: &Resource, call: &Call) -> Answer {
    let (is_get, is_delete) = (*method == Method::GET, *method == Method::DELETE);
    match resource {
        Resource::Root if is_get => json(&serde_json::Map::new()),
        Resource::Root => metadata::echo(call),
        Resource::Subjects => subjects::list(api, call),
        Resource::Subject(s) if is_delete => subjects::delete(api, call, s).await,
        Resource::Subject(s) => subjects::look_up(api, call, s).await,
        Resource::SubjectMetadata(s) => subjects::by_metadata(api, call, s),
        Resource::Versions(s) if is_get => subjects::versions(api, call, s),
        Resource::Versions(s) => subjects::register(api, call, s).await,
        Resource::Version(s, v) if is_get => subjects::version(api, call, s, v),
        Resource::Version(s, v) => subjects::delete_version(api, call, s, v).await,
        Resource::VersionSchema(s, v) => subjects::version_text(api, call, s, v),
        Resource::ReferencedBy(s, v) => subjects::referenced_by(api, call, s, v),
        Resource::Tags(s, v) => tags::modify(api, call, s, v).await,
        Resource::Schemas => schemas::list(api, call),
        Resource::SchemaTypes => schemas::types(),
        Resource::SchemaById(id) => schemas::by_id(api, call, *id),
        Resource::SchemaTextById(id) => schemas::text_by_id(api, call, *id),
        Resource::SubjectsOfId(id) => schemas::subjects_of(api, call, *id),
        Resource::VersionsOfId(id) => schemas::versions_of(api, call, *id),
        Resource::SchemaByGuid(guid) => schemas::by_guid(api, call, guid),
        Resource::IdsOfGuid(guid) => schemas::ids_of(api, guid),
        Resource::CompatibilityAll(s) => compatibility::with_all(api, call, s).await,
        Resource::CompatibilityOne(s, v) => compatibility::with_one(api, call, s, v).await,
        Resource::Config(s) if is_get => config::get(api, call, s.as_deref()),
        Resource::Config(s) if is_delete => config::delete(api, call, s.as_deref()).await,
        Resource::Config(s) => config::put(api, call, s.as_deref()).await,
        Resource::Mode(s) if is_get => mode::get(api, call, s.as_deref()),
        Resource::Mode(s) if is_delete => mode::delete(api, call, s.as_deref()).await,
        Resource::Mode(s) => mode::put(api, call, s.as_deref()).await,
        Resource::Contexts => contexts::list(api, call),
        Resource::Context(c) => contexts::delete(api, c).await,
        Resource::ClusterId => metadata::cluster_id(api),
        Resource::ServerVersion => metadata::version(),
        Resource::Deployment => metadata::deployment(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Result<(String, Resource), u32> {
        match Resource::parse(path) {
            Ok(routed) => Ok((routed.context, routed.resource)),
            Err(refusal) => Err(error::error_code(&refusal)),
        }
    }

    #[test]
    fn paths_name_resources_with_and_without_a_context() {
        let s = || "s".to_owned();
        for (path, context, resource) in [
            ("/", ".", Resource::Root),
            ("", ".", Resource::Root),
            ("/subjects", ".", Resource::Subjects),
            ("/subjects/", ".", Resource::Subjects),
            ("/subjects/a%2Fb/versions", ".", Resource::Versions("a/b".to_owned())),
            ("/subjects//versions", ".", Resource::Versions(String::new())),
            (
                "/subjects/s/versions/latest/",
                ".",
                Resource::Version(s(), "latest".to_owned()),
            ),
            ("/contexts", ".", Resource::Contexts),
            ("/contexts/.c", ".", Resource::Context(".c".to_owned())),
            ("/contexts/.c/", ".", Resource::Context(".c".to_owned())),
            ("/contexts/.c/subjects/s", ".c", Resource::Subject(s())),
            ("/contexts/c/config", ".c", Resource::Config(None)),
            ("/contexts/%3A.c%3A/mode/s", ".c", Resource::Mode(Some(s()))),
            ("/schemas/ids/7/versions", ".", Resource::VersionsOfId(7)),
            (
                "/compatibility/subjects/s/versions",
                ".",
                Resource::CompatibilityAll(s()),
            ),
        ] {
            assert_eq!(parse(path), Ok((context.to_owned(), resource)), "{path}");
        }
    }

    #[test]
    fn unknown_paths_and_bad_contexts_are_refused() {
        for (path, code) in [
            ("/nobody", 404),
            ("/schemas/ids/x", 404),
            ("/schemas/ids/99999999999", 404),
            ("/associations/subjects/s", 404),
            ("/subjects/s/versions/1/x", 404),
            ("/contexts/a:b/subjects", 400),
            ("/contexts//subjects", 400),
        ] {
            assert_eq!(parse(path), Err(code), "{path}");
        }
    }
}
