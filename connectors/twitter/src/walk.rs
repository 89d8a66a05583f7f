//! One walk through pages, from the newest post back to where the last one ended
//!
//! One request a step. What was found stays here until the walk is complete, or has used up its pages. Nothing is
//! decided about cursors: `reader.rs` and `fill.rs` do.

use std::collections::HashMap;
use std::rc::Rc;

use weir_feed::time::rfc3339;
use weir_feed::url::{Url, encoded};
use weir_sdk::api::error::ConnectError;
use weir_sdk::runtime;
use weir_sdk::warn;

use crate::api::{Caller, Endpoint, Refused, Reply};
use crate::parse::{BadPost, Page, Post, User};
use crate::problem::{Problem, Refusal};
use crate::records::Origin;
use crate::settings::Settings;

/// A list of posts that can be asked for.
#[derive(Debug, Clone)]
pub struct List {
    url: Url,
    token_param: &'static str,
    max_pages: u32,
    keeps_raw: bool,
    /// How far back the service goes.
    pub reach_ms: Option<i64>,
}

/// Recent search goes back seven days; a minute less is asked for, so that the request is still in time.
const SEARCH_REACH_MS: i64 = 7 * 86_400_000 - 60_000;

impl List {
    /// A search.
    pub fn search(settings: &Settings, query: &str) -> Self {
        let mut list = Self::new(settings, "/2/tweets/search/recent", "next_token");
        list.url.push_param("query", query);
        list.reach_ms = Some(SEARCH_REACH_MS);
        list
    }

    /// The posts of a user.
    pub fn timeline(settings: &Settings, user_id: u64) -> Self {
        let mut list = Self::new(settings, &format!("/2/users/{user_id}/tweets"), "pagination_token");
        if !settings.exclude.is_empty() {
            list.url.push_param("exclude", &settings.exclude);
        }
        list
    }

    fn new(settings: &Settings, path: &str, token_param: &'static str) -> Self {
        let mut url = settings.base.clone();
        path.clone_into(&mut url.path);
        url.push_param("max_results", &settings.max_results.to_string());
        for (name, value) in &settings.fields.params {
            url.push_param(name, value);
        }
        Self {
            url,
            token_param,
            max_pages: settings.max_pages,
            keeps_raw: settings.output.includes_raw,
            reach_ms: None,
        }
    }
}

/// Older end of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Posts above this id.
    Since(u64),
    /// Posts from this time on, in milliseconds since the epoch.
    From(i64),
    /// As far back as the service goes.
    Reach,
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// Not yet: the endpoint waits.
    NotYet,
    /// A page was read, and there is another one.
    More,
    /// All pages were read.
    Complete,
    /// The pages of a walk are used up, and there are more.
    Capped,
    /// The service has nothing of the kind, and says why.
    Absent(Vec<Problem>),
    /// The service refuses.
    Refused(Refusal, Box<Refused>),
}

/// A walk.
#[derive(Debug)]
pub struct Walk {
    /// Older end.
    pub bound: Bound,
    /// Where it goes on.
    pub token: Option<String>,
    /// Greatest id found or named.
    pub newest_id: Option<u64>,
    /// Posts, newest first.
    pub posts: Vec<(Post, Rc<Origin>)>,
    /// Items that are no posts.
    pub bad: Vec<BadPost>,
    /// Authors by id.
    pub users: HashMap<String, User>,
    /// What the service could not give.
    pub problems: Vec<Problem>,
    pages: u32,
    has_restarted: bool,
}

impl Walk {
    /// Starts a walk, in the middle where a token is given.
    pub fn new(bound: Bound, token: Option<String>, newest_id: Option<u64>) -> Self {
        Self {
            bound,
            token,
            newest_id,
            posts: Vec::new(),
            bad: Vec::new(),
            users: HashMap::new(),
            problems: Vec::new(),
            pages: 0,
            has_restarted: false,
        }
    }

    /// Reads the next page.
    ///
    /// # Errors
    /// As [`Endpoint::get`].
    pub fn step(&mut self, list: &List, endpoint: &mut Endpoint, caller: &mut Caller) -> Result<Step, ConnectError> {
        let handled = [Refusal::OutOfRange, Refusal::Token, Refusal::Invalid, Refusal::User];
        let (body, answer) = match endpoint.get(caller, &self.url(list), &handled)? {
            Reply::NotYet => return Ok(Step::NotYet),
            Reply::Refused(Refusal::Token, _) if self.token.is_some() && !self.has_restarted => {
                warn!("the page's token was refused: the cycle starts over");
                *self = Self {
                    has_restarted: true,
                    ..Self::new(self.bound, None, None)
                };
                return Ok(Step::More);
            }
            Reply::Refused(refusal, refused) => return Ok(Step::Refused(refusal, refused)),
            Reply::Body(body, answer) => (body, answer),
        };
        let page = Page::parse(&body, list.keeps_raw);
        if page.posts.is_empty() && page.bad.is_empty() && !page.problems.is_empty() && body.get("meta").is_none() {
            return Ok(Step::Absent(page.problems));
        }
        let origin = Rc::new(Origin {
            endpoint: answer.path.clone(),
            fetched_at_ms: runtime::now_ms(),
            page: self.pages,
            request_id: answer.header("x-transaction-id").map(str::to_owned),
        });
        self.pages = self.pages.saturating_add(1);
        self.newest_id = self.newest_id.max(page.newest_id);
        self.posts
            .extend(page.posts.into_iter().map(|post| (post, Rc::clone(&origin))));
        self.bad.extend(page.bad);
        self.users.extend(page.users);
        self.problems.extend(page.problems);
        self.token = page.next_token;
        Ok(match self.token {
            None => Step::Complete,
            Some(_) if self.pages >= list.max_pages => Step::Capped,
            Some(_) => Step::More,
        })
    }

    /// Takes the posts, oldest first and each once.
    pub fn take_oldest_first(&mut self) -> Vec<(Post, Rc<Origin>)> {
        let mut posts = std::mem::take(&mut self.posts);
        posts.sort_by_key(|(post, _)| post.id);
        posts.dedup_by_key(|(post, _)| post.id);
        posts
    }

    fn url(&self, list: &List) -> Url {
        let mut url = list.url.clone();
        match self.bound {
            Bound::Since(id) => url.push_param("since_id", &id.to_string()),
            Bound::From(ms) => url.push_param("start_time", &second(ms)),
            Bound::Reach => {}
        }
        if let Some(token) = &self.token {
            url.push_raw_param(list.token_param, &encoded(token));
        }
        url
    }
}

/// Writes a time in whole seconds, rounded up, as X wants it.
fn second(ms: i64) -> String {
    rfc3339(ms.saturating_add(999).div_euclid(1000).saturating_mul(1000))
}
