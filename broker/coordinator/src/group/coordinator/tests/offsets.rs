//! Commits, deletions, expiry.

use weir_protocol::error_code::ErrorCode;

use super::sim::*;
use crate::group::effect::Reply;
use crate::group::request::CommitRequest;

fn deleted(sim: &Sim, ticket: crate::group::effect::Ticket) -> ErrorCode {
    match sim.reply(ticket) {
        Some(Reply::GroupDeleted(code)) => *code,
        other => panic!("no deletion reply but {other:?}"),
    }
}

#[test]
fn a_commit_counts_once_it_is_stored() {
    let mut sim = Sim::new();
    let ticket = sim.commit(claim("", -1), &[("t", 0, 5), ("t", 1, 6)]);
    assert!(sim.is_parked(ticket));
    assert_eq!(sim.offset("t", 0), None);
    sim.store();
    assert_eq!(sim.committed(ticket), [ErrorCode::NONE, ErrorCode::NONE]);
    assert_eq!((sim.offset("t", 0), sim.offset("t", 1)), (Some(5), Some(6)));
    let stored = sim.coordinator.offsets(GROUP).unwrap().get("t", 0).unwrap().clone();
    assert_eq!((stored.leader_epoch, stored.metadata.as_str()), (2, "m"));
    assert_eq!(stored.commit_ms, START_WALL_MS);
    let after = sim.reloaded();
    assert_eq!(after.coordinator.offsets(GROUP).unwrap().get("t", 0), Some(&stored));
}

#[test]
fn a_commit_that_is_not_stored_does_not_count() {
    let mut sim = Sim::new();
    let ticket = sim.commit(claim("", -1), &[("t", 0, 5)]);
    sim.store_one(Err(ErrorCode::KAFKA_STORAGE_ERROR));
    assert_eq!(sim.committed(ticket), [ErrorCode::NOT_COORDINATOR]);
    assert_eq!(sim.offset("t", 0), None);
    assert!(sim.coordinator.is_empty());
}

#[test]
fn long_metadata_is_refused_by_partition() {
    let mut sim = Sim::new();
    let mut long = to_commit("t", 0, 5);
    long.metadata = "123456789".to_owned();
    let mut fitting = to_commit("t", 1, 6);
    fitting.metadata = "12345678".to_owned();
    let request = |offsets| CommitRequest {
        claim: claim("", -1),
        writer: None,
        retention_ms: None,
        offsets,
    };
    let ticket = sim.commit_as(request(vec![long.clone(), fitting]));
    sim.store();
    assert_eq!(
        sim.committed(ticket),
        [ErrorCode::OFFSET_METADATA_TOO_LARGE, ErrorCode::NONE]
    );
    assert_eq!((sim.offset("t", 0), sim.offset("t", 1)), (None, Some(6)));
    let alone = sim.commit_as(request(vec![long]));
    assert_eq!(sim.committed(alone), [ErrorCode::OFFSET_METADATA_TOO_LARGE]);
    assert!(sim.stores.is_empty());
}

#[test]
fn who_may_commit_depends_on_the_state() {
    let mut sim = Sim::new();
    let code = |sim: &mut Sim, member: &str, generation| {
        let ticket = sim.commit(claim(member, generation), &[("t", 0, 1)]);
        sim.store();
        sim.committed(ticket)[0]
    };
    assert_eq!(code(&mut sim, "m", 3), ErrorCode::ILLEGAL_GENERATION, "no group");
    assert_eq!(code(&mut sim, "", -1), ErrorCode::NONE, "no group, no member");
    let (one, _) = sim.join_twice(consumer());
    assert_eq!(code(&mut sim, &one, 1), ErrorCode::REBALANCE_IN_PROGRESS, "completing");
    sim.sync(&one, 1, &[(&one, "a")]);
    sim.store();
    assert_eq!(code(&mut sim, &one, 1), ErrorCode::NONE, "stable");
    assert_eq!(
        code(&mut sim, &one, 0),
        ErrorCode::ILLEGAL_GENERATION,
        "stable, old generation"
    );
    assert_eq!(
        code(&mut sim, "stranger", 1),
        ErrorCode::UNKNOWN_MEMBER_ID,
        "stable, stranger"
    );
    assert_eq!(
        code(&mut sim, "", -1),
        ErrorCode::UNKNOWN_MEMBER_ID,
        "stable, no member"
    );
    sim.join_twice(consumer());
    assert_eq!(code(&mut sim, &one, 1), ErrorCode::NONE, "preparing");
    sim.pass(i64::from(REBALANCE_MS));
    sim.pass(i64::from(REBALANCE_MS) + i64::from(SESSION_MS));
    assert_eq!(sim.state(), "Empty");
    assert_eq!(code(&mut sim, "", -1), ErrorCode::NONE, "empty, no member");
    assert_eq!(
        code(&mut sim, &one, 1),
        ErrorCode::UNKNOWN_MEMBER_ID,
        "empty, former member"
    );
}

#[test]
fn commits_keep_a_session_alive() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer()]);
    let generation = sim.generation();
    for _ in 0..3 {
        sim.pass(i64::from(SESSION_MS) - 1);
        sim.commit(claim(&ids[0], generation), &[("t", 0, 1)]);
    }
    assert_eq!(sim.state(), "Stable");
}

#[test]
fn groups_with_members_are_not_deleted() {
    let mut sim = Sim::new();
    let missing = sim.delete_group();
    assert_eq!(deleted(&sim, missing), ErrorCode::GROUP_ID_NOT_FOUND);
    let ids = sim.stable(&[consumer()]);
    sim.commit(claim(&ids[0], sim.generation()), &[("t", 0, 1)]);
    sim.store();
    let full = sim.delete_group();
    assert_eq!(deleted(&sim, full), ErrorCode::NON_EMPTY_GROUP);
    sim.leave(&ids[0], None);
    let empty = sim.delete_group();
    assert!(sim.is_parked(empty));
    sim.store();
    assert_eq!(deleted(&sim, empty), ErrorCode::NONE);
    assert_eq!(sim.state(), "Dead");
    let after = sim.reloaded();
    assert!(after.coordinator.is_empty(), "{:?}", after.coordinator.list());
}

#[test]
fn a_deletion_that_is_not_stored_changes_nothing() {
    let mut sim = Sim::new();
    sim.commit_simple(&[("t", 0, 1)]);
    let ticket = sim.delete_group();
    sim.store_one(Err(ErrorCode::KAFKA_STORAGE_ERROR));
    assert_eq!(deleted(&sim, ticket), ErrorCode::NOT_COORDINATOR);
    assert_eq!(sim.offset("t", 0), Some(1));
}

#[test]
fn a_member_that_joins_while_the_group_is_deleted_stays() {
    let mut sim = Sim::new();
    sim.commit_simple(&[("t", 0, 1)]);
    sim.delete_group();
    let (one, _) = sim.join_twice(consumer());
    sim.store();
    assert_eq!(sim.heartbeat(&one, 1), ErrorCode::NONE);
    assert_eq!(sim.offset("t", 0), None);
}

#[test]
fn a_commit_in_flight_outlives_an_earlier_deletion_and_not_a_later_one() {
    let mut sim = Sim::new();
    sim.commit_simple(&[("t", 0, 1)]);
    sim.delete_offsets(&[("t", 0)]);
    sim.commit(claim("", -1), &[("t", 0, 2)]);
    sim.store();
    assert_eq!(sim.offset("t", 0), Some(2));
    sim.commit(claim("", -1), &[("t", 0, 3)]);
    sim.delete_offsets(&[("t", 0)]);
    sim.store();
    assert_eq!(sim.offset("t", 0), None);
    assert_eq!(sim.reloaded().offset("t", 0), None);
}

#[test]
fn offsets_of_subscribed_topics_are_not_deleted() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer()]);
    sim.commit(claim(&ids[0], sim.generation()), &[("t", 0, 1), ("old", 0, 2)]);
    sim.store();
    let ticket = sim.delete_offsets(&[("t", 0), ("old", 0), ("old", 7)]);
    sim.store();
    let expected = vec![ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC, ErrorCode::NONE, ErrorCode::NONE];
    assert_eq!(
        sim.reply(ticket),
        Some(&Reply::OffsetsDeleted(ErrorCode::NONE, expected))
    );
    assert_eq!((sim.offset("t", 0), sim.offset("old", 0)), (Some(1), None));
}

#[test]
fn offsets_of_missing_and_of_opaque_groups_are_not_deleted() {
    let mut sim = Sim::new();
    let refused = |sim: &mut Sim| {
        let ticket = sim.delete_offsets(&[("t", 0)]);
        match sim.reply(ticket) {
            Some(Reply::OffsetsDeleted(code, _)) => *code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&mut sim), ErrorCode::GROUP_ID_NOT_FOUND);
    sim.join_twice(consumer().protocol_type("connect"));
    assert_eq!(refused(&mut sim), ErrorCode::NON_EMPTY_GROUP);
}

#[test]
fn offsets_of_a_deleted_topic_go_with_it() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer()]);
    sim.commit(
        claim(&ids[0], sim.generation()),
        &[("t", 0, 1), ("t", 1, 2), ("u", 0, 3)],
    );
    sim.store();
    let mut effects = Vec::new();
    sim.coordinator.topic_deleted("t", &mut effects);
    sim.take(effects);
    sim.store();
    assert_eq!(
        (sim.offset("t", 0), sim.offset("t", 1), sim.offset("u", 0)),
        (None, None, Some(3))
    );
}

#[test]
fn simple_offsets_lapse_from_their_commit() {
    let mut sim = Sim::new();
    sim.commit_simple(&[("t", 0, 1)]);
    sim.pass(RETENTION_MS / 2);
    sim.commit_simple(&[("t", 1, 1)]);
    sim.pass(RETENTION_MS / 2 - 1);
    sim.expire_offsets();
    assert_eq!(sim.offset("t", 0), Some(1));
    sim.pass(1);
    sim.expire_offsets();
    assert_eq!((sim.offset("t", 0), sim.offset("t", 1)), (None, Some(1)));
    sim.pass(RETENTION_MS);
    sim.expire_offsets();
    assert!(sim.coordinator.is_empty());
    assert!(sim.reloaded().coordinator.is_empty());
}

#[test]
fn group_offsets_lapse_from_when_the_group_became_empty() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer().session_ms(1_800_000)]);
    sim.commit(claim(&ids[0], sim.generation()), &[("t", 0, 1)]);
    sim.store();
    sim.pass(RETENTION_MS);
    sim.expire_offsets();
    assert_eq!(sim.offset("t", 0), Some(1), "a live group keeps what it reads");
    sim.leave(&ids[0], None);
    sim.store();
    // The moment survives a restart.
    let mut sim = sim.reloaded();
    sim.pass(RETENTION_MS - 1);
    sim.expire_offsets();
    assert_eq!(sim.offset("t", 0), Some(1));
    sim.pass(1);
    sim.expire_offsets();
    assert_eq!(sim.offset("t", 0), None);
    assert_eq!(sim.state(), "Dead");
}

#[test]
fn topics_a_live_group_no_longer_reads_lapse_from_their_commit() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer().session_ms(1_800_000)]);
    sim.commit(claim(&ids[0], sim.generation()), &[("t", 0, 1), ("old", 0, 2)]);
    sim.store();
    sim.pass(RETENTION_MS);
    sim.expire_offsets();
    assert_eq!((sim.offset("t", 0), sim.offset("old", 0)), (Some(1), None));
}

#[test]
fn groups_of_another_type_keep_all_offsets_while_they_live() {
    let mut sim = Sim::new();
    let worker = consumer().protocol_type("connect").session_ms(1_800_000);
    let (one, _) = sim.join_twice(worker);
    let mut request = crate::group::request::SyncRequest {
        claim: claim(&one, 1),
        protocol_type: None,
        protocol_name: None,
        assignments: Vec::new(),
    };
    request.assignments.push((one.clone(), bytes::Bytes::new()));
    sim.sync_as(request);
    sim.store();
    sim.commit(claim(&one, 1), &[("t", 0, 1)]);
    sim.store();
    sim.pass(RETENTION_MS);
    sim.expire_offsets();
    assert_eq!(sim.offset("t", 0), Some(1));
}

#[test]
fn a_commit_may_bring_its_own_retention() {
    let mut sim = Sim::new();
    let offsets = vec![to_commit("t", 0, 5)];
    let request = CommitRequest {
        claim: claim("", -1),
        writer: None,
        retention_ms: Some(100),
        offsets,
    };
    sim.commit_as(request);
    sim.store();
    sim.pass(99);
    sim.expire_offsets();
    assert_eq!(sim.offset("t", 0), Some(5));
    let mut sim = sim.reloaded();
    sim.pass(1);
    sim.expire_offsets();
    assert_eq!(sim.offset("t", 0), None);
}

#[test]
fn an_empty_group_without_offsets_goes_at_the_next_check() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer()]);
    sim.leave(&ids[0], None);
    sim.store();
    assert_eq!(sim.state(), "Empty");
    sim.expire_offsets();
    assert_eq!(sim.state(), "Dead");
    assert!(sim.reloaded().coordinator.is_empty());
}

#[test]
fn unreadable_records_are_passed_over() {
    let mut sim = Sim::new();
    sim.commit_simple(&[("t", 0, 1)]);
    let mut after = Sim::new();
    assert!(after.coordinator.replay(b"\x00", Some(b""), None).is_err());
    let key = crate::group::record::offset_key(GROUP, "t", 1);
    assert!(after.coordinator.replay(&key, Some(b"\x00\x09"), None).is_err());
    assert!(
        after
            .coordinator
            .replay(b"\x00\x03\x00\x01g", Some(b"anything"), None)
            .is_ok()
    );
    let record = &sim.log[0];
    after
        .coordinator
        .replay(&record.key, record.value.as_deref(), None)
        .unwrap();
    assert_eq!(after.offset("t", 0), Some(1));
    assert_eq!(after.offset("t", 1), None);
}
