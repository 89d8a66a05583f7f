//! Offsets of a connector, asked for and changed by users (KIP-875).
//!
//! A sink's are those of its consumer group, a source's are in the offset store. Before anything is written, the connector's own
//! code may judge the change. Whether a change is allowed now (stopped, no tasks) is the herder's question.
//! Source: `Worker.connectorOffsets`, `Worker.modifyConnectorOffsets`, `SinkUtils`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use weir_api::error::ErrorKind;
use weir_client::admin::Admin;
use weir_client::error::{ClientError, KafkaError};
use weir_client::topic_partition::TopicPartition;
use weir_client::wire::WireSettings;
use weir_config::map::ConfigMap;
use weir_plugins::context::InstanceContext;
use weir_plugins::descriptor::PluginKind;
use weir_plugins::error::GuestError;
use weir_plugins::guest::sink::SinkConnectorInstance;
use weir_plugins::guest::source::SourceConnectorInstance;
use weir_plugins::plugins::ConnectorPlugin;
use weir_plugins::sink_requests;
use weir_stores::offsets::connector_offset::ConnectorOffset;

use crate::connector_config::{CONNECTOR_PLUGIN_VERSION, ConnectorConfig};
use crate::error::WorkerError;
use crate::source::offsets::StoredOffsets;
use crate::worker::Worker;

const TOPIC: &str = "kafka_topic";
const PARTITION: &str = "kafka_partition";
const OFFSET: &str = "kafka_offset";
const UNSUPPORTED: &str = "java.lang.UnsupportedOperationException";

/// What shall become of a connector's offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OffsetsChange {
    /// Set those given, remove where the offset is none.
    Alter(Vec<ConnectorOffset>),
    /// Remove all.
    Reset,
}

impl OffsetsChange {
    fn verb(&self) -> &'static str {
        match self {
            Self::Alter(_) => "alter",
            Self::Reset => "reset",
        }
    }

    /// What a user is told; a connector that did not vouch for the change may hold offsets elsewhere.
    fn success(&self, vouched: bool) -> String {
        let done = match self {
            Self::Alter(_) => "altered",
            Self::Reset => "reset",
        };
        if vouched {
            return format!("The offsets for this connector have been {done} successfully");
        }
        format!(
            "The Connect framework-managed offsets for this connector have been {done} successfully. However, if this connector manages offsets externally, they will need to be manually {done} in the system that the connector uses."
        )
    }
}

/// A connector whose offsets are asked for.
struct Asked<'a> {
    name: &'a str,
    config: ConfigMap,
    plugin: ConnectorPlugin,
}

impl Asked<'_> {
    fn is_sink(&self) -> bool {
        self.plugin.kind == PluginKind::Sink
    }

    fn failed_to_modify(&self) -> WorkerError {
        let kind = if self.is_sink() { "sink" } else { "source" };
        failed(format!("Failed to modify offsets for {kind} connector {}", self.name))
    }

    /// What the connector's own code said against a change.
    fn refused(&self, error: GuestError) -> WorkerError {
        let name = self.name;
        tracing::error!(connector = name, %error, "connector refused a change of its offsets");
        if error.class_name.as_deref() == Some(UNSUPPORTED) {
            return failed(format!(
                "Failed to modify offsets for connector {name} because it doesn't support external modification of offsets"
            ));
        }
        match error.kind {
            ErrorKind::Config | ErrorKind::Data | ErrorKind::Retriable | ErrorKind::Fatal if !error.is_poisoned() => {
                failed(error.message)
            }
            _ => self.failed_to_modify(),
        }
    }
}

impl Worker {
    /// Returns the offsets a connector has committed.
    ///
    /// # Errors
    /// Its class is unknown here, or its group or the offset store could not be read.
    pub async fn listed_offsets(&self, name: &str, config: &ConfigMap) -> Result<Vec<ConnectorOffset>, WorkerError> {
        let asked = self.asked(name, config)?;
        if asked.is_sink() {
            let (admin, group) = self.group_of(&asked)?;
            let offsets = admin.group_offsets(&group).await.map_err(|error| {
                let text = format!("Failed to retrieve consumer group offsets for sink connector {name}");
                tracing::error!(connector = name, group, %error, "consumer group offsets were not read");
                failed(text)
            })?;
            return Ok(offsets.into_iter().map(|(at, offset)| shown(&at, offset)).collect());
        }
        let stored = self.connector_offsets(name, config).await.map_err(|error| {
            tracing::error!(connector = name, %error, "source offsets were not read");
            failed(format!("Failed to retrieve offsets for source connector {name}"))
        })?;
        let listed = stored.list(name).into_iter();
        Ok(listed
            .map(|(partition, offset)| ConnectorOffset {
                partition: object(&partition),
                offset: object(&offset),
            })
            .collect())
    }

    /// Changes the offsets of a connector that is stopped; answers what a user is told.
    ///
    /// # Errors
    /// `Invalid` for a change that makes no sense; `Offsets` when the connector's code or Kafka refuses it.
    pub async fn modify_connector_offsets(
        &self,
        name: &str,
        config: &ConfigMap,
        change: OffsetsChange,
    ) -> Result<String, WorkerError> {
        let asked = self.asked(name, config)?;
        let vouched = if asked.is_sink() {
            self.modify_sink(&asked, &change).await?
        } else {
            self.modify_source(&asked, &change).await?
        };
        Ok(change.success(vouched))
    }

    fn asked<'a>(&self, name: &'a str, config: &ConfigMap) -> Result<Asked<'a>, WorkerError> {
        let config = self.settings.providers.resolve(config)?;
        let class = ConnectorConfig::parse(&config)?.class;
        let plugin = self
            .plugins
            .find_connector_version(&class, config.get(CONNECTOR_PLUGIN_VERSION))?;
        Ok(Asked { name, config, plugin })
    }

    fn group_of(&self, asked: &Asked<'_>) -> Result<(Admin, String), WorkerError> {
        let group = self.settings.clients.sink_group(asked.name, &asked.config)?;
        let settings = self.settings.clients.offsets_admin(asked.name, &asked.config)?;
        Ok((Admin::new(WireSettings::from_properties(&settings)?), group))
    }

    // ---- sinks -------------------------------------------------------------------------------------------

    async fn modify_sink(&self, asked: &Asked<'_>, change: &OffsetsChange) -> Result<bool, WorkerError> {
        let (admin, group) = self.group_of(asked)?;
        let wanted: BTreeMap<TopicPartition, Option<i64>> = match change {
            OffsetsChange::Alter(offsets) => sink_offsets(offsets)?,
            OffsetsChange::Reset => {
                let known = admin.group_offsets(&group).await.map_err(|error| {
                    tracing::error!(connector = asked.name, group, %error, "consumer group offsets were not read");
                    failed(format!(
                        "Failed to list offsets prior to resetting offsets for sink connector {}",
                        asked.name
                    ))
                })?;
                known.into_keys().map(|at| (at, None)).collect()
            }
        };
        let told: Vec<(sink_requests::TopicPartition, Option<i64>)> = wanted
            .iter()
            .map(|(at, offset)| (told_partition(at), *offset))
            .collect();
        let context = InstanceContext::bare(asked.name, asked.config.clone());
        let vouched = async {
            let mut connector = SinkConnectorInstance::create(&self.plugins, &asked.plugin, context).await?;
            connector.alter_offsets(&asked.config, &told).await
        };
        let vouched = vouched.await.map_err(|error| asked.refused(error))?;
        if wanted.values().flatten().any(|offset| *offset < 0) {
            return Err(asked.failed_to_modify());
        }
        let written = match change {
            OffsetsChange::Reset => admin.delete_group(&group).await,
            OffsetsChange::Alter(_) => alter_group(&admin, &group, &wanted).await,
        };
        written.map_err(|error| {
            tracing::error!(connector = asked.name, group, %error, "consumer group offsets were not changed");
            group_failure(asked.name, change, &error)
        })?;
        Ok(vouched)
    }

    // ---- sources -----------------------------------------------------------------------------------------

    async fn modify_source(&self, asked: &Asked<'_>, change: &OffsetsChange) -> Result<bool, WorkerError> {
        let name = asked.name;
        let unwritten = |error: weir_stores::error::StoreError| match error {
            weir_stores::error::StoreError::Offset(text) => failed(text),
            other => {
                tracing::error!(connector = name, error = %other, "source offsets were not changed");
                asked.failed_to_modify()
            }
        };
        let stored = self.connector_offsets(name, &asked.config).await?;
        let wanted: Vec<(String, Option<String>)> = match change {
            OffsetsChange::Alter(offsets) => source_offsets(offsets),
            OffsetsChange::Reset => {
                let known = stored.list(name).into_iter();
                known.map(|(partition, _)| (partition, None)).collect()
            }
        };
        let mut context = InstanceContext::bare(name, asked.config.clone());
        context.offsets = StoredOffsets::shared(name, &stored);
        let vouched = async {
            let mut connector = SourceConnectorInstance::create(&self.plugins, &asked.plugin, context).await?;
            connector.alter_offsets(&asked.config, &wanted).await
        };
        let vouched = vouched.await.map_err(|error| asked.refused(error))?;
        let records = wanted
            .into_iter()
            .map(|(partition, offset)| (Some(partition).filter(|text| text != "null"), offset))
            .collect();
        stored.write(name, records).await.map_err(unwritten)?;
        Ok(vouched)
    }
}

fn told_partition(at: &TopicPartition) -> sink_requests::TopicPartition {
    sink_requests::TopicPartition {
        topic: at.topic.clone(),
        partition: at.partition,
    }
}

async fn alter_group(
    admin: &Admin,
    group: &str,
    wanted: &BTreeMap<TopicPartition, Option<i64>>,
) -> Result<(), ClientError> {
    let set: BTreeMap<TopicPartition, i64> = wanted
        .iter()
        .filter_map(|(at, offset)| Some((at.clone(), (*offset)?)))
        .collect();
    let removed: Vec<TopicPartition> = wanted
        .iter()
        .filter(|(_, offset)| offset.is_none())
        .map(|(at, _)| at.clone())
        .collect();
    if !set.is_empty() {
        admin.alter_group_offsets(group, &set).await?;
    }
    if !removed.is_empty() {
        admin.delete_group_offsets(group, &removed).await?;
    }
    Ok(())
}

/// A group with members says that tasks still run somewhere.
fn group_failure(name: &str, change: &OffsetsChange, error: &ClientError) -> WorkerError {
    let verb = change.verb();
    let has_members = [
        KafkaError::UNKNOWN_MEMBER_ID,
        KafkaError::GROUP_SUBSCRIBED_TO_TOPIC,
        KafkaError::NON_EMPTY_GROUP,
    ];
    if error.code().is_some_and(|code| has_members.contains(&code)) {
        return failed(format!(
            "Failed to {verb} consumer group offsets for connector {name} either because its tasks haven't stopped completely yet or the connector was resumed before the request to {verb} its offsets could be successfully completed. If the connector is in a stopped state, this operation can be safely retried. If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks."
        ));
    }
    match change {
        OffsetsChange::Alter(_) => failed(format!("Failed to alter consumer group offsets for connector {name}")),
        OffsetsChange::Reset => failed(format!(
            "Failed to reset consumer group offsets for sink connector {name}"
        )),
    }
}

fn failed(text: String) -> WorkerError {
    WorkerError::Offsets(text)
}

fn object(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}

fn shown(at: &TopicPartition, offset: i64) -> ConnectorOffset {
    // In the order in which Connect's hash map gives them.
    let partition = json!({ PARTITION: at.partition, TOPIC: at.topic });
    ConnectorOffset {
        partition: partition.as_object().cloned(),
        offset: json!({ OFFSET: offset }).as_object().cloned(),
    }
}

/// Reads what a user gave for a sink; a partition given twice takes the last offset.
fn sink_offsets(given: &[ConnectorOffset]) -> Result<BTreeMap<TopicPartition, Option<i64>>, WorkerError> {
    let invalid = |text: String| WorkerError::Invalid(text);
    let mut offsets = BTreeMap::new();
    for entry in given {
        let Some(partition) = &entry.partition else {
            return Err(invalid(
                "The partition for a sink connector offset cannot be null or missing".to_owned(),
            ));
        };
        let (Some(topic), Some(number)) = (partition.get(TOPIC), partition.get(PARTITION)) else {
            return Err(invalid(format!(
                "The partition for a sink connector offset must contain the keys '{TOPIC}' and '{PARTITION}'"
            )));
        };
        if topic.is_null() {
            return Err(invalid(
                "Kafka topic names must be valid strings and may not be null".to_owned(),
            ));
        }
        if number.is_null() {
            return Err(invalid(
                "Kafka partitions must be valid numbers and may not be null".to_owned(),
            ));
        }
        let number_text = plain(number);
        let number: i32 = number_text.parse().map_err(|_| {
            invalid(format!(
                "Failed to parse the following Kafka partition value in the provided offsets: '{number_text}'. Partition values for sink connectors need to be integers."
            ))
        })?;
        let offset = match &entry.offset {
            None => None,
            Some(fields) => {
                let Some(offset) = fields.get(OFFSET) else {
                    return Err(invalid(format!(
                        "The offset for a sink connector should either be null or contain the key '{OFFSET}'"
                    )));
                };
                let text = plain(offset);
                Some(text.parse::<i64>().map_err(|_| {
                    invalid(format!(
                        "Failed to parse the following Kafka offset value in the provided offsets: '{text}'. Offset values for sink connectors need to be integers."
                    ))
                })?)
            }
        };
        offsets.insert(TopicPartition::new(plain(topic), number), offset);
    }
    Ok(offsets)
}

/// A value as Java's `String.valueOf` prints it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a user gave for a source, as JSON texts; a partition given twice takes the last offset.
fn source_offsets(given: &[ConnectorOffset]) -> Vec<(String, Option<String>)> {
    let text = |fields: &Map<String, Value>| weir_stores::json::to_text(&Value::Object(fields.clone()));
    let mut offsets: Vec<(String, Option<String>)> = Vec::new();
    for entry in given {
        let partition = entry.partition.as_ref().map_or_else(|| "null".to_owned(), text);
        let offset = entry.offset.as_ref().map(text);
        match offsets.iter_mut().find(|(known, _)| *known == partition) {
            Some(known) => known.1 = offset,
            None => offsets.push((partition, offset)),
        }
    }
    offsets
}

#[cfg(test)]
mod tests;
