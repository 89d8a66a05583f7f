//! Reading a shard's groups back from the log
//!
//! Records are applied in log order; `loaded` then starts the sessions of the members found, as if
//! they had just been heard of. Records of group types that are not kept here are passed over.

use super::classic::ClassicGroup;
use super::coordinator::GroupCoordinator;
use super::record::{GroupValue, OffsetValue, RecordKey};
use crate::error::CoordinatorError;
use crate::time::Now;

impl GroupCoordinator {
    /// Applies one record of the log; `producer_id` is set if a transaction wrote it.
    ///
    /// # Errors
    /// For a record that cannot be read; it is then as if it were not there.
    pub fn replay(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        producer_id: Option<i64>,
    ) -> Result<(), CoordinatorError> {
        match (RecordKey::decode(key)?, value) {
            (RecordKey::Other(_), _) => {}
            (
                RecordKey::Offset {
                    group,
                    topic,
                    partition,
                },
                Some(value),
            ) => {
                let value = OffsetValue::decode(value)?;
                self.put_offsets(&group, vec![(topic, partition, value.into())], producer_id);
            }
            (
                RecordKey::Offset {
                    group,
                    topic,
                    partition,
                },
                None,
            ) => {
                if let Some(entry) = self.groups.get_mut(&group) {
                    entry.offsets.remove(&topic, partition);
                }
            }
            (RecordKey::Group { group }, Some(value)) => {
                let value = GroupValue::decode(value)?;
                let settings = self.settings.groups;
                self.entry(&group).group = ClassicGroup::stored(&group, settings, value);
            }
            (RecordKey::Group { group }, None) => {
                let settings = self.settings.groups;
                if let Some(entry) = self.groups.get_mut(&group) {
                    entry.group = ClassicGroup::new(&group, settings);
                }
            }
        }
        Ok(())
    }

    /// All records are applied: the groups come to life.
    pub fn loaded(&mut self, now: Now) {
        let group_ids: Vec<String> = self.groups.keys().cloned().collect();
        for group_id in group_ids {
            if let Some(entry) = self.groups.get_mut(&group_id) {
                entry.group.start_sessions(now);
            }
            self.settle(&group_id);
        }
    }
}

impl ClassicGroup {
    fn start_sessions(&mut self, now: Now) {
        for member in self.members.values_mut() {
            member.extend_session(now);
        }
    }
}
