//! Answers by state, as Kafka gives them

use weir_protocol::error_code::ErrorCode;

use super::sim::{ID, Sim, partition, producer};
use crate::transaction::effect::Reply;
use crate::transaction::request::{InitRequest, Verdict};
use crate::transaction::state::State;

/// A producer with a partition in its transaction.
fn ongoing() -> (Sim, crate::transaction::request::Producer) {
    let mut sim = Sim::new();
    let started = sim.init(None).unwrap();
    assert_eq!(sim.add(started, &[partition("a", 0)]), ErrorCode::NONE);
    (sim, started)
}

#[test]
fn a_producer_commits_and_begins_again_in_its_epoch() {
    let (mut sim, started) = ongoing();
    assert_eq!((started.id, started.epoch), (100, 0));
    assert_eq!(sim.may_write(started, &partition("a", 0)), Ok(()));
    assert_eq!(sim.end(started, Verdict::Commit), ErrorCode::NONE);
    assert_eq!(sim.state(), Some(State::PrepareCommit));
    let markers = sim.mark_one(true).unwrap();
    assert_eq!((markers.producer, markers.verdict), (started, Verdict::Commit));
    assert_eq!(markers.partitions, [partition("a", 0)]);
    assert_eq!(sim.state(), Some(State::PrepareCommit), "until it is stored");
    sim.store();
    assert_eq!(sim.state(), Some(State::CompleteCommit));
    assert_eq!(sim.add(started, &[partition("b", 1)]), ErrorCode::NONE);
    assert_eq!(sim.end(started, Verdict::Abort), ErrorCode::NONE);
    assert_eq!(sim.mark_one(true).unwrap().partitions, [partition("b", 1)]);
}

#[test]
fn ends_by_state() {
    let commit = |sim: &mut Sim, producer| sim.end(producer, Verdict::Commit);
    let abort = |sim: &mut Sim, producer| sim.end(producer, Verdict::Abort);
    let mut sim = Sim::new();
    let started = sim.init(None).unwrap();
    assert_eq!(commit(&mut sim, started), ErrorCode::INVALID_TXN_STATE);
    for (first, other) in [(Verdict::Commit, Verdict::Abort), (Verdict::Abort, Verdict::Commit)] {
        let (mut sim, started) = ongoing();
        assert_eq!(sim.end(started, first), ErrorCode::NONE);
        assert_eq!(sim.end(started, first), ErrorCode::CONCURRENT_TRANSACTIONS);
        assert_eq!(sim.end(started, other), ErrorCode::INVALID_TXN_STATE);
        sim.settle();
        assert_eq!(sim.end(started, first), ErrorCode::NONE, "a repetition");
        assert_eq!(sim.end(started, other), ErrorCode::INVALID_TXN_STATE);
    }
    let (mut sim, started) = ongoing();
    let older = producer(started.id, started.epoch - 1);
    assert_eq!(commit(&mut sim, older), ErrorCode::PRODUCER_FENCED);
    let newer = producer(started.id, started.epoch + 1);
    assert_eq!(abort(&mut sim, newer), ErrorCode::PRODUCER_FENCED);
    let other = producer(started.id + 1, started.epoch);
    assert_eq!(abort(&mut sim, other), ErrorCode::INVALID_PRODUCER_ID_MAPPING);
}

#[test]
fn partitions_by_state() {
    let (mut sim, started) = ongoing();
    let a = partition("a", 0);
    assert_eq!(sim.add(started, std::slice::from_ref(&a)), ErrorCode::NONE);
    assert!(
        sim.stores.is_empty() && sim.log.len() == 2,
        "what is there is not written again"
    );
    let waiting = sim.ask_add(started, &[partition("b", 0)]);
    let meanwhile = sim.ask_add(started, &[partition("c", 0)]);
    assert_eq!(sim.done(meanwhile), ErrorCode::CONCURRENT_TRANSACTIONS);
    assert_eq!(
        sim.may_write(started, &a),
        Ok(()),
        "adding one does not stop the others"
    );
    sim.store();
    assert_eq!(sim.done(waiting), ErrorCode::NONE);
    assert_eq!(
        sim.may_write(started, &partition("c", 0)),
        Err(ErrorCode::TRANSACTION_ABORTABLE)
    );
    let zombie = producer(started.id, started.epoch - 1);
    assert_eq!(sim.add(zombie, std::slice::from_ref(&a)), ErrorCode::PRODUCER_FENCED);
    assert_eq!(sim.may_write(zombie, &a), Err(ErrorCode::INVALID_PRODUCER_EPOCH));
    let ending = sim.ask_end(started, Verdict::Commit);
    assert_eq!(
        sim.may_write(started, &a),
        Err(ErrorCode::CONCURRENT_TRANSACTIONS),
        "a decision is on its way"
    );
    sim.store();
    assert_eq!(sim.done(ending), ErrorCode::NONE);
    assert_eq!(
        sim.add(started, std::slice::from_ref(&a)),
        ErrorCode::CONCURRENT_TRANSACTIONS
    );
    assert_eq!(sim.may_write(started, &a), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
    sim.settle();
    assert_eq!(sim.may_write(started, &a), Err(ErrorCode::TRANSACTION_ABORTABLE));
    let unknown = sim.ask(|coordinator, ticket, now_ms, effects| {
        coordinator.add_partitions("u", started, vec![a.clone()], ticket, now_ms, effects);
    });
    assert_eq!(sim.done(unknown), ErrorCode::INVALID_PRODUCER_ID_MAPPING);
}

#[test]
fn a_second_producer_fences_the_first_and_aborts_its_transaction() {
    let (mut sim, first) = ongoing();
    assert_eq!(
        sim.init(None),
        Err(ErrorCode::CONCURRENT_TRANSACTIONS),
        "the abort comes first"
    );
    assert_eq!(sim.state(), Some(State::CompleteAbort));
    let fenced = sim.coordinator.describe(ID).unwrap().epoch;
    let second = sim.init(None).unwrap();
    assert_eq!((second.id, second.epoch), (first.id, fenced + 1));
    assert_eq!(fenced, first.epoch + 1, "the marker fences the first");
    for code in [sim.end(first, Verdict::Commit), sim.add(first, &[partition("a", 0)])] {
        assert_eq!(code, ErrorCode::PRODUCER_FENCED);
    }
}

#[test]
fn the_fencing_marker_carries_the_risen_epoch() {
    let (mut sim, first) = ongoing();
    sim.ask_init(None);
    sim.store();
    let markers = sim.mark_one(true).unwrap();
    assert_eq!(markers.producer, producer(first.id, first.epoch + 1));
    assert_eq!(markers.verdict, Verdict::Abort);
}

#[test]
fn a_failed_fence_raises_the_epoch_once() {
    let (mut sim, first) = ongoing();
    for _ in 0..5 {
        let ticket = sim.ask_init(None);
        sim.store_one(Err(ErrorCode::KAFKA_STORAGE_ERROR));
        let refused = Reply::Init(Err(ErrorCode::NOT_COORDINATOR));
        assert_eq!(sim.reply(ticket), Some(refused));
    }
    assert_eq!(sim.coordinator.describe(ID).unwrap().epoch, first.epoch + 1);
    assert_eq!(sim.state(), Some(State::Ongoing));
}

#[test]
fn a_producer_goes_on_after_an_error_by_itself() {
    let mut sim = Sim::new();
    let first = sim.init(None).unwrap();
    let second = sim.init(Some(first)).unwrap();
    assert_eq!(second, producer(first.id, first.epoch + 1));
    assert_eq!(sim.init(Some(first)), Ok(second), "a repetition gets the same answer");
    assert_eq!(sim.init(Some(second)), Ok(producer(first.id, 2)));
    assert_eq!(sim.init(Some(first)), Err(ErrorCode::PRODUCER_FENCED));
    assert_eq!(
        sim.init(Some(producer(first.id + 1, 2))),
        Err(ErrorCode::PRODUCER_FENCED)
    );
}

#[test]
fn epochs_run_out_and_the_id_changes() {
    let mut sim = Sim::new();
    let mut current = sim.init(None).unwrap();
    while current.epoch < i16::MAX - 1 {
        current = sim.init(Some(current)).unwrap();
    }
    let next = sim.init(Some(current)).unwrap();
    assert_ne!(next.id, current.id);
    assert_eq!(next.epoch, 0);
    assert_eq!(sim.init(Some(current)), Ok(next), "a repetition across the change");
    assert_eq!(sim.coordinator.describe(ID).unwrap().previous_producer_id, current.id);
}

#[test]
fn an_id_is_asked_for_only_when_it_is_needed() {
    let mut sim = Sim::new();
    let mut request = InitRequest {
        transactional_id: ID.to_owned(),
        timeout_ms: 10_000,
        expected: None,
        fresh_id: None,
    };
    let ask = |sim: &mut Sim, request: &InitRequest| {
        let ticket = sim.ask(|coordinator, ticket, now_ms, effects| coordinator.init(request, ticket, now_ms, effects));
        sim.settle();
        sim.reply(ticket).unwrap()
    };
    assert_eq!(ask(&mut sim, &request), Reply::NeedsId);
    request.fresh_id = Some(7);
    assert_eq!(ask(&mut sim, &request), Reply::Init(Ok(producer(7, 0))));
    request.fresh_id = None;
    assert_eq!(ask(&mut sim, &request), Reply::Init(Ok(producer(7, 1))));
    for (timeout_ms, id, code) in [
        (0, ID, ErrorCode::INVALID_TRANSACTION_TIMEOUT),
        (60_001, ID, ErrorCode::INVALID_TRANSACTION_TIMEOUT),
        (1, "", ErrorCode::INVALID_REQUEST),
    ] {
        request.timeout_ms = timeout_ms;
        id.clone_into(&mut request.transactional_id);
        assert_eq!(ask(&mut sim, &request), Reply::Init(Err(code)));
    }
}

#[test]
fn a_transaction_that_runs_out_is_aborted_over_its_producers_head() {
    let (mut sim, started) = ongoing();
    sim.now_ms += 10_000;
    sim.tick();
    assert!(sim.stores.is_empty(), "not before its time");
    sim.now_ms += 1;
    sim.tick();
    sim.settle();
    assert_eq!(sim.state(), Some(State::CompleteAbort));
    assert_eq!(sim.end(started, Verdict::Commit), ErrorCode::PRODUCER_FENCED);
}

#[test]
fn unused_ids_are_forgotten() {
    let (mut sim, started) = ongoing();
    assert_eq!(sim.end(started, Verdict::Commit), ErrorCode::NONE);
    sim.settle();
    sim.now_ms += 999_999;
    sim.tick();
    assert!(sim.stores.is_empty());
    sim.now_ms += 1;
    sim.tick();
    assert_eq!(
        sim.init(None),
        Err(ErrorCode::CONCURRENT_TRANSACTIONS),
        "it is being forgotten"
    );
    assert_eq!(sim.state(), None);
    assert!(sim.log.last().unwrap().value.is_none());
    assert_eq!(sim.init(None).unwrap().epoch, 0);
}

#[test]
fn a_decision_survives_a_crash_and_is_carried_through() {
    let (mut sim, started) = ongoing();
    assert_eq!(sim.end(started, Verdict::Commit), ErrorCode::NONE);
    let mut sim = sim.crashed();
    assert_eq!(sim.end(started, Verdict::Commit), ErrorCode::CONCURRENT_TRANSACTIONS);
    let markers = sim.mark_one(true).unwrap();
    assert_eq!((markers.verdict, markers.partitions.len()), (Verdict::Commit, 1));
    sim.store();
    assert_eq!(sim.state(), Some(State::CompleteCommit));
    assert!(sim.crashed().marks.is_empty(), "what is complete is not marked again");
}

#[test]
fn markers_that_cannot_be_written_are_tried_again() {
    let (mut sim, started) = ongoing();
    assert_eq!(sim.end(started, Verdict::Abort), ErrorCode::NONE);
    let _ = sim.mark_one(false);
    assert!(sim.marks.is_empty() && sim.stores.is_empty());
    sim.tick();
    let _ = sim.mark_one(true).unwrap();
    sim.store_one(Err(ErrorCode::KAFKA_STORAGE_ERROR));
    assert_eq!(sim.state(), Some(State::PrepareAbort));
    sim.tick();
    sim.tick();
    assert_eq!(sim.marks.len(), 1, "once at a time");
    sim.settle();
    assert_eq!(sim.state(), Some(State::CompleteAbort));
}
