//! Producer ids, handed out from durable blocks.
//!
//! A block is reserved in the metadata log before its first id leaves, so an id is never given
//! twice, also after a crash; the rest of a block is lost then, as in Kafka.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::cluster::{Cluster, TopicError};

/// Ids reserved at once, as in Kafka.
const BLOCK_IDS: i64 = 1000;

/// The ids this start of the broker has reserved.
#[derive(Debug)]
pub(crate) struct ProducerIds {
    cluster: Arc<Cluster>,
    block: Mutex<Block>,
}

#[derive(Debug, Default)]
struct Block {
    next: i64,
    end: i64,
}

impl Block {
    fn take(&mut self) -> Option<i64> {
        (self.next < self.end).then(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

impl ProducerIds {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self {
            cluster,
            block: Mutex::new(Block::default()),
        }
    }

    /// An id nobody else has or will have.
    ///
    /// # Errors
    /// No block can be reserved because the metadata log cannot be written.
    pub(crate) async fn next(&self) -> Result<i64, TopicError> {
        if let Some(id) = self.block.lock().take() {
            return Ok(id);
        }
        let first = self
            .cluster
            .change(|cluster| cluster.reserve_producer_ids(BLOCK_IDS))
            .await?;
        // Two callers may reserve at once; the later block wins and the rest of the other is lost.
        *self.block.lock() = Block {
            next: first + 1,
            end: first + BLOCK_IDS,
        };
        Ok(first)
    }
}
