//! One member of a classic group
//!
//! Holds what the member joined with, its assignment, its parked requests and when its session
//! ends. A member with a parked join or sync is alive by that; only a new one, whose id its client
//! may never have received, is given up after five minutes.

use bytes::Bytes;

use super::effect::Ticket;
use super::request::{JoinRequest, Protocol};
use crate::time::Now;

/// How long a member that has never been in a generation may wait for one.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 300_000;

/// A member.
#[derive(Debug, Clone)]
pub struct Member {
    /// Member id.
    pub id: String,
    /// Set for a static member.
    pub instance_id: Option<String>,
    /// Client id of its connection.
    pub client_id: String,
    /// Its address, as `/127.0.0.1`.
    pub client_host: String,
    /// Session timeout in milliseconds.
    pub session_timeout_ms: i32,
    /// Rebalance timeout in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// Supported protocols, preferred first.
    pub protocols: Vec<Protocol>,
    /// What the leader gave it in this generation.
    pub assignment: Bytes,
    pub(super) joining: Option<Ticket>,
    pub(super) syncing: Option<Ticket>,
    pub(super) is_new: bool,
    session_end_ms: i64,
}

impl Member {
    /// A member that joins for the first time, its request parked.
    pub(super) fn joining(id: String, request: JoinRequest, ticket: Ticket, now: Now) -> Self {
        Self {
            id,
            instance_id: request.instance_id,
            client_id: request.client_id,
            client_host: request.client_host,
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            protocols: request.protocols,
            assignment: Bytes::new(),
            joining: Some(ticket),
            syncing: None,
            is_new: true,
            session_end_ms: now.after(NEW_MEMBER_JOIN_TIMEOUT_MS),
        }
    }

    /// A member as read from the log; its session starts when the group is loaded.
    pub(super) fn stored(value: super::record::MemberValue, protocol: Option<&str>) -> Self {
        let name = protocol.unwrap_or_default().to_owned();
        Self {
            id: value.member_id,
            instance_id: value.instance_id,
            client_id: value.client_id,
            client_host: value.client_host,
            session_timeout_ms: value.session_timeout_ms,
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            protocols: vec![Protocol {
                name,
                metadata: value.subscription,
            }],
            assignment: value.assignment,
            joining: None,
            syncing: None,
            is_new: false,
            session_end_ms: i64::MAX,
        }
    }

    /// Starts the session anew.
    pub(super) fn extend_session(&mut self, now: Now) {
        self.session_end_ms = now.after(self.session_timeout_ms);
    }

    /// Returns when the session ends; `None` while a parked request keeps it alive.
    pub(super) fn session_end_ms(&self) -> Option<i64> {
        let parked = self.joining.is_some() || self.syncing.is_some();
        (self.is_new || !parked).then_some(self.session_end_ms)
    }

    /// Returns the metadata for `protocol`, empty when the member does not support it.
    pub fn metadata_for(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|candidate| candidate.name == protocol)
            .map(|found| found.metadata.clone())
            .unwrap_or_default()
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|candidate| candidate.name == protocol)
    }
}
