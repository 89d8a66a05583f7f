//! Topics that the worker creates for a source connector.
//!
//! `topic.creation.*` names groups of settings; the first group that includes a topic and does not
//! exclude it decides, else the default group. Looked up before the first record of a topic.
//! Source: KIP-158.

use std::collections::HashSet;

use regex::Regex;
use weir_client::admin::{Admin, NewTopic};
use weir_config::map::ConfigMap;

use crate::connector_config::{
    ConnectorKind, TOPIC_CREATION_PREFIX, enriched_def, topic_creation_groups, uses_topic_creation,
};
use crate::error::{TaskFailure, WorkerError};
use crate::pattern;

/// Settings of one group.
#[derive(Debug)]
pub struct TopicGroup {
    pub name: String,
    include: Option<Regex>,
    exclude: Option<Regex>,
    pub replication_factor: i16,
    pub partitions: i32,
    /// Topic settings such as `cleanup.policy`.
    pub settings: Vec<(String, String)>,
}

/// The groups of one connector, the default group last.
#[derive(Debug)]
pub struct TopicGroups {
    groups: Vec<TopicGroup>,
}

impl TopicGroups {
    /// Reads the groups; none when the connector sets no `topic.creation.` key.
    ///
    /// # Errors
    /// A key that is missing or does not parse.
    pub fn parse(config: &ConfigMap) -> Result<Option<Self>, WorkerError> {
        if !uses_topic_creation(config) {
            return Ok(None);
        }
        let parsed = enriched_def(ConnectorKind::Source, config).parse(config)?;
        let mut groups = Vec::new();
        for name in topic_creation_groups(config)
            .into_iter()
            .chain(std::iter::once("default".to_owned()))
        {
            let key = |suffix: &str| format!("{TOPIC_CREATION_PREFIX}{name}.{suffix}");
            let patterns = |suffix: &str| {
                let patterns = parsed.opt_list(&key(suffix)).unwrap_or_default();
                pattern::any_of(patterns).map_err(|error| {
                    WorkerError::Invalid(format!("Invalid value for configuration {}: {error}", key(suffix)))
                })
            };
            let (include, exclude) = (patterns("include")?, patterns("exclude")?);
            let settings = config.with_prefix(&format!("{TOPIC_CREATION_PREFIX}{name}."));
            let settings = settings
                .into_iter()
                .filter(|(name, _)| {
                    !matches!(
                        name.as_str(),
                        "include" | "exclude" | "replication.factor" | "partitions"
                    )
                })
                .filter_map(|(name, value)| Some((name, value?)))
                .collect();
            groups.push(TopicGroup {
                include,
                exclude,
                replication_factor: parsed.get_short(&key("replication.factor"))?,
                partitions: parsed.get_int(&key("partitions"))?,
                settings,
                name,
            });
        }
        Ok(Some(Self { groups }))
    }

    /// Returns the group that decides about a topic.
    pub fn group_of(&self, topic: &str) -> Option<&TopicGroup> {
        let named = self.groups.iter().find(|group| {
            let matches = |pattern: &Option<Regex>| pattern.as_ref().is_some_and(|pattern| pattern.is_match(topic));
            group.name != "default" && matches(&group.include) && !matches(&group.exclude)
        });
        named.or(self.groups.last())
    }
}

/// Creates topics for one task, each looked up once.
#[derive(Debug)]
pub struct TopicCreation {
    groups: TopicGroups,
    admin: Admin,
    known: HashSet<String>,
}

impl TopicCreation {
    /// Uses an admin client of the task's own.
    pub fn new(groups: TopicGroups, admin: Admin) -> Self {
        Self {
            groups,
            admin,
            known: HashSet::new(),
        }
    }

    /// Makes sure that a topic exists.
    ///
    /// # Errors
    /// It does not exist and cannot be created.
    pub async fn ensure(&mut self, topic: &str) -> Result<(), TaskFailure> {
        if self.known.contains(topic) {
            return Ok(());
        }
        let failed = |cause: TaskFailure| {
            TaskFailure::connect(format!(
                "Task failed to create new topic {topic}. Ensure that the task is authorized to create topics or that the topic exists and restart the task"
            ))
            .caused_by(cause)
        };
        let found = self
            .admin
            .describe_topics(&[topic])
            .await
            .map_err(|error| failed(error.into()))?;
        if found.is_empty() {
            let Some(group) = self.groups.group_of(topic) else {
                return Ok(());
            };
            let new = NewTopic {
                name: topic.to_owned(),
                partitions: group.partitions,
                replication_factor: group.replication_factor,
                configs: group.settings.clone(),
            };
            let created = self
                .admin
                .create_topic(&new)
                .await
                .map_err(|error| failed(error.into()))?;
            tracing::info!(
                topic,
                group = group.name,
                ?created,
                "topic created by a topic creation group"
            );
        }
        self.known.insert(topic.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::TopicGroups;
    use weir_config::map::ConfigMap;

    fn groups(pairs: &[(&str, &str)]) -> TopicGroups {
        let mut config: ConfigMap = [("name", "c"), ("connector.class", "X")].into_iter().collect();
        for (key, value) in pairs {
            config.insert(format!("topic.creation.{key}"), *value);
        }
        TopicGroups::parse(&config).unwrap().unwrap()
    }

    #[test]
    fn the_first_group_that_includes_and_does_not_exclude_decides() {
        let groups = groups(&[
            ("groups", "small,large,default"),
            ("default.partitions", "1"),
            ("default.replication.factor", "-1"),
            ("small.include", "s.*,x"),
            ("small.exclude", "s.*big"),
            ("small.partitions", "2"),
            ("small.cleanup.policy", "compact"),
            ("large.include", "s.*"),
        ]);
        let name = |topic| groups.group_of(topic).unwrap().name.as_str();
        assert_eq!(
            ["s1", "x", "s1big", "y", "xs1"].map(name),
            ["small", "small", "large", "default", "default"]
        );
        let small = groups.group_of("x").unwrap();
        assert_eq!((small.partitions, small.replication_factor), (2, -1));
        assert_eq!(small.settings, [("cleanup.policy".to_owned(), "compact".to_owned())]);
    }

    #[test]
    fn without_a_key_there_are_no_groups_and_without_defaults_it_is_an_error() {
        let config: ConfigMap = [("name", "c"), ("connector.class", "X")].into_iter().collect();
        assert!(TopicGroups::parse(&config).unwrap().is_none());
        let config: ConfigMap = [("name", "c"), ("connector.class", "X"), ("topic.creation.groups", "a")]
            .into_iter()
            .collect();
        let error = TopicGroups::parse(&config).unwrap_err().to_string();
        assert!(error.contains("topic.creation.default.replication.factor"), "{error}");
    }
}
