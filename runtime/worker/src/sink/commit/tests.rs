use std::collections::BTreeSet;

use proptest::prelude::*;
use weir_client::topic_partition::TopicPartition;

use super::{CommitTiming, Commits, Decision, IgnoredReason, Offsets};

const TIMING: CommitTiming = CommitTiming {
    interval_ms: 1000,
    timeout_ms: 100,
};

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn offsets(pairs: &[(i32, i64)]) -> Offsets {
    pairs
        .iter()
        .map(|(partition, offset)| (tp(*partition), *offset))
        .collect()
}

fn set(partitions: &[i32]) -> BTreeSet<TopicPartition> {
    partitions.iter().copied().map(tp).collect()
}

#[test]
fn commits_are_due_by_interval_or_request_but_never_two_at_once() {
    let mut commits = Commits::new(TIMING, 0);
    commits.started_at(&tp(0), 5);
    assert!(!commits.is_due(999));
    assert_eq!(commits.until_due_ms(400), 600);
    commits.request();
    assert!(commits.is_due(1));
    let offered = commits.begin(1).unwrap();
    commits.request();
    assert!(!commits.is_due(5000), "one is on its way");
    assert!(!commits.expire(100));
    assert!(commits.expire(101));
    assert!(commits.is_due(101), "a late commit no longer blocks");
    assert!(commits.completed(offered.sequence, Some(offsets(&[(0, 5)]))));
}

#[test]
fn an_answer_to_an_earlier_commit_does_not_count() {
    let mut commits = Commits::new(TIMING, 0);
    commits.started_at(&tp(0), 0);
    commits.consumed(&tp(0), 4);
    let first = commits.begin(0).unwrap();
    assert!(commits.expire(500));
    let second = commits.begin(500).unwrap();
    assert!(!commits.completed(first.sequence, Some(offsets(&[(0, 4)]))));
    assert!(commits.completed(second.sequence, None));
}

#[test]
fn what_is_put_and_not_committed_is_counted() {
    let mut commits = Commits::new(TIMING, 0);
    commits.started_at(&tp(0), 10);
    commits.started_at(&tp(1), 0);
    assert_eq!(commits.uncommitted(), 0);
    commits.consumed(&tp(0), 15);
    commits.consumed(&tp(1), 2);
    assert_eq!(commits.uncommitted(), 7);
    let offered = commits.begin(0).unwrap();
    assert!(commits.completed(offered.sequence, Some(offsets(&[(0, 15), (1, 1)]))));
    assert_eq!(commits.uncommitted(), 1);
    commits.revoke(&set(&[1]));
    assert_eq!(commits.uncommitted(), 0);
}

#[test]
fn only_consumed_offsets_of_offered_partitions_are_committed() {
    let mut commits = Commits::new(TIMING, 0);
    for partition in 0..3 {
        commits.started_at(&tp(partition), 10);
    }
    commits.consumed(&tp(0), 20);
    commits.consumed(&tp(1), 20);
    let offered = commits.begin_closing(&set(&[0, 1]), 0).unwrap();
    assert_eq!(offered.offsets, offsets(&[(0, 20), (1, 20)]));
    let answer = offsets(&[(0, 15), (1, 21), (2, 10), (9, 1)]);
    let (decision, ignored) = commits.decide(&offered, answer, &set(&[0, 1, 2]));
    assert_eq!(decision, Decision::Commit(offsets(&[(0, 15), (1, 10)])));
    let reasons: Vec<_> = ignored
        .iter()
        .map(|one| (one.partition.partition, one.reason))
        .collect();
    assert_eq!(
        reasons,
        [
            (1, IgnoredReason::NotConsumed),
            (2, IgnoredReason::NotRequested),
            (9, IgnoredReason::NotAssigned)
        ]
    );
}

#[test]
fn an_unchanged_or_empty_answer_commits_nothing() {
    let mut commits = Commits::new(TIMING, 0);
    commits.started_at(&tp(0), 10);
    let offered = commits.begin(0).unwrap();
    let (decision, _) = commits.decide(&offered, offsets(&[(0, 10)]), &set(&[0]));
    assert_eq!(decision, Decision::NoChange);
    commits.request();
    assert!(commits.is_due(0), "the commit without change is over");
    let offered = commits.begin(0).unwrap();
    assert_eq!(
        commits.decide(&offered, Offsets::new(), &set(&[0])).0,
        Decision::OptedOut
    );
}

#[test]
fn a_failed_pre_commit_goes_back_to_the_last_commit() {
    let mut commits = Commits::new(TIMING, 0);
    commits.started_at(&tp(0), 10);
    commits.consumed(&tp(0), 30);
    let offered = commits.begin(0).unwrap();
    assert_eq!(commits.pre_commit_failed(&offered), offsets(&[(0, 10)]));
    assert_eq!(commits.begin(0).unwrap().offsets, offsets(&[(0, 10)]));
}

#[test]
fn a_revoked_partition_is_neither_offered_nor_remembered() {
    let mut commits = Commits::new(TIMING, 0);
    commits.started_at(&tp(0), 1);
    commits.started_at(&tp(1), 1);
    let offered = commits.begin(0).unwrap();
    commits.revoke(&set(&[0]));
    assert!(commits.completed(offered.sequence, Some(offsets(&[(0, 1), (1, 1)]))));
    assert_eq!(commits.begin(0).unwrap().offsets, offsets(&[(1, 1)]));
    commits.started_at(&tp(0), 50);
    assert_eq!(commits.begin(0).unwrap().offsets, offsets(&[(0, 50), (1, 1)]));
}

/// One step of a random life.
#[derive(Debug, Clone)]
enum Step {
    Put { partition: i32, records: i64 },
    Commit { answer: Vec<(i32, i64)>, is_stored: bool },
    PreCommitFails,
    Revoke(i32),
    Assign(i32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3i32, 1..9i64).prop_map(|(partition, records)| Step::Put { partition, records }),
        3 => (prop::collection::vec((0..4i32, 0..60i64), 0..4), any::<bool>())
            .prop_map(|(answer, is_stored)| Step::Commit { answer, is_stored }),
        1 => Just(Step::PreCommitFails),
        1 => (0..3i32).prop_map(Step::Revoke),
        1 => (0..3i32).prop_map(Step::Assign),
    ]
}

proptest! {
    #[test]
    fn nothing_beyond_what_was_put_is_ever_committed(steps in prop::collection::vec(step(), 1..60)) {
        let mut commits = Commits::new(TIMING, 0);
        let mut position = Offsets::new();
        let mut stored = Offsets::new();
        for step in steps {
            match step {
                Step::Assign(partition) => {
                    position.entry(tp(partition)).or_insert_with(|| *stored.get(&tp(partition)).unwrap_or(&0));
                    commits.started_at(&tp(partition), position[&tp(partition)]);
                }
                Step::Put { partition, records } => {
                    if let Some(offset) = position.get_mut(&tp(partition)) {
                        *offset += records;
                        commits.consumed(&tp(partition), *offset);
                    }
                }
                Step::Commit { answer, is_stored } => {
                    let Some(offered) = commits.begin(0) else { continue };
                    prop_assert_eq!(&offered.offsets, &position);
                    let assigned: BTreeSet<_> = position.keys().cloned().collect();
                    let (decision, _) = commits.decide(&offered, offsets(&answer), &assigned);
                    let Decision::Commit(committed) = decision else { continue };
                    for (partition, offset) in &committed {
                        prop_assert!(offset <= position.get(partition).expect("only assigned partitions"));
                    }
                    if is_stored {
                        stored.extend(committed.clone());
                    }
                    prop_assert!(commits.completed(offered.sequence, is_stored.then_some(committed)));
                }
                Step::PreCommitFails => {
                    let Some(offered) = commits.begin(0) else { continue };
                    position.extend(commits.pre_commit_failed(&offered));
                }
                Step::Revoke(partition) => {
                    commits.revoke(&set(&[partition]));
                    position.remove(&tp(partition));
                }
            }
        }
    }
}
