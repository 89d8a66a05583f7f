//! Reads a topic again and again, each time what is new.
//!
//! In the order of each partition; the places are kept here, not in a group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::Isolation;
use crate::process::PATIENCE;

/// Key and value as text; null is empty.
pub type KeyValue = (String, String);

/// One topic, and how far it was read.
#[derive(Debug)]
pub struct TopicReader {
    topic: String,
    next: BTreeMap<i32, i64>,
}

impl TopicReader {
    /// From the beginning.
    pub fn new(topic: &str) -> Self {
        TopicReader {
            topic: topic.to_owned(),
            next: BTreeMap::new(),
        }
    }

    /// Reads to the present end of every partition.
    ///
    /// *Errors*: there is no such topic, or its end is not reached in time.
    pub fn news(&mut self, consumer: &BaseConsumer) -> anyhow::Result<Vec<KeyValue>> {
        if self.next.is_empty() {
            self.find_partitions(consumer)?;
        }
        let mut assignment = TopicPartitionList::new();
        for (partition, next) in &self.next {
            assignment.add_partition_offset(&self.topic, *partition, Offset::Offset(*next))?;
        }
        consumer.assign(&assignment).context("assign")?;
        let mut open: BTreeSet<i32> = self.next.keys().copied().collect();
        let mut news = Vec::new();
        let end = Instant::now() + PATIENCE;
        while !open.is_empty() {
            if Instant::now() > end {
                bail!("no end of {} in partitions {open:?} after {PATIENCE:?}", self.topic);
            }
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Ok(message)) => {
                    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
                    self.next.insert(message.partition(), message.offset() + 1);
                    news.push((text(message.key()), text(message.payload())));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                // Brokers come and go.
                Some(Err(KafkaError::MessageConsumption(_))) => {}
                Some(Err(error)) => return Err(error).context("reading"),
            }
        }
        Ok(news)
    }

    fn find_partitions(&mut self, consumer: &BaseConsumer) -> anyhow::Result<()> {
        let metadata = consumer.fetch_metadata(Some(&self.topic), PATIENCE)?;
        let topic = metadata.topics().first().context("the topic")?;
        self.next = topic.partitions().iter().map(|partition| (partition.id(), 0)).collect();
        anyhow::ensure!(!self.next.is_empty(), "{} has no partitions", self.topic);
        Ok(())
    }
}

/// What topics are read with, one after another.
pub fn consumer(addresses: &str, isolation: Isolation) -> anyhow::Result<BaseConsumer> {
    ClientConfig::new()
        .set("bootstrap.servers", addresses)
        .set("group.id", "soak-reader")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true")
        .set("enable.partition.eof", "true")
        .set("allow.auto.create.topics", "false")
        .set("auto.offset.reset", "error")
        .set("reconnect.backoff.max.ms", "500")
        .set(
            "isolation.level",
            match isolation {
                Isolation::Uncommitted => "read_uncommitted",
                Isolation::Committed => "read_committed",
            },
        )
        .create()
        .context("consumer")
}
