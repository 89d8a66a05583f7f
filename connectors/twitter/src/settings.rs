//! What the settings mean
//!
//! Typed, checked settings of a connector or task. The rows are in `twitter_config.rs`.

use weir_feed::settings::Common;
use weir_feed::url::Url;
use weir_sdk::api::error::ConnectError;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ParsedConfig;
use weir_sdk::secret::Secret;

use crate::checks;
use crate::twitter_config::{
    API_KEY, API_SECRET, BASE_URL, BEARER_TOKEN, EXCLUDE, EXPANSIONS, FIELDS_PARAM, INCLUDE_RAW, INCLUDES, KEY,
    MAX_PAGES, MAX_RESULTS, MODE, QUERY, QUERY_MAX_LENGTH, RULES, RULES_SYNC, START, STREAM_BACKFILL, STREAM_STALL_MS,
    TOPIC_USERS, TWEET_FIELDS, USER_FIELDS, USERS_TOTAL, definition,
};
use crate::values::{self, RuleSetting, Start, UserSetting};

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A search over the last seven days.
    RecentSearch,
    /// The filtered stream.
    FilteredStream,
    /// Posts of users.
    UserTweets,
}

impl Mode {
    /// Gives the name, as settings and source partitions have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RecentSearch => "recent_search",
            Self::FilteredStream => "filtered_stream",
            Self::UserTweets => "user_tweets",
        }
    }
}

/// What is done with authors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Includes {
    /// They are part of the post's record.
    Embed,
    /// They are records of their own.
    Separate,
    /// Nothing.
    Drop,
}

/// What is done to the rules that the app has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulesSync {
    /// Missing ones are added.
    Ensure,
    /// Missing ones are added, others deleted.
    Exact,
    /// Nothing.
    None,
}

/// How gaps of the stream are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backfill {
    /// Not at all.
    None,
    /// By recent search.
    Search,
    /// By the stream.
    Api,
}

/// What the key of a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyField {
    /// The post's id.
    Id,
    /// The author's id.
    AuthorId,
    /// The id of the conversation's first post.
    ConversationId,
}

/// How the app proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// With a token.
    Bearer(Secret),
    /// With a token that it makes.
    App {
        /// The app's key.
        key: Secret,
        /// The app's secret.
        secret: Secret,
    },
}

/// What posts are asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// Query parameters, names and values.
    pub params: Vec<(String, String)>,
}

/// What records are made of posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// What is done with authors.
    pub includes: Includes,
    /// Where authors go.
    pub users_topic: String,
    /// What the key is.
    pub key: KeyField,
    /// Whether records hold the post as it came.
    pub includes_raw: bool,
}

/// The settings of a connector or task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Those of every feed.
    pub common: Common,
    /// What is read.
    pub mode: Mode,
    /// How the app proves who it is.
    pub credentials: Credentials,
    /// Where the service is.
    pub base: Url,
    /// What to search for; empty in other modes.
    pub query: String,
    /// How long a query may be.
    pub query_max_chars: usize,
    /// Rules of the stream.
    pub rules: Vec<RuleSetting>,
    /// What is done to the app's rules.
    pub rules_sync: RulesSync,
    /// Users of this task.
    pub users: Vec<UserSetting>,
    /// Number of users of all tasks.
    pub users_total: usize,
    /// What timelines leave out, joined by commas.
    pub exclude: String,
    /// Where a first run begins.
    pub start: Start,
    /// Posts of a page.
    pub max_results: u32,
    /// Pages of a cycle.
    pub max_pages: u32,
    /// What to ask for.
    pub fields: Fields,
    /// What to make of it.
    pub output: Output,
    /// How gaps of the stream are filled.
    pub backfill: Backfill,
    /// Silence after which the stream is dead.
    pub stall_ms: u32,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// Config: what the rows or the checks refuse.
    pub fn parse(config: &ConfigMap) -> Result<Self, ConnectError> {
        let parsed = definition()
            .parse(config)
            .map_err(|error| ConnectError::config(error.to_string()))?;
        if let Some(finding) = checks::findings(&parsed, config).into_iter().next() {
            return Err(ConnectError::config(finding.to_string()));
        }
        let users = values::users(&parsed).map_err(|finding| ConnectError::config(finding.to_string()))?;
        let total = usize::try_from(parsed.get_int(USERS_TOTAL)?).unwrap_or(0);
        Ok(Self {
            common: Common::parse(&parsed)?,
            mode: mode_of(&parsed)?,
            credentials: credentials_of(config)?,
            base: Url::parse(parsed.get_text(BASE_URL)?).map_err(ConnectError::config)?,
            query: parsed.opt_text(QUERY).unwrap_or_default().to_owned(),
            query_max_chars: usize::try_from(parsed.get_int(QUERY_MAX_LENGTH)?).unwrap_or(0),
            rules: values::rules(parsed.opt_text(RULES).unwrap_or_default()).map_err(ConnectError::config)?,
            rules_sync: match parsed.get_text(RULES_SYNC)? {
                "exact" => RulesSync::Exact,
                "none" => RulesSync::None,
                _ => RulesSync::Ensure,
            },
            users_total: total.max(users.len()),
            users,
            exclude: parsed.get_list(EXCLUDE)?.join(","),
            start: values::start(parsed.get_text(START)?).map_err(ConnectError::config)?,
            max_results: parsed.get_int(MAX_RESULTS)?.unsigned_abs(),
            max_pages: parsed.get_int(MAX_PAGES)?.unsigned_abs(),
            fields: fields_of(&parsed)?,
            output: output_of(&parsed)?,
            backfill: match parsed.get_text(STREAM_BACKFILL)? {
                "none" => Backfill::None,
                "api" => Backfill::Api,
                _ => Backfill::Search,
            },
            stall_ms: parsed.get_int(STREAM_STALL_MS)?.unsigned_abs(),
        })
    }
}

/// Reads the mode.
///
/// # Errors
/// Config when the row is missing from the definition.
pub fn mode_of(parsed: &ParsedConfig) -> Result<Mode, ConnectError> {
    Ok(match parsed.get_text(MODE)? {
        "filtered_stream" => Mode::FilteredStream,
        "user_tweets" => Mode::UserTweets,
        _ => Mode::RecentSearch,
    })
}

fn credentials_of(config: &ConfigMap) -> Result<Credentials, ConnectError> {
    let missing = || ConnectError::config(format!("{BEARER_TOKEN} is missing"));
    Ok(match (Secret::of(config, API_KEY), Secret::of(config, API_SECRET)) {
        (Some(key), Some(secret)) => Credentials::App { key, secret },
        _ => Credentials::Bearer(Secret::of(config, BEARER_TOKEN).ok_or_else(missing)?),
    })
}

fn fields_of(parsed: &ParsedConfig) -> Result<Fields, ConnectError> {
    let is_new = parsed.get_text(FIELDS_PARAM)? == "post.fields";
    let posts: Vec<String> = parsed
        .get_list(TWEET_FIELDS)?
        .iter()
        .map(|field| match (field.as_str(), is_new) {
            // Settings keep the older names; the newer parameter wants the newer ones.
            ("referenced_tweets", true) => "referenced_posts".to_owned(),
            ("note_tweet", true) => "note_post".to_owned(),
            (field, _) => field.to_owned(),
        })
        .collect();
    let lists = [
        (parsed.get_text(FIELDS_PARAM)?, posts),
        ("expansions", parsed.get_list(EXPANSIONS)?.to_vec()),
        ("user.fields", parsed.get_list(USER_FIELDS)?.to_vec()),
    ];
    Ok(Fields {
        params: lists
            .into_iter()
            .filter(|(_, fields)| !fields.is_empty())
            .map(|(name, fields)| (name.to_owned(), fields.join(",")))
            .collect(),
    })
}

fn output_of(parsed: &ParsedConfig) -> Result<Output, ConnectError> {
    let users_topic = parsed.opt_text(TOPIC_USERS).filter(|topic| !topic.is_empty());
    Ok(Output {
        includes: match parsed.get_text(INCLUDES)? {
            "separate" => Includes::Separate,
            "drop" => Includes::Drop,
            _ => Includes::Embed,
        },
        users_topic: match users_topic {
            Some(topic) => topic.to_owned(),
            None => format!("{}.users", parsed.get_text(weir_feed::settings::TOPIC)?),
        },
        key: match parsed.get_text(KEY)? {
            "author_id" => KeyField::AuthorId,
            "conversation_id" => KeyField::ConversationId,
            _ => KeyField::Id,
        },
        includes_raw: parsed.get_boolean(INCLUDE_RAW)?,
    })
}
