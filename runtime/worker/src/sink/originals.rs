//! The messages of the poll in hand, as they came, shared by the loop and the guest's error reports.
//!
//! Locked once a frame by the loop and once a report by the guest's call, never both at a time.

use std::sync::Arc;

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use weir_client::consumer::MessageBatch;

use crate::pipeline::original::Original;

/// A poll's messages; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Originals {
    messages: Arc<Mutex<Option<MessageBatch>>>,
}

impl Originals {
    /// Replaces the messages.
    pub fn set(&self, messages: MessageBatch) {
        *self.messages.lock() = Some(messages);
    }

    /// Lets go of the messages, and with them of the client's buffers.
    pub fn clear(&self) {
        *self.messages.lock() = None;
    }

    /// Lends the messages.
    pub fn get(&self) -> Option<MappedMutexGuard<'_, MessageBatch>> {
        MutexGuard::try_map(self.messages.lock(), Option::as_mut).ok()
    }

    /// Copies one message.
    pub fn find(&self, topic: &str, partition: i32, offset: i64) -> Option<Original> {
        let messages = self.get()?;
        let mut all = messages.iter();
        let found = all
            .find(|message| message.offset() == offset && message.partition() == partition && message.topic() == topic);
        found.map(|message| Original::from(&message))
    }
}
