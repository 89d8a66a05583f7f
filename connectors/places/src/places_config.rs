//! The settings: one row an option
//!
//! What they mean together is in `settings.rs`.

use weir_feed::settings::{Defaults, common_keys};
use weir_sdk::config::def::{ConfigDef, ConfigKey, Importance, Validator};

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
