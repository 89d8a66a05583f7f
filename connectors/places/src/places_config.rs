//! The settings
//!
//! Rows, their parsing and the checks that look at several of them. The checks need no request; the mask that follows
//! from `places.fields` is shown with them, because the price of a request depends on it.

use weir_feed::hash::short_hash_of;
use weir_feed::settings::{Common, Defaults, common_keys};
use weir_feed::url::Url;
use weir_sdk::api::error::ConnectError;
use weir_sdk::config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ParsedConfig;
use weir_sdk::secret::Secret;

use crate::area::{Area, Cell};
use crate::mask::Fields;
use crate::place::Kept;
use crate::request::{Api, Asking, Search};

/// Which API.
pub const API: &str = "places.api";
/// The key.
pub const API_KEY: &str = "places.api.key";
/// Where the service is.
pub const BASE_URL: &str = "places.base.url";
/// What is asked.
pub const MODE: &str = "places.mode";
/// Words of text search.
pub const TEXT_QUERIES: &str = "places.text.queries";
/// Types wanted.
pub const INCLUDED_TYPES: &str = "places.included.types";
/// Types not wanted.
pub const EXCLUDED_TYPES: &str = "places.excluded.types";
/// Where to look.
pub const AREA: &str = "places.area";
/// Size of cells.
pub const CELL_METERS: &str = "places.cell.meters";
/// Whether full cells are cut.
pub const CELL_SPLIT: &str = "places.cell.split.when.full";
/// Ids of details.
pub const IDS: &str = "places.ids";
/// Topic with ids, which a connector cannot read.
pub const IDS_TOPIC: &str = "places.ids.topic";
/// Fields wanted.
pub const FIELDS: &str = "places.fields";
/// Language of texts.
pub const LANGUAGE: &str = "places.language";
/// Region.
pub const REGION: &str = "places.region";
/// Wait before a page.
pub const PAGE_DELAY_MS: &str = "places.page.delay.ms";
/// Requests of a day.
pub const MAX_REQUESTS_PER_DAY: &str = "places.max.requests.per.day";
/// What is kept.
pub const STORE: &str = "places.store";
/// Whether Google's terms were accepted.
pub const ACCEPT_TERMS: &str = "places.accept.terms";
/// Which records are written.
pub const EMIT: &str = "places.emit";
/// Topic of progress records.
pub const PROGRESS_TOPIC: &str = "places.progress.topic";
/// Number of the task, set by the connector.
pub const TASK: &str = "places.task";
/// Number of tasks, set by the connector.
pub const TASKS: &str = "places.tasks";
/// Where the retention of a topic that the worker creates is set.
pub const TOPIC_RETENTION: &str = "topic.creation.default.retention.ms";

const DEFAULTS: Defaults = Defaults {
    poll_interval_ms: 86_400_000,
    rate_requests: 10,
    rate_per_ms: 1000,
};
const DEFAULT_FIELDS: &str = "id,displayName,formattedAddress,location,types,businessStatus,rating,userRatingCount";
/// Most types of a nearby search, each way.
const MAX_TYPES: usize = 50;

/// Defines the settings.
pub fn definition() -> ConfigDef {
    let def = common_keys(ConfigDef::new(), DEFAULTS);
    output_keys(search_keys(service_keys(def)))
        .key(
            ConfigKey::int(TASK)
                .default("0")
                .internal()
                .doc("Number of the task, set by the connector"),
        )
        .key(
            ConfigKey::int(TASKS)
                .default("1")
                .internal()
                .doc("Number of tasks, set by the connector"),
        )
}

fn service_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::text(API)
            .default("new")
            .validator(Validator::one_of(&["new", "legacy"]))
            .doc("Places API (New), or the legacy web service"),
    )
    .key(
        ConfigKey::password(API_KEY)
            .importance(Importance::High)
            .doc("The API key of a Google Cloud project"),
    )
    .key(
        ConfigKey::text(BASE_URL)
            .default_null()
            .importance(Importance::Low)
            .doc("URL of the service; Google's own for the chosen API if not given"),
    )
    .key(
        ConfigKey::int(MAX_REQUESTS_PER_DAY)
            .default("1000")
            .validator(Validator::at_least(0))
            .importance(Importance::High)
            .doc(
                "Requests of all tasks on one day of the US Pacific coast, as Google counts; after that nothing is \
                  asked until the next day. Protects the bill",
            ),
    )
    .key(
        ConfigKey::long(PAGE_DELAY_MS)
            .default("-1")
            .validator(Validator::at_least(-1))
            .importance(Importance::Low)
            .doc("Wait before the next page of a search; -1 is 0 with the new API and 2000 with the legacy one"),
    )
}

fn search_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::text(MODE)
            .default("nearby")
            .validator(Validator::one_of(&["text", "nearby", "details"]))
            .importance(Importance::High)
            .doc("Search for words, search around points, or ask for single places"),
    )
    .key(
        ConfigKey::text(TEXT_QUERIES)
            .default_null()
            .importance(Importance::High)
            .doc("Words to search for in text mode, several searches separated by semicolons"),
    )
    .key(
        ConfigKey::list(INCLUDED_TYPES)
            .default("")
            .doc("Types of places wanted; all if empty. One at most in text mode"),
    )
    .key(
        ConfigKey::list(EXCLUDED_TYPES)
            .default("")
            .doc("Types of places not wanted, in nearby mode of the new API"),
    )
    .key(
        ConfigKey::text(AREA)
            .default_null()
            .importance(Importance::High)
            .doc("Where to look: lat,lng,radius in degrees and meters, or south,west,north,east. Not for details"),
    )
    .key(
        ConfigKey::int(CELL_METERS)
            .default("0")
            .validator(Validator::at_least(0))
            .doc("Size of the cells that the area is cut into, one search each; 0 searches the area at once"),
    )
    .key(
        ConfigKey::boolean(CELL_SPLIT)
            .default("true")
            .doc("Whether a cell with as many places as an answer may hold is cut in four, down to 100 m"),
    )
    .key(
        ConfigKey::list(IDS)
            .default("")
            .doc("Place ids to ask for in details mode"),
    )
    .key(
        ConfigKey::text(IDS_TOPIC)
            .default_null()
            .importance(Importance::Low)
            .doc("Not available: a connector cannot read topics. Give the ids in places.ids"),
    )
    .key(ConfigKey::list(FIELDS).default(DEFAULT_FIELDS).doc(
        "Fields to ask for where places.store=content, named as in the new API. The price of a request depends \
                  on them; photos and reviews are left out",
    ))
    .key(
        ConfigKey::text(LANGUAGE)
            .default("es")
            .importance(Importance::Low)
            .doc("Language of names and addresses"),
    )
    .key(
        ConfigKey::text(REGION)
            .default("ES")
            .importance(Importance::Low)
            .doc("Region whose view of the world counts"),
    )
}

fn output_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::text(STORE)
            .default("ids")
            .validator(Validator::one_of(&["ids", "content"]))
            .importance(Importance::High)
            .doc("What is written: place ids, which Google's terms allow to store, or the content asked for"),
    )
    .key(
        ConfigKey::boolean(ACCEPT_TERMS)
            .default("false")
            .importance(Importance::High)
            .doc("Must be true for places.store=content: Google's terms forbid to store most content beyond 30 days, and \
                  want the attributions shown. Set retention.ms of the topic accordingly"),
    )
    .key(
        ConfigKey::text(EMIT)
            .default("changes")
            .validator(Validator::one_of(&["changes", "all"]))
            .doc("Write a place when it is new or its value changed, or in each cycle"),
    )
    .key(
        ConfigKey::text(PROGRESS_TOPIC)
            .default_null()
            .importance(Importance::Low)
            .doc("Topic of the records that carry progress and the daily budget where no place changed; the topic's name \
                  and .progress if not given"),
    )
}

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
    let mut seen = std::collections::HashSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

fn pairs<'a, T>(left: &'a [T], cells: &'a [Cell]) -> impl Iterator<Item = (&'a T, Cell)> {
    left.iter()
        .flat_map(move |item| cells.iter().map(move |cell| (item, *cell)))
}

#[cfg(test)]
mod tests;
