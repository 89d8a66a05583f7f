//! Offsets committed in transactions

use weir_protocol::error_code::ErrorCode;

use super::sim::*;
use crate::group::request::{CommitRequest, TransactionWriter};
use crate::transaction::request::{Producer, Verdict};

const PRODUCER: i64 = 7;

fn commit_in(sim: &mut Sim, producer_id: i64, topic: &str, offset: i64) -> Vec<ErrorCode> {
    let ticket = sim.commit_as(CommitRequest {
        claim: claim("", -1),
        retention_ms: None,
        offsets: vec![to_commit(topic, 0, offset)],
        writer: Some(TransactionWriter {
            transactional_id: "t".to_owned(),
            producer: Producer {
                id: producer_id,
                epoch: 0,
            },
        }),
    });
    sim.store();
    sim.committed(ticket)
}

fn end(sim: &mut Sim, producer_id: i64, verdict: Verdict) {
    sim.coordinator.transaction_ended(producer_id, verdict, |_| true);
}

fn is_unstable(sim: &Sim, topic: &str) -> bool {
    let known = sim.coordinator.offsets(GROUP);
    known.is_some_and(|known| known.is_unstable(topic, 0))
}

#[test]
fn offsets_count_with_the_commit_marker_and_go_with_an_abort() {
    for (verdict, left) in [(Verdict::Commit, Some(9)), (Verdict::Abort, Some(5))] {
        let mut sim = Sim::new();
        sim.commit_simple(&[("a", 0, 5)]);
        assert_eq!(commit_in(&mut sim, PRODUCER, "a", 9), [ErrorCode::NONE]);
        assert_eq!((sim.offset("a", 0), is_unstable(&sim, "a")), (Some(5), true));
        end(&mut sim, PRODUCER + 1, verdict);
        assert!(is_unstable(&sim, "a"), "another producer's marker");
        sim.coordinator.transaction_ended(PRODUCER, verdict, |_| false);
        assert!(is_unstable(&sim, "a"), "another partition's marker");
        end(&mut sim, PRODUCER, verdict);
        assert_eq!((sim.offset("a", 0), is_unstable(&sim, "a")), (left, false));
    }
}

#[test]
fn a_group_with_nothing_but_waiting_offsets_is_kept_until_they_go() {
    let mut sim = Sim::new();
    commit_in(&mut sim, PRODUCER, "a", 9);
    sim.pass(10_000_000_000);
    sim.expire_offsets();
    sim.store();
    assert!(is_unstable(&sim, "a"));
    end(&mut sim, PRODUCER, Verdict::Abort);
    assert!(sim.coordinator.is_empty());
}

#[test]
fn a_later_plain_commit_wins_over_a_waiting_one() {
    let mut sim = Sim::new();
    commit_in(&mut sim, PRODUCER, "a", 9);
    sim.commit_simple(&[("a", 0, 20)]);
    end(&mut sim, PRODUCER, Verdict::Commit);
    assert_eq!((sim.offset("a", 0), is_unstable(&sim, "a")), (Some(20), false));
}

#[test]
fn waiting_offsets_are_read_back() {
    let mut sim = Sim::new();
    let records = {
        commit_in(&mut sim, PRODUCER, "a", 9);
        sim.log.clone()
    };
    let mut sim = Sim::new();
    for record in &records {
        let value = record.value.as_deref();
        sim.coordinator.replay(&record.key, value, Some(PRODUCER)).unwrap();
    }
    assert_eq!((sim.offset("a", 0), is_unstable(&sim, "a")), (None, true));
    end(&mut sim, PRODUCER, Verdict::Commit);
    assert_eq!(sim.offset("a", 0), Some(9));
}

#[test]
fn a_member_of_another_generation_is_refused() {
    let mut sim = Sim::new();
    let ticket = sim.commit_as(CommitRequest {
        claim: claim("m", 3),
        retention_ms: None,
        offsets: vec![to_commit("a", 0, 1)],
        writer: Some(TransactionWriter {
            transactional_id: "t".to_owned(),
            producer: Producer { id: 1, epoch: 0 },
        }),
    });
    assert_eq!(sim.committed(ticket), [ErrorCode::ILLEGAL_GENERATION]);
}
