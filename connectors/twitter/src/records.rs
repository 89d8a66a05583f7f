//! Posts as records
//!
//! The value schemas, which stay as they are whatever X adds, and how key, value, timestamp and headers come about.

use std::collections::HashMap;
use std::sync::Arc;

use weir_feed::headers::FeedHeaders;
use weir_sdk::api::data::builder::{self, SchemaBuilder};
use weir_sdk::api::data::logical::TIMESTAMP;
use weir_sdk::api::data::schema::{Schema, SchemaType};
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::{SourceRecord, TypedValue};

use crate::parse::{Metrics, Post, User};
use crate::settings::{Includes, KeyField, Output};

/// Name of the feed, in headers and source partitions.
pub const FEED: &str = "twitter";

/// The schemas.
#[derive(Debug, Clone)]
pub struct Schemas {
    tweet: Arc<Schema>,
    author: Arc<Schema>,
    metrics: Arc<Schema>,
    reference: Arc<Schema>,
    rule: Arc<Schema>,
    user: Arc<Schema>,
}

impl Schemas {
    /// Builds the schemas.
    ///
    /// # Errors
    /// Fatal if one of them is malformed, which tests rule out.
    pub fn new() -> Result<Self, ConnectError> {
        let author = author()?;
        let metrics = metrics()?;
        let reference = SchemaBuilder::structure()
            .name("weir.feeds.twitter.ReferencedTweet")
            .field("type", builder::text())
            .field("id", builder::text())
            .build()?;
        let rule = SchemaBuilder::structure()
            .name("weir.feeds.twitter.MatchingRule")
            .field("id", builder::text())
            .field("tag", builder::optional_text())
            .build()?;
        let tweet = SchemaBuilder::structure()
            .name("weir.feeds.twitter.Tweet")
            .field("id", builder::text())
            .field("text", builder::text())
            .field("created_at", optional_timestamp()?)
            .field("author_id", builder::optional_text())
            .field("author", Arc::clone(&author))
            .field("lang", builder::optional_text())
            .field("conversation_id", builder::optional_text())
            .field("in_reply_to_user_id", builder::optional_text())
            .field("public_metrics", Arc::clone(&metrics))
            .field("referenced_tweets", optional_array(Arc::clone(&reference))?)
            .field("hashtags", optional_array(builder::text())?)
            .field("mentions", optional_array(builder::text())?)
            .field("urls", optional_array(builder::text())?)
            .field("possibly_sensitive", builder::optional_boolean())
            .field("place_id", builder::optional_text())
            .field("edit_history_tweet_ids", optional_array(builder::text())?)
            .field("matching_rules", optional_array(Arc::clone(&rule))?)
            .field("raw", builder::optional_text())
            .build()?;
        Ok(Self {
            tweet,
            author,
            metrics,
            reference,
            rule,
            user: user()?,
        })
    }

    /// Gives the schema of posts.
    pub fn tweet(&self) -> &Arc<Schema> {
        &self.tweet
    }

    /// Gives the schema of authors that are records of their own.
    pub fn user(&self) -> &Arc<Schema> {
        &self.user
    }

    /// Makes the value of a post.
    pub fn tweet_value(&self, post: &Post, author: Option<&User>) -> TypedValue {
        let fields = vec![
            Value::Text(post.id.to_string()),
            Value::Text(post.text.clone()),
            optional(post.created_at_ms, Value::Int64),
            text(post.author_id.as_deref()),
            optional(author, |author| self.author_value(author)),
            text(post.lang.as_deref()),
            text(post.conversation_id.as_deref()),
            text(post.in_reply_to_user_id.as_deref()),
            optional(post.metrics.as_ref(), |metrics| self.metrics_value(metrics)),
            optional(post.referenced.as_ref(), |list| {
                let one = |(kind, id): &(String, String)| vec![Value::from(kind.as_str()), Value::from(id.as_str())];
                structs(&self.reference, list.iter().map(one))
            }),
            texts(post.hashtags.as_deref()),
            texts(post.mentions.as_deref()),
            texts(post.urls.as_deref()),
            optional(post.possibly_sensitive, Value::Boolean),
            text(post.place_id.as_deref()),
            texts(post.edit_history.as_deref()),
            optional(post.matching_rules.as_ref(), |rules| {
                let ones = rules
                    .iter()
                    .map(|rule| vec![Value::from(rule.id.as_str()), text(rule.tag.as_deref())]);
                structs(&self.rule, ones)
            }),
            text(post.raw.as_deref()),
        ];
        typed(&self.tweet, fields)
    }

    /// Makes the value of an author that is a record of its own.
    pub fn user_value(&self, user: &User) -> TypedValue {
        let fields = vec![
            Value::from(user.id.as_str()),
            text(user.username.as_deref()),
            text(user.name.as_deref()),
            optional(user.verified, Value::Boolean),
            optional(user.created_at_ms, Value::Int64),
            optional(user.followers_count, Value::Int64),
            optional(user.following_count, Value::Int64),
            optional(user.tweet_count, Value::Int64),
        ];
        typed(&self.user, fields)
    }

    fn author_value(&self, author: &User) -> Value {
        structure(
            &self.author,
            vec![
                Value::from(author.id.as_str()),
                text(author.username.as_deref()),
                text(author.name.as_deref()),
                optional(author.verified, Value::Boolean),
                optional(author.followers_count, Value::Int64),
            ],
        )
    }

    fn metrics_value(&self, metrics: &Metrics) -> Value {
        structure(
            &self.metrics,
            vec![
                Value::Int64(metrics.retweets),
                Value::Int64(metrics.replies),
                Value::Int64(metrics.likes),
                Value::Int64(metrics.quotes),
                optional(metrics.bookmarks, Value::Int64),
                optional(metrics.impressions, Value::Int64),
            ],
        )
    }
}

fn author() -> Result<Arc<Schema>, ConnectError> {
    SchemaBuilder::structure()
        .name("weir.feeds.twitter.Author")
        .optional()
        .field("id", builder::text())
        .field("username", builder::optional_text())
        .field("name", builder::optional_text())
        .field("verified", builder::optional_boolean())
        .field("followers_count", builder::optional_int64())
        .build()
}

fn metrics() -> Result<Arc<Schema>, ConnectError> {
    SchemaBuilder::structure()
        .name("weir.feeds.twitter.PublicMetrics")
        .optional()
        .field("retweet_count", builder::int64())
        .field("reply_count", builder::int64())
        .field("like_count", builder::int64())
        .field("quote_count", builder::int64())
        .field("bookmark_count", builder::optional_int64())
        .field("impression_count", builder::optional_int64())
        .build()
}

fn user() -> Result<Arc<Schema>, ConnectError> {
    SchemaBuilder::structure()
        .name("weir.feeds.twitter.User")
        .field("id", builder::text())
        .field("username", builder::optional_text())
        .field("name", builder::optional_text())
        .field("verified", builder::optional_boolean())
        .field("created_at", optional_timestamp()?)
        .field("followers_count", builder::optional_int64())
        .field("following_count", builder::optional_int64())
        .field("tweet_count", builder::optional_int64())
        .build()
}

fn optional_timestamp() -> Result<Arc<Schema>, ConnectError> {
    SchemaBuilder::new(SchemaType::Int64)
        .name(TIMESTAMP)
        .version(1)
        .optional()
        .build()
}

fn optional_array(element: Arc<Schema>) -> Result<Arc<Schema>, ConnectError> {
    SchemaBuilder::array(element).optional().build()
}

fn structure(schema: &Arc<Schema>, fields: Vec<Value>) -> Value {
    Value::Struct(StructValue {
        schema: Arc::clone(schema),
        fields,
    })
}

fn structs(schema: &Arc<Schema>, each: impl Iterator<Item = Vec<Value>>) -> Value {
    Value::Array(each.map(|fields| structure(schema, fields)).collect())
}

fn typed(schema: &Arc<Schema>, fields: Vec<Value>) -> TypedValue {
    TypedValue::new(Arc::clone(schema), structure(schema, fields))
}

fn optional<T>(value: Option<T>, make: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, make)
}

fn text(value: Option<&str>) -> Value {
    optional(value, Value::from)
}

fn texts(values: Option<&[String]>) -> Value {
    optional(values, |values| {
        Value::Array(values.iter().map(|value| Value::from(value.as_str())).collect())
    })
}

/// Where a post was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Path of the request.
    pub endpoint: String,
    /// When the page was fetched.
    pub fetched_at_ms: i64,
    /// Page of the cycle.
    pub page: u32,
    /// What X calls the request.
    pub request_id: Option<String>,
}

/// Makes records of posts.
#[derive(Debug, Clone)]
pub struct Maker {
    schemas: Schemas,
    topic: String,
    output: Output,
}

impl Maker {
    /// Starts with the settings.
    ///
    /// # Errors
    /// As [`Schemas::new`].
    pub fn new(topic: &str, output: &Output) -> Result<Self, ConnectError> {
        Ok(Self {
            schemas: Schemas::new()?,
            topic: topic.to_owned(),
            output: output.clone(),
        })
    }

    /// Tells whether authors are records of their own.
    pub fn separates_users(&self) -> bool {
        self.output.includes == Includes::Separate
    }

    /// Makes the record of a post, without source partition and offset.
    pub fn post(&self, post: &Post, users: &HashMap<String, User>, origin: &Origin) -> SourceRecord {
        let author = post.author_id.as_ref().and_then(|id| users.get(id));
        let embedded = author.filter(|_| self.output.includes == Includes::Embed);
        let key = match self.output.key {
            KeyField::Id => None,
            KeyField::AuthorId => post.author_id.clone(),
            KeyField::ConversationId => post.conversation_id.clone(),
        };
        SourceRecord {
            topic: self.topic.clone(),
            key: TypedValue::text(key.unwrap_or_else(|| post.id.to_string())),
            value: self.schemas.tweet_value(post, embedded),
            timestamp: Some(post.timestamp_ms()),
            headers: headers(origin),
            ..SourceRecord::default()
        }
    }

    /// Makes the record of an author, without source partition and offset.
    pub fn user(&self, user: &User, origin: &Origin) -> SourceRecord {
        SourceRecord {
            topic: self.output.users_topic.clone(),
            key: TypedValue::text(user.id.clone()),
            value: self.schemas.user_value(user),
            timestamp: Some(origin.fetched_at_ms),
            headers: headers(origin),
            ..SourceRecord::default()
        }
    }
}

fn headers(origin: &Origin) -> Vec<weir_sdk::api::record::Header> {
    FeedHeaders {
        feed: FEED,
        endpoint: &origin.endpoint,
        fetched_at_ms: origin.fetched_at_ms,
        page: origin.page,
        request_id: origin.request_id.as_deref(),
    }
    .build()
}
