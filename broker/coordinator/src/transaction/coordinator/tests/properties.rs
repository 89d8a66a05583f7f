//! Random lives: whatever is lost, what was answered holds

use proptest::prelude::*;
use weir_protocol::error_code::ErrorCode;

use super::sim::{ID, Sim, partition};
use crate::group::effect::Ticket;
use crate::transaction::effect::{Markers, Reply};
use crate::transaction::request::{Producer, Verdict};
use crate::transaction::state::State;

/// What clients were told and logs were given.
#[derive(Default)]
struct Told {
    /// The decision that was answered for the transaction with this many ended before it.
    promised: Option<(Producer, Verdict)>,
    newest: Option<Producer>,
    marked: Option<(Producer, Verdict)>,
}

impl Told {
    fn mark(&mut self, markers: &Markers) {
        if let Some((producer, verdict)) = self.promised.take_if(|(producer, _)| *producer == markers.producer) {
            assert_eq!(verdict, markers.verdict, "{producer:?} was told otherwise");
        }
        self.marked = Some((markers.producer, markers.verdict));
    }

    fn start(&mut self, outcome: Result<Producer, ErrorCode>) {
        let Ok(started) = outcome else { return };
        assert_eq!(self.promised, None, "the transaction before is not ended");
        let rises = self
            .newest
            .is_none_or(|newest| started.id > newest.id || started.epoch > newest.epoch);
        assert!(rises, "{started:?} after {:?}", self.newest);
        self.newest = Some(started);
    }
}

fn live(events: Vec<(u32, u32, i64)>) {
    let mut sim = Sim::new();
    let mut told = Told::default();
    let mut ends: Vec<(Ticket, Producer, Verdict)> = Vec::new();
    let mut starts: Vec<Ticket> = Vec::new();
    for (event, choice, passed_ms) in events {
        let current = told.newest;
        sim.now_ms += passed_ms;
        match event {
            0..12 => starts.push(sim.ask_init(None)),
            12..35 => {
                if let Some(producer) = current {
                    let index = i32::try_from(choice % 3).unwrap();
                    sim.ask_add(producer, &[partition("a", index)]);
                }
            }
            35..55 => {
                let verdict = if choice % 2 == 0 {
                    Verdict::Commit
                } else {
                    Verdict::Abort
                };
                if let Some(producer) = current {
                    ends.push((sim.ask_end(producer, verdict), producer, verdict));
                }
            }
            55..80 => {
                let outcome = if choice % 10 == 0 {
                    Err(ErrorCode::KAFKA_STORAGE_ERROR)
                } else {
                    Ok(())
                };
                sim.store_one(outcome);
            }
            80..92 => {
                if let Some(markers) = sim.mark_one(choice % 5 != 0) {
                    told.mark(&markers);
                }
            }
            92..97 => sim.tick(),
            _ => {
                sim = sim.crashed();
                ends.clear();
                starts.clear();
            }
        }
        ends.retain(|(ticket, producer, verdict)| match sim.reply(*ticket) {
            None => true,
            Some(Reply::Done(ErrorCode::NONE)) => {
                // A repetition is answered after the markers.
                if told.marked != Some((*producer, *verdict)) || sim.state() != Some(complete(*verdict)) {
                    told.promised = Some((*producer, *verdict));
                }
                false
            }
            Some(_) => false,
        });
        starts.retain(|ticket| match sim.reply(*ticket) {
            None => true,
            Some(Reply::Init(outcome)) => {
                told.start(outcome);
                false
            }
            Some(other) => panic!("{other:?}"),
        });
    }
    // However it ended, a crash and a timeout later nothing is open.
    let mut sim = sim.crashed();
    while let Some(markers) = sim.mark_one(true) {
        told.mark(&markers);
        sim.store();
    }
    assert_eq!(told.promised, None);
    sim.now_ms += 20_000;
    sim.tick();
    sim.settle();
    if let Some(found) = sim.coordinator.describe(ID) {
        let is_at_rest = matches!(found.state, State::Empty | State::CompleteCommit | State::CompleteAbort);
        assert!(is_at_rest, "{found:?}");
    }
}

fn complete(verdict: Verdict) -> State {
    match verdict {
        Verdict::Commit => State::CompleteCommit,
        Verdict::Abort => State::CompleteAbort,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_was_answered_holds_whatever_is_lost(
        events in prop::collection::vec((0u32..100, any::<u32>(), 0i64..2_000), 10..200),
    ) {
        live(events);
    }
}
