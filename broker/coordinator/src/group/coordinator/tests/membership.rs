//! Joining, syncing, beating, leaving.

use weir_protocol::error_code::ErrorCode;

use super::sim::*;

#[test]
fn a_dynamic_member_gets_an_id_first() {
    let mut sim = Sim::new();
    let first = sim.join(consumer());
    let reply = sim.joined(first);
    assert_eq!(reply.error, ErrorCode::MEMBER_ID_REQUIRED);
    assert!(reply.member_id.starts_with("client-uuid"), "{}", reply.member_id);
    assert_eq!(reply.generation, -1);
    let second = sim.join(consumer().id(&reply.member_id));
    let joined = sim.joined(second);
    assert_eq!(joined.error, ErrorCode::NONE);
    assert_eq!((joined.generation, joined.leader), (1, reply.member_id.clone()));
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(sim.state(), "CompletingRebalance");
}

#[test]
fn old_clients_join_at_once() {
    let mut sim = Sim::new();
    let ticket = sim.join(consumer().at_once());
    assert_eq!(sim.joined(ticket).error, ErrorCode::NONE);
}

#[test]
fn bad_joins_are_refused() {
    let mut sim = Sim::new();
    sim.stable(&[consumer()]);
    let cases = [
        (consumer().session_ms(5_999), ErrorCode::INVALID_SESSION_TIMEOUT),
        (consumer().session_ms(1_800_001), ErrorCode::INVALID_SESSION_TIMEOUT),
        (consumer().id("stranger"), ErrorCode::UNKNOWN_MEMBER_ID),
        (
            consumer().protocol_type("connect"),
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        ),
        (consumer().protocol_type(""), ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
        (consumer().protocols(&["other"]), ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
        (consumer().protocols(&[]), ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
    ];
    for (joiner, code) in cases {
        let ticket = sim.join(joiner.clone());
        assert_eq!(sim.joined(ticket).error, code, "{joiner:?}");
    }
    assert_eq!(sim.state(), "Stable");
}

#[test]
fn refused_joins_leave_no_group_behind() {
    let mut sim = Sim::new();
    sim.join(consumer().id("stranger"));
    sim.join(consumer().protocols(&[]));
    assert_eq!(sim.state(), "Dead");
    assert!(sim.coordinator.is_empty());
}

#[test]
fn empty_group_ids_are_invalid() {
    let mut sim = Sim::new();
    let request = consumer().request;
    let ticket = sim.ask(|coordinator, ticket, now, effects| {
        coordinator.join("", request, ticket, now, effects);
    });
    assert_eq!(sim.joined(ticket).error, ErrorCode::INVALID_GROUP_ID);
    assert_eq!(
        sim.coordinator.heartbeat("", &claim("m", 1), sim.now),
        ErrorCode::INVALID_GROUP_ID
    );
}

#[test]
fn only_the_leader_sees_the_members() {
    let mut sim = Sim::new();
    let (one, first) = sim.join_twice(consumer());
    assert_eq!(sim.joined(first).members.len(), 1);
    let (two, second) = sim.join_twice(consumer());
    let again = sim.join(consumer().id(&one));
    let (leader, follower) = (sim.joined(again), sim.joined(second));
    assert_eq!((leader.generation, follower.generation), (2, 2));
    assert_eq!((leader.leader, follower.leader), (one.clone(), one.clone()));
    let mut seen: Vec<_> = leader.members.into_iter().map(|member| member.member_id).collect();
    seen.sort();
    let mut expected = vec![one, two];
    expected.sort();
    assert_eq!(seen, expected);
    assert!(follower.members.is_empty());
}

#[test]
fn followers_wait_until_assignments_are_stored() {
    let mut sim = Sim::new();
    let (one, _) = sim.join_twice(consumer());
    let (two, _) = sim.join_twice(consumer());
    sim.join(consumer().id(&one));
    let follower = sim.sync(&two, 2, &[]);
    let leader = sim.sync(&one, 2, &[(&one, "a"), (&two, "b")]);
    assert!(sim.is_parked(follower) && sim.is_parked(leader));
    assert_eq!(sim.state(), "CompletingRebalance");
    sim.store();
    assert_eq!(sim.synced(leader).assignment, "a");
    assert_eq!(sim.synced(follower).assignment, "b");
    assert_eq!(sim.synced(follower).protocol_name.as_deref(), Some("range"));
    let late = sim.sync(&two, 2, &[]);
    assert_eq!(sim.synced(late).assignment, "b");
}

#[test]
fn members_without_a_share_get_an_empty_one() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer()]);
    let (one, two) = (&ids[0], &ids[1]);
    sim.join(consumer().id(one));
    sim.join(consumer().id(two));
    let follower = sim.sync(two, 3, &[]);
    sim.sync(one, 3, &[(one, "all")]);
    sim.store();
    assert_eq!(sim.synced(follower).assignment, "");
}

#[test]
fn a_failed_store_starts_the_rebalance_again() {
    let mut sim = Sim::new();
    let (one, _) = sim.join_twice(consumer());
    let leader = sim.sync(&one, 1, &[(&one, "a")]);
    sim.store_one(Err(ErrorCode::KAFKA_STORAGE_ERROR));
    assert_eq!(sim.synced(leader).error, ErrorCode::NOT_COORDINATOR);
    assert_eq!(sim.state(), "PreparingRebalance");
    assert!(sim.log.is_empty());
}

#[test]
fn syncs_are_checked() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer()]);
    let generation = sim.generation();
    let request = |member: &str, generation| crate::group::request::SyncRequest {
        claim: claim(member, generation),
        protocol_type: None,
        protocol_name: None,
        assignments: Vec::new(),
    };
    let mut wrong_type = request(&ids[0], generation);
    wrong_type.protocol_type = Some("connect".to_owned());
    let mut wrong_name = request(&ids[0], generation);
    wrong_name.protocol_name = Some("sticky".to_owned());
    let cases = [
        (request("stranger", generation), ErrorCode::UNKNOWN_MEMBER_ID),
        (request(&ids[0], generation + 1), ErrorCode::ILLEGAL_GENERATION),
        (wrong_type, ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
        (wrong_name, ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
        (request(&ids[0], generation), ErrorCode::NONE),
    ];
    for (request, code) in cases {
        let ticket = sim.sync_as(request.clone());
        assert_eq!(sim.synced(ticket).error, code, "{request:?}");
    }
}

#[test]
fn heartbeats_tell_the_state() {
    let mut sim = Sim::new();
    assert_eq!(sim.heartbeat("m", 1), ErrorCode::UNKNOWN_MEMBER_ID);
    let (one, _) = sim.join_twice(consumer());
    assert_eq!(sim.heartbeat(&one, 1), ErrorCode::NONE);
    sim.sync(&one, 1, &[(&one, "a")]);
    sim.store();
    assert_eq!(sim.heartbeat(&one, 1), ErrorCode::NONE);
    assert_eq!(sim.heartbeat(&one, 2), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(sim.heartbeat("stranger", 1), ErrorCode::UNKNOWN_MEMBER_ID);
    sim.join_twice(consumer());
    assert_eq!(sim.heartbeat(&one, 1), ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn a_silent_member_is_expelled_after_its_session() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer()]);
    let generation = sim.generation();
    sim.pass(i64::from(SESSION_MS) - 1);
    assert_eq!(sim.heartbeat(&ids[0], generation), ErrorCode::NONE);
    sim.pass(i64::from(SESSION_MS) - 1);
    assert_eq!(sim.state(), "Stable");
    sim.pass(1);
    assert_eq!(sim.state(), "Empty");
    assert_eq!(sim.heartbeat(&ids[0], generation), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(sim.coordinator.next_deadline_ms(), None);
}

#[test]
fn leaving_empties_the_group_and_stores_that() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer()]);
    let stored = sim.log.len();
    assert_eq!(sim.leave(&ids[0], None), ErrorCode::NONE);
    assert_eq!(sim.state(), "Empty");
    sim.store();
    assert_eq!(sim.log.len(), stored + 1);
    assert_eq!(sim.reloaded().state(), "Empty");
    assert_eq!(sim.leave(&ids[0], None), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn leaving_makes_the_others_rebalance() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer()]);
    let generation = sim.generation();
    assert_eq!(sim.leave(&ids[0], None), ErrorCode::NONE);
    assert_eq!(sim.heartbeat(&ids[1], generation), ErrorCode::REBALANCE_IN_PROGRESS);
    let again = sim.join(consumer().id(&ids[1]));
    assert_eq!(sim.joined(again).leader, ids[1]);
}

#[test]
fn a_member_may_leave_before_it_came_back_with_its_id() {
    let mut sim = Sim::new();
    sim.stable(&[consumer()]);
    let first = sim.join(consumer());
    let pending = sim.joined(first).member_id;
    assert_eq!(sim.leave(&pending, None), ErrorCode::NONE);
    assert_eq!(sim.state(), "Stable");
    assert_eq!(sim.leave(&pending, None), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn leaving_a_group_that_is_not_there() {
    let mut sim = Sim::new();
    assert_eq!(sim.leave("m", None), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_leaving_member_has_its_parked_requests_answered() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer()]);
    let parked = sim.join(consumer().id(&ids[0]));
    assert!(sim.is_parked(parked));
    sim.leave(&ids[0], None);
    assert_eq!(sim.joined(parked).error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn connect_groups_work_with_opaque_metadata() {
    let mut sim = Sim::new();
    let worker = consumer()
        .protocol_type("connect")
        .protocols(&["sessioned", "compatible"]);
    let (one, ticket) = sim.join_twice(worker);
    let joined = sim.joined(ticket);
    assert_eq!(joined.protocol_type.as_deref(), Some("connect"));
    assert_eq!(joined.protocol_name.as_deref(), Some("sessioned"));
    let request = crate::group::request::SyncRequest {
        claim: claim(&one, 1),
        protocol_type: Some("connect".to_owned()),
        protocol_name: Some("sessioned".to_owned()),
        assignments: vec![(one.clone(), bytes::Bytes::from_static(b"\x00\x02opaque"))],
    };
    let synced = sim.sync_as(request);
    sim.store();
    assert_eq!(sim.synced(synced).assignment, &b"\x00\x02opaque"[..]);
    let described = sim.coordinator.describe(GROUP).unwrap();
    assert_eq!(
        (described.protocol_type.as_str(), described.protocol.as_str()),
        ("connect", "sessioned")
    );
}

#[test]
fn descriptions_show_metadata_only_when_stable() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer()]);
    let stable = sim.coordinator.describe(GROUP).unwrap();
    assert_eq!(stable.protocol, "range");
    assert_eq!(stable.members[0].member_id, ids[0]);
    assert_eq!(stable.members[0].assignment, "share");
    assert!(!stable.members[0].metadata.is_empty());
    sim.join_twice(consumer());
    let preparing = sim.coordinator.describe(GROUP).unwrap();
    assert_eq!(
        (preparing.state, preparing.protocol.as_str()),
        ("PreparingRebalance", "")
    );
    assert!(preparing.members.iter().all(|member| member.assignment.is_empty()));
    assert_eq!(sim.coordinator.describe("other"), None);
}

#[test]
fn groups_survive_a_restart_with_their_members() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer().instance("i")]);
    sim.commit(claim(&ids[0], sim.generation()), &[("t", 0, 5)]);
    sim.store();
    let mut after = sim.reloaded();
    assert_eq!(after.coordinator.describe(GROUP), sim.coordinator.describe(GROUP));
    assert_eq!(after.offset("t", 0), Some(5));
    assert_eq!(after.heartbeat(&ids[0], sim.generation()), ErrorCode::NONE);
    let late = after.sync(&ids[0], sim.generation(), &[]);
    assert_eq!(after.synced(late).assignment, "share");
    after.pass(i64::from(SESSION_MS));
    assert_eq!(after.state(), "Empty");
}
