//! Internal topics that would lose data or order: no start, in Apache's words.

use weir_tests::kafka::create_topic;
use weir_tests::process::Weir;

use crate::{cluster_settings, distributed};

/// Starts a worker whose topic for `storage` is `topic`; its log when it has ended.
fn refused(kafka: &str, group: &str, storage: &str, topic: &str) -> String {
    let settings = cluster_settings(kafka, group).replace(
        &format!("{storage}.storage.topic={group}-{storage}"),
        &format!("{storage}.storage.topic={topic}"),
    );
    let mut weir = distributed(&(settings + "listeners=http://127.0.0.1:0\n"));
    let status = weir.await_end().expect("it does not start");
    let log = weir.log_text();
    assert!(status.code().is_some_and(|code| code != 0), "{status}: {log}");
    log
}

#[test]
fn a_topic_that_is_not_compacted_is_refused_in_apaches_words() {
    let (_broker, kafka) = Weir::broker(&[]).expect("broker");
    create_topic(&kafka, "deleted", 1, &[("cleanup.policy", "delete")]).expect("topic");
    create_topic(&kafka, "both", 1, &[("cleanup.policy", "compact,delete")]).expect("topic");
    for (storage, topic, policy, content) in [
        ("config", "deleted", "delete", "connector configurations"),
        ("config", "both", "compact,delete", "connector configurations"),
        ("offset", "deleted", "delete", "source connector offsets"),
        ("status", "deleted", "delete", "connector and task statuses"),
    ] {
        let log = refused(&kafka, &format!("{storage}-{topic}"), storage, topic);
        let text = format!(
            "Topic '{topic}' supplied via the '{storage}.storage.topic' property is required to have 'cleanup.policy=compact' to \
             guarantee consistency and durability of {content}, but found the topic currently has 'cleanup.policy={policy}'. \
             Continuing would likely result in eventually losing {content} and problems restarting this Connect cluster in the \
             future. Change the '{storage}.storage.topic' property in the Connect worker configurations to use a topic with \
             'cleanup.policy=compact'."
        );
        assert!(log.contains(&text), "{log}");
    }
}

#[test]
fn a_config_topic_with_two_partitions_is_refused_in_apaches_words() {
    let (_broker, kafka) = Weir::broker(&[]).expect("broker");
    create_topic(&kafka, "two", 2, &[("cleanup.policy", "compact")]).expect("topic");
    let log = refused(&kafka, "two-partitions", "config", "two");
    assert!(
        log.contains(
            "Topic 'two' supplied via the 'config.storage.topic' property is required to have a single partition in order to \
             guarantee consistency of connector configurations, but found 2 partitions."
        ),
        "{log}"
    );
}

#[test]
fn more_replicas_than_brokers_end_the_start_with_the_topic() {
    let (_broker, kafka) = Weir::broker(&[]).expect("broker");
    let settings = cluster_settings(&kafka, "replicas").replace(
        "status.storage.replication.factor=1",
        "status.storage.replication.factor=3",
    );
    let mut weir = distributed(&(settings + "listeners=http://127.0.0.1:0\n"));
    assert!(!weir.await_end().expect("it does not start").success());
    let log = weir.log_text();
    assert!(log.contains("replicas-status") && log.contains("eplication"), "{log}");
}
