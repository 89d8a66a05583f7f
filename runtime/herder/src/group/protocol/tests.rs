use proptest::prelude::*;

use super::*;
use crate::group::work::tests::work;

const URL: &str = "http://h:8083/";
const OWNS: &str = "0002000000026d31000e687474703a2f2f683a383038332f0000000000000007\
                    0000000100016300000003ffffffff00000000000000010000000000000000";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn state(allocation: Option<Assignment>) -> WorkerState {
    WorkerState {
        url: URL.to_owned(),
        config_offset: 7,
        allocation,
    }
}

fn assignment(protocol: ConnectProtocol, given: (&str, &str), revoked: (&str, &str), delay_ms: i32) -> Assignment {
    let (given, revoked) = (work(given.0, given.1), work(revoked.0, revoked.1));
    Assignment {
        version: protocol.version(),
        error: AssignmentError::None,
        leader: "m1".to_owned(),
        leader_url: URL.to_owned(),
        config_offset: 7,
        connectors: given.connectors,
        tasks: given.tasks,
        revoked_connectors: revoked.connectors,
        revoked_tasks: revoked.tasks,
        delay_ms,
    }
}

/// The metadata as Apache's worker 4.3.1 writes it.
#[test]
fn metadata_is_byte_for_byte_apaches() {
    use ConnectProtocol::{Compatible, Eager, Sessioned};
    let check = |protocol: ConnectProtocol, allocation: Option<Assignment>, expected: &str| {
        let state = state(allocation);
        assert_eq!(hex(&state.encode(protocol)), expected);
        assert_eq!(WorkerState::decode(&bytes(expected)), Ok(state));
    };
    let head = "000e687474703a2f2f683a383038332f0000000000000007";
    check(Eager, None, &format!("0000{head}"));
    check(Compatible, None, &format!("0001{head}ffffffff"));
    check(Sessioned, None, &format!("0002{head}ffffffff"));
    let owns = assignment(Sessioned, ("c", "c-0 c-1"), ("", ""), 0);
    check(Sessioned, Some(owns), &format!("0002{head}0000003f{OWNS}"));
}

/// Assignments as Apache's leader 4.3.1 writes them.
#[test]
fn assignments_are_byte_for_byte_apaches() {
    use ConnectProtocol::{Eager, Sessioned};
    let check = |assignment: Assignment, expected: &str| {
        assert_eq!(hex(&assignment.encode()), expected);
        assert_eq!(Assignment::decode(&bytes(expected)), Ok(assignment));
    };
    let head = "000000026d31000e687474703a2f2f683a383038332f0000000000000007";
    check(assignment(Sessioned, ("c", "c-0 c-1"), ("", ""), 0), OWNS);
    check(
        assignment(Sessioned, ("", ""), ("c", "c-0"), 300_000),
        &format!("0002{head}000000000000000100016300000002ffffffff00000000000493e0"),
    );
    check(
        assignment(Sessioned, ("", ""), ("", ""), 0),
        &format!("0002{head}000000000000000000000000"),
    );
    check(
        assignment(Eager, ("c", "c-0"), ("", ""), 0),
        &format!("0000{head}0000000100016300000002ffffffff00000000"),
    );
}

#[test]
fn a_worker_that_offers_less_tells_what_it_owns_in_that_version() {
    let held = assignment(ConnectProtocol::Sessioned, ("c", ""), ("", ""), 0);
    let written = state(Some(held)).encode(ConnectProtocol::Compatible);
    let read = WorkerState::decode(&written).unwrap();
    assert_eq!(read.allocation.as_ref().unwrap().version, 1);
    assert_eq!(read.owned(), work("c", ""));
}

#[test]
fn missing_and_unknown_tails_are_tolerated() {
    let full = assignment(ConnectProtocol::Sessioned, ("c", "c-0"), ("", ""), 0);
    let encoded = full.encode();
    // Without delay; without revocations and delay.
    for cut in [4, 8] {
        assert_eq!(Assignment::decode(&encoded[..encoded.len() - cut]), Ok(full.clone()));
    }
    let longer = [&encoded[..], &[1, 2, 3]].concat();
    assert_eq!(Assignment::decode(&longer), Ok(full));
    let null_revoked = "0001000100026d31000e687474703a2f2f683a383038332f0000000000000007ffffffffffffffff00000005";
    let read = Assignment::decode(&bytes(null_revoked)).unwrap();
    assert_eq!((read.error, read.delay_ms), (AssignmentError::ConfigMismatch, 5));
    assert!(read.work().is_empty() && read.revoked().is_empty());
    // Java's empty assignment has no leader.
    let no_leader = "00010000ffffffffffffffffffffffff0000000000000000";
    assert_eq!(Assignment::decode(&bytes(no_leader)).unwrap().leader, "");
    let newer = "0009000e687474703a2f2f683a383038332f0000000000000007ffffffff";
    assert_eq!(WorkerState::decode(&bytes(newer)), Ok(state(None)));
}

#[test]
fn what_cannot_be_read_names_what_is_wrong() {
    for (bytes_hex, reason) in [
        ("", "ends within the version"),
        ("ffff", "version is negative"),
        ("0001ffff", "url is null"),
        ("0001000161", "ends within the config offset"),
        ("00010001ff0000000000000007", "text is not UTF-8"),
        ("000100016100000000000000070000000a00", "ends within the allocation"),
    ] {
        assert_eq!(WorkerState::decode(&bytes(bytes_hex)), Err(reason), "{bytes_hex}");
    }
    let head = "00010000ffffffff0000000000000007";
    for (tail, reason) in [
        ("7fffffff", "ends within a text"),
        ("00000001ffff", "connector name is null"),
        ("0000000100016300000001fffffffe", "task number is negative"),
        ("00000001000163", "ends within the work"),
    ] {
        assert_eq!(
            Assignment::decode(&bytes(&format!("{head}{tail}"))),
            Err(reason),
            "{tail}"
        );
    }
}

fn names() -> impl Strategy<Value = String> {
    "[a-zé.\\-]{0,6}"
}

prop_compose! {
    fn any_work()(
        connectors in prop::collection::btree_set(names(), 0..5),
        tasks in prop::collection::btree_set((names(), 0..9u32), 0..9),
    ) -> Work {
        let tasks = tasks.into_iter().map(|(connector, task)| TaskId { connector, task });
        Work { connectors, tasks: tasks.collect() }
    }
}

prop_compose! {
    fn any_assignment()(
        version in 1..3i16, has_failed: bool, leader in names(), leader_url in names(), config_offset: i64,
        given in any_work(), revoked in any_work(), delay_ms: i32,
    ) -> Assignment {
        let error = if has_failed { AssignmentError::ConfigMismatch } else { AssignmentError::None };
        Assignment {
            version, error, leader, leader_url, config_offset, connectors: given.connectors, tasks: given.tasks,
            revoked_connectors: revoked.connectors, revoked_tasks: revoked.tasks, delay_ms,
        }
    }
}

proptest! {
    #[test]
    fn any_assignment_comes_back(assignment in any_assignment()) {
        prop_assert_eq!(Assignment::decode(&assignment.encode()), Ok(assignment));
    }

    #[test]
    fn any_state_comes_back(url in names(), config_offset: i64, held in prop::option::of(any_assignment())) {
        let allocation = held.map(|held| Assignment { version: 2, ..held });
        let state = WorkerState { url, config_offset, allocation };
        prop_assert_eq!(WorkerState::decode(&state.encode(ConnectProtocol::Sessioned)), Ok(state));
    }

    #[test]
    fn hostile_bytes_never_panic(noise in prop::collection::vec(any::<u8>(), 0..80), held in any_assignment(), at: prop::sample::Index) {
        let _ = WorkerState::decode(&noise);
        let _ = Assignment::decode(&noise);
        let mut bent = held.encode().to_vec();
        let at = at.index(bent.len());
        for (byte, other) in bent[at..].iter_mut().zip(&noise) {
            *byte ^= other;
        }
        let _ = Assignment::decode(&bent);
        let _ = Assignment::decode(&bent[..at]);
    }
}
