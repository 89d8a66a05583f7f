//! The settings, one row each
//!
//! What they mean is in `settings.rs`; what the rows cannot say is checked in `checks.rs`.

use weir_feed::settings::{Defaults, common_keys};
use weir_sdk::config::def::{ConfigDef, ConfigKey, Importance, Validator};

/// What is read.
pub const MODE: &str = "twitter.mode";
/// The app's token.
pub const BEARER_TOKEN: &str = "twitter.bearer.token";
/// The app's key, from which tokens are made.
pub const API_KEY: &str = "twitter.api.key";
/// The app's secret.
pub const API_SECRET: &str = "twitter.api.secret";
/// Where the service is.
pub const BASE_URL: &str = "twitter.base.url";
/// What to search for.
pub const QUERY: &str = "twitter.query";
/// How long that may be.
pub const QUERY_MAX_LENGTH: &str = "twitter.query.max.length";
/// Rules of the stream.
pub const RULES: &str = "twitter.rules";
/// What is done to the rules that the app has.
pub const RULES_SYNC: &str = "twitter.rules.sync";
/// Users by name.
pub const USERNAMES: &str = "twitter.usernames";
/// Users by id.
pub const USER_IDS: &str = "twitter.user.ids";
/// Number of users of all tasks, set by the connector.
pub const USERS_TOTAL: &str = "twitter.users.total";
/// What timelines leave out.
pub const EXCLUDE: &str = "twitter.exclude";
/// Where a first run begins.
pub const START: &str = "twitter.start";
/// Posts of a page.
pub const MAX_RESULTS: &str = "twitter.max.results";
/// Pages of a cycle.
pub const MAX_PAGES: &str = "twitter.max.pages.per.cycle";
/// Fields of posts.
pub const TWEET_FIELDS: &str = "twitter.tweet.fields";
/// What else comes with posts.
pub const EXPANSIONS: &str = "twitter.expansions";
/// Fields of users.
pub const USER_FIELDS: &str = "twitter.user.fields";
/// Name of the parameter for fields of posts.
pub const FIELDS_PARAM: &str = "twitter.fields.param";
/// What is done with the authors.
pub const INCLUDES: &str = "twitter.includes";
/// Where authors go when they are records of their own.
pub const TOPIC_USERS: &str = "topic.users";
/// How gaps of the stream are filled.
pub const STREAM_BACKFILL: &str = "twitter.stream.backfill";
/// Silence after which the stream is dead.
pub const STREAM_STALL_MS: &str = "twitter.stream.stall.ms";
/// What the key of records is.
pub const KEY: &str = "twitter.key";
/// Whether records hold the post as it came.
pub const INCLUDE_RAW: &str = "twitter.include.raw";

const TWEET_FIELDS_DEFAULT: &str = "created_at,author_id,lang,public_metrics,entities,referenced_tweets,\
    conversation_id,in_reply_to_user_id,possibly_sensitive,geo";

/// Defines the settings.
pub fn definition() -> ConfigDef {
    let defaults = Defaults {
        poll_interval_ms: 60_000,
        rate_requests: 450,
        rate_per_ms: 900_000,
    };
    output_keys(page_keys(stream_keys(what_keys(access_keys(common_keys(
        ConfigDef::new(),
        defaults,
    ))))))
}

fn access_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::text(MODE)
            .default("recent_search")
            .validator(Validator::one_of(&["recent_search", "filtered_stream", "user_tweets"]))
            .importance(Importance::High)
            .doc("What is read: a search of the last seven days, the filtered stream, or the posts of users"),
    )
    .key(
        ConfigKey::password(BEARER_TOKEN)
            .default_null()
            .importance(Importance::High)
            .doc("The app's bearer token; or else give twitter.api.key and twitter.api.secret"),
    )
    .key(
        ConfigKey::password(API_KEY)
            .default_null()
            .importance(Importance::High)
            .doc("The app's API key, from which with the secret a bearer token is made"),
    )
    .key(
        ConfigKey::password(API_SECRET)
            .default_null()
            .importance(Importance::High)
            .doc("The app's API secret"),
    )
    .key(
        ConfigKey::text(BASE_URL)
            .default("https://api.x.com")
            .validator(Validator::NonEmptyText)
            .importance(Importance::Low)
            .doc("URL of the service, without path"),
    )
}

fn what_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::text(QUERY)
            .default_null()
            .importance(Importance::High)
            .doc("What to search for, in X's query language (mode recent_search)"),
    )
    .key(
        ConfigKey::int(QUERY_MAX_LENGTH)
            .default("512")
            .validator(Validator::at_least(1))
            .importance(Importance::Low)
            .doc("Characters that a query may have; 512 unless the account has enterprise access"),
    )
    .key(
        ConfigKey::list(USERNAMES)
            .default("")
            .importance(Importance::High)
            .doc("Names of the users whose posts are read (mode user_tweets)"),
    )
    .key(
        ConfigKey::list(USER_IDS)
            .default("")
            .doc("Ids of users whose posts are read (mode user_tweets)"),
    )
    .key(
        ConfigKey::int(USERS_TOTAL)
            .default("0")
            .internal()
            .doc("Number of users of all tasks, set by the connector"),
    )
    .key(
        ConfigKey::list(EXCLUDE)
            .default("")
            .validator(Validator::list_of(&["retweets", "replies"]))
            .doc("What is left out of users' posts: retweets, replies (mode user_tweets)"),
    )
    .key(
        ConfigKey::text(START)
            .default("latest")
            .doc("Where a first run begins: latest (now), earliest (as far back as X gives), or a time like 2026-11-20T16:00:00Z"),
    )
}

fn stream_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::text(RULES)
            .default_null()
            .importance(Importance::High)
            .doc("Rules of the stream: tag=value separated by semicolons, or a JSON array of objects with value and tag (mode filtered_stream)"),
    )
    .key(
        ConfigKey::text(RULES_SYNC)
            .default("ensure")
            .validator(Validator::one_of(&["ensure", "exact", "none"]))
            .doc("What is done to the rules of the app: add those missing, make them exactly those of twitter.rules, or nothing"),
    )
    .key(
        ConfigKey::text(STREAM_BACKFILL)
            .default("search")
            .validator(Validator::one_of(&["none", "search", "api"]))
            .doc("How a gap of the stream is filled: not at all, by recent search, or by the stream itself (enterprise access only)"),
    )
    .key(
        ConfigKey::int(STREAM_STALL_MS)
            .default("25000")
            .validator(Validator::at_least(1000))
            .importance(Importance::Low)
            .doc("Silence after which the stream counts as broken; X sends something every 20 seconds"),
    )
}

fn page_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::int(MAX_RESULTS)
            .default("100")
            .validator(Validator::between(5, 100))
            .doc("Posts of one page; at least 10 for a search"),
    )
    .key(
        ConfigKey::int(MAX_PAGES)
            .default("50")
            .validator(Validator::at_least(1))
            .doc("Pages of one cycle; what is left is read in the next, before newer posts"),
    )
    .key(
        ConfigKey::list(TWEET_FIELDS)
            .default(TWEET_FIELDS_DEFAULT)
            .doc("Fields of posts to ask for; with note_tweet the text of long posts is complete"),
    )
    .key(
        ConfigKey::list(EXPANSIONS)
            .default("author_id")
            .doc("What else X is asked to send with posts"),
    )
    .key(
        ConfigKey::list(USER_FIELDS)
            .default("username,name,verified,public_metrics,created_at")
            .doc("Fields of users to ask for"),
    )
    .key(
        ConfigKey::text(FIELDS_PARAM)
            .default("tweet.fields")
            .validator(Validator::one_of(&["tweet.fields", "post.fields"]))
            .importance(Importance::Low)
            .doc("Name of the request parameter for fields of posts; X is renaming it"),
    )
}

fn output_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::text(INCLUDES)
            .default("embed")
            .validator(Validator::one_of(&["embed", "separate", "drop"]))
            .doc("Where authors go: into the record of the post, into topic.users as records of their own, or nowhere"),
    )
    .key(
        ConfigKey::text(TOPIC_USERS)
            .default_null()
            .doc("Topic for authors where twitter.includes is separate; the topic's name and .users if not given"),
    )
    .key(
        ConfigKey::text(KEY)
            .default("id")
            .validator(Validator::one_of(&["id", "author_id", "conversation_id"]))
            .doc("What the key of a record is; equal keys keep their order"),
    )
    .key(
        ConfigKey::boolean(INCLUDE_RAW)
            .default("false")
            .importance(Importance::Low)
            .doc("Whether records hold the post as it came, as JSON text"),
    )
}
