//! Increments instead of stopping the world: the assignment of protocol versions 1 and 2 (KIP-415)
//!
//! Pure; kept by the leader from round to round, time is an argument. What is configured, what members say they own, and what the last
//! round gave them tell what is new, deleted, lost or owned twice. Lost work waits for its worker to come back; work that has to move
//! is revoked in one round and given in the next. `balance` is the arithmetic of shares. Source: `IncrementalCooperativeAssignor`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use weir_worker::lifecycle::TaskId;

use crate::group::balance::{fill, surplus};
use crate::group::work::Work;

/// What the leader knows when a round begins.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a> {
    /// Generation of the last round that this member completed; −1 before the first.
    pub last_completed_generation: i32,
    /// Generation of this round.
    pub generation: i32,
    pub now_ms: i64,
    pub configured: &'a Work,
    /// What each member says it owns.
    pub members: &'a BTreeMap<String, Work>,
}

/// What a round decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shares {
    /// What each member starts; every member has an entry.
    pub assigned: BTreeMap<String, Work>,
    /// What each member stops; members that keep everything have none.
    pub revoked: BTreeMap<String, Work>,
    /// What each member owns when it has done both.
    pub owned: BTreeMap<String, Work>,
    /// When above 0: members join again after this time.
    pub delay_ms: i32,
}

/// The leader's memory.
#[derive(Debug)]
pub struct IncrementalAssignor {
    max_delay_ms: i32,
    /// What the last round left owned or lost, whoever has it.
    previous: Work,
    previous_generation: i32,
    previous_members: BTreeSet<String>,
    previous_revocation: Work,
    /// Members without work while lost work waits, in the order they were seen; they get it when its worker does not come back.
    candidates: Vec<String>,
    /// When the wait ends; `None` while nothing waits.
    scheduled_ms: Option<i64>,
    delay_ms: i32,
    has_revoked_for_balance: bool,
    successive_revocations: u32,
}

/// Growth of the wait between rounds that revoke for balance, from 1 ms.
const BACKOFF_FACTOR: f64 = 40.0;

impl IncrementalAssignor {
    /// An assignor that knows of no round yet; `max_delay_ms` is `scheduled.rebalance.max.delay.ms`.
    pub fn new(max_delay_ms: i32) -> Self {
        Self {
            max_delay_ms,
            previous: Work::default(),
            previous_generation: -1,
            previous_members: BTreeSet::new(),
            previous_revocation: Work::default(),
            candidates: Vec::new(),
            scheduled_ms: None,
            delay_ms: 0,
            has_revoked_for_balance: false,
            successive_revocations: 0,
        }
    }

    /// Decides a round.
    pub fn assign(&mut self, round: Round<'_>) -> Shares {
        if self.previous_generation != round.last_completed_generation {
            tracing::debug!(
                previous_generation = self.previous_generation,
                last_completed_generation = round.last_completed_generation,
                "view of the last assignment is outdated and given up"
            );
            self.previous = Work::default();
        }
        let active = Active::of(round.members);
        self.notice_failed_revocation(&active);
        let deleted = Work {
            connectors: &self.previous.connectors - &round.configured.connectors,
            tasks: &self.previous.tasks - &round.configured.tasks,
        };
        let lost = self.lost(&active, &deleted);
        let created = self.created(&active, round.configured);

        let mut gone = active.duplicated();
        gone.add(deleted);
        let mut revoked = held_of(round.members, &gone);
        let mut owned = round.members.clone();
        take(&mut owned, &revoked);

        let mut found = self.handle_lost(&lost, &owned, round.now_ms);
        self.balance(round, &mut owned, &mut found.given, &mut revoked);
        for (member, work) in found.given {
            owned.entry(member).or_default().add(work);
        }
        let parts = owned.values_mut().map(|share| &mut share.connectors).collect();
        fill(parts, created.connectors.iter().chain(&found.rest.connectors));
        let parts = owned.values_mut().map(|share| &mut share.tasks).collect();
        fill(parts, created.tasks.iter().chain(&found.rest.tasks));

        let assigned = added(&owned, round.members);
        revoked.retain(|_, work| !work.is_empty());
        self.remember(round, &owned, &revoked, lost);
        Shares {
            assigned,
            revoked,
            owned,
            delay_ms: self.delay_ms,
        }
    }

    /// What was revoked last time and is owned still, was not revoked: the members' word is the truth then.
    fn notice_failed_revocation(&mut self, active: &Active<'_>) {
        let revocation = std::mem::take(&mut self.previous_revocation);
        let has_failed = revocation
            .connectors
            .iter()
            .any(|name| active.connectors.contains_key(name))
            || revocation.tasks.iter().any(|task| active.tasks.contains_key(task));
        if has_failed {
            self.previous = active.all();
        }
    }

    fn lost(&self, active: &Active<'_>, deleted: &Work) -> Work {
        let Work { connectors, tasks } = &self.previous;
        Work {
            connectors: connectors
                .iter()
                .filter(|name| !active.connectors.contains_key(name) && !deleted.connectors.contains(*name))
                .cloned()
                .collect(),
            tasks: tasks
                .iter()
                .filter(|task| !active.tasks.contains_key(task) && !deleted.tasks.contains(*task))
                .cloned()
                .collect(),
        }
    }

    fn created(&self, active: &Active<'_>, configured: &Work) -> Work {
        let Work { connectors, tasks } = &self.previous;
        Work {
            connectors: configured
                .connectors
                .iter()
                .filter(|name| !active.connectors.contains_key(name) && !connectors.contains(*name))
                .cloned()
                .collect(),
            tasks: configured
                .tasks
                .iter()
                .filter(|task| !active.tasks.contains_key(task) && !tasks.contains(*task))
                .cloned()
                .collect(),
        }
    }

    /// Decides what becomes of lost work, and sets the delay.
    fn handle_lost(&mut self, lost: &Work, owned: &BTreeMap<String, Work>, now_ms: i64) -> Found {
        if lost.is_empty() && !self.has_revoked_for_balance {
            self.reset_delay();
            return Found::default();
        }
        let has_departed = self.previous_members.iter().any(|member| !owned.contains_key(member));
        // Without a departure, probably members that never got the last assignment.
        if (self.scheduled_ms.is_none() && !has_departed) || self.max_delay_ms == 0 {
            return Found::as_new(lost);
        }
        match self.scheduled_ms {
            Some(scheduled_ms) if now_ms >= scheduled_ms => {
                let found = self.give_to_candidates(lost, owned);
                self.reset_delay();
                // A whole delay has passed, so revoking in the next round is no hurry.
                self.has_revoked_for_balance = false;
                return found;
            }
            Some(scheduled_ms) => {
                self.note_candidates(owned);
                let left_ms = scheduled_ms.saturating_sub(now_ms);
                self.delay_ms = i32::try_from(left_ms).unwrap_or(i32::MAX).min(self.max_delay_ms);
            }
            None => {
                self.note_candidates(owned);
                self.delay_ms = self.max_delay_ms;
                tracing::info!(
                    connectors = lost.connectors.len(),
                    tasks = lost.tasks.len(),
                    delay_ms = self.delay_ms,
                    "a worker has gone, its work waits for it to come back"
                );
            }
        }
        self.scheduled_ms = Some(now_ms.saturating_add(i64::from(self.delay_ms)));
        Found::default()
    }

    /// Members that came while lost work waited get it in turn; without such, it is given out as if it were new.
    fn give_to_candidates(&self, lost: &Work, owned: &BTreeMap<String, Work>) -> Found {
        let present: Vec<&String> = self
            .candidates
            .iter()
            .filter(|member| owned.contains_key(*member))
            .collect();
        if present.is_empty() {
            return Found::as_new(lost);
        }
        let mut given: BTreeMap<String, Work> = BTreeMap::new();
        for (connector, member) in lost.connectors.iter().zip(present.iter().cycle()) {
            let share = given.entry((*member).clone()).or_default();
            share.connectors.insert(connector.clone());
        }
        for (task, member) in lost.tasks.iter().zip(present.iter().cycle()) {
            given.entry((*member).clone()).or_default().tasks.insert(task.clone());
        }
        Found {
            given,
            rest: Work::default(),
        }
    }

    fn note_candidates(&mut self, owned: &BTreeMap<String, Work>) {
        for (member, share) in owned {
            if share.is_empty() && !self.candidates.contains(member) {
                self.candidates.push(member.clone());
            }
        }
    }

    fn reset_delay(&mut self) {
        self.candidates.clear();
        self.scheduled_ms = None;
        self.delay_ms = 0;
    }

    /// Revokes what members have too much, unless a delay is on or the last round did so too: then a growing wait comes first.
    fn balance(
        &mut self,
        round: Round<'_>,
        owned: &mut BTreeMap<String, Work>,
        given: &mut BTreeMap<String, Work>,
        revoked: &mut BTreeMap<String, Work>,
    ) {
        if self.delay_ms != 0 {
            self.has_revoked_for_balance = false;
            return;
        }
        let surplus = surplus_of(owned, given, round.configured);
        if surplus.is_empty() {
            if self.has_revoked_for_balance {
                self.has_revoked_for_balance = false;
                self.successive_revocations = 0;
            }
            return;
        }
        if self.has_revoked_for_balance {
            self.successive_revocations = self.successive_revocations.saturating_add(1);
            self.delay_ms = backoff_ms(self.successive_revocations, self.max_delay_ms);
            if self.delay_ms != 0 {
                self.scheduled_ms = Some(round.now_ms.saturating_add(i64::from(self.delay_ms)));
                return;
            }
        }
        self.has_revoked_for_balance = true;
        take(owned, &surplus);
        take(given, &surplus);
        for (member, work) in surplus {
            revoked.entry(member).or_default().add(work);
        }
    }

    fn remember(
        &mut self,
        round: Round<'_>,
        owned: &BTreeMap<String, Work>,
        revoked: &BTreeMap<String, Work>,
        lost: Work,
    ) {
        let mut previous = Work::default();
        for share in owned.values() {
            previous.add(share.clone());
        }
        for work in revoked.values() {
            previous.remove(work);
            self.previous_revocation.add(work.clone());
        }
        previous.add(lost);
        self.previous = previous;
        self.previous_generation = round.generation;
        self.previous_members = round.members.keys().cloned().collect();
    }
}

/// Lost work that has a place again.
#[derive(Debug, Default)]
struct Found {
    /// By candidate.
    given: BTreeMap<String, Work>,
    /// To be given out with the new.
    rest: Work,
}

impl Found {
    fn as_new(lost: &Work) -> Self {
        Self {
            given: BTreeMap::new(),
            rest: lost.clone(),
        }
    }
}

/// How many members say they own each piece of work.
struct Active<'a> {
    connectors: HashMap<&'a String, usize>,
    tasks: HashMap<&'a TaskId, usize>,
}

impl<'a> Active<'a> {
    fn of(members: &'a BTreeMap<String, Work>) -> Self {
        let mut active = Self {
            connectors: HashMap::new(),
            tasks: HashMap::new(),
        };
        for held in members.values() {
            for connector in &held.connectors {
                *active.connectors.entry(connector).or_default() += 1;
            }
            for task in &held.tasks {
                *active.tasks.entry(task).or_default() += 1;
            }
        }
        active
    }

    fn all(&self) -> Work {
        Work {
            connectors: self.connectors.keys().copied().cloned().collect(),
            tasks: self.tasks.keys().copied().cloned().collect(),
        }
    }

    fn duplicated(&self) -> Work {
        let connectors = self.connectors.iter().filter(|(_, owners)| **owners > 1);
        let tasks = self.tasks.iter().filter(|(_, owners)| **owners > 1);
        Work {
            connectors: connectors.map(|(name, _)| (*name).clone()).collect(),
            tasks: tasks.map(|(task, _)| (*task).clone()).collect(),
        }
    }
}

/// What each member holds of `work`.
fn held_of(members: &BTreeMap<String, Work>, work: &Work) -> BTreeMap<String, Work> {
    let held = members.iter().map(|(member, held)| {
        let part = Work {
            connectors: work.connectors.intersection(&held.connectors).cloned().collect(),
            tasks: work.tasks.intersection(&held.tasks).cloned().collect(),
        };
        (member.clone(), part)
    });
    held.filter(|(_, part)| !part.is_empty()).collect()
}

/// What each member has in `owned` and did not have before; an entry for each.
fn added(owned: &BTreeMap<String, Work>, before: &BTreeMap<String, Work>) -> BTreeMap<String, Work> {
    let nothing = Work::default();
    let added = owned.iter().map(|(member, now)| {
        let before = before.get(member).unwrap_or(&nothing);
        let work = Work {
            connectors: now.connectors.difference(&before.connectors).cloned().collect(),
            tasks: now.tasks.difference(&before.tasks).cloned().collect(),
        };
        (member.clone(), work)
    });
    added.collect()
}

fn take(owned: &mut BTreeMap<String, Work>, revoked: &BTreeMap<String, Work>) {
    for (member, work) in revoked {
        if let Some(share) = owned.get_mut(member) {
            share.remove(work);
        }
    }
}

/// What members have too much of; what they hold goes before what they were just given, as with Apache's leader.
fn surplus_of(
    owned: &BTreeMap<String, Work>,
    given: &BTreeMap<String, Work>,
    configured: &Work,
) -> BTreeMap<String, Work> {
    let mut all: BTreeMap<String, Work> = BTreeMap::new();
    if configured.is_empty() || owned.values().chain(given.values()).all(Work::is_empty) {
        return all;
    }
    let nothing = Work::default();
    let shares = owned.iter().map(|(member, held)| {
        let given = given.get(member).unwrap_or(&nothing);
        (
            member.as_str(),
            held.connectors.iter().chain(&given.connectors).collect(),
        )
    });
    for (member, connectors) in surplus(&shares.collect(), configured.connectors.len()) {
        all.entry(member).or_default().connectors = connectors;
    }
    let shares = owned.iter().map(|(member, held)| {
        let given = given.get(member).unwrap_or(&nothing);
        (member.as_str(), held.tasks.iter().chain(&given.tasks).collect())
    });
    for (member, tasks) in surplus(&shares.collect(), configured.tasks.len()) {
        all.entry(member).or_default().tasks = tasks;
    }
    all
}

/// 1 ms × 40ⁿ, at most `max_ms`; never waits when no delay is wanted.
fn backoff_ms(attempts: u32, max_ms: i32) -> i32 {
    if max_ms <= 1 {
        return max_ms.max(0);
    }
    let limit = f64::from(max_ms).ln() / BACKOFF_FACTOR.ln();
    let wait = BACKOFF_FACTOR.powf(f64::from(attempts).min(limit));
    // Saturates; the value is between 40 and the maximum.
    (wait as i32).min(max_ms)
}

#[cfg(test)]
mod tests;
