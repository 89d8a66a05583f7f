//! Topic settings: Kafka's keys, their broker-wide synonyms, typed values.
//!
//! One row a key. A topic's value is its own override, else the first broker key of the row that
//! `server.properties` sets, else Kafka's default. Keys that only matter to replication or tiered
//! storage are kept and reported but change nothing here.
//! Source: Kafka's `LogConfig` (4.3).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use weir_config::def::{ConfigDef, ConfigKey, ConfigType, Validator};
use weir_config::error::ConfigError;
use weir_config::map::ConfigMap;
use weir_config::properties::Properties;
use weir_config::validate::ParsedConfig;
use weir_log::log_config::{CleanupPolicy, LogConfig};
use weir_protocol::records::batch::TimestampType;
use weir_protocol::records::compression::Codec;

use crate::recompress::TargetCodec;

pub(crate) const CLEANUP_POLICY: &str = "cleanup.policy";
pub(crate) const SEGMENT_BYTES: &str = "segment.bytes";
pub(crate) const COMPRESSION_TYPE: &str = "compression.type";
const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// A broker key that stands for a topic key, and how its unit converts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Synonym {
    pub(crate) broker_key: &'static str,
    to_ms: i64,
}

const fn same(broker_key: &'static str) -> Synonym {
    Synonym { broker_key, to_ms: 1 }
}
const fn minutes(broker_key: &'static str) -> Synonym {
    Synonym {
        broker_key,
        to_ms: 60_000,
    }
}
const fn hours(broker_key: &'static str) -> Synonym {
    Synonym {
        broker_key,
        to_ms: 3_600_000,
    }
}

impl Synonym {
    /// The broker key's text in the topic key's unit.
    fn convert(&self, text: &str) -> String {
        if self.to_ms == 1 {
            return text.to_owned();
        }
        match text.trim().parse::<i64>() {
            Ok(value) if value < 0 => "-1".to_owned(),
            Ok(value) => value.saturating_mul(self.to_ms).to_string(),
            Err(_) => text.to_owned(),
        }
    }
}

/// One topic key.
#[derive(Debug)]
pub(crate) struct TopicKey {
    pub(crate) name: &'static str,
    config_type: ConfigType,
    default: &'static str,
    check: Check,
    /// In order of precedence.
    pub(crate) synonyms: &'static [Synonym],
    doc: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Check {
    None,
    AtLeast(i64),
    Between(i64, i64),
    Fraction,
    OneOf(&'static [&'static str]),
    ListOf(&'static [&'static str]),
}

const MAX_LONG: &str = "9223372036854775807";
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

use ConfigType::{Boolean, Double, Int, List, Long, Text};

#[rustfmt::skip]
pub(crate) const TOPIC_KEYS: &[TopicKey] = &[
    TopicKey { name: CLEANUP_POLICY, config_type: List, default: "delete", check: Check::ListOf(&["compact", "delete"]), synonyms: &[same("log.cleanup.policy")], doc: "What happens to old segments: deleted by time and size, compacted by key, or both." },
    TopicKey { name: "compression.gzip.level", config_type: Int, default: "-1", check: Check::Between(-1, 9), synonyms: &[same("compression.gzip.level")], doc: "Level when the broker compresses with gzip." },
    TopicKey { name: "compression.lz4.level", config_type: Int, default: "9", check: Check::Between(1, 17), synonyms: &[same("compression.lz4.level")], doc: "Level when the broker compresses with lz4." },
    TopicKey { name: COMPRESSION_TYPE, config_type: Text, default: "producer", check: Check::OneOf(CODECS), synonyms: &[same("compression.type")], doc: "Codec batches are stored with; producer keeps what the producer chose." },
    TopicKey { name: "compression.zstd.level", config_type: Int, default: "3", check: Check::Between(-131_072, 22), synonyms: &[same("compression.zstd.level")], doc: "Level when the broker compresses with zstd." },
    TopicKey { name: "delete.retention.ms", config_type: Long, default: "86400000", check: Check::AtLeast(0), synonyms: &[same("log.cleaner.delete.retention.ms")], doc: "How long tombstones of a compacted topic are kept." },
    TopicKey { name: "file.delete.delay.ms", config_type: Long, default: "60000", check: Check::AtLeast(0), synonyms: &[same("log.segment.delete.delay.ms")], doc: "Kept; removed files go at once." },
    TopicKey { name: "flush.messages", config_type: Long, default: MAX_LONG, check: Check::AtLeast(1), synonyms: &[same("log.flush.interval.messages")], doc: "Sync after so many records, on top of weir.log.flush." },
    TopicKey { name: "flush.ms", config_type: Long, default: MAX_LONG, check: Check::AtLeast(0), synonyms: &[same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")], doc: "Sync after so long, on top of weir.log.flush." },
    TopicKey { name: "follower.replication.throttled.replicas", config_type: List, default: "", check: Check::None, synonyms: &[], doc: "Kept; there is no replication here." },
    TopicKey { name: "index.interval.bytes", config_type: Int, default: "4096", check: Check::AtLeast(0), synonyms: &[same("log.index.interval.bytes")], doc: "Bytes of log between two index entries." },
    TopicKey { name: "leader.replication.throttled.replicas", config_type: List, default: "", check: Check::None, synonyms: &[], doc: "Kept; there is no replication here." },
    TopicKey { name: "local.retention.bytes", config_type: Long, default: "-2", check: Check::AtLeast(-2), synonyms: &[], doc: "Kept; there is no tiered storage here." },
    TopicKey { name: "local.retention.ms", config_type: Long, default: "-2", check: Check::AtLeast(-2), synonyms: &[], doc: "Kept; there is no tiered storage here." },
    TopicKey { name: "max.compaction.lag.ms", config_type: Long, default: MAX_LONG, check: Check::AtLeast(1), synonyms: &[same("log.cleaner.max.compaction.lag.ms")], doc: "Longest time a record may stay uncompacted." },
    TopicKey { name: "max.message.bytes", config_type: Int, default: "1048588", check: Check::AtLeast(0), synonyms: &[same("message.max.bytes")], doc: "Largest batch accepted, after compression." },
    TopicKey { name: "message.timestamp.after.max.ms", config_type: Long, default: "3600000", check: Check::AtLeast(0), synonyms: &[same("log.message.timestamp.after.max.ms")], doc: "How far in the future a record's time may lie." },
    TopicKey { name: "message.timestamp.before.max.ms", config_type: Long, default: MAX_LONG, check: Check::AtLeast(0), synonyms: &[same("log.message.timestamp.before.max.ms")], doc: "How far in the past a record's time may lie." },
    TopicKey { name: "message.timestamp.type", config_type: Text, default: "CreateTime", check: Check::OneOf(&["CreateTime", "LogAppendTime"]), synonyms: &[same("log.message.timestamp.type")], doc: "Whose clock record times are." },
    TopicKey { name: "min.cleanable.dirty.ratio", config_type: Double, default: "0.5", check: Check::Fraction, synonyms: &[same("log.cleaner.min.cleanable.ratio")], doc: "Share of uncompacted bytes from which the log is compacted." },
    TopicKey { name: "min.compaction.lag.ms", config_type: Long, default: "0", check: Check::AtLeast(0), synonyms: &[same("log.cleaner.min.compaction.lag.ms")], doc: "Shortest time a record stays uncompacted." },
    TopicKey { name: MIN_INSYNC_REPLICAS, config_type: Int, default: "1", check: Check::AtLeast(1), synonyms: &[same("min.insync.replicas")], doc: "Only 1 is possible with one replica." },
    TopicKey { name: "preallocate", config_type: Boolean, default: "false", check: Check::None, synonyms: &[same("log.preallocate")], doc: "Kept; segments grow as they fill." },
    TopicKey { name: "remote.log.copy.disable", config_type: Boolean, default: "false", check: Check::None, synonyms: &[], doc: "Kept; there is no tiered storage here." },
    TopicKey { name: "remote.log.delete.on.disable", config_type: Boolean, default: "false", check: Check::None, synonyms: &[], doc: "Kept; there is no tiered storage here." },
    TopicKey { name: "remote.storage.enable", config_type: Boolean, default: "false", check: Check::None, synonyms: &[], doc: "Kept; there is no tiered storage here." },
    TopicKey { name: "retention.bytes", config_type: Long, default: "-1", check: Check::None, synonyms: &[same("log.retention.bytes")], doc: "Size of the log above which old segments are deleted; -1 for no bound." },
    TopicKey { name: "retention.ms", config_type: Long, default: "604800000", check: Check::AtLeast(-1), synonyms: &[same("log.retention.ms"), minutes("log.retention.minutes"), hours("log.retention.hours")], doc: "Age above which old segments are deleted; -1 for ever." },
    TopicKey { name: SEGMENT_BYTES, config_type: Int, default: "1073741824", check: Check::AtLeast(1_048_576), synonyms: &[same("log.segment.bytes")], doc: "Size at which a new segment begins." },
    TopicKey { name: "segment.index.bytes", config_type: Int, default: "10485760", check: Check::AtLeast(4), synonyms: &[same("log.index.size.max.bytes")], doc: "Size of an index at which a new segment begins." },
    TopicKey { name: "segment.jitter.ms", config_type: Long, default: "0", check: Check::AtLeast(0), synonyms: &[same("log.roll.jitter.ms"), hours("log.roll.jitter.hours")], doc: "Random part taken off segment.ms." },
    TopicKey { name: "segment.ms", config_type: Long, default: "604800000", check: Check::AtLeast(1), synonyms: &[same("log.roll.ms"), hours("log.roll.hours")], doc: "Age of a segment's first record at which a new segment begins." },
    TopicKey { name: "unclean.leader.election.enable", config_type: Boolean, default: "false", check: Check::None, synonyms: &[same("unclean.leader.election.enable")], doc: "Kept; there is no replication here." },
];

impl TopicKey {
    fn row(&self) -> ConfigKey {
        let key = ConfigKey::new(self.name, self.config_type)
            .default(self.default)
            .doc(self.doc);
        match self.check {
            Check::None => key,
            Check::AtLeast(min) => key.validator(Validator::at_least(min)),
            Check::Between(min, max) => key.validator(Validator::between(min, max)),
            Check::Fraction => key.validator(Validator::between(0, 1)),
            Check::OneOf(texts) => key.validator(Validator::one_of(texts)),
            Check::ListOf(texts) => key.validator(Validator::list_of(texts)),
        }
    }

    /// The value below any override: where it comes from and what it is.
    pub(crate) fn broker_value(&self, broker: &Properties) -> Option<(&'static str, String)> {
        self.synonyms.iter().find_map(|synonym| {
            let text = broker.get(synonym.broker_key)?;
            Some((synonym.broker_key, synonym.convert(text)))
        })
    }

    pub(crate) fn default_text(&self) -> &'static str {
        self.default
    }
}

/// Finds the row of a topic key.
pub(crate) fn topic_key(name: &str) -> Option<&'static TopicKey> {
    TOPIC_KEYS.iter().find(|key| key.name == name)
}

/// The definition of all topic keys.
pub(crate) static TOPIC_DEF: LazyLock<ConfigDef> =
    LazyLock::new(|| TOPIC_KEYS.iter().fold(ConfigDef::new(), |def, key| def.key(key.row())));

/// Settings a client gave a topic, by key.
pub(crate) type Overrides = BTreeMap<String, String>;

/// The settings of one topic, typed.
#[derive(Debug, Clone)]
pub(crate) struct TopicConfig {
    /// What the topic itself sets, as text.
    pub(crate) overrides: Overrides,
    pub(crate) compacts: bool,
    pub(crate) deletes: bool,
    /// None: as the producer sent it.
    pub(crate) codec: Option<TargetCodec>,
    pub(crate) max_message_bytes: usize,
    pub(crate) stamps_append_time: bool,
    pub(crate) timestamp_before_max_ms: i64,
    pub(crate) timestamp_after_max_ms: i64,
    pub(crate) flush_messages: u64,
    pub(crate) flush_ms: i64,
    pub(crate) segment_bytes: u32,
    pub(crate) segment_index_bytes: u32,
    pub(crate) segment_ms: i64,
    pub(crate) segment_jitter_ms: i64,
    pub(crate) index_interval_bytes: u32,
    pub(crate) retention_ms: i64,
    pub(crate) retention_bytes: i64,
    pub(crate) delete_retention_ms: i64,
    pub(crate) min_cleanable_dirty_ratio: f64,
    pub(crate) min_compaction_lag_ms: i64,
    pub(crate) max_compaction_lag_ms: i64,
}

impl TopicConfig {
    /// Resolves a topic's settings over those of the broker.
    ///
    /// # Errors
    /// An unknown key, a value that does not fit, or one this broker cannot keep.
    pub(crate) fn resolve(overrides: Overrides, broker: &Properties) -> Result<Self, ConfigError> {
        if let Some(unknown) = overrides.keys().find(|name| topic_key(name).is_none()) {
            return Err(ConfigError::Other(format!("Unknown topic config name: {unknown}")));
        }
        let mut values = ConfigMap::new();
        for key in TOPIC_KEYS {
            let given = overrides.get(key.name).cloned();
            if let Some(text) = given.or_else(|| key.broker_value(broker).map(|(_, text)| text)) {
                values.insert(key.name, text);
            }
        }
        let parsed = TOPIC_DEF.parse(&values)?;
        let replicas = parsed.get_int(MIN_INSYNC_REPLICAS)?;
        if replicas > 1 {
            return Err(ConfigError::invalid(
                MIN_INSYNC_REPLICAS,
                replicas.to_string(),
                "this broker keeps one replica, so only 1 can be honoured",
            ));
        }
        Self::typed(overrides, &parsed)
    }

    /// The settings a log obeys, over those that are the broker's.
    pub(crate) fn log_config(&self, defaults: &LogConfig) -> LogConfig {
        LogConfig {
            segment_bytes: u64::from(self.segment_bytes),
            segment_ms: self.segment_ms.saturating_sub(self.segment_jitter_ms.max(0)).max(1),
            index_interval_bytes: u64::from(self.index_interval_bytes),
            segment_index_bytes: u64::from(self.segment_index_bytes),
            timestamp_type: if self.stamps_append_time {
                TimestampType::LogAppendTime
            } else {
                TimestampType::CreateTime
            },
            cleanup_policy: CleanupPolicy {
                delete: self.deletes,
                compact: self.compacts,
            },
            retention_ms: self.retention_ms,
            retention_bytes: self.retention_bytes,
            delete_retention_ms: self.delete_retention_ms,
            min_cleanable_dirty_ratio: self.min_cleanable_dirty_ratio,
            min_compaction_lag_ms: self.min_compaction_lag_ms,
            max_compaction_lag_ms: self.max_compaction_lag_ms,
            ..defaults.clone()
        }
    }

    fn typed(overrides: Overrides, parsed: &ParsedConfig) -> Result<Self, ConfigError> {
        let policy = parsed.get_list(CLEANUP_POLICY)?;
        let unsigned =
            |name: &str| -> Result<u32, ConfigError> { Ok(u32::try_from(parsed.get_int(name)?).unwrap_or(0)) };
        Ok(Self {
            compacts: policy.iter().any(|policy| policy == "compact"),
            deletes: policy.iter().any(|policy| policy == "delete"),
            codec: target_codec(parsed)?,
            max_message_bytes: unsigned("max.message.bytes")? as usize,
            stamps_append_time: parsed.get_text("message.timestamp.type")? == "LogAppendTime",
            timestamp_before_max_ms: parsed.get_long("message.timestamp.before.max.ms")?,
            timestamp_after_max_ms: parsed.get_long("message.timestamp.after.max.ms")?,
            flush_messages: u64::try_from(parsed.get_long("flush.messages")?).unwrap_or(1),
            flush_ms: parsed.get_long("flush.ms")?,
            segment_bytes: unsigned(SEGMENT_BYTES)?,
            segment_index_bytes: unsigned("segment.index.bytes")?,
            segment_ms: parsed.get_long("segment.ms")?,
            segment_jitter_ms: parsed.get_long("segment.jitter.ms")?,
            index_interval_bytes: unsigned("index.interval.bytes")?,
            retention_ms: parsed.get_long("retention.ms")?,
            retention_bytes: parsed.get_long("retention.bytes")?,
            delete_retention_ms: parsed.get_long("delete.retention.ms")?,
            min_cleanable_dirty_ratio: parsed.get_double("min.cleanable.dirty.ratio")?,
            min_compaction_lag_ms: parsed.get_long("min.compaction.lag.ms")?,
            max_compaction_lag_ms: parsed.get_long("max.compaction.lag.ms")?,
            overrides,
        })
    }
}

fn target_codec(parsed: &ParsedConfig) -> Result<Option<TargetCodec>, ConfigError> {
    let Some(codec) = Codec::from_name(parsed.get_text(COMPRESSION_TYPE)?) else {
        return Ok(None);
    };
    let level = match codec {
        Codec::Gzip => Some(parsed.get_int("compression.gzip.level")?),
        Codec::Lz4 => Some(parsed.get_int("compression.lz4.level")?),
        Codec::Zstd => Some(parsed.get_int("compression.zstd.level")?),
        Codec::None | Codec::Snappy => None,
    };
    // -1 is gzip's own default, not a level.
    Ok(Some(TargetCodec {
        codec,
        level: level.filter(|level| codec != Codec::Gzip || *level >= 0),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(overrides: &[(&str, &str)], broker: &str) -> Result<TopicConfig, ConfigError> {
        let overrides = overrides
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        TopicConfig::resolve(overrides, &Properties::parse(broker).unwrap())
    }

    #[test]
    fn milliseconds_beat_minutes_beat_hours() {
        let hours = "log.retention.hours=2";
        assert_eq!(resolve(&[], hours).unwrap().retention_ms, 7_200_000);
        let minutes = format!("{hours}\nlog.retention.minutes=3");
        assert_eq!(resolve(&[], &minutes).unwrap().retention_ms, 180_000);
        let ms = format!("{minutes}\nlog.retention.ms=4");
        assert_eq!(resolve(&[], &ms).unwrap().retention_ms, 4);
        assert_eq!(resolve(&[("retention.ms", "5")], &ms).unwrap().retention_ms, 5);
        assert_eq!(resolve(&[], "log.retention.hours=-1").unwrap().retention_ms, -1);
        assert_eq!(resolve(&[], "").unwrap().retention_ms, 604_800_000);
    }

    #[test]
    fn both_cleanup_policies_and_bad_values() {
        let both = resolve(&[("cleanup.policy", "compact,delete")], "").unwrap();
        assert!(both.compacts && both.deletes);
        for (key, value) in [
            ("cleanup.policy", "shred"),
            ("no.such.key", "1"),
            ("segment.bytes", "100"),
            ("retention.ms", "soon"),
            ("min.insync.replicas", "2"),
            ("min.cleanable.dirty.ratio", "1.5"),
        ] {
            assert!(resolve(&[(key, value)], "").is_err(), "{key}={value}");
        }
    }
}
