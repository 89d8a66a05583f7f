//! Producing and reading with librdkafka, as a test's independent client.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::process::PATIENCE;

/// What became of records that were sent.
#[derive(Debug, Default)]
pub struct Produced {
    /// Records the broker acknowledged (acks=all).
    pub acknowledged: u64,
    /// The first error.
    pub error: Option<String>,
}

/// Delivery reports of numbered records.
#[derive(Debug, Clone, Default)]
pub struct Acknowledged {
    numbers: Arc<Mutex<BTreeSet<u64>>>,
    errors: Arc<Mutex<Vec<String>>>,
}

impl Acknowledged {
    /// Numbers that the broker acknowledged.
    pub fn numbers(&self) -> BTreeSet<u64> {
        self.numbers.lock().expect("no panic under the lock").clone()
    }

    /// How many were acknowledged.
    pub fn count(&self) -> u64 {
        self.numbers.lock().expect("no panic under the lock").len() as u64
    }

    fn first_error(&self) -> Option<String> {
        self.errors.lock().expect("no panic under the lock").first().cloned()
    }
}

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        match result {
            Ok(_) => {
                self.numbers
                    .lock()
                    .expect("no panic under the lock")
                    .insert(number as u64);
            }
            Err((error, _)) => self
                .errors
                .lock()
                .expect("no panic under the lock")
                .push(error.to_string()),
        }
    }
}

/// An idempotent producer with acks=all that goes on trying for `timeout`.
pub fn producer(address: &str, timeout: Duration) -> anyhow::Result<(BaseProducer<Acknowledged>, Acknowledged)> {
    let acknowledged = Acknowledged::default();
    let producer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", timeout.as_millis().to_string())
        .set("reconnect.backoff.max.ms", "100")
        .set("linger.ms", "1")
        .create_with_context(acknowledged.clone())
        .context("producer")?;
    Ok((producer, acknowledged))
}

/// Sends one numbered record to partition 0; waits while the queue is full.
pub fn send(producer: &BaseProducer<Acknowledged>, topic: &str, number: u64, payload: &[u8]) -> anyhow::Result<()> {
    let mut record = BaseRecord::<(), [u8], usize>::with_opaque_to(topic, number as usize)
        .payload(payload)
        .partition(0);
    loop {
        match producer.send(record) {
            Ok(()) => break,
            Err((error, back)) if error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::QueueFull) => {
                producer.poll(Duration::from_millis(10));
                record = back;
            }
            Err((error, _)) => return Err(error).context("send"),
        }
    }
    producer.poll(Duration::ZERO);
    Ok(())
}

/// One record to be stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// Key.
    pub key: Option<&'a str>,
    /// Value.
    pub value: Option<&'a str>,
    /// Headers in order.
    pub headers: &'a [(&'a str, Option<&'a str>)],
}

/// Stores records in partition 0 and waits until they are there.
pub fn store(address: &str, topic: &str, records: &[Given<'_>]) -> anyhow::Result<()> {
    let (producer, acknowledged) = producer(address, PATIENCE)?;
    for (number, given) in records.iter().enumerate() {
        let mut headers = OwnedHeaders::new();
        for (key, value) in given.headers {
            headers = headers.insert(Header { key, value: *value });
        }
        let mut record = BaseRecord::<str, str, usize>::with_opaque_to(topic, number)
            .partition(0)
            .headers(headers);
        record.key = given.key;
        record.payload = given.value;
        producer.send(record).map_err(|(error, _)| error).context("send")?;
    }
    producer.flush(PATIENCE).context("flush")?;
    match acknowledged.first_error() {
        Some(error) => bail!("{topic}: {error}"),
        None => Ok(()),
    }
}

/// Creates a topic of one replica.
pub fn create_topic(address: &str, topic: &str, partitions: i32, settings: &[(&str, &str)]) -> anyhow::Result<()> {
    let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", address).create()?;
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (key, value) in settings {
        new = new.set(key, value);
    }
    let created = block_on(admin.create_topics([&new], &AdminOptions::new()))?;
    for result in created {
        result.map_err(|(topic, error)| anyhow::anyhow!("{topic}: {error}"))?;
    }
    Ok(())
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Sends `count` records of `bytes` each, one batch at a time, until the first error.
pub fn produce_until_error(address: &str, topic: &str, bytes: usize, count: u64) -> Produced {
    let (producer, acknowledged) = producer(address, Duration::from_secs(5)).expect("producer");
    let payload = vec![b'x'; bytes];
    for number in 0..count {
        send(&producer, topic, number, &payload).expect("send");
        if number % 50 == 49 {
            let _ = producer.flush(PATIENCE);
        }
        if acknowledged.first_error().is_some() {
            break;
        }
    }
    let _ = producer.flush(PATIENCE);
    Produced {
        acknowledged: acknowledged.count(),
        error: acknowledged.first_error(),
    }
}

/// What one record holds, without its place and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value.
    pub value: Option<Vec<u8>>,
    /// Names and values of the headers; null is empty.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Content {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let pair = |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.unwrap_or_default().to_vec());
        let headers = message.headers().map(|headers| headers.iter().map(pair).collect());
        Content {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
        }
    }
}

/// The values that [`read_contents`] gives; null is empty.
pub fn read_all(address: &str, topic: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    Ok(read_contents(address, topic)?
        .into_iter()
        .map(|content| content.value.unwrap_or_default())
        .collect())
}

/// Reads all partitions of a topic from the beginning to their ends, one after another, checking checksums.
///
/// *Errors*: the broker refuses a partition, or an end is not reached in time.
pub fn read_contents(address: &str, topic: &str) -> anyhow::Result<Vec<Content>> {
    Ok(read_partitions(address, topic)?.into_iter().flatten().collect())
}

/// As [`read_contents`], each partition by itself.
///
/// *Errors*: the broker refuses a partition, or an end is not reached in time.
pub fn read_partitions(address: &str, topic: &str) -> anyhow::Result<Vec<Vec<Content>>> {
    read_as(address, topic, &Content::of)
}

/// What [`Content`] leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// Time, and who set it.
    pub timestamp: rdkafka::Timestamp,
    /// Names and values of the headers, where null is not empty.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Marks {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let pair = |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
        let headers = message.headers().map(|headers| headers.iter().map(pair).collect());
        Marks {
            timestamp: message.timestamp(),
            headers: headers.unwrap_or_default(),
        }
    }
}

/// Reads as [`read_contents`] does.
pub fn read_marks(address: &str, topic: &str) -> anyhow::Result<Vec<Marks>> {
    Ok(read_as(address, topic, &Marks::of)?.into_iter().flatten().collect())
}

fn read_as<T>(address: &str, topic: &str, of: &dyn Fn(&BorrowedMessage<'_>) -> T) -> anyhow::Result<Vec<Vec<T>>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true")
        .set("auto.offset.reset", "error")
        .create()
        .context("consumer")?;
    let metadata = consumer
        .fetch_metadata(Some(topic), Duration::from_secs(20))
        .context("metadata")?;
    let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    (0..partitions)
        .map(|partition| {
            let mut contents = Vec::new();
            read_partition(&consumer, topic, i32::try_from(partition)?, &mut contents, of)?;
            Ok(contents)
        })
        .collect()
}

fn read_partition<T>(
    consumer: &BaseConsumer,
    topic: &str,
    partition: i32,
    contents: &mut Vec<T>,
    of: &dyn Fn(&BorrowedMessage<'_>) -> T,
) -> anyhow::Result<()> {
    let (low, high) = consumer
        .fetch_watermarks(topic, partition, Duration::from_secs(20))
        .context("watermarks")?;
    if low == high {
        return Ok(());
    }
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, partition, Offset::Offset(low))
        .context("assignment")?;
    consumer.assign(&assignment).context("assign")?;
    let mut next = low;
    let end = Instant::now() + PATIENCE;
    while next < high {
        if Instant::now() > end {
            bail!("offset {next} of {high} after {PATIENCE:?}");
        }
        match consumer.poll(Duration::from_millis(100)) {
            None => {
                // Compaction and control records leave gaps: the position tells how far the end is.
                if let Ok(position) = consumer.position()
                    && let Some(Offset::Offset(at)) =
                        position.find_partition(topic, partition).map(|found| found.offset())
                {
                    next = next.max(at);
                }
            }
            Some(Ok(message)) => {
                next = message.offset() + 1;
                contents.push(of(&message));
            }
            Some(Err(error)) => return Err(error).context("reading"),
        }
    }
    Ok(())
}

/// Which records of transactions a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Those of open and aborted transactions as well.
    Uncommitted,
    /// Up to the first open transaction, without those of aborted ones.
    Committed,
}

/// Reads what a topic shows a reader now, partition after partition; a topic that does not exist shows nothing.
pub fn read_now(address: &str, topic: &str, isolation: Isolation) -> anyhow::Result<Vec<Content>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true")
        .set("enable.partition.eof", "true")
        .set("allow.auto.create.topics", "false")
        .set(
            "isolation.level",
            match isolation {
                Isolation::Uncommitted => "read_uncommitted",
                Isolation::Committed => "read_committed",
            },
        )
        .create()
        .context("consumer")?;
    let metadata = consumer
        .fetch_metadata(Some(topic), Duration::from_secs(20))
        .context("metadata")?;
    let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    let mut contents = Vec::new();
    for partition in 0..partitions {
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(topic, i32::try_from(partition)?, Offset::Beginning)
            .context("assignment")?;
        consumer.assign(&assignment).context("assign")?;
        let (_, high) = consumer
            .fetch_watermarks(topic, i32::try_from(partition)?, Duration::from_secs(20))
            .context("watermarks")?;
        let end = Instant::now() + PATIENCE;
        loop {
            match consumer.poll(Duration::from_millis(100)) {
                // What comes while it reads is not waited for: the end might never be reached.
                Some(Ok(message)) if message.offset() >= high => break,
                Some(Ok(message)) => contents.push(Content::of(&message)),
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) => return Err(error).context("reading"),
                None if Instant::now() > end => bail!("no end of {topic}-{partition} after {PATIENCE:?}"),
                None => {}
            }
        }
    }
    Ok(contents)
}

/// Is true once a broker answers.
pub fn is_up(address: &str) -> bool {
    let consumer: Result<BaseConsumer, _> = ClientConfig::new().set("bootstrap.servers", address).create();
    consumer.is_ok_and(|consumer| consumer.fetch_metadata(None, Duration::from_secs(1)).is_ok())
}

/// End offset of partition 0; none while the topic or the broker is not there.
pub fn end_offset(address: &str, topic: &str) -> Option<i64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("allow.auto.create.topics", "false")
        .create()
        .ok()?;
    consumer
        .fetch_watermarks(topic, 0, Duration::from_secs(5))
        .ok()
        .map(|(_, high)| high)
}
