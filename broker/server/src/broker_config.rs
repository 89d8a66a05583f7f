//! `server.properties` as typed settings.
//!
//! Raw properties are read once here; below this file nobody knows a key. What the file says that
//! changes nothing comes back as warnings for the caller to log.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use weir_config::def::ConfigDef;
use weir_config::properties::Properties;
use weir_config::suggest::nearest;
use weir_config::validate::ParsedConfig;

use crate::config_table::{self, BROKER_DEF};
use crate::error::ServerError;
use crate::listener_config::{self, ListenerSpec};
use crate::topic_config::TopicConfig;

/// What an operator should know about the file; none of it stops the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A key that has no meaning here.
    Accepted {
        /// The key.
        key: String,
        /// Why it changes nothing.
        reason: &'static str,
    },
    /// A key nobody knows.
    Unknown {
        /// The key.
        key: String,
        /// A known key it may have been meant to be.
        nearest: Option<&'static str>,
    },
    /// A known key whose value is kept differently.
    Adjusted {
        /// The key.
        key: &'static str,
        /// What happens instead.
        reason: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { key, reason } => write!(f, "property {key} has no effect: {reason}"),
            Self::Unknown {
                key,
                nearest: Some(known),
            } => write!(f, "unknown property {key}, did you mean {known}?"),
            Self::Unknown { key, nearest: None } => write!(f, "unknown property {key}"),
            Self::Adjusted { key, reason } => write!(f, "property {key}: {reason}"),
        }
    }
}

/// When written records are synced to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushPolicy {
    /// Before acks=all is answered and before a consumer sees them.
    Ack,
    /// In the background, within the delay.
    Interval,
    /// When the system likes, as Kafka.
    Os,
}

/// Settings of the data plane.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The data directory.
    pub directory: PathBuf,
    /// See [`FlushPolicy`].
    pub flush: FlushPolicy,
    /// Longest time a record stays unsynced, outside `os`.
    pub flush_max_delay_ms: i64,
    pub(crate) retention_check_interval_ms: i64,
    pub(crate) checkpoint_interval_ms: i64,
    pub(crate) cleaner_enabled: bool,
    pub(crate) cleaner_backoff_ms: i64,
    pub(crate) cleaner_buffer_bytes: usize,
    pub(crate) recovery_threads: usize,
    pub(crate) producer_id_expiration_ms: i64,
}

/// Settings of connections.
#[derive(Debug, Clone)]
pub(crate) struct SocketSettings {
    pub(crate) request_max_bytes: usize,
    /// None: the system tunes it.
    pub(crate) send_buffer_bytes: Option<usize>,
    pub(crate) receive_buffer_bytes: Option<usize>,
    pub(crate) listen_backlog: i32,
    pub(crate) max_idle_ms: u64,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_ip: usize,
}

/// Settings of topics and of requests about them.
#[derive(Debug, Clone)]
pub(crate) struct TopicSettings {
    pub(crate) num_partitions: i32,
    pub(crate) auto_create: bool,
    pub(crate) delete_enabled: bool,
    pub(crate) clamps_replication_factor: bool,
    pub(crate) fetch_max_bytes: usize,
    pub(crate) describe_partitions_limit: usize,
}

/// Settings of the group coordinator.
#[derive(Debug, Clone)]
pub(crate) struct GroupSettings {
    pub(crate) initial_rebalance_delay_ms: i32,
    pub(crate) min_session_timeout_ms: i32,
    pub(crate) max_session_timeout_ms: i32,
    pub(crate) max_size: usize,
    pub(crate) offsets_partitions: i32,
    pub(crate) offsets_segment_bytes: i32,
    pub(crate) offsets_compression_codec: i32,
    pub(crate) offsets_retention_ms: i64,
    pub(crate) offsets_retention_check_interval_ms: i64,
    pub(crate) offset_metadata_max_bytes: usize,
    pub(crate) offsets_commit_timeout_ms: u64,
}

/// Settings of the transaction coordinator.
#[derive(Debug, Clone)]
pub(crate) struct TransactionConfig {
    pub(crate) log_partitions: i32,
    pub(crate) log_segment_bytes: i32,
    pub(crate) max_timeout_ms: i32,
    pub(crate) id_expiration_ms: i64,
    pub(crate) abort_interval_ms: u64,
    pub(crate) expiry_interval_ms: u64,
}

/// Everything a broker is told.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Id of this broker.
    pub node_id: i32,
    /// Settings of the data plane.
    pub log: LogSettings,
    /// Where a broker alone shows its metrics; none: nowhere.
    pub metrics_listener: Option<String>,
    pub(crate) listeners: Vec<ListenerSpec>,
    pub(crate) sockets: SocketSettings,
    pub(crate) topics: TopicSettings,
    pub(crate) groups: GroupSettings,
    pub(crate) transactions: TransactionConfig,
    /// The honoured keys as the file gave them: broker defaults of topics, and what
    /// DescribeConfigs answers.
    pub(crate) given: Properties,
}

impl BrokerConfig {
    /// The table of honoured keys, for documentation.
    #[must_use]
    pub fn definition() -> &'static ConfigDef {
        &BROKER_DEF
    }

    /// The bundled broker: one loopback-style listener, no wait before a group's first rebalance.
    #[must_use]
    pub fn bundled(data_dir: &Path, host: &str, port: u16) -> Self {
        let mut properties = Properties::new();
        properties.insert("group.initial.rebalance.delay.ms", "0");
        let mut config = Self::from_properties(&properties)
            .map(|(config, _)| config)
            .expect("one well-formed key over defaults that a test parses cannot be refused");
        // Not through the text forms, in which a comma or a colon would be syntax.
        config.given.insert("log.dirs", data_dir.to_string_lossy());
        config.log.directory = data_dir.to_path_buf();
        config.listeners = vec![ListenerSpec::plaintext(host, port)];
        config
    }

    /// Reads `server.properties`.
    ///
    /// # Errors
    /// A value that does not fit, or a setting this broker does not have.
    pub fn from_properties(properties: &Properties) -> Result<(Self, Vec<Warning>), ServerError> {
        let (given, mut warnings) = sort_keys(properties)?;
        let parsed = BROKER_DEF.parse(&given.to_map())?;
        let listeners = listener_config::parse_listeners(&parsed)?;
        warnings.extend(listeners.dropped.into_iter().map(|name| Warning::Adjusted {
            key: "listeners",
            reason: format!("{name} is not opened: this broker is its own controller"),
        }));
        if parsed.get_int("default.replication.factor")? > 1 {
            warnings.push(Warning::Adjusted {
                key: "default.replication.factor",
                reason: "there is one replica, so topics get 1".to_owned(),
            });
        }
        // Refuses what no topic could be created with, before anything starts.
        TopicConfig::resolve(BTreeMap::new(), &given)?;
        let node_id = parsed.opt_int("broker.id").filter(|_| given.get("node.id").is_none());
        let config = Self {
            node_id: node_id.unwrap_or(parsed.get_int("node.id")?).max(0),
            log: log_settings(&parsed)?,
            metrics_listener: parsed.opt_text("weir.metrics.listener").map(str::to_owned),
            listeners: listeners.bound,
            sockets: socket_settings(&parsed, &given)?,
            topics: topic_settings(&parsed)?,
            groups: group_settings(&parsed)?,
            transactions: transaction_config(&parsed)?,
            given,
        };
        Ok((config, warnings))
    }
}

/// Parts the honoured keys from the others, which become warnings.
fn sort_keys(properties: &Properties) -> Result<(Properties, Vec<Warning>), ServerError> {
    let mut given = Properties::new();
    let mut warnings = Vec::new();
    for (key, value) in properties.iter() {
        if BROKER_DEF.get(key).is_some() {
            given.insert(key, value);
        } else if key == "authorizer.class.name" && !value.trim().is_empty() {
            // Starting without it would leave open what the file means to close.
            return Err(ServerError::Unsupported {
                key: "authorizer.class.name",
                value: value.to_owned(),
                reason: "no authorizer is offered yet; remove the key to allow everyone".to_owned(),
            });
        } else if let Some(reason) = config_table::accepted_reason(key) {
            warnings.push(Warning::Accepted {
                key: key.to_owned(),
                reason,
            });
        } else {
            let nearest = nearest(key, config_table::known_keys());
            warnings.push(Warning::Unknown {
                key: key.to_owned(),
                nearest,
            });
        }
    }
    Ok((given, warnings))
}

fn log_settings(parsed: &ParsedConfig) -> Result<LogSettings, ServerError> {
    let directories = match parsed.opt_text("log.dirs") {
        Some(directories) => directories,
        None => parsed.get_text("log.dir")?,
    };
    let (directory, more) = match directories.split_once(',') {
        Some((first, rest)) => (first.trim(), !rest.trim().is_empty()),
        None => (directories.trim(), false),
    };
    if more {
        return Err(ServerError::Unsupported {
            key: "log.dirs",
            value: directories.to_owned(),
            reason: "one data directory is supported; name one".to_owned(),
        });
    }
    Ok(LogSettings {
        directory: PathBuf::from(directory),
        flush: match parsed.get_text("weir.log.flush")? {
            "interval" => FlushPolicy::Interval,
            "os" => FlushPolicy::Os,
            _ => FlushPolicy::Ack,
        },
        flush_max_delay_ms: i64::from(parsed.get_int("weir.log.flush.max.delay.ms")?),
        retention_check_interval_ms: parsed.get_long("log.retention.check.interval.ms")?,
        checkpoint_interval_ms: i64::from(parsed.get_int("log.flush.offset.checkpoint.interval.ms")?),
        cleaner_enabled: parsed.get_boolean("log.cleaner.enable")?,
        cleaner_backoff_ms: parsed.get_long("log.cleaner.backoff.ms")?,
        cleaner_buffer_bytes: usize::try_from(parsed.get_long("log.cleaner.dedupe.buffer.size")?).unwrap_or(0),
        recovery_threads: unsigned(parsed.get_int("num.recovery.threads.per.data.dir")?),
        producer_id_expiration_ms: i64::from(parsed.get_int("producer.id.expiration.ms")?),
    })
}

fn socket_settings(parsed: &ParsedConfig, given: &Properties) -> Result<SocketSettings, ServerError> {
    // A fixed size stops the system from growing the buffer with the connection, so Kafka's
    // default is applied only where the file asks for a size.
    let buffer = |key: &str| -> Result<Option<usize>, ServerError> {
        let bytes = parsed.get_int(key)?;
        Ok(usize::try_from(bytes).ok().filter(|_| given.get(key).is_some()))
    };
    let idle_ms = parsed.get_long("connections.max.idle.ms")?;
    Ok(SocketSettings {
        request_max_bytes: unsigned(parsed.get_int("socket.request.max.bytes")?),
        send_buffer_bytes: buffer("socket.send.buffer.bytes")?,
        receive_buffer_bytes: buffer("socket.receive.buffer.bytes")?,
        listen_backlog: parsed.get_int("socket.listen.backlog.size")?,
        max_idle_ms: u64::try_from(idle_ms).unwrap_or(u64::MAX),
        max_connections: unsigned(parsed.get_int("max.connections")?),
        max_connections_per_ip: unsigned(parsed.get_int("max.connections.per.ip")?),
    })
}

fn topic_settings(parsed: &ParsedConfig) -> Result<TopicSettings, ServerError> {
    Ok(TopicSettings {
        num_partitions: parsed.get_int("num.partitions")?,
        auto_create: parsed.get_boolean("auto.create.topics.enable")?,
        delete_enabled: parsed.get_boolean("delete.topic.enable")?,
        clamps_replication_factor: parsed.get_boolean("weir.replication.factor.clamp")?,
        fetch_max_bytes: unsigned(parsed.get_int("fetch.max.bytes")?),
        describe_partitions_limit: unsigned(parsed.get_int("max.request.partition.size.limit")?),
    })
}

fn group_settings(parsed: &ParsedConfig) -> Result<GroupSettings, ServerError> {
    Ok(GroupSettings {
        initial_rebalance_delay_ms: parsed.get_int("group.initial.rebalance.delay.ms")?,
        min_session_timeout_ms: parsed.get_int("group.min.session.timeout.ms")?,
        max_session_timeout_ms: parsed.get_int("group.max.session.timeout.ms")?,
        max_size: unsigned(parsed.get_int("group.max.size")?),
        offsets_partitions: parsed.get_int("offsets.topic.num.partitions")?,
        offsets_segment_bytes: parsed.get_int("offsets.topic.segment.bytes")?,
        offsets_compression_codec: parsed.get_int("offsets.topic.compression.codec")?,
        offsets_retention_ms: i64::from(parsed.get_int("offsets.retention.minutes")?) * 60_000,
        offsets_retention_check_interval_ms: parsed.get_long("offsets.retention.check.interval.ms")?,
        offset_metadata_max_bytes: unsigned(parsed.get_int("offset.metadata.max.bytes")?),
        offsets_commit_timeout_ms: u64::try_from(parsed.get_int("offsets.commit.timeout.ms")?).unwrap_or(0),
    })
}

fn transaction_config(parsed: &ParsedConfig) -> Result<TransactionConfig, ServerError> {
    let interval = |key: &str| -> Result<u64, ServerError> { Ok(u64::try_from(parsed.get_int(key)?).unwrap_or(1)) };
    Ok(TransactionConfig {
        log_partitions: parsed.get_int("transaction.state.log.num.partitions")?,
        log_segment_bytes: parsed.get_int("transaction.state.log.segment.bytes")?,
        max_timeout_ms: parsed.get_int("transaction.max.timeout.ms")?,
        id_expiration_ms: i64::from(parsed.get_int("transactional.id.expiration.ms")?),
        abort_interval_ms: interval("transaction.abort.timed.out.transaction.cleanup.interval.ms")?,
        expiry_interval_ms: interval("transaction.remove.expired.transaction.cleanup.interval.ms")?,
    })
}

fn unsigned(value: i32) -> usize {
    usize::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(BrokerConfig, Vec<Warning>), ServerError> {
        BrokerConfig::from_properties(&Properties::parse(text).unwrap())
    }

    #[test]
    fn bundled_needs_no_file() {
        let config = BrokerConfig::bundled(Path::new("/data, with comma"), "127.0.0.1", 0);
        assert_eq!(config.log.directory, Path::new("/data, with comma"));
        assert_eq!(config.groups.initial_rebalance_delay_ms, 0);
        assert_eq!(config.listeners, [ListenerSpec::plaintext("127.0.0.1", 0)]);
        assert_eq!(config.sockets.receive_buffer_bytes, None);
    }

    #[test]
    fn keys_without_meaning_are_told_apart_from_slips() {
        let (config, warnings) = read(
            "node.id=7\nzookeeper.connect=localhost:2181\nnum.partitons=3\nqqqqqqqq=1\n\
             default.replication.factor=3",
        )
        .unwrap();
        assert_eq!(config.node_id, 7);
        assert_eq!(warnings.len(), 4);
        assert!(matches!(&warnings[0], Warning::Accepted { reason, .. } if reason.contains("ZooKeeper")));
        let slip = Warning::Unknown {
            key: "num.partitons".to_owned(),
            nearest: Some("num.partitions"),
        };
        assert_eq!(warnings[1], slip);
        assert_eq!(
            warnings[2],
            Warning::Unknown {
                key: "qqqqqqqq".to_owned(),
                nearest: None
            }
        );
        assert!(matches!(
            &warnings[3],
            Warning::Adjusted {
                key: "default.replication.factor",
                ..
            }
        ));
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_name() {
        for (text, named) in [
            ("log.dirs=/a,/b", "log.dirs"),
            ("authorizer.class.name=org.example.Mine", "authorizer.class.name"),
            ("min.insync.replicas=2", "min.insync.replicas"),
            ("num.partitions=many", "num.partitions"),
            ("weir.log.flush=never", "weir.log.flush"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
