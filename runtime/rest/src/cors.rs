//! Cross-origin requests of browsers, as Jetty's `CrossOriginHandler` answers them.
//!
//! Origins are patterns that must match as a whole, in any case; `*` is any. A preflight is answered and delivered all the same;
//! other origins get no headers and are served, which is what keeps a browser out.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use regex::{Regex, RegexBuilder};

const DEFAULT_METHODS: &str = "GET,POST,HEAD";
const PREFLIGHT_MAX_AGE: &str = "60";

/// Which origins may call, and how.
#[derive(Debug, Clone)]
pub struct Cors {
    /// None: any.
    patterns: Option<Vec<Regex>>,
    methods: HeaderValue,
}

impl Cors {
    /// Reads the two `access.control.allow.*` settings; none where no origin is allowed.
    ///
    /// *Errors*: a pattern that is none, or methods that are no header, by text.
    pub fn parse(origins: &str, methods: &str) -> Result<Option<Self>, String> {
        if origins.trim().is_empty() {
            return Ok(None);
        }
        let mut patterns = Some(Vec::new());
        for origin in origins.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
            if origin == "*" {
                patterns = None;
                break;
            }
            let pattern = RegexBuilder::new(&format!("^(?:{origin})$"))
                .case_insensitive(true)
                .build()
                .map_err(|error| format!("{origin:?} is no pattern of origins: {error}"))?;
            if let Some(patterns) = &mut patterns {
                patterns.push(pattern);
            }
        }
        let methods: Vec<&str> = match methods.trim() {
            "" => vec![DEFAULT_METHODS],
            given => given
                .split(',')
                .map(str::trim)
                .filter(|method| !method.is_empty())
                .collect(),
        };
        let methods = HeaderValue::from_str(&methods.join(",")).map_err(|_| format!("{methods:?} are no methods"))?;
        Ok(Some(Cors { patterns, methods }))
    }

    /// Headers of an answer to a request that names `origin`; none for an origin that is not allowed.
    fn answer(&self, origin: &HeaderValue, is_preflight: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !self.allows(origin) {
            return headers;
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if is_preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            let allowed = HeaderValue::from_static("Content-Type");
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            let max_age = HeaderValue::from_static(PREFLIGHT_MAX_AGE);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, max_age);
        }
        headers
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let Some(patterns) = &self.patterns else {
            return true;
        };
        let mut origins = origin
            .to_str()
            .unwrap_or("")
            .split(' ')
            .filter(|origin| !origin.is_empty());
        origins.any(|origin| patterns.iter().any(|pattern| pattern.is_match(origin)))
    }
}

/// Adds the headers to whatever is answered.
pub(crate) async fn cross_origin(State(cors): State<Arc<Cors>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.extend(cors.answer(&origin, is_preflight));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &str, methods: &str) -> Cors {
        Cors::parse(origins, methods).expect("valid").expect("on")
    }

    #[test]
    fn patterns_match_whole_origins_in_any_case() {
        let cors = cors(r"http://a.example,http://.*\.b\.example", "");
        for (origin, expected) in [
            ("http://a.example", true),
            ("HTTP://A.example", true),
            ("http://q.b.example", true),
            ("http://a.example.evil", false),
            ("http://c.example", false),
            ("http://c.example http://a.example", true),
        ] {
            assert_eq!(cors.allows(&HeaderValue::from_static(origin)), expected, "{origin}");
        }
    }

    #[test]
    fn a_preflight_names_methods_headers_and_age() {
        let origin = HeaderValue::from_static("http://a");
        let headers = cors("*", "GET, PUT").answer(&origin, true);
        let get = |name| headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(get(header::ACCESS_CONTROL_ALLOW_METHODS), Some("GET,PUT"));
        assert_eq!(get(header::ACCESS_CONTROL_ALLOW_HEADERS), Some("Content-Type"));
        assert_eq!(get(header::ACCESS_CONTROL_MAX_AGE), Some("60"));
        assert_eq!(cors("*", "").answer(&origin, false).len(), 1);
    }

    #[test]
    fn nothing_allowed_is_off_and_a_broken_pattern_is_named() {
        assert!(Cors::parse("  ", "GET").expect("valid").is_none());
        assert!(Cors::parse("*.b.example", "").is_err());
    }
}
