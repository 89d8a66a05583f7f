//! A message as it was in Kafka, kept for what is said about it when it fails.
//!
//! Made for a failing record only; records that pass are never copied into one.

use weir_client::consumer::{MessageView, TimestampType};

/// Bytes and coordinates of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub timestamp: Option<i64>,
    pub timestamp_type: TimestampType,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// In order, duplicates kept; a null value differs from an empty one.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl From<&MessageView<'_>> for Original {
    fn from(message: &MessageView<'_>) -> Self {
        let (timestamp, timestamp_type) = message.timestamp();
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp,
            timestamp_type,
            key: message.key().map(<[u8]>::to_vec),
            value: message.value().map(<[u8]>::to_vec),
            headers: message
                .headers()
                .map(|(name, value)| (name.into_owned(), value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }
}

impl Original {
    /// Tells the coordinates as Connect's error log does.
    pub fn in_words(&self) -> String {
        let timestamp = match self.timestamp {
            Some(timestamp) => format!(", timestamp={timestamp}, timestampType={:?}", self.timestamp_type),
            None => String::new(),
        };
        format!(
            ", where consumed record is {{topic='{}', partition={}, offset={}{timestamp}}}",
            self.topic, self.partition, self.offset
        )
    }
}
