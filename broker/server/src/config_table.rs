//! The rows of `server.properties`: what is honoured, what is only accepted.
//!
//! Honoured rows form a `ConfigDef` (types, defaults, checks, docs); defaults are Kafka 4.3.1's.
//! Accepted keys are recognised, change nothing, and one line at start says why. Anything else is
//! unknown and answered with the nearest known key.

use std::sync::LazyLock;

use weir_config::def::ConfigType::{self, Boolean, Double, Int, List, Long, Text};
use weir_config::def::{ConfigDef, ConfigKey, Validator};

/// One honoured key.
#[derive(Debug)]
struct Row {
    name: &'static str,
    config_type: ConfigType,
    /// None: null.
    default: Option<&'static str>,
    check: Check,
    doc: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Check {
    Any,
    AtLeast(i64),
    OneOf(&'static [&'static str]),
}

const fn row(
    name: &'static str,
    config_type: ConfigType,
    default: &'static str,
    check: Check,
    doc: &'static str,
) -> Row {
    Row {
        name,
        config_type,
        default: Some(default),
        check,
        doc,
    }
}

const fn null_row(name: &'static str, config_type: ConfigType, doc: &'static str) -> Row {
    Row {
        name,
        config_type,
        default: None,
        check: Check::Any,
        doc,
    }
}

const MAX_INT: &str = "2147483647";
const MAX_LONG: &str = "9223372036854775807";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("node.id", Int, "1", Check::AtLeast(0), "Id of this broker, as Metadata answers it."),
    null_row("broker.id", Int, "Old name of node.id."),
    row("listeners", List, "PLAINTEXT://:9092", Check::Any, "Addresses to listen on, NAME://HOST:PORT; an empty host is every interface."),
    null_row("advertised.listeners", List, "Addresses given to clients; default: the listeners."),
    row("listener.security.protocol.map", Text, "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", Check::Any, "Protocol of each listener name."),
    row("controller.listener.names", Text, "", Check::Any, "Names of controller listeners, which are dropped: this broker is its own controller."),
    null_row("log.dirs", Text, "Data directory; one is supported."),
    row("log.dir", Text, "/tmp/kafka-logs", Check::Any, "Data directory when log.dirs is not given."),
    row("num.partitions", Int, "1", Check::AtLeast(1), "Partitions of a topic created without a count."),
    row("default.replication.factor", Int, "1", Check::AtLeast(1), "Only 1 is possible; a higher value warns."),
    row("auto.create.topics.enable", Boolean, "true", Check::Any, "Whether asking for an unknown topic may create it."),
    row("delete.topic.enable", Boolean, "true", Check::Any, "Whether topics may be deleted."),
    row("message.max.bytes", Int, "1048588", Check::AtLeast(0), "Largest batch accepted, after compression."),
    row("log.segment.bytes", Int, "1073741824", Check::AtLeast(1_048_576), "Size at which a new segment begins."),
    null_row("log.roll.ms", Long, "Age at which a new segment begins."),
    row("log.roll.hours", Int, "168", Check::AtLeast(1), "As log.roll.ms, in hours."),
    null_row("log.roll.jitter.ms", Long, "Random part taken off log.roll.ms."),
    row("log.roll.jitter.hours", Int, "0", Check::AtLeast(0), "As log.roll.jitter.ms, in hours."),
    null_row("log.retention.ms", Long, "Age above which segments are deleted; -1 for ever."),
    null_row("log.retention.minutes", Int, "As log.retention.ms, in minutes."),
    row("log.retention.hours", Int, "168", Check::Any, "As log.retention.ms, in hours."),
    row("log.retention.bytes", Long, "-1", Check::Any, "Size of a partition above which segments are deleted."),
    row("log.retention.check.interval.ms", Long, "300000", Check::AtLeast(1), "How often retention looks."),
    row("log.cleanup.policy", List, "delete", Check::Any, "delete, compact or both."),
    row("log.cleaner.enable", Boolean, "true", Check::Any, "Whether compacted topics are compacted."),
    row("log.cleaner.backoff.ms", Long, "15000", Check::AtLeast(0), "How often compaction looks."),
    row("log.cleaner.dedupe.buffer.size", Long, "134217728", Check::Any, "Largest memory for the keys of one compaction."),
    row("log.cleaner.threads", Int, "1", Check::AtLeast(0), "Kept; compaction runs one partition at a time."),
    row("log.cleaner.min.cleanable.ratio", Double, "0.5", Check::AtLeast(0), "Share of uncompacted bytes from which a log is compacted."),
    row("log.cleaner.delete.retention.ms", Long, "86400000", Check::AtLeast(0), "How long tombstones are kept."),
    row("log.cleaner.min.compaction.lag.ms", Long, "0", Check::AtLeast(0), "Shortest time a record stays uncompacted."),
    row("log.cleaner.max.compaction.lag.ms", Long, MAX_LONG, Check::AtLeast(1), "Longest time a record stays uncompacted."),
    row("log.flush.interval.messages", Long, MAX_LONG, Check::AtLeast(1), "Sync after so many records, on top of weir.log.flush."),
    null_row("log.flush.interval.ms", Long, "Sync after so long, on top of weir.log.flush."),
    row("log.flush.scheduler.interval.ms", Long, MAX_LONG, Check::Any, "As log.flush.interval.ms when that is not given."),
    row("log.flush.offset.checkpoint.interval.ms", Int, "60000", Check::AtLeast(0), "How often recovery points are written down."),
    row("log.index.interval.bytes", Int, "4096", Check::AtLeast(0), "Bytes of log between two index entries."),
    row("log.index.size.max.bytes", Int, "10485760", Check::AtLeast(4), "Size of an index at which a new segment begins."),
    row("log.preallocate", Boolean, "false", Check::Any, "Kept; segments grow as they fill."),
    row("log.message.timestamp.type", Text, "CreateTime", Check::OneOf(&["CreateTime", "LogAppendTime"]), "Whose clock record times are."),
    row("log.message.timestamp.before.max.ms", Long, MAX_LONG, Check::AtLeast(0), "How far in the past a record's time may lie."),
    row("log.message.timestamp.after.max.ms", Long, "3600000", Check::AtLeast(0), "How far in the future a record's time may lie."),
    row("log.segment.delete.delay.ms", Long, "60000", Check::AtLeast(0), "Kept; removed files go at once."),
    row("compression.type", Text, "producer", Check::Any, "Codec batches are stored with."),
    row("compression.gzip.level", Int, "-1", Check::Any, "Level when the broker compresses with gzip."),
    row("compression.lz4.level", Int, "9", Check::Any, "Level when the broker compresses with lz4."),
    row("compression.zstd.level", Int, "3", Check::Any, "Level when the broker compresses with zstd."),
    row("min.insync.replicas", Int, "1", Check::AtLeast(1), "Only 1 is possible with one replica."),
    row("fetch.max.bytes", Int, "57671680", Check::AtLeast(1024), "Largest Fetch response."),
    row("max.request.partition.size.limit", Int, "2000", Check::AtLeast(1), "Partitions in one DescribeTopicPartitions response."),
    row("socket.request.max.bytes", Int, "104857600", Check::AtLeast(1), "Largest request."),
    row("socket.send.buffer.bytes", Int, "102400", Check::AtLeast(-1), "SO_SNDBUF of connections; -1 is the system's. Set only when the file sets it."),
    row("socket.receive.buffer.bytes", Int, "102400", Check::AtLeast(-1), "SO_RCVBUF of connections; -1 is the system's. Set only when the file sets it."),
    row("socket.listen.backlog.size", Int, "50", Check::AtLeast(1), "Connections waiting to be accepted."),
    row("connections.max.idle.ms", Long, "600000", Check::Any, "Idle connections are closed after this."),
    row("max.connections", Int, MAX_INT, Check::AtLeast(0), "Connections of all clients."),
    row("max.connections.per.ip", Int, MAX_INT, Check::AtLeast(0), "Connections of one address."),
    row("num.recovery.threads.per.data.dir", Int, "2", Check::AtLeast(1), "Logs recovered at once after an unclean stop."),
    row("offsets.topic.num.partitions", Int, "50", Check::AtLeast(1), "Partitions of __consumer_offsets when it is made."),
    row("offsets.topic.segment.bytes", Int, "104857600", Check::AtLeast(1), "Segment size of __consumer_offsets."),
    row("offsets.topic.compression.codec", Int, "0", Check::AtLeast(0), "Codec of __consumer_offsets records."),
    row("offsets.retention.minutes", Int, "10080", Check::AtLeast(1), "How long offsets of an empty group are kept."),
    row("offsets.retention.check.interval.ms", Long, "600000", Check::AtLeast(1), "How often expired offsets are looked for."),
    row("offset.metadata.max.bytes", Int, "4096", Check::Any, "Largest metadata text of a committed offset."),
    row("offsets.commit.timeout.ms", Int, "5000", Check::AtLeast(1), "How long a commit waits for the log."),
    row("group.initial.rebalance.delay.ms", Int, "3000", Check::Any, "Wait for more members before the first rebalance of an empty group."),
    row("group.min.session.timeout.ms", Int, "6000", Check::Any, "Shortest session timeout a member may ask for."),
    row("group.max.session.timeout.ms", Int, "1800000", Check::Any, "Longest session timeout a member may ask for."),
    row("group.max.size", Int, MAX_INT, Check::AtLeast(1), "Members of one group."),
    row("producer.id.expiration.ms", Int, "86400000", Check::AtLeast(1), "How long an idle producer's sequence state is kept."),
    row("transaction.state.log.num.partitions", Int, "50", Check::AtLeast(1), "Partitions of __transaction_state when it is made."),
    row("transaction.state.log.segment.bytes", Int, "104857600", Check::AtLeast(1), "Segment size of __transaction_state."),
    row("transaction.max.timeout.ms", Int, "900000", Check::AtLeast(1), "Longest transaction timeout a producer may ask for."),
    row("transactional.id.expiration.ms", Int, "604800000", Check::AtLeast(1), "How long an unused transactional id is kept."),
    row("transaction.abort.timed.out.transaction.cleanup.interval.ms", Int, "10000", Check::AtLeast(1), "How often transactions that are open for too long are looked for."),
    row("transaction.remove.expired.transaction.cleanup.interval.ms", Int, "3600000", Check::AtLeast(1), "How often unused transactional ids are looked for."),
    row("weir.log.flush", Text, "ack", Check::OneOf(&["ack", "interval", "os"]), "ack: acks=all is answered after a sync; interval: synced in the background; os: left to the system."),
    row("weir.log.flush.max.delay.ms", Int, "50", Check::AtLeast(0), "Longest time a written record stays unsynced."),
    null_row("weir.metrics.listener", Text, "Where `weir broker` serves /metrics for Prometheus, http://HOST:PORT; not served by default. In `weir up` the other roles' ports show the broker's metrics too."),
    row("weir.replication.factor.clamp", Boolean, "false", Check::Any, "Take a replication factor above 1 as 1 instead of refusing it."),
];

/// The definition of every honoured key.
pub(crate) static BROKER_DEF: LazyLock<ConfigDef> = LazyLock::new(|| {
    ROWS.iter().fold(ConfigDef::new(), |def, row| {
        let key = ConfigKey::new(row.name, row.config_type).doc(row.doc);
        let key = match row.default {
            Some(text) => key.default(text),
            None => key.default_null(),
        };
        def.key(match row.check {
            Check::Any => key,
            Check::AtLeast(min) => key.validator(Validator::at_least(min)),
            Check::OneOf(texts) => key.validator(Validator::one_of(texts)),
        })
    })
});

/// Keys that are recognised and change nothing, unless a row above honours them; a trailing `*` stands for any ending.
#[rustfmt::skip]
const ACCEPTED: &[(&str, &str)] = &[
    ("zookeeper.*", "no ZooKeeper is used; Kafka itself removed it in 4.0"),
    ("process.roles", "one process is both broker and controller"),
    ("controller.*", "this broker is its own controller, without a quorum"),
    ("early.start.listeners", "this broker is its own controller, without a quorum"),
    ("inter.broker.listener.name", "there are no other brokers"),
    ("security.inter.broker.protocol", "there are no other brokers"),
    ("inter.broker.protocol.version", "there are no other brokers"),
    ("broker.rack", "there are no other brokers"),
    ("reserved.broker.max.id", "there are no other brokers"),
    ("replica.*", "there is no replication"),
    ("leader.*", "there is no replication"),
    ("auto.leader.rebalance.enable", "there is no replication"),
    ("unclean.leader.election.enable", "there is no replication"),
    ("num.replica.*", "there is no replication"),
    ("num.network.threads", "threads follow the number of cores"),
    ("num.io.threads", "threads follow the number of cores"),
    ("background.threads", "threads follow the number of cores"),
    ("queued.max.*", "each connection bounds its own requests in flight"),
    ("request.timeout.ms", "there are no other brokers"),
    ("controlled.shutdown.*", "there is no leadership to hand over"),
    ("max.incremental.fetch.session.cache.slots", "fetch sessions are not kept, clients send full requests"),
    ("fetch.purgatory.*", "parked requests are woken, not purged"),
    ("producer.purgatory.*", "parked requests are woken, not purged"),
    ("delete.records.purgatory.*", "parked requests are woken, not purged"),
    ("offsets.topic.replication.factor", "there is one replica"),
    ("offsets.load.buffer.size", "offsets are read in one pass"),
    ("transaction.state.log.*", "there is one replica, and the log is read in one pass"),
    ("transaction.partition.verification.enable", "partitions are always verified"),
    ("transaction.*", "two-phase commit by clients is not offered"),
    ("producer.id.expiration.check.interval.ms", "expiry is looked at with retention"),
    ("group.coordinator.*", "groups are coordinated in process"),
    ("group.consumer.*", "only the classic group protocol is offered yet"),
    ("group.share.*", "share groups are not offered"),
    ("share.*", "share groups are not offered"),
    ("group.streams.*", "streams groups are not offered"),
    ("remote.*", "there is no tiered storage"),
    ("metadata.*", "topics are kept in an own small log"),
    ("initial.broker.registration.timeout.ms", "this broker is its own controller, without a quorum"),
    ("broker.heartbeat.interval.ms", "this broker is its own controller, without a quorum"),
    ("broker.session.timeout.ms", "this broker is its own controller, without a quorum"),
    ("broker.id.generation.enable", "the id is node.id"),
    ("metric.*", "JVM reporters cannot be loaded"),
    ("metrics.*", "JVM reporters cannot be loaded"),
    ("auto.include.jmx.reporter", "JVM reporters cannot be loaded"),
    ("kafka.*", "JVM reporters cannot be loaded"),
    ("client.quota.callback.class", "JVM classes cannot be loaded"),
    ("create.topic.policy.class.name", "JVM classes cannot be loaded"),
    ("alter.config.policy.class.name", "JVM classes cannot be loaded"),
    ("quota.*", "there are no quotas yet"),
    ("alter.log.dirs.*", "there are no quotas yet"),
    ("log.cleaner.io.*", "compaction is not throttled"),
    ("log.message.downconversion.enable", "old message formats are gone, as in Kafka 4"),
    ("log.message.format.version", "old message formats are gone, as in Kafka 4"),
    ("log.initial.task.delay.ms", "background work starts when there is some"),
    ("log.flush.start.offset.checkpoint.interval.ms", "start offsets are durable at once"),
    ("log.dir.failure.timeout.ms", "there is one data directory"),
    ("max.connection.creation.rate", "connections are not throttled"),
    ("max.connections.per.ip.overrides", "only max.connections.per.ip is kept"),
    ("connections.max.reauth.ms", "only PLAINTEXT listeners are offered yet"),
    ("connection.failed.authentication.delay.ms", "only PLAINTEXT listeners are offered yet"),
    ("socket.connection.setup.*", "there are no other brokers"),
    ("sasl.*", "only PLAINTEXT listeners are offered yet"),
    ("ssl.*", "only PLAINTEXT listeners are offered yet"),
    ("listener.name.*", "only PLAINTEXT listeners are offered yet"),
    ("security.providers", "JVM classes cannot be loaded"),
    ("principal.builder.class", "JVM classes cannot be loaded"),
    ("password.encoder.*", "secrets are not kept in the metadata log"),
    ("delegation.token.*", "delegation tokens are not offered"),
    ("super.users", "there is no authorizer, everyone may do everything"),
    ("allow.everyone.if.no.acl.found", "there is no authorizer, everyone may do everything"),
    ("telemetry.*", "client telemetry is not offered"),
    ("internal.*", "internal keys of Kafka's own code"),
    ("unstable.*", "internal keys of Kafka's own code"),
];

/// Why an accepted key changes nothing; none for a key this table does not know.
pub(crate) fn accepted_reason(key: &str) -> Option<&'static str> {
    ACCEPTED.iter().find_map(|(pattern, reason)| {
        let matches = match pattern.strip_suffix('*') {
            Some(prefix) => key.starts_with(prefix),
            None => *pattern == key,
        };
        matches.then_some(*reason)
    })
}

/// Every exact key of both tables, for the nearest one to a slip of the hand.
pub(crate) fn known_keys() -> impl Iterator<Item = &'static str> {
    let accepted = ACCEPTED
        .iter()
        .map(|(pattern, _)| *pattern)
        .filter(|name| !name.ends_with('*'));
    ROWS.iter().map(|row| row.name).chain(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_builds_and_no_accepted_key_is_one() {
        for row in ROWS {
            assert!(BROKER_DEF.get(row.name).is_some(), "{}", row.name);
            assert!(ACCEPTED.iter().all(|(key, _)| *key != row.name), "{}", row.name);
        }
    }

    #[test]
    fn accepted_keys_give_their_reason() {
        assert!(accepted_reason("zookeeper.connect").unwrap().contains("ZooKeeper"));
        assert!(accepted_reason("transaction.state.log.replication.factor").is_some());
        assert_eq!(accepted_reason("no.such.key"), None);
    }
}
