//! What happens to a request before and after its resource (connect.md A.1).
//!
//! Suspicious paths end with the HTML page of Connect's server, path parameters and a trailing slash are dropped, media types are
//! checked once path and method are known, and unknown methods, OPTIONS included, get Connect's answers.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::RestError;

const JSON: &str = "application/json";
/// Methods in the order in which Connect lists them.
const METHODS: [&str; 7] = ["HEAD", "DELETE", "POST", "GET", "OPTIONS", "PUT", "PATCH"];

/// Refuses paths that two readers could understand differently.
pub(crate) async fn refuse_ambiguous_paths(request: Request, next: Next) -> Response {
    let Some(refusal) = ambiguity(request.uri().path()) else {
        return next.run(request).await;
    };
    let method = request.method();
    let mut response = StatusCode::BAD_REQUEST.into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    let uncached = HeaderValue::from_static("must-revalidate,no-cache,no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, uncached);
    if matches!(*method, Method::GET | Method::POST | Method::HEAD) {
        let html = HeaderValue::from_static("text/html;charset=iso-8859-1");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        *response.body_mut() = Body::from(refusal.page());
    }
    response
}

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refusal {
    message: &'static str,
    uri: &'static str,
}

impl Refusal {
    fn uri(message: &'static str) -> Self {
        Refusal {
            message,
            uri: "/badURI",
        }
    }

    fn page(self) -> String {
        let Refusal { message, uri } = self;
        format!(
            "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>\n<title>Error 400 {message}</title>\n</head>\n<body>\n<h2>HTTP ERROR 400 {message}</h2>\n<table>\n<tr><th>URI:</th><td>{uri}</td></tr>\n<tr><th>STATUS:</th><td>400</td></tr>\n<tr><th>MESSAGE:</th><td>{message}</td></tr>\n</table>\n\n</body>\n</html>\n"
        )
    }
}

fn ambiguity(path: &str) -> Option<Refusal> {
    let malformed = Refusal {
        message: "Bad Request",
        uri: "/badMessage",
    };
    let mut found = None;
    for segment in path.split('/') {
        let mut rest = segment;
        while let Some((_, encoded)) = rest.split_once('%') {
            let Some(byte) = encoded.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) else {
                return Some(malformed);
            };
            match byte {
                0 => return Some(malformed),
                b'/' => found = found.or(Some(Refusal::uri("Ambiguous URI path separator"))),
                b'%' => found = found.or(Some(Refusal::uri("Ambiguous URI path encoding"))),
                b'\\' | 0x01..0x20 | 0x7f => found = found.or(Some(Refusal::uri("Suspicious Path Character"))),
                _ => {}
            }
            rest = encoded.get(2..).unwrap_or("");
        }
        let dots = segment.to_ascii_lowercase().replace("%2e", ".");
        if segment.contains('%') && matches!(dots.as_str(), "." | "..") {
            found = found.or(Some(Refusal::uri("Ambiguous URI path segment")));
        }
    }
    // A slash at the end is no empty segment, two of them are.
    found.or_else(|| path.contains("//").then(|| Refusal::uri("Ambiguous URI empty segment")))
}

/// `/connectors/` is the same resource as `/connectors`, and `/connectors/a;b` as `/connectors/a`.
pub(crate) async fn plain_path(mut request: Request) -> Request {
    let path = request.uri().path();
    let plain: Vec<&str> = path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or(""))
        .collect();
    let plain = plain.join("/");
    let trimmed = plain.trim_end_matches('/');
    let trimmed = if trimmed.is_empty() { "/" } else { trimmed };
    if trimmed == path {
        return request;
    }
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    if let Ok(uri) = target.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

/// Resources that take and give JSON refuse a body of another type, and clients that take none.
pub(crate) async fn json_only(request: Request, next: Next) -> Response {
    if let Some(given) = text(request.headers(), header::CONTENT_TYPE)
        && !is_json(given)
    {
        return RestError::http(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response();
    }
    json_answer(request, next).await
}

/// Resources that give JSON refuse clients that take none.
pub(crate) async fn json_answer(request: Request, next: Next) -> Response {
    let accepted = request.headers().get_all(header::ACCEPT).iter();
    let accepted: Vec<&str> = accepted.filter_map(|value| value.to_str().ok()).collect();
    if !accepted.is_empty() && !accepted.iter().any(|list| list.split(',').any(is_json)) {
        return RestError::http(StatusCode::NOT_ACCEPTABLE).into_response();
    }
    next.run(request).await
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `application/json`, or a range that includes it; parameters do not matter.
fn is_json(range: &str) -> bool {
    let media = range.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    matches!(media.as_str(), JSON | "*/*" | "application/*" | "*")
}

/// What axum answers by itself gets Connect's bodies.
pub(crate) async fn connects_answers(request: Request, next: Next) -> Response {
    let options = request.method() == Method::OPTIONS;
    let wants_text =
        text(request.headers(), header::ACCEPT).is_none_or(|accept| accept.contains("*/*") || accept.contains("text/"));
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    if !options {
        return RestError::http(StatusCode::METHOD_NOT_ALLOWED).into_response();
    }
    let allowed = text(response.headers(), header::ALLOW).unwrap_or("");
    let known: Vec<&str> = METHODS
        .into_iter()
        .filter(|method| *method == "OPTIONS" || allowed.split(',').any(|known| known.trim() == *method))
        .collect();
    let media = if wants_text { "text/plain" } else { JSON };
    let body = if wants_text { known.join(", ") } else { String::new() };
    let headers = [
        (header::ALLOW, known.join(",")),
        (header::CONTENT_TYPE, media.to_owned()),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_two_meanings_are_refused_in_the_servers_words() {
        for (path, expected) in [
            ("/connectors/a%2Fb", Some("Ambiguous URI path separator")),
            ("/connectors/..%2f", Some("Ambiguous URI path separator")),
            ("/connectors/a%5Cb/status", Some("Suspicious Path Character")),
            ("/connectors/s%0a1", Some("Suspicious Path Character")),
            ("/connectors//x", Some("Ambiguous URI empty segment")),
            ("//connectors", Some("Ambiguous URI empty segment")),
            ("/connectors/%2e%2E/status", Some("Ambiguous URI path segment")),
            ("/connectors/s%251/status", Some("Ambiguous URI path encoding")),
            ("/connectors/s%zz1", Some("Bad Request")),
            ("/connectors/s%001", Some("Bad Request")),
            ("/connectors/s%1", Some("Bad Request")),
            ("/connectors/a%20b/status", None),
            ("/connectors/%C3%BC.x/", None),
            ("/", None),
        ] {
            assert_eq!(ambiguity(path).map(|refusal| refusal.message), expected, "{path}");
        }
    }

    #[test]
    fn json_is_json_with_parameters_and_within_ranges() {
        for (media, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("*/*", true),
            ("text/plain", false),
            ("application/jsonx", false),
            ("", false),
        ] {
            assert_eq!(is_json(media), expected, "{media}");
        }
    }
}
