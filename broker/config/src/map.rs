//! Settings in file order, values may be null
//!
//! `ConfigMap` is what REST bodies, config records and plugins carry. It is compared as a map. Its values may be
//! secret: it is never logged.

use std::collections::HashMap;

/// An ordered map of settings.
///
/// Invariant: `index[name]` is the position of `name` in `entries`, one entry a name.
#[derive(Debug, Clone, Default)]
pub struct ConfigMap {
    entries: Vec<(String, Option<String>)>,
    index: HashMap<String, usize>,
}

impl ConfigMap {
    /// Creates an empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the value of a key; absent and null both give `None`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_entry(name).flatten()
    }

    /// Gives the entry of a key: `Some(None)` is a key whose value is null.
    pub fn get_entry(&self, name: &str) -> Option<Option<&str>> {
        let position = *self.index.get(name)?;
        self.entries.get(position).map(|(_, value)| value.as_deref())
    }

    /// Tells whether the key is present, be its value null or not.
    pub fn contains_key(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// Sets a value; a known key keeps its place.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.insert_entry(name, Some(value.into()));
    }

    /// Sets a value that may be null; a known key keeps its place.
    pub fn insert_entry(&mut self, name: impl Into<String>, value: Option<String>) {
        let name = name.into();
        match self
            .index
            .get(&name)
            .and_then(|position| self.entries.get_mut(*position))
        {
            Some(entry) => entry.1 = value,
            None => {
                self.index.insert(name.clone(), self.entries.len());
                self.entries.push((name, value));
            }
        }
    }

    /// Removes a key and gives its value; `Some(None)` if that was null.
    pub fn remove(&mut self, name: &str) -> Option<Option<String>> {
        let position = self.index.remove(name)?;
        let (_, value) = self.entries.remove(position);
        for slot in self.index.values_mut().filter(|slot| **slot > position) {
            *slot -= 1;
        }
        Some(value)
    }

    /// Walks the entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Option<&str>)> {
        self.entries
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// Walks the names in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// Gives the entries below a prefix, the prefix taken off.
    #[must_use]
    pub fn with_prefix(&self, prefix: &str) -> Self {
        self.entries
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())))
            .collect()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl PartialEq for ConfigMap {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get_entry(name) == Some(value))
    }
}

impl Eq for ConfigMap {}

impl FromIterator<(String, Option<String>)> for ConfigMap {
    fn from_iter<I: IntoIterator<Item = (String, Option<String>)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl FromIterator<(String, String)> for ConfigMap {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(entries: I) -> Self {
        entries.into_iter().map(|(name, value)| (name, Some(value))).collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for ConfigMap {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(entries: I) -> Self {
        entries
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
            .collect()
    }
}

impl Extend<(String, Option<String>)> for ConfigMap {
    fn extend<I: IntoIterator<Item = (String, Option<String>)>>(&mut self, entries: I) {
        for (name, value) in entries {
            self.insert_entry(name, value);
        }
    }
}

impl IntoIterator for ConfigMap {
    type Item = (String, Option<String>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::ConfigMap;

    #[test]
    fn order_is_kept_and_equality_ignores_it() {
        let mut map: ConfigMap = [("b", "1"), ("a", "2"), ("c", "3")].into_iter().collect();
        map.insert("b", "4");
        assert_eq!(map.keys().collect::<Vec<_>>(), ["b", "a", "c"]);
        assert_eq!(map.remove("b"), Some(Some("4".to_owned())));
        assert_eq!(map.get("c"), Some("3"));
        assert_eq!(map, [("c", "3"), ("a", "2")].into_iter().collect());
        assert_ne!(map, [("c", "3"), ("a", "x")].into_iter().collect());
    }

    #[test]
    fn null_is_an_entry() {
        let mut map = ConfigMap::new();
        map.insert_entry("x", None);
        assert_eq!(
            (map.get("x"), map.get_entry("x"), map.get_entry("y")),
            (None, Some(None), None)
        );
    }

    #[test]
    fn prefix_is_taken_off() {
        let map: ConfigMap = [("producer.acks", "1"), ("name", "n")].into_iter().collect();
        assert_eq!(map.with_prefix("producer."), [("acks", "1")].into_iter().collect());
    }
}
