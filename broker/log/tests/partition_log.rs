//! What one partition log does for its owner, on a real disk
//!
//! Offsets, lookups by time and epoch, deletions, formats on disk, and every
//! kind of damage an operator may meet. Power cuts are in `simulated_disk.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use tempfile::TempDir;
use weir_log::checkpoint::TopicPartition;
use weir_log::error::LogError;
use weir_log::io::RealDisk;
use weir_log::log_config::{CleanupPolicy, LogConfig, LogsConfig, Shutdown};
use weir_log::logs::Logs;
use weir_log::partition::{AppendInfo, AppendTime, Partition};
use weir_log::reader::ReadLimits;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::records::batch::{BatchIter, TimestampType};
use weir_protocol::records::builder::{BatchBuilder, BatchSettings};
use weir_protocol::records::record::RecordWalker;
use weir_protocol::records::validate::{BatchRules, validate_batch};

struct Home {
    dir: TempDir,
    config: LogConfig,
}

/// A record to write: timestamp, key, value.
type Record<'a> = (i64, &'a str, Option<&'a str>);

impl Home {
    fn new() -> Self {
        let config = LogConfig {
            index_interval_bytes: 100,
            ..LogConfig::default()
        };
        Self {
            dir: tempfile::tempdir().unwrap(),
            config,
        }
    }

    fn logs(&self) -> Logs {
        self.try_logs(1).unwrap()
    }

    fn try_logs(&self, node_id: i32) -> Result<Logs, LogError> {
        let config = LogsConfig {
            node_id,
            new_cluster_id: "first".to_owned(),
            new_directory_id: "d".to_owned(),
            required_cluster_id: None,
            tail_cache_total_bytes: 1 << 20,
        };
        Logs::open(Arc::new(RealDisk), self.dir.path(), &config)
    }

    fn create(&self) -> Partition {
        self.logs()
            .create_partition(&name(), "topic-id", self.config.clone())
            .unwrap()
    }

    fn open(&self) -> Result<Partition, LogError> {
        self.logs().open_partition(&name(), self.config.clone())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join("t-0").join(file)
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path().join("t-0")).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Home {
    /// Name of the newest log file.
    fn last_log(&self) -> String {
        self.files().into_iter().rfind(|file| file.ends_with(".log")).unwrap()
    }
}

fn name() -> TopicPartition {
    TopicPartition {
        topic: "t".to_owned(),
        partition: 0,
    }
}

fn log_file(base: i64) -> String {
    format!("{base:020}.log")
}

fn batch(settings: BatchSettings, records: &[Record<'_>]) -> BytesMut {
    let mut builder = BatchBuilder::new(settings);
    for (timestamp, key, value) in records {
        builder.append(*timestamp, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    BytesMut::from(&builder.build().unwrap()[..])
}

fn append(log: &mut Partition, records: &[Record<'_>]) -> AppendInfo {
    append_as(log, BatchSettings::default(), records).unwrap()
}

fn append_as(log: &mut Partition, settings: BatchSettings, records: &[Record<'_>]) -> Result<AppendInfo, LogError> {
    let bytes = batch(settings, records);
    let rules = BatchRules {
        now_ms: 1_000_000,
        ..BatchRules::default()
    };
    let facts = validate_batch(&bytes, &rules, &mut Vec::new()).unwrap();
    log.append(
        bytes,
        &facts,
        AppendTime {
            now_ms: 5_000_000,
            leader_epoch: 3,
        },
    )
}

/// Offset, key and value of all records that are flushed.
fn read_all(log: &Partition) -> Vec<(i64, String, Option<String>)> {
    let reader = log.reader();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut out = Vec::new();
    let mut offset = reader.log_start_offset();
    loop {
        let limits = ReadLimits {
            end_offset: reader.flushed_offset(),
            max_bytes: 300,
            at_least_one: true,
        };
        let read = reader.read(offset, limits).unwrap();
        if read.pieces.is_empty() {
            return out;
        }
        for batch in read.pieces.iter().flat_map(|piece| BatchIter::new(piece)) {
            let batch = batch.unwrap();
            batch.check_crc().unwrap();
            for record in RecordWalker::new(batch.records(), batch.header.records_count) {
                let record = record.unwrap();
                let offset = batch.header.base_offset + i64::from(record.offset_delta);
                out.push((offset, text(record.key.unwrap()), record.value.map(text)));
            }
        }
        offset = read.next_offset;
    }
}

fn fill(log: &mut Partition, batches: i64) {
    for at in 0..batches {
        append(
            log,
            &[
                (1000 + at * 10, "key", Some("some value")),
                (1005 + at * 10, "key", None),
            ],
        );
    }
    log.flush().unwrap();
}

#[test]
fn reads_stop_at_the_flushed_offset_and_give_whole_batches() {
    let home = Home::new();
    let mut log = home.create();
    let info = append(&mut log, &[(1, "a", Some("1")), (2, "b", Some("2"))]);
    assert_eq!(
        (info.base_offset, info.last_offset, info.log_append_time_ms),
        (0, 1, -1)
    );
    assert!(read_all(&log).is_empty(), "nothing is durable yet");
    log.flush().unwrap();
    append(&mut log, &[(3, "c", Some("3"))]);
    assert_eq!(read_all(&log).len(), 2);

    let reader = log.reader();
    let limits = |max_bytes, at_least_one| ReadLimits {
        end_offset: 3,
        max_bytes,
        at_least_one,
    };
    let first = reader.read(1, limits(1, true)).unwrap();
    assert_eq!(
        first.next_offset, 2,
        "the batch that holds the offset, from its first record"
    );
    assert!(reader.read(1, limits(1, false)).unwrap().pieces.is_empty());
    assert_eq!(reader.read(0, limits(1000, false)).unwrap().next_offset, 3);
    assert!(reader.read(3, limits(1000, true)).unwrap().pieces.is_empty());
    for offset in [-1, 4] {
        let error = reader.read(offset, limits(1000, true)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::OFFSET_OUT_OF_RANGE);
    }
}

#[test]
fn a_clean_stop_and_a_crash_both_bring_everything_back() {
    for shutdown in [Shutdown::Clean, Shutdown::Crash] {
        let mut home = Home::new();
        home.config.segment_bytes = 600;
        let logs = home.logs();
        let mut log = logs.create_partition(&name(), "id", home.config.clone()).unwrap();
        fill(&mut log, 40);
        let before = read_all(&log);
        if shutdown == Shutdown::Clean {
            log.close().unwrap();
            logs.mark_clean().unwrap();
        }
        drop((log, logs));
        let logs = home.logs();
        assert_eq!(logs.shutdown(), shutdown);
        let found = logs.find_partitions().unwrap();
        assert_eq!(found[0].name, name());
        assert_eq!(found[0].topic_id.as_deref(), Some("id"));
        let mut log = logs.open_partition(&name(), home.config.clone()).unwrap();
        assert_eq!(read_all(&log), before);
        assert_eq!((log.log_end_offset(), log.flushed_offset()), (80, 80));
        let info = append(&mut log, &[(1, "k", Some("v"))]);
        assert_eq!(info.base_offset, 80);
        assert_eq!(log.offset_for_leader_epoch(3), Some((3, 81)));
        assert_eq!(log.offset_for_leader_epoch(2), None);
    }
}

#[test]
fn timestamps_are_found_inside_batches() {
    let mut home = Home::new();
    home.config.segment_bytes = 500;
    let mut log = home.create();
    fill(&mut log, 30);
    append(&mut log, &[(7, "late", Some("old time"))]);
    log.flush().unwrap();
    let find = |log: &Partition, timestamp| {
        let found = log
            .reader()
            .offset_for_timestamp(timestamp, log.flushed_offset())
            .unwrap();
        found.map(|found| (found.offset, found.timestamp))
    };
    let check = |log: &Partition| {
        assert_eq!(find(log, 0), Some((0, 1000)));
        assert_eq!(find(log, 1001), Some((1, 1005)));
        assert_eq!(find(log, 1150), Some((30, 1150)));
        assert_eq!(find(log, 1151), Some((31, 1155)));
        assert_eq!(find(log, 1296), None);
        let largest = log.reader().max_timestamp(log.flushed_offset()).unwrap().unwrap();
        assert_eq!((largest.offset, largest.timestamp, largest.leader_epoch), (59, 1295, 3));
        let largest = log.reader().max_timestamp(10).unwrap().unwrap();
        assert_eq!((largest.offset, largest.timestamp), (9, 1045));
    };
    check(&log);
    drop(log);
    check(&home.open().unwrap());
}

#[test]
fn append_time_is_stamped_and_found() {
    let mut home = Home::new();
    home.config.timestamp_type = TimestampType::LogAppendTime;
    let mut log = home.create();
    let info = append(&mut log, &[(1, "a", Some("1")), (2, "b", Some("2"))]);
    assert_eq!(info.log_append_time_ms, 5_000_000);
    log.flush().unwrap();
    assert_eq!(read_all(&log).len(), 2);
    let found = log.reader().offset_for_timestamp(3, 2).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (0, 5_000_000));
}

#[test]
fn deleted_records_stay_deleted() {
    let mut home = Home::new();
    home.config.segment_bytes = 500;
    let mut log = home.create();
    fill(&mut log, 30);
    assert_eq!(log.delete_records(33).unwrap(), 33);
    assert_eq!(log.delete_records(20).unwrap(), 33, "the start never goes back");
    assert!(log.delete_records(61).is_err());
    drop(log);
    let log = home.open().unwrap();
    assert_eq!(log.log_start_offset(), 33);
    let read = log.reader().read(
        32,
        ReadLimits {
            end_offset: 60,
            max_bytes: 1,
            at_least_one: true,
        },
    );
    assert_eq!(read.unwrap_err().code(), ErrorCode::OFFSET_OUT_OF_RANGE);
    // The start lies in the middle of a batch, which is given whole.
    assert_eq!(read_all(&log).first().unwrap().0, 32);
    assert!(!home.path(&log_file(0)).is_file());
}

#[test]
fn retention_drops_by_time_and_size_and_keeps_offsets() {
    let mut home = Home::new();
    home.config.segment_bytes = 500;
    home.config.retention_bytes = 1200;
    let mut log = home.create();
    fill(&mut log, 30);
    let before = log.reader().size();
    assert!(log.apply_retention(1300).unwrap() > 0);
    let after = log.reader().size();
    assert!((1200..before).contains(&after), "{after}");
    let config = LogConfig {
        retention_ms: 100,
        ..home.config.clone()
    };
    log.set_config(config);
    log.apply_retention(1_000_000).unwrap();
    assert_eq!(
        (log.reader().size(), log.log_start_offset(), log.log_end_offset()),
        (0, 60, 60)
    );
    drop(log);
    let mut log = home.open().unwrap();
    assert_eq!(append(&mut log, &[(1, "k", Some("v"))]).base_offset, 60);
}

#[test]
fn compaction_keeps_the_last_of_each_key_at_its_offset() {
    let mut home = Home::new();
    home.config.segment_bytes = 400;
    home.config.cleanup_policy = CleanupPolicy {
        delete: false,
        compact: true,
    };
    home.config.delete_retention_ms = 1000;
    let mut log = home.create();
    for at in 0..20 {
        let (value, key) = (format!("{at}"), format!("k{}", at % 3));
        append(&mut log, &[(at, &key, Some(&value)), (at, "gone", Some("x"))]);
    }
    append(&mut log, &[(21, "gone", None)]);
    log.roll().unwrap();
    log.flush().unwrap();
    let stats = log.compact(100).unwrap().unwrap();
    assert_eq!((stats.records_read, stats.records_kept), (41, 4));
    let row = |offset, key: &str, value: Option<&str>| (offset, key.to_owned(), value.map(str::to_owned));
    let kept = vec![
        row(34, "k2", Some("17")),
        row(36, "k0", Some("18")),
        row(38, "k1", Some("19")),
        row(40, "gone", None),
    ];
    assert_eq!(read_all(&log), kept);
    assert!(log.compact(200).unwrap().is_none(), "nothing is dirty");
    drop(log);
    let mut log = home.open().unwrap();
    assert_eq!(read_all(&log), kept);
    // The tombstone goes with a later pass, after its time.
    append(&mut log, &[(30, "k0", Some("new"))]);
    log.roll().unwrap();
    log.flush().unwrap();
    log.compact(5000).unwrap().unwrap();
    assert_eq!(
        read_all(&log),
        vec![
            row(34, "k2", Some("17")),
            row(38, "k1", Some("19")),
            row(41, "k0", Some("new"))
        ]
    );
}

#[test]
fn a_repeated_batch_is_recognised_after_a_restart() {
    let home = Home::new();
    let mut log = home.create();
    let producer = |base_sequence| BatchSettings {
        producer_id: 9,
        producer_epoch: 1,
        base_sequence,
        ..BatchSettings::default()
    };
    for sequence in 0..7 {
        append_as(&mut log, producer(sequence), &[(1, "k", Some("v"))]).unwrap();
    }
    log.flush().unwrap();
    drop(log);
    let mut log = home.open().unwrap();
    let again = append_as(&mut log, producer(2), &[(1, "k", Some("v"))]).unwrap();
    assert_eq!((again.base_offset, again.is_duplicate), (2, true));
    let error = append_as(&mut log, producer(8), &[(1, "k", Some("v"))]).unwrap_err();
    assert_eq!(error.code(), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let old = BatchSettings {
        producer_epoch: 0,
        ..producer(7)
    };
    let error = append_as(&mut log, old, &[(1, "k", Some("v"))]).unwrap_err();
    assert_eq!(error.code(), ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(
        append_as(&mut log, producer(7), &[(1, "k", Some("v"))])
            .unwrap()
            .base_offset,
        7
    );
}

/// Writes two flushed segments and leaves as after a crash, with or without the
/// recovery point saved.
fn crashed(home: &mut Home, is_saved: bool) -> Vec<(i64, String, Option<String>)> {
    home.config.segment_bytes = 700;
    let logs = home.logs();
    let mut log = logs.create_partition(&name(), "id", home.config.clone()).unwrap();
    fill(&mut log, 12);
    if is_saved {
        logs.write_checkpoints().unwrap();
    }
    read_all(&log)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn damage_below_the_recovery_point_refuses_the_partition_and_changes_nothing() {
    let mut home = Home::new();
    crashed(&mut home, true);
    let last = home.last_log();
    let path = home.path(&last);
    flip(&path, 70);
    let before = fs::read(&path).unwrap();
    let error = home.open().unwrap_err();
    assert!(matches!(error, LogError::Corrupt { position: 0, .. }), "{error}");
    assert_eq!(error.code(), ErrorCode::KAFKA_STORAGE_ERROR);
    assert_eq!(fs::read(&path).unwrap(), before, "durable data is never cut");
    fs::write(&path, &before[..before.len() - 1]).unwrap();
    assert!(
        matches!(home.open(), Err(LogError::Corrupt { .. })),
        "nor when it is short"
    );
}

#[test]
fn any_torn_tail_leaves_the_whole_batches_before_it() {
    let mut home = Home::new();
    let before = crashed(&mut home, false);
    let last = home.last_log();
    let path = home.path(&last);
    let base: i64 = last.trim_end_matches(".log").parse().unwrap();
    let whole = fs::read(&path).unwrap();
    for size in 0..whole.len() {
        fs::write(&path, &whole[..size]).unwrap();
        let log = home.open().unwrap();
        let kept = BatchIter::new(&whole[..size]).flatten().count() as i64 * 2;
        assert_eq!(log.log_end_offset(), base + kept, "cut at {size}");
        assert_eq!(read_all(&log), before[..(base + kept) as usize], "cut at {size}");
    }
    let mut start = 0;
    for batch in BatchIter::new(&whole).flatten() {
        // The sum covers everything from the magic on; of the rest, an offset far
        // off is noticed.
        for at in (16..batch.bytes.len()).step_by(3).chain([0, 3]) {
            fs::write(&path, &whole).unwrap();
            flip(&path, start + at);
            let log = home.open().unwrap();
            let end = log.log_end_offset();
            assert_eq!(end, batch.header.base_offset, "byte {at} of the batch");
            assert_eq!(read_all(&log), before[..end as usize], "byte {at} of the batch");
        }
        start += batch.bytes.len();
    }
}

#[test]
fn lost_and_damaged_indexes_are_rebuilt() {
    for damage in [
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| fs::write(path, [1, 2, 3]).unwrap(),
    ] {
        let mut home = Home::new();
        let before = crashed(&mut home, true);
        for file in home.files().iter().filter(|file| file.ends_with("index")) {
            damage(&home.path(file));
        }
        let log = home.open().unwrap();
        assert_eq!(read_all(&log), before);
        let found = log.reader().offset_for_timestamp(1051, 24).unwrap().unwrap();
        assert_eq!(found.offset, 11);
    }
}

#[test]
fn the_directory_is_ours_alone() {
    let home = Home::new();
    let logs = home.logs();
    assert!(matches!(home.try_logs(1), Err(LogError::Locked { .. })));
    assert_eq!(logs.cluster_id(), "first");
    drop(logs);
    assert!(matches!(home.try_logs(2), Err(LogError::ForeignDirectory { .. })));
    fs::write(
        home.dir.path().join("meta.properties"),
        "version=7\ncluster.id=x\nnode.id=1\n",
    )
    .unwrap();
    let error = home.try_logs(1).unwrap_err();
    assert!(error.to_string().contains("version"), "{error}");
}

#[test]
fn a_deleted_partition_is_not_found_again_and_its_name_is_free() {
    let home = Home::new();
    let logs = home.logs();
    let mut log = logs.create_partition(&name(), "one", home.config.clone()).unwrap();
    fill(&mut log, 3);
    log.delete_records(2).unwrap();
    assert!(logs.create_partition(&name(), "two", home.config.clone()).is_err());
    drop(log);
    logs.delete_partition(&name()).unwrap();
    assert!(logs.find_partitions().unwrap().is_empty());
    let log = logs.create_partition(&name(), "two", home.config.clone()).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (0, 0));
    drop(log);
    // A deletion that a crash interrupted is finished.
    fs::rename(home.dir.path().join("t-0"), home.dir.path().join("t-0-delete")).unwrap();
    assert!(logs.find_partitions().unwrap().is_empty());
    assert!(!home.dir.path().join("t-0-delete").is_dir());
}
