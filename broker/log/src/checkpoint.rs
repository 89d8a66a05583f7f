//! Kafka's text checkpoints of a data directory
//!
//! `recovery-point-offset-checkpoint` and its two siblings: version, count, then
//! `topic partition offset` a line. Partitions publish their points here and the
//! files are written from them, each atomically.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;

use crate::io::{Disk, read_file, replace_file};

pub(crate) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub(crate) const LOG_STARTS: &str = "log-start-offset-checkpoint";
pub(crate) const CLEANER_POINTS: &str = "cleaner-offset-checkpoint";

/// A partition's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
}

/// Offsets of one partition that outlive the process.
#[derive(Debug, Default)]
pub(crate) struct Points {
    /// Everything below is durable.
    pub(crate) recovery: AtomicI64,
    /// Nothing below may be read.
    pub(crate) log_start: AtomicI64,
    /// Everything below was compacted.
    pub(crate) cleaner: AtomicI64,
}

/// The checkpoints of a data directory.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    points: Mutex<BTreeMap<TopicPartition, Arc<Points>>>,
    // Held while a file is written, so that two writers cannot mix in one `.tmp`.
    writing: Mutex<()>,
}

impl Checkpoints {
    /// Reads what is there; a file that is missing or torn counts as empty.
    pub(crate) fn open(disk: Arc<dyn Disk>, dir: &Path) -> io::Result<Self> {
        let mut points: BTreeMap<TopicPartition, Arc<Points>> = BTreeMap::new();
        for (file, field) in files() {
            let content = read_file(&*disk, &dir.join(file))?.unwrap_or_default();
            for (partition, offset) in parse(&content).unwrap_or_default() {
                field(points.entry(partition).or_default()).store(offset, Ordering::Relaxed);
            }
        }
        Ok(Self {
            disk,
            dir: dir.to_owned(),
            points: Mutex::new(points),
            writing: Mutex::new(()),
        })
    }

    /// Returns the points of a partition, new ones if it has none.
    pub(crate) fn points(&self, partition: &TopicPartition) -> Arc<Points> {
        Arc::clone(self.points.lock().entry(partition.clone()).or_default())
    }

    /// Forgets a deleted partition.
    pub(crate) fn remove(&self, partition: &TopicPartition) {
        self.points.lock().remove(partition);
    }

    /// Writes all three files.
    pub(crate) fn write_all(&self) -> io::Result<()> {
        for (file, field) in files() {
            self.write(file, field)?;
        }
        Ok(())
    }

    /// Writes the log start offsets, which a client may have been told.
    pub(crate) fn write_log_starts(&self) -> io::Result<()> {
        self.write(LOG_STARTS, |points| &points.log_start)
    }

    fn write(&self, file: &str, field: fn(&Points) -> &AtomicI64) -> io::Result<()> {
        let _writing = self.writing.lock();
        let content = render(&self.points.lock(), field);
        replace_file(&*self.disk, &self.dir, file, content.as_bytes())
    }
}

type Field = fn(&Points) -> &AtomicI64;

fn files() -> [(&'static str, Field); 3] {
    [
        (RECOVERY_POINTS, |points| &points.recovery),
        (LOG_STARTS, |points| &points.log_start),
        (CLEANER_POINTS, |points| &points.cleaner),
    ]
}

fn render(points: &BTreeMap<TopicPartition, Arc<Points>>, field: Field) -> String {
    let lines: Vec<String> = points
        .iter()
        .map(|(name, points)| (name, field(points).load(Ordering::Acquire)))
        .filter(|(_, offset)| *offset > 0)
        .map(|(name, offset)| format!("{} {} {offset}\n", name.topic, name.partition))
        .collect();
    format!("0\n{}\n{}", lines.len(), lines.concat())
}

fn parse(content: &[u8]) -> Option<Vec<(TopicPartition, i64)>> {
    let mut lines = std::str::from_utf8(content).ok()?.lines();
    if lines.next()? != "0" {
        return None;
    }
    let count: usize = lines.next()?.parse().ok()?;
    let mut out = Vec::new();
    for line in lines.by_ref().take(count) {
        let mut words = line.split(' ');
        let topic = words.next()?.to_owned();
        let partition = words.next()?.parse().ok()?;
        out.push((TopicPartition { topic, partition }, words.next()?.parse().ok()?));
    }
    (out.len() == count).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::RealDisk;

    #[test]
    fn points_survive_in_kafkas_text() {
        let dir = tempfile::tempdir().unwrap();
        let name = TopicPartition {
            topic: "a.b".to_owned(),
            partition: 3,
        };
        let checkpoints = Checkpoints::open(Arc::new(RealDisk), dir.path()).unwrap();
        checkpoints.points(&name).recovery.store(42, Ordering::Relaxed);
        checkpoints.write_all().unwrap();
        let text = std::fs::read_to_string(dir.path().join(RECOVERY_POINTS)).unwrap();
        assert_eq!(text, "0\n1\na.b 3 42\n");
        let text = std::fs::read_to_string(dir.path().join(LOG_STARTS)).unwrap();
        assert_eq!(text, "0\n0\n");
        let again = Checkpoints::open(Arc::new(RealDisk), dir.path()).unwrap();
        assert_eq!(again.points(&name).recovery.load(Ordering::Relaxed), 42);
    }

    #[test]
    fn torn_files_are_not_read() {
        for text in ["", "0", "1\n0\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\nx\n"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
