//! The service: credentials, limits, scripted answers, and which file answers
//!
//! Every answer carries the date and the limit headers. A scripted answer takes the place of the real one for the next
//! request to a path.

use std::collections::{HashMap, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::service::{FakeRequest, FakeResponse, Service, decoded};
use crate::x::clock::http_date;
use crate::x::lists::{self, Query};
use crate::x::posts::{Post, Spelling, World};
use crate::x::problems;
use crate::x::rules::Rules;
use crate::x::stream::{self, Ending, Stream};

const WINDOW_MS: i64 = 15 * 60_000;

/// What a request asks for; each has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `GET /2/tweets/search/recent`
    Search,
    /// `GET /2/tweets/search/stream`
    Stream,
    /// `GET /2/tweets/search/stream/rules`
    Rules,
    /// `POST /2/tweets/search/stream/rules`
    ChangeRules,
    /// `GET /2/users/by/username/{name}`
    User,
    /// `GET /2/users/{id}/tweets`
    Timeline,
}

impl Endpoint {
    fn of(request: &FakeRequest) -> Option<(Self, String)> {
        let segments = request.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let found = match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["2", "tweets", "search", "recent"]) => (Self::Search, ""),
            ("GET", ["2", "tweets", "search", "stream"]) => (Self::Stream, ""),
            ("GET", ["2", "tweets", "search", "stream", "rules"]) => (Self::Rules, ""),
            ("POST", ["2", "tweets", "search", "stream", "rules"]) => (Self::ChangeRules, ""),
            ("GET", ["2", "users", "by", "username", name]) => (Self::User, *name),
            ("GET", ["2", "users", id, "tweets"]) => (Self::Timeline, *id),
            _ => return None,
        };
        Some((found.0, found.1.to_owned()))
    }

    fn default_limit(self) -> u32 {
        match self {
            Self::Search | Self::Rules => 450,
            Self::Stream => 50,
            Self::ChangeRules => 100,
            Self::User => 300,
            Self::Timeline => 10_000,
        }
    }
}

/// How a user that is not simply there looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// 200 with an entry of `errors`.
    Gone,
    /// 200 with an entry of `errors`.
    Protected,
    /// 403.
    Suspended,
    /// 404.
    NotFound,
}

/// The fake of the X API.
#[derive(Debug)]
pub struct XService {
    /// The posts.
    pub world: World,
    /// Which names are used.
    pub spelling: Spelling,
    /// Tokens that are accepted; none = any.
    pub bearers: Option<Vec<String>>,
    /// Key and secret that tokens are given for.
    pub app: Option<(String, String)>,
    /// Requests of an endpoint in 15 minutes, where they differ from X's.
    pub limits: HashMap<Endpoint, u32>,
    /// Search sees what is older than this.
    pub search_lag_ms: i64,
    /// Search reaches back so far.
    pub search_window_ms: i64,
    /// Whether what only enterprises get is there: `backfill_minutes`.
    pub is_enterprise: bool,
    /// Posts that the account may still read.
    pub posts_left: Option<u64>,
    /// One page in so many is cut short or empty; 0 = none.
    pub short_page_every: u64,
    /// Users that are not simply there.
    pub absent: HashMap<u64, Absence>,
    /// Rules of the stream.
    pub rules: Rules,
    /// How streams run and end.
    pub stream: Stream,
    scripted: VecDeque<(String, FakeResponse)>,
    minted: u32,
    windows: HashMap<Endpoint, (i64, u32)>,
}

impl XService {
    /// Starts a service over the posts of a seed that takes any token.
    pub fn new(seed: u64) -> Self {
        Self {
            world: World::new(seed),
            spelling: Spelling::Tweet,
            bearers: None,
            app: None,
            limits: HashMap::new(),
            search_lag_ms: 30_000,
            search_window_ms: 7 * 86_400_000,
            is_enterprise: false,
            posts_left: None,
            short_page_every: 7,
            absent: HashMap::new(),
            rules: Rules::default(),
            stream: Stream::default(),
            scripted: VecDeque::new(),
            minted: 0,
            windows: HashMap::new(),
        }
    }

    /// Gives this answer to the next request to a path.
    pub fn answer_next(&mut self, path: &str, answer: FakeResponse) {
        self.scripted.push_back((path.to_owned(), answer));
    }

    /// Tells how many scripted answers were not asked for yet.
    pub fn scripted_left(&self) -> usize {
        self.scripted.len()
    }

    /// Makes all tokens given so far useless.
    pub fn revoke_minted(&mut self) {
        if let Some(bearers) = &mut self.bearers {
            bearers.retain(|token| !token.starts_with("minted-"));
        }
    }

    /// Ends the next stream in this way.
    pub fn end_next_stream(&mut self, after_ms: u64, ending: Ending) {
        self.stream.scripted.push_back((after_ms, ending));
    }

    /// Gives what a perfect reader of a query must have found of what was written in a stretch of time, oldest first.
    pub fn truth(&self, query: &Query, from_ms: i64, to_ms: i64) -> Vec<Post> {
        let mut posts = self.world.posts(from_ms, to_ms);
        posts.retain(|post| query.matches(post, &self.world));
        posts
    }

    fn respond(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        if request.method == "POST" && request.path == "/oauth2/token" {
            return self.mint(request);
        }
        if !self.is_authorized(request) {
            return problems::unauthorized();
        }
        let Some((endpoint, name)) = Endpoint::of(request) else {
            return problems::not_found(&request.path);
        };
        let (limit, left, reset_ms) = self.count(endpoint, now_ms);
        let response = if left.is_some() {
            self.answer(endpoint, &name, request, now_ms)
        } else {
            problems::too_many_requests()
        };
        response
            .header("x-rate-limit-limit", limit.to_string())
            .header("x-rate-limit-remaining", left.unwrap_or(0).to_string())
            .header("x-rate-limit-reset", (reset_ms / 1000).to_string())
    }

    fn answer(&mut self, endpoint: Endpoint, name: &str, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        match endpoint {
            Endpoint::Search => lists::search(self, request, now_ms),
            Endpoint::Timeline => lists::timeline(self, name, request, now_ms),
            Endpoint::User => lists::user(self, name, request),
            Endpoint::Rules => self.rules.list(now_ms),
            Endpoint::ChangeRules => self.rules.change(request, now_ms),
            Endpoint::Stream => stream::connect(self, request, now_ms),
        }
    }

    /// Gives the limit, what is left of it after this request (none = refused) and when the window ends.
    fn count(&mut self, endpoint: Endpoint, now_ms: i64) -> (u32, Option<u32>, i64) {
        let limit = self.limits.get(&endpoint).copied().unwrap_or(endpoint.default_limit());
        let window = self.windows.entry(endpoint).or_insert((now_ms, 0));
        if now_ms >= window.0 + WINDOW_MS || now_ms < window.0 {
            *window = (now_ms, 0);
        }
        let left = limit.checked_sub(window.1 + 1);
        if left.is_some() {
            window.1 += 1;
        }
        (limit, left, window.0 + WINDOW_MS + 999)
    }

    fn is_authorized(&self, request: &FakeRequest) -> bool {
        let token = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        match (token, &self.bearers) {
            (Some(token), Some(bearers)) => bearers.iter().any(|bearer| bearer == token),
            (Some(token), None) => !token.is_empty(),
            (None, _) => false,
        }
    }

    fn mint(&mut self, request: &FakeRequest) -> FakeResponse {
        let given = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|value| STANDARD.decode(value).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let given = given
            .as_deref()
            .and_then(|pair| pair.split_once(':'))
            .map(|(key, secret)| (decoded(key), decoded(secret)));
        if given.is_none() || given != self.app {
            return problems::bad_app_credentials();
        }
        if !String::from_utf8_lossy(&request.body).contains("grant_type=client_credentials") {
            return FakeResponse::json(
                400,
                &json!({"errors": [{"code": 170, "message": "Missing required parameter: grant_type"}]}),
            );
        }
        self.minted += 1;
        let token = format!("minted-{}-{}", self.world.seed, self.minted);
        self.bearers.get_or_insert_default().push(token.clone());
        FakeResponse::json(200, &json!({"token_type": "bearer", "access_token": token}))
    }
}

impl Service for XService {
    fn handle(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        let scripted = self.scripted.iter().position(|(path, _)| request.path == *path);
        let response = match scripted.and_then(|at| self.scripted.remove(at)) {
            Some((_, response)) => response,
            None => self.respond(request, now_ms),
        };
        response.header("date", http_date(now_ms))
    }
}

#[cfg(test)]
mod tests;
