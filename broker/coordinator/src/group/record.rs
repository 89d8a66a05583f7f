//! `__consumer_offsets` records: keys and values in Kafka's format
//!
//! Keys: v0 and v1 an offset (group, topic, partition), v2 a group; v1 and v2 are written. Values:
//! offsets v0–v4 are read (v1 carries an expiry, v3 a leader epoch, v4 is v3 in flexible form with
//! a topic id as a tag); v3 is written, v1 when the commit has its own expiry, since lag exporters
//! know those. Groups v0–v4 are read, v3 is written. Keys of newer group types are told apart, not
//! read. Source: `OffsetCommitKey/Value.json`, `GroupMetadataKey/Value.json` of group-coordinator.

use bytes::{BufMut, Bytes};
use weir_protocol::primitives::LengthEncoding;

use crate::error::CoordinatorError;
use crate::fields::{Fields, put_bytes, put_nullable_string, put_string};

const OFFSET_KEY_VERSION: i16 = 1;
const GROUP_KEY_VERSION: i16 = 2;
/// DIVERGES: Kafka 4.3 writes 4.
const OFFSET_VALUE_VERSION: i16 = 3;
const EXPIRING_OFFSET_VALUE_VERSION: i16 = 1;
const GROUP_VALUE_VERSION: i16 = 3;
const FLEXIBLE_VALUE_VERSION: i16 = 4;

/// One record to append: key, and value or tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Encoded key.
    pub key: Vec<u8>,
    /// Encoded value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKey {
    /// A committed offset.
    Offset {
        /// Group id.
        group: String,
        /// Topic name.
        topic: String,
        /// Partition index.
        partition: i32,
    },
    /// A group's membership.
    Group {
        /// Group id.
        group: String,
    },
    /// A record type this coordinator does not keep.
    Other(i16),
}

/// The value of an offset record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetValue {
    /// Next offset to read.
    pub offset: i64,
    /// Leader epoch of the last record read; -1 when unknown.
    pub leader_epoch: i32,
    /// The client's own text.
    pub metadata: String,
    /// When it was committed, wall clock.
    pub commit_ms: i64,
    /// When it goes, if the commit said so.
    pub expire_ms: Option<i64>,
}

/// The value of a group record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupValue {
    /// `consumer`, `connect`, … ; empty for none.
    pub protocol_type: String,
    /// Generation of the last rebalance.
    pub generation: i32,
    /// Protocol chosen by the members.
    pub protocol: Option<String>,
    /// Member id of the leader.
    pub leader: Option<String>,
    /// When the group entered its state, wall clock; -1 when unknown.
    pub state_since_ms: i64,
    /// Members with their assignments; empty for an empty group.
    pub members: Vec<MemberValue>,
}

/// One member in a group record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberValue {
    /// Member id.
    pub member_id: String,
    /// Static member's instance id.
    pub instance_id: Option<String>,
    /// Client id of the member's connection.
    pub client_id: String,
    /// Address of the member, as `/127.0.0.1`.
    pub client_host: String,
    /// Rebalance timeout in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// Session timeout in milliseconds.
    pub session_timeout_ms: i32,
    /// Metadata for the chosen protocol.
    pub subscription: Bytes,
    /// The leader's assignment.
    pub assignment: Bytes,
}

impl RecordKey {
    /// Reads a key.
    ///
    /// # Errors
    /// `Malformed` when the bytes end early.
    pub fn decode(bytes: &[u8]) -> Result<Self, CoordinatorError> {
        let malformed = || CoordinatorError::Malformed { what: "record key" };
        let mut fields = Fields::new(bytes);
        let version = fields.i16().ok_or_else(malformed)?;
        let key = match version {
            0 | OFFSET_KEY_VERSION => {
                fields
                    .string()
                    .zip(fields.string())
                    .zip(fields.i32())
                    .map(|((group, topic), partition)| Self::Offset {
                        group,
                        topic,
                        partition,
                    })
            }
            GROUP_KEY_VERSION => fields.string().map(|group| Self::Group { group }),
            other => Some(Self::Other(other)),
        };
        key.ok_or_else(malformed)
    }
}

/// Encodes the key of a group record.
pub fn group_key(group: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + group.len());
    out.put_i16(GROUP_KEY_VERSION);
    put_string(&mut out, group);
    out
}

/// Encodes the key of an offset record.
pub fn offset_key(group: &str, topic: &str, partition: i32) -> Vec<u8> {
    let mut out = Vec::with_capacity(10 + group.len() + topic.len());
    out.put_i16(OFFSET_KEY_VERSION);
    put_string(&mut out, group);
    put_string(&mut out, topic);
    out.put_i32(partition);
    out
}

impl OffsetValue {
    /// Encodes the value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(26 + self.metadata.len());
        match self.expire_ms {
            None => {
                out.put_i16(OFFSET_VALUE_VERSION);
                out.put_i64(self.offset);
                out.put_i32(self.leader_epoch);
                put_string(&mut out, &self.metadata);
                out.put_i64(self.commit_ms);
            }
            Some(expire_ms) => {
                out.put_i16(EXPIRING_OFFSET_VALUE_VERSION);
                out.put_i64(self.offset);
                put_string(&mut out, &self.metadata);
                out.put_i64(self.commit_ms);
                out.put_i64(expire_ms);
            }
        }
        out
    }

    /// Reads a value.
    ///
    /// # Errors
    /// `UnsupportedVersion` for a version after 4, `Malformed` when the bytes end early.
    pub fn decode(bytes: &[u8]) -> Result<Self, CoordinatorError> {
        let what = "offset value";
        let mut fields = Fields::new(bytes);
        let version = fields.i16().ok_or(CoordinatorError::Malformed { what })?;
        if !(0..=FLEXIBLE_VALUE_VERSION).contains(&version) {
            return Err(CoordinatorError::UnsupportedVersion { what, version });
        }
        Self::decode_body(&mut fields, version).ok_or(CoordinatorError::Malformed { what })
    }

    fn decode_body(fields: &mut Fields<'_>, version: i16) -> Option<Self> {
        if version >= FLEXIBLE_VALUE_VERSION {
            fields.set_lengths(LengthEncoding::Compact);
        }
        let offset = fields.i64()?;
        let leader_epoch = if version >= 3 { fields.i32()? } else { -1 };
        let metadata = fields.string()?;
        let commit_ms = fields.i64()?;
        let expire_ms = if version == 1 {
            Some(fields.i64()?).filter(|at| *at >= 0)
        } else {
            None
        };
        fields.skip_tags()?;
        Some(Self {
            offset,
            leader_epoch,
            metadata,
            commit_ms,
            expire_ms,
        })
    }
}

impl GroupValue {
    /// Encodes the value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i16(GROUP_VALUE_VERSION);
        put_string(&mut out, &self.protocol_type);
        out.put_i32(self.generation);
        put_nullable_string(&mut out, self.protocol.as_deref());
        put_nullable_string(&mut out, self.leader.as_deref());
        out.put_i64(self.state_since_ms);
        out.put_i32(i32::try_from(self.members.len()).unwrap_or(i32::MAX));
        for member in &self.members {
            put_string(&mut out, &member.member_id);
            put_nullable_string(&mut out, member.instance_id.as_deref());
            put_string(&mut out, &member.client_id);
            put_string(&mut out, &member.client_host);
            out.put_i32(member.rebalance_timeout_ms);
            out.put_i32(member.session_timeout_ms);
            put_bytes(&mut out, &member.subscription);
            put_bytes(&mut out, &member.assignment);
        }
        out
    }

    /// Reads a value.
    ///
    /// # Errors
    /// `UnsupportedVersion` for a version after 4, `Malformed` when the bytes end early.
    pub fn decode(bytes: &[u8]) -> Result<Self, CoordinatorError> {
        let what = "group value";
        let mut fields = Fields::new(bytes);
        let version = fields.i16().ok_or(CoordinatorError::Malformed { what })?;
        if !(0..=FLEXIBLE_VALUE_VERSION).contains(&version) {
            return Err(CoordinatorError::UnsupportedVersion { what, version });
        }
        Self::decode_body(&mut fields, version).ok_or(CoordinatorError::Malformed { what })
    }

    fn decode_body(fields: &mut Fields<'_>, version: i16) -> Option<Self> {
        if version >= FLEXIBLE_VALUE_VERSION {
            fields.set_lengths(LengthEncoding::Compact);
        }
        let protocol_type = fields.string()?;
        let generation = fields.i32()?;
        let protocol = fields.nullable_string()?;
        let leader = fields.nullable_string()?;
        let state_since_ms = if version >= 2 { fields.i64()? } else { -1 };
        let count = fields.array_length()?;
        let mut members = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            members.push(MemberValue::decode(fields, version)?);
        }
        fields.skip_tags()?;
        Some(Self {
            protocol_type,
            generation,
            protocol,
            leader,
            state_since_ms,
            members,
        })
    }
}

impl MemberValue {
    fn decode(fields: &mut Fields<'_>, version: i16) -> Option<Self> {
        let member_id = fields.string()?;
        let instance_id = if version >= 3 { fields.nullable_string()? } else { None };
        let client_id = fields.string()?;
        let client_host = fields.string()?;
        let rebalance_timeout_ms = if version >= 1 { Some(fields.i32()?) } else { None };
        let session_timeout_ms = fields.i32()?;
        let subscription = fields.bytes()?;
        let assignment = fields.bytes()?;
        fields.skip_tags()?;
        Some(Self {
            member_id,
            instance_id,
            client_id,
            client_host,
            // Before v1 the session timeout stood for both.
            rebalance_timeout_ms: rebalance_timeout_ms.unwrap_or(session_timeout_ms),
            session_timeout_ms,
            subscription,
            assignment,
        })
    }
}

#[cfg(test)]
mod tests;
