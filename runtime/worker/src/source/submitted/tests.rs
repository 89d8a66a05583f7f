use proptest::prelude::*;

use super::{Committable, PartitionId, Submitted};

/// One record: its partition, or none for a dropped one.
type Records = Vec<Option<u8>>;

/// What the rules say, one record at a time.
#[derive(Default)]
struct Model {
    /// Per partition: sequence and whether it is acknowledged, in order of submission.
    submitted: Vec<Vec<(u64, bool)>>,
}

impl Model {
    fn committable(&self, partition: usize) -> Option<u64> {
        self.submitted[partition]
            .iter()
            .take_while(|(_, acked)| *acked)
            .last()
            .map(|(sequence, _)| *sequence)
    }

    fn ack(&mut self, sequence: u64) {
        for records in &mut self.submitted {
            for record in records.iter_mut().filter(|record| record.0 == sequence) {
                record.1 = true;
            }
        }
    }
}

struct Harness {
    real: Submitted,
    model: Model,
    bases: Vec<u64>,
    committed: Vec<Option<u64>>,
    out: Vec<Committable>,
    released: u64,
}

impl Harness {
    fn new() -> Self {
        Self {
            real: Submitted::default(),
            model: Model {
                submitted: vec![Vec::new(); 4],
            },
            bases: Vec::new(),
            committed: vec![None; 4],
            out: Vec::new(),
            released: 0,
        }
    }

    fn send(&mut self, records: &Records) -> Vec<u64> {
        let base = self.real.begin_batch(records.len() as u32);
        self.bases.push(base);
        let mut sequences = Vec::new();
        for (index, partition) in records.iter().enumerate() {
            let Some(partition) = partition else { continue };
            let sequence = base + index as u64;
            self.real.submit(index as u32, PartitionId(u32::from(*partition)));
            self.model.submitted[usize::from(*partition)].push((sequence, false));
            sequences.push(sequence);
        }
        self.real.seal();
        sequences
    }

    fn ack(&mut self, sequence: u64) {
        self.real.ack(sequence);
        self.model.ack(sequence);
    }

    fn check(&mut self) {
        self.real.take_completed(&mut self.out);
        self.real.partial(&mut self.out);
        for committable in self.out.drain(..) {
            let sequence = self.bases[committable.batch as usize] + u64::from(committable.index);
            let slot = &mut self.committed[committable.partition.0 as usize];
            assert!(slot.is_none_or(|before| before < sequence), "went back or repeated");
            *slot = Some(sequence);
        }
        for partition in 0..4 {
            assert_eq!(
                self.committed[partition],
                self.model.committable(partition),
                "partition {partition}"
            );
        }
        self.released += self.real.release() as u64;
        assert_eq!(self.real.first_batch(), self.released);
    }
}

fn records() -> impl Strategy<Value = Records> {
    prop::collection::vec(
        prop_oneof![4 => (0u8..4).prop_map(Some), 3 => Just(Some(0)), 1 => Just(None)],
        0..90,
    )
}

proptest! {
    #[test]
    fn committable_is_exactly_the_acknowledged_prefix_of_each_partition(
        batches in prop::collection::vec(records(), 1..6),
        shuffle in any::<prop::sample::Index>(),
        seed in any::<u64>(),
        check_every in 1usize..40,
    ) {
        let mut harness = Harness::new();
        let mut waiting: Vec<u64> = batches.iter().flat_map(|records| harness.send(records)).collect();
        let mut state = seed | 1;
        let mut step = 0;
        while !waiting.is_empty() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(shuffle.index(97) as u64 | 1);
            // Mostly in order, as brokers answer; at times far ahead.
            let reach = if state >> 60 < 4 { waiting.len() } else { waiting.len().min(3) };
            let at = (state >> 33) as usize % reach;
            let sequence = waiting.remove(at);
            harness.ack(sequence);
            if state >> 61 == 0 {
                harness.ack(sequence);
            }
            step += 1;
            if step % check_every == 0 {
                harness.check();
            }
        }
        harness.check();
        prop_assert_eq!(harness.real.unacked(), 0);
        prop_assert_eq!(harness.real.batches(), 0);
        prop_assert!((0..4).all(|partition| harness.real.is_idle(PartitionId(partition))));
    }
}

#[test]
fn a_slow_partition_holds_back_only_itself() {
    let mut harness = Harness::new();
    let first = harness.send(&vec![Some(0), Some(1), Some(0)]);
    let second = harness.send(&vec![Some(1)]);
    harness.ack(first[1]);
    harness.ack(second[0]);
    harness.check();
    assert_eq!(harness.committed, [None, Some(second[0]), None, None]);
    assert_eq!(
        harness.real.batches(),
        2,
        "the older batch is kept for its unacknowledged records"
    );
}

#[test]
fn nothing_completes_before_the_batch_is_sealed() {
    let mut submitted = Submitted::default();
    let mut out = Vec::new();
    let base = submitted.begin_batch(2);
    submitted.submit(0, PartitionId(0));
    submitted.ack(base);
    submitted.take_completed(&mut out);
    assert!(out.is_empty());
    assert_eq!(submitted.release(), 0);
    submitted.submit(1, PartitionId(0));
    submitted.ack(base + 1);
    submitted.seal();
    submitted.take_completed(&mut out);
    assert_eq!(
        out,
        [Committable {
            partition: PartitionId(0),
            batch: 0,
            index: 1
        }]
    );
    assert_eq!(submitted.release(), 1);
}

#[test]
fn strange_acknowledgements_are_ignored() {
    let mut submitted = Submitted::default();
    submitted.ack(7);
    let base = submitted.begin_batch(3);
    submitted.submit(1, PartitionId(0));
    submitted.seal();
    submitted.ack(base);
    submitted.ack(base + 2);
    submitted.ack(base + 30);
    assert_eq!(submitted.unacked(), 1);
    assert_eq!(submitted.locate(base + 1), Some((0, 1)));
}
