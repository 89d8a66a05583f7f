//! The settings of the sink

use weir_feed::settings::{Access, Defaults, client_keys, retry_keys};
use weir_feed::time::ResetFormat;
use weir_sdk::config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::http::Method;

use crate::auth::AuthKind;
use crate::auth_config::{self, auth_keys};
use crate::batch_shape::Shape;
use crate::problems::Problems;
use crate::request_config::{check_path_secrets, config_values, parse_pairs, read_hosts, read_rules};
use crate::rules::{LimitHeaders, Rules};
use crate::source_config::{HEADERS, METHOD, URL, request_keys};
use crate::template::Template;

/// Records of one request.
pub const BATCH_MAX_RECORDS: &str = "http.batch.max.records";
/// Bytes of one request.
pub const BATCH_MAX_BYTES: &str = "http.batch.max.bytes";
/// How records are put into a body.
pub const BATCH_FORMAT: &str = "http.batch.format";
/// One record in the body.
pub const BODY_TEMPLATE: &str = "http.body.template";
/// Content type.
pub const CONTENT_TYPE: &str = "http.content.type";
/// What happens to records without value.
pub const TOMBSTONES: &str = "http.tombstones";
/// What happens to records that the service refuses.
pub const ON_REFUSED: &str = "http.on.refused";

/// Defines the settings.
pub fn definition() -> ConfigDef {
    let defaults = Defaults {
        poll_interval_ms: 1,
        rate_requests: 0,
        rate_per_ms: 1_000,
    };
    let def = request_keys(ConfigDef::new(), "POST", &["POST", "PUT", "PATCH", "DELETE"]);
    let def = batch_keys(auth_keys(def));
    retry_keys(client_keys(def), defaults)
}

fn batch_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::int(BATCH_MAX_RECORDS)
            .default("1")
            .validator(Validator::between(1, 100_000))
            .importance(Importance::High)
            .doc("Records of one request; records that differ in URL or headers go apart"),
    )
    .key(
        ConfigKey::int(BATCH_MAX_BYTES)
            .default("1048576")
            .validator(Validator::at_least(1))
            .doc("Bytes of one request's body; a larger record goes alone"),
    )
    .key(
        ConfigKey::text(BATCH_FORMAT)
            .default("json_array")
            .validator(Validator::one_of(&Shape::NAMES))
            .doc("How several records are put into a body: json_array, json_lines or text, one a line"),
    )
    .key(
        ConfigKey::text(BODY_TEMPLATE)
            .default_null()
            .doc("One record in the body, with placeholders ${key}, ${value}, ${value.FIELD}, ${topic}, ${timestamp}; the value as JSON unless given"),
    )
    .key(
        ConfigKey::text(CONTENT_TYPE)
            .default_null()
            .doc("Content type of requests; that of the format unless given"),
    )
    .key(
        ConfigKey::text(TOMBSTONES)
            .default("skip")
            .validator(Validator::one_of(&["skip", "delete", "send", "fail"]))
            .doc("What happens to a record without value: leave it out, send a DELETE to its URL, send it like others, or fail"),
    )
    .key(
        ConfigKey::text(ON_REFUSED)
            .default("report")
            .validator(Validator::one_of(&["report", "fail", "ignore"]))
            .doc("What happens to records that the service refuses: report them where errors are tolerated and fail otherwise, fail, or leave them out"),
    )
}

/// What happens to a record without value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// It is left out.
    Skip,
    /// A DELETE goes to its URL.
    Delete,
    /// It goes like others.
    Send,
    /// It is refused.
    Fail,
}

impl Tombstones {
    fn parse(name: Option<&str>) -> Self {
        match name {
            Some("delete") => Self::Delete,
            Some("send") => Self::Send,
            Some("fail") => Self::Fail,
            _ => Self::Skip,
        }
    }
}

/// What happens to records that the service refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRefused {
    /// They are reported; the task fails where nobody takes reports.
    Report,
    /// The task fails.
    Fail,
    /// They are left out.
    Ignore,
}

impl OnRefused {
    fn parse(name: Option<&str>) -> Self {
        match name {
            Some("fail") => Self::Fail,
            Some("ignore") => Self::Ignore,
            _ => Self::Report,
        }
    }
}

/// The settings of the sink.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What the client needs.
    pub access: Access,
    /// Where to.
    pub url: Template,
    /// How.
    pub method: Method,
    /// Headers.
    pub headers: Vec<(String, Template)>,
    /// Values of `${config.KEY}`.
    pub config: std::collections::BTreeMap<String, String>,
    /// Hosts of redirects.
    pub hosts: weir_feed::url::Hosts,
    /// Authentication.
    pub auth: AuthKind,
    /// What answers mean.
    pub rules: Rules,
    /// Records of one request.
    pub max_records: usize,
    /// Bytes of one request.
    pub max_bytes: usize,
    /// How they are put together.
    pub shape: Shape,
    /// One record.
    pub body: Option<Template>,
    /// Content type.
    pub content_type: String,
    /// Records without value.
    pub tombstones: Tombstones,
    /// Records refused.
    pub on_refused: OnRefused,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// All problems.
    pub fn parse(config: &ConfigMap) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let settings = Self::read(config, &mut problems);
        match settings {
            Some(settings) if problems.is_empty() => Ok(settings),
            _ => Err(problems),
        }
    }

    fn read(config: &ConfigMap, problems: &mut Problems) -> Option<Self> {
        let def = definition();
        let parsed = match def.parse(config) {
            Ok(parsed) => parsed,
            Err(error) => {
                problems.push_text(URL, error.to_string());
                return None;
            }
        };
        let text = |key: &str| parsed.opt_text(key).filter(|text| !text.trim().is_empty());
        let url_text = text(URL).unwrap_or_default();
        let url = template(URL, url_text, config, problems);
        let hosts = read_hosts(&parsed, url_text, problems);
        let auth = auth_config::parse(&parsed, config, problems);
        let limits = LimitHeaders {
            remaining: "RateLimit-Remaining".to_owned(),
            reset: "RateLimit-Reset".to_owned(),
            format: ResetFormat::Auto,
        };
        let rules = read_rules(&parsed, problems, limits);
        let headers = text(HEADERS).unwrap_or_default();
        let headers = problems.keep(HEADERS, headers, parse_pairs(headers));
        let headers: Option<Vec<(String, Template)>> = headers?
            .into_iter()
            .map(|(name, value)| template(HEADERS, &value, config, problems).map(|value| (name, value)))
            .collect();
        let body = match text(BODY_TEMPLATE) {
            Some(text) => Some(template(BODY_TEMPLATE, text, config, problems)?),
            None => None,
        };
        let shape = text(BATCH_FORMAT).and_then(Shape::parse).unwrap_or(Shape::JsonArray);
        let access = match Access::parse(&parsed) {
            Ok(access) => Some(access),
            Err(error) => {
                problems.push_text(URL, error.message);
                None
            }
        };
        let size = |key: &str| {
            parsed
                .opt_int(key)
                .and_then(|size| usize::try_from(size).ok())
                .unwrap_or(1)
        };
        let url = url?;
        check_path_secrets(&def, &url, url_text, problems);
        let max_records = size(BATCH_MAX_RECORDS);
        Some(Self {
            access: access?,
            url,
            method: match text(METHOD) {
                Some("PUT") => Method::Put,
                Some("PATCH") => Method::Patch,
                Some("DELETE") => Method::Delete,
                _ => Method::Post,
            },
            headers: headers?,
            config: config_values(config),
            hosts: hosts?,
            auth,
            rules: rules?,
            max_records,
            max_bytes: size(BATCH_MAX_BYTES),
            shape,
            body,
            content_type: text(CONTENT_TYPE).unwrap_or(shape.content_type()).to_owned(),
            tombstones: Tombstones::parse(text(TOMBSTONES)),
            on_refused: OnRefused::parse(text(ON_REFUSED)),
        })
    }
}

fn template(key: &str, text: &str, config: &ConfigMap, problems: &mut Problems) -> Option<Template> {
    let template = problems.keep(key, text, Template::parse(text))?;
    for hole in template.holes() {
        let is_known = matches!(hole, "topic" | "partition" | "offset" | "timestamp" | "key" | "value")
            || ["key.", "value.", "header."]
                .iter()
                .any(|prefix| hole.starts_with(prefix))
            || hole
                .strip_prefix("config.")
                .is_some_and(|name| config.contains_key(name));
        if !is_known {
            problems.push(
                key,
                text,
                &format!(
                    "the placeholder ${{{hole}}} is not one of ${{topic}}, ${{partition}}, ${{offset}}, ${{timestamp}}, ${{key}}, \
                     ${{key.FIELD}}, ${{value}}, ${{value.FIELD}}, ${{header.NAME}} or ${{config.KEY}} with a KEY of this connector"
                ),
            );
        }
    }
    Some(template)
}
