//! CreateTopics (19), DeleteTopics (20), CreatePartitions (37).
//!
//! CreateTopics v2–7: v4 defaults by -1, v5 answers counts and configs (KIP-525), v7 the id.
//! DeleteTopics v1–6: v6 by id (KIP-516). CreatePartitions v0–3: growth only. Each topic of a
//! request is judged by itself; what is answered without error can be used at once. A time-out of
//! the request is not looked at: the change is made before the answer.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use weir_protocol::messages::create_topics_request::CreatableTopic;
use weir_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use weir_protocol::messages::delete_topics_response::DeletableTopicResult;
use weir_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, StrBytes, Uuid,
};

use crate::cluster::{Mode, NewTopic, TopicError};
use crate::context::{RequestCx, Shared};
use crate::handlers::configs::topic_settings;
use crate::partitions::{Topic, is_internal_name};
use crate::topic_config::Overrides;
use crate::wire::wire;

pub(crate) async fn create_topics(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let mode = mode_of(request.validate_only);
    let mut answers: BTreeMap<usize, CreatableTopicResult> = BTreeMap::new();
    let mut wanted = Vec::new();
    let duplicates = duplicates(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut answered = HashSet::new();
    for (at, topic) in request.topics.iter().enumerate() {
        let name = topic.name.as_str();
        if duplicates.contains(name) {
            if answered.insert(name) {
                let error = TopicError::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.");
                answers.insert(at, refused(topic, &error));
            }
            continue;
        }
        match new_topic(&shared, topic) {
            Ok(new) => wanted.push((at, new)),
            Err(error) => {
                answers.insert(at, refused(topic, &error));
            }
        }
    }
    let (places, topics): (Vec<usize>, Vec<NewTopic>) = wanted.into_iter().unzip();
    let made = shared.cluster.change(move |cluster| cluster.create(topics, mode)).await;
    for (at, outcome) in places.into_iter().zip(made) {
        let answer = match outcome {
            Ok(topic) => created(&shared, &topic, cx.version, mode),
            Err(error) => refused(&request.topics[at], &error),
        };
        answers.insert(at, answer);
    }
    wire!(CreateTopicsResponse {
        topics: answers.into_values().collect()
    })
}

fn mode_of(validate_only: bool) -> Mode {
    if validate_only { Mode::ValidateOnly } else { Mode::Apply }
}

fn duplicates<'a>(names: impl Iterator<Item = &'a str>) -> HashSet<&'a str> {
    let mut seen = HashSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}

fn new_topic(shared: &Shared, topic: &CreatableTopic) -> Result<NewTopic, TopicError> {
    let name = topic.name.to_string();
    if is_internal_name(&name) {
        let text = format!("Topic '{name}' is internal and made by the broker.");
        return Err(TopicError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, text));
    }
    let partitions = if topic.assignments.is_empty() {
        check_replication_factor(shared, topic.replication_factor)?;
        match topic.num_partitions {
            -1 => shared.config.topics.num_partitions,
            count => count,
        }
    } else {
        assigned_partitions(shared, topic)?
    };
    let mut overrides = Overrides::new();
    for config in &topic.configs {
        if let Some(value) = &config.value {
            overrides.insert(config.name.to_string(), value.to_string());
        }
    }
    Ok(NewTopic {
        name,
        partitions,
        overrides,
    })
}

fn check_replication_factor(shared: &Shared, factor: i16) -> Result<(), TopicError> {
    let refuse = |text: String| Err(TopicError::new(ErrorCode::INVALID_REPLICATION_FACTOR, text));
    match factor {
        -1 | 1 => Ok(()),
        factor if factor <= 0 => {
            refuse("Replication factor must be larger than 0, or -1 to use the default value.".to_owned())
        }
        _ if shared.config.topics.clamps_replication_factor => Ok(()),
        factor => refuse(format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only 1 broker(s) are registered."
        )),
    }
}

/// A given assignment must name this broker for partitions 0, 1, 2 and so on.
fn assigned_partitions(shared: &Shared, topic: &CreatableTopic) -> Result<i32, TopicError> {
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        return Err(TopicError::new(
            ErrorCode::INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions or replicationFactor was not set to -1.",
        ));
    }
    let refuse = |text: &str| Err(TopicError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, text));
    let mut indexes: Vec<i32> = topic
        .assignments
        .iter()
        .map(|assignment| assignment.partition_index)
        .collect();
    indexes.sort_unstable();
    if indexes.iter().zip(0..).any(|(index, expected)| *index != expected) {
        return refuse("partitions should be a consecutive 0-based integer sequence");
    }
    let own = [shared.cluster.node_id];
    if topic.assignments.iter().any(|assignment| assignment.broker_ids != own) {
        return refuse("The manual partition assignment includes a broker that is not registered.");
    }
    Ok(indexes.len() as i32)
}

fn created(shared: &Shared, topic: &Topic, version: i16, mode: Mode) -> CreatableTopicResult {
    let mut answer = wire!(CreatableTopicResult {
        name: StrBytes::from(&*topic.name)
    });
    if version >= 5 {
        answer.num_partitions = topic.partitions.len() as i32;
        answer.replication_factor = 1;
        let configs = topic_settings(&shared.config.given, &topic.config).map(|setting| {
            wire!(CreatableTopicConfigs {
                name: StrBytes::from(setting.name),
                value: Some(StrBytes::from(setting.value)),
                config_source: setting.source.0,
            })
        });
        answer.configs = Some(configs.collect());
    }
    if version >= 7 && mode == Mode::Apply {
        answer.topic_id = topic.id;
    }
    answer
}

fn refused(topic: &CreatableTopic, error: &TopicError) -> CreatableTopicResult {
    wire!(CreatableTopicResult {
        name: topic.name.clone(),
        error_code: error.code.0,
        error_message: Some(StrBytes::from(error.message.as_str())),
        configs: Some(Vec::new()),
    })
}

pub(crate) async fn delete_topics(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Uuid::ZERO));
    let by_state = request.topics.into_iter().map(|topic| (topic.name, topic.topic_id));
    let wanted: Vec<(Option<StrBytes>, Uuid)> = by_name.chain(by_state).collect();
    let mut responses = Vec::with_capacity(wanted.len());
    let mut deleted = Vec::new();
    for (name, id) in wanted {
        let found = match &name {
            Some(name) => Ok(name.to_string()),
            None => match shared.partitions.topics().get_by_id(id) {
                Some(topic) => Ok(topic.name.to_string()),
                None => Err(TopicError::new(
                    ErrorCode::UNKNOWN_TOPIC_ID,
                    "This server does not host this topic ID.",
                )),
            },
        };
        let outcome = match found {
            Ok(name) => delete(&shared, name).await,
            Err(error) => Err(error),
        };
        let mut answer = DeletableTopicResult::default();
        match outcome {
            Ok(topic) => {
                answer.name = Some(StrBytes::from(&*topic.name));
                if cx.version >= 6 {
                    answer.topic_id = topic.id;
                }
                deleted.push(topic.name.to_string());
            }
            Err(error) => {
                // Null names exist from v6 on, where a topic may be named by its id only.
                answer.name = name.or_else(|| (cx.version < 6).then(StrBytes::default));
                answer.error_code = error.code.0;
                if cx.version >= 5 {
                    answer.error_message = Some(StrBytes::from(error.message));
                }
                if cx.version >= 6 {
                    answer.topic_id = id;
                }
            }
        }
        responses.push(answer);
    }
    if !deleted.is_empty() {
        shared.groups.topics_deleted(&deleted).await;
    }
    wire!(DeleteTopicsResponse { responses: responses })
}

async fn delete(shared: &Shared, name: String) -> Result<Arc<Topic>, TopicError> {
    if is_internal_name(&name) {
        let text = format!("Topic '{name}' is internal and cannot be deleted.");
        return Err(TopicError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, text));
    }
    shared.cluster.change(move |cluster| cluster.delete(&name)).await
}

pub(crate) async fn create_partitions(
    shared: Arc<Shared>,
    _: RequestCx,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mode = mode_of(request.validate_only);
    let duplicates = duplicates(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut answered = HashSet::new();
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let name = topic.name.to_string();
        let outcome = if duplicates.contains(name.as_str()) {
            if !answered.insert(name) {
                continue;
            }
            Err(TopicError::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name."))
        } else if let Some(assignments) = &topic.assignments
            && assignments.iter().any(|one| one.broker_ids != [shared.cluster.node_id])
        {
            Err(TopicError::new(
                ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                "The manual partition assignment includes a broker that is not registered.",
            ))
        } else {
            let count = topic.count;
            shared
                .cluster
                .change(move |cluster| cluster.grow(&name, count, mode))
                .await
        };
        let mut result = wire!(CreatePartitionsTopicResult {
            name: topic.name.clone()
        });
        if let Err(error) = outcome {
            result.error_code = error.code.0;
            result.error_message = Some(StrBytes::from(error.message));
        }
        results.push(result);
    }
    wire!(CreatePartitionsResponse { results: results })
}
