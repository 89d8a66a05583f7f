//! The leader's part of a round: read what members said, assign, write what they get
//!
//! Keeps the assignor between rounds. Whether the configs are new enough is checked here; reading on is the membership's.

use std::collections::BTreeMap;

use weir_client::group_member::Joined;
use weir_stores::configs::state::ClusterState;

use crate::group::eager;
use crate::group::incremental::{IncrementalAssignor, Round};
use crate::group::protocol::{Assignment, AssignmentError, ConnectProtocol, WorkerState};
use crate::group::view::Owners;
use crate::group::work::Work;

/// What the members of a round said.
#[derive(Debug)]
pub(super) struct Members {
    states: BTreeMap<String, WorkerState>,
}

impl Members {
    /// Reads their metadata.
    pub(super) fn read(joined: &Joined) -> Self {
        let states = joined.members.iter().map(|(member, metadata)| {
            let state = WorkerState::decode(metadata).unwrap_or_else(|reason| {
                tracing::error!(
                    member,
                    reason,
                    "member with metadata that cannot be read gets work as a new one"
                );
                WorkerState {
                    url: String::new(),
                    config_offset: 0,
                    allocation: None,
                }
            });
            (member.clone(), state)
        });
        Self {
            states: states.collect(),
        }
    }

    /// How far the config topic was read by the member that has read most.
    pub(super) fn config_offset(&self) -> i64 {
        self.states.values().map(|state| state.config_offset).max().unwrap_or(0)
    }

    fn url(&self, member: &str) -> &str {
        self.states.get(member).map_or("", |state| &state.url)
    }
}

/// The assignments of a round, and who owns what by them.
#[derive(Debug)]
pub(super) struct Decision {
    /// By member.
    pub(super) assignments: Vec<(String, Vec<u8>)>,
    /// `None` when the leader could not assign.
    pub(super) owners: Option<Owners>,
}

/// The assignor, and what it remembers.
#[derive(Debug)]
pub(super) struct Leader {
    incremental: IncrementalAssignor,
}

impl Leader {
    pub(super) fn new(max_delay_ms: i32) -> Self {
        Self {
            incremental: IncrementalAssignor::new(max_delay_ms),
        }
    }

    /// Assigns what `configs` ask for; or, when a member has read further than the leader, tells all to read and come again.
    pub(super) fn decide(
        &mut self,
        joined: &Joined,
        protocol: ConnectProtocol,
        members: &Members,
        configs: &ClusterState,
        times: Times,
    ) -> Decision {
        let reply = Reply {
            joined,
            protocol,
            members,
        };
        let max_offset = members.config_offset();
        if configs.offset < max_offset {
            tracing::info!(
                config_offset = configs.offset,
                max_offset,
                "leader has not read the latest configs, nothing is assigned in this round"
            );
            return reply.mismatch(max_offset);
        }
        let configured = Work::configured(configs);
        if protocol == ConnectProtocol::Eager {
            let shares = eager::assign(members.states.keys().map(String::as_str), &configured);
            return reply.decision(configs.offset, &shares, &BTreeMap::new(), &shares, 0);
        }
        let owned = members
            .states
            .iter()
            .map(|(member, state)| (member.clone(), state.owned()));
        let owned: BTreeMap<String, Work> = owned.collect();
        let shares = self.incremental.assign(Round {
            last_completed_generation: times.last_completed_generation,
            generation: joined.generation,
            now_ms: times.now_ms,
            configured: &configured,
            members: &owned,
        });
        reply.decision(
            configs.offset,
            &shares.assigned,
            &shares.revoked,
            &shares.owned,
            shares.delay_ms,
        )
    }
}

/// When a round happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) last_completed_generation: i32,
    pub(super) now_ms: i64,
}

struct Reply<'a> {
    joined: &'a Joined,
    protocol: ConnectProtocol,
    members: &'a Members,
}

impl Reply<'_> {
    fn mismatch(&self, config_offset: i64) -> Decision {
        let mut empty = self.empty(config_offset);
        empty.error = AssignmentError::ConfigMismatch;
        let bytes = empty.encode();
        let members = self.members.states.keys();
        Decision {
            assignments: members.map(|member| (member.clone(), bytes.to_vec())).collect(),
            owners: None,
        }
    }

    fn decision(
        &self,
        config_offset: i64,
        assigned: &BTreeMap<String, Work>,
        revoked: &BTreeMap<String, Work>,
        owned: &BTreeMap<String, Work>,
        delay_ms: i32,
    ) -> Decision {
        let assignments = self.members.states.keys().map(|member| {
            let mut assignment = self.empty(config_offset);
            assignment.delay_ms = delay_ms;
            if let Some(work) = assigned.get(member) {
                assignment.connectors.clone_from(&work.connectors);
                assignment.tasks.clone_from(&work.tasks);
            }
            if let Some(work) = revoked.get(member) {
                assignment.revoked_connectors.clone_from(&work.connectors);
                assignment.revoked_tasks.clone_from(&work.tasks);
            }
            (member.clone(), assignment.encode().to_vec())
        });
        let workers = owned.iter().map(|(member, work)| (self.members.url(member), work));
        Decision {
            assignments: assignments.collect(),
            owners: Some(Owners::of(workers)),
        }
    }

    fn empty(&self, config_offset: i64) -> Assignment {
        Assignment {
            version: self.protocol.version(),
            error: AssignmentError::None,
            leader: self.joined.leader_id.clone(),
            leader_url: self.members.url(&self.joined.leader_id).to_owned(),
            config_offset,
            connectors: Default::default(),
            tasks: Default::default(),
            revoked_connectors: Default::default(),
            revoked_tasks: Default::default(),
            delay_ms: 0,
        }
    }
}
