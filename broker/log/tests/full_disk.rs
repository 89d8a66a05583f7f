//! A disk that is full, or fails, in the middle of the work
//!
//! Full: the append is refused, the file holds whole batches only, and the log
//! goes on when there is room again. Failed: the log stops for good.

mod sim_disk;

use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use sim_disk::{SimDisk, Stop};
use weir_log::checkpoint::TopicPartition;
use weir_log::error::LogError;
use weir_log::log_config::{LogConfig, LogsConfig};
use weir_log::logs::Logs;
use weir_log::partition::{AppendInfo, AppendTime, IncomingBatch, Partition};
use weir_protocol::error_code::ErrorCode;
use weir_protocol::records::builder::{BatchBuilder, BatchSettings};
use weir_protocol::records::validate::BatchFacts;

fn name() -> TopicPartition {
    TopicPartition {
        topic: "t".to_owned(),
        partition: 0,
    }
}

fn open(disk: &SimDisk) -> Logs {
    let config = LogsConfig {
        node_id: 1,
        new_cluster_id: "c".to_owned(),
        new_directory_id: "d".to_owned(),
        required_cluster_id: None,
        tail_cache_total_bytes: 1 << 20,
    };
    Logs::open(Arc::new(disk.clone()), Path::new("/data"), &config).unwrap()
}

fn start() -> (SimDisk, Partition) {
    let disk = SimDisk::new(1);
    let config = LogConfig {
        segment_bytes: 1000,
        ..LogConfig::default()
    };
    let log = open(&disk).create_partition(&name(), "id", config).unwrap();
    (disk, log)
}

fn incoming(base_sequence: i32) -> IncomingBatch {
    let mut builder = BatchBuilder::new(BatchSettings {
        producer_id: 4,
        producer_epoch: 0,
        base_sequence,
        ..BatchSettings::default()
    });
    builder.append(1, Some(b"key"), Some(&[7; 100]), &[]);
    let bytes = BytesMut::from(&builder.build().unwrap()[..]);
    let facts = BatchFacts::of_trusted(&bytes).unwrap();
    IncomingBatch { bytes, facts }
}

fn append(log: &mut Partition, sequences: &[i32]) -> Vec<Result<AppendInfo, LogError>> {
    let batches = sequences.iter().map(|sequence| incoming(*sequence)).collect();
    log.append_all(
        batches,
        AppendTime {
            now_ms: 1,
            leader_epoch: 0,
        },
    )
}

#[test]
fn a_full_disk_refuses_the_write_and_the_log_goes_on() {
    let (disk, mut log) = start();
    assert!(append(&mut log, &[0, 1]).iter().all(Result::is_ok));
    log.flush().unwrap();
    let batch_bytes = incoming(0).bytes.len();
    for room in [0, 1, batch_bytes, batch_bytes + 5] {
        disk.set_free_bytes(Some(room));
        for answer in append(&mut log, &[2, 3]) {
            let error = answer.unwrap_err();
            assert_eq!(error.code(), ErrorCode::KAFKA_STORAGE_ERROR);
            assert!(error.is_retriable(), "{error}");
        }
        assert_eq!((log.log_end_offset(), log.offline_reason()), (2, None), "room {room}");
    }
    disk.set_free_bytes(None);
    // The same sequences are judged as new: nothing of the refused ones is left.
    let answers = append(&mut log, &[2, 3]);
    assert_eq!(answers[1].as_ref().unwrap().base_offset, 3);
    log.flush().unwrap();
    disk.stop(Stop::PowerCut);
    let log = open(&disk).open_partition(&name(), LogConfig::default()).unwrap();
    assert_eq!(log.log_end_offset(), 4);
}

#[test]
fn a_roll_that_finds_no_room_keeps_the_old_segment() {
    let (disk, mut log) = start();
    append(&mut log, &[0, 1, 2, 3]);
    log.flush().unwrap();
    disk.set_free_bytes(Some(20));
    let answers = append(&mut log, &[4]);
    assert!(answers[0].is_err());
    assert!(log.offline_reason().is_none());
    disk.set_free_bytes(None);
    assert_eq!(append(&mut log, &[4])[0].as_ref().unwrap().base_offset, 4);
}

#[test]
fn a_failed_sync_is_final() {
    let (disk, mut log) = start();
    append(&mut log, &[0]);
    log.flush().unwrap();
    append(&mut log, &[1]);
    disk.fail_syncs(1);
    log.flush().unwrap_err();
    assert!(log.offline_reason().is_some());
    assert!(matches!(append(&mut log, &[2])[0], Err(LogError::Offline { .. })));
    assert!(
        matches!(log.flush(), Err(LogError::Offline { .. })),
        "it is not tried again"
    );
    assert!(log.dirty_files().is_none());
    assert!(log.close().is_err());
    assert!(log.reader().is_offline());
    assert_eq!(log.flushed_offset(), 1, "nothing more became visible");
    disk.stop(Stop::Kill);
    let log = open(&disk).open_partition(&name(), LogConfig::default()).unwrap();
    assert_eq!(log.log_end_offset(), 1);
}

#[test]
fn a_bit_that_flipped_on_disk_is_not_served_as_a_torn_tail() {
    let (disk, mut log) = start();
    append(&mut log, &[0, 1]);
    log.flush().unwrap();
    disk.stop(Stop::Kill);
    let logs = open(&disk);
    let log = logs.open_partition(&name(), LogConfig::default()).unwrap();
    logs.write_checkpoints().unwrap();
    drop(log);
    disk.stop(Stop::Kill);
    disk.damage(Path::new("/data/t-0/00000000000000000000.log"), 100);
    let error = open(&disk).open_partition(&name(), LogConfig::default()).unwrap_err();
    assert!(matches!(error, LogError::Corrupt { position: 0, .. }), "{error}");
}
