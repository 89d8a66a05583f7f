//! When appends are answered, and what a disk that fails does to them.

use std::any::Any;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use bytes::BytesMut;
use futures_util::FutureExt;
use tempfile::TempDir;
use weir_config::properties::Properties;
use weir_log::io::{DirEntry, Disk, DiskFile, OpenMode, RealDisk};
use weir_log::log_config::LogsConfig;
use weir_protocol::records::builder::{BatchBuilder, BatchSettings};
use weir_protocol::records::validate::{BatchRules, validate_batch};

use super::*;
use crate::append::AppendFuture;
use crate::topic_config::Overrides;

/// What the disk refuses from now on.
#[derive(Debug, Default)]
struct Faults {
    sync: AtomicBool,
    full: AtomicBool,
}

#[derive(Debug)]
struct FaultyDisk(Arc<Faults>);

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn DiskFile>,
    faults: Arc<Faults>,
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let file = RealDisk.open(path, mode)?;
        Ok(Arc::new(FaultyFile {
            file,
            faults: Arc::clone(&self.0),
        }))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        RealDisk.list(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        RealDisk.lock(path)
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, out: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(out, position)
    }
    fn append(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.faults.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.append(pieces)
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_size(size)
    }
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn sync_data(&self) -> io::Result<()> {
        if self.faults.sync.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is gone"));
        }
        self.file.sync_data()
    }
    fn modified_ms(&self) -> io::Result<i64> {
        self.file.modified_ms()
    }
}

struct Bench {
    partition: PartitionHandle,
    faults: Arc<Faults>,
    _directory: TempDir,
}

impl Bench {
    fn new(visibility: Visibility) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let faults = Arc::new(Faults::default());
        let settings = LogsConfig {
            node_id: 1,
            new_cluster_id: "cluster".to_owned(),
            new_directory_id: "directory".to_owned(),
            required_cluster_id: None,
            tail_cache_total_bytes: 1 << 20,
        };
        let disk = Arc::new(FaultyDisk(Arc::clone(&faults)));
        let environment = LogEnvironment {
            logs: Arc::new(Logs::open(disk, directory.path(), &settings).unwrap()),
            clock: Clock::manual(1000).0,
            leader_epoch: 3,
            visibility,
            flush: FlushBounds {
                max_delay_ms: 50,
                max_bytes: 1 << 20,
            },
            defaults: LogConfig::default(),
            counters: Arc::default(),
        };
        let config = TopicConfig::resolve(Overrides::new(), &Properties::new()).unwrap();
        let partition = PartitionHandle::new(
            Arc::from("t"),
            Uuid::from_bytes([1; 16]),
            0,
            Arc::new(config),
            Arc::new(environment),
        );
        Self {
            partition,
            faults,
            _directory: directory,
        }
    }

    fn append(&self, ack: Ack) -> (FlushNeed, AppendFuture) {
        let mut builder = BatchBuilder::new(BatchSettings::default());
        builder.append(1000, Some(b"k"), Some(b"v"), &[]);
        let bytes = BytesMut::from(builder.build().unwrap().as_slice());
        let rules = BatchRules {
            now_ms: 1000,
            ..BatchRules::default()
        };
        let facts = validate_batch(&bytes, &rules, &mut Vec::new()).unwrap();
        let (job, future) = AppendFuture::job(bytes, facts, ack);
        (self.partition.append_run(vec![job]), future)
    }
}

/// The answer, if it is there.
fn answer(future: AppendFuture) -> Option<Result<i64, ErrorCode>> {
    let answer = future.done().now_or_never()?;
    Some(answer.map(|appended| appended.base_offset).map_err(|error| error.code))
}

#[test]
fn acks_all_waits_for_the_sync_and_so_do_consumers() {
    let bench = Bench::new(Visibility::Flushed);
    let (need, durable) = bench.append(Ack::Durable);
    assert_eq!(need, FlushNeed::Now);
    let mut waiting = Box::pin(durable.done());
    assert!((&mut waiting).now_or_never().is_none(), "answered before the sync");
    assert_eq!(
        (bench.partition.high_watermark(), bench.partition.log_end_offset()),
        (0, 1)
    );
    bench.partition.flush();
    assert_eq!(waiting.now_or_never().unwrap().unwrap().base_offset, 0);
    assert_eq!(bench.partition.high_watermark(), 1);
}

#[test]
fn acks_1_is_answered_when_written_and_synced_within_the_delay() {
    let bench = Bench::new(Visibility::Flushed);
    let (need, written) = bench.append(Ack::Written);
    assert_eq!(need, FlushNeed::WithinMs(50));
    assert_eq!(answer(written), Some(Ok(0)));
    assert_eq!(bench.partition.high_watermark(), 0);
}

#[test]
fn without_flush_on_ack_what_is_written_is_answered_and_visible() {
    let bench = Bench::new(Visibility::Written);
    let (need, durable) = bench.append(Ack::Durable);
    assert_eq!(need, FlushNeed::WithinMs(50));
    assert_eq!(answer(durable), Some(Ok(0)));
    assert_eq!(bench.partition.high_watermark(), 1);
}

#[test]
fn a_failed_sync_is_final_and_never_acknowledged() {
    let bench = Bench::new(Visibility::Flushed);
    let (_, lost) = bench.append(Ack::Durable);
    bench.faults.sync.store(true, Ordering::SeqCst);
    bench.partition.flush();
    bench.faults.sync.store(false, Ordering::SeqCst);
    assert_eq!(answer(lost), Some(Err(ErrorCode::KAFKA_STORAGE_ERROR)));
    assert_eq!(bench.partition.high_watermark(), 0);
    assert!(bench.partition.is_offline());
    let (need, refused) = bench.append(Ack::Durable);
    assert_eq!(need, FlushNeed::None);
    assert_eq!(answer(refused), Some(Err(ErrorCode::KAFKA_STORAGE_ERROR)));
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room_again() {
    let bench = Bench::new(Visibility::Flushed);
    let (_, first) = bench.append(Ack::Written);
    assert_eq!(answer(first), Some(Ok(0)));
    bench.faults.full.store(true, Ordering::SeqCst);
    let (_, refused) = bench.append(Ack::Durable);
    assert_eq!(answer(refused), Some(Err(ErrorCode::KAFKA_STORAGE_ERROR)));
    bench.faults.full.store(false, Ordering::SeqCst);
    assert!(!bench.partition.is_offline());
    let (_, next) = bench.append(Ack::Durable);
    bench.partition.flush();
    assert_eq!(answer(next), Some(Ok(1)));
}

#[test]
fn deletion_answers_who_still_waits() {
    let bench = Bench::new(Visibility::Flushed);
    let (_, waiting) = bench.append(Ack::Durable);
    bench.partition.delete();
    assert_eq!(answer(waiting), Some(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)));
}
