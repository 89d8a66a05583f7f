//! Settings of the source out of texts
//!
//! Every problem is found at once, with what was given and what would be right. How settings fit each other is looked at
//! in `source_checks.rs`.

use weir_feed::charset::Charset;
use weir_feed::pointer::Pointer;
use weir_feed::settings::Common;
use weir_feed::time::{ResetFormat, parse_duration_ms};
use weir_feed::time_format::{TimeFormat, parse_formats};
use weir_feed::url::Url;
use weir_feed::zone::Zone;
use weir_sdk::config::def::ConfigDef;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ParsedConfig;
use weir_sdk::http::Method;

use crate::auth_config;
use crate::body::Format;
use crate::expression::Expression;
use crate::inline;
use crate::paging::{Paging, Size, TokenPlace, TokenTarget};
use crate::problems::Problems;
use crate::request_config::{check_path_secrets, config_values, parse_pairs, read_hosts, read_rules};
use crate::rules::{LimitHeaders, Rules};
use crate::source_config as key;
use crate::source_settings::{
    BodyType, Incremental, Mode, Order, Parent, RecordSettings, RequestSettings, SchemaMode, Settings,
};
use crate::template::Template;

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
        settings.check_paging_pointers(problems);
        Some(settings)
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
