//! What X answers, read leniently
//!
//! Pure. Both spellings of names are taken and the older one is kept; unknown fields, nulls and wrong types of what is
//! optional are no reason to fail. A post without id or text is bad.

use std::collections::HashMap;

use serde_json::Value;
use weir_feed::pointer::scalar_text;
use weir_feed::time::parse_rfc3339;

use crate::ids::{id_of, time_of};
use crate::problem::Problem;

/// An author.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Id.
    pub id: String,
    /// Name after the @.
    pub username: Option<String>,
    /// Name shown.
    pub name: Option<String>,
    /// Whether it has a badge.
    pub verified: Option<bool>,
    /// Number of followers.
    pub followers_count: Option<i64>,
    /// Number of users it follows.
    pub following_count: Option<i64>,
    /// Number of posts.
    pub tweet_count: Option<i64>,
    /// When it registered, in milliseconds since the epoch.
    pub created_at_ms: Option<i64>,
}

/// Numbers of a post.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Reposts.
    pub retweets: i64,
    /// Replies.
    pub replies: i64,
    /// Likes.
    pub likes: i64,
    /// Quotes.
    pub quotes: i64,
    /// Bookmarks.
    pub bookmarks: Option<i64>,
    /// Times it was shown.
    pub impressions: Option<i64>,
}

/// A rule that a post matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchingRule {
    /// Id.
    pub id: String,
    /// Name.
    pub tag: Option<String>,
}

/// A post.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Post {
    /// Id.
    pub id: u64,
    /// Text, the whole one where X sent it.
    pub text: String,
    /// When it was written, in milliseconds since the epoch.
    pub created_at_ms: Option<i64>,
    /// Id of the author.
    pub author_id: Option<String>,
    /// Language.
    pub lang: Option<String>,
    /// Id of the conversation's first post.
    pub conversation_id: Option<String>,
    /// Id of the user that is answered.
    pub in_reply_to_user_id: Option<String>,
    /// Numbers.
    pub metrics: Option<Metrics>,
    /// Other posts it is about: kind and id.
    pub referenced: Option<Vec<(String, String)>>,
    /// Hashtags, without #.
    pub hashtags: Option<Vec<String>>,
    /// Users that are named, without @.
    pub mentions: Option<Vec<String>>,
    /// Links.
    pub urls: Option<Vec<String>>,
    /// Whether it may offend.
    pub possibly_sensitive: Option<bool>,
    /// Id of the place.
    pub place_id: Option<String>,
    /// Ids of all versions, this one last.
    pub edit_history: Option<Vec<String>>,
    /// Rules it matched; stream only.
    pub matching_rules: Option<Vec<MatchingRule>>,
    /// The post as it came.
    pub raw: Option<String>,
}

impl Post {
    /// Gives when it was written: what the post says, or else what its id says.
    pub fn timestamp_ms(&self) -> i64 {
        self.created_at_ms.unwrap_or_else(|| time_of(self.id))
    }
}

/// An item that is no post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPost {
    /// Its id, or what else tells it from others.
    pub id: String,
    /// The item as it came.
    pub raw: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A page of posts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Posts as X ordered them.
    pub posts: Vec<Post>,
    /// Items that are no posts.
    pub bad: Vec<BadPost>,
    /// Authors by id.
    pub users: HashMap<String, User>,
    /// What X could not give.
    pub problems: Vec<Problem>,
    /// Greatest id of the page.
    pub newest_id: Option<u64>,
    /// Where the next page is.
    pub next_token: Option<String>,
}

impl Page {
    /// Reads a page.
    pub fn parse(body: &Value, keeps_raw: bool) -> Self {
        let mut page = Self {
            users: users(body),
            problems: Problem::all(body),
            ..Self::default()
        };
        for item in list(body.get("data")) {
            match post(item, keeps_raw) {
                Ok(post) => page.posts.push(post),
                Err(bad) => page.bad.push(bad),
            }
        }
        let meta = body.get("meta");
        let named = meta.and_then(|meta| meta.get("newest_id")).and_then(id_of);
        page.newest_id = page.posts.iter().map(|post| post.id).chain(named).max();
        page.next_token = meta
            .and_then(|meta| meta.get("next_token"))
            .and_then(Value::as_str)
            .filter(|token| !token.is_empty())
            .map(str::to_owned);
        page
    }
}

/// A line of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A post and the authors that came with it.
    Post(Box<Post>, HashMap<String, User>),
    /// An item that is no post.
    Bad(BadPost),
    /// Why the stream ends.
    Problems(Vec<Problem>),
    /// JSON of another kind.
    Unknown,
    /// No JSON.
    Broken,
}

impl Line {
    /// Reads a line.
    pub fn parse(line: &[u8], keeps_raw: bool) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(line) else {
            return Self::Broken;
        };
        if !body.is_object() {
            return Self::Unknown;
        }
        match body.get("data").filter(|data| data.is_object()) {
            Some(data) => match post(data, keeps_raw) {
                Ok(mut post) => {
                    post.matching_rules = Some(matching_rules(&body));
                    Self::Post(Box::new(post), users(&body))
                }
                Err(bad) => Self::Bad(bad),
            },
            None => match Problem::all(&body) {
                problems if problems.is_empty() => Self::Unknown,
                problems => Self::Problems(problems),
            },
        }
    }
}

/// Reads the user of an answer to a look-up.
pub fn looked_up_user(body: &Value) -> Option<(u64, User)> {
    let data = body.get("data")?;
    Some((data.get("id").and_then(id_of)?, user(data)?))
}

fn post(item: &Value, keeps_raw: bool) -> Result<Post, BadPost> {
    let bad = |reason: &str| BadPost {
        id: item
            .get("id")
            .and_then(scalar_text)
            .unwrap_or_else(|| "without id".to_owned()),
        raw: item.to_string(),
        reason: reason.to_owned(),
    };
    let id = item.get("id").and_then(id_of).ok_or_else(|| bad("it has no id"))?;
    let whole = either(item, "note_tweet", "note_post").and_then(|note| note.get("text"));
    let text = whole
        .and_then(Value::as_str)
        .or_else(|| item.get("text").and_then(Value::as_str))
        .ok_or_else(|| bad("it has no text"))?;
    let entities = item.get("entities");
    Ok(Post {
        id,
        text: text.to_owned(),
        created_at_ms: item.get("created_at").and_then(Value::as_str).and_then(parse_rfc3339),
        author_id: field(item, "author_id"),
        lang: field(item, "lang"),
        conversation_id: field(item, "conversation_id"),
        in_reply_to_user_id: field(item, "in_reply_to_user_id"),
        metrics: item.get("public_metrics").and_then(metrics),
        referenced: either(item, "referenced_tweets", "referenced_posts")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(reference).collect()),
        hashtags: texts(entities, "hashtags", &["tag", "text"]),
        mentions: texts(entities, "mentions", &["username", "screen_name"]),
        urls: texts(entities, "urls", &["expanded_url", "url"]),
        possibly_sensitive: item.get("possibly_sensitive").and_then(Value::as_bool),
        place_id: item.get("geo").and_then(|geo| field(geo, "place_id")),
        edit_history: either(item, "edit_history_tweet_ids", "edit_history_post_ids")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(scalar_text).collect()),
        matching_rules: None,
        raw: keeps_raw.then(|| item.to_string()),
    })
}

fn metrics(metrics: &Value) -> Option<Metrics> {
    if !metrics.is_object() {
        return None;
    }
    let number = |name: &str| metrics.get(name).and_then(count);
    Some(Metrics {
        retweets: number("retweet_count").or_else(|| number("repost_count")).unwrap_or(0),
        replies: number("reply_count").unwrap_or(0),
        likes: number("like_count").unwrap_or(0),
        quotes: number("quote_count").unwrap_or(0),
        bookmarks: number("bookmark_count"),
        impressions: number("impression_count"),
    })
}

/// Gives a kind in the older spelling, and the id.
fn reference(reference: &Value) -> Option<(String, String)> {
    let kind = match field(reference, "type")?.as_str() {
        "reposted" => "retweeted".to_owned(),
        kind => kind.to_owned(),
    };
    Some((kind, field(reference, "id")?))
}

fn users(body: &Value) -> HashMap<String, User> {
    let users = body.get("includes").and_then(|includes| includes.get("users"));
    list(users)
        .iter()
        .filter_map(user)
        .map(|user| (user.id.clone(), user))
        .collect()
}

fn user(item: &Value) -> Option<User> {
    let metrics = item.get("public_metrics");
    let number = |name: &str| metrics.and_then(|metrics| metrics.get(name)).and_then(count);
    Some(User {
        id: field(item, "id")?,
        username: field(item, "username"),
        name: field(item, "name"),
        verified: item.get("verified").and_then(Value::as_bool),
        followers_count: number("followers_count"),
        following_count: number("following_count"),
        tweet_count: number("tweet_count").or_else(|| number("post_count")),
        created_at_ms: item.get("created_at").and_then(Value::as_str).and_then(parse_rfc3339),
    })
}

fn matching_rules(body: &Value) -> Vec<MatchingRule> {
    list(body.get("matching_rules"))
        .iter()
        .filter_map(|rule| {
            Some(MatchingRule {
                id: field(rule, "id")?,
                tag: field(rule, "tag").filter(|tag| !tag.is_empty()),
            })
        })
        .collect()
}

fn texts(entities: Option<&Value>, name: &str, fields: &[&str]) -> Option<Vec<String>> {
    let entries = entities?.get(name)?.as_array()?;
    let text = |entry: &Value| fields.iter().find_map(|name| field(entry, name));
    Some(entries.iter().filter_map(text).collect())
}

fn field(item: &Value, name: &str) -> Option<String> {
    item.get(name).and_then(scalar_text)
}

fn either<'v>(item: &'v Value, older: &str, newer: &str) -> Option<&'v Value> {
    let present = |name: &str| item.get(name).filter(|value| !value.is_null());
    present(older).or_else(|| present(newer))
}

/// Reads a number, also one in a text.
fn count(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;
