//! Filling a gap of the stream by recent search
//!
//! One search a rule, because the rule a post matched is part of its record. A search sees posts half a minute late, so
//! it waits until what was written before the new connection can be seen. Best effort: what a search cannot find, because
//! a rule is too long or has operators that only streams know, is reported as a gap.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem;
use std::rc::Rc;

use weir_feed::pause::Pause;
use weir_sdk::api::error::ConnectError;
use weir_sdk::warn;

use crate::api::{Caller, Endpoint};
use crate::handover::{Handover, report_gap};
use crate::ids::time_of;
use crate::parse::{Post, User};
use crate::problem::Refusal;
use crate::records::Origin;
use crate::rules::Rule;
use crate::settings::Settings;
use crate::walk::{Bound, List, Step, Walk};

/// What was written so long after the connection was made is left to the stream.
const MARGIN_MS: i64 = 15_000;
/// So long after the connection was made a search sees what was written until the margin.
const DELAY_MS: i64 = 60_000;

/// What was found.
#[derive(Debug, Default)]
pub struct Filled {
    /// Posts by id.
    pub posts: BTreeMap<u64, (Post, Rc<Origin>)>,
    /// Authors by id.
    pub users: HashMap<String, User>,
}

/// Fills one gap.
#[derive(Debug)]
pub struct Fill {
    settings: Settings,
    from: Bound,
    connected_ms: i64,
    due: Pause,
    rules: VecDeque<Rule>,
    walk: Option<(List, Walk, Rule)>,
    is_recovered: bool,
    has_begun: bool,
    filled: Filled,
}

impl Fill {
    /// Plans to fill a gap that ended when a connection was made, by the service's clock.
    pub fn new(settings: &Settings, from: Bound, connected_ms: i64, rules: &[Rule]) -> Self {
        Self {
            settings: settings.clone(),
            from,
            connected_ms,
            due: Pause::of(DELAY_MS.unsigned_abs()),
            rules: rules.iter().cloned().collect(),
            walk: None,
            is_recovered: false,
            has_begun: false,
            filled: Filled::default(),
        }
    }

    /// Tells whether something was asked already.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Gives how long nothing is due.
    pub fn wait_ms(&mut self) -> u64 {
        self.due.left_ms()
    }

    /// Reads a page if it is time; gives what was found once all was asked.
    ///
    /// # Errors
    /// As [`Walk::step`].
    pub fn step(
        &mut self,
        endpoint: &mut Endpoint,
        caller: &mut Caller,
        handover: &mut Handover,
    ) -> Result<Option<Filled>, ConnectError> {
        if !self.due.is_over() {
            return Ok(None);
        }
        let Some((list, mut walk, rule)) = self.walk.take().or_else(|| self.next_walk()) else {
            return Ok(Some(mem::take(&mut self.filled)));
        };
        let step = walk.step(&list, endpoint, caller)?;
        handover.skipped(&mem::take(&mut walk.problems));
        let early_ms = self
            .connected_ms
            .saturating_add(DELAY_MS)
            .saturating_sub(caller.service_now_ms());
        if !self.has_begun && matches!(step, Step::More | Step::Complete | Step::Capped) {
            // Our clock may have been set since: the answer told the service's time.
            if early_ms > 0 {
                self.due = Pause::of(early_ms.unsigned_abs());
                self.rules.push_front(rule);
                return Ok(None);
            }
            self.has_begun = true;
        }
        match step {
            Step::NotYet | Step::More => self.walk = Some((list, walk, rule)),
            Step::Complete => self.found(walk, &rule),
            Step::Capped => {
                let oldest = walk.posts.iter().map(|(post, _)| post.id).min();
                let oldest_ms = oldest.map_or(self.connected_ms, time_of);
                report_gap(
                    self.begins_ms(oldest_ms),
                    oldest_ms,
                    "a search of the gap has too many pages",
                );
                self.found(walk, &rule);
            }
            Step::Refused(Refusal::OutOfRange, _) if !self.is_recovered && list.reach_ms.is_some() => {
                let reach_ms = list.reach_ms.unwrap_or_default();
                let oldest_ms = caller.service_now_ms().saturating_sub(reach_ms);
                report_gap(
                    self.begins_ms(oldest_ms),
                    oldest_ms,
                    "the gap is older than what X still gives",
                );
                self.is_recovered = true;
                self.from = Bound::From(oldest_ms);
                walk.bound = self.from;
                self.walk = Some((list, walk, rule));
            }
            Step::Refused(refusal @ (Refusal::Invalid | Refusal::OutOfRange | Refusal::Token), refused) => {
                let detail = refused
                    .problems
                    .first()
                    .map_or(String::new(), |problem| problem.detail.clone());
                warn!("a rule cannot be searched for"; "rule" => rule.value, "refusal" => format!("{refusal:?}"),
                    "detail" => detail);
                report_gap(
                    self.begins_ms(self.connected_ms),
                    self.connected_ms,
                    "a search does not take the rule",
                );
            }
            Step::Absent(_) => {}
            Step::Refused(_, refused) => return Err(endpoint.fatal(&refused)),
        }
        Ok(None)
    }

    fn next_walk(&mut self) -> Option<(List, Walk, Rule)> {
        loop {
            let rule = self.rules.pop_front()?;
            if rule.value.chars().count() <= self.settings.query_max_chars {
                let list = List::search(&self.settings, &rule.value);
                return Some((list, Walk::new(self.from, None, None), rule));
            }
            warn!("a rule is too long to be searched for"; "rule" => rule.value);
            report_gap(
                self.begins_ms(self.connected_ms),
                self.connected_ms,
                "a search does not take the rule",
            );
        }
    }

    fn found(&mut self, mut walk: Walk, rule: &Rule) {
        self.is_recovered = false;
        self.filled.users.extend(mem::take(&mut walk.users));
        let end_ms = self.connected_ms.saturating_add(MARGIN_MS);
        for (post, origin) in walk.take_oldest_first() {
            if time_of(post.id) > end_ms {
                continue;
            }
            let (post, _) = self.filled.posts.entry(post.id).or_insert((post, origin));
            post.matching_rules.get_or_insert_default().push(rule.shown.clone());
        }
    }

    fn begins_ms(&self, otherwise_ms: i64) -> i64 {
        match self.from {
            Bound::Since(id) => time_of(id),
            Bound::From(ms) => ms,
            Bound::Reach => otherwise_ms,
        }
    }
}
