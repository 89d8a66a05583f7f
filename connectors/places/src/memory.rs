//! The places known so far
//!
//! Pure. Each place has the fingerprint that was last written, the cycle in which it was last met and a home: the search
//! that met it. A home's places stand in its offset as text, `id:fingerprint:cycle`, so a restart knows them again; a `~`
//! at the end says that the place was not met in that cycle, only counted as met.

use std::collections::{HashMap, HashSet};

/// Fingerprint of a place whose tombstone was written.
const GONE: &str = "gone";

/// Mark of a place that was counted as met.
const EXCUSED: char = '~';

/// When a place was last met. A cycle in which it was met outranks the same one in which it was only counted as met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct LastMet {
    cycle: u64,
    is_met: bool,
}

/// What is new about a place that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Not known.
    New,
    /// Known with another value.
    Changed,
    /// Known with this value.
    Same,
    /// Met before in this cycle, by another search.
    Again,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    fingerprint: String,
    last: LastMet,
    home: usize,
}

/// The places known so far.
#[derive(Debug, Default)]
pub struct Memory {
    places: HashMap<String, Known>,
    met_now: HashSet<String>,
    window: usize,
}

impl Memory {
    /// Starts empty; remembers at most so many places.
    pub fn new(window: usize) -> Self {
        Self {
            window,
            ..Self::default()
        }
    }

    /// Starts a cycle.
    pub fn begin_cycle(&mut self) {
        self.met_now.clear();
    }

    /// Number of places known.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Tells whether no place is known.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Notes that a search met a place.
    pub fn meet(&mut self, id: &str, fingerprint: &str, home: usize, cycle: u64) -> Sight {
        if !self.met_now.insert(id.to_owned()) {
            return Sight::Again;
        }
        let known = Known {
            fingerprint: fingerprint.to_owned(),
            last: LastMet { cycle, is_met: true },
            home,
        };
        match self.places.insert(id.to_owned(), known) {
            None => Sight::New,
            Some(before) if before.fingerprint == fingerprint => Sight::Same,
            Some(_) => Sight::Changed,
        }
    }

    /// Notes that a place is gone; false = that was known.
    pub fn bury(&mut self, id: &str, home: usize, cycle: u64) -> bool {
        self.meet(id, GONE, home, cycle) == Sight::Changed
    }

    /// Counts the places of a home as met: its search could not tell.
    pub fn excuse(&mut self, home: usize, cycle: u64) {
        for known in self.places.values_mut().filter(|known| known.home == home) {
            known.last = known.last.max(LastMet { cycle, is_met: false });
        }
    }

    /// Counts one place as met: the service knows it, and what it says cannot be read.
    pub fn excuse_place(&mut self, id: &str, cycle: u64) {
        if let Some(known) = self.places.get_mut(id) {
            known.last = known.last.max(LastMet { cycle, is_met: false });
        }
    }

    /// Forgets the places that were not met for so many cycles: id and home, and whether a record still stands for it.
    pub fn forget_missing(&mut self, cycle: u64, cycles: u64) -> Vec<(String, usize, bool)> {
        let is_missing = |known: &Known| known.last.cycle + cycles <= cycle;
        let mut missing: Vec<(String, usize, bool)> = self
            .places
            .iter()
            .filter(|(_, known)| is_missing(known))
            .map(|(id, known)| (id.clone(), known.home, known.fingerprint != GONE))
            .collect();
        missing.sort();
        for (id, _, _) in &missing {
            self.places.remove(id);
        }
        missing
    }

    /// Forgets the places that were met longest ago, beyond the window.
    pub fn trim(&mut self) {
        let excess = self.places.len().saturating_sub(self.window);
        if excess == 0 {
            return;
        }
        let mut by_age: Vec<(u64, String)> = self
            .places
            .iter()
            .map(|(id, known)| (known.last.cycle, id.clone()))
            .collect();
        by_age.sort();
        for (_, id) in by_age.into_iter().take(excess) {
            self.places.remove(&id);
        }
    }

    /// Writes the places of a home.
    pub fn text_of(&self, home: usize) -> String {
        let mut lines: Vec<String> = self
            .places
            .iter()
            .filter(|(_, known)| known.home == home)
            .map(|(id, known)| {
                let mark = if known.last.is_met { "" } else { "~" };
                format!("{id}:{}:{}{mark}", known.fingerprint, known.last.cycle)
            })
            .collect();
        lines.sort();
        lines.join(" ")
    }

    /// Reads the places of a home, while a cycle is going on; of a place with two homes the one that met it last counts.
    /// The cycles are moved on for a home that was left out of some.
    pub fn load(&mut self, home: usize, text: &str, left_out: u64, cycle: u64) {
        for entry in text.split(' ') {
            let mut parts = entry.rsplitn(3, ':');
            let (Some(last), Some(fingerprint), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let Ok(last_cycle) = last.trim_end_matches(EXCUSED).parse::<u64>() else {
                continue;
            };
            let last = LastMet {
                cycle: last_cycle.saturating_add(left_out),
                is_met: left_out == 0 && !last.ends_with(EXCUSED),
            };
            if last.is_met && last.cycle == cycle {
                self.met_now.insert(id.to_owned());
            }
            if self.places.get(id).is_none_or(|other| other.last < last) {
                let known = Known {
                    fingerprint: fingerprint.to_owned(),
                    last,
                    home,
                };
                self.places.insert(id.to_owned(), known);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_new_the_same_or_changed() {
        let mut memory = Memory::new(10);
        assert_eq!(memory.meet("a", "1", 0, 1), Sight::New);
        assert_eq!(memory.meet("a", "2", 1, 1), Sight::Again);
        memory.begin_cycle();
        assert_eq!(memory.meet("a", "1", 1, 2), Sight::Same);
        memory.begin_cycle();
        assert_eq!(memory.meet("a", "2", 1, 3), Sight::Changed);
        assert_eq!((memory.text_of(0).as_str(), memory.text_of(1).as_str()), ("", "a:2:3"));
        memory.begin_cycle();
        assert!(memory.bury("a", 1, 4));
        memory.begin_cycle();
        assert!(!memory.bury("a", 1, 5), "once");
        memory.begin_cycle();
        assert_eq!(memory.meet("a", "2", 1, 6), Sight::Changed, "it is back");
    }

    #[test]
    fn a_place_is_missing_after_three_cycles_unless_its_search_could_not_tell() {
        let mut memory = Memory::new(10);
        for (id, home) in [("a", 0), ("b", 1), ("c", 1)] {
            memory.meet(id, "1", home, 1);
        }
        memory.begin_cycle();
        memory.meet("c", "1", 1, 2);
        assert_eq!(memory.forget_missing(3, 3), []);
        memory.excuse(0, 3);
        assert_eq!(memory.forget_missing(4, 3), [("b".to_owned(), 1, true)]);
        assert_eq!(
            memory.forget_missing(6, 3),
            [("a".to_owned(), 0, true), ("c".to_owned(), 1, true)]
        );
        assert!(memory.is_empty());
    }

    #[test]
    fn texts_are_read_back_and_the_latest_home_counts() {
        let mut memory = Memory::new(10);
        memory.meet("ChIJ:odd", "f", 0, 4);
        memory.meet("b", "g", 0, 4);
        let text = memory.text_of(0);
        assert_eq!(text, "ChIJ:odd:f:4 b:g:4");
        let mut again = Memory::new(10);
        again.load(5, "b:h:3 bad x:y z:1:no", 0, 4);
        again.load(2, &text, 0, 4);
        again.load(7, "b:old:2 b:excused:4~", 0, 4);
        again.load(8, "", 0, 4);
        again.load(9, "c:k:2", 2, 4);
        assert_eq!((again.len(), again.text_of(9).as_str()), (3, "c:k:4~"));
        assert_eq!(again.text_of(2), text);
        assert_eq!(again.meet("b", "g", 3, 4), Sight::Again, "met before the restart");
        assert_eq!(again.meet("c", "k", 3, 4), Sight::Same, "only counted as met");
        again.begin_cycle();
        assert_eq!(again.meet("b", "g", 2, 5), Sight::Same);
    }

    #[test]
    fn the_window_forgets_the_oldest() {
        let mut memory = Memory::new(2);
        for (id, cycle) in [("a", 2), ("b", 1), ("c", 3)] {
            memory.meet(id, "1", 0, cycle);
        }
        memory.trim();
        assert_eq!(memory.text_of(0), "a:1:2 c:1:3");
    }
}
