//! What a whole reading held the last time: for `http.emit=changes`
//!
//! Each key is a source partition of its own, with the fingerprint of its value as the offset, so that any number of keys
//! is remembered exactly. With tombstones the last record of a cycle carries the list of all keys instead, for what
//! vanishes while no task runs; its own fingerprint goes along.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};
use weir_sdk::api::error::ConnectError;
use weir_sdk::offsets::OffsetReader;
use weir_sdk::warn;

/// Offsets asked for at a time.
const LOOKUP_KEYS: usize = 500;
/// Fingerprints that go along with the list of keys.
const MAX_ALSO: usize = 1_000;

/// The keys and fingerprints known.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Partition of the whole, without the closing brace.
    stem: String,
    known: HashMap<String, String>,
    /// Keys met in this cycle.
    met: HashSet<String>,
    /// Keys whose fingerprint is in the offset of the whole.
    also: HashMap<String, Option<String>>,
    /// Every key that was ever stored is known.
    is_complete: bool,
    keeps_list: bool,
    max_list: usize,
    was_warned: bool,
}

/// What was stored for the keys.
pub type Kinds = Vec<Value>;

impl Snapshot {
    /// Starts with nothing known of a source partition; `keeps_list` for tombstones.
    pub fn new(partition: &str, keeps_list: bool, max_list: usize) -> Self {
        Self {
            stem: partition.strip_suffix('}').unwrap_or(partition).to_owned(),
            keeps_list,
            max_list,
            ..Self::default()
        }
    }

    /// Reads what the list of keys leads to. Gives the types stored there.
    ///
    /// # Errors
    /// Retriable when offsets cannot be read now.
    pub fn load(&mut self, whole: &Map<String, Value>, reader: OffsetReader) -> Result<Kinds, ConnectError> {
        if let Some(also) = whole.get("also").and_then(Value::as_object) {
            for (key, hash) in also {
                self.also.insert(key.clone(), hash.as_str().map(str::to_owned));
            }
        }
        let keys = whole.get("keys").and_then(Value::as_array).into_iter().flatten();
        let keys: Vec<String> = keys.filter_map(Value::as_str).map(str::to_owned).collect();
        let kinds = self.look_up(&keys, reader)?;
        for (key, hash) in &self.also {
            match hash {
                Some(hash) => self.known.insert(key.clone(), hash.clone()),
                None => self.known.remove(key),
            };
        }
        Ok(kinds)
    }

    /// Reads what is stored for keys that are not known. Gives the types stored there.
    ///
    /// # Errors
    /// Retriable when offsets cannot be read now.
    pub fn look_up(&mut self, keys: &[String], reader: OffsetReader) -> Result<Kinds, ConnectError> {
        let mut kinds = Vec::new();
        if self.is_complete {
            return Ok(kinds);
        }
        let unknown: Vec<&String> = keys.iter().filter(|key| !self.known.contains_key(*key)).collect();
        for some in unknown.chunks(LOOKUP_KEYS) {
            let partitions: Vec<String> = some.iter().map(|key| self.partition_of(key)).collect();
            let partitions: Vec<&str> = partitions.iter().map(String::as_str).collect();
            for (key, offset) in some.iter().zip(reader.offsets(&partitions)?) {
                let Some(offset) = offset else { continue };
                if let Some(hash) = offset.get("hash").and_then(Value::as_str) {
                    self.known.insert((*key).clone(), hash.to_owned());
                }
                kinds.extend(offset.get("schema").cloned());
            }
        }
        Ok(kinds)
    }

    /// Starts a cycle.
    pub fn begin(&mut self) {
        self.met.clear();
    }

    /// Notes a key and its fingerprint; true = new or changed.
    pub fn meet(&mut self, key: &str, hash: &str) -> bool {
        self.met.insert(key.to_owned());
        self.known.insert(key.to_owned(), hash.to_owned()).as_deref() != Some(hash)
    }

    /// Ends a whole reading; gives the keys that vanished, in order.
    pub fn end(&mut self) -> Vec<String> {
        self.is_complete = true;
        if !self.keeps_list {
            // Keys that are gone may come back: nothing tells them apart from changed ones.
            let met = &self.met;
            self.known.retain(|key, _| met.contains(key));
            return Vec::new();
        }
        let mut vanished: Vec<String> = self
            .known
            .keys()
            .filter(|key| !self.met.contains(*key))
            .cloned()
            .collect();
        vanished.sort_unstable();
        for key in &vanished {
            self.known.remove(key);
        }
        vanished
    }

    /// Gives partition and offset of a record: of its key, or of the whole for the last one of a cycle.
    pub fn position(&mut self, key: &str, hash: Option<&str>, is_last: bool, kind: Option<&Value>) -> (String, String) {
        if is_last && self.keeps_list && self.has_short_list() {
            if self.also.len() >= MAX_ALSO && !self.also.contains_key(key) {
                // The oldest cannot be told; a fingerprint lost means one record more after a restart.
                self.also.clear();
            }
            self.also.insert(key.to_owned(), hash.map(str::to_owned));
            let mut keys: Vec<&String> = self.known.keys().collect();
            keys.sort_unstable();
            let mut offset = json!({"keys": keys, "also": self.also});
            if let (Some(kind), Value::Object(offset)) = (kind, &mut offset) {
                offset.insert("schema".to_owned(), kind.clone());
            }
            return (format!("{}}}", self.stem), offset.to_string());
        }
        self.also.remove(key);
        let mut offset = Map::new();
        offset.insert("hash".to_owned(), hash.map_or(Value::Null, Value::from));
        if let Some(kind) = kind {
            offset.insert("schema".to_owned(), kind.clone());
        }
        (self.partition_of(key), Value::Object(offset).to_string())
    }

    fn has_short_list(&mut self) -> bool {
        let is_short = self.known.len() <= self.max_list;
        if !is_short && !self.was_warned {
            self.was_warned = true;
            warn!(
                "more keys than dedupe.window: those that vanish while the task does not run get no tombstone";
                "keys" => self.known.len(), "dedupe_window" => self.max_list
            );
        }
        is_short
    }

    fn partition_of(&self, key: &str) -> String {
        format!("{},\"key\":{}}}", self.stem, Value::String(key.to_owned()))
    }
}
