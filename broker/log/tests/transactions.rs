//! Transactions in a partition log: last stable offset, aborted list, cuts, compaction
//!
//! What a log says of its transactions must be what its batches say: after every append, after a
//! power cut at every operation of a script, and after compaction as far as a reader can tell.

mod sim_disk;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use sim_disk::{SimDisk, Stop};
use weir_log::aborted::{AbortedTransaction, TransactionEnd};
use weir_log::checkpoint::TopicPartition;
use weir_log::error::LogError;
use weir_log::log_config::{CleanupPolicy, LogConfig, LogsConfig};
use weir_log::logs::Logs;
use weir_log::partition::{AppendInfo, AppendTime, Partition};
use weir_log::reader::ReadLimits;
use weir_protocol::records::batch::BatchIter;
use weir_protocol::records::builder::{BatchBuilder, BatchSettings};
use weir_protocol::records::control::{Marker, MarkerSource, build_marker};
use weir_protocol::records::record::RecordWalker;
use weir_protocol::records::validate::BatchFacts;

const NOW_MS: i64 = 1_000_000;

fn logs(disk: &SimDisk) -> Result<Logs, LogError> {
    let config = LogsConfig {
        node_id: 1,
        new_cluster_id: "c".to_owned(),
        new_directory_id: "d".to_owned(),
        required_cluster_id: None,
        tail_cache_total_bytes: 1000,
    };
    Logs::open(Arc::new(disk.clone()), Path::new("/data"), &config)
}

fn name() -> TopicPartition {
    TopicPartition {
        topic: "t".to_owned(),
        partition: 0,
    }
}

fn small_segments() -> LogConfig {
    LogConfig {
        segment_bytes: 400,
        index_interval_bytes: 100,
        tail_cache_bytes: 300,
        ..LogConfig::default()
    }
}

/// A log and the next sequence of each of its producers.
struct Home {
    log: Partition,
    sequences: HashMap<i64, i32>,
}

impl Home {
    fn new(config: LogConfig) -> Self {
        let disk = SimDisk::new(1);
        let log = logs(&disk).unwrap().create_partition(&name(), "id", config).unwrap();
        Self {
            log,
            sequences: HashMap::new(),
        }
    }

    fn append(&mut self, bytes: &[u8], now_ms: i64) -> Result<AppendInfo, LogError> {
        let facts = BatchFacts::of_trusted(bytes).unwrap();
        let at = AppendTime {
            now_ms,
            leader_epoch: 0,
        };
        self.log.append(BytesMut::from(bytes), &facts, at)
    }

    fn send(&mut self, producer_id: i64, records: &[(&str, Option<&str>)]) -> Result<AppendInfo, LogError> {
        let sequence = self.sequences.entry(producer_id).or_default();
        let mut builder = BatchBuilder::new(BatchSettings {
            producer_id,
            producer_epoch: 0,
            base_sequence: *sequence,
            is_transactional: true,
            ..BatchSettings::default()
        });
        *sequence += i32::try_from(records.len()).unwrap();
        for (key, value) in records {
            builder.append(NOW_MS, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
        }
        self.append(&builder.build().unwrap(), NOW_MS)
    }

    fn end(&mut self, producer_id: i64, marker: Marker) -> Result<AppendInfo, LogError> {
        let source = MarkerSource {
            producer_id,
            producer_epoch: 0,
            coordinator_epoch: 1,
        };
        self.append(&build_marker(source, marker, NOW_MS).unwrap(), NOW_MS)
    }

    fn plain(&mut self, key: &str) -> Result<AppendInfo, LogError> {
        let mut builder = BatchBuilder::new(BatchSettings::default());
        builder.append(NOW_MS, Some(key.as_bytes()), Some(b"plain"), &[]);
        self.append(&builder.build().unwrap(), NOW_MS)
    }
}

/// Every batch of a log, whole.
fn batches(log: &Partition) -> Vec<Vec<u8>> {
    let reader = log.reader();
    let mut all = Vec::new();
    let mut offset = reader.log_start_offset();
    while offset < reader.log_end_offset() {
        let limits = ReadLimits {
            end_offset: reader.log_end_offset(),
            max_bytes: 1 << 20,
            at_least_one: true,
        };
        let read = reader.read(offset, limits).unwrap();
        if read.next_offset == offset {
            break;
        }
        for piece in &read.pieces {
            all.extend(BatchIter::new(piece).map(|batch| batch.unwrap().bytes.to_vec()));
        }
        offset = read.next_offset;
    }
    all
}

/// What the batches say: open transactions by first offset, and aborted ones.
fn told_by_batches(log: &Partition) -> (Option<i64>, Vec<AbortedTransaction>) {
    let mut open: BTreeMap<i64, i64> = BTreeMap::new();
    let mut aborted = Vec::new();
    for bytes in batches(log) {
        let batch = BatchIter::new(&bytes).next().unwrap().unwrap();
        let header = batch.header;
        if let Some(end) = TransactionEnd::of(&header, batch.bytes).unwrap() {
            let Some(first_offset) = open.remove(&header.producer_id) else {
                continue;
            };
            if end.marker == Marker::Abort {
                aborted.push(AbortedTransaction {
                    producer_id: header.producer_id,
                    first_offset,
                    last_offset: header.last_offset(),
                    last_stable_offset: open.values().min().copied().unwrap_or(header.next_offset()),
                });
            }
        } else if header.attributes.is_transactional() {
            open.entry(header.producer_id).or_insert(header.base_offset);
        }
    }
    aborted.sort_by_key(|one| one.first_offset);
    (open.values().min().copied(), aborted)
}

#[track_caller]
fn assert_agrees(log: &Partition, when: &str) {
    let (unstable, aborted) = told_by_batches(log);
    let reader = log.reader();
    let end = reader.log_end_offset();
    assert_eq!(reader.last_stable_offset(end), unstable.unwrap_or(end), "{when}");
    assert_eq!(
        reader.aborted_between(reader.log_start_offset(), i64::MAX),
        aborted,
        "{when}"
    );
    for entry in &aborted {
        for (from, to) in [
            (entry.first_offset, entry.first_offset + 1),
            (entry.last_offset - 1, entry.last_offset),
        ] {
            let found = reader.aborted_between(from, to);
            assert!(
                found.contains(entry),
                "{when}: {entry:?} is missing from {from} to {to}"
            );
        }
    }
}

/// Transactions that overlap, over many segments.
const SCRIPT: [(i64, Option<Marker>); 22] = [
    (1, None),
    (2, None),
    (1, None),
    (1, Some(Marker::Abort)),
    (0, None),
    (2, None),
    (1, None),
    (3, None),
    (2, Some(Marker::Commit)),
    (1, None),
    (1, Some(Marker::Abort)),
    (0, None),
    (3, None),
    (3, Some(Marker::Abort)),
    (1, None),
    (2, None),
    (2, None),
    (1, Some(Marker::Commit)),
    (3, None),
    (2, Some(Marker::Abort)),
    (0, None),
    (1, None),
];

fn play(home: &mut Home, step: usize) -> Result<(), LogError> {
    let (producer_id, marker) = SCRIPT[step % SCRIPT.len()];
    match (producer_id, marker) {
        (0, _) => home.plain("p")?,
        (_, Some(marker)) => home.end(producer_id, marker)?,
        (_, None) => home.send(producer_id, &[("k", Some("v")), ("l", Some("w"))])?,
    };
    if step % 4 == 1 {
        home.log.flush()?;
    }
    Ok(())
}

#[test]
fn the_log_says_what_its_batches_say() {
    let mut home = Home::new(small_segments());
    for step in 0..3 * SCRIPT.len() {
        play(&mut home, step).unwrap();
        assert_agrees(&home.log, &format!("step {step}"));
    }
    let reader = home.log.reader();
    assert!(reader.aborted_between(0, i64::MAX).len() >= 8);
    assert_eq!(reader.last_stable_offset(7), 7, "never beyond what others may see");
}

#[test]
fn a_cut_at_any_operation_loses_no_abort_and_invents_none() {
    for stop in [Stop::PowerCut, Stop::Kill] {
        let mut cuts = 0;
        for operations in 1.. {
            let disk = SimDisk::new(u64::from(operations));
            let log = logs(&disk).unwrap();
            let mut log = log.create_partition(&name(), "id", small_segments()).unwrap();
            // There is a partition at all.
            log.flush().unwrap();
            let mut home = Home {
                log,
                sequences: HashMap::new(),
            };
            disk.cut_power_after(operations);
            let failed = (0..2 * SCRIPT.len()).find(|step| play(&mut home, *step).is_err());
            let closed = failed.is_none() && home.log.close().is_ok();
            if closed {
                break;
            }
            cuts += 1;
            drop(home);
            disk.stop(stop);
            // Twice: the first start writes what the second one trusts.
            for start in 0..2 {
                let again = logs(&disk).unwrap().open_partition(&name(), small_segments()).unwrap();
                assert_agrees(&again, &format!("{stop:?} at operation {operations}, start {start}"));
                drop(again);
                disk.stop(stop);
            }
        }
        assert!(cuts > 40, "only {cuts} cuts");
    }
}

#[test]
fn refused_batches_open_and_end_nothing() {
    let mut home = Home::new(LogConfig::default());
    home.send(1, &[("a", Some("1"))]).unwrap();
    let stale = MarkerSource {
        producer_id: 1,
        producer_epoch: -1,
        coordinator_epoch: 1,
    };
    let refused = home.append(&build_marker(stale, Marker::Abort, NOW_MS).unwrap(), NOW_MS);
    assert!(matches!(refused, Err(LogError::ProducerEpoch { .. })), "{refused:?}");
    assert_agrees(&home.log, "after a refused marker");
    assert_eq!(home.log.reader().last_stable_offset(10), 0);
}

/// Key and value as a reader of committed records sees them, the last of each key.
fn committed(log: &Partition) -> BTreeMap<String, Option<String>> {
    let reader = log.reader();
    let end = reader.last_stable_offset(reader.log_end_offset());
    let aborted = reader.aborted_between(0, end);
    let mut seen = BTreeMap::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for bytes in batches(log) {
        let batch = BatchIter::new(&bytes).next().unwrap().unwrap();
        let header = batch.header;
        let is_aborted = aborted.iter().any(|one| {
            one.producer_id == header.producer_id && (one.first_offset..one.last_offset).contains(&header.base_offset)
        });
        if header.attributes.is_control() || is_aborted || header.base_offset >= end {
            continue;
        }
        for record in RecordWalker::new(batch.records(), header.records_count) {
            let record = record.unwrap();
            seen.insert(text(record.key.unwrap()), record.value.map(text));
        }
    }
    seen
}

fn markers(log: &Partition) -> usize {
    let batches = batches(log);
    let headers = batches
        .iter()
        .map(|bytes| BatchIter::new(bytes).next().unwrap().unwrap().header);
    headers.filter(|header| header.attributes.is_control()).count()
}

#[test]
fn compaction_drops_aborted_records_and_then_their_markers() {
    let config = LogConfig {
        cleanup_policy: CleanupPolicy {
            delete: false,
            compact: true,
        },
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: 1000,
        ..small_segments()
    };
    let mut home = Home::new(config);
    for round in 0..6 {
        let value = format!("{round}");
        home.send(1, &[("a", Some(&value))]).unwrap();
        home.end(1, Marker::Commit).unwrap();
        home.send(2, &[("a", Some("aborted")), ("b", Some("aborted"))]).unwrap();
        home.end(2, Marker::Abort).unwrap();
        home.log.roll().unwrap();
    }
    // Still open: nothing from here on may be touched.
    home.send(3, &[("a", Some("open"))]).unwrap();
    home.log.roll().unwrap();
    home.plain("z").unwrap();
    home.log.roll().unwrap();
    home.plain("z").unwrap();
    home.log.flush().unwrap();
    let before = committed(&home.log);
    assert_eq!(before.get("a"), Some(&Some("5".to_owned())));
    let open_from = home.log.reader().last_stable_offset(i64::MAX);
    let tail = |log: &Partition| {
        batches(log)
            .into_iter()
            .filter(|bytes| BatchIter::new(bytes).next().unwrap().unwrap().header.base_offset >= open_from)
            .count()
    };
    let (tail_before, markers_before) = (tail(&home.log), markers(&home.log));
    let stats = home.log.compact(NOW_MS).unwrap().unwrap();
    assert!(stats.records_kept < stats.records_read);
    assert_eq!(committed(&home.log), before);
    assert_eq!(tail(&home.log), tail_before, "an open transaction bounds compaction");
    let aborted_left = batches(&home.log)
        .iter()
        .any(|bytes| bytes.windows(7).any(|part| part == b"aborted"));
    assert!(!aborted_left, "aborted records are gone at once");
    // The next pass finds markers that end nothing and gives them a horizon; the one after it drops them.
    home.end(3, Marker::Commit).unwrap();
    for pass in 0..3 {
        home.log.roll().unwrap();
        home.plain("y").unwrap();
        home.log.roll().unwrap();
        home.plain("y").unwrap();
        home.log.flush().unwrap();
        home.log.compact(NOW_MS + 2000 * pass).unwrap();
    }
    assert!(
        markers(&home.log) < markers_before,
        "{} of {markers_before}",
        markers(&home.log)
    );
    assert_eq!(committed(&home.log).get("a"), Some(&Some("open".to_owned())));
}
