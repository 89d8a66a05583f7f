//! Groups over the wire: every version of a member's life, waiting, restart, deletion.

use bytes::Bytes;
use weir_config::properties::Properties;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use weir_protocol::messages::leave_group_request::MemberIdentity;
use weir_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use weir_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use weir_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use weir_protocol::messages::{
    DeleteGroupsRequest, DeleteTopicsRequest, DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, StrBytes, SyncGroupRequest, SyncGroupResponse,
};
use weir_server::broker_config::BrokerConfig;

use super::support::*;

fn text(value: &str) -> StrBytes {
    StrBytes::from(value)
}

fn join(group: &str, member_id: &str, session_timeout_ms: i32, version: i16) -> JoinGroupRequest {
    message!(JoinGroupRequest {
        group_id: text(group),
        session_timeout_ms: session_timeout_ms,
        rebalance_timeout_ms: if version >= 1 { 60_000 } else { -1 },
        member_id: text(member_id),
        protocol_type: text("consumer"),
        protocols: vec![message!(JoinGroupRequestProtocol {
            name: text("range"),
            metadata: Bytes::from_static(b"\x00\x01\x00\x00\x00\x01\x00\x01t\xff\xff\xff\xff"),
        })],
    })
}

fn sync(group: &str, member_id: &str, generation: i32, shares: &[(&str, &'static str)]) -> SyncGroupRequest {
    let assignments = shares.iter().map(|(id, share)| {
        message!(SyncGroupRequestAssignment {
            member_id: text(id),
            assignment: Bytes::from_static(share.as_bytes()),
        })
    });
    message!(SyncGroupRequest {
        group_id: text(group),
        generation_id: generation,
        member_id: text(member_id),
        assignments: assignments.collect(),
    })
}

fn heartbeat(group: &str, member_id: &str, generation: i32) -> HeartbeatRequest {
    message!(HeartbeatRequest {
        group_id: text(group),
        generation_id: generation,
        member_id: text(member_id),
    })
}

fn leave(group: &str, member_id: &str, version: i16) -> LeaveGroupRequest {
    if version < 3 {
        return message!(LeaveGroupRequest {
            group_id: text(group),
            member_id: text(member_id)
        });
    }
    let member = message!(MemberIdentity {
        member_id: text(member_id)
    });
    message!(LeaveGroupRequest {
        group_id: text(group),
        members: vec![member]
    })
}

fn commit(group: &str, member_id: &str, generation: i32, offsets: &[(&str, i32, i64)]) -> OffsetCommitRequest {
    let topics = offsets.iter().map(|(topic, partition, offset)| {
        message!(OffsetCommitRequestTopic {
            name: text(topic),
            partitions: vec![message!(OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: *offset,
                committed_metadata: Some(text("note")),
            })],
        })
    });
    message!(OffsetCommitRequest {
        group_id: text(group),
        generation_id_or_member_epoch: generation,
        member_id: text(member_id),
        topics: topics.collect(),
    })
}

fn fetch_offset(group: &str, topic: &str, version: i16) -> OffsetFetchRequest {
    if version >= 8 {
        let topics = message!(OffsetFetchRequestTopics {
            name: text(topic),
            partition_indexes: vec![0],
        });
        let group = message!(OffsetFetchRequestGroup {
            group_id: text(group),
            topics: Some(vec![topics]),
        });
        return message!(OffsetFetchRequest { groups: vec![group] });
    }
    let topics = message!(OffsetFetchRequestTopic {
        name: text(topic),
        partition_indexes: vec![0]
    });
    message!(OffsetFetchRequest {
        group_id: text(group),
        topics: Some(vec![topics])
    })
}

/// The offset committed for partition 0, and its metadata.
async fn committed(client: &mut Client, group: &str, topic: &str, version: i16) -> (i64, String) {
    let response = client.call(&fetch_offset(group, topic, version), version).await;
    let (offset, metadata) = if version >= 8 {
        let found = &response.groups[0].topics[0].partitions[0];
        assert_eq!(found.error_code, 0);
        (found.committed_offset, found.metadata.clone())
    } else {
        let found = &response.topics[0].partitions[0];
        assert_eq!(found.error_code, 0);
        (found.committed_offset, found.metadata.clone())
    };
    (offset, metadata.map(StrBytes::into_string).unwrap_or_default())
}

/// Joins as a client does: with the id it is given, if it is given one first.
async fn joined(client: &mut Client, group: &str, version: i16) -> JoinGroupResponse {
    let first = client.call(&join(group, "", 10_000, version), version).await;
    if first.error_code != ErrorCode::MEMBER_ID_REQUIRED.0 {
        return first;
    }
    assert!(version >= 4);
    client
        .call(&join(group, first.member_id.as_str(), 10_000, version), version)
        .await
}

async fn state(client: &mut Client, group: &str) -> String {
    let request = message!(DescribeGroupsRequest {
        groups: vec![text(group)]
    });
    client.call(&request, 5).await.groups[0].group_state.as_str().to_owned()
}

#[tokio::test]
async fn a_member_lives_in_every_version() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    for version in 0..=9 {
        let group = format!("group-{version}");
        let group = group.as_str();
        let reply = joined(&mut client, group, version).await;
        assert_eq!((reply.error_code, reply.generation_id), (0, 1), "v{version}");
        assert_eq!(reply.protocol_name, Some(text("range")), "v{version}");
        assert_eq!(
            (reply.members.len(), &reply.leader),
            (1, &reply.member_id),
            "v{version}"
        );
        let member = reply.member_id.as_str();
        let sync_version = version.min(5);
        let synced = client
            .call(&sync(group, member, 1, &[(member, "all")]), sync_version)
            .await;
        assert_eq!(
            (synced.error_code, &synced.assignment[..]),
            (0, &b"all"[..]),
            "v{version}"
        );
        let beat = client.call(&heartbeat(group, member, 1), version.min(4)).await;
        assert_eq!(beat.error_code, 0, "v{version}");
        let offset = 100 + i64::from(version);
        let request = commit(group, member, 1, &[("t", 0, offset)]);
        let answered = client.call(&request, version.clamp(2, 9)).await;
        assert_eq!(answered.topics[0].partitions[0].error_code, 0, "v{version}");
        let found = committed(&mut client, group, "t", version.clamp(1, 9)).await;
        assert_eq!(found, (offset, "note".to_owned()), "v{version}");
        assert_eq!(state(&mut client, group).await, "Stable");
        let left = client.call(&leave(group, member, version.min(5)), version.min(5)).await;
        assert_eq!(left.error_code, 0, "v{version}");
        assert!(left.members.iter().all(|member| member.error_code == 0), "v{version}");
        assert_eq!(state(&mut client, group).await, "Empty");
    }
    broker.stop().await;
}

#[tokio::test]
async fn followers_wait_for_the_leader_on_their_own_connection() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let (mut one, mut two) = (broker.client().await, broker.client().await);
    let leader = joined(&mut one, "g", 9).await.member_id;
    let given = two.call(&join("g", "", 10_000, 9), 9).await.member_id;
    let second = two.send(&join("g", given.as_str(), 10_000, 9), 9).await;
    // Parked until the leader joins again, which it learns by its heartbeat.
    let beat = one.call(&heartbeat("g", leader.as_str(), 1), 4).await;
    assert_eq!(beat.error_code, ErrorCode::REBALANCE_IN_PROGRESS.0);
    let again = one.call(&join("g", leader.as_str(), 10_000, 9), 9).await;
    let follower: JoinGroupResponse = two.receive(second, 9).await;
    assert_eq!((again.generation_id, follower.generation_id), (2, 2));
    assert_eq!((again.members.len(), follower.members.len()), (2, 0));
    let waiting = two.send(&sync("g", given.as_str(), 2, &[]), 5).await;
    let shares = [(leader.as_str(), "for one"), (given.as_str(), "for two")];
    let led = one.call(&sync("g", leader.as_str(), 2, &shares), 5).await;
    let followed: SyncGroupResponse = two.receive(waiting, 5).await;
    assert_eq!(
        (&led.assignment[..], &followed.assignment[..]),
        (&b"for one"[..], &b"for two"[..])
    );
    broker.stop().await;
}

#[tokio::test]
async fn a_silent_member_makes_room_when_its_session_ends() {
    let directory = directory();
    let mut properties = Properties::new();
    properties.insert("log.dirs", directory.path().to_string_lossy());
    properties.insert("listeners", "PLAINTEXT://127.0.0.1:0");
    properties.insert("group.initial.rebalance.delay.ms", "0");
    properties.insert("group.min.session.timeout.ms", "10");
    let (config, _) = BrokerConfig::from_properties(&properties).unwrap();
    let broker = TestBroker::start_with(config).await;
    let (mut silent, mut next) = (broker.client().await, broker.client().await);
    let first = silent.call(&join("g", "", 50, 3), 3).await;
    assert_eq!(first.error_code, 0);
    // Answered by the end of the silent member's session, long before the rebalance timeout.
    let second = next.call(&join("g", "", 10_000, 3), 3).await;
    assert_eq!((second.error_code, second.generation_id), (0, 2));
    assert_eq!((second.members.len(), &second.leader), (1, &second.member_id));
    broker.stop().await;
}

#[tokio::test]
async fn members_and_offsets_survive_a_restart() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let member = joined(&mut client, "g", 9).await.member_id;
    client
        .call(&sync("g", member.as_str(), 1, &[(member.as_str(), "all")]), 5)
        .await;
    client.call(&commit("g", member.as_str(), 1, &[("t", 0, 7)]), 9).await;
    broker.stop().await;
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    let beat = client.call(&heartbeat("g", member.as_str(), 1), 4).await;
    assert_eq!(beat.error_code, 0);
    assert_eq!(committed(&mut client, "g", "t", 9).await.0, 7);
    let synced = client.call(&sync("g", member.as_str(), 1, &[]), 5).await;
    assert_eq!(&synced.assignment[..], b"all");
    broker.stop().await;
}

#[tokio::test]
async fn a_broker_stops_while_members_wait() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let (mut one, mut two) = (broker.client().await, broker.client().await);
    joined(&mut one, "g", 3).await;
    two.send(&join("g", "", 10_000, 3), 3).await;
    // The second member is in before the broker is asked to stop.
    while state(&mut one, "g").await != "PreparingRebalance" {}
    assert!(broker.stop().await < std::time::Duration::from_secs(2));
}

#[tokio::test]
async fn the_offsets_topic_is_made_by_the_first_write_only() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let names = |response: weir_protocol::messages::MetadataResponse| {
        let named = response.topics.into_iter().map(|topic| {
            (
                topic.name.map(StrBytes::into_string).unwrap_or_default(),
                topic.is_internal,
                topic.partitions.len(),
            )
        });
        named.collect::<Vec<_>>()
    };
    let all = message!(MetadataRequest { topics: None });
    assert_eq!(committed(&mut client, "g", "t", 9).await.0, -1);
    let key = message!(FindCoordinatorRequest { key: text("g") });
    assert_eq!(client.call(&key, 3).await.error_code, 0);
    assert_eq!(names(client.call(&all, 9).await), [("t".to_owned(), false, 1)]);
    client.call(&commit("g", "", -1, &[("t", 0, 1)]), 9).await;
    let after = names(client.call(&all, 9).await);
    assert!(
        after.contains(&("__consumer_offsets".to_owned(), true, 50)),
        "{after:?}"
    );
    let on_disk = std::fs::read_dir(directory.path()).unwrap().filter_map(Result::ok);
    let made = on_disk.filter(|entry| entry.file_name().to_string_lossy().starts_with("__consumer_offsets"));
    assert_eq!(made.count(), 1, "one partition has records");
    broker.stop().await;
}

#[tokio::test]
async fn commits_for_partitions_that_do_not_exist_are_refused_alone() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let request = commit("g", "", -1, &[("t", 1, 5), ("t", 0, 6), ("nowhere", 0, 7)]);
    let answered = client.call(&request, 9).await;
    let codes: Vec<i16> = answered
        .topics
        .iter()
        .map(|topic| topic.partitions[0].error_code)
        .collect();
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0;
    assert_eq!(codes, [unknown, 0, unknown]);
    assert_eq!(committed(&mut client, "g", "t", 9).await.0, 6);
    broker.stop().await;
}

#[tokio::test]
async fn offsets_of_a_deleted_topic_are_forgotten() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client.call(&commit("g", "", -1, &[("t", 0, 5)]), 9).await;
    let delete = message!(DeleteTopicsRequest {
        topic_names: vec![text("t")],
        timeout_ms: 5000
    });
    assert_eq!(client.call(&delete, 5).await.responses[0].error_code, 0);
    client.create_topic("t", 1, &[]).await;
    // Forgotten once the tombstone is stored; a commit of another group goes through the same log after it.
    client.call(&commit("other", "", -1, &[("t", 0, 1)]), 9).await;
    assert_eq!(committed(&mut client, "g", "t", 9).await.0, -1);
    broker.stop().await;
}

#[tokio::test]
async fn groups_are_listed_filtered_and_deleted() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client.call(&commit("simple", "", -1, &[("t", 0, 5)]), 9).await;
    joined(&mut client, "live", 9).await;
    let mut listed = async |states: &[&str], types: &[&str]| {
        let request = message!(ListGroupsRequest {
            states_filter: states.iter().map(|state| text(state)).collect(),
            types_filter: types.iter().map(|kind| text(kind)).collect(),
        });
        let groups = client.call(&request, 5).await.groups;
        groups
            .into_iter()
            .map(|group| group.group_id.into_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&[], &[]).await, ["live", "simple"]);
    assert_eq!(listed(&["empty"], &[]).await, ["simple"]);
    assert_eq!(listed(&["CompletingRebalance"], &["Classic"]).await, ["live"]);
    assert_eq!(listed(&[], &["consumer"]).await, Vec::<String>::new());
    let names = ["live", "simple", "nobody"].map(text).to_vec();
    let deleted = client
        .call(&message!(DeleteGroupsRequest { groups_names: names }), 2)
        .await;
    let codes: Vec<i16> = deleted.results.iter().map(|result| result.error_code).collect();
    assert_eq!(
        codes,
        [ErrorCode::NON_EMPTY_GROUP.0, 0, ErrorCode::GROUP_ID_NOT_FOUND.0]
    );
    let missing = message!(DescribeGroupsRequest {
        groups: vec![text("simple")]
    });
    let old = &client.call(&missing, 5).await.groups[0];
    assert_eq!((old.error_code, old.group_state.as_str()), (0, "Dead"));
    let new = &client.call(&missing, 6).await.groups[0];
    assert_eq!(new.error_code, ErrorCode::GROUP_ID_NOT_FOUND.0);
    broker.stop().await;
}

#[tokio::test]
async fn coordinators_are_found_in_every_version() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    let port = i32::from(broker.address.port());
    for version in 0..=3 {
        let found = client
            .call(&message!(FindCoordinatorRequest { key: text("g") }), version)
            .await;
        assert_eq!(
            (found.error_code, found.node_id, found.port),
            (0, 1, port),
            "v{version}"
        );
        assert_eq!(found.host.as_str(), "127.0.0.1", "v{version}");
    }
    for version in 4..=6 {
        let keys = vec![text("g"), text("")];
        let request = message!(FindCoordinatorRequest { coordinator_keys: keys });
        let found = client.call(&request, version).await.coordinators;
        assert_eq!((found[0].error_code, found[0].port), (0, port), "v{version}");
        assert_eq!(found[1].error_code, ErrorCode::INVALID_GROUP_ID.0, "v{version}");
    }
    let transactional = message!(FindCoordinatorRequest {
        key: text("t"),
        key_type: 1
    });
    let found = client.call(&transactional, 3).await;
    assert_eq!((found.error_code, found.port), (0, port));
    broker.stop().await;
}
