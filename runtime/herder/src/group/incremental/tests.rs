use proptest::prelude::*;

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

/// Rounds of Apache's assignor 4.3.1 with whole and broken groups, recorded by `RecordRounds.java` beside the file.
#[test]
fn every_recorded_round_is_decided_as_apaches_assignor_does() {
    let mut assignor = IncrementalAssignor::new(0);
    let mut rounds = 0;
    for scenario in include_str!("../../../testdata/assignor/rounds.txt")
        .split("scenario ")
        .skip(1)
    {
        let mut parts = scenario.split("round ");
        assignor = IncrementalAssignor::new(parts.next().unwrap().trim().parse().unwrap());
        for round in parts {
            let recorded = Recorded::read(round);
            let shares = assignor.assign(Round {
                last_completed_generation: recorded.last_completed_generation,
                generation: recorded.generation,
                now_ms: recorded.now_ms,
                configured: &recorded.configured,
                members: &recorded.members,
            });
            assert_eq!(recorded.shares, without_idle(shares), "round {round}");
            rounds += 1;
        }
    }
    assert!(rounds > 100, "{assignor:?}");
}

struct Recorded {
    generation: i32,
    last_completed_generation: i32,
    now_ms: i64,
    configured: Work,
    members: BTreeMap<String, Work>,
    shares: Shares,
}

impl Recorded {
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let head: Vec<i64> = lines
            .next()
            .unwrap()
            .split(' ')
            .map(|number| number.parse().unwrap())
            .collect();
        let mut recorded = Self {
            generation: head[0] as i32,
            last_completed_generation: head[1] as i32,
            now_ms: head[2],
            configured: Work::default(),
            members: BTreeMap::new(),
            shares: Shares::default(),
        };
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[0] == "delay" {
                recorded.shares.delay_ms = words[1].parse().unwrap();
                continue;
            }
            let (tasks, connectors): (Vec<&str>, Vec<&str>) = words[2..].iter().partition(|word| word.contains('-'));
            let work = work(&connectors.join(" "), &tasks.join(" "));
            let by_member = match words[0] {
                "configured" => {
                    recorded.configured = work;
                    continue;
                }
                "member" => &mut recorded.members,
                "assigned" => &mut recorded.shares.assigned,
                "revoked" => &mut recorded.shares.revoked,
                _ => &mut recorded.shares.owned,
            };
            by_member.insert(words[1].to_owned(), work);
        }
        recorded
    }
}

/// The record leaves out members with nothing.
fn without_idle(mut shares: Shares) -> Shares {
    shares.assigned.retain(|_, work| !work.is_empty());
    shares.owned.retain(|_, work| !work.is_empty());
    shares
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

#[test]
fn lost_work_waits_and_goes_to_the_worker_that_came_meanwhile() {
    let mut group = Group::new(10_000, "m1 m2", work("", "a-0 a-1 a-2 a-3"));
    group.settle();
    let lost = group.members.remove("m2").unwrap();
    assert_eq!(group.round().delay_ms, 10_000);
    group.now_ms += 4_000;
    group.members.insert("m3".to_owned(), Work::default());
    let shares = group.round();
    assert_eq!((shares.delay_ms, shares.assigned["m3"].is_empty()), (6_000, true));
    group.now_ms += 6_000;
    let shares = group.round();
    assert_eq!((shares.delay_ms, &shares.assigned["m3"]), (0, &lost));
    assert_eq!(group.members["m1"].tasks.len(), 2);
}

#[test]
fn rounds_that_all_revoke_wait_longer_each_time() {
    let waits: Vec<i32> = (1..6).map(|attempts| backoff_ms(attempts, 300_000)).collect();
    assert_eq!(waits[..3], [40, 1_600, 64_000]);
    assert!(
        waits[3..].iter().all(|wait| (299_999..=300_000).contains(wait)),
        "{waits:?}"
    );
    assert_eq!((backoff_ms(3, 0), backoff_ms(3, 1), backoff_ms(3, 2)), (0, 1, 2));
}

/// What happens to a group of workers.
#[derive(Debug, Clone)]
enum Change {
    Join,
    Leave(usize),
    Configure(usize, u32),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        3 => Just(Change::Join),
        2 => any::<usize>().prop_map(Change::Leave),
        4 => (0..6usize, 0..20u32).prop_map(|(connector, tasks)| Change::Configure(connector, tasks)),
    ];
    prop::collection::vec(change, 1..25)
}

fn apply(group: &mut Group, change: &Change, joined: &mut usize) {
    match change {
        Change::Join => {
            *joined += 1;
            group.members.insert(format!("m{joined}"), Work::default());
        }
        Change::Leave(which) => {
            if group.members.len() > 1 {
                let member = group.members.keys().nth(which % group.members.len()).unwrap().clone();
                group.members.remove(&member);
            }
        }
        Change::Configure(connector, tasks) => {
            let name = format!("c{connector}");
            group.configured.tasks.retain(|task| task.connector != name);
            group.configured.connectors.insert(name.clone());
            let tasks = (0..*tasks).map(|task| TaskId {
                connector: name.clone(),
                task,
            });
            group.configured.tasks.extend(tasks);
        }
    }
}

/// Rounds that a change may take until all is quiet, without delays.
const ROUNDS: usize = 4;

proptest! {
    #[test]
    fn work_is_complete_even_and_stays_where_it_can(changes in changes()) {
        let mut group = Group::new(0, "m0", Work::default());
        let mut joined = 0;
        for change in &changes {
            apply(&mut group, change, &mut joined);
            let before = group.members.clone();
            let mut revoked: BTreeMap<String, Work> = BTreeMap::new();
            for round in 0.. {
                prop_assert!(round < ROUNDS, "no end after {change:?}");
                let shares = group.round();
                let has_revoked = !shares.revoked.is_empty();
                for (member, work) in shares.revoked {
                    revoked.entry(member).or_default().add(work);
                }
                if !has_revoked {
                    break;
                }
            }
            let mut all = Work::default();
            let mut pieces = 0;
            for held in group.members.values() {
                pieces += held.connectors.len() + held.tasks.len();
                all.add(held.clone());
            }
            prop_assert_eq!(&all, &group.configured);
            prop_assert_eq!(pieces, all.connectors.len() + all.tasks.len(), "owned twice");
            let loads = |size: fn(&Work) -> usize| {
                let loads = group.members.values().map(size);
                (loads.clone().min().unwrap_or(0), loads.max().unwrap_or(0))
            };
            for (least, most) in [loads(|held| held.tasks.len()), loads(|held| held.connectors.len())] {
                prop_assert!(most - least <= 1, "{least} to {most}");
            }
            // What was not revoked is where it was.
            for (member, held) in &before {
                let mut kept = held.clone();
                kept.remove(revoked.get(member).unwrap_or(&Work::default()));
                let Some(now) = group.members.get(member) else { continue };
                prop_assert!(kept.tasks.is_subset(&now.tasks) && kept.connectors.is_subset(&now.connectors));
            }
            let still_there = |work: &Work| work.tasks.intersection(&all.tasks).count();
            let moved: usize = revoked.values().map(still_there).sum();
            match change {
                Change::Join => prop_assert!(moved <= all.tasks.len().div_ceil(group.members.len()), "{moved} moved"),
                Change::Leave(_) => prop_assert_eq!(moved, 0),
                Change::Configure(..) => {}
            }
        }
    }
}
