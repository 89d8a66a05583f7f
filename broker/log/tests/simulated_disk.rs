//! Ten thousand seeded lives of a log on a disk that loses what it may
//!
//! Each life appends, flushes, rolls, drops, compacts, runs out of space, fails a
//! sync, is killed, loses power and starts again. After every start: no flushed
//! record is missing or changed, nothing unreadable or never written is served,
//! and the last five batches of every producer are still recognised.
//! `WEIR_SIM_SEED` runs one seed, `WEIR_SIM_SEEDS` another number of them.

mod sim_disk;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use sim_disk::{SimDisk, Stop};
use weir_log::checkpoint::TopicPartition;
use weir_log::error::LogError;
use weir_log::io::Disk;
use weir_log::log_config::{CleanupPolicy, LogConfig, LogsConfig};
use weir_log::logs::Logs;
use weir_log::partition::{AppendInfo, AppendTime, IncomingBatch, Partition};
use weir_log::reader::ReadLimits;
use weir_protocol::records::batch::{BatchIter, BatchView};
use weir_protocol::records::builder::{BatchBuilder, BatchSettings};
use weir_protocol::records::compression::{Codec, decompress_into};
use weir_protocol::records::record::RecordWalker;
use weir_protocol::records::validate::BatchFacts;

const KEYS: u64 = 6;
const PRODUCERS: i64 = 2;
const DIR: &str = "/data";

/// A record as it was produced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Produced {
    id: u64,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    timestamp: i64,
}

/// A batch that was handed to the log.
#[derive(Debug, Clone)]
struct Attempt {
    records: Vec<Produced>,
    /// Producer id and first sequence.
    producer: Option<(i64, i32)>,
    codec: Codec,
    base_offset: i64,
}

impl Attempt {
    fn last_offset(&self) -> i64 {
        self.base_offset + self.records.len() as i64 - 1
    }

    fn bytes(&self) -> BytesMut {
        let (producer_id, base_sequence) = self.producer.unwrap_or((-1, -1));
        let mut builder = BatchBuilder::new(BatchSettings {
            codec: self.codec,
            producer_id,
            producer_epoch: if producer_id < 0 { -1 } else { 0 },
            base_sequence,
            ..BatchSettings::default()
        });
        for record in &self.records {
            let id = record.id.to_be_bytes();
            let header = (&b"id"[..], Some(&id[..]));
            builder.append(record.timestamp, Some(&record.key), record.value.as_deref(), &[header]);
        }
        BytesMut::from(&builder.build().unwrap()[..])
    }
}

/// What should be in the log.
#[derive(Debug, Default)]
struct Model {
    /// Everything ever handed over, by the id of its first record.
    attempts: BTreeMap<u64, Attempt>,
    /// Batches believed to be in the log (or once in it), by base offset.
    batches: BTreeMap<i64, u64>,
    /// Everything below was flushed.
    acked_end: i64,
    log_start: i64,
    next_id: u64,
}

impl Model {
    fn record_at(&self, offset: i64) -> Option<&Produced> {
        let (base, id) = self.batches.range(..=offset).next_back()?;
        self.attempts[id].records.get((offset - base) as usize)
    }

    fn end(&self) -> i64 {
        self.batches
            .last_key_value()
            .map_or(0, |(_, id)| self.attempts[id].last_offset() + 1)
    }

    /// Batches of a producer, oldest first.
    fn batches_of(&self, producer: i64) -> Vec<Attempt> {
        let attempts = self.batches.values().map(|id| &self.attempts[id]);
        attempts
            .filter(|one| one.producer.is_some_and(|(id, _)| id == producer))
            .cloned()
            .collect()
    }

    fn next_sequence(&self, producer: i64) -> i32 {
        self.batches_of(producer)
            .last()
            .map_or(0, |last| last.producer.unwrap().1 + last.records.len() as i32)
    }
}

/// A record as the log gave it.
#[derive(Debug)]
struct Served {
    offset: i64,
    record: Produced,
}

struct Life {
    seed: u64,
    random: SmallRng,
    disk: SimDisk,
    config: LogConfig,
    logs: Logs,
    partition: Partition,
    model: Model,
    now_ms: i64,
    epoch: i32,
    must_stop: bool,
}

fn name() -> TopicPartition {
    TopicPartition {
        topic: "t".to_owned(),
        partition: 0,
    }
}

fn logs_config() -> LogsConfig {
    LogsConfig {
        node_id: 1,
        new_cluster_id: "c".to_owned(),
        new_directory_id: "d".to_owned(),
        required_cluster_id: None,
        tail_cache_total_bytes: 1000,
    }
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let disk = SimDisk::new(random.random());
        let compact = random.random_bool(0.4);
        let config = LogConfig {
            segment_bytes: random.random_range(300..2500),
            index_interval_bytes: random.random_range(50..400),
            cleanup_policy: CleanupPolicy {
                delete: !compact,
                compact,
            },
            retention_bytes: random.random_range(500..4000),
            retention_ms: random.random_range(1000..20_000),
            delete_retention_ms: 3000,
            min_cleanable_dirty_ratio: 0.1,
            tail_cache_bytes: 400,
            ..LogConfig::default()
        };
        let logs = Logs::open(Arc::new(disk.clone()), Path::new(DIR), &logs_config()).unwrap();
        let partition = logs.create_partition(&name(), "id", config.clone()).unwrap();
        Self {
            seed,
            random,
            disk,
            config,
            logs,
            partition,
            model: Model::default(),
            now_ms: 1_000_000,
            epoch: 0,
            must_stop: false,
        }
    }

    fn run(&mut self) {
        for _ in 0..self.random.random_range(20..60) {
            self.now_ms += self.random.random_range(0..800);
            if self.must_stop {
                self.stop_and_start();
            }
            let step = self.random.random_range(0..100);
            self.trace(step);
            if self.random.random_bool(0.08) {
                self.disk.cut_power_after(self.random.random_range(0..25));
            }
            match step {
                0..50 => self.append(),
                50..66 => self.flush(),
                66..70 => self.roll(),
                70..75 => self.drop_old(),
                75..81 => self.compact(),
                81..84 => self.delete_records(),
                84..87 => drop(self.logs.write_checkpoints()),
                87..89 => self.disk.set_free_bytes(Some(self.random.random_range(0..600))),
                89..90 => self.disk.fail_syncs(1),
                90..94 => self.check_visible(),
                _ => self.stop_and_start(),
            }
            self.must_stop |= self.disk.has_no_power();
            if self.random.random_bool(0.2) {
                self.disk.set_free_bytes(None);
            }
        }
        self.stop_and_start();
    }

    /// Tells each step when a single seed is run.
    fn trace(&self, step: u32) {
        if number("WEIR_SIM_SEED").is_some() {
            let (end, flushed) = (self.partition.log_end_offset(), self.partition.flushed_offset());
            let files = self.disk.list(Path::new("/data/t-0")).unwrap_or_default();
            let files = files.iter().map(|file| format!("{}={}", file.name, file.size));
            let files = files.collect::<Vec<_>>().join(" ");
            eprintln!("step {step}: end {end} flushed {flushed} {files}");
        }
    }

    fn new_attempt(&mut self, base_offset: i64, sequences: &BTreeMap<i64, i32>) -> Attempt {
        let count = self.random.random_range(1..4);
        let first_id = self.model.next_id;
        self.model.next_id += count;
        let records = (first_id..first_id + count).map(|id| {
            let is_tombstone = self.random.random_bool(0.15);
            let padding = self.random.random_range(0..60);
            Produced {
                id,
                key: vec![b'k', self.random.random_range(0..KEYS) as u8],
                value: (!is_tombstone).then(|| vec![id as u8; padding]),
                timestamp: self.now_ms - self.random.random_range(0..50),
            }
        });
        let records = records.collect();
        let producer = self
            .random
            .random_bool(0.6)
            .then(|| self.random.random_range(0..PRODUCERS));
        let producer = producer.map(|id| (id, sequences[&id]));
        let codec = if self.random.random_bool(0.2) {
            Codec::Lz4
        } else {
            Codec::None
        };
        Attempt {
            records,
            producer,
            codec,
            base_offset,
        }
    }

    fn sequences(&self) -> BTreeMap<i64, i32> {
        (0..PRODUCERS).map(|id| (id, self.model.next_sequence(id))).collect()
    }

    fn append(&mut self) {
        let mut sequences = self.sequences();
        let mut attempts = Vec::new();
        let mut next_offset = self.partition.log_end_offset();
        for _ in 0..self.random.random_range(1..4) {
            let attempt = self.new_attempt(next_offset, &sequences);
            if let Some((id, first)) = attempt.producer {
                sequences.insert(id, first + attempt.records.len() as i32);
            }
            next_offset = attempt.last_offset() + 1;
            self.model.attempts.insert(attempt.records[0].id, attempt.clone());
            attempts.push(attempt);
        }
        let answers = self.hand_over(&attempts);
        let mut has_failed = false;
        for (attempt, answer) in attempts.iter().zip(answers) {
            let first_id = attempt.records[0].id;
            match answer {
                Ok(info) => {
                    assert!(!info.is_duplicate, "{}: a new batch is no duplicate", self.seed);
                    assert!(
                        has_failed || info.base_offset == attempt.base_offset,
                        "seed {}",
                        self.seed
                    );
                    self.model.attempts.get_mut(&first_id).unwrap().base_offset = info.base_offset;
                    self.model.batches.insert(info.base_offset, first_id);
                }
                Err(LogError::Offline { .. }) => self.must_stop = true,
                // When the disk was full for one batch, a smaller one may still fit.
                Err(LogError::Io { .. }) => has_failed = true,
                Err(LogError::OutOfOrderSequence { .. }) if has_failed => {}
                Err(error) => panic!("seed {}: {error}", self.seed),
            }
        }
    }

    fn hand_over(&mut self, attempts: &[Attempt]) -> Vec<Result<AppendInfo, LogError>> {
        let at = AppendTime {
            now_ms: self.now_ms,
            leader_epoch: self.epoch,
        };
        let batches = attempts.iter().map(|attempt| {
            let bytes = attempt.bytes();
            let facts = BatchFacts::of_trusted(&bytes).unwrap();
            IncomingBatch { bytes, facts }
        });
        let batches = batches.collect();
        self.partition.append_all(batches, at)
    }

    fn flush(&mut self) {
        let Some(handle) = self.partition.dirty_files() else {
            return;
        };
        if self.random.random_bool(0.3) {
            // Appends go on while a sync runs, and are not covered by it.
            self.append();
        }
        match handle.sync() {
            Ok(()) => {
                self.partition.note_flushed(&handle);
                self.note_acked();
            }
            Err(error) => {
                self.partition.set_offline(&error);
                self.must_stop = true;
            }
        }
    }

    fn note_acked(&mut self) {
        let flushed = self.partition.flushed_offset();
        assert!(flushed >= self.model.acked_end, "seed {}", self.seed);
        self.model.acked_end = flushed;
    }

    /// Takes in the outcome of work that may meet a full or failing disk.
    fn settle<T>(&mut self, result: Result<T, LogError>) -> Option<T> {
        self.note_acked();
        match result {
            Ok(value) => Some(value),
            Err(LogError::Offline { .. } | LogError::Io { .. }) => {
                self.must_stop |= self.partition.offline_reason().is_some();
                None
            }
            Err(error) => panic!("seed {}: {error}", self.seed),
        }
    }

    fn roll(&mut self) {
        let result = self.partition.roll();
        self.settle(result);
    }

    fn drop_old(&mut self) {
        self.now_ms += self.random.random_range(0..5000);
        let result = self.partition.apply_retention(self.now_ms);
        self.settle(result);
        // It may have moved before the disk refused; nothing was promised then,
        // but records below may be gone.
        self.model.log_start = self.partition.log_start_offset();
    }

    fn compact(&mut self) {
        if self.random.random_bool(0.3) {
            // Far enough to hit the swap of files at the end.
            self.disk.cut_power_after(self.random.random_range(20..160));
        }
        let result = self.partition.compact(self.now_ms);
        self.settle(result);
    }

    fn delete_records(&mut self) {
        let before = self.random.random_range(0..=self.partition.flushed_offset());
        let result = self.partition.delete_records(before);
        self.settle(result);
        self.model.log_start = self.partition.log_start_offset();
    }

    /// Reads what a consumer may see now, from a random place.
    fn check_visible(&mut self) {
        if self.partition.offline_reason().is_some() || self.disk.lost_power() {
            return;
        }
        let start = self.partition.log_start_offset();
        let end = self.partition.flushed_offset();
        if start < end {
            let from = self.random.random_range(start..end);
            self.serve(from, end);
        }
    }

    fn stop_and_start(&mut self) {
        if !self.must_stop && self.random.random_bool(0.25) {
            self.close();
        }
        let cut = self.disk.lost_power() || self.random.random_bool(0.7);
        self.disk.stop(if cut { Stop::PowerCut } else { Stop::Kill });
        self.must_stop = false;
        if self.random.random_bool(0.2) {
            // The power goes again while the log recovers.
            self.disk.cut_power_after(self.random.random_range(0..60));
            let reopened = self.open();
            if self.disk.lost_power() {
                self.disk.stop(Stop::PowerCut);
            } else {
                reopened.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
                self.disk.stop(Stop::Kill);
            }
        }
        self.open()
            .unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        self.epoch += 1;
        self.check_restarted();
        self.check_producers();
    }

    fn open(&mut self) -> Result<(), LogError> {
        let disk = Arc::new(self.disk.clone());
        self.logs = Logs::open(disk, Path::new(DIR), &logs_config())?;
        let found = self.logs.find_partitions()?;
        self.partition = if found.iter().any(|found| found.name == name()) {
            self.logs.open_partition(&name(), self.config.clone())?
        } else {
            assert_eq!(self.model.acked_end, 0, "seed {}: the partition is gone", self.seed);
            self.logs.create_partition(&name(), "id", self.config.clone())?
        };
        Ok(())
    }

    fn close(&mut self) {
        let result = self.partition.close().and_then(|()| self.logs.mark_clean());
        self.settle(result);
    }

    fn check_restarted(&mut self) {
        let seed = self.seed;
        let (start, end) = (self.partition.log_start_offset(), self.partition.log_end_offset());
        assert!(
            end >= self.model.acked_end,
            "seed {seed}: log ends at {end}, acked {}",
            self.model.acked_end
        );
        assert!(start <= self.model.log_start, "seed {seed}: start {start}");
        let start = self.model.log_start;
        // What was not flushed may be there or not, but only as it was written.
        let acked_end = self.model.acked_end;
        self.model.batches.retain(|base, _| *base < acked_end);
        for (base, first_id) in self.batches_from(acked_end.max(start)) {
            let attempt = &self.model.attempts[&first_id];
            assert_eq!(attempt.base_offset, base, "seed {seed}: a batch moved");
            self.model.batches.insert(base, first_id);
        }
        assert!(self.model.end() <= end.max(acked_end), "seed {seed}");
        self.model.acked_end = end;
        let served = self.serve(start, end);
        self.check_times(end);
        let mut present = served.iter().map(|served| served.offset).peekable();
        for offset in start..acked_end {
            if present.next_if_eq(&offset).is_some() {
                continue;
            }
            let record = self.model.record_at(offset);
            let record = record.unwrap_or_else(|| panic!("seed {seed}: {offset} was never written"));
            let is_superseded = (offset + 1..self.model.acked_end)
                .any(|later| self.model.record_at(later).is_some_and(|later| later.key == record.key));
            let may_go = self.config.cleanup_policy.compact && (is_superseded || record.value.is_none());
            assert!(may_go, "seed {seed}: flushed record {offset} is lost");
        }
    }

    /// Looks records up by time, which needs whole time indexes.
    fn check_times(&mut self, end: i64) {
        let served = self.serve(self.partition.log_start_offset(), end);
        let Some(some) = served.len().checked_sub(1) else {
            return;
        };
        let wanted = served[self.random.random_range(0..=some)].record.timestamp;
        let expected = served.iter().find(|served| served.record.timestamp >= wanted);
        let found = self.partition.reader().offset_for_timestamp(wanted, end);
        let found = found.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        let expected = expected.map(|served| (served.offset, served.record.timestamp));
        assert_eq!(
            found.map(|found| (found.offset, found.timestamp)),
            expected,
            "seed {}",
            self.seed
        );
    }

    /// Base offsets and first record ids of the batches from an offset on.
    fn batches_from(&self, from: i64) -> Vec<(i64, u64)> {
        let mut batches = Vec::new();
        self.read(from, self.partition.log_end_offset(), &mut |batch, records| {
            if batch.header.base_offset >= from {
                let attempt_of = records.first().map(|served| served.record.id);
                let first_id = attempt_of.expect("only flushed batches are compacted");
                batches.push((batch.header.base_offset, first_id));
            }
        });
        batches
    }

    /// Reads records and compares each with what was produced at its offset.
    fn serve(&self, from: i64, end: i64) -> Vec<Served> {
        let mut all = Vec::new();
        self.read(from, end, &mut |_, records| all.extend(records));
        all.retain(|served: &Served| served.offset >= from);
        for served in &all {
            assert_eq!(
                Some(&served.record),
                self.model.record_at(served.offset),
                "seed {}: offset {} is not what was written",
                self.seed,
                served.offset
            );
        }
        assert!(
            all.windows(2).all(|pair| pair[0].offset < pair[1].offset),
            "seed {}",
            self.seed
        );
        all
    }

    fn read(&self, mut from: i64, end: i64, visit: &mut dyn FnMut(&BatchView<'_>, Vec<Served>)) {
        let seed = self.seed;
        let reader = self.partition.reader();
        let mut max_bytes = 1;
        while from < end {
            let limits = ReadLimits {
                end_offset: end,
                max_bytes,
                at_least_one: true,
            };
            let read = reader
                .read(from, limits)
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            if read.pieces.is_empty() {
                break;
            }
            for batch in read.pieces.iter().flat_map(|piece| BatchIter::new(piece)) {
                let batch = batch.unwrap();
                batch.check_crc().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                visit(&batch, records_of(&batch));
            }
            assert!(read.next_offset > from && read.next_offset <= end, "seed {seed}");
            from = read.next_offset;
            max_bytes = (max_bytes * 7) % 1500;
        }
    }

    /// Every producer repeats its last five batches and is answered as before.
    fn check_producers(&mut self) {
        for producer in 0..PRODUCERS {
            let batches = self.model.batches_of(producer);
            let recent = batches.iter().rev().take(5).rev().cloned().collect::<Vec<_>>();
            if number("WEIR_SIM_SEED").is_some() {
                let places: Vec<_> = recent.iter().map(|one| (one.base_offset, one.producer)).collect();
                let known: Vec<_> = self.partition.producers().iter().collect();
                let start = self.partition.log_start_offset();
                eprintln!("restarted at {start}: {places:?} of {known:?}");
            }
            let answers = self.hand_over(&recent);
            for (attempt, answer) in recent.iter().zip(answers) {
                let info = answer.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
                assert!(info.is_duplicate, "seed {}: a repeated batch was appended", self.seed);
                assert_eq!(
                    (info.base_offset, info.last_offset),
                    (attempt.base_offset, attempt.last_offset()),
                    "seed {}",
                    self.seed
                );
            }
            if let Some(last) = recent.last() {
                let mut gap = last.clone();
                gap.producer = Some((producer, self.model.next_sequence(producer) + 7));
                let answers = self.hand_over(&[gap]);
                assert!(
                    matches!(answers[..], [Err(LogError::OutOfOrderSequence { .. })]),
                    "seed {}: a gap was let in: {answers:?}",
                    self.seed
                );
            }
        }
    }
}

fn records_of(batch: &BatchView<'_>) -> Vec<Served> {
    let header = &batch.header;
    let mut block = Vec::new();
    let records = if header.attributes.codec().unwrap() == Codec::None {
        batch.records()
    } else {
        decompress_into(Codec::Lz4, batch.records(), 1 << 20, &mut block).unwrap();
        &block
    };
    let walker = RecordWalker::new(records, header.records_count);
    walker
        .map(|record| {
            let record = record.unwrap();
            let id = record.headers().next().unwrap().value.unwrap();
            Served {
                offset: header.base_offset + i64::from(record.offset_delta),
                record: Produced {
                    id: u64::from_be_bytes(id.try_into().unwrap()),
                    key: record.key.unwrap().to_vec(),
                    value: record.value.map(<[u8]>::to_vec),
                    timestamp: header.base_timestamp + record.timestamp_delta,
                },
            }
        })
        .collect()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

#[test]
fn no_flushed_record_is_lost_and_nothing_damaged_is_served() {
    if let Some(seed) = number("WEIR_SIM_SEED") {
        Life::new(seed).run();
        return;
    }
    let seeds = number("WEIR_SIM_SEEDS").unwrap_or(10_000);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    Life::new(seed).run();
                }
            });
        }
    });
}
