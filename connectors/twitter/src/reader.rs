//! Reads one list of posts again and again: cursor, range and gaps
//!
//! For a search and for each timeline. Records of a cycle go oldest first; they carry the old cursor and how far they
//! were handed over, and the last one the moved cursor. After a crash a complete cycle goes on where it was; of a cycle
//! with too many pages, the part that was being handed over comes again.

use std::mem;

use weir_sdk::api::error::ConnectError;

use crate::api::{Caller, Endpoint};
use crate::cursor::Cursor;
use crate::handover::{Handover, Place, report_gap};
use crate::ids::{id_at, time_of};
use crate::problem::{Problem, Refusal};
use crate::settings::Settings;
use crate::values::Start;
use crate::walk::{Bound, List, Step, Walk};

/// A first run from `latest` takes what was written so long before, because a search does not see the newest posts.
const LATEST_MS: i64 = 60_000;
/// What a search may not have seen yet when a cycle ends.
const LAG_MS: i64 = 120_000;
/// Posts of a user that X gives at most.
const TIMELINE_REACH_POSTS: usize = 3200;

/// What a step came to.
#[derive(Debug)]
pub enum Read {
    /// Not yet: the endpoint waits.
    NotYet,
    /// There is more to read now.
    More,
    /// The cycle is over.
    Over,
    /// There is no such list; the error says why, should it matter.
    Absent(Vec<Problem>, ConnectError),
}

/// Reads one list.
#[derive(Debug)]
pub struct Reader {
    list: List,
    partition: String,
    cursor: Cursor,
    walk: Option<Walk>,
    /// Whether the last request was refused and the range cut to what the service still gives.
    is_recovered: bool,
    /// Up to this time nothing was missed, or its loss was reported; as seen since the start.
    covered_ms: Option<i64>,
    began_ms: i64,
    /// Posts of the running cycle, over all its parts.
    posts: usize,
}

impl Reader {
    /// Starts at a committed cursor, or where the settings say.
    pub fn new(list: List, partition: String, committed: Option<Cursor>, settings: &Settings, caller: &Caller) -> Self {
        let since_id = match settings.start {
            Start::Latest => Some(id_at(caller.service_now_ms().saturating_sub(LATEST_MS))),
            Start::At(ms) => Some(id_at(ms)),
            Start::Earliest => None,
        };
        let first = Cursor {
            // All ids of that time are above it.
            since_id: since_id.map(|id| id.saturating_sub(1)),
            ..Cursor::default()
        };
        Self {
            list,
            partition,
            cursor: committed.unwrap_or(first),
            walk: None,
            is_recovered: false,
            covered_ms: None,
            began_ms: 0,
            posts: 0,
        }
    }

    /// Reads a page, and hands over what was found once all are there.
    ///
    /// # Errors
    /// As [`Walk::step`]; fatal where a refusal leaves no way on.
    pub fn step(
        &mut self,
        endpoint: &mut Endpoint,
        caller: &mut Caller,
        handover: &mut Handover,
    ) -> Result<Read, ConnectError> {
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            None => self.begin(caller),
        };
        let step = walk.step(&self.list, endpoint, caller)?;
        handover.skipped(&mem::take(&mut walk.problems));
        if matches!(step, Step::More | Step::Complete | Step::Capped) {
            self.is_recovered = false;
        }
        match step {
            Step::NotYet => {
                self.walk = Some(walk);
                Ok(Read::NotYet)
            }
            Step::More => {
                self.walk = Some(walk);
                Ok(Read::More)
            }
            Step::Complete => {
                self.hand_over(walk, true, handover)?;
                self.covered_ms = Some(self.began_ms.saturating_sub(LAG_MS));
                Ok(Read::Over)
            }
            Step::Capped => {
                self.hand_over(walk, false, handover)?;
                Ok(Read::Over)
            }
            Step::Absent(problems) => {
                let texts: Vec<&str> = problems.iter().map(|problem| problem.detail.as_str()).collect();
                let error = ConnectError::fatal(format!("X has nothing of the kind: {}", texts.join("; ")));
                Ok(Read::Absent(problems, error))
            }
            Step::Refused(Refusal::OutOfRange, refused) => match self.list.reach_ms.filter(|_| !self.is_recovered) {
                Some(reach_ms) => {
                    self.recover(walk, caller.service_now_ms().saturating_sub(reach_ms));
                    Ok(Read::More)
                }
                None => Err(endpoint.fatal(&refused)),
            },
            Step::Refused(Refusal::User, refused) if self.list.reach_ms.is_none() => {
                let error = endpoint.fatal(&refused);
                Ok(Read::Absent(refused.problems, error))
            }
            Step::Refused(_, refused) => Err(endpoint.fatal(&refused)),
        }
    }

    fn begin(&mut self, caller: &Caller) -> Walk {
        let now_ms = caller.service_now_ms();
        if self.cursor.next_token.is_none() {
            self.began_ms = now_ms;
            self.posts = 0;
        }
        // A cycle in parts goes on with the range that it began with: tokens belong to a range.
        let since_id = match self.cursor.next_token {
            Some(_) => self.cursor.since_id,
            None => self.cursor.floor(),
        };
        let oldest_ms = self
            .list
            .reach_ms
            .map_or(i64::MIN, |reach_ms| now_ms.saturating_sub(reach_ms));
        let bound = match since_id {
            // Nothing came for as long as the service goes back, and we saw it: no gap.
            Some(id) if time_of(id) < oldest_ms && self.covered_ms.is_some_and(|ms| ms >= oldest_ms) => {
                Bound::From(oldest_ms)
            }
            Some(id) => Bound::Since(id),
            None => Bound::Reach,
        };
        Walk::new(bound, self.cursor.next_token.clone(), self.cursor.newest_id)
    }

    /// Has a walk go on where the service still goes.
    fn recover(&mut self, mut walk: Walk, oldest_ms: i64) {
        self.is_recovered = true;
        let known_ms = self.cursor.floor().map(time_of).max(self.covered_ms);
        report_gap(
            known_ms.unwrap_or(oldest_ms),
            oldest_ms,
            "the cursor is older than what X still gives",
        );
        self.covered_ms = known_ms.max(Some(oldest_ms));
        walk.bound = Bound::From(oldest_ms);
        self.walk = Some(walk);
    }

    fn hand_over(&mut self, mut walk: Walk, is_complete: bool, handover: &mut Handover) -> Result<(), ConnectError> {
        let old = self.cursor.clone();
        let new = self.moved(&walk, is_complete);
        let mut before = (old != Cursor::default()).then(|| old.to_offset());
        for bad in &walk.bad {
            let place = Place {
                partition: &self.partition,
                offset: before.as_deref(),
            };
            handover.bad(bad, place)?;
        }
        let mut posts = walk.take_oldest_first();
        self.posts += posts.len();
        if is_complete {
            self.note_timeline_reach(posts.first().map(|(post, _)| post.id));
        }
        let floor = old.floor().unwrap_or(0);
        posts.retain(|(post, _)| post.id > floor && handover.is_new(post.id));
        let last_id = posts.last().map(|(post, _)| post.id);
        for (post, origin) in posts {
            let offset = if Some(post.id) == last_id {
                Some(new.to_offset())
            } else if is_complete {
                let progress = Cursor {
                    handed_to: Some(post.id),
                    ..old.clone()
                };
                Some(progress.to_offset())
            } else {
                before.clone()
            };
            let place = Place {
                partition: &self.partition,
                offset: offset.as_deref(),
            };
            handover.post(&post, &walk.users, &origin, place, before.as_deref());
            before = offset;
        }
        handover.outbox.finish(None);
        self.cursor = new;
        Ok(())
    }

    /// Gives the cursor once all that was found is handed over.
    fn moved(&self, walk: &Walk, is_complete: bool) -> Cursor {
        let old = &self.cursor;
        if is_complete {
            return Cursor {
                since_id: walk.newest_id.max(old.floor()),
                ..Cursor::default()
            };
        }
        let (since_id, handed_to) = match old.next_token {
            Some(_) => (old.since_id, old.handed_to),
            None => (old.floor(), None),
        };
        Cursor {
            since_id,
            handed_to,
            next_token: walk.token.clone(),
            newest_id: walk.newest_id,
        }
    }

    /// Reports what lies between the cursor and the oldest post of a cycle that used up all that X gives.
    fn note_timeline_reach(&self, oldest_id: Option<u64>) {
        if let (None, Some(since_id), Some(oldest_id)) = (self.list.reach_ms, self.cursor.floor(), oldest_id)
            && self.posts >= TIMELINE_REACH_POSTS
        {
            let why = "X gives the last 3200 posts of a user only";
            report_gap(time_of(since_id), time_of(oldest_id), why);
        }
    }
}
