//! The request for one page
//!
//! Templates filled, parameters, paging and authentication put in place. A link to another origin gets neither
//! credentials nor configured headers.

use serde_json::Value;
use weir_feed::url::{Url, encoded};
use weir_sdk::api::error::ConnectError;
use weir_sdk::http::{Method, Request};

use crate::auth::Auth;
use crate::paging::Paging;
use crate::source_settings::{BodyType, RequestSettings};
use crate::template::Position;

/// What placeholders stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// `${offset.cursor}`.
    pub cursor: Option<String>,
    /// `${window.start}` and `${window.end}`.
    pub window: Option<(String, String)>,
    /// `${partition}`.
    pub partition: Option<String>,
    /// `${page.token}`.
    pub page: Option<String>,
}

impl Values {
    fn get(&self, settings: &RequestSettings, name: &str) -> Option<String> {
        match name {
            "offset.cursor" => self.cursor.clone(),
            "window.start" => self.window.as_ref().map(|(start, _)| start.clone()),
            "window.end" => self.window.as_ref().map(|(_, end)| end.clone()),
            "partition" => self.partition.clone(),
            "page.token" => self.page.clone(),
            _ => settings.config.get(name.strip_prefix("config.")?).cloned(),
        }
    }
}

/// Makes the request for a page.
///
/// # Errors
/// Fatal when a link leads to a host that is not allowed, or the body has no place for a token.
pub fn page_request(
    settings: &RequestSettings,
    paging: &Paging,
    auth: &Auth,
    values: &Values,
) -> Result<Request, ConnectError> {
    let value_of = |name: &str| values.get(settings, name);
    let fatal = |reason: String| ConnectError::fatal(format!("the request cannot be made: {reason}"));
    let first = Url::parse(&settings.url.render(Position::Url, &value_of)).map_err(fatal)?;
    let page = values.page.as_deref();
    let mut url = first.clone();
    let is_link = matches!(paging, Paging::NextLink { .. }) && page.is_some();
    if !is_link {
        for (name, template) in settings
            .params
            .iter()
            .filter(|(_, template)| !template.lacks(&value_of))
        {
            set_param(&mut url, name, &template.render(Position::Url, &value_of));
        }
    }
    paging.place(page, &mut url).map_err(fatal)?;
    if is_link {
        settings
            .hosts
            .check(&url)
            .map_err(|reason| ConnectError::fatal(format!("the link to the next page: {reason}")))?;
    }
    let mut request = Request::new(settings.method, "");
    if is_link && !first.is_same_origin(&url) {
        request.method = Method::Get;
        request.url = url.to_string();
        return Ok(request);
    }
    for (name, template) in settings
        .headers
        .iter()
        .filter(|(_, template)| !template.lacks(&value_of))
    {
        request = request.with_header(name, &template.render(Position::Header, &value_of));
    }
    if let Some(template) = &settings.body {
        let body = template.render(body_position(settings.body_type), &value_of);
        request.body = placed(paging, page, body).map_err(fatal)?.into_bytes();
        if request.header("content-type").is_none() {
            request = request.with_header("Content-Type", content_type(settings.body_type));
        }
    }
    auth.apply(&mut request, &mut url);
    request.url = url.to_string();
    Ok(request)
}

/// Sets a parameter whose value is encoded already.
fn set_param(url: &mut Url, name: &str, value: &str) {
    let name_text = encoded(name);
    let pairs = url.query.take().unwrap_or_default();
    let kept: Vec<&str> = pairs
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name_text.as_str()))
        .collect();
    url.query = (!kept.is_empty()).then(|| kept.join("&"));
    url.push_raw_param(name, value);
}

fn placed(paging: &Paging, page: Option<&str>, body: String) -> Result<String, String> {
    let goes_into_body = matches!(
        paging,
        Paging::Cursor {
            to: crate::paging::TokenTarget::Body(_),
            ..
        }
    );
    if !goes_into_body || page.is_none() {
        return Ok(body);
    }
    let mut json: Value = serde_json::from_str(&body).map_err(|error| format!("the body is not JSON: {error}"))?;
    paging.place_in_body(page, &mut json)?;
    Ok(json.to_string())
}

/// How values are escaped in a body.
pub fn body_position(body_type: BodyType) -> Position {
    match body_type {
        BodyType::Json => Position::Json,
        BodyType::Form => Position::Url,
        BodyType::Text => Position::Plain,
    }
}

/// What a body is called.
pub fn content_type(body_type: BodyType) -> &'static str {
    match body_type {
        BodyType::Json => "application/json",
        BodyType::Form => "application/x-www-form-urlencoded",
        BodyType::Text => "text/plain; charset=utf-8",
    }
}
