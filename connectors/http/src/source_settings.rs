//! The settings of the source, read and checked together
//!
//! Every problem is found at once, with what was given and what would be right. Names and defaults are in
//! `source_config.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_feed::charset::Charset;
use weir_feed::pointer::Pointer;
use weir_feed::settings::Common;
use weir_feed::time::{ResetFormat, parse_duration_ms};
use weir_feed::time_format::{TimeFormat, parse_formats};
use weir_feed::url::{Hosts, Url};
use weir_feed::zone::Zone;
use weir_sdk::api::data::schema::Schema;
use weir_sdk::config::def::{ConfigDef, ConfigType};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ParsedConfig;
use weir_sdk::http::Method;

use crate::auth::AuthKind;
use crate::auth_config;
use crate::body::Format;
use crate::expression::Expression;
use crate::inline;
use crate::paging::{Paging, Size, TokenPlace, TokenTarget};
use crate::problems::Problems;
use crate::rules::{LimitHeaders, Rule, Rules};
use crate::source_config as key;
use crate::template::Template;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    /// JSON.
    Json,
    /// A form.
    Form,
    /// Plain text.
    Text,
}

/// What is asked, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestSettings {
    /// URL.
    pub url: Template,
    /// Method.
    pub method: Method,
    /// Headers.
    pub headers: Vec<(String, Template)>,
    /// Query parameters.
    pub params: Vec<(String, Template)>,
    /// Body.
    pub body: Option<Template>,
    /// What it is.
    pub body_type: BodyType,
    /// Values of `${config.KEY}`.
    pub config: BTreeMap<String, String>,
    /// Hosts of redirects and links.
    pub hosts: Hosts,
}

/// How records are told from each other and typed.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSettings {
    /// What answers are.
    pub format: Format,
    /// In which charset.
    pub charset: Option<Charset>,
    /// Where the records stand.
    pub records: Pointer,
    /// Which of them.
    pub filter: Option<Expression>,
    /// Key.
    pub key: Vec<Pointer>,
    /// Time.
    pub timestamp: Option<Pointer>,
    /// How it is written.
    pub formats: Vec<TimeFormat>,
    /// In which zone.
    pub zone: Zone,
    /// How values are typed.
    pub schema: SchemaMode,
}

/// How values are typed.
#[derive(Debug, Clone, PartialEq)]
pub enum SchemaMode {
    /// As JSON text.
    JsonString,
    /// By what comes.
    Inferred {
        /// Records looked at before the first is handed over.
        sample: usize,
    },
    /// As given.
    Inline(Arc<Schema>),
}

/// How new records are told from old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Not at all.
    None,
    /// By time.
    Timestamp,
    /// By a growing id.
    Id,
    /// By what the service calls the last one.
    Cursor,
}

/// In which order records come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
    /// Any.
    Unordered,
}

/// How a cycle goes on where the last one ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Incremental {
    /// By what.
    pub mode: Mode,
    /// Where it stands in a record.
    pub pointer: Option<Pointer>,
    /// How times are written.
    pub formats: Vec<TimeFormat>,
    /// In which zone.
    pub zone: Zone,
    /// First mark.
    pub initial: Option<String>,
    /// How far back each cycle reads.
    pub lookback_ms: i64,
    /// Length of a window.
    pub step_ms: Option<i64>,
    /// In which order.
    pub order: Order,
}

/// Where partition values are listed.
#[derive(Debug, Clone, PartialEq)]
pub struct Parent {
    /// URL.
    pub url: String,
    /// The list.
    pub records: Pointer,
    /// The value in an element.
    pub value: Pointer,
    /// How often it is read.
    pub refresh_ms: u64,
}

/// All settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Those of all feeds.
    pub common: Common,
    /// What is asked.
    pub request: RequestSettings,
    /// Authentication.
    pub auth: AuthKind,
    /// Records.
    pub record: RecordSettings,
    /// Pages.
    pub paging: Paging,
    /// Most of a cycle.
    pub max_pages: u32,
    /// Whether a restart may go on in the middle.
    pub is_resumable: bool,
    /// New records.
    pub incremental: Incremental,
    /// Values to ask for one by one.
    pub partitions: Vec<String>,
    /// Where they are listed.
    pub parent: Option<Parent>,
    /// Pause between cycles.
    pub interval_ms: u64,
    /// Pause while there is more.
    pub catchup_ms: u64,
    /// What answers mean.
    pub rules: Rules,
    /// Whether only changes are emitted.
    pub emits_changes: bool,
    /// This task and how many there are.
    pub task: (u32, u32),
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// All problems.
    pub fn parse(config: &ConfigMap) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let def = key::definition();
        let parsed = match def.parse(config) {
            Ok(parsed) => parsed,
            Err(error) => {
                problems.push_text(key::URL, error.to_string());
                return Err(problems);
            }
        };
        let settings = Self::read(&def, &parsed, config, &mut problems);
        match settings {
            Some(settings) if problems.is_empty() => Ok(settings),
            _ => {
                if problems.is_empty() {
                    problems.push_text(key::URL, "the settings cannot be read".to_owned());
                }
                Err(problems)
            }
        }
    }

    fn read(def: &ConfigDef, parsed: &ParsedConfig, config: &ConfigMap, problems: &mut Problems) -> Option<Self> {
        let reader = Reader { parsed, config };
        let request = reader.request(def, problems);
        let auth = auth_config::parse(parsed, config, problems);
        let record = reader.record(problems);
        let paging = reader.paging(problems);
        let incremental = reader.incremental(problems);
        let parent = reader.parent(problems);
        let rules = reader.rules(problems);
        let common = match Common::parse(parsed) {
            Ok(common) => Some(common),
            Err(error) => {
                problems.push_text(key::URL, error.message);
                None
            }
        };
        let positive = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).unwrap_or(1);
        let common = common?;
        let settings = Self {
            interval_ms: positive(
                parsed
                    .opt_long(key::THROTTLE_INTERVAL_MS)
                    .or(Some(common.poll_interval_ms)),
            )
            .max(1),
            catchup_ms: positive(parsed.opt_long(key::THROTTLE_CATCHUP_INTERVAL_MS)),
            common,
            request: request?,
            auth,
            record: record?,
            paging: paging?,
            max_pages: parsed.opt_int(key::PAGING_MAX_PAGES).map_or(1, i32::unsigned_abs),
            is_resumable: parsed.opt_boolean(key::PAGING_RESUMABLE).unwrap_or(false),
            incremental: incremental?,
            partitions: reader.list(key::PARTITIONS),
            parent,
            rules: rules?,
            emits_changes: parsed.opt_text(key::EMIT) == Some("changes"),
            task: (
                parsed.opt_int(key::TASK_INDEX).map_or(0, i32::unsigned_abs),
                parsed.opt_int(key::TASK_COUNT).map_or(1, i32::unsigned_abs).max(1),
            ),
        };
        settings.check_together(problems);
        Some(settings)
    }

    /// Finds settings that do not fit each other.
    fn check_together(&self, problems: &mut Problems) {
        let uses = |name: &str| self.request.all_holes().any(|hole| hole == name);
        let is_divided = !self.partitions.is_empty() || self.parent.is_some();
        if !self.partitions.is_empty() && self.parent.is_some() {
            problems.push_text(
                key::PARENT_URL,
                format!(
                    "{} and {} both give the values of ${{partition}}; leave one out",
                    key::PARTITIONS,
                    key::PARENT_URL
                ),
            );
        }
        if is_divided && !uses("partition") {
            problems.push_text(
                key::PARTITIONS,
                format!(
                    "no request differs by partition: put ${{partition}} into {}, {} or {}",
                    key::URL,
                    key::PARAMS,
                    key::BODY
                ),
            );
        }
        if !is_divided && uses("partition") {
            problems.push_text(
                key::PARTITIONS,
                format!(
                    "${{partition}} has no values: list them in {} or name {}",
                    key::PARTITIONS,
                    key::PARENT_URL
                ),
            );
        }
        if self.incremental.step_ms.is_some() && !uses("window.start") {
            problems.push_text(
                key::INCREMENTAL_STEP,
                "windows are asked for with ${window.start} and ${window.end}, but no request holds them".to_owned(),
            );
        }
        if self.incremental.step_ms.is_none() && (uses("window.start") || uses("window.end")) {
            problems.push_text(
                key::INCREMENTAL_STEP,
                format!(
                    "${{window.start}} and ${{window.end}} need the length of a window in {}",
                    key::INCREMENTAL_STEP
                ),
            );
        }
        if self.emits_changes && self.incremental.mode != Mode::None {
            problems.push_text(
                key::EMIT,
                format!(
                    "changes are found by reading everything; set {}=none or {}=all",
                    key::INCREMENTAL_MODE,
                    key::EMIT
                ),
            );
        }
        if self.common.emit_tombstones && (!self.emits_changes || self.record.key.is_empty()) {
            problems.push_text(
                weir_feed::settings::EMIT_TOMBSTONES,
                format!(
                    "what vanished is known only with {}=changes and a key in {}",
                    key::EMIT,
                    key::KEY_POINTER
                ),
            );
        }
        if matches!(
            self.paging,
            Paging::Cursor {
                to: TokenTarget::Body(_),
                ..
            }
        ) && (self.request.body.is_none() || self.request.body_type != BodyType::Json)
        {
            problems.push_text(
                key::PAGING_TOKEN_BODY_POINTER,
                format!("the token goes into a JSON body, so {} must be one", key::BODY),
            );
        }
        if matches!(
            self.paging,
            Paging::Cursor {
                to: TokenTarget::Placeholder,
                ..
            }
        ) && !uses("page.token")
        {
            problems.push_text(
                key::PAGING_TOKEN_PARAM,
                format!(
                    "the token goes nowhere: set {}, {} or put ${{page.token}} into the request",
                    key::PAGING_TOKEN_PARAM,
                    key::PAGING_TOKEN_BODY_POINTER
                ),
            );
        }
        let reads_body = matches!(
            &self.paging,
            Paging::Cursor {
                from: TokenPlace::Body(_),
                ..
            } | Paging::NextLink { pointer: Some(_) }
                | Paging::Offset { total: Some(_), .. }
        );
        if reads_body && self.record.format != Format::Json {
            problems.push_text(
                key::PAGING_MODE,
                format!(
                    "pointers for paging need {}=json; a header works with every format",
                    key::RESPONSE_FORMAT
                ),
            );
        }
        if self.incremental.mode == Mode::Cursor
            && self.incremental.pointer.is_none()
            && !matches!(self.paging, Paging::Cursor { .. })
        {
            problems.push_text(
                key::INCREMENTAL_POINTER,
                format!(
                    "without a pointer the cursor is the page's token, which needs {}=cursor",
                    key::PAGING_MODE
                ),
            );
        }
    }
}

impl RequestSettings {
    /// Walks the placeholders of all parts.
    pub fn all_holes(&self) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().chain(&self.params).map(|(_, template)| template);
        std::iter::once(&self.url)
            .chain(named)
            .chain(&self.body)
            .flat_map(Template::holes)
    }
}

struct Reader<'a> {
    parsed: &'a ParsedConfig,
    config: &'a ConfigMap,
}

impl Reader<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.parsed.opt_text(key).filter(|text| !text.trim().is_empty())
    }

    fn list(&self, key: &str) -> Vec<String> {
        let items = self.parsed.opt_list(key).unwrap_or_default();
        items.iter().filter(|item| !item.is_empty()).cloned().collect()
    }

    fn pointer(&self, key: &str, problems: &mut Problems) -> Option<Pointer> {
        let text = self.text(key)?;
        problems.keep(key, text, Pointer::parse(text))
    }

    fn need(&self, key: &str, because: &str, problems: &mut Problems) -> Option<String> {
        problems.need(self.config, key, because)
    }

    fn request(&self, def: &ConfigDef, problems: &mut Problems) -> Option<RequestSettings> {
        let url_text = self.text(key::URL).unwrap_or_default();
        let url = self.template(key::URL, url_text, problems);
        let hosts = read_hosts(self.parsed, url_text, problems);
        let body = self
            .text(key::BODY)
            .map(|text| self.template(key::BODY, text, problems));
        let headers = self.templates(key::HEADERS, problems);
        let params = self.templates(key::PARAMS, problems);
        let method = if self.text(key::METHOD) == Some("POST") {
            Method::Post
        } else {
            Method::Get
        };
        if method == Method::Get && body.is_some() {
            problems.push_text(key::BODY, format!("a GET has no body; set {}=POST", key::METHOD));
        }
        let request = RequestSettings {
            url: url?,
            method,
            headers: headers?,
            params: params?,
            body: match body {
                Some(body) => Some(body?),
                None => None,
            },
            body_type: match self.text(key::BODY_TYPE) {
                Some("form") => BodyType::Form,
                Some("text") => BodyType::Text,
                _ => BodyType::Json,
            },
            config: config_values(self.config),
            hosts: hosts?,
        };
        check_path_secrets(def, &request.url, url_text, problems);
        Some(request)
    }

    fn template(&self, key: &str, text: &str, problems: &mut Problems) -> Option<Template> {
        let template = problems.keep(key, text, Template::parse(text))?;
        for hole in template.holes() {
            let is_known = matches!(
                hole,
                "offset.cursor" | "window.start" | "window.end" | "partition" | "page.token"
            ) || hole
                .strip_prefix("config.")
                .is_some_and(|name| self.config.contains_key(name));
            if !is_known {
                problems.push(key, text, &format!(
                    "the placeholder ${{{hole}}} is not one of ${{offset.cursor}}, ${{window.start}}, ${{window.end}}, \
                     ${{partition}}, ${{page.token}} or ${{config.KEY}} with a KEY of this connector"
                ));
            }
        }
        Some(template)
    }

    fn templates(&self, key: &str, problems: &mut Problems) -> Option<Vec<(String, Template)>> {
        let Some(text) = self.text(key) else {
            return Some(Vec::new());
        };
        let pairs = problems.keep(key, text, parse_pairs(text))?;
        let named = pairs
            .into_iter()
            .map(|(name, value)| self.template(key, &value, problems).map(|template| (name, template)));
        named.collect()
    }

    fn record(&self, problems: &mut Problems) -> Option<RecordSettings> {
        let zone_text = self.text(key::TIMESTAMP_ZONE).unwrap_or("UTC");
        let zone = problems.keep(key::TIMESTAMP_ZONE, zone_text, Zone::parse(zone_text));
        let formats = self.formats(key::TIMESTAMP_FORMAT, problems);
        let charset = match self.text(key::RESPONSE_CHARSET) {
            None => Some(None),
            Some(name) => {
                let parsed = Charset::parse(name)
                    .ok_or("known are UTF-8, UTF-16, ISO-8859-1, ISO-8859-15, windows-1252".to_owned());
                problems.keep(key::RESPONSE_CHARSET, name, parsed).map(Some)
            }
        };
        let records_text = self.parsed.opt_text(key::RECORDS_POINTER).unwrap_or_default();
        let records = problems.keep(key::RECORDS_POINTER, records_text, Pointer::parse(records_text));
        let filter = self
            .text(key::FILTER)
            .map(|text| problems.keep(key::FILTER, text, Expression::parse(text)));
        let keys: Vec<Option<Pointer>> = self
            .list(key::KEY_POINTER)
            .iter()
            .map(|text| problems.keep(key::KEY_POINTER, text, Pointer::parse(text)))
            .collect();
        Some(RecordSettings {
            format: self
                .text(key::RESPONSE_FORMAT)
                .and_then(Format::parse)
                .unwrap_or(Format::Json),
            charset: charset?,
            records: records?,
            filter: match filter {
                Some(filter) => Some(filter?),
                None => None,
            },
            key: keys.into_iter().collect::<Option<_>>()?,
            timestamp: self.pointer(key::TIMESTAMP_POINTER, problems),
            formats: formats?,
            zone: zone?,
            schema: self.schema_mode(problems)?,
        })
    }

    fn schema_mode(&self, problems: &mut Problems) -> Option<SchemaMode> {
        let mode = self.text(key::SCHEMA_MODE).unwrap_or_default();
        let sample = self
            .parsed
            .opt_int(key::SCHEMA_SAMPLE)
            .and_then(|sample| usize::try_from(sample).ok());
        match mode {
            "json_string" => Some(SchemaMode::JsonString),
            "inferred" => Some(SchemaMode::Inferred {
                sample: sample.unwrap_or(1).max(1),
            }),
            "inline" => {
                let text = self.need(key::SCHEMA, "http.schema.mode=inline", problems)?;
                problems
                    .keep(key::SCHEMA, &text, inline::parse(&text))
                    .map(SchemaMode::Inline)
            }
            _ if mode.starts_with("registry:") => {
                problems.push(key::SCHEMA_MODE, mode, &format!(
                    "a connector cannot read the schema registry; put the schema into {} in Connect's JSON form and set {}=inline",
                    key::SCHEMA, key::SCHEMA_MODE
                ));
                None
            }
            _ => {
                problems.push(
                    key::SCHEMA_MODE,
                    mode,
                    "String must be one of: json_string, inferred, inline",
                );
                None
            }
        }
    }

    fn formats(&self, key: &str, problems: &mut Problems) -> Option<Vec<TimeFormat>> {
        let names = self.list(key);
        let formats = problems.keep(key, &names.join(","), parse_formats(&names))?;
        Some(if formats.is_empty() {
            vec![TimeFormat::Auto]
        } else {
            formats
        })
    }

    fn paging(&self, problems: &mut Problems) -> Option<Paging> {
        let mode = self.text(key::PAGING_MODE).unwrap_or("none");
        let because = format!("{}={mode}", key::PAGING_MODE);
        let size = Size {
            param: self.text(key::PAGING_SIZE_PARAM).map(str::to_owned),
            rows: self.parsed.opt_long(key::PAGING_SIZE).unwrap_or(0).unsigned_abs(),
        };
        match mode {
            "page" => Some(Paging::Page {
                param: self.need(key::PAGING_PARAM, &because, problems)?,
                start: self.parsed.opt_long(key::PAGING_START).unwrap_or(1).unsigned_abs(),
                size,
            }),
            "offset" => Some(Paging::Offset {
                param: self.need(key::PAGING_PARAM, &because, problems)?,
                size,
                total: self.pointer(key::PAGING_TOTAL_POINTER, problems),
            }),
            "cursor" => {
                let text = self.need(key::PAGING_TOKEN_POINTER, &because, problems)?;
                let from = problems.keep(key::PAGING_TOKEN_POINTER, &text, TokenPlace::parse(&text))?;
                let to = match (
                    self.text(key::PAGING_TOKEN_PARAM),
                    self.pointer(key::PAGING_TOKEN_BODY_POINTER, problems),
                ) {
                    (Some(param), _) => TokenTarget::Param(param.to_owned()),
                    (None, Some(pointer)) => TokenTarget::Body(pointer),
                    (None, None) => TokenTarget::Placeholder,
                };
                Some(Paging::Cursor { from, to })
            }
            "next_link" => {
                let pointer = self.pointer(key::PAGING_LINK_POINTER, problems);
                let in_header = self.parsed.opt_boolean(key::PAGING_LINK_HEADER).unwrap_or(false);
                if pointer.is_some() == in_header {
                    problems.push_text(
                        key::PAGING_LINK_POINTER,
                        format!(
                            "{because} needs either {} or {}=true",
                            key::PAGING_LINK_POINTER,
                            key::PAGING_LINK_HEADER
                        ),
                    );
                }
                Some(Paging::NextLink { pointer })
            }
            _ => Some(Paging::None),
        }
    }

    fn incremental(&self, problems: &mut Problems) -> Option<Incremental> {
        let (mode, name) = match self.text(key::INCREMENTAL_MODE) {
            Some("timestamp") => (Mode::Timestamp, "timestamp"),
            Some("id") => (Mode::Id, "id"),
            Some("cursor") => (Mode::Cursor, "cursor"),
            _ => (Mode::None, "none"),
        };
        if matches!(mode, Mode::Timestamp | Mode::Id) {
            self.need(
                key::INCREMENTAL_POINTER,
                &format!("{}={name}", key::INCREMENTAL_MODE),
                problems,
            );
        }
        let step_ms = match self.text(key::INCREMENTAL_STEP) {
            None => None,
            Some(text) => Some(problems.keep(key::INCREMENTAL_STEP, text, parse_duration_ms(text))?),
        };
        let zone_text = self.text(key::TIMESTAMP_ZONE).unwrap_or("UTC");
        let incremental = Incremental {
            mode,
            pointer: self.pointer(key::INCREMENTAL_POINTER, problems),
            formats: self.formats(key::INCREMENTAL_FORMAT, problems)?,
            zone: Zone::parse(zone_text).unwrap_or(Zone::UTC),
            initial: self.text(key::INCREMENTAL_INITIAL).map(str::to_owned),
            lookback_ms: self.parsed.opt_long(key::INCREMENTAL_LOOKBACK_MS).unwrap_or(0),
            step_ms,
            order: match self.text(key::INCREMENTAL_ORDER) {
                Some("asc") => Order::Asc,
                Some("desc") => Order::Desc,
                _ => Order::Unordered,
            },
        };
        if mode == Mode::Timestamp {
            if let Some(text) = &incremental.initial {
                let is_time = incremental
                    .formats
                    .iter()
                    .any(|format| format.read_text(text, incremental.zone).is_some());
                let parsed = if is_time {
                    Ok(())
                } else {
                    Err("it is not a time such as 2026-01-01T00:00:00Z".to_owned())
                };
                problems.keep(key::INCREMENTAL_INITIAL, text, parsed);
            } else if step_ms.is_some() {
                self.need(key::INCREMENTAL_INITIAL, "http.incremental.step", problems);
            }
        } else if step_ms.is_some() || incremental.lookback_ms > 0 {
            problems.push_text(
                key::INCREMENTAL_MODE,
                format!(
                    "{} and {} need {}=timestamp",
                    key::INCREMENTAL_STEP,
                    key::INCREMENTAL_LOOKBACK_MS,
                    key::INCREMENTAL_MODE
                ),
            );
        }
        Some(incremental)
    }

    fn parent(&self, problems: &mut Problems) -> Option<Parent> {
        let text = self.text(key::PARENT_URL)?;
        let url = problems.keep(key::PARENT_URL, text, Url::parse(text))?;
        Some(Parent {
            url: url.to_string(),
            records: self.pointer(key::PARENT_RECORDS_POINTER, problems).unwrap_or_default(),
            value: self.pointer(key::PARENT_VALUE_POINTER, problems).unwrap_or_default(),
            refresh_ms: self.parsed.opt_long(key::PARENT_REFRESH_MS).unwrap_or(1).unsigned_abs(),
        })
    }

    fn rules(&self, problems: &mut Problems) -> Option<Rules> {
        read_rules(
            self.parsed,
            problems,
            LimitHeaders {
                remaining: self.text(key::LIMIT_REMAINING_HEADER).unwrap_or_default().to_owned(),
                reset: self.text(key::LIMIT_RESET_HEADER).unwrap_or_default().to_owned(),
                format: self
                    .text(key::LIMIT_RESET_FORMAT)
                    .and_then(ResetFormat::parse)
                    .unwrap_or_default(),
            },
        )
    }
}

/// Reads the response rules.
pub(crate) fn read_rules(parsed: &ParsedConfig, problems: &mut Problems, limits: LimitHeaders) -> Option<Rules> {
    let text = parsed.opt_text(key::ERRORS).unwrap_or_default();
    problems
        .keep(key::ERRORS, text, Rule::parse_all(text))
        .map(|own| Rules::new(own, limits))
}

/// Reads which hosts may be asked: that of the URL, and those listed.
pub(crate) fn read_hosts(parsed: &ParsedConfig, url_text: &str, problems: &mut Problems) -> Option<Hosts> {
    let after_scheme = url_text.split_once("://").map_or("", |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains("${") {
        problems.push(
            key::URL,
            url_text,
            "placeholders may stand in the path and query only: the host must be known before",
        );
        return None;
    }
    // What placeholders will give is not known yet; the rest must be a URL.
    let sample = Template::parse(url_text)
        .ok()?
        .render(crate::template::Position::Url, &|_| Some("x".to_owned()));
    let url = problems.keep(key::URL, url_text, Url::parse(&sample))?;
    let mut hosts = Hosts::of(&url);
    let listed = parsed.opt_text(key::ALLOW_HOSTS).unwrap_or_default();
    for pattern in listed.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
        let pushed = hosts.push(pattern);
        problems.keep(key::ALLOW_HOSTS, listed, pushed);
    }
    match parsed.opt_boolean(key::ALLOW_PRIVATE) {
        Some(true) => hosts.allow_private(),
        Some(false) if url.is_private() => {
            problems.push_text(
                key::ALLOW_PRIVATE,
                format!(
                    "{} is a private address itself; leave {} out",
                    url.redacted(),
                    key::ALLOW_PRIVATE
                ),
            );
        }
        _ => {}
    }
    Some(hosts)
}

/// Gives the settings that `${config.KEY}` may stand for.
pub(crate) fn config_values(config: &ConfigMap) -> BTreeMap<String, String> {
    let given = config
        .iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    given.collect()
}

/// Refuses secrets in the path: it is logged by every machine on the way, and the host does not fill it in.
pub(crate) fn check_path_secrets(def: &ConfigDef, url: &Template, url_text: &str, problems: &mut Problems) {
    let path = url_text.split('?').next().unwrap_or_default();
    for hole in url.holes() {
        let is_secret = hole
            .strip_prefix("config.")
            .and_then(|name| def.get(name))
            .is_some_and(|row| row.config_type == ConfigType::Password);
        if is_secret && path.contains(&format!("${{{hole}}}")) {
            problems.push(
                key::URL,
                url_text,
                "a secret cannot stand in the path; put it into a header or the query",
            );
        }
    }
}

/// Reads `NAME: VALUE` lines or a JSON object.
pub(crate) fn parse_pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let text = text.trim();
    if text.starts_with('{') {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| format!("it is not a JSON object of texts: {error}"))?;
        return object
            .into_iter()
            .map(|(name, value)| match weir_feed::pointer::scalar_text(&value) {
                Some(value) => Ok((name, value)),
                None => Err(format!("the value of {name} is neither text nor number")),
            })
            .collect();
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| format!("the line '{line}' does not read NAME: VALUE"))?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}
