//! What members ask for, without the wire
//!
//! The server fills these from the request messages; versions have become plain facts
//! (`MemberIdRule`, `SkipAssignment`), so the state machine knows no version numbers.

use bytes::Bytes;

use crate::transaction::request::Producer;

/// One protocol a member supports, with its metadata for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// Name, such as `range` or `sessioned`.
    pub name: String,
    /// Opaque to the coordinator, save for `consumer` subscriptions.
    pub metadata: Bytes,
}

/// Whether a dynamic member must come back with the id it is given before it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberIdRule {
    /// JoinGroup before v4: in at once.
    JoinAtOnce,
    /// JoinGroup v4 and later (KIP-394).
    ComeBackWithId,
}

/// Whether a static leader that comes back may be told to skip the assignment (KIP-814).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipAssignment {
    /// JoinGroup v9 and later.
    Understood,
    /// Earlier versions: the leader's old id is answered instead, so that it thinks it follows.
    Unknown,
}

/// JoinGroup.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// Empty for a member without an id yet.
    pub member_id: String,
    /// Set for a static member.
    pub instance_id: Option<String>,
    /// Client id of the connection.
    pub client_id: String,
    /// Address of the client, as `/127.0.0.1`.
    pub client_host: String,
    /// Session timeout in milliseconds.
    pub session_timeout_ms: i32,
    /// Rebalance timeout in milliseconds; the session timeout where the version has none.
    pub rebalance_timeout_ms: i32,
    /// `consumer`, `connect`, `sr`, …
    pub protocol_type: String,
    /// Supported protocols, preferred first.
    pub protocols: Vec<Protocol>,
    /// Random text that makes a new member id unique.
    pub unique: String,
    /// See [`MemberIdRule`].
    pub member_id_rule: MemberIdRule,
    /// See [`SkipAssignment`].
    pub skip_assignment: SkipAssignment,
}

impl JoinRequest {
    /// Returns the id a member that has none is given.
    pub(super) fn new_member_id(&self) -> String {
        let prefix = self.instance_id.as_deref().unwrap_or(&self.client_id);
        format!("{prefix}-{}", self.unique)
    }
}

/// Who a member says it is, and in which generation.
#[derive(Debug, Clone, Default)]
pub struct MemberClaim {
    /// Member id.
    pub member_id: String,
    /// Set for a static member.
    pub instance_id: Option<String>,
    /// Generation, or a negative number for none.
    pub generation: i32,
}

/// SyncGroup.
#[derive(Debug, Clone)]
pub struct SyncRequest {
    /// Who asks.
    pub claim: MemberClaim,
    /// Checked when present (v5).
    pub protocol_type: Option<String>,
    /// Checked when present (v5).
    pub protocol_name: Option<String>,
    /// Member id and assignment; empty unless the leader asks.
    pub assignments: Vec<(String, Bytes)>,
}

/// One entry of LeaveGroup.
#[derive(Debug, Clone)]
pub struct LeavingMember {
    /// May be empty when an instance id is given.
    pub member_id: String,
    /// Set for a static member.
    pub instance_id: Option<String>,
}

/// OffsetCommit.
#[derive(Debug, Clone)]
pub struct CommitRequest {
    /// Who commits; an empty id and a negative generation for a consumer outside the group.
    pub claim: MemberClaim,
    /// How long the offsets are kept if the request says so (v2–v4).
    pub retention_ms: Option<i64>,
    /// The offsets, answered in this order.
    pub offsets: Vec<OffsetToCommit>,
    /// Set for TxnOffsetCommit: the offsets count when the transaction is committed.
    pub writer: Option<TransactionWriter>,
}

/// The producer in whose transaction offsets are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionWriter {
    /// Its transactional id.
    pub transactional_id: String,
    /// Who it is.
    pub producer: Producer,
}

/// One offset of a commit.
#[derive(Debug, Clone)]
pub struct OffsetToCommit {
    /// Topic name.
    pub topic: String,
    /// Partition index.
    pub partition: i32,
    /// Next offset to read.
    pub offset: i64,
    /// Leader epoch of the last record read; -1 when unknown.
    pub leader_epoch: i32,
    /// The client's own text.
    pub metadata: String,
}
