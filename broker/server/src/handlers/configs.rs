//! DescribeConfigs (32), AlterConfigs (33), IncrementalAlterConfigs (44), ListConfigResources (74).
//!
//! DescribeConfigs v1–4: every known key with its value, where it comes from and, when asked, its
//! synonyms (v1) and type and text (v3). AlterConfigs v0–2 replaces all overrides of a topic,
//! IncrementalAlterConfigs v0–1 edits them (KIP-339); both are atomic per topic and hold for the
//! running log. Broker keys are answered and read-only: they come from the file.

use std::collections::HashSet;
use std::sync::Arc;

use weir_config::def::{ConfigDef, ConfigType};
use weir_config::properties::Properties;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::describe_configs_request::DescribeConfigsResource;
use weir_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use weir_protocol::messages::incremental_alter_configs_request::AlterableConfig;
use weir_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, ListConfigResourcesRequest,
    ListConfigResourcesResponse, StrBytes, alter_configs_response, incremental_alter_configs_response,
    list_config_resources_response::ConfigResource,
};

use crate::cluster::{Mode, TopicError};
use crate::config_table::BROKER_DEF;
use crate::context::{RequestCx, Shared};
use crate::topic_config::{Overrides, TOPIC_DEF, TOPIC_KEYS, TopicConfig, TopicKey, topic_key};
use crate::wire::wire;

const RESOURCE_TOPIC: i8 = 2;
const RESOURCE_BROKER: i8 = 4;
const RESOURCE_BROKER_LOGGER: i8 = 8;

/// Where a value comes from, as the wire says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source(pub(crate) i8);

impl Source {
    const TOPIC: Self = Self(1);
    const STATIC_BROKER: Self = Self(4);
    const DEFAULT: Self = Self(5);
}

/// One key of a topic with its value.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) source: Source,
    key: &'static TopicKey,
}

/// Every key of a topic, the defaults included.
pub(crate) fn topic_settings<'a>(
    broker: &'a Properties,
    config: &'a TopicConfig,
) -> impl Iterator<Item = Setting> + 'a {
    TOPIC_KEYS.iter().map(move |key| {
        let (value, source) = match (config.overrides.get(key.name), key.broker_value(broker)) {
            (Some(text), _) => (text.clone(), Source::TOPIC),
            (None, Some((_, text))) => (text, Source::STATIC_BROKER),
            (None, None) => (key.default_text().to_owned(), Source::DEFAULT),
        };
        Setting {
            name: key.name,
            value,
            source,
            key,
        }
    })
}

pub(crate) async fn describe_configs(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let detail = Detail {
        synonyms: request.include_synonyms,
        types: cx.version >= 3,
        documentation: cx.version >= 3 && request.include_documentation,
    };
    let results = request.resources.iter().map(|resource| {
        let mut result = wire!(DescribeConfigsResult {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
        });
        match describe(&shared, resource, detail) {
            Ok(configs) => result.configs = configs,
            Err(error) => {
                result.error_code = error.code.0;
                result.error_message = Some(StrBytes::from(error.message));
            }
        }
        result
    });
    wire!(DescribeConfigsResponse {
        results: results.collect()
    })
}

#[derive(Debug, Clone, Copy)]
struct Detail {
    synonyms: bool,
    types: bool,
    documentation: bool,
}

fn describe(
    shared: &Shared,
    resource: &DescribeConfigsResource,
    detail: Detail,
) -> Result<Vec<DescribeConfigsResourceResult>, TopicError> {
    let wanted: Option<HashSet<&str>> = resource
        .configuration_keys
        .as_ref()
        .map(|keys| keys.iter().map(StrBytes::as_str).collect());
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
    match resource.resource_type {
        RESOURCE_TOPIC => {
            let name = resource.resource_name.as_str();
            let topic = shared.partitions.topic(name).ok_or_else(TopicError::unknown_topic)?;
            let broker = &shared.config.given;
            let settings = topic_settings(broker, &topic.config);
            let wanted = settings.filter(|setting| is_wanted(setting.name));
            Ok(wanted.map(|setting| topic_row(setting, broker, detail)).collect())
        }
        RESOURCE_BROKER => {
            check_broker(shared, &resource.resource_name)?;
            // The cluster-wide default holds dynamic settings only, and there are none.
            if resource.resource_name.is_empty() {
                return Ok(Vec::new());
            }
            let names = BROKER_DEF.names().filter(|name| is_wanted(name));
            Ok(names.map(|name| broker_row(shared, name, detail)).collect())
        }
        RESOURCE_BROKER_LOGGER => {
            check_broker(shared, &resource.resource_name)?;
            Ok(Vec::new())
        }
        other => Err(TopicError::new(
            ErrorCode::INVALID_REQUEST,
            format!("resources of type {other} have no configs here"),
        )),
    }
}

fn check_broker(shared: &Shared, name: &str) -> Result<(), TopicError> {
    if name.is_empty() || name == shared.cluster.node_id.to_string() {
        return Ok(());
    }
    Err(TopicError::new(
        ErrorCode::INVALID_REQUEST,
        format!(
            "Unexpected broker id, expected {} or empty string, but received {name}",
            shared.cluster.node_id
        ),
    ))
}

fn topic_row(setting: Setting, broker: &Properties, detail: Detail) -> DescribeConfigsResourceResult {
    let mut row = wire!(DescribeConfigsResourceResult {
        name: StrBytes::from(setting.name),
        value: Some(StrBytes::from(setting.value.as_str())),
        config_source: setting.source.0,
    });
    if detail.synonyms {
        row.synonyms = synonyms(&setting, broker);
    }
    add_types(&mut row, &TOPIC_DEF, setting.name, detail);
    row
}

/// Topic key, then what the broker's file says, then the default: first to last in precedence.
fn synonyms(setting: &Setting, broker: &Properties) -> Vec<DescribeConfigsSynonym> {
    let synonym = |name: &str, value: String, source: Source| {
        wire!(DescribeConfigsSynonym {
            name: StrBytes::from(name),
            value: Some(StrBytes::from(value)),
            source: source.0,
        })
    };
    let mut synonyms = Vec::new();
    if setting.source == Source::TOPIC {
        synonyms.push(synonym(setting.name, setting.value.clone(), Source::TOPIC));
    }
    for known in setting.key.synonyms {
        if let Some(text) = broker.get(known.broker_key) {
            synonyms.push(synonym(known.broker_key, text.to_owned(), Source::STATIC_BROKER));
        }
    }
    if let Some(known) = setting.key.synonyms.first() {
        let default = setting.key.default_text().to_owned();
        synonyms.push(synonym(known.broker_key, default, Source::DEFAULT));
    }
    synonyms
}

fn broker_row(shared: &Shared, name: &str, detail: Detail) -> DescribeConfigsResourceResult {
    let given = shared.config.given.get(name);
    let default = BROKER_DEF.get(name).and_then(|key| key.default_text());
    let source = if given.is_some() {
        Source::STATIC_BROKER
    } else {
        Source::DEFAULT
    };
    let value = given.map(str::to_owned).or_else(|| default.clone());
    let mut row = wire!(DescribeConfigsResourceResult {
        name: StrBytes::from(name),
        value: value.map(StrBytes::from),
        read_only: true,
        config_source: source.0,
    });
    if detail.synonyms {
        let synonym = |value: &str, source: Source| {
            wire!(DescribeConfigsSynonym {
                name: StrBytes::from(name),
                value: Some(StrBytes::from(value)),
                source: source.0,
            })
        };
        row.synonyms
            .extend(given.map(|value| synonym(value, Source::STATIC_BROKER)));
        row.synonyms
            .extend(default.as_deref().map(|value| synonym(value, Source::DEFAULT)));
    }
    add_types(&mut row, &BROKER_DEF, name, detail);
    row
}

fn add_types(row: &mut DescribeConfigsResourceResult, def: &ConfigDef, name: &str, detail: Detail) {
    let Some(key) = def.get(name) else { return };
    if detail.types {
        row.config_type = type_number(key.config_type);
    }
    if detail.documentation {
        row.documentation = Some(StrBytes::from(key.documentation.as_str()));
    }
}

fn type_number(config_type: ConfigType) -> i8 {
    match config_type {
        ConfigType::Boolean => 1,
        ConfigType::Text => 2,
        ConfigType::Int => 3,
        ConfigType::Short => 4,
        ConfigType::Long => 5,
        ConfigType::Double => 6,
        ConfigType::List => 7,
        ConfigType::Class => 8,
        ConfigType::Password => 9,
    }
}

pub(crate) async fn alter_configs(
    shared: Arc<Shared>,
    _: RequestCx,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let mode = mode_of(request.validate_only);
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let mut overrides = Overrides::new();
        for config in &resource.configs {
            if let Some(value) = &config.value {
                overrides.insert(config.name.to_string(), value.to_string());
            }
        }
        let (kind, name) = (resource.resource_type, resource.resource_name.to_string());
        let outcome = alter(&shared, kind, name, mode, move |_| Ok(overrides)).await;
        let mut answer = wire!(alter_configs_response::AlterConfigsResourceResponse {
            resource_type: kind,
            resource_name: resource.resource_name,
        });
        if let Err(error) = outcome {
            answer.error_code = error.code.0;
            answer.error_message = Some(StrBytes::from(error.message));
        }
        responses.push(answer);
    }
    wire!(AlterConfigsResponse { responses: responses })
}

pub(crate) async fn incremental_alter_configs(
    shared: Arc<Shared>,
    _: RequestCx,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let mode = mode_of(request.validate_only);
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let (kind, name) = (resource.resource_type, resource.resource_name.to_string());
        let (config, edits) = (Arc::clone(&shared), resource.configs);
        let edit = move |current: &Overrides| edited(current, &edits, &config.config.given);
        let outcome = alter(&shared, kind, name, mode, edit).await;
        let mut answer = wire!(incremental_alter_configs_response::AlterConfigsResourceResponse {
            resource_type: kind,
            resource_name: resource.resource_name,
        });
        if let Err(error) = outcome {
            answer.error_code = error.code.0;
            answer.error_message = Some(StrBytes::from(error.message));
        }
        responses.push(answer);
    }
    wire!(IncrementalAlterConfigsResponse { responses: responses })
}

fn mode_of(validate_only: bool) -> Mode {
    if validate_only { Mode::ValidateOnly } else { Mode::Apply }
}

async fn alter(
    shared: &Shared,
    resource_type: i8,
    name: String,
    mode: Mode,
    edit: impl FnOnce(&Overrides) -> Result<Overrides, TopicError> + Send + 'static,
) -> Result<(), TopicError> {
    if resource_type != RESOURCE_TOPIC {
        return Err(TopicError::new(
            ErrorCode::INVALID_REQUEST,
            "only topic configs can be altered; broker configs come from server.properties",
        ));
    }
    shared
        .cluster
        .change(move |cluster| cluster.configure(&name, edit, mode))
        .await
}

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// The overrides after a list of edits.
fn edited(current: &Overrides, edits: &[AlterableConfig], broker: &Properties) -> Result<Overrides, TopicError> {
    let mut overrides = current.clone();
    let mut seen = HashSet::new();
    for edit in edits {
        let name = edit.name.as_str();
        if !seen.insert(name) {
            let text = format!("Error due to duplicate config keys: {name}");
            return Err(TopicError::new(ErrorCode::INVALID_REQUEST, text));
        }
        let value = || {
            let text = format!("Null value not supported for : {name}");
            edit.value
                .as_deref()
                .ok_or_else(|| TopicError::new(ErrorCode::INVALID_REQUEST, text))
        };
        match edit.config_operation {
            SET => {
                overrides.insert(name.to_owned(), value()?.to_owned());
            }
            DELETE => {
                overrides.remove(name);
            }
            APPEND | SUBTRACT => {
                let list = edited_list(&overrides, name, value()?, edit.config_operation, broker)?;
                overrides.insert(name.to_owned(), list);
            }
            other => {
                let text = format!("Unknown operation type {other}");
                return Err(TopicError::new(ErrorCode::INVALID_REQUEST, text));
            }
        }
    }
    Ok(overrides)
}

fn edited_list(
    overrides: &Overrides,
    name: &str,
    value: &str,
    operation: i8,
    broker: &Properties,
) -> Result<String, TopicError> {
    let refuse = |text: String| TopicError::new(ErrorCode::INVALID_CONFIG, text);
    let key = topic_key(name).ok_or_else(|| refuse(format!("Unknown topic config name: {name}")))?;
    if TOPIC_DEF
        .get(name)
        .is_none_or(|row| row.config_type != ConfigType::List)
    {
        return Err(refuse(format!(
            "Can't {} to key {name} because its type is not LIST.",
            if operation == APPEND { "append" } else { "subtract" }
        )));
    }
    let current = overrides.get(name).cloned();
    let current = current
        .or_else(|| key.broker_value(broker).map(|(_, text)| text))
        .unwrap_or_else(|| key.default_text().to_owned());
    let items = |text: &str| -> Vec<String> {
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut list = items(&current);
    for item in items(value) {
        if operation == SUBTRACT {
            list.retain(|known| *known != item);
        } else if !list.contains(&item) {
            list.push(item);
        }
    }
    Ok(list.join(","))
}

pub(crate) async fn list_config_resources(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let resource = |kind: i8, name: &str| {
        let mut resource = wire!(ConfigResource {
            resource_name: StrBytes::from(name)
        });
        if cx.version >= 1 {
            resource.resource_type = kind;
        }
        resource
    };
    let mut resources = Vec::new();
    // Version 0 lists client metrics, of which there are none.
    if cx.version >= 1 {
        let kinds = request.resource_types;
        let is_wanted = |kind: i8| kinds.is_empty() || kinds.contains(&kind);
        if is_wanted(RESOURCE_TOPIC) {
            let topics = shared.partitions.topics().sorted();
            resources.extend(topics.iter().map(|topic| resource(RESOURCE_TOPIC, &topic.name)));
        }
        let node = shared.cluster.node_id.to_string();
        for kind in [RESOURCE_BROKER, RESOURCE_BROKER_LOGGER] {
            if is_wanted(kind) {
                resources.push(resource(kind, &node));
            }
        }
    }
    wire!(ListConfigResourcesResponse {
        config_resources: resources
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(name: &str, operation: i8, value: Option<&str>) -> AlterableConfig {
        wire!(AlterableConfig {
            name: StrBytes::from(name),
            config_operation: operation,
            value: value.map(StrBytes::from),
        })
    }

    fn after(edits: &[AlterableConfig]) -> Result<Overrides, ErrorCode> {
        let current = Overrides::from([("retention.ms".to_owned(), "5".to_owned())]);
        edited(&current, edits, &Properties::new()).map_err(|error| error.code)
    }

    #[test]
    fn edits_set_delete_append_and_subtract() {
        let both = after(&[edit("cleanup.policy", APPEND, Some("compact"))]).unwrap();
        assert_eq!(both["cleanup.policy"], "delete,compact");
        let none = after(&[edit("cleanup.policy", SUBTRACT, Some("delete"))]).unwrap();
        assert_eq!(none["cleanup.policy"], "");
        assert!(after(&[edit("retention.ms", DELETE, None)]).unwrap().is_empty());
        assert_eq!(
            after(&[edit("retention.ms", SET, Some("6"))]).unwrap()["retention.ms"],
            "6"
        );
    }

    #[test]
    fn edits_that_make_no_sense_are_refused() {
        let append = edit("retention.ms", APPEND, Some("1"));
        assert_eq!(after(&[append]), Err(ErrorCode::INVALID_CONFIG));
        let twice = [edit("retention.ms", SET, Some("1")), edit("retention.ms", DELETE, None)];
        assert_eq!(after(&twice), Err(ErrorCode::INVALID_REQUEST));
        assert_eq!(
            after(&[edit("retention.ms", SET, None)]),
            Err(ErrorCode::INVALID_REQUEST)
        );
        assert_eq!(
            after(&[edit("retention.ms", 9, Some("1"))]),
            Err(ErrorCode::INVALID_REQUEST)
        );
    }
}
