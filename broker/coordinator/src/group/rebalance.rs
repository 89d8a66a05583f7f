//! From one generation to the next
//!
//! A rebalance waits for every member to join again, at most the longest rebalance timeout; an
//! empty group instead waits a fixed delay for members to gather. Then a generation starts and
//! waits for the leader's assignments. Kafka's code: `prepareRebalance`, `completeClassicGroupJoin`.

use weir_protocol::error_code::ErrorCode;

use super::classic::{ClassicGroup, Gathering, JoinWait, State};
use super::effect::{Effect, SyncReply, Then};
use super::member::Member;
use crate::time::Now;

impl ClassicGroup {
    /// After a change of members: starts a rebalance, or ends one that waited for this.
    pub(super) fn rebalance_or_complete(&mut self, now: Now, effects: &mut Vec<Effect>) {
        match self.state {
            State::PreparingRebalance => self.try_complete_join(now, effects),
            State::Empty | State::CompletingRebalance | State::Stable => {
                self.prepare_rebalance(now, effects);
            }
        }
    }

    /// Starts a rebalance.
    pub(super) fn prepare_rebalance(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.state == State::CompletingRebalance {
            self.refuse_syncs(ErrorCode::REBALANCE_IN_PROGRESS, now, effects);
        }
        self.pending_syncs.clear();
        self.sync_until_ms = None;
        let from_empty = self.state == State::Empty;
        self.enter(State::PreparingRebalance, now);
        if from_empty {
            self.start_gathering(now, effects);
        } else {
            let until_ms = now.after(self.rebalance_timeout_ms());
            self.join_wait = Some(JoinWait {
                until_ms,
                gathering: None,
            });
            self.try_complete_join(now, effects);
        }
    }

    fn start_gathering(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let delay_ms = self.settings.initial_rebalance_delay_ms;
        if delay_ms <= 0 {
            self.join_wait = Some(JoinWait {
                until_ms: now.mono_ms,
                gathering: None,
            });
            self.complete_join(now, effects);
            return;
        }
        let remaining_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
        self.join_wait = Some(JoinWait {
            until_ms: now.after(delay_ms),
            gathering: Some(Gathering {
                remaining_ms,
                newcomer: false,
            }),
        });
    }

    /// Ends the wait for joins if nobody is missing.
    pub(super) fn try_complete_join(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let gathering = self.join_wait.is_some_and(|wait| wait.gathering.is_some());
        let all_here = self.pending_joins.is_empty() && self.members.values().all(|member| member.joining.is_some());
        if self.state == State::PreparingRebalance && !gathering && all_here {
            self.complete_join(now, effects);
        }
    }

    /// The wait for joins is over: by its timer, for now or for good.
    pub(super) fn join_wait_over(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let delay_ms = self.settings.initial_rebalance_delay_ms;
        if let Some(wait) = self.join_wait.as_mut()
            && let Some(gathering) = wait.gathering.as_mut()
            && gathering.newcomer
            && gathering.remaining_ms > 0
        {
            let longer_ms = delay_ms.min(gathering.remaining_ms);
            gathering.newcomer = false;
            gathering.remaining_ms -= longer_ms;
            wait.until_ms = now.after(longer_ms);
            return;
        }
        self.complete_join(now, effects);
    }

    fn complete_join(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.drop_missing_dynamic(effects);
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Only static members, none of them back: wait until one comes or their sessions end.
            let until_ms = now.after(self.rebalance_timeout_ms());
            self.join_wait = Some(JoinWait {
                until_ms,
                gathering: None,
            });
            return;
        }
        self.generation = self.generation.wrapping_add(1).max(1);
        self.pending_syncs.clear();
        if self.members.is_empty() {
            self.protocol_name = None;
            self.refresh_subscribed_topics();
            self.enter(State::Empty, now);
            effects.push(self.store(None, Then::Nothing));
            return;
        }
        self.protocol_name = self.select_protocol();
        self.refresh_subscribed_topics();
        self.enter(State::CompletingRebalance, now);
        self.answer_joins(now, effects);
    }

    fn drop_missing_dynamic(&mut self, effects: &mut Vec<Effect>) {
        // Static members may be away as long as their session lasts.
        let missing: Vec<String> = self
            .members
            .values()
            .filter(|member| member.joining.is_none() && member.instance_id.is_none())
            .map(|member| member.id.clone())
            .collect();
        for member_id in missing {
            self.remove_member(&member_id, effects);
        }
    }

    /// Keeps the leader if it has joined, else lets another lead; false when nobody has joined.
    fn elect_joined_leader(&mut self) -> bool {
        let joined = |member: &&Member| member.joining.is_some();
        let current = self.leader.as_ref().and_then(|leader| self.members.get(leader));
        if current.as_ref().is_some_and(joined) {
            return true;
        }
        match self.members.values().find(joined) {
            Some(member) => {
                self.leader = Some(member.id.clone());
                true
            }
            None => false,
        }
    }

    fn answer_joins(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in &ids {
            let reply = self.joined(member_id);
            let Some(member) = self.members.get_mut(member_id) else {
                continue;
            };
            if let Some(ticket) = member.joining.take() {
                effects.push(Effect::join(ticket, reply));
            }
            member.is_new = false;
            member.extend_session(now);
        }
        self.pending_syncs = ids.into_iter().collect();
        self.sync_until_ms = Some(now.after(self.rebalance_timeout_ms()));
    }

    /// The generation's assignments will not come: those who wait for them are told.
    pub(super) fn refuse_syncs(&mut self, code: ErrorCode, now: Now, effects: &mut Vec<Effect>) {
        for member in self.members.values_mut() {
            member.assignment = bytes::Bytes::new();
            if let Some(ticket) = member.syncing.take() {
                effects.push(Effect::sync(ticket, SyncReply::refused(code)));
                member.extend_session(now);
            }
        }
    }
}
