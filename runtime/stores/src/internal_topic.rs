//! Internal topics: their settings and what an existing one must be
//!
//! `config.storage.*`, `offset.storage.*`, `status.storage.*` of the worker file; creation at start; the checks that keep a worker from
//! starting on a topic that would lose data. Source: `TopicAdmin`, `DistributedConfig`, `KafkaTopicBasedBackingStore`.

use weir_client::admin::{Isolation, NewTopic};
use weir_client::compacted_log::LogTopic;
use weir_client::error::ClientError;
use weir_client::wire::WireSettings;
use weir_config::properties::Properties;

use crate::error::StoreError;

/// Which of the three topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Configs,
    Offsets,
    Statuses,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Self::Configs => "config.storage.",
            Self::Offsets => "offset.storage.",
            Self::Statuses => "status.storage.",
        }
    }

    /// What Apache's texts call the content.
    fn content(self) -> &'static str {
        match self {
            Self::Configs => "connector configurations",
            Self::Offsets => "source connector offsets",
            Self::Statuses => "connector and task statuses",
        }
    }

    fn default_partitions(self) -> i32 {
        match self {
            Self::Configs => 1,
            Self::Offsets => 25,
            Self::Statuses => 5,
        }
    }

    /// The client id's ending.
    pub fn client_id_suffix(self) -> &'static str {
        match self {
            Self::Configs => "configs",
            Self::Offsets => "offsets",
            Self::Statuses => "statuses",
        }
    }
}

/// One internal topic as the worker's settings ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalTopic {
    pub purpose: Purpose,
    pub topic: NewTopic,
}

impl InternalTopic {
    /// Reads one topic's settings; texts for ignored ones go to `warnings`.
    ///
    /// *Errors*: `Setting` for a missing name or a number out of its range.
    pub fn from_properties(
        purpose: Purpose,
        properties: &Properties,
        warnings: &mut Vec<String>,
    ) -> Result<Self, StoreError> {
        let prefix = purpose.prefix();
        let wrong = |suffix: &str, value: &str, reason: &str| StoreError::Setting {
            key: format!("{prefix}{suffix}"),
            value: value.to_owned(),
            reason: reason.to_owned(),
        };
        let mut topic = NewTopic {
            name: String::new(),
            partitions: purpose.default_partitions(),
            replication_factor: 3,
            configs: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
        };
        for (suffix, value) in properties.with_prefix(prefix).iter() {
            let value = value.trim();
            match suffix {
                "topic" => value.clone_into(&mut topic.name),
                "replication.factor" => {
                    let factor = value.parse().ok().filter(|factor| *factor == -1 || *factor >= 1);
                    topic.replication_factor =
                        factor.ok_or_else(|| wrong(suffix, value, "must be -1 or at least 1"))?;
                }
                "partitions" if purpose == Purpose::Configs => {
                    warnings.push(
                        "configuration config.storage.partitions has no effect: the config topic has one partition"
                            .to_owned(),
                    );
                }
                "partitions" => {
                    let partitions = value.parse().ok().filter(|count| *count == -1 || *count >= 1);
                    topic.partitions = partitions.ok_or_else(|| wrong(suffix, value, "must be -1 or at least 1"))?;
                }
                "cleanup.policy" => {
                    warnings.push(format!(
                        "configuration {prefix}cleanup.policy has no effect: the policy is always compact"
                    ));
                }
                // Standalone's, and no topic's.
                "file.filename" => {}
                _ => topic.configs.push((suffix.to_owned(), value.to_owned())),
            }
        }
        if topic.name.is_empty() {
            return Err(wrong("topic", "", "must name a topic"));
        }
        Ok(Self { purpose, topic })
    }

    /// Finds or creates the topic and checks it.
    ///
    /// *Errors*: `Topic` with Apache's text when it cannot serve; `Client` when no broker answers.
    pub async fn open(&self, wire: WireSettings, isolation: Isolation) -> Result<LogTopic, StoreError> {
        let name = &self.topic.name;
        let opened = LogTopic::open(wire, &self.topic, isolation).await.map_err(|error| match error {
            ClientError::Timeout { .. } => StoreError::Topic(format!(
                "Timed out while checking for or creating topic(s) '{name}'. This could indicate a connectivity issue, unavailable \
                 topic partitions, or if this is your first use of the topic it may have taken too long to create."
            )),
            ClientError::Broker { message, .. } => {
                StoreError::Topic(format!("Error while attempting to create/find topic(s) '{name}': {message}"))
            }
            source => StoreError::Client { context: format!("Error while attempting to create/find topic(s) '{name}'"), source },
        })?;
        self.check(opened.partitions(), opened.cleanup_policy.as_deref())?;
        Ok(opened)
    }

    fn check(&self, partitions: usize, cleanup_policy: Option<&str>) -> Result<(), StoreError> {
        let (name, key, content) = (
            &self.topic.name,
            format!("{}topic", self.purpose.prefix()),
            self.purpose.content(),
        );
        if let Some(policy) = cleanup_policy.filter(|policy| *policy != "compact") {
            return Err(StoreError::Topic(format!(
                "Topic '{name}' supplied via the '{key}' property is required to have 'cleanup.policy=compact' to guarantee \
                 consistency and durability of {content}, but found the topic currently has 'cleanup.policy={policy}'. Continuing would \
                 likely result in eventually losing {content} and problems restarting this Connect cluster in the future. Change the \
                 '{key}' property in the Connect worker configurations to use a topic with 'cleanup.policy=compact'."
            )));
        }
        if self.purpose == Purpose::Configs && partitions > 1 {
            return Err(StoreError::Topic(format!(
                "Topic '{name}' supplied via the '{key}' property is required to have a single partition in order to guarantee \
                 consistency of connector configurations, but found {partitions} partitions."
            )));
        }
        Ok(())
    }
}

/// First part of the internal clients' ids.
pub fn client_id_base(group_id: &str, client_id: &str) -> String {
    if client_id.is_empty() {
        format!("{group_id}-")
    } else {
        format!("{group_id}-{client_id}-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(purpose: Purpose, text: &str) -> (Result<InternalTopic, StoreError>, Vec<String>) {
        let mut warnings = Vec::new();
        let topic = InternalTopic::from_properties(purpose, &Properties::parse(text).unwrap(), &mut warnings);
        (topic, warnings)
    }

    #[test]
    fn suffixes_become_topic_settings() {
        let text = "offset.storage.topic=o\noffset.storage.partitions=7\noffset.storage.replication.factor=-1\n\
                    offset.storage.min.insync.replicas=2\noffset.storage.cleanup.policy=delete\nstatus.storage.topic=s";
        let (topic, warnings) = read(Purpose::Offsets, text);
        let topic = topic.unwrap().topic;
        assert_eq!(
            (topic.name.as_str(), topic.partitions, topic.replication_factor),
            ("o", 7, -1)
        );
        let configs: Vec<(&str, &str)> = topic
            .configs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(configs, [("cleanup.policy", "compact"), ("min.insync.replicas", "2")]);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("offset.storage.cleanup.policy"));
    }

    #[test]
    fn the_config_topic_has_one_partition() {
        let (topic, warnings) = read(Purpose::Configs, "config.storage.topic=c\nconfig.storage.partitions=9");
        let topic = topic.unwrap();
        assert_eq!(
            (topic.topic.partitions, topic.topic.replication_factor, warnings.len()),
            (1, 3, 1)
        );
        assert_eq!(
            topic.check(3, Some("compact")).unwrap_err().to_string(),
            "Topic 'c' supplied via the 'config.storage.topic' property is required to have a single partition in order to guarantee \
             consistency of connector configurations, but found 3 partitions."
        );
        topic.check(1, None).unwrap();
        let policy = topic.check(1, Some("compact,delete")).unwrap_err().to_string();
        assert!(policy.contains("'cleanup.policy=compact,delete'"), "{policy}");
    }

    #[test]
    fn wrong_settings_name_the_key() {
        for (text, key) in [
            (
                "status.storage.topic=s\nstatus.storage.partitions=0",
                "status.storage.partitions",
            ),
            (
                "status.storage.topic=s\nstatus.storage.replication.factor=x",
                "status.storage.replication.factor",
            ),
            ("", "status.storage.topic"),
        ] {
            let error = read(Purpose::Statuses, text).0.unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
