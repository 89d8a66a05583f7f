//! Members with an instance id (KIP-345, KIP-814).

use weir_protocol::error_code::ErrorCode;

use super::sim::*;
use crate::group::request::MemberClaim;

#[test]
fn a_static_member_joins_in_one_step() {
    let mut sim = Sim::new();
    let ticket = sim.join(consumer().instance("i"));
    let reply = sim.joined(ticket);
    assert_eq!(reply.error, ErrorCode::NONE);
    assert!(reply.member_id.starts_with("i-uuid"), "{}", reply.member_id);
    assert_eq!(reply.members[0].instance_id.as_deref(), Some("i"));
}

#[test]
fn a_static_follower_comes_back_without_a_rebalance() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer().instance("i")]);
    let generation = sim.generation();
    let back = sim.join(consumer().instance("i"));
    assert!(sim.is_parked(back), "the new id is stored first");
    sim.store();
    let reply = sim.joined(back);
    assert_eq!((reply.error, reply.generation), (ErrorCode::NONE, generation));
    assert_ne!(reply.member_id, ids[1]);
    assert!(!reply.skip_assignment);
    assert_eq!(sim.state(), "Stable");
    let synced = sim.sync(&reply.member_id, generation, &[]);
    assert_eq!(sim.synced(synced).assignment, "share");
    assert_eq!(sim.heartbeat(&reply.member_id, generation), ErrorCode::NONE);
    let described = sim.reloaded().coordinator.describe(GROUP).unwrap();
    assert!(
        described
            .members
            .iter()
            .any(|member| member.member_id == reply.member_id)
    );
}

#[test]
fn the_former_self_is_fenced() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer().instance("i")]);
    let generation = sim.generation();
    sim.join(consumer().instance("i"));
    sim.store();
    let former = MemberClaim {
        instance_id: Some("i".to_owned()),
        ..claim(&ids[0], generation)
    };
    let code = sim.coordinator.heartbeat(GROUP, &former, sim.now);
    assert_eq!(code, ErrorCode::FENCED_INSTANCE_ID);
    let rejoin = sim.join(consumer().instance("i").id(&ids[0]));
    assert_eq!(sim.joined(rejoin).error, ErrorCode::FENCED_INSTANCE_ID);
    let ticket = sim.commit(former, &[("t", 0, 1)]);
    assert_eq!(sim.committed(ticket), [ErrorCode::FENCED_INSTANCE_ID]);
    let stranger = sim.join(consumer().instance("other").id(&ids[0]));
    assert_eq!(sim.joined(stranger).error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_static_leader_is_told_to_skip_the_assignment() {
    let mut sim = Sim::new();
    sim.stable(&[consumer().instance("i"), consumer()]);
    let back = sim.join(consumer().instance("i"));
    sim.store();
    let reply = sim.joined(back);
    assert!(reply.skip_assignment);
    assert_eq!(reply.leader, reply.member_id);
    assert_eq!(reply.members.len(), 2);
}

#[test]
fn an_older_static_leader_is_told_that_its_former_self_leads() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer().instance("i"), consumer()]);
    let back = sim.join(consumer().instance("i").before_v9());
    sim.store();
    let reply = sim.joined(back);
    assert!(!reply.skip_assignment);
    assert_eq!(reply.leader, ids[0]);
    assert!(reply.members.is_empty());
}

#[test]
fn a_return_that_cannot_be_stored_is_taken_back() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer().instance("i")]);
    let generation = sim.generation();
    let back = sim.join(consumer().instance("i"));
    sim.store_one(Err(ErrorCode::REQUEST_TIMED_OUT));
    assert_eq!(sim.joined(back).error, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!(sim.heartbeat(&ids[1], generation), ErrorCode::NONE);
}

#[test]
fn a_static_member_with_other_protocols_rebalances() {
    let mut sim = Sim::new();
    sim.stable(&[consumer().instance("i")]);
    let back = sim.join(consumer().instance("i").protocols(&["sticky"]));
    let reply = sim.joined(back);
    assert_eq!(reply.protocol_name.as_deref(), Some("sticky"));
    assert_eq!(sim.state(), "CompletingRebalance");
}

#[test]
fn an_absent_static_member_keeps_its_place_until_its_session_ends() {
    let mut sim = Sim::new();
    let long = consumer().instance("i").session_ms(200_000);
    let ids = sim.stable(&[consumer(), long]);
    let back = sim.join(consumer().id(&ids[0]));
    sim.pass(i64::from(REBALANCE_MS));
    let reply = sim.joined(back);
    assert_eq!(reply.members.len(), 2, "the static member is still assigned to");
}

#[test]
fn a_rebalance_nobody_joins_waits_for_the_static_members() {
    let mut sim = Sim::new();
    let long = consumer().instance("i").session_ms(200_000);
    let ids = sim.stable(&[consumer(), long]);
    let generation = sim.generation();
    sim.leave(&ids[0], None);
    sim.pass(i64::from(REBALANCE_MS) * 2);
    assert_eq!(sim.state(), "PreparingRebalance");
    let instance = MemberClaim {
        instance_id: Some("i".to_owned()),
        ..claim(&ids[1], generation)
    };
    assert_eq!(
        sim.coordinator.heartbeat(GROUP, &instance, sim.now),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    sim.pass(200_000);
    assert_eq!(sim.state(), "Empty");
}

#[test]
fn admins_remove_static_members_by_instance_id() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer().instance("i")]);
    let cases = [
        (("", Some("nobody")), ErrorCode::UNKNOWN_MEMBER_ID),
        (("stranger", Some("i")), ErrorCode::FENCED_INSTANCE_ID),
        (("", Some("i")), ErrorCode::NONE),
        ((ids[0].as_str(), Some("i")), ErrorCode::UNKNOWN_MEMBER_ID),
    ];
    for ((member_id, instance), code) in cases {
        assert_eq!(sim.leave(member_id, instance), code, "{member_id} {instance:?}");
    }
    assert_eq!(sim.state(), "Empty");
}

#[test]
fn a_return_during_a_rebalance_joins_it() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer().instance("i")]);
    let first = sim.join(consumer().id(&ids[0]));
    let parked = sim.join(consumer().instance("i"));
    let (one, two) = (sim.joined(first), sim.joined(parked));
    assert_eq!(one.generation, two.generation);
    assert_eq!(one.members.len(), 2);
}
