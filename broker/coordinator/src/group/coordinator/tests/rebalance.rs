//! Who is waited for, for how long, and what is agreed on.

use weir_protocol::error_code::ErrorCode;

use super::sim::*;
use crate::group::coordinator::CoordinatorSettings;

fn gathering(delay_ms: i32) -> CoordinatorSettings {
    let mut settings = settings();
    settings.groups.initial_rebalance_delay_ms = delay_ms;
    settings
}

#[test]
fn an_empty_group_gathers_for_the_delay() {
    let mut sim = Sim::with(gathering(3_000));
    let (_, ticket) = sim.join_twice(consumer());
    sim.pass(2_999);
    assert!(sim.is_parked(ticket));
    sim.pass(1);
    assert_eq!(sim.joined(ticket).generation, 1);
}

#[test]
fn newcomers_prolong_the_gathering_up_to_the_rebalance_timeout() {
    let mut sim = Sim::with(gathering(3_000));
    let (_, first) = sim.join_twice(consumer().rebalance_ms(8_000));
    for _ in 0..4 {
        sim.pass(2_000);
        sim.join_twice(consumer().rebalance_ms(8_000));
    }
    // 3 s, prolonged by 3 s and then by the 2 s that are left.
    assert_eq!(sim.now.mono_ms, 8_000);
    assert!(!sim.is_parked(first));
    assert_eq!(sim.joined(first).members.len(), 4);
}

#[test]
fn a_gathering_without_newcomers_is_not_prolonged() {
    let mut sim = Sim::with(gathering(3_000));
    let (_, first) = sim.join_twice(consumer());
    let (_, second) = sim.join_twice(consumer());
    sim.pass(3_000);
    assert!(sim.is_parked(first), "the second member prolongs once");
    sim.pass(3_000);
    assert_eq!(sim.joined(first).members.len(), 2);
    assert_eq!(sim.joined(second).generation, 1);
}

#[test]
fn the_missing_are_dropped_at_the_rebalance_timeout() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer()]);
    let generation = sim.generation();
    let back = sim.join(consumer().id(&ids[0]));
    // It beats but never joins.
    for _ in 0..REBALANCE_MS / 5_000 - 1 {
        sim.pass(5_000);
        assert_eq!(sim.heartbeat(&ids[1], generation), ErrorCode::REBALANCE_IN_PROGRESS);
    }
    assert!(sim.is_parked(back));
    sim.pass(5_000);
    let joined = sim.joined(back);
    assert_eq!((joined.generation, joined.members.len()), (generation + 1, 1));
    assert_eq!(sim.heartbeat(&ids[1], generation), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn parked_members_outlive_their_session() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer().session_ms(600_000)]);
    let back = sim.join(consumer().id(&ids[0]));
    sim.pass(i64::from(SESSION_MS) * 2);
    assert!(sim.is_parked(back));
    let other = sim.join(consumer().session_ms(600_000).id(&ids[1]));
    assert_eq!(sim.joined(back).error, ErrorCode::NONE);
    assert_eq!(sim.joined(other).error, ErrorCode::NONE);
}

#[test]
fn a_new_member_nobody_waits_for_any_more_is_given_up_after_five_minutes() {
    let mut sim = Sim::new();
    let patient = || consumer().session_ms(1_800_000).rebalance_ms(1_800_000);
    let ids = sim.stable(&[patient()]);
    let (_, newcomer) = sim.join_twice(patient());
    sim.pass(299_999);
    assert!(sim.is_parked(newcomer));
    sim.pass(1);
    assert_eq!(sim.joined(newcomer).error, ErrorCode::UNKNOWN_MEMBER_ID);
    let back = sim.join(patient().id(&ids[0]));
    assert_eq!(sim.joined(back).members.len(), 1);
}

#[test]
fn ids_given_out_are_waited_for_until_they_lapse() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer().session_ms(60_000)]);
    sim.join(consumer());
    let back = sim.join(consumer().session_ms(60_000).id(&ids[0]));
    assert!(sim.is_parked(back), "the newcomer may still come");
    sim.pass(i64::from(SESSION_MS));
    assert_eq!(sim.joined(back).members.len(), 1);
}

#[test]
fn members_that_never_sync_are_dropped() {
    let mut sim = Sim::new();
    let (one, _) = sim.join_twice(consumer().session_ms(600_000));
    let (two, _) = sim.join_twice(consumer().session_ms(600_000));
    sim.join(consumer().session_ms(600_000).id(&one));
    sim.sync(&one, 2, &[(&one, "a"), (&two, "b")]);
    sim.store();
    assert_eq!(sim.state(), "Stable");
    sim.pass(i64::from(REBALANCE_MS));
    assert_eq!(sim.heartbeat(&two, 2), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(sim.heartbeat(&one, 2), ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn a_rebalance_sends_waiting_followers_back() {
    let mut sim = Sim::new();
    let (one, _) = sim.join_twice(consumer());
    let (two, _) = sim.join_twice(consumer());
    sim.join(consumer().id(&one));
    let follower = sim.sync(&two, 2, &[]);
    sim.join_twice(consumer());
    assert_eq!(sim.synced(follower).error, ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn assignments_stored_too_late_reach_nobody() {
    let mut sim = Sim::new();
    let (one, _) = sim.join_twice(consumer());
    let leader = sim.sync(&one, 1, &[(&one, "a")]);
    sim.join_twice(consumer());
    assert_eq!(sim.synced(leader).error, ErrorCode::REBALANCE_IN_PROGRESS);
    sim.store();
    assert_eq!(sim.state(), "PreparingRebalance");
}

#[test]
fn unchanged_followers_get_the_current_generation_again() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer()]);
    let generation = sim.generation();
    let follower = sim.join(consumer().id(&ids[1]));
    assert_eq!(sim.joined(follower).generation, generation);
    assert_eq!(sim.state(), "Stable");
    let changed = sim.join(consumer().topics(&["t", "u"]).id(&ids[1]));
    assert!(sim.is_parked(changed));
    assert_eq!(sim.state(), "PreparingRebalance");
}

#[test]
fn a_leader_that_joins_again_rebalances() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer()]);
    let leader = sim.join(consumer().id(&ids[0]));
    assert!(sim.is_parked(leader));
    assert_eq!(sim.state(), "PreparingRebalance");
}

#[test]
fn a_lost_join_reply_is_told_again() {
    let mut sim = Sim::new();
    let (one, _) = sim.join_twice(consumer());
    let again = sim.join(consumer().id(&one));
    let reply = sim.joined(again);
    assert_eq!((reply.generation, reply.members.len()), (1, 1));
    let changed = sim.join(consumer().topics(&["u"]).id(&one));
    assert_eq!(sim.joined(changed).generation, 2);
}

#[test]
fn a_second_join_replaces_the_parked_one() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer(), consumer()]);
    let first = sim.join(consumer().id(&ids[0]));
    let second = sim.join(consumer().id(&ids[0]));
    assert_eq!(sim.joined(first).error, ErrorCode::REBALANCE_IN_PROGRESS);
    assert!(sim.is_parked(second));
}

#[test]
fn the_protocol_with_most_votes_wins() {
    let cases: [(&[&[&str]], &str); 4] = [
        (&[&["a", "b"], &["a", "b"]], "a"),
        (&[&["a", "b"], &["b", "a"], &["b", "a"]], "b"),
        (&[&["a", "b"], &["c", "b"]], "b"),
        (&[&["x", "a", "b"], &["a", "b"], &["y", "a", "b"]], "a"),
    ];
    for (members, expected) in cases {
        let mut sim = Sim::new();
        let joiners: Vec<Joiner> = members.iter().map(|names| consumer().protocols(names)).collect();
        sim.stable(&joiners);
        let chosen = sim.coordinator.describe(GROUP).unwrap().protocol;
        assert_eq!(chosen, expected, "{members:?}");
    }
}

#[test]
fn full_groups_refuse_newcomers() {
    let mut full = settings();
    full.groups.max_members = 2;
    let mut sim = Sim::with(full);
    let ids = sim.stable(&[consumer(), consumer()]);
    let third = sim.join(consumer());
    assert_eq!(sim.joined(third).error, ErrorCode::GROUP_MAX_SIZE_REACHED);
    // While members join again, those who come first get the places.
    sim.join(consumer().id(&ids[0]));
    let (_, newcomer) = sim.join_twice(consumer());
    let late = sim.join(consumer().id(&ids[1]));
    assert_eq!(sim.joined(late).error, ErrorCode::GROUP_MAX_SIZE_REACHED);
    assert!(sim.is_parked(newcomer));
}

#[test]
fn generations_go_on_counting_after_the_group_was_empty() {
    let mut sim = Sim::new();
    let ids = sim.stable(&[consumer()]);
    sim.leave(&ids[0], None);
    sim.store();
    let mut after = sim.reloaded();
    let (_, ticket) = after.join_twice(consumer());
    assert_eq!(after.joined(ticket).generation, 3);
}
