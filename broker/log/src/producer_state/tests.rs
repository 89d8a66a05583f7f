//! Sequence rules, transactions and snapshots of producers

use weir_protocol::records::batch::Attributes;

use super::*;

fn header(epoch: i16, base_sequence: i32, count: i32, base_offset: i64) -> BatchHeader {
    BatchHeader {
        base_offset,
        batch_length: 49,
        partition_leader_epoch: 0,
        crc: 0,
        attributes: Attributes(0),
        last_offset_delta: count - 1,
        base_timestamp: 0,
        max_timestamp: base_offset,
        producer_id: 7,
        producer_epoch: epoch,
        base_sequence,
        records_count: count,
    }
}

fn state(batches: &[(i16, i32, i32)]) -> ProducerState {
    let mut state = ProducerState::default();
    let mut offset = 100;
    for (epoch, sequence, count) in batches {
        state.update(&header(*epoch, *sequence, *count, offset), None);
        offset += i64::from(*count);
    }
    state
}

#[derive(Debug, PartialEq)]
enum Answer {
    Append,
    Duplicate(i64),
    Epoch,
    Expected(i32),
}

fn judge(state: &ProducerState, epoch: i16, sequence: i32, count: i32) -> Answer {
    match state.check(&header(epoch, sequence, count, 0)) {
        Ok(Verdict::Append) => Answer::Append,
        Ok(Verdict::Duplicate(old)) => Answer::Duplicate(old.base_offset()),
        Err(LogError::OutOfOrderSequence { expected, .. }) => Answer::Expected(expected),
        Err(LogError::ProducerEpoch { .. }) => Answer::Epoch,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn rules_of_spec_d4() {
    let seven: Vec<_> = (0..7).map(|at| (1, at * 2, 2)).collect();
    let known = state(&seven);
    for (name, answer, expected) in [
        ("successor", judge(&known, 1, 14, 3), Answer::Append),
        ("newest again", judge(&known, 1, 12, 2), Answer::Duplicate(112)),
        ("fifth newest again", judge(&known, 1, 4, 2), Answer::Duplicate(104)),
        ("sixth newest again", judge(&known, 1, 2, 2), Answer::Expected(14)),
        (
            "same start, other length",
            judge(&known, 1, 12, 1),
            Answer::Expected(14),
        ),
        ("gap", judge(&known, 1, 15, 1), Answer::Expected(14)),
        ("old epoch", judge(&known, 0, 14, 1), Answer::Epoch),
        ("new epoch at 0", judge(&known, 2, 0, 1), Answer::Append),
        ("new epoch elsewhere", judge(&known, 2, 14, 1), Answer::Expected(0)),
        (
            "unknown producer",
            judge(&ProducerState::default(), 3, 999, 1),
            Answer::Append,
        ),
    ] {
        assert_eq!(answer, expected, "{name}");
    }
}

#[test]
fn sequences_wrap_and_repeat_across_the_wrap() {
    let known = state(&[(0, i32::MAX - 1, 4)]);
    assert_eq!(judge(&known, 0, 2, 1), Answer::Append);
    assert_eq!(judge(&known, 0, i32::MAX - 1, 4), Answer::Duplicate(100));
}

#[test]
fn a_producer_with_only_a_marker_may_start_anywhere() {
    let mut marker = header(4, -1, 1, 50);
    marker.attributes = Attributes(0x30);
    let mut known = ProducerState::default();
    let end = TransactionEnd {
        marker: Marker::Commit,
        coordinator_epoch: 1,
    };
    assert_eq!(known.end(&marker, end, None), None);
    assert_eq!(judge(&known, 4, 33, 1), Answer::Append);
    assert_eq!(judge(&known, 3, 33, 1), Answer::Epoch);
}

#[test]
fn snapshots_keep_all_five_batches() {
    let known = state(&[(1, 0, 2), (1, 2, 2), (1, 4, 1), (1, 5, 1), (1, 6, 3), (1, 9, 1)]);
    let bytes = known.encode_snapshot();
    assert_eq!(bytes.len(), 2 + 4 + 4 + 5 * 46);
    assert_eq!(ProducerState::decode_snapshot(&bytes), Some(known));
    for at in 0..bytes.len() {
        let mut torn = bytes.clone();
        torn[at] ^= 1;
        assert_eq!(ProducerState::decode_snapshot(&torn), None, "byte {at}");
        assert_eq!(ProducerState::decode_snapshot(&bytes[..at]), None, "cut at {at}");
    }
}

#[test]
fn idle_producers_expire() {
    let mut known = state(&[(0, 0, 1)]);
    // The clock starts at the first look, not at the record's own time.
    known.expire(1_000_000, 50);
    known.expire(1_000_049, 50);
    assert_eq!(known.iter().count(), 1);
    known.expire(1_000_050, 50);
    assert_eq!(known.iter().count(), 0);
}

fn transactional(producer_id: i64, base_offset: i64, sequence: i32) -> BatchHeader {
    BatchHeader {
        producer_id,
        attributes: Attributes(0x10),
        ..header(0, sequence, 1, base_offset)
    }
}

fn end_of(producer_id: i64, epoch: i16, offset: i64) -> BatchHeader {
    BatchHeader {
        producer_id,
        attributes: Attributes(0x30),
        ..header(epoch, -1, 1, offset)
    }
}

fn with(marker: Marker, coordinator_epoch: i32) -> TransactionEnd {
    TransactionEnd {
        marker,
        coordinator_epoch,
    }
}

#[test]
fn the_oldest_open_transaction_bounds_what_is_stable() {
    let mut state = ProducerState::default();
    assert_eq!(state.first_unstable_offset(), None);
    state.update(&transactional(1, 10, 0), None);
    state.update(&transactional(2, 11, 0), None);
    state.update(&transactional(1, 12, 1), None);
    assert_eq!(state.first_unstable_offset(), Some(10));
    let aborted = state.end(&end_of(1, 0, 13), with(Marker::Abort, 3), None);
    let expected = AbortedTransaction {
        producer_id: 1,
        first_offset: 10,
        last_offset: 13,
        last_stable_offset: 11,
    };
    assert_eq!(aborted, Some(expected));
    assert_eq!(state.first_unstable_offset(), Some(11));
    assert_eq!(state.end(&end_of(2, 0, 14), with(Marker::Commit, 3), None), None);
    assert_eq!(state.first_unstable_offset(), None);
    // A marker that ends nothing aborts nothing.
    assert_eq!(state.end(&end_of(1, 0, 15), with(Marker::Abort, 3), None), None);
}

#[test]
fn a_failed_write_takes_a_transaction_back() {
    let mut state = ProducerState::default();
    let before = state.get(1);
    state.update(&transactional(1, 10, 0), None);
    let open = state.get(1);
    let _ = state.end(&end_of(1, 0, 11), with(Marker::Abort, 3), None);
    state.restore(1, open);
    assert_eq!(state.first_unstable_offset(), Some(10));
    state.restore(1, before);
    assert_eq!(state, ProducerState::default());
}

#[test]
fn plain_batches_old_markers_and_old_coordinators_are_refused() {
    let mut state = ProducerState::default();
    state.update(&transactional(7, 10, 0), None);
    let plain = state.check(&header(0, 1, 1, 0));
    assert!(matches!(plain, Err(LogError::TransactionState { .. })), "{plain:?}");
    let _ = state.end(&end_of(7, 2, 11), with(Marker::Abort, 3), None);
    let zombie = state.check(&transactional(7, 0, 1));
    assert!(
        matches!(zombie, Err(LogError::ProducerEpoch { current: 2, .. })),
        "{zombie:?}"
    );
    let late = state.check_end(&end_of(7, 1, 0), with(Marker::Abort, 3));
    assert!(matches!(late, Err(LogError::ProducerEpoch { .. })), "{late:?}");
    let fenced = state.check_end(&end_of(7, 2, 0), with(Marker::Abort, 2));
    assert!(matches!(fenced, Err(LogError::CoordinatorFenced { .. })), "{fenced:?}");
    assert!(state.check_end(&end_of(7, 2, 0), with(Marker::Abort, 3)).is_ok());
}

#[test]
fn snapshots_keep_open_transactions_and_expiry_spares_them() {
    let mut state = ProducerState::default();
    state.update(&transactional(1, 10, 0), None);
    state.update(&transactional(2, 11, -1), None);
    let _ = state.end(&end_of(3, 0, 12), with(Marker::Commit, 9), None);
    let again = ProducerState::decode_snapshot(&state.encode_snapshot()).unwrap();
    assert_eq!(again, state);
    state.expire(0, 5);
    state.expire(10, 5);
    let mut left: Vec<i64> = state.iter().map(|(id, _)| id).collect();
    left.sort_unstable();
    assert_eq!(left, [1, 2]);
}
