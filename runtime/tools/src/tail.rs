//! `tail`: the records of a topic, decoded, as they come
//!
//! Reads all partitions of any broker's topic without joining a group or committing, from the oldest record or from the next new one.

use std::io::{self, Write};
use std::time::Duration;

use weir_api::converter::ConverterSlot;
use weir_client::admin::{Admin, Isolation, OffsetSpec};
use weir_client::client_config::translate_consumer;
use weir_client::consumer::{Consumer, MessageBatch, Polled};
use weir_client::topic_partition::TopicPartition;
use weir_client::wire::WireSettings;
use weir_config::properties::Properties;
use weir_config::suggest::nearest;

use crate::decode::Decoder;
use crate::error::ToolError;
use crate::record_text::{RecordParts, json_line, line};

const BATCH_RECORDS: usize = 1_000;
const WAIT: Duration = Duration::from_secs(1);
/// A person waits: an unreachable broker is reported soon.
const ANSWER_WITHIN_MS: &str = "5000";

/// What to show.
#[derive(Debug, Clone)]
pub struct TailOptions {
    /// `host:port`, more separated by commas.
    pub bootstrap_servers: String,
    /// Further settings of the clients, by Java's names: security first of all.
    pub client: Properties,
    pub topic: String,
    /// One JSON object a line.
    pub json: bool,
    /// Start at the oldest record.
    pub from_beginning: bool,
    /// Stop after this many records.
    pub max: Option<u64>,
    /// The registry that knows the schemas of keys and values; `None` = bytes are shown as they are.
    pub registry: Option<String>,
}

/// What turns registered keys and values into JSON.
#[derive(Debug)]
struct Decoders {
    key: Decoder,
    value: Decoder,
}

impl Decoders {
    fn new(options: &TailOptions) -> Result<Option<Self>, ToolError> {
        let Some(url) = &options.registry else {
            return Ok(None);
        };
        Ok(Some(Self {
            key: Decoder::new(url, ConverterSlot::Key)?,
            value: Decoder::new(url, ConverterSlot::Value)?,
        }))
    }
}

/// Writes records to `out` until `max` are shown; without one, for ever. A reader that goes away ends it quietly.
///
/// *Errors*: no such topic, no broker, or an output that cannot be written. *Cancel safety*: safe.
pub async fn tail(options: TailOptions, out: &mut (impl Write + Send)) -> Result<(), ToolError> {
    let json = options.json;
    let each = |record: &RecordParts<'_>| writeln!(out, "{}", if json { json_line(record) } else { line(record) });
    follow(options, each).await
}

/// Hands records to `each` until `max` are shown; without one, for ever. A closed pipe ends it quietly.
///
/// *Errors*: as [`tail`]. *Cancel safety*: safe.
pub async fn follow(
    options: TailOptions,
    mut each: impl FnMut(&RecordParts<'_>) -> io::Result<()> + Send,
) -> Result<(), ToolError> {
    let mut left = options.max.unwrap_or(u64::MAX);
    let mut decoders = Decoders::new(&options)?;
    let start = starting_points(&options).await?;
    let consumer = Consumer::new(&translate_consumer(&settings(&options))?)?;
    consumer.assign(&start).await?;
    while left > 0 {
        let Polled::Messages(batch) = consumer.next(BATCH_RECORDS, WAIT).await else {
            continue;
        };
        match show(&batch, &mut decoders, &mut left, &mut each) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err(error.into()),
        }
    }
    consumer.close().await;
    Ok(())
}

fn settings(options: &TailOptions) -> Properties {
    let mut settings = options.client.clone();
    for (key, value) in [
        ("bootstrap.servers", options.bootstrap_servers.as_str()),
        ("client.id", "weir-tail"),
        // Needed by the client library; no group is joined.
        ("group.id", "weir-tail"),
        ("default.api.timeout.ms", ANSWER_WITHIN_MS),
        ("auto.offset.reset", "earliest"),
    ] {
        settings.insert(key, value);
    }
    settings
}

async fn starting_points(options: &TailOptions) -> Result<Vec<(TopicPartition, Option<i64>)>, ToolError> {
    let admin = Admin::new(WireSettings::from_properties(&settings(options))?);
    let found = admin.describe_topics(&[&options.topic]).await?;
    let Some(topic) = found.first() else {
        let all = admin.list_topics().await?;
        let near = nearest(&options.topic, all.iter().map(|topic| topic.name.as_str()));
        let hint = near.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        let (topic, servers) = (options.topic.clone(), options.bootstrap_servers.clone());
        return Err(ToolError::NoSuchTopic { topic, servers, hint });
    };
    let partitions: Vec<TopicPartition> = topic
        .partitions
        .iter()
        .map(|partition| TopicPartition::new(&options.topic, partition.partition))
        .collect();
    let spec = if options.from_beginning {
        OffsetSpec::Earliest
    } else {
        OffsetSpec::Latest
    };
    let offsets = admin.offsets(&partitions, spec, Isolation::ReadUncommitted).await?;
    Ok(partitions
        .into_iter()
        .zip(offsets)
        .map(|(partition, offset)| (partition, Some(offset.unwrap_or(0))))
        .collect())
}

fn show(
    batch: &MessageBatch,
    decoders: &mut Option<Decoders>,
    left: &mut u64,
    each: &mut impl FnMut(&RecordParts<'_>) -> io::Result<()>,
) -> io::Result<()> {
    for message in batch.iter() {
        if *left == 0 {
            break;
        }
        *left -= 1;
        let (key, value) = match decoders {
            Some(decoders) => (
                decoders.key.decode(message.topic(), message.key()),
                decoders.value.decode(message.topic(), message.value()),
            ),
            None => (None, None),
        };
        let record = RecordParts {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().0,
            key: key.as_deref().or(message.key()),
            value: value.as_deref().or(message.value()),
            headers: message
                .headers()
                .map(|(name, value)| (name.into_owned(), value))
                .collect(),
        };
        each(&record)?;
    }
    Ok(())
}
