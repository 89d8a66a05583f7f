use super::*;
use crate::group::work::tests::work;

/// A group whose members do what they are told.
struct Group {
    assignor: IncrementalAssignor,
    members: BTreeMap<String, Work>,
    configured: Work,
    generation: i32,
    now_ms: i64,
}

impl Group {
    fn new(max_delay_ms: i32, members: &str, configured: Work) -> Self {
        Self {
            assignor: IncrementalAssignor::new(max_delay_ms),
            members: members
                .split_whitespace()
                .map(|member| (member.to_owned(), Work::default()))
                .collect(),
            configured,
            generation: 0,
            now_ms: 1_000,
        }
    }

    fn round(&mut self) -> Shares {
        self.generation += 1;
        let shares = self.assignor.assign(Round {
            last_completed_generation: if self.generation == 1 { -1 } else { self.generation - 1 },
            generation: self.generation,
            now_ms: self.now_ms,
            configured: &self.configured,
            members: &self.members,
        });
        for (member, held) in &mut self.members {
            if let Some(revoked) = shares.revoked.get(member) {
                held.remove(revoked);
            }
            held.add(shares.assigned[member].clone());
        }
        shares
    }

    /// Rounds until nothing changes.
    fn settle(&mut self) {
        while !self.round().revoked.is_empty() {}
    }
}

#[test]
fn a_joining_worker_gets_work_in_the_round_after_it_was_revoked() {
    let mut group = Group::new(300_000, "m1", work("a", "a-0 a-1 a-2 a-3"));
    group.settle();
    assert_eq!(group.members["m1"], work("a", "a-0 a-1 a-2 a-3"));
    group.members.insert("m2".to_owned(), Work::default());
    let shares = group.round();
    assert_eq!(shares.revoked, BTreeMap::from([("m1".to_owned(), work("", "a-0 a-1"))]));
    assert_eq!((shares.assigned["m2"].is_empty(), shares.delay_ms), (true, 0));
    let shares = group.round();
    assert_eq!(shares.assigned["m2"], work("", "a-0 a-1"));
    assert!(shares.revoked.is_empty());
}
