//! All partition logs of one data directory
//!
//! Owns what partitions share: the lock, the directory's identity, the clean
//! shutdown mark and the checkpoints. Which topics should exist is the cluster
//! metadata's matter; here a partition is a directory `<topic>-<number>`.
//! Source: Kafka's `LogManager`.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::{Checkpoints, TopicPartition};
use crate::error::LogError;
use crate::io::{Disk, read_file, remove_if_there, replace_file, write_file};
use crate::log_config::{LogConfig, LogsConfig, Shutdown};
use crate::partition::{Partition, Shared};
use crate::recovery::Place;
use crate::tail_cache::TailBudget;

const LOCK: &str = ".lock";
const META: &str = "meta.properties";
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
const PARTITION_METADATA: &str = "partition.metadata";
const META_VERSION: &str = "1";
const DELETED_SUFFIX: &str = "-delete";

/// A data directory in use.
#[derive(Debug)]
pub struct Logs {
    disk: Arc<dyn Disk>,
    dir: Arc<Path>,
    cluster_id: String,
    shutdown: Shutdown,
    checkpoints: Arc<Checkpoints>,
    budget: Arc<TailBudget>,
    _lock: Box<dyn Any + Send + Sync>,
}

/// A partition directory that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPartition {
    /// Topic and number.
    pub name: TopicPartition,
    /// Topic id in Kafka's base64 form, if the directory tells it.
    pub topic_id: Option<String>,
}

impl Logs {
    /// Takes a data directory into use, making it if need be.
    ///
    /// The clean shutdown mark is consumed, durably: from now on a stop is a crash
    /// until [`Logs::mark_clean`].
    ///
    /// # Errors
    /// [`LogError::Locked`], [`LogError::ForeignDirectory`], disk errors.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, config: &LogsConfig) -> Result<Self, LogError> {
        create_durably(&*disk, dir).map_err(LogError::io("create", dir))?;
        let lock_path = dir.join(LOCK);
        let lock = disk.lock(&lock_path).map_err(|source| {
            if source.kind() == io::ErrorKind::WouldBlock {
                LogError::Locked {
                    path: lock_path.clone(),
                }
            } else {
                LogError::Io {
                    action: "lock",
                    path: lock_path.clone(),
                    source,
                }
            }
        })?;
        let cluster_id = identify(&*disk, dir, config)?;
        let mark = dir.join(CLEAN_SHUTDOWN);
        let was_clean = read_file(&*disk, &mark).map_err(LogError::io("read", &mark))?.is_some();
        if was_clean {
            remove_if_there(&*disk, &mark).map_err(LogError::io("remove", &mark))?;
        }
        // After a kill, partition directories may be in the page cache only.
        disk.sync_dir(dir).map_err(LogError::io("sync", dir))?;
        let checkpoints = Checkpoints::open(Arc::clone(&disk), dir).map_err(LogError::io("read", dir))?;
        Ok(Self {
            disk,
            dir: Arc::from(dir),
            cluster_id,
            shutdown: if was_clean { Shutdown::Clean } else { Shutdown::Crash },
            checkpoints: Arc::new(checkpoints),
            budget: Arc::new(TailBudget::new(config.tail_cache_total_bytes)),
            _lock: lock,
        })
    }

    /// Returns the cluster id of the directory.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Returns how the directory was left.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown
    }

    /// Returns the data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Lists the partitions on disk, and removes those whose deletion was begun.
    ///
    /// # Errors
    /// Disk errors.
    pub fn find_partitions(&self) -> Result<Vec<FoundPartition>, LogError> {
        let entries = self.disk.list(&self.dir).map_err(LogError::io("list", &self.dir))?;
        let mut found = Vec::new();
        for entry in entries.iter().filter(|entry| entry.is_dir) {
            let path = self.dir.join(&entry.name);
            if entry.name.ends_with(DELETED_SUFFIX) {
                self.purge(&path)?;
            } else if let Some(name) = parse_dir_name(&entry.name) {
                let metadata = path.join(PARTITION_METADATA);
                let content = read_file(&*self.disk, &metadata)
                    .map_err(LogError::io("read", &metadata))?
                    .unwrap_or_default();
                let topic_id = String::from_utf8_lossy(&content)
                    .lines()
                    .find_map(|line| line.strip_prefix("topic_id: ").map(str::to_owned));
                found.push(FoundPartition { name, topic_id });
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Opens a partition that is on disk, recovering it after a crash.
    ///
    /// # Errors
    /// [`LogError::Corrupt`]: durable data is damaged, the partition is not
    /// served and its files are left as they are. Disk errors.
    pub fn open_partition(&self, name: &TopicPartition, config: LogConfig) -> Result<Partition, LogError> {
        let place = self.place(name);
        Partition::open(place, self.shared(name), config, self.shutdown)
    }

    /// Makes a new, empty partition. It is durable after its first flush.
    ///
    /// # Errors
    /// [`LogError::Directory`] when there is one of that name; disk errors.
    pub fn create_partition(
        &self,
        name: &TopicPartition,
        topic_id: &str,
        config: LogConfig,
    ) -> Result<Partition, LogError> {
        let place = self.place(name);
        let path = &place.dir;
        let has_files = match self.disk.list(path) {
            Ok(entries) => entries.iter().any(|entry| entry.name.ends_with(".log")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(LogError::io("list", path)(error)),
        };
        if has_files {
            return Err(LogError::Directory {
                path: path.to_path_buf(),
                reason: "exists already",
            });
        }
        self.checkpoints.remove(name);
        self.disk.create_dir(path).map_err(LogError::io("create", path))?;
        let metadata = path.join(PARTITION_METADATA);
        let content = format!("version: 0\ntopic_id: {topic_id}");
        let file = write_file(&*self.disk, &metadata, content.as_bytes()).map_err(LogError::io("write", &metadata))?;
        let mut partition = Partition::open(place, self.shared(name), config, Shutdown::Crash)?;
        partition.unsynced.add_file(&file);
        partition.note_created_in(&self.dir);
        Ok(partition)
    }

    /// Deletes a partition, durably: a restart will not find it again.
    ///
    /// The directory is renamed first, so a crash leaves it whole or gone. Close
    /// or drop the [`Partition`] before.
    ///
    /// # Errors
    /// Disk errors.
    pub fn delete_partition(&self, name: &TopicPartition) -> Result<(), LogError> {
        let place = self.place(name);
        let doomed = self.dir.join(format!("{}{DELETED_SUFFIX}", dir_name(name)));
        // An earlier deletion of the same name may have been interrupted.
        self.purge(&doomed)?;
        match self.disk.rename(&place.dir, &doomed) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result.map_err(LogError::io("rename", &place.dir))?,
        }
        self.disk.sync_dir(&self.dir).map_err(LogError::io("sync", &self.dir))?;
        self.checkpoints.remove(name);
        self.purge(&doomed)
    }

    fn purge(&self, doomed: &Path) -> Result<(), LogError> {
        let entries = match self.disk.list(doomed) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result.map_err(LogError::io("list", doomed))?,
        };
        for entry in entries {
            let path = doomed.join(&entry.name);
            self.disk.remove(&path).map_err(LogError::io("remove", &path))?;
        }
        self.disk.remove_dir(doomed).map_err(LogError::io("remove", doomed))
    }

    /// Saves recovery points, log starts and cleaner points; once a minute.
    ///
    /// # Errors
    /// Disk errors; the old files stay.
    pub fn write_checkpoints(&self) -> Result<(), LogError> {
        self.checkpoints.write_all().map_err(LogError::io("write", &self.dir))
    }

    /// Ends the use of the directory after every partition was closed without an
    /// error. Skip it otherwise: the next start then recovers.
    ///
    /// # Errors
    /// Disk errors; the next start recovers.
    pub fn mark_clean(&self) -> Result<(), LogError> {
        self.write_checkpoints()?;
        let content = b"{\"version\":0,\"brokerEpoch\":-1}";
        replace_file(&*self.disk, &self.dir, CLEAN_SHUTDOWN, content)
            .map_err(LogError::io("write", &self.dir.join(CLEAN_SHUTDOWN)))
    }

    fn place(&self, name: &TopicPartition) -> Place {
        let dir: PathBuf = self.dir.join(dir_name(name));
        Place {
            disk: Arc::clone(&self.disk),
            dir: Arc::from(dir),
        }
    }

    fn shared(&self, name: &TopicPartition) -> Shared {
        Shared {
            points: self.checkpoints.points(name),
            checkpoints: Arc::clone(&self.checkpoints),
            budget: Arc::clone(&self.budget),
        }
    }
}

/// Makes a directory whose own name survives a power cut.
fn create_durably(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let is_missing = |path: &&Path| matches!(disk.list(path), Err(error) if error.kind() == io::ErrorKind::NotFound);
    let missing: Vec<&Path> = dir.ancestors().take_while(is_missing).collect();
    disk.create_dir(dir)?;
    for created in missing {
        let parent = created.parent().filter(|parent| !parent.as_os_str().is_empty());
        disk.sync_dir(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

fn dir_name(name: &TopicPartition) -> String {
    format!("{}-{}", name.topic, name.partition)
}

fn parse_dir_name(name: &str) -> Option<TopicPartition> {
    let (topic, number) = name.rsplit_once('-')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let partition = number.parse().ok().filter(|_| is_number)?;
    (!topic.is_empty()).then(|| TopicPartition {
        topic: topic.to_owned(),
        partition,
    })
}

/// Checks or writes `meta.properties`; answers the cluster id.
fn identify(disk: &dyn Disk, dir: &Path, config: &LogsConfig) -> Result<String, LogError> {
    let path = dir.join(META);
    let content = read_file(disk, &path).map_err(LogError::io("read", &path))?;
    let Some(content) = content.filter(|content| !content.is_empty()) else {
        let cluster_id = config
            .required_cluster_id
            .as_ref()
            .unwrap_or(&config.new_cluster_id)
            .clone();
        let text = format!(
            "#\nversion={META_VERSION}\ncluster.id={cluster_id}\nnode.id={}\ndirectory.id={}\n",
            config.node_id, config.new_directory_id
        );
        replace_file(disk, dir, META, text.as_bytes()).map_err(LogError::io("write", &path))?;
        return Ok(cluster_id);
    };
    let text = String::from_utf8_lossy(&content);
    let get = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(str::trim)
    };
    let foreign = |reason: String| LogError::ForeignDirectory {
        path: path.clone(),
        reason,
    };
    let version = get("version").unwrap_or_default();
    if version != META_VERSION {
        return Err(foreign(format!("version {version:?} is not {META_VERSION}")));
    }
    let node_id = get("node.id").or_else(|| get("broker.id")).unwrap_or_default();
    if node_id != config.node_id.to_string() {
        return Err(foreign(format!("it belongs to node {node_id}, not {}", config.node_id)));
    }
    let cluster_id = get("cluster.id")
        .ok_or_else(|| foreign("it names no cluster".to_owned()))?
        .to_owned();
    match &config.required_cluster_id {
        Some(required) if *required != cluster_id => {
            Err(foreign(format!("it belongs to cluster {cluster_id}, not {required}")))
        }
        _ => Ok(cluster_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_names_split_at_the_last_hyphen() {
        let name = |topic: &str, partition| TopicPartition {
            topic: topic.to_owned(),
            partition,
        };
        for (text, parsed) in [
            ("a-0", Some(name("a", 0))),
            ("a-b-12", Some(name("a-b", 12))),
            ("a", None),
            ("-1", None),
            ("a-", None),
            ("a-1x", None),
            ("a-+1", None),
        ] {
            assert_eq!(parse_dir_name(text), parsed, "{text}");
        }
    }
}
