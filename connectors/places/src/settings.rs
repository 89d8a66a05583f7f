//! The settings of a task, checked together
//!
//! The checks need no request; the mask that follows from `places.fields` is shown with them, because the price of a
//! request depends on it. The rows are in `places_config.rs`.

use std::collections::HashSet;

use weir_feed::hash::short_hash_of;
use weir_feed::settings::Common;
use weir_feed::url::Url;
use weir_sdk::api::error::ConnectError;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ParsedConfig;
use weir_sdk::secret::Secret;

use crate::area::{Area, Cell};
use crate::mask::Fields;
use crate::place::Kept;
use crate::places_config::{
    ACCEPT_TERMS, API, API_KEY, AREA, BASE_URL, CELL_METERS, CELL_SPLIT, EMIT, EXCLUDED_TYPES, FIELDS, IDS, IDS_TOPIC,
    INCLUDED_TYPES, LANGUAGE, MAX_REQUESTS_PER_DAY, MODE, PAGE_DELAY_MS, PROGRESS_TOPIC, REGION, STORE, TASK, TASKS,
    TEXT_QUERIES, definition,
};
use crate::request::{Api, Asking, Search};

/// Most types of a nearby search, each way.
const MAX_TYPES: usize = 50;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Search for words.
    Text,
    /// Search around points.
    Nearby,
    /// Ask for single places.
    Details,
}

impl Mode {
    /// Gives the name in settings and source partitions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Nearby => "nearby",
            Self::Details => "details",
        }
    }
}

/// The settings of a task.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Those of every feed.
    pub common: Common,
    /// What all requests share.
    pub asking: Asking,
    /// What is asked.
    pub mode: Mode,
    /// Where; none in details mode.
    pub area: Option<Area>,
    /// Whether full cells are cut.
    pub splits: bool,
    /// Wait before a page.
    pub page_delay_ms: u64,
    /// Requests of all tasks on a day.
    pub max_requests_per_day: u64,
    /// What is written.
    pub kept: Kept,
    /// Whether places are written that did not change.
    pub emits_all: bool,
    /// Topic of progress records.
    pub progress_topic: String,
    /// Number of the task.
    pub task: usize,
    /// Number of tasks.
    pub tasks: usize,
    /// All searches of the connector, in order.
    pub searches: Vec<Labelled>,
}

/// A search and the words or types that it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// The search.
    pub search: Search,
    /// Words, or types joined by commas; none = all types.
    pub label: Option<String>,
    /// What tells searches of one cell apart.
    pub hash: String,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// Config: the first problem.
    pub fn parse(config: &ConfigMap) -> Result<Self, ConnectError> {
        let parsed = definition()
            .parse(config)
            .map_err(|error| ConnectError::config(error.to_string()))?;
        let draft = Draft::of(config, &parsed);
        if let Some((key, error)) = draft.problems().into_iter().next() {
            let value = if key == API_KEY {
                "[hidden]"
            } else {
                config.get(key).unwrap_or("null")
            };
            return Err(ConnectError::config(format!(
                "Invalid value {value} for configuration {key}: {error}"
            )));
        }
        let searches = draft.searches().map_err(ConnectError::config)?;
        let common = Common::parse(&parsed)?;
        let key = Secret::of(config, API_KEY);
        let progress_topic = parsed.opt_text(PROGRESS_TOPIC).filter(|topic| !topic.is_empty());
        let count = |name: &str| usize::try_from(parsed.opt_int(name).unwrap_or_default()).unwrap_or(0);
        let page_delay_ms = match draft.api {
            Api::New => 0,
            Api::Legacy => 2000,
        };
        let text = |name: &str| parsed.opt_text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(Self {
            progress_topic: progress_topic.map_or_else(|| format!("{}.progress", common.topic), str::to_owned),
            asking: Asking {
                api: draft.api,
                base_url: draft.base_url.trim_end_matches('/').to_owned(),
                key: key.ok_or_else(|| ConnectError::config(format!("{API_KEY} is missing")))?,
                fields: draft.fields.clone(),
                included_types: draft.included_types.clone(),
                excluded_types: draft.excluded_types.clone(),
                language: text(LANGUAGE),
                region: text(REGION),
            },
            mode: draft.mode,
            area: draft.area.clone().and_then(Result::ok),
            splits: parsed.get_boolean(CELL_SPLIT)?,
            page_delay_ms: u64::try_from(parsed.get_long(PAGE_DELAY_MS)?).unwrap_or(page_delay_ms),
            max_requests_per_day: u64::from(parsed.get_int(MAX_REQUESTS_PER_DAY)?.unsigned_abs()),
            kept: draft.kept,
            emits_all: parsed.opt_text(EMIT) == Some("all"),
            task: count(TASK),
            tasks: count(TASKS).max(1),
            searches,
            common,
        })
    }

    /// Gives the searches of this task: neighbours stay together, so that few cells have neighbours at other tasks.
    pub fn own_searches(&self) -> &[Labelled] {
        let start = self.searches.len() * self.task / self.tasks;
        let end = self.searches.len() * (self.task + 1) / self.tasks;
        self.searches.get(start..end).unwrap_or_default()
    }
}

/// Gives the problems of a config that its definition cannot see, and the mask. Nothing where rows are missing or do not
/// parse, which the definition tells.
pub fn check(config: &ConfigMap) -> Option<(Vec<(&'static str, String)>, String)> {
    let parsed = definition().parse(config).ok()?;
    let draft = Draft::of(config, &parsed);
    Some((draft.problems(), draft.mask()))
}

/// The settings that are checked together.
struct Draft {
    api: Api,
    mode: Mode,
    kept: Kept,
    base_url: String,
    accepts_terms: bool,
    queries: Vec<String>,
    included_types: Vec<String>,
    excluded_types: Vec<String>,
    area: Option<Result<Area, String>>,
    cell_meters: u32,
    ids: Vec<String>,
    ids_topic: Option<String>,
    fields: Fields,
    has_key: bool,
}

impl Draft {
    fn of(config: &ConfigMap, parsed: &ParsedConfig) -> Self {
        let text = |name: &str| parsed.opt_text(name).map(str::trim).filter(|text| !text.is_empty());
        let list = |name: &str| -> Vec<String> {
            let items = parsed.opt_list(name).unwrap_or_default().iter();
            items
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect()
        };
        let api = if text(API) == Some("legacy") {
            Api::Legacy
        } else {
            Api::New
        };
        let kept = if text(STORE) == Some("content") {
            Kept::Content
        } else {
            Kept::Ids
        };
        let queries = text(TEXT_QUERIES).unwrap_or_default().split(';').map(str::trim);
        Self {
            api,
            kept,
            mode: match text(MODE) {
                Some("text") => Mode::Text,
                Some("details") => Mode::Details,
                _ => Mode::Nearby,
            },
            base_url: text(BASE_URL).unwrap_or(default_base_url(api)).to_owned(),
            accepts_terms: parsed.opt_boolean(ACCEPT_TERMS).unwrap_or(false),
            queries: distinct(queries.filter(|query| !query.is_empty()).map(str::to_owned).collect()),
            included_types: distinct(list(INCLUDED_TYPES)),
            excluded_types: distinct(list(EXCLUDED_TYPES)),
            area: text(AREA).map(Area::parse),
            cell_meters: parsed.opt_int(CELL_METERS).unwrap_or_default().unsigned_abs(),
            ids: distinct(list(IDS)),
            ids_topic: text(IDS_TOPIC).map(str::to_owned),
            fields: Fields::choose(&list(FIELDS), kept),
            has_key: Secret::of(config, API_KEY).is_some(),
        }
    }

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut push = |key: &'static str, text: &str| problems.push((key, text.to_owned()));
        if !self.has_key {
            push(API_KEY, "the key is empty");
        }
        if let Err(reason) = Url::parse(&self.base_url) {
            push(BASE_URL, &reason);
        }
        if self.ids_topic.is_some() {
            push(
                IDS_TOPIC,
                "a connector in the sandbox cannot read topics; give the ids in places.ids",
            );
        }
        if self.kept == Kept::Content && !self.accepts_terms {
            push(
                STORE,
                "Google's terms forbid to store content beyond their exceptions; read them, then set \
                 places.accept.terms=true, or keep places.store=ids",
            );
        }
        match (self.mode, &self.area) {
            (Mode::Details, _) if self.ids.is_empty() => push(IDS, "details mode needs place ids"),
            (Mode::Details, _) => {}
            (Mode::Text | Mode::Nearby, None) => push(AREA, "must be given in text and nearby mode"),
            (Mode::Text | Mode::Nearby, Some(Err(reason))) => push(AREA, reason),
            (Mode::Text | Mode::Nearby, Some(Ok(area))) => {
                if let Err(reason) = area.cells(self.cell_meters) {
                    push(AREA, &reason);
                }
            }
        }
        if self.mode == Mode::Text && self.queries.is_empty() {
            push(TEXT_QUERIES, "text mode needs words to search for");
        }
        self.type_problems(&mut push);
        let fields = match self.api {
            Api::New => self.fields.check(),
            Api::Legacy => self.fields.check().and_then(|()| self.fields.check_legacy()),
        };
        if let Err(error) = fields {
            push(FIELDS, &error.message);
        }
        problems
    }

    fn type_problems(&self, push: &mut dyn FnMut(&'static str, &str)) {
        if self.included_types.len() > MAX_TYPES || self.excluded_types.len() > MAX_TYPES {
            let key = if self.included_types.len() > MAX_TYPES {
                INCLUDED_TYPES
            } else {
                EXCLUDED_TYPES
            };
            push(key, "the service takes 50 types at most");
        }
        if let Some(both) = self
            .included_types
            .iter()
            .find(|kind| self.excluded_types.contains(kind))
        {
            push(EXCLUDED_TYPES, &format!("{both} is both included and excluded"));
        }
        if self.mode == Mode::Text && self.included_types.len() > 1 {
            push(INCLUDED_TYPES, "text search takes one type at most");
        }
        if !self.excluded_types.is_empty() && (self.mode != Mode::Nearby || self.api == Api::Legacy) {
            push(EXCLUDED_TYPES, "only nearby mode of the new API can leave out types");
        }
    }

    /// Gives what the service is asked for, as it will be sent.
    fn mask(&self) -> String {
        match (self.api, self.mode) {
            (Api::New, Mode::Details) => self.fields.details_mask(),
            (Api::New, Mode::Text) => self.fields.search_mask(true),
            (Api::New, Mode::Nearby) => self.fields.search_mask(false),
            (Api::Legacy, _) => self.fields.legacy_details_list(),
        }
    }

    fn searches(&self) -> Result<Vec<Labelled>, String> {
        let cells = match &self.area {
            Some(area) if self.mode != Mode::Details => area.clone()?.cells(self.cell_meters)?,
            _ => Vec::new(),
        };
        Ok(match self.mode {
            Mode::Details => self
                .ids
                .iter()
                .map(|id| self.labelled(Search::Details { id: id.clone() }, None))
                .collect(),
            Mode::Text => pairs(&self.queries, &cells)
                .map(|(query, cell)| {
                    self.labelled(
                        Search::Text {
                            cell,
                            query: query.clone(),
                        },
                        Some(query.clone()),
                    )
                })
                .collect(),
            Mode::Nearby => {
                let kinds: Vec<Option<String>> = match self.api {
                    Api::Legacy if !self.included_types.is_empty() => {
                        self.included_types.iter().cloned().map(Some).collect()
                    }
                    Api::Legacy | Api::New => vec![None],
                };
                let types = (!self.included_types.is_empty()).then(|| self.included_types.join(","));
                pairs(&kinds, &cells)
                    .map(|(kind, cell)| {
                        let label = kind.clone().or_else(|| types.clone());
                        self.labelled(
                            Search::Nearby {
                                cell,
                                kind: kind.clone(),
                            },
                            label,
                        )
                    })
                    .collect()
            }
        })
    }

    fn labelled(&self, search: Search, label: Option<String>) -> Labelled {
        let what = serde_json::json!([label, self.included_types, self.excluded_types]);
        Labelled {
            search,
            label,
            hash: short_hash_of(&what),
        }
    }
}

/// Gives Google's own address of an API.
pub fn default_base_url(api: Api) -> &'static str {
    match api {
        Api::New => "https://places.googleapis.com",
        Api::Legacy => "https://maps.googleapis.com",
    }
}

fn distinct(mut texts: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

fn pairs<'a, T>(left: &'a [T], cells: &'a [Cell]) -> impl Iterator<Item = (&'a T, Cell)> {
    left.iter()
        .flat_map(move |item| cells.iter().map(move |cell| (item, *cell)))
}

#[cfg(test)]
mod tests;
