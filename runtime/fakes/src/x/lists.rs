//! Recent search, timelines and users: pages newest first
//!
//! A page may be short or empty and still name a next one, as X's may. Search sees posts half a minute late and goes
//! back seven days.

use serde_json::{Map, Value, json};

use crate::service::{FakeRequest, FakeResponse};
use crate::x::clock::{parse_rfc3339, rfc3339};
use crate::x::posts::{Author, Kind, Post, World, id_at, mix, time_of};
use crate::x::problems;
use crate::x::service::{Absence, XService};

const MAX_QUERY_CHARS: usize = 512;
/// Posts of a user that can be read.
const TIMELINE_POSTS: usize = 3200;

/// As much of the query language as tests need: words, `from:`, `lang:`, `is:retweet`, each also with `-`. What else
/// there is selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<(bool, String)>,
}

impl Query {
    /// Takes a query apart.
    pub fn parse(text: &str) -> Self {
        if text.contains(" OR ") || text.contains('(') {
            return Self::default();
        }
        let terms = text
            .split_whitespace()
            .map(|term| match term.strip_prefix('-') {
                Some(term) => (false, term.to_lowercase()),
                None => (true, term.to_lowercase()),
            })
            .collect();
        Self { terms }
    }

    /// Tells whether a text is a query at all: parentheses that match, and something in it.
    pub fn is_valid(text: &str) -> bool {
        let opened = text.matches('(').count();
        !text.trim().is_empty() && opened == text.matches(')').count() && !text.ends_with(':')
    }

    /// Tells whether it selects a post.
    pub fn matches(&self, post: &Post, world: &World) -> bool {
        self.terms.iter().all(|(is_wanted, term)| {
            let is_found = match term.split_once(':') {
                Some(("from", name)) => world
                    .author(post)
                    .is_some_and(|author| author.username == name || author.id.to_string() == name),
                Some(("lang", lang)) => post.lang() == lang,
                Some(("is", "retweet")) => matches!(post.kind, Kind::Repost(_)),
                Some(("is", "reply")) => matches!(post.kind, Kind::Reply(_)),
                Some(_) => *is_wanted,
                None => post.text().to_lowercase().contains(term),
            };
            is_found == *is_wanted
        })
    }
}

/// What of the posts a page may show: ids and times, lower ends included for times only.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    above_id: u64,
    below_id: u64,
    from_ms: i64,
    to_ms: i64,
    max: usize,
    /// Whether the page may be cut short: not when it continues an empty one.
    may_be_short: bool,
}

pub(crate) fn search(service: &mut XService, request: &FakeRequest, now_ms: i64) -> FakeResponse {
    let text = request.query_param("query").unwrap_or_default();
    if !Query::is_valid(&text) || text.chars().count() > MAX_QUERY_CHARS {
        return problems::invalid_request(
            "query",
            &text,
            "Invalid 'query': it must have between 1 and 512 characters",
        );
    }
    let mut bounds = match bounds(request, 10, 100, now_ms - service.search_lag_ms) {
        Ok(bounds) => bounds,
        Err(refusal) => return refusal,
    };
    let oldest_ms = now_ms - service.search_window_ms;
    if bounds.above_id > 0 && time_of(bounds.above_id) < oldest_ms {
        let message = format!(
            "'since_id' must be a tweet id created after [{}]. Please use a 'since_id' that is larger than {}",
            rfc3339(oldest_ms),
            id_at(oldest_ms)
        );
        return problems::invalid_request("since_id", &bounds.above_id.to_string(), &message);
    }
    if let Some(start) = request.query_param("start_time")
        && bounds.from_ms < oldest_ms
    {
        let message = format!("'start_time' must be on or after {}", rfc3339(oldest_ms));
        return problems::invalid_request("start_time", &start, &message);
    }
    bounds.from_ms = bounds.from_ms.max(oldest_ms);
    let query = Query::parse(&text);
    page(service, request, &bounds, |post, world| query.matches(post, world))
}

pub(crate) fn timeline(service: &mut XService, id: &str, request: &FakeRequest, now_ms: i64) -> FakeResponse {
    let Some(author) = id
        .parse()
        .ok()
        .and_then(|id: u64| author_at(service, |author| author.id == id))
    else {
        return FakeResponse::json(200, &json!({"errors": [problems::no_such_user("id", id)]}));
    };
    if let Some(absence) = service.absent.get(&author.1.id) {
        return absent(*absence, "id", id);
    }
    let mut bounds = match bounds(request, 5, 100, now_ms) {
        Ok(bounds) => bounds,
        Err(refusal) => return refusal,
    };
    if bounds.above_id == 0 && bounds.from_ms == i64::MIN {
        let posts = service.world.newest_first(i64::MIN, now_ms);
        let oldest = posts.filter(|post| post.author == author.0).nth(TIMELINE_POSTS);
        bounds.above_id = oldest.map_or(0, |post| post.id);
    }
    let exclude = request.query_param("exclude").unwrap_or_default();
    let excluded: Vec<&str> = exclude.split(',').collect();
    let place = author.0;
    page(service, request, &bounds, |post, _| {
        post.author == place
            && !(excluded.contains(&"retweets") && matches!(post.kind, Kind::Repost(_)))
            && !(excluded.contains(&"replies") && matches!(post.kind, Kind::Reply(_)))
    })
}

pub(crate) fn user(service: &mut XService, name: &str, request: &FakeRequest) -> FakeResponse {
    let Some((_, author)) = author_at(service, |author| author.username.eq_ignore_ascii_case(name)) else {
        return FakeResponse::json(200, &json!({"errors": [problems::no_such_user("username", name)]}));
    };
    match service.absent.get(&author.id) {
        // A protected user can be looked up, but not read.
        Some(absence) if *absence != Absence::Protected => absent(*absence, "username", name),
        _ => FakeResponse::json(200, &json!({"data": author.to_json(&list(request, "user.fields"))})),
    }
}

fn author_at(service: &XService, is_wanted: impl Fn(&Author) -> bool) -> Option<(usize, Author)> {
    let mut authors = service.world.authors.iter().enumerate();
    let found = authors.find(|(_, author)| is_wanted(author));
    found.map(|(place, author)| (place, author.clone()))
}

fn absent(absence: Absence, parameter: &str, value: &str) -> FakeResponse {
    match absence {
        Absence::Gone => FakeResponse::json(200, &json!({"errors": [problems::no_such_user(parameter, value)]})),
        Absence::Protected => FakeResponse::json(200, &json!({"errors": [problems::protected_user(value)]})),
        Absence::Suspended => problems::suspended_user(value),
        Absence::NotFound => problems::not_found(value),
    }
}

fn bounds(request: &FakeRequest, least: usize, most: usize, to_ms: i64) -> Result<Bounds, FakeResponse> {
    let refused = |name: &str, value: &str, reason: &str| {
        Err(problems::invalid_request(
            name,
            value,
            &format!("The `{name}` query parameter value [{value}] {reason}"),
        ))
    };
    let mut bounds = Bounds {
        above_id: 0,
        below_id: u64::MAX,
        from_ms: i64::MIN,
        to_ms,
        max: 10,
        may_be_short: true,
    };
    if let Some(max) = request.query_param("max_results") {
        match max.parse() {
            Ok(max) if (least..=most).contains(&max) => bounds.max = max,
            _ => return refused("max_results", &max, &format!("is not between {least} and {most}")),
        }
    }
    for name in ["since_id", "until_id"] {
        let Some(value) = request.query_param(name) else {
            continue;
        };
        match value.parse() {
            Ok(id) if name == "since_id" => bounds.above_id = id,
            Ok(id) => bounds.below_id = id,
            Err(_) => return refused(name, &value, "is not an id"),
        }
    }
    for name in ["start_time", "end_time"] {
        let Some(value) = request.query_param(name) else {
            continue;
        };
        match parse_rfc3339(&value) {
            Some(ms) if name == "start_time" => bounds.from_ms = ms,
            Some(ms) if ms <= to_ms => bounds.to_ms = ms,
            _ => return refused(name, &value, "is not a time before now"),
        }
    }
    if bounds.from_ms > bounds.to_ms {
        let start = request.query_param("start_time").unwrap_or_default();
        return refused("start_time", &start, "must be before 'end_time'");
    }
    let token = request
        .query_param("pagination_token")
        .or_else(|| request.query_param("next_token"));
    if let Some(token) = token {
        let id = token.strip_prefix(['p', 'e']).and_then(|id| id.parse::<u64>().ok());
        match id {
            Some(id) => bounds.below_id = bounds.below_id.min(id),
            None => return refused("next_token", &token, "is not a token"),
        }
        bounds.may_be_short = token.starts_with('p');
    }
    Ok(bounds)
}

fn page(
    service: &mut XService,
    request: &FakeRequest,
    bounds: &Bounds,
    is_wanted: impl Fn(&Post, &World) -> bool,
) -> FakeResponse {
    let max = match service.short_page_every {
        0 => bounds.max,
        every if bounds.may_be_short && mix(bounds.below_id ^ bounds.above_id).is_multiple_of(every) => {
            bounds.max / 3 * usize::from(bounds.above_id.is_multiple_of(2))
        }
        _ => bounds.max,
    };
    let world = &service.world;
    let to_ms = bounds
        .to_ms
        .min(time_of(bounds.below_id.min(id_at(bounds.to_ms + 1))) + 1);
    let from_ms = bounds.from_ms.max(time_of(bounds.above_id));
    let mut found: Vec<Post> = world
        .newest_first(from_ms, to_ms)
        .take_while(|post| post.id > bounds.above_id)
        .filter(|post| post.id < bounds.below_id && is_wanted(post, world))
        .take(max + 1)
        .collect();
    let has_more = found.len() > max;
    found.truncate(max);
    if let Some(left) = &mut service.posts_left {
        let Some(after) = left.checked_sub(u64::try_from(found.len()).unwrap_or(0)) else {
            return problems::usage_capped(429);
        };
        *left = after;
    }
    let next = has_more.then(|| match found.last() {
        Some(oldest) => format!("p{}", oldest.id),
        None => format!("e{}", bounds.below_id),
    });
    FakeResponse::json(200, &body(service, request, &found, next))
}

fn body(service: &XService, request: &FakeRequest, posts: &[Post], next: Option<String>) -> Value {
    let mut body = Map::new();
    let mut meta = json!({"result_count": posts.len()});
    if let (Some(newest), Some(oldest)) = (posts.first(), posts.last()) {
        meta = json!({
            "newest_id": newest.id.to_string(), "oldest_id": oldest.id.to_string(), "result_count": posts.len(),
        });
        let fields = post_fields(request);
        let data: Vec<Value> = posts
            .iter()
            .map(|post| service.world.to_json(post, &fields, service.spelling))
            .collect();
        body.insert("data".to_owned(), json!(data));
        if let Some(includes) = includes(service, request, posts) {
            body.insert("includes".to_owned(), includes);
        }
    }
    if let (Some(next), Some(meta)) = (next, meta.as_object_mut()) {
        meta.insert("next_token".to_owned(), json!(next));
    }
    body.insert("meta".to_owned(), meta);
    Value::Object(body)
}

/// Gives what stands beside posts when expansions were asked for.
pub(crate) fn includes(service: &XService, request: &FakeRequest, posts: &[Post]) -> Option<Value> {
    if !list(request, "expansions").iter().any(|name| name == "author_id") {
        return None;
    }
    let fields = list(request, "user.fields");
    let mut places: Vec<usize> = posts.iter().map(|post| post.author).collect();
    places.sort_unstable();
    places.dedup();
    let users: Vec<Value> = places
        .into_iter()
        .filter_map(|place| service.world.authors.get(place))
        .map(|author| author.to_json(&fields))
        .collect();
    Some(json!({"users": users}))
}

/// Gives the fields of posts that were asked for, by either name of the parameter.
pub(crate) fn post_fields(request: &FakeRequest) -> Vec<String> {
    let mut fields = list(request, "tweet.fields");
    fields.extend(list(request, "post.fields"));
    fields
}

fn list(request: &FakeRequest, name: &str) -> Vec<String> {
    let text = request.query_param(name).unwrap_or_default();
    text.split(',')
        .filter(|field| !field.is_empty())
        .map(str::to_owned)
        .collect()
}
