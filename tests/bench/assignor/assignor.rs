//! Milliseconds and moves of the incremental assignor when a worker joins and leaves a large group
//!
//! 1,000 workers, 1,000 connectors of 100 tasks each. `AssignorBench.java` does the same with Apache's assignor; both are called by
//! `tests/bench/assignor.sh`. A line is: step, rounds, milliseconds of all of them, tasks that had to stop.

#![allow(clippy::print_stdout, reason = "its table is its result")]

use std::collections::BTreeMap;
use std::time::Instant;

use weir_herder::group::incremental::{IncrementalAssignor, Round};
use weir_herder::group::work::Work;
use weir_worker::lifecycle::TaskId;

const WORKERS: usize = 1_000;
const CONNECTORS: usize = 1_000;
const TASKS: u32 = 100;

struct Group {
    assignor: IncrementalAssignor,
    members: BTreeMap<String, Work>,
    configured: Work,
    generation: i32,
}

impl Group {
    fn settle(&mut self, step: &str) {
        let (mut rounds, mut moves, mut millis) = (0, 0, 0.0);
        loop {
            let begun = Instant::now();
            let shares = self.assignor.assign(Round {
                last_completed_generation: if self.generation == 0 { -1 } else { self.generation },
                generation: self.generation + 1,
                now_ms: 1,
                configured: &self.configured,
                members: &self.members,
            });
            millis += begun.elapsed().as_secs_f64() * 1_000.0;
            self.generation += 1;
            rounds += 1;
            moves += shares.revoked.values().map(|work| work.tasks.len()).sum::<usize>();
            let is_done = shares.revoked.is_empty();
            self.members = shares.owned;
            if is_done {
                break;
            }
        }
        println!("{step} {rounds} {millis:.1} {moves}");
    }
}

fn main() {
    let mut group = Group {
        assignor: IncrementalAssignor::new(0),
        members: (0..WORKERS)
            .map(|number| (format!("w{number:04}"), Work::default()))
            .collect(),
        configured: Work::default(),
        generation: 0,
    };
    for number in 0..CONNECTORS {
        let connector = format!("c{number:04}");
        let tasks = (0..TASKS).map(|task| TaskId {
            connector: connector.clone(),
            task,
        });
        group.configured.tasks.extend(tasks);
        group.configured.connectors.insert(connector);
    }
    group.settle("start");
    for number in 0..5 {
        group.members.insert(format!("x{number}"), Work::default());
        group.settle("join");
        group.members.remove(&format!("w{number:04}"));
        group.settle("leave");
    }
}
