//! One search on its way: pages, tokens, delays
//!
//! What was found is handed over when the search is over, so a search that is cut off by a restart is simply repeated. No
//! request is made here.

use serde_json::Value;
use weir_feed::answer::{Answer, Fetch};
use weir_feed::pause::Pause;
use weir_sdk::warn;

use crate::answer::{Page, legacy_details, legacy_search, new_details, new_search};
use crate::judge::{INVALID_REQUEST, legacy_status};
use crate::request::{Api, Asking, Search};

/// Tries of a legacy page token that is not yet valid, and the wait between them.
const TOKEN_TRIES: u32 = 5;
const TOKEN_WAIT_MS: u64 = 2000;

/// A page and where it came from.
#[derive(Debug)]
pub struct FetchedPage {
    /// The places.
    pub page: Page,
    /// When it was asked for.
    pub fetched_ms: i64,
    /// Path of the request.
    pub endpoint: String,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything that the service has was read.
    Complete,
    /// As many places were found as a search can find: there may be more.
    Full,
    /// A page could not be read.
    Incomplete,
    /// The place of the id is not known any more.
    NotFound,
}

/// A search on its way.
#[derive(Debug, Default)]
pub struct SearchRun {
    /// Pages so far.
    pub pages: Vec<FetchedPage>,
    /// Places and bad items so far.
    pub found: usize,
    token: Option<String>,
    tries: u32,
    pause: Option<Pause>,
}

impl SearchRun {
    /// Gives the token of the page to ask for.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Gives what is left of the wait before the next page.
    pub fn wait_ms(&mut self) -> u64 {
        self.pause.as_mut().map_or(0, Pause::left_ms)
    }

    /// Takes an answer; none = there is more to ask.
    pub fn take(
        &mut self,
        asking: &Asking,
        search: &Search,
        fetched: Fetch,
        now_ms: i64,
        delay_ms: u64,
    ) -> Option<End> {
        let is_details = matches!(search, Search::Details { .. });
        match fetched {
            Fetch::NotYet => None,
            Fetch::Empty(_) => Some(End::Complete),
            Fetch::Skipped(_, _) if is_details => Some(End::NotFound),
            Fetch::Skipped(_, reason) => Some(self.dropped(&reason)),
            Fetch::Got(answer) => self.take_page(asking, search, &answer, now_ms, delay_ms),
        }
    }

    fn take_page(
        &mut self,
        asking: &Asking,
        search: &Search,
        answer: &Answer,
        now_ms: i64,
        delay_ms: u64,
    ) -> Option<End> {
        // Judged before: it is JSON.
        let body = answer.json().unwrap_or_default();
        if asking.api == Api::Legacy && legacy_status(&body) == INVALID_REQUEST {
            self.tries += 1;
            if self.tries >= TOKEN_TRIES {
                return Some(self.dropped("the page token did not become valid"));
            }
            self.pause = Some(Pause::of(TOKEN_WAIT_MS));
            return None;
        }
        let page = read(asking, search, &body);
        self.found += page.len();
        let token = page.token.clone();
        self.pages.push(FetchedPage {
            page,
            fetched_ms: now_ms,
            endpoint: answer.path.clone(),
        });
        self.tries = 0;
        let is_full = self.found >= search.max_places(asking.api) && !matches!(search, Search::Details { .. });
        match token {
            // The service gives no token behind its last page, and no page without end.
            _ if is_full => Some(End::Full),
            None => Some(End::Complete),
            Some(token) if self.token.as_ref() == Some(&token) => Some(self.dropped("the page token came twice")),
            Some(token) => {
                self.token = Some(token);
                self.pause = (delay_ms > 0).then(|| Pause::of(delay_ms));
                None
            }
        }
    }

    fn dropped(&mut self, reason: &str) -> End {
        warn!("the rest of a search is left out until the next cycle"; "reason" => reason, "found" => self.found);
        End::Incomplete
    }
}

fn read(asking: &Asking, search: &Search, body: &Value) -> Page {
    match (asking.api, search) {
        (Api::New, Search::Details { .. }) => new_details(body),
        (Api::New, Search::Nearby { .. } | Search::Text { .. }) => new_search(body),
        (Api::Legacy, Search::Details { .. }) => legacy_details(body, &asking.fields),
        (Api::Legacy, Search::Nearby { .. } | Search::Text { .. }) => legacy_search(body, &asking.fields),
    }
}
