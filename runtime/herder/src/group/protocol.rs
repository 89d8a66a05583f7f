//! Bytes that the workers of a group exchange when they rebalance
//!
//! Version 0 (`default`): url and config offset up, an assignment down, everything moves each time. Version 1 (`compatible`, KIP-415):
//! the member tells what it owns, the leader answers increments, revocations and a delay. Version 2 (`sessioned`, KIP-507): the same
//! bytes; workers sign their internal requests. Source: `ConnectProtocol`, `IncrementalCooperativeConnectProtocol`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes, BytesMut};
use weir_protocol::primitives::Reader;
use weir_worker::lifecycle::TaskId;

use crate::group::work::Work;

/// The group protocol type of Connect workers.
pub const PROTOCOL_TYPE: &str = "connect";

/// Task number that stands for the connector itself.
const CONNECTOR_TASK: i32 = -1;

/// How the group rebalances; `connect.protocol` of the worker, or what its group has in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConnectProtocol {
    Eager,
    Compatible,
    Sessioned,
}

impl ConnectProtocol {
    /// The value of `connect.protocol`.
    pub fn from_config(value: &str) -> Option<Self> {
        match value.to_ascii_lowercase().as_str() {
            "eager" => Some(Self::Eager),
            "compatible" => Some(Self::Compatible),
            "sessioned" => Some(Self::Sessioned),
            _ => None,
        }
    }

    /// The name in JoinGroup.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eager => "default",
            Self::Compatible => "compatible",
            Self::Sessioned => "sessioned",
        }
    }

    /// Reads the name that the coordinator chose.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Eager, Self::Compatible, Self::Sessioned]
            .into_iter()
            .find(|protocol| protocol.name() == name)
    }

    /// Version of the bytes.
    pub fn version(self) -> i16 {
        match self {
            Self::Eager => 0,
            Self::Compatible => 1,
            Self::Sessioned => 2,
        }
    }

    /// What a worker offers, the best first; a worker that knows less brings the group down to its own.
    pub fn offered(self) -> &'static [Self] {
        match self {
            Self::Eager => &[Self::Eager],
            Self::Compatible => &[Self::Compatible, Self::Eager],
            Self::Sessioned => &[Self::Sessioned, Self::Compatible, Self::Eager],
        }
    }
}

/// What a member tells the leader when it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerState {
    /// Base URL of the worker's REST API, with a trailing slash.
    pub url: String,
    /// Offset after the last config record that it has read.
    pub config_offset: i64,
    /// What it owns; `None` before its first assignment, and in version 0.
    pub allocation: Option<Assignment>,
}

/// Whether the leader could assign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssignmentError {
    None,
    /// The leader has read less of the config topic than a member: all read on and join again.
    ConfigMismatch,
}

/// What the leader tells a member; also the form in which the member tells what it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub version: i16,
    pub error: AssignmentError,
    /// Member id of the leader.
    pub leader: String,
    pub leader_url: String,
    /// Offset of the config topic that the assignment was made for.
    pub config_offset: i64,
    pub connectors: BTreeSet<String>,
    pub tasks: BTreeSet<TaskId>,
    pub revoked_connectors: BTreeSet<String>,
    pub revoked_tasks: BTreeSet<TaskId>,
    /// When above 0, the member joins again after this time.
    pub delay_ms: i32,
}

impl WorkerState {
    /// Writes the metadata for one protocol.
    pub fn encode(&self, protocol: ConnectProtocol) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(protocol.version());
        put_text(&mut out, &self.url);
        out.put_i64(self.config_offset);
        if protocol != ConnectProtocol::Eager {
            match &self.allocation {
                None => out.put_i32(-1),
                Some(allocation) => {
                    let mut held = allocation.clone();
                    held.version = protocol.version();
                    let bytes = held.encode();
                    put_count(&mut out, bytes.len());
                    out.put_slice(&bytes);
                }
            }
        }
        out.freeze()
    }

    /// Reads the metadata of any version.
    ///
    /// *Errors*: what is wrong with the bytes. Later fields that are missing, or unknown bytes at the end, are not.
    pub fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(bytes);
        read_version(&mut reader)?;
        let url = read_text(&mut reader)?.ok_or("url is null")?;
        let config_offset = reader.i64().ok_or("ends within the config offset")?;
        let allocation = match reader.i32() {
            None | Some(i32::MIN..=-1) => None,
            Some(length) => {
                let length = usize::try_from(length).map_err(|_| "allocation is too long")?;
                Some(Assignment::decode(
                    reader.take(length).ok_or("ends within the allocation")?,
                )?)
            }
        };
        Ok(Self {
            url,
            config_offset,
            allocation,
        })
    }

    /// What the worker owns.
    pub fn owned(&self) -> Work {
        self.allocation.as_ref().map(Assignment::work).unwrap_or_default()
    }
}

impl Assignment {
    /// Writes the assignment in its version.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(self.version);
        out.put_i16(match self.error {
            AssignmentError::None => 0,
            AssignmentError::ConfigMismatch => 1,
        });
        put_text(&mut out, &self.leader);
        put_text(&mut out, &self.leader_url);
        out.put_i64(self.config_offset);
        put_work(&mut out, &self.connectors, &self.tasks);
        if self.version > 0 {
            put_work(&mut out, &self.revoked_connectors, &self.revoked_tasks);
            out.put_i32(self.delay_ms);
        }
        out.freeze()
    }

    /// Reads an assignment of any version.
    ///
    /// *Errors*: what is wrong with the bytes. Later fields that are missing, or unknown bytes at the end, are not.
    pub fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(bytes);
        let version = read_version(&mut reader)?;
        let error = match reader.i16().ok_or("ends within the error")? {
            0 => AssignmentError::None,
            _ => AssignmentError::ConfigMismatch,
        };
        // Both are null in Java's empty assignment.
        let leader = read_text(&mut reader)?.unwrap_or_default();
        let leader_url = read_text(&mut reader)?.unwrap_or_default();
        let config_offset = reader.i64().ok_or("ends within the config offset")?;
        let assigned = read_work(&mut reader)?;
        let revoked = read_work(&mut reader)?;
        let delay_ms = reader.i32().unwrap_or(0);
        Ok(Self {
            version,
            error,
            leader,
            leader_url,
            config_offset,
            connectors: assigned.connectors,
            tasks: assigned.tasks,
            revoked_connectors: revoked.connectors,
            revoked_tasks: revoked.tasks,
            delay_ms,
        })
    }

    /// What is assigned.
    pub fn work(&self) -> Work {
        Work {
            connectors: self.connectors.clone(),
            tasks: self.tasks.clone(),
        }
    }

    /// What is taken away.
    pub fn revoked(&self) -> Work {
        Work {
            connectors: self.revoked_connectors.clone(),
            tasks: self.revoked_tasks.clone(),
        }
    }
}

fn put_text(out: &mut BytesMut, text: &str) {
    // Member ids, names and URLs are far below 32 KiB; a longer one is cut at a character, so that the bytes stay well-formed.
    let fits = text.floor_char_boundary(i16::MAX as usize);
    let text = text.get(..fits).unwrap_or_default();
    out.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
    out.put_slice(text.as_bytes());
}

fn put_count(out: &mut BytesMut, count: usize) {
    out.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
}

/// Connectors with their own mark first, then those of which only tasks are there, as Java groups them.
fn put_work(out: &mut BytesMut, connectors: &BTreeSet<String>, tasks: &BTreeSet<TaskId>) {
    let mut numbers: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for connector in connectors {
        numbers.entry(connector).or_default().push(CONNECTOR_TASK);
    }
    for id in tasks {
        let number = i32::try_from(id.task).unwrap_or(i32::MAX);
        numbers.entry(&id.connector).or_default().push(number);
    }
    put_count(out, numbers.len());
    for (connector, numbers) in numbers {
        put_text(out, connector);
        put_count(out, numbers.len());
        for number in numbers {
            out.put_i32(number);
        }
    }
}

fn read_version(reader: &mut Reader<'_>) -> Result<i16, &'static str> {
    match reader.i16() {
        None => Err("ends within the version"),
        Some(..0) => Err("version is negative"),
        Some(version) => Ok(version),
    }
}

fn read_text(reader: &mut Reader<'_>) -> Result<Option<String>, &'static str> {
    const CUT: &str = "ends within a text";
    let length = reader.i16().ok_or(CUT)?;
    let Ok(length) = usize::try_from(length) else {
        return Ok(None);
    };
    let bytes = reader.take(length).ok_or(CUT)?;
    let text = std::str::from_utf8(bytes).map_err(|_| "text is not UTF-8")?;
    Ok(Some(text.to_owned()))
}

/// Reads an array that may be null or, at the end of the bytes, missing.
fn read_work(reader: &mut Reader<'_>) -> Result<Work, &'static str> {
    const CUT: &str = "ends within the work";
    let mut work = Work::default();
    // Nothing is reserved by these counts: each element takes bytes, which run out.
    for _ in 0..reader.i32().unwrap_or(-1).max(0) {
        let connector = read_text(reader)?.ok_or("connector name is null")?;
        for _ in 0..reader.i32().ok_or(CUT)?.max(0) {
            match reader.i32().ok_or(CUT)? {
                CONNECTOR_TASK => {
                    work.connectors.insert(connector.clone());
                }
                number => {
                    let task = u32::try_from(number).map_err(|_| "task number is negative")?;
                    let connector = connector.clone();
                    work.tasks.insert(TaskId { connector, task });
                }
            }
        }
    }
    Ok(work)
}

#[cfg(test)]
mod tests;
