//! The memory of recent ids
//!
//! Bounded, oldest forgotten first. With a fingerprint beside the id a changed record is told from one met again.

use std::collections::{HashMap, VecDeque};

/// What the window says about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Not met within the window.
    New,
    /// Met with another fingerprint.
    Changed,
    /// Met as it is.
    Same,
}

/// Recent ids, newest last.
///
/// Invariant: `order` holds each key of `known` once.
#[derive(Debug, Clone, Default)]
pub struct Window {
    limit: usize,
    known: HashMap<String, String>,
    order: VecDeque<String>,
}

impl Window {
    /// Starts an empty window for so many ids; 0 remembers nothing.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Starts with ids from an offset, oldest first.
    pub fn with_ids<I, S>(limit: usize, ids: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let mut window = Self::new(limit);
        for id in ids {
            window.insert(&id.into());
        }
        window
    }

    /// Remembers an id; true = it was not known.
    pub fn insert(&mut self, id: &str) -> bool {
        self.insert_hashed(id, "") == Seen::New
    }

    /// Remembers an id with a fingerprint.
    pub fn insert_hashed(&mut self, id: &str, hash: &str) -> Seen {
        if self.limit == 0 {
            return Seen::New;
        }
        if let Some(known) = self.known.get_mut(id) {
            if known == hash {
                return Seen::Same;
            }
            hash.clone_into(known);
            return Seen::Changed;
        }
        while self.order.len() >= self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(id.to_owned(), hash.to_owned());
        self.order.push_back(id.to_owned());
        Seen::New
    }

    /// Tells whether an id is known.
    pub fn contains(&self, id: &str) -> bool {
        self.known.contains_key(id)
    }

    /// Gives the fingerprint of an id.
    pub fn hash_of(&self, id: &str) -> Option<&str> {
        self.known.get(id).map(String::as_str)
    }

    /// Forgets an id.
    pub fn remove(&mut self, id: &str) {
        if self.known.remove(id).is_some() {
            self.order.retain(|known| known != id);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.known.clear();
        self.order.clear();
    }

    /// Walks the ids, oldest first.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Tells whether no id is known.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Seen, Window};

    #[test]
    fn the_oldest_are_forgotten() {
        let mut window = Window::with_ids(3, ["a", "b", "c"]);
        assert!(!window.insert("a"));
        assert!(window.insert("d"));
        assert!(!window.contains("a"));
        assert_eq!(window.ids().collect::<Vec<_>>(), ["b", "c", "d"]);
        window.remove("c");
        assert_eq!((window.len(), window.insert("c")), (2, true));
    }

    #[test]
    fn changes_are_told_from_repeats() {
        let mut window = Window::new(2);
        assert_eq!(window.insert_hashed("a", "1"), Seen::New);
        assert_eq!(window.insert_hashed("a", "1"), Seen::Same);
        assert_eq!(window.insert_hashed("a", "2"), Seen::Changed);
        assert_eq!(window.hash_of("a"), Some("2"));
        let mut none = Window::new(0);
        assert_eq!((none.insert("a"), none.insert("a"), none.len()), (true, true, 0));
    }
}
