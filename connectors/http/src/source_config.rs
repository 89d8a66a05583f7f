//! The settings of the source: names and defaults
//!
//! What they become is in `source_settings.rs`; those that all feeds share are in `weir_feed::settings`.

use weir_feed::settings::{Defaults, common_keys};
use weir_feed::time::ResetFormat;
use weir_sdk::config::def::{ConfigDef, ConfigKey, Importance, Validator};

use crate::auth_config::auth_keys;
use crate::body::Format;

/// What is asked.
pub const URL: &str = "http.url";
/// How.
pub const METHOD: &str = "http.method";
/// Headers.
pub const HEADERS: &str = "http.headers";
/// Value of a secret header.
pub const HEADERS_SENSITIVE: &str = "http.headers.sensitive";
/// Query parameters.
pub const PARAMS: &str = "http.params";
/// Body.
pub const BODY: &str = "http.body";
/// What the body is.
pub const BODY_TYPE: &str = "http.body.type";
/// What answers are.
pub const RESPONSE_FORMAT: &str = "http.response.format";
/// In which charset.
pub const RESPONSE_CHARSET: &str = "http.response.charset";
/// Where the records stand.
pub const RECORDS_POINTER: &str = "http.response.records.pointer";
/// Which of them.
pub const FILTER: &str = "http.response.filter";
/// Key of a record.
pub const KEY_POINTER: &str = "http.record.key.pointer";
/// Time of a record.
pub const TIMESTAMP_POINTER: &str = "http.record.timestamp.pointer";
/// How it is written.
pub const TIMESTAMP_FORMAT: &str = "http.record.timestamp.format";
/// In which zone.
pub const TIMESTAMP_ZONE: &str = "http.record.timestamp.zone";
/// How answers are divided.
pub const PAGING_MODE: &str = "http.paging.mode";
/// Query parameter of the page or offset.
pub const PAGING_PARAM: &str = "http.paging.param";
/// First page.
pub const PAGING_START: &str = "http.paging.start";
/// Query parameter of the size.
pub const PAGING_SIZE_PARAM: &str = "http.paging.size.param";
/// Rows of a page.
pub const PAGING_SIZE: &str = "http.paging.size";
/// Number of all rows.
pub const PAGING_TOTAL_POINTER: &str = "http.paging.total.pointer";
/// Token of the next page.
pub const PAGING_TOKEN_POINTER: &str = "http.paging.token.pointer";
/// Query parameter of the token.
pub const PAGING_TOKEN_PARAM: &str = "http.paging.token.param";
/// Its place in the body.
pub const PAGING_TOKEN_BODY_POINTER: &str = "http.paging.token.body.pointer";
/// Link to the next page.
pub const PAGING_LINK_POINTER: &str = "http.paging.link.pointer";
/// Whether it is in the `Link` header.
pub const PAGING_LINK_HEADER: &str = "http.paging.link.header";
/// Most pages of a cycle.
pub const PAGING_MAX_PAGES: &str = "http.paging.max.pages";
/// Whether a restart may go on with a page.
pub const PAGING_RESUMABLE: &str = "http.paging.resumable";
/// How new records are found.
pub const INCREMENTAL_MODE: &str = "http.incremental.mode";
/// Where the mark stands in a record.
pub const INCREMENTAL_POINTER: &str = "http.incremental.pointer";
/// How times are written.
pub const INCREMENTAL_FORMAT: &str = "http.incremental.format";
/// First mark.
pub const INCREMENTAL_INITIAL: &str = "http.incremental.initial";
/// How far back each cycle reads.
pub const INCREMENTAL_LOOKBACK_MS: &str = "http.incremental.lookback.ms";
/// Length of a window.
pub const INCREMENTAL_STEP: &str = "http.incremental.step";
/// In which order records come.
pub const INCREMENTAL_ORDER: &str = "http.incremental.order";
/// Values to ask for one by one.
pub const PARTITIONS: &str = "http.partitions";
/// Where such values are listed.
pub const PARENT_URL: &str = "http.parent.url";
/// Where the list stands in the answer.
pub const PARENT_RECORDS_POINTER: &str = "http.parent.records.pointer";
/// Where the value stands in an element.
pub const PARENT_VALUE_POINTER: &str = "http.parent.value.pointer";
/// How often the list is read.
pub const PARENT_REFRESH_MS: &str = "http.parent.refresh.ms";
/// Pause between cycles.
pub const THROTTLE_INTERVAL_MS: &str = "http.throttle.interval.ms";
/// Pause while there is more to catch up with.
pub const THROTTLE_CATCHUP_INTERVAL_MS: &str = "http.throttle.catchup.interval.ms";
/// Header with the requests left.
pub const LIMIT_REMAINING_HEADER: &str = "http.rate.limit.remaining.header";
/// Header with the time of the next ones.
pub const LIMIT_RESET_HEADER: &str = "http.rate.limit.reset.header";
/// What that time is.
pub const LIMIT_RESET_FORMAT: &str = "http.rate.limit.reset.format";
/// Response rules.
pub const ERRORS: &str = "http.errors";
/// How values are typed.
pub const SCHEMA_MODE: &str = "http.schema.mode";
/// Records looked at first.
pub const SCHEMA_SAMPLE: &str = "http.schema.sample";
/// The schema itself.
pub const SCHEMA: &str = "http.schema";
/// All records or changed ones.
pub const EMIT: &str = "http.emit";
/// Hosts of redirects and links.
pub const ALLOW_HOSTS: &str = "http.allow.hosts";
/// Whether they may be nearby.
pub const ALLOW_PRIVATE: &str = "http.allow.private.addresses";
/// Number of the task, set by the connector.
pub const TASK_INDEX: &str = "http.task.index";
/// Number of tasks, set by the connector.
pub const TASK_COUNT: &str = "http.task.count";

/// Defines the settings.
pub fn definition() -> ConfigDef {
    let defaults = Defaults {
        poll_interval_ms: 60_000,
        rate_requests: 10,
        rate_per_ms: 1_000,
    };
    let def = request_keys(ConfigDef::new(), "GET", &["GET", "POST"]);
    let def = schedule_keys(incremental_keys(paging_keys(record_keys(auth_keys(def)))));
    common_keys(def, defaults)
        .key(
            ConfigKey::int(TASK_INDEX)
                .default("0")
                .internal()
                .doc("Number of the task, set by the connector"),
        )
        .key(
            ConfigKey::int(TASK_COUNT)
                .default("1")
                .internal()
                .doc("Number of tasks, set by the connector"),
        )
}

fn optional(name: &str, doc: &str) -> ConfigKey {
    ConfigKey::text(name).default_null().doc(doc)
}

fn choice(name: &str, default: &str, choices: &[&str], doc: &str) -> ConfigKey {
    ConfigKey::text(name)
        .default(default)
        .validator(Validator::one_of(choices))
        .doc(doc)
}

/// Adds the rows about requests: also for the sink.
pub fn request_keys(def: ConfigDef, method: &str, methods: &[&str]) -> ConfigDef {
    def.key(
        ConfigKey::text(URL)
            .validator(Validator::NonEmptyText)
            .importance(Importance::High)
            .doc("URL to ask, with placeholders in path and query"),
    )
    .key(choice(METHOD, method, methods, "HTTP method"))
    .key(optional(HEADERS, "Headers, NAME: VALUE a line or a JSON object, with placeholders"))
    .key(
        ConfigKey::password(HEADERS_SENSITIVE)
            .default_null()
            .doc("Value of a secret header; ${config.http.headers.sensitive} in http.headers puts it in place"),
    )
    .key(optional(
        ALLOW_HOSTS,
        "Hosts that redirects and links to next pages may lead to, besides that of http.url; *.example.com allows all below",
    ))
    .key(
        ConfigKey::boolean(ALLOW_PRIVATE)
            .default_null()
            .importance(Importance::Low)
            .doc("Whether redirects and links may lead to private addresses; only if http.url itself is one, unless given"),
    )
    .key(optional(ERRORS, "Rules for answers, MATCH -> ACTION a line, before the default ones; see the documentation"))
}

fn record_keys(def: ConfigDef) -> ConfigDef {
    def.key(optional(PARAMS, "Query parameters, NAME: VALUE a line or a JSON object, with placeholders; one without value is left out"))
        .key(optional(BODY, "Body of the request, with placeholders"))
        .key(choice(BODY_TYPE, "json", &["json", "form", "text"], "What the body is: decides on escapes and content type"))
        .key(choice(RESPONSE_FORMAT, "json", &Format::NAMES, "What answers are"))
        .key(optional(RESPONSE_CHARSET, "Charset of answers, where the services name a wrong one"))
        .key(ConfigKey::text(RECORDS_POINTER).default("").doc("JSON pointer to the records: an array gives one record an element, * stands for all elements"))
        .key(optional(FILTER, "Condition that records must fulfil, such as /status == \"active\""))
        .key(ConfigKey::list(KEY_POINTER).default("").doc("JSON pointer to the record's key; several make a struct"))
        .key(optional(TIMESTAMP_POINTER, "JSON pointer to the record's time"))
        .key(ConfigKey::list(TIMESTAMP_FORMAT).default("auto").doc("How times are written: auto, epoch_s, epoch_ms, epoch_us, rfc3339, iso_local, rfc1123 or a pattern; several are tried in order"))
        .key(ConfigKey::text(TIMESTAMP_ZONE).default("UTC").doc("Zone of times that name none"))
        .key(ConfigKey::text(SCHEMA_MODE).default("json_string").doc("How values are typed: json_string, inferred or inline"))
        .key(
            ConfigKey::int(SCHEMA_SAMPLE)
                .default("100")
                .validator(Validator::between(1, 100_000))
                .doc("Records looked at before the first one is handed over, where the schema is inferred"),
        )
        .key(optional(SCHEMA, "The schema of http.schema.mode=inline, in Connect's JSON form"))
        .key(choice(EMIT, "all", &["all", "changes"], "Whether each cycle gives all records, or those that are new or changed since the last"))
}

fn paging_keys(def: ConfigDef) -> ConfigDef {
    def.key(choice(
        PAGING_MODE,
        "none",
        &["none", "page", "offset", "cursor", "next_link"],
        "How answers are divided into pages",
    ))
    .key(optional(PAGING_PARAM, "Query parameter of the page's number or offset"))
    .key(
        ConfigKey::long(PAGING_START)
            .default("1")
            .validator(Validator::at_least(0))
            .doc("Number of the first page"),
    )
    .key(optional(PAGING_SIZE_PARAM, "Query parameter of the page's size"))
    .key(
        ConfigKey::long(PAGING_SIZE)
            .default("0")
            .validator(Validator::at_least(0))
            .doc("Rows of a page; a shorter one is the last. 0 reads on until an empty one"),
    )
    .key(optional(
        PAGING_TOTAL_POINTER,
        "JSON pointer to the number of all rows, for offset paging",
    ))
    .key(optional(
        PAGING_TOKEN_POINTER,
        "JSON pointer to the next page's token, or header:NAME",
    ))
    .key(optional(PAGING_TOKEN_PARAM, "Query parameter of the token"))
    .key(optional(
        PAGING_TOKEN_BODY_POINTER,
        "JSON pointer to where the token goes in the body",
    ))
    .key(optional(PAGING_LINK_POINTER, "JSON pointer to the next page's link"))
    .key(
        ConfigKey::boolean(PAGING_LINK_HEADER)
            .default("false")
            .doc("Whether the next page's link is in the Link header"),
    )
    .key(
        ConfigKey::int(PAGING_MAX_PAGES)
            .default("1000")
            .validator(Validator::at_least(1))
            .importance(Importance::Low)
            .doc("Pages read in one go; the rest follows after a pause"),
    )
    .key(
        ConfigKey::boolean(PAGING_RESUMABLE)
            .default("false")
            .doc("Whether pages stay as they are, so that a restart may go on in the middle"),
    )
}

fn incremental_keys(def: ConfigDef) -> ConfigDef {
    def.key(choice(
        INCREMENTAL_MODE,
        "none",
        &["none", "timestamp", "id", "cursor"],
        "How new records are told from old ones",
    ))
    .key(optional(
        INCREMENTAL_POINTER,
        "JSON pointer to a record's time, id or cursor",
    ))
    .key(
        ConfigKey::list(INCREMENTAL_FORMAT)
            .default("auto")
            .doc("How its times are written; the first is used in requests"),
    )
    .key(optional(INCREMENTAL_INITIAL, "Time, id or cursor to start after"))
    .key(
        ConfigKey::long(INCREMENTAL_LOOKBACK_MS)
            .default("0")
            .validator(Validator::at_least(0))
            .doc("How far back each cycle reads again, for records that come late"),
    )
    .key(optional(
        INCREMENTAL_STEP,
        "Length of the windows that a range of time is cut into, such as P1D",
    ))
    .key(choice(
        INCREMENTAL_ORDER,
        "unordered",
        &["asc", "desc", "unordered"],
        "In which order the service gives records; asc lets the offset move with each",
    ))
    .key(
        ConfigKey::list(PARTITIONS)
            .default("")
            .doc("Values to ask for one by one with ${partition}, divided over the tasks"),
    )
    .key(optional(
        PARENT_URL,
        "URL whose answer lists the values of ${partition}",
    ))
    .key(
        ConfigKey::text(PARENT_RECORDS_POINTER)
            .default("")
            .doc("JSON pointer to that list"),
    )
    .key(
        ConfigKey::text(PARENT_VALUE_POINTER)
            .default("")
            .doc("JSON pointer to the value in an element of the list"),
    )
    .key(
        ConfigKey::long(PARENT_REFRESH_MS)
            .default("3600000")
            .validator(Validator::at_least(1))
            .doc("How often the list is read again, in milliseconds"),
    )
}

fn schedule_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::long(THROTTLE_INTERVAL_MS)
            .default_null()
            .doc("Pause between two cycles; that of poll.interval.ms unless given"),
    )
    .key(
        ConfigKey::long(THROTTLE_CATCHUP_INTERVAL_MS)
            .default("1000")
            .validator(Validator::at_least(1))
            .doc("Pause while pages are full or records are older than the interval"),
    )
    .key(
        ConfigKey::text(LIMIT_REMAINING_HEADER)
            .default("RateLimit-Remaining")
            .importance(Importance::Low)
            .doc("Header that tells how many requests are left"),
    )
    .key(
        ConfigKey::text(LIMIT_RESET_HEADER)
            .default("RateLimit-Reset")
            .importance(Importance::Low)
            .doc("Header that tells when there are new ones"),
    )
    .key(
        choice(
            LIMIT_RESET_FORMAT,
            "auto",
            &ResetFormat::NAMES,
            "What that header holds",
        )
        .importance(Importance::Low),
    )
}
