//! The parent stream: a list of partition values from the service itself
//!
//! Each task reads the list and keeps its share, so that a value stays with the same source partition however many tasks
//! there are.

use std::collections::HashSet;

use weir_feed::answer::{Answer, Fetch, Verdict};
use weir_feed::client::{Client, described};
use weir_feed::hash::sha256_hex;
use weir_feed::pause::Pause;
use weir_feed::pointer::scalar_text;
use weir_feed::url::Url;
use weir_sdk::api::error::ConnectError;
use weir_sdk::http::Request;
use weir_sdk::runtime;
use weir_sdk::warn;

use crate::auth::Auth;
use crate::source_settings::{Parent, Settings};

/// Values of one list.
const MAX_VALUES: usize = 100_000;

/// The list and when it is read again.
#[derive(Debug)]
pub struct ParentList {
    parent: Parent,
    index: u32,
    count: u32,
    next: Option<Pause>,
}

impl ParentList {
    /// Starts with a list to read, for task `index` of `count`.
    pub fn new(parent: Parent, index: u32, count: u32) -> Self {
        Self {
            parent,
            index,
            count: count.max(1),
            next: None,
        }
    }

    /// Tells whether the list is to be read.
    pub fn is_due(&mut self) -> bool {
        self.next.as_mut().is_none_or(Pause::is_over)
    }

    /// Reads the list; none = ask again in the next poll.
    ///
    /// # Errors
    /// Fatal as any request, or when the answer holds no list.
    pub fn refresh(
        &mut self,
        settings: &Settings,
        client: &mut Client,
        auth: &mut Auth,
    ) -> Result<Option<Vec<String>>, ConnectError> {
        let mut url = Url::parse(&self.parent.url).map_err(ConnectError::config)?;
        let mut request = Request::get("").with_header("Accept", "application/json");
        // Credentials are for the service of http.url; a list elsewhere is read without.
        if settings.request.hosts.check(&url).is_ok() {
            auth.apply(&mut request, &mut url);
        }
        request.url = url.to_string();
        let judge = |answer: &Answer| match answer.status {
            401 => Verdict::Unjudged,
            _ => match Verdict::by_status(answer, runtime::now_ms(), "check http.parent.url and http.auth.*") {
                Verdict::Ok => Verdict::Unjudged,
                other => other,
            },
        };
        let answer = match client.fetch(&request, &judge)? {
            Fetch::Got(answer) => answer,
            Fetch::NotYet | Fetch::Empty(_) | Fetch::Skipped(..) => return Ok(None),
        };
        if answer.status == 401 {
            if auth.refresh() {
                return Ok(None);
            }
            return Err(client.fatal(&request, &answer, "the credentials were refused; check http.auth.*"));
        }
        match self.values_of(&answer) {
            Ok(values) => {
                client.succeeded();
                auth.accepted();
                self.next = Some(Pause::of(self.parent.refresh_ms));
                Ok(Some(values))
            }
            Err(reason) => client.failed(&described(&request), &reason).map(|()| None),
        }
    }

    fn values_of(&self, answer: &Answer) -> Result<Vec<String>, String> {
        let body = answer.json()?;
        let mut values = Vec::new();
        let mut met = HashSet::new();
        for found in self.parent.records.find(&body) {
            let elements = found.as_array().map_or(std::slice::from_ref(found), Vec::as_slice);
            for value in elements
                .iter()
                .filter_map(|element| scalar_text(self.parent.value.first(element)?))
            {
                if values.len() >= MAX_VALUES {
                    warn!("the list of partitions is cut"; "most" => MAX_VALUES);
                    return Ok(values);
                }
                if self.is_own(&value) && met.insert(value.clone()) {
                    values.push(value);
                }
            }
        }
        Ok(values)
    }

    fn is_own(&self, value: &str) -> bool {
        let digits = sha256_hex(value.as_bytes());
        let number = u64::from_str_radix(digits.get(..15).unwrap_or("0"), 16).unwrap_or(0);
        number % u64::from(self.count) == u64::from(self.index)
    }
}
