//! Source partitions of one task and the offsets waiting to be committed.
//!
//! Partitions are numbered once, by JSON value, and kept as the text first seen; the offset store
//! matches that text with what it already holds. The last offset of a partition wins.

use std::collections::HashMap;
use std::sync::Arc;

use weir_api::error::ConnectError;
use weir_plugins::context::{BoxFuture, OffsetLookup};
use weir_stores::json::canonical_text;
use weir_stores::offsets::ConnectorOffsets;

use crate::source::submitted::{PartitionId, Submitted};

/// One offset as the store takes it: partition and offset, compact JSON, null allowed for both.
pub type OffsetPair = (Option<String>, Option<String>);

/// Partitions kept before those without anything on its way are forgotten.
const MAX_IDLE_PARTITIONS: usize = 10_000;

/// Partitions and pending offsets of one task.
///
/// Invariant: `by_text` holds texts under which a partition in use was seen, its canonical one among
/// them; a free number has no text.
#[derive(Debug, Default)]
pub struct SourceOffsets {
    by_text: HashMap<String, PartitionId>,
    null: Option<PartitionId>,
    partitions: Vec<Partition>,
    free: Vec<PartitionId>,
    pending: Vec<PartitionId>,
}

#[derive(Debug, Default)]
struct Partition {
    text: Option<String>,
    offset: Vec<u8>,
    is_offset_null: bool,
    is_pending: bool,
}

impl SourceOffsets {
    /// Returns the number of a partition given as compact JSON.
    pub fn partition_id(&mut self, text: Option<&str>) -> PartitionId {
        let Some(text) = text else {
            return match self.null {
                Some(id) => id,
                None => *self.null.insert(new_partition(
                    &mut self.partitions,
                    &mut self.free,
                    Partition::default(),
                )),
            };
        };
        if let Some(id) = self.by_text.get(text) {
            return *id;
        }
        // Text that is not JSON is its own value: the store refuses it when it is written.
        let canonical = serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value| canonical_text(&value));
        let id = match self.by_text.get(&canonical) {
            Some(id) => *id,
            None => {
                let partition = Partition {
                    text: Some(text.to_owned()),
                    ..Partition::default()
                };
                new_partition(&mut self.partitions, &mut self.free, partition)
            }
        };
        self.by_text.insert(canonical, id);
        self.by_text.insert(text.to_owned(), id);
        id
    }

    /// Notes the offset up to which a partition may be committed.
    pub fn set(&mut self, id: PartitionId, offset: Option<&[u8]>) {
        let Some(partition) = self.partitions.get_mut(id.0 as usize) else {
            return;
        };
        partition.offset.clear();
        partition.offset.extend_from_slice(offset.unwrap_or_default());
        partition.is_offset_null = offset.is_none();
        if !partition.is_pending {
            partition.is_pending = true;
            self.pending.push(id);
        }
    }

    /// Is true when a commit would write something.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes everything that waits to be written.
    pub fn take(&mut self) -> Vec<OffsetPair> {
        let mut pairs = Vec::with_capacity(self.pending.len());
        for id in self.pending.drain(..) {
            let Some(partition) = self.partitions.get_mut(id.0 as usize) else {
                continue;
            };
            partition.is_pending = false;
            let offset = (!partition.is_offset_null).then(|| String::from_utf8_lossy(&partition.offset).into_owned());
            pairs.push((partition.text.clone(), offset));
        }
        pairs
    }

    /// Puts back what could not be written, unless something newer waits.
    pub fn restore(&mut self, pairs: Vec<OffsetPair>) {
        for (text, offset) in pairs {
            let id = self.partition_id(text.as_deref());
            if self
                .partitions
                .get(id.0 as usize)
                .is_some_and(|partition| !partition.is_pending)
            {
                self.set(id, offset.as_deref().map(str::as_bytes));
            }
        }
    }

    /// Forgets partitions that have nothing on its way, once there are very many.
    pub fn forget_idle(&mut self, submitted: &Submitted) {
        if self.by_text.len() <= MAX_IDLE_PARTITIONS {
            return;
        }
        let (partitions, free) = (&mut self.partitions, &mut self.free);
        self.by_text.retain(|_, id| {
            let Some(partition) = partitions.get_mut(id.0 as usize) else {
                return false;
            };
            let is_used = partition.is_pending || !submitted.is_idle(*id);
            if !is_used && partition.text.take().is_some() {
                free.push(*id);
            }
            is_used
        });
    }
}

fn new_partition(partitions: &mut Vec<Partition>, free: &mut Vec<PartitionId>, partition: Partition) -> PartitionId {
    if let Some(id) = free.pop()
        && let Some(slot) = partitions.get_mut(id.0 as usize)
    {
        *slot = partition;
        return id;
    }
    partitions.push(partition);
    PartitionId((partitions.len() - 1) as u32)
}

/// Lets the guest read what was committed for its connector.
#[derive(Debug)]
pub struct StoredOffsets {
    pub connector: String,
    pub store: ConnectorOffsets,
}

impl StoredOffsets {
    /// Wraps the store for one connector.
    pub fn shared(connector: &str, store: &ConnectorOffsets) -> Arc<dyn OffsetLookup> {
        Arc::new(Self {
            connector: connector.to_owned(),
            store: store.clone(),
        })
    }
}

impl OffsetLookup for StoredOffsets {
    fn offsets<'a>(&'a self, partitions: Vec<String>) -> BoxFuture<'a, Result<Vec<Option<String>>, ConnectError>> {
        Box::pin(async move {
            // What another worker's task committed before this one took over must show.
            let refreshed = self.store.refresh().await;
            refreshed.map_err(|error| ConnectError::retriable(format!("Failed to fetch offsets: {error}")))?;
            Ok(self.store.read(&self.connector, &partitions))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::SourceOffsets;
    use crate::source::submitted::Submitted;

    #[test]
    fn partitions_are_the_same_by_value_and_keep_their_first_text() {
        let mut offsets = SourceOffsets::default();
        let first = offsets.partition_id(Some(r#"{"a":1,"b":2}"#));
        assert_eq!(offsets.partition_id(Some(r#"{ "b": 2, "a": 1 }"#)), first);
        assert_ne!(offsets.partition_id(Some(r#"{"a":2}"#)), first);
        assert_ne!(offsets.partition_id(None), first);
        offsets.set(first, Some(b"{\"p\":1}"));
        offsets.set(first, Some(b"{\"p\":2}"));
        assert_eq!(
            offsets.take(),
            [(Some(r#"{"a":1,"b":2}"#.to_owned()), Some(r#"{"p":2}"#.to_owned()))]
        );
        assert!(!offsets.has_pending());
    }

    #[test]
    fn what_failed_comes_back_unless_something_newer_waits() {
        let mut offsets = SourceOffsets::default();
        let (a, b) = (offsets.partition_id(Some("{\"f\":1}")), offsets.partition_id(None));
        offsets.set(a, Some(b"1"));
        offsets.set(b, None);
        let failed = offsets.take();
        offsets.set(a, Some(b"2"));
        offsets.restore(failed);
        let mut pairs = offsets.take();
        pairs.sort();
        assert_eq!(
            pairs,
            [(None, None), (Some("{\"f\":1}".to_owned()), Some("2".to_owned()))]
        );
    }

    #[test]
    fn very_many_idle_partitions_are_forgotten_and_their_numbers_used_again() {
        let mut offsets = SourceOffsets::default();
        for number in 0..10_001 {
            offsets.partition_id(Some(&format!("{{\"f\":{number}}}")));
        }
        let kept = offsets.partition_id(Some("{\"f\":5}"));
        offsets.set(kept, Some(b"1"));
        offsets.forget_idle(&Submitted::default());
        assert_eq!(offsets.partition_id(Some("{\"f\":5}")), kept);
        assert!(offsets.partition_id(Some("{\"new\":1}")).0 < 10_001);
        assert_eq!(offsets.take().len(), 1);
    }
}
