//! What the state machines want done
//!
//! A parked request is a `Ticket`: the state machine keeps it and hands it back with the reply. A
//! `Store` is written to `__consumer_offsets` and its outcome given back with the same `then`;
//! outcomes of one log partition come back in the order of the writes.

use bytes::Bytes;
use weir_protocol::error_code::ErrorCode;

use super::offsets::CommittedOffset;
use super::record::LogRecord;
use super::request::{Protocol, TransactionWriter};

/// Stands for a request that waits for its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// One thing to do.
#[derive(Debug)]
pub enum Effect {
    /// Answer a parked request.
    Reply {
        /// The request.
        ticket: Ticket,
        /// Its answer.
        reply: Reply,
    },
    /// Append records of `group`, then call `GroupCoordinator::stored` with `then`.
    Store {
        /// Group the records belong to; decides the log partition.
        group: String,
        /// Records of one batch, never empty.
        records: Vec<LogRecord>,
        /// What the outcome means.
        then: Then,
        /// In whose transaction they are written, if in one: the partition of the group must be
        /// part of it when they are appended.
        writer: Option<TransactionWriter>,
    },
}

/// An answer to a parked request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To JoinGroup.
    Join(JoinReply),
    /// To SyncGroup.
    Sync(SyncReply),
    /// To OffsetCommit: a code for each offset, in request order.
    Committed(Vec<ErrorCode>),
    /// To OffsetDelete: the request's own code, and one for each partition in request order.
    OffsetsDeleted(ErrorCode, Vec<ErrorCode>),
    /// To DeleteGroups, for one group.
    GroupDeleted(ErrorCode),
}

/// The answer to JoinGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinReply {
    /// Outcome; the other fields count only for `NONE`, save `member_id`.
    pub error: ErrorCode,
    /// Generation joined; -1 with an error.
    pub generation: i32,
    /// Protocol type of the group.
    pub protocol_type: Option<String>,
    /// Protocol chosen.
    pub protocol_name: Option<String>,
    /// Member id of the leader.
    pub leader: String,
    /// Whether the leader keeps the assignment as it is.
    pub skip_assignment: bool,
    /// The member's own id.
    pub member_id: String,
    /// All members; only the leader gets them.
    pub members: Vec<JoinedMember>,
}

/// One member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    /// Member id.
    pub member_id: String,
    /// Set for a static member.
    pub instance_id: Option<String>,
    /// Metadata for the chosen protocol.
    pub metadata: Bytes,
}

/// The answer to SyncGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncReply {
    /// Outcome.
    pub error: ErrorCode,
    /// Protocol type of the group.
    pub protocol_type: Option<String>,
    /// Protocol chosen.
    pub protocol_name: Option<String>,
    /// The member's share.
    pub assignment: Bytes,
}

/// What the outcome of a `Store` means to the group.
#[derive(Debug)]
pub enum Then {
    /// Nothing waits for it.
    Nothing,
    /// The leader's assignments are on disk: hand them out.
    HandOut {
        /// Generation they were made for.
        generation: i32,
        /// Member id and assignment.
        assignments: Vec<(String, Bytes)>,
    },
    /// A static member's new id is on disk: answer its join.
    AnswerStatic(Box<StaticReturn>),
    /// Offsets are on disk: they count now.
    Commit {
        /// The commit; `None` where nobody waits.
        ticket: Ticket,
        /// Codes of all offsets of the request, `NONE` for the stored ones.
        codes: Vec<ErrorCode>,
        /// The stored ones.
        offsets: Vec<(String, i32, CommittedOffset)>,
        /// The producer whose commit marker makes them count, if they wait for one.
        producer_id: Option<i64>,
    },
    /// Tombstones are on disk: the offsets are gone, and the group if it is empty.
    Forget {
        /// Who is told, if anyone.
        reply: Option<(Ticket, Reply)>,
        /// Topic and partition.
        offsets: Vec<(String, i32)>,
        /// Whether the group's own tombstone was written.
        group: bool,
    },
}

/// A static member that came back under a new id, kept until that is stored.
#[derive(Debug)]
pub struct StaticReturn {
    /// The waiting join.
    pub ticket: Ticket,
    /// Its answer if the store succeeds.
    pub reply: JoinReply,
    /// Generation it belongs to.
    pub generation: i32,
    /// Instance id.
    pub instance_id: String,
    /// Id before, restored if the store fails.
    pub old_member_id: String,
    /// Protocols before.
    pub old_protocols: Vec<Protocol>,
    /// Session timeout before.
    pub old_session_timeout_ms: i32,
    /// Rebalance timeout before.
    pub old_rebalance_timeout_ms: i32,
}

impl JoinReply {
    /// A refusal; `member_id` is answered as it came.
    pub fn refused(error: ErrorCode, member_id: impl Into<String>) -> Self {
        Self {
            error,
            generation: -1,
            protocol_type: None,
            protocol_name: None,
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.into(),
            members: Vec::new(),
        }
    }
}

impl SyncReply {
    /// A refusal.
    pub fn refused(error: ErrorCode) -> Self {
        Self {
            error,
            protocol_type: None,
            protocol_name: None,
            assignment: Bytes::new(),
        }
    }
}

impl Effect {
    pub(super) fn join(ticket: Ticket, reply: JoinReply) -> Self {
        Self::Reply {
            ticket,
            reply: Reply::Join(reply),
        }
    }

    pub(super) fn sync(ticket: Ticket, reply: SyncReply) -> Self {
        Self::Reply {
            ticket,
            reply: Reply::Sync(reply),
        }
    }
}
