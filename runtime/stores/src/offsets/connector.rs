//! Offsets as one source connector sees them: in a topic of its own, with the worker's behind it
//!
//! With `offsets.storage.topic` the connector's own topic is written and wins on reading; the worker's still answers for what was
//! committed before the connector got its own. Source: `ConnectorOffsetBackingStore` (KIP-618).

use std::collections::BTreeMap;

use crate::error::StoreError;
use crate::json::canonical_text;
use crate::offsets::store::{OffsetChange, OffsetStore};

/// The offset store of one connector; clones share it.
#[derive(Debug, Clone)]
pub struct ConnectorOffsets {
    primary: OffsetStore,
    /// The worker's, when the connector has its own.
    secondary: Option<OffsetStore>,
}

impl ConnectorOffsets {
    /// The worker's store alone.
    pub fn of_worker(worker: OffsetStore) -> Self {
        Self {
            primary: worker,
            secondary: None,
        }
    }

    /// A store of the connector's own in front of the worker's.
    pub fn own(own: OffsetStore, worker: OffsetStore) -> Self {
        Self {
            primary: own,
            secondary: Some(worker),
        }
    }

    /// The store that offsets are written to first.
    pub fn primary(&self) -> &OffsetStore {
        &self.primary
    }

    /// Reads what others wrote since.
    ///
    /// *Errors*: as [`OffsetStore::refresh`].
    pub async fn refresh(&self) -> Result<(), StoreError> {
        if let Some(worker) = &self.secondary {
            worker.refresh().await?;
        }
        self.primary.refresh().await
    }

    /// Offsets of partitions (JSON texts), in the order asked.
    pub fn read(&self, connector: &str, partitions: &[String]) -> Vec<Option<String>> {
        let mut found = self.primary.read(connector, partitions);
        if let Some(worker) = &self.secondary {
            for (slot, older) in found.iter_mut().zip(worker.read(connector, partitions)) {
                if slot.is_none() {
                    *slot = older;
                }
            }
        }
        found
    }

    /// All partitions of a connector with their offsets.
    pub fn list(&self, connector: &str) -> Vec<(String, String)> {
        let Some(worker) = &self.secondary else {
            return self.primary.list(connector);
        };
        let by_value = |(partition, offset): (String, String)| {
            let value = serde_json::from_str(&partition).map(|value| canonical_text(&value));
            (value.unwrap_or_else(|_| partition.clone()), (partition, offset))
        };
        let mut merged: BTreeMap<_, _> = worker.list(connector).into_iter().map(by_value).collect();
        merged.extend(self.primary.list(connector).into_iter().map(by_value));
        merged.into_values().collect()
    }

    /// Writes offsets, durable in the first store on return; an offset of `None` deletes.
    ///
    /// What is deleted is deleted from the worker's store first: were it the other way round, a failure in between would bring an old
    /// offset back to life. What is set is copied to the worker's store as well as that goes.
    ///
    /// *Errors*: as [`OffsetStore::write`].
    pub async fn write(&self, connector: &str, offsets: Vec<OffsetChange>) -> Result<(), StoreError> {
        self.delete_copy(connector, &offsets).await?;
        let copy = self.secondary.is_some().then(|| offsets.clone());
        self.primary.write(connector, offsets).await?;
        if let Some(copy) = copy {
            self.write_copy(connector, copy).await;
        }
        Ok(())
    }

    /// Deletes from the worker's store what `offsets` deletes; to be done before they are written.
    ///
    /// *Errors*: as [`OffsetStore::write`].
    pub async fn delete_copy(&self, connector: &str, offsets: &[OffsetChange]) -> Result<(), StoreError> {
        let Some(worker) = &self.secondary else { return Ok(()) };
        let deleted: Vec<OffsetChange> = offsets.iter().filter(|(_, offset)| offset.is_none()).cloned().collect();
        if deleted.is_empty() {
            return Ok(());
        }
        worker.write(connector, deleted).await
    }

    /// Copies what `offsets` sets to the worker's store; a failure is only logged.
    pub async fn write_copy(&self, connector: &str, offsets: Vec<OffsetChange>) {
        let Some(worker) = &self.secondary else { return };
        let set: Vec<OffsetChange> = offsets.into_iter().filter(|(_, offset)| offset.is_some()).collect();
        if let Err(error) = worker.write(connector, set).await {
            tracing::warn!(connector, %error, "offsets were not copied to the worker's offsets topic");
        }
    }

    /// Is true when [`ConnectorOffsets::write_copy`] would write somewhere.
    pub fn has_copy(&self) -> bool {
        self.secondary.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = r#"{"f":"a"}"#;
    const B: &str = r#"{"f":"b"}"#;

    fn change(partition: &str, offset: Option<&str>) -> OffsetChange {
        (Some(partition.to_owned()), offset.map(str::to_owned))
    }

    fn texts(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(left, right)| ((*left).to_owned(), (*right).to_owned()))
            .collect()
    }

    #[tokio::test]
    async fn the_own_store_wins_and_the_workers_answers_for_the_rest() {
        let (own, worker) = (OffsetStore::memory(), OffsetStore::memory());
        let old = vec![change(A, Some(r#"{"p":1}"#)), change(B, Some(r#"{"p":2}"#))];
        worker.write("c", old).await.unwrap();
        own.write("c", vec![change(A, Some(r#"{"p":9}"#))]).await.unwrap();
        let store = ConnectorOffsets::own(own, worker);
        let read = store.read("c", &[A.to_owned(), B.to_owned(), "{}".to_owned()]);
        assert_eq!(
            read,
            [Some(r#"{"p":9}"#.to_owned()), Some(r#"{"p":2}"#.to_owned()), None]
        );
        assert_eq!(store.list("c"), texts(&[(A, r#"{"p":9}"#), (B, r#"{"p":2}"#)]));
    }

    #[tokio::test]
    async fn what_is_set_reaches_both_and_what_is_deleted_is_gone_from_both() {
        let (own, worker) = (OffsetStore::memory(), OffsetStore::memory());
        let store = ConnectorOffsets::own(own.clone(), worker.clone());
        store
            .write("c", vec![change(A, Some(r#"{"p":1}"#)), change(B, Some(r#"{"p":2}"#))])
            .await
            .unwrap();
        assert_eq!(worker.list("c"), own.list("c"));
        store.write("c", vec![change(A, None)]).await.unwrap();
        assert_eq!(store.list("c"), texts(&[(B, r#"{"p":2}"#)]));
        assert_eq!((own.list("c").len(), worker.list("c").len()), (1, 1));
    }

    #[tokio::test]
    async fn an_offset_is_deleted_from_the_workers_store_before_the_own_one_is_touched() {
        let worker = OffsetStore::memory();
        worker.write("c", vec![change(A, Some(r#"{"p":1}"#))]).await.unwrap();
        // A file in a folder that does not exist: this store cannot be written.
        let broken = OffsetStore::file("/nonexistent/folder/offsets");
        let store = ConnectorOffsets::own(broken, worker.clone());
        assert!(store.write("c", vec![change(A, None)]).await.is_err());
        assert_eq!(worker.list("c"), []);
        assert!(store.write("c", vec![change(B, Some(r#"{"p":1}"#))]).await.is_err());
        assert_eq!(worker.list("c"), [], "nothing is copied that was not written");
    }
}
