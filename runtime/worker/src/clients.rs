//! Settings of the clients a connector uses: layers, ids, override policies.
//!
//! Defaults, then the worker's `producer.` / `consumer.` / `admin.` keys, then the connector's
//! overrides where the policy allows them. Keys stay Kafka's; `weir-client` translates them.
//! Source: `Worker.baseProducerConfigs` and `ConnectorClientConfigOverridePolicy` (KIP-458).

use weir_config::map::ConfigMap;
use weir_config::properties::Properties;

use crate::connector_config::{
    ConfigProblem, ConnectorKind, OFFSETS_STORAGE_TOPIC, has_dead_letters, uses_topic_creation,
};
use crate::error::WorkerError;
use crate::lifecycle::TaskId;
use crate::source::gate::transactional_id;
use crate::worker_config::{OverridePolicy, is_client_key};

pub const PRODUCER_OVERRIDE: &str = "producer.override.";
pub const CONSUMER_OVERRIDE: &str = "consumer.override.";
pub const ADMIN_OVERRIDE: &str = "admin.override.";

/// Lists the overrides in a connector's config that the policy forbids; `exactly_once`: source connectors have that support.
pub fn override_problems(
    policy: &OverridePolicy,
    kind: ConnectorKind,
    config: &ConfigMap,
    exactly_once: bool,
) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    for prefix in override_prefixes(kind, config, exactly_once) {
        for key in config.with_prefix(prefix).keys() {
            if !policy.allows(key) {
                problems.push(ConfigProblem {
                    key: format!("{prefix}{key}"),
                    message: format!(
                        "The '{}' policy does not allow '{key}' to be overridden in the connector configuration.",
                        policy.name()
                    ),
                });
            }
        }
    }
    problems
}

/// Returns the prefixes of the overrides that a connector's clients take, in the order in which they are validated.
pub fn override_prefixes(kind: ConnectorKind, config: &ConfigMap, exactly_once: bool) -> &'static [&'static str] {
    let has_own_offsets = exactly_once
        || config
            .get(OFFSETS_STORAGE_TOPIC)
            .is_some_and(|topic| !topic.trim().is_empty());
    match kind {
        ConnectorKind::Sink if has_dead_letters(config) => &[PRODUCER_OVERRIDE, CONSUMER_OVERRIDE, ADMIN_OVERRIDE],
        ConnectorKind::Sink => &[CONSUMER_OVERRIDE],
        ConnectorKind::Source if has_own_offsets => &[PRODUCER_OVERRIDE, CONSUMER_OVERRIDE, ADMIN_OVERRIDE],
        ConnectorKind::Source if uses_topic_creation(config) => &[PRODUCER_OVERRIDE, ADMIN_OVERRIDE],
        ConnectorKind::Source => &[PRODUCER_OVERRIDE],
    }
}

/// The worker's part of every client's settings.
#[derive(Debug, Clone)]
pub struct ClientLayers {
    bootstrap_servers: String,
    worker: Properties,
    policy: OverridePolicy,
}

impl ClientLayers {
    /// Takes the worker's properties as written.
    pub fn new(bootstrap_servers: &[String], worker: Properties, policy: OverridePolicy) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.join(","),
            worker,
            policy,
        }
    }

    /// Returns the settings of a source task's producer.
    ///
    /// # Errors
    /// An override that the policy forbids.
    pub fn producer(&self, id: &TaskId, connector: &ConfigMap) -> Result<Properties, WorkerError> {
        self.producer_named(&format!("connector-producer-{id}"), connector)
    }

    /// Returns the settings of the producer of a sink task's dead letter queue.
    ///
    /// # Errors
    /// An override that the policy forbids.
    pub fn dead_letter_producer(&self, id: &TaskId, connector: &ConfigMap) -> Result<Properties, WorkerError> {
        self.producer_named(&format!("connector-dlq-producer-{id}"), connector)
    }

    fn producer_named(&self, client_id: &str, connector: &ConfigMap) -> Result<Properties, WorkerError> {
        let mut settings = self.base(client_id);
        for (key, value) in [
            (
                "key.serializer",
                "org.apache.kafka.common.serialization.ByteArraySerializer",
            ),
            (
                "value.serializer",
                "org.apache.kafka.common.serialization.ByteArraySerializer",
            ),
            ("max.block.ms", "9223372036854775807"),
            ("enable.idempotence", "false"),
            ("acks", "all"),
            ("max.in.flight.requests.per.connection", "1"),
            ("delivery.timeout.ms", "2147483647"),
        ] {
            settings.insert(key, value);
        }
        self.layer(&mut settings, "producer.", PRODUCER_OVERRIDE, connector)?;
        Ok(settings)
    }

    /// Returns the settings of a source task's producer with exactly-once support.
    ///
    /// # Errors
    /// An override that the policy forbids.
    pub fn transactional_producer(
        &self,
        group_id: &str,
        id: &TaskId,
        connector: &ConfigMap,
    ) -> Result<Properties, WorkerError> {
        let mut settings = self.producer(id, connector)?;
        let asked = |key: &str| {
            let overridden = connector.get(&format!("{PRODUCER_OVERRIDE}{key}"));
            overridden
                .or_else(|| self.worker.get(&format!("producer.{key}")))
                .map(str::to_owned)
        };
        for (key, value) in [
            ("enable.idempotence", "true".to_owned()),
            ("transactional.id", transactional_id(group_id, id)),
        ] {
            if let Some(other) = asked(key).filter(|other| *other != value) {
                tracing::warn!(
                    task = %id,
                    "The value '{other}' for the '{key}' property will be ignored as it cannot be overridden for connectors when exactly-once source support is enabled. The value '{value}' will be used instead."
                );
            }
            settings.insert(key, value);
        }
        Ok(settings)
    }

    /// Returns the settings of what reads and writes a source connector's own offsets topic.
    ///
    /// # Errors
    /// An override that the policy forbids.
    pub fn offsets(&self, connector: &str, config: &ConfigMap) -> Result<Properties, WorkerError> {
        let mut settings = self.base(&format!("connector-consumer-{connector}"));
        self.layer(&mut settings, "consumer.", CONSUMER_OVERRIDE, config)?;
        Ok(settings)
    }

    /// The worker's own `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Returns the settings of a sink task's consumer.
    ///
    /// # Errors
    /// An override that the policy forbids.
    pub fn consumer(&self, id: &TaskId, connector: &ConfigMap) -> Result<Properties, WorkerError> {
        let mut settings = self.base(&format!("connector-consumer-{}-{}", id.connector, id.task));
        settings.insert("group.id", sink_group_id(&id.connector));
        for (key, value) in [
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
            (
                "key.deserializer",
                "org.apache.kafka.common.serialization.ByteArrayDeserializer",
            ),
            (
                "value.deserializer",
                "org.apache.kafka.common.serialization.ByteArrayDeserializer",
            ),
        ] {
            settings.insert(key, value);
        }
        self.layer(&mut settings, "consumer.", CONSUMER_OVERRIDE, connector)?;
        Ok(settings)
    }

    /// Returns the settings of a task's admin client. Unlike the others it takes the worker's own
    /// security settings.
    ///
    /// # Errors
    /// An override that the policy forbids.
    pub fn admin(&self, id: &TaskId, connector: &ConfigMap) -> Result<Properties, WorkerError> {
        self.admin_named(&format!("connector-adminclient-{id}"), connector)
    }

    /// Returns the settings of the admin client of a sink task's dead letter queue.
    ///
    /// # Errors
    /// An override that the policy forbids.
    pub fn dead_letter_admin(&self, id: &TaskId, connector: &ConfigMap) -> Result<Properties, WorkerError> {
        self.admin_named(&format!("connector-dlq-adminclient-{id}"), connector)
    }

    fn admin_named(&self, client_id: &str, connector: &ConfigMap) -> Result<Properties, WorkerError> {
        let mut settings = self.base(client_id);
        for (key, value) in self.worker.iter() {
            if is_client_key(key) && key != "client.id" {
                settings.insert(key, value);
            }
        }
        self.layer(&mut settings, "admin.", ADMIN_OVERRIDE, connector)?;
        Ok(settings)
    }

    /// Returns the settings of the admin client that reads and changes the offsets of a sink connector.
    ///
    /// # Errors
    /// An override that the policy forbids.
    pub fn offsets_admin(&self, connector: &str, config: &ConfigMap) -> Result<Properties, WorkerError> {
        let id = TaskId {
            connector: connector.to_owned(),
            task: 0,
        };
        let mut settings = self.admin(&id, config)?;
        if config.get("admin.override.client.id").is_none() {
            settings.insert("client.id", format!("connector-worker-adminclient-{connector}"));
        }
        Ok(settings)
    }

    /// Returns the consumer group that a sink connector's tasks really use.
    ///
    /// # Errors
    /// An override that the policy forbids.
    pub fn sink_group(&self, connector: &str, config: &ConfigMap) -> Result<String, WorkerError> {
        let id = TaskId {
            connector: connector.to_owned(),
            task: 0,
        };
        let settings = self.consumer(&id, config)?;
        Ok(settings
            .get("group.id")
            .map_or_else(|| sink_group_id(connector), str::to_owned))
    }

    fn base(&self, client_id: &str) -> Properties {
        let mut settings = Properties::new();
        settings.insert("bootstrap.servers", self.bootstrap_servers.as_str());
        settings.insert("client.id", client_id);
        settings
    }

    fn layer(
        &self,
        settings: &mut Properties,
        worker_prefix: &str,
        override_prefix: &str,
        connector: &ConfigMap,
    ) -> Result<(), WorkerError> {
        for (key, value) in self.worker.with_prefix(worker_prefix).iter() {
            settings.insert(key, value);
        }
        let overrides = connector.with_prefix(override_prefix);
        let refused: Vec<String> = overrides
            .iter()
            .filter(|(key, _)| !self.policy.allows(key))
            .map(|(key, _)| self.refusal(key))
            .collect();
        if !refused.is_empty() {
            return Err(WorkerError::Invalid(format!(
                "Client Config Overrides not allowed [{}]",
                refused.join(", ")
            )));
        }
        for (key, value) in overrides.iter() {
            match value {
                Some(value) => settings.insert(key, value),
                None => {
                    settings.remove(key);
                }
            }
        }
        Ok(())
    }
}

impl ClientLayers {
    /// One refused override as Kafka's `ConfigValue` prints: name, value, recommended values, errors, visible.
    ///
    /// DIVERGES: the value is never shown, because it may be a secret.
    fn refusal(&self, key: &str) -> String {
        format!(
            "[{key},[hidden],[],[The '{}' policy does not allow '{key}' to be overridden in the connector configuration.],true]",
            self.policy.name()
        )
    }
}

/// Returns the consumer group of a sink connector.
pub fn sink_group_id(connector: &str) -> String {
    format!("connect-{connector}")
}

#[cfg(test)]
mod tests {
    use super::{ClientLayers, override_problems};
    use crate::connector_config::ConnectorKind;
    use crate::lifecycle::TaskId;
    use crate::worker_config::OverridePolicy;
    use weir_config::map::ConfigMap;
    use weir_config::properties::Properties;

    fn layers(policy: &str, worker: &str) -> ClientLayers {
        let policy = OverridePolicy::parse(policy, &["acks".to_owned()]).unwrap();
        ClientLayers::new(
            &["b:1".to_owned(), "c:2".to_owned()],
            Properties::parse(worker).unwrap(),
            policy,
        )
    }

    fn id() -> TaskId {
        TaskId {
            connector: "c".to_owned(),
            task: 3,
        }
    }

    #[test]
    fn later_layers_win() {
        let layers = layers(
            "All",
            "producer.acks=1\nproducer.linger.ms=7\nconsumer.fetch.min.bytes=9\n",
        );
        let connector: ConfigMap = [("producer.override.linger.ms", "8"), ("name", "c")]
            .into_iter()
            .collect();
        let producer = layers.producer(&id(), &connector).unwrap();
        assert_eq!(producer.get("bootstrap.servers"), Some("b:1,c:2"));
        assert_eq!(producer.get("client.id"), Some("connector-producer-c-3"));
        assert_eq!(producer.get("acks"), Some("1"));
        assert_eq!(producer.get("linger.ms"), Some("8"));
        assert_eq!(producer.get("fetch.min.bytes"), None);
        let consumer = layers.consumer(&id(), &connector).unwrap();
        assert_eq!(consumer.get("group.id"), Some("connect-c"));
        assert_eq!(consumer.get("fetch.min.bytes"), Some("9"));
        assert_eq!(consumer.get("auto.offset.reset"), Some("earliest"));
    }

    #[test]
    fn an_exactly_once_producer_is_idempotent_under_the_tasks_id_whatever_is_asked_for() {
        let layers = layers("All", "producer.enable.idempotence=false\n");
        let connector: ConfigMap = [("producer.override.transactional.id", "mine")].into_iter().collect();
        let producer = layers.transactional_producer("g", &id(), &connector).unwrap();
        assert_eq!(producer.get("enable.idempotence"), Some("true"));
        assert_eq!(producer.get("transactional.id"), Some("g-c-3"));
        assert_eq!(producer.get("acks"), Some("all"));
    }

    #[test]
    fn only_the_admin_client_takes_the_workers_security() {
        let layers = layers(
            "All",
            "security.protocol=SSL\nplugin.path=/x\nclient.id=w\nadmin.retries=2\n",
        );
        let admin = layers.admin(&id(), &ConfigMap::new()).unwrap();
        assert_eq!(admin.get("security.protocol"), Some("SSL"));
        assert_eq!(admin.get("plugin.path"), None);
        assert_eq!(admin.get("client.id"), Some("connector-adminclient-c-3"));
        assert_eq!(admin.get("retries"), Some("2"));
        assert_eq!(
            layers
                .producer(&id(), &ConfigMap::new())
                .unwrap()
                .get("security.protocol"),
            None
        );
    }

    #[test]
    fn policies_refuse_what_they_do_not_allow() {
        let acks: ConfigMap = [("producer.override.acks", "1")].into_iter().collect();
        let sasl: ConfigMap = [("producer.override.sasl.mechanism", "PLAIN")].into_iter().collect();
        for (policy, allows_acks, allows_sasl) in [
            ("All", true, true),
            ("None", false, false),
            ("Principal", false, true),
            (
                "org.apache.kafka.connect.connector.policy.AllowlistConnectorClientConfigOverridePolicy",
                true,
                false,
            ),
        ] {
            let layers = layers(policy, "");
            assert_eq!(layers.producer(&id(), &acks).is_ok(), allows_acks, "{policy}");
            assert_eq!(layers.producer(&id(), &sasl).is_ok(), allows_sasl, "{policy}");
        }
        assert!(OverridePolicy::parse("Some", &[]).is_err());
        let error = layers("None", "").producer(&id(), &acks).unwrap_err().to_string();
        assert_eq!(
            error,
            "Client Config Overrides not allowed [[acks,[hidden],[],[The 'None' policy does not allow 'acks' to be overridden in the connector configuration.],true]]"
        );
        let problems = override_problems(&OverridePolicy::None, ConnectorKind::Source, &acks, false);
        assert_eq!(problems[0].key, "producer.override.acks");
        assert_eq!(
            problems[0].message,
            "The 'None' policy does not allow 'acks' to be overridden in the connector configuration."
        );
        assert!(override_problems(&OverridePolicy::None, ConnectorKind::Sink, &acks, false).is_empty());
        let with_queue: ConfigMap = [
            ("producer.override.acks", "1"),
            ("errors.deadletterqueue.topic.name", "d"),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            override_problems(&OverridePolicy::None, ConnectorKind::Sink, &with_queue, false).len(),
            1
        );
        let reading: ConfigMap = [("consumer.override.client.id", "x")].into_iter().collect();
        let mut own_topic = reading.clone();
        own_topic.insert("offsets.storage.topic", "o");
        for (config, exactly_once, expected) in [(&reading, false, 0), (&reading, true, 1), (&own_topic, false, 1)] {
            let found = override_problems(&OverridePolicy::None, ConnectorKind::Source, config, exactly_once);
            assert_eq!(found.len(), expected, "{config:?} {exactly_once}");
        }
    }
}
