//! Offset table: partitions by value, bytes kept
//!
//! Pure. A partition is found by its JSON value, whatever the order of its keys; when it is written again, the key bytes that exist are
//! used, so that compaction and Java's byte-wise lookup replace the old record. Key `["connector",{partition}]`, value `{offset}`.
//! Source: `OffsetStorageWriter`, `OffsetUtils`, `ConnectorOffsetBackingStore`.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::error::StoreError;
use crate::json::{canonical_text, to_text};

/// One stored offset.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: Vec<u8>,
    /// Partition as JSON text; `null` for none.
    partition: String,
    /// `None`: deleted, kept for its key bytes.
    offset: Option<String>,
    /// Place in its log, so that an older record never replaces a newer one.
    position: i64,
}

/// Offsets of all connectors.
#[derive(Debug, Default)]
pub struct OffsetTable {
    /// By connector, then by the partition's canonical text.
    connectors: BTreeMap<String, BTreeMap<String, Entry>>,
    /// Entries that are no offsets of ours, kept so that a file is not robbed of them.
    foreign: HashMap<Vec<u8>, Option<Vec<u8>>>,
}

/// One change, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetRecord {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

impl OffsetTable {
    /// Takes a record in; one older than what is known is ignored.
    pub fn apply(&mut self, key: &[u8], value: Option<&[u8]>, position: i64) {
        let Some((connector, partition)) = parse_key(key) else {
            self.foreign.insert(key.to_vec(), value.map(<[u8]>::to_vec));
            return;
        };
        let offset = match value.map(serde_json::from_slice::<Value>) {
            None | Some(Ok(Value::Null)) => None,
            Some(Ok(offset)) => Some(to_text(&offset)),
            Some(Err(error)) => {
                tracing::error!(connector, %error, "offset record skipped");
                return;
            }
        };
        let entries = self.connectors.entry(connector).or_default();
        let canonical = canonical_text(&partition);
        if entries.get(&canonical).is_some_and(|entry| entry.position > position) {
            return;
        }
        entries.insert(
            canonical,
            Entry {
                key: key.to_vec(),
                partition: to_text(&partition),
                offset,
                position,
            },
        );
    }

    /// The offset of a partition.
    pub fn get(&self, connector: &str, partition: &str) -> Option<String> {
        let canonical = canonical_text(&serde_json::from_str(partition).ok()?);
        self.connectors.get(connector)?.get(&canonical)?.offset.clone()
    }

    /// All partitions of a connector with an offset; a null partition is not listed.
    pub fn list(&self, connector: &str) -> Vec<(String, String)> {
        let entries = self.connectors.get(connector).into_iter().flat_map(BTreeMap::values);
        entries
            .filter(|entry| entry.partition != "null")
            .filter_map(|entry| Some((entry.partition.clone(), entry.offset.clone()?)))
            .collect()
    }

    /// Builds the records of a change; the table itself changes when they are applied.
    ///
    /// *Errors*: `Offset` for a partition or offset that is not a map of plain values.
    pub fn records(
        &self,
        connector: &str,
        changes: &[(Option<String>, Option<String>)],
    ) -> Result<Vec<OffsetRecord>, StoreError> {
        changes
            .iter()
            .map(|(partition, offset)| {
                let partition = flat_map(partition.as_deref(), "partition")?;
                let offset = flat_map(offset.as_deref(), "offset")?;
                let known = self
                    .connectors
                    .get(connector)
                    .and_then(|entries| entries.get(&canonical_text(&partition)));
                let key = match known {
                    Some(entry) => entry.key.clone(),
                    None => to_text(&Value::Array(vec![Value::String(connector.to_owned()), partition])).into_bytes(),
                };
                let value = (!offset.is_null()).then(|| to_text(&offset).into_bytes());
                Ok(OffsetRecord { key, value })
            })
            .collect()
    }

    /// Everything that has a value, for a file.
    pub fn to_map(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let entries = self.connectors.values().flat_map(BTreeMap::values);
        let offsets = entries.filter_map(|entry| Some((entry.key.clone(), Some(entry.offset.clone()?.into_bytes()))));
        let mut foreign: Vec<_> = self
            .foreign
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        foreign.sort();
        offsets.chain(foreign).collect()
    }
}

fn parse_key(key: &[u8]) -> Option<(String, Value)> {
    let Ok(Value::Array(parts)) = serde_json::from_slice(key) else {
        return None;
    };
    let [Value::String(connector), partition] = <[Value; 2]>::try_from(parts).ok()? else {
        return None;
    };
    (partition.is_object() || partition.is_null()).then_some((connector, partition))
}

fn flat_map(text: Option<&str>, what: &str) -> Result<Value, StoreError> {
    let Some(text) = text else {
        return Ok(Value::Null);
    };
    let value: Value = serde_json::from_str(text)
        .map_err(|error| StoreError::Offset(format!("source {what} is not JSON: {error}")))?;
    let fields = match &value {
        Value::Null => return Ok(value),
        Value::Object(fields) => fields,
        _ => return Err(StoreError::Offset(format!("source {what} must be a map"))),
    };
    match fields.iter().find(|(_, value)| value.is_array() || value.is_object()) {
        Some((name, nested)) => Err(StoreError::Offset(format!(
            "Offsets may only contain primitive types as values, but field {name} contains {}",
            if nested.is_array() { "ARRAY" } else { "MAP" }
        ))),
        None => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(records: &[(&str, Option<&str>)]) -> OffsetTable {
        let mut table = OffsetTable::default();
        for (position, (key, value)) in records.iter().enumerate() {
            table.apply(key.as_bytes(), value.map(str::as_bytes), position as i64);
        }
        table
    }

    fn change(partition: &str, offset: Option<&str>) -> Vec<(Option<String>, Option<String>)> {
        vec![(Some(partition.to_owned()), offset.map(str::to_owned))]
    }

    #[track_caller]
    fn check_record(table: &OffsetTable, change: &[(Option<String>, Option<String>)], key: &str, value: Option<&str>) {
        let records = table.records("c", change).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(std::str::from_utf8(&records[0].key).unwrap(), key);
        assert_eq!(
            records[0]
                .value
                .as_deref()
                .map(|value| std::str::from_utf8(value).unwrap()),
            value
        );
    }

    #[test]
    fn records_have_apaches_form() {
        let table = OffsetTable::default();
        check_record(
            &table,
            &change(r#"{"filename":"/x"}"#, Some(r#"{"position":51}"#)),
            r#"["c",{"filename":"/x"}]"#,
            Some(r#"{"position":51}"#),
        );
        check_record(&table, &change(r#"{"a":1}"#, None), r#"["c",{"a":1}]"#, None);
        check_record(
            &table,
            &change(r#"{"a":1}"#, Some(r#"{ "d": 1e1, "n": null }"#)),
            r#"["c",{"a":1}]"#,
            Some(r#"{"d":10.0,"n":null}"#),
        );
        check_record(&table, &[(None, Some("{}".to_owned()))], r#"["c",null]"#, Some("{}"));
    }

    #[test]
    fn equal_partitions_keep_the_bytes_that_exist() {
        let table = table(&[(r#"["c", {"b":1, "a":"x"}]"#, Some(r#"{"p":1}"#))]);
        assert_eq!(table.get("c", r#"{"a":"x","b":1}"#).as_deref(), Some(r#"{"p":1}"#));
        check_record(
            &table,
            &change(r#"{"a":"x","b":1}"#, Some(r#"{"p":2}"#)),
            r#"["c", {"b":1, "a":"x"}]"#,
            Some(r#"{"p":2}"#),
        );
        assert_eq!(table.get("c", r#"{"a":"x","b":1.0}"#), None);
        assert_eq!(table.get("d", r#"{"a":"x","b":1}"#), None);
    }

    #[test]
    fn integers_stay_integers() {
        let table = table(&[(
            r#"["c",{"p":9007199254740993}]"#,
            Some(r#"{"big":9223372036854775807,"f":2.0}"#),
        )]);
        assert_eq!(
            table.get("c", r#"{"p":9007199254740993}"#).as_deref(),
            Some(r#"{"big":9223372036854775807,"f":2.0}"#)
        );
        assert_eq!(table.get("c", r#"{"p":9007199254740992}"#), None);
    }

    #[test]
    fn deletion_hides_the_offset_and_keeps_its_bytes() {
        let table = table(&[(r#"["c",{"b":1,"a":2}]"#, Some("{}")), (r#"["c",{"b":1,"a":2}]"#, None)]);
        assert_eq!(table.get("c", r#"{"a":2,"b":1}"#), None);
        assert!(table.list("c").is_empty());
        check_record(
            &table,
            &change(r#"{"a":2,"b":1}"#, Some("{}")),
            r#"["c",{"b":1,"a":2}]"#,
            Some("{}"),
        );
    }

    #[test]
    fn older_records_do_not_replace_newer_ones() {
        let mut table = OffsetTable::default();
        table.apply(br#"["c",{"a":1}]"#, Some(br#"{"p":2}"#), 7);
        table.apply(br#"["c",{"a":1}]"#, Some(br#"{"p":1}"#), 3);
        assert_eq!(table.get("c", r#"{"a":1}"#).as_deref(), Some(r#"{"p":2}"#));
    }

    #[test]
    fn only_maps_of_plain_values_are_allowed() {
        let table = OffsetTable::default();
        for (partition, offset) in [
            ("{\"a\":[1]}", "{}"),
            ("{}", "{\"a\":{}}"),
            ("[]", "{}"),
            ("{}", "1"),
            ("{", "{}"),
        ] {
            assert!(
                table.records("c", &change(partition, Some(offset))).is_err(),
                "{partition} {offset}"
            );
        }
    }

    #[test]
    fn foreign_entries_and_bad_records_do_no_harm() {
        let table = table(&[
            ("key", Some("value")),
            (r#"["c"]"#, None),
            (r#"["c",{"a":1}]"#, Some("{")),
            (r#"["c",null]"#, Some("{}")),
        ]);
        assert_eq!(table.get("c", r#"{"a":1}"#), None);
        assert!(table.list("c").is_empty());
        assert_eq!(table.to_map().len(), 3);
    }
}
