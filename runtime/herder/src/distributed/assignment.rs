//! What this worker owns, and what of it has been started
//!
//! The event loop writes, lane steps look: a step that was queued for work which has gone meanwhile does nothing. Whatever keeps its
//! owner never shows up in a difference, so a rebalance leaves it alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use weir_worker::lifecycle::TaskId;

use crate::group::work::Work;

/// A shared view of what this worker owns; everything in standalone mode.
#[derive(Debug, Clone)]
pub struct Ownership {
    owned: Arc<Mutex<Option<Work>>>,
}

impl Ownership {
    /// The only worker there is.
    pub fn of_everything() -> Self {
        Self {
            owned: Arc::new(Mutex::new(None)),
        }
    }

    /// A worker that owns nothing until the group says so.
    pub fn of_nothing() -> Self {
        Self {
            owned: Arc::new(Mutex::new(Some(Work::default()))),
        }
    }

    /// All that the worker owns from now on.
    pub fn set(&self, owned: Work) {
        *self.owned.lock() = Some(owned);
    }

    /// This is no longer the worker's.
    pub fn remove(&self, gone: &Work) {
        if let Some(owned) = self.owned.lock().as_mut() {
            owned.remove(gone);
        }
    }

    /// Is true when the connector's instance runs here.
    pub fn has_connector(&self, name: &str) -> bool {
        let owned = self.owned.lock();
        owned.as_ref().is_none_or(|owned| owned.connectors.contains(name))
    }

    /// Is true when the task runs here.
    pub fn has_task(&self, task: &TaskId) -> bool {
        let owned = self.owned.lock();
        owned.as_ref().is_none_or(|owned| owned.tasks.contains(task))
    }

    /// Is true when the connector or any of its tasks runs here.
    pub fn has_part_of(&self, name: &str) -> bool {
        let owned = self.owned.lock();
        owned.as_ref().is_none_or(|owned| {
            owned.connectors.contains(name) || owned.tasks.iter().any(|task| task.connector == name)
        })
    }
}

/// The part of a connector that is to be started or stopped together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// The connector instance itself.
    pub connector: bool,
    /// Numbers of tasks.
    pub tasks: BTreeSet<u32>,
}

/// Work by connector.
pub fn by_connector(work: &Work) -> BTreeMap<String, Part> {
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    for name in &work.connectors {
        parts.entry(name.clone()).or_default().connector = true;
    }
    for task in &work.tasks {
        parts.entry(task.connector.clone()).or_default().tasks.insert(task.task);
    }
    parts
}

/// What is in `left` and not in `right`.
pub fn difference(left: &Work, right: &Work) -> Work {
    let mut rest = left.clone();
    rest.remove(right);
    rest
}

/// All of one connector in `work`.
pub fn of_connector(work: &Work, name: &str) -> Work {
    Work {
        connectors: work.connectors.iter().filter(|owned| *owned == name).cloned().collect(),
        tasks: work
            .tasks
            .iter()
            .filter(|task| task.connector == name)
            .cloned()
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(connectors: &[&str], tasks: &[(&str, u32)]) -> Work {
        let task = |(connector, task): &(&str, u32)| TaskId {
            connector: (*connector).to_owned(),
            task: *task,
        };
        Work {
            connectors: connectors.iter().map(|name| (*name).to_owned()).collect(),
            tasks: tasks.iter().map(task).collect(),
        }
    }

    #[test]
    fn only_what_is_new_is_started() {
        let started = work(&["a", "b"], &[("a", 0), ("b", 0)]);
        let owned = work(&["a", "c"], &[("a", 0), ("a", 1), ("c", 0)]);
        let parts = by_connector(&difference(&owned, &started));
        let expected = [("a", false, vec![1]), ("c", true, vec![0])];
        let found: Vec<_> = parts
            .iter()
            .map(|(name, part)| (name.as_str(), part.connector, part.tasks.iter().copied().collect()))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(
            difference(&started, &owned),
            work(&["b"], &[("b", 0)]),
            "and only what has gone is stopped"
        );
    }

    #[test]
    fn the_same_assignment_again_starts_nothing() {
        let owned = work(&["a"], &[("a", 0)]);
        assert!(difference(&owned, &owned).is_empty());
    }

    #[test]
    fn a_worker_on_its_own_owns_everything_and_a_member_what_it_was_given() {
        let task = TaskId {
            connector: "a".to_owned(),
            task: 0,
        };
        assert!(Ownership::of_everything().has_task(&task));
        let owned = Ownership::of_nothing();
        assert!(!owned.has_part_of("a"));
        owned.set(work(&["b"], &[("a", 0), ("a", 1)]));
        assert!(owned.has_part_of("a") && !owned.has_connector("a") && owned.has_task(&task));
        owned.remove(&work(&["b"], &[("a", 0)]));
        assert!(owned.has_part_of("a") && !owned.has_connector("b") && !owned.has_task(&task));
    }

    #[test]
    fn one_connectors_work_is_taken_out_by_name() {
        let all = work(&["a", "b"], &[("a", 0), ("ab", 1)]);
        assert_eq!(of_connector(&all, "a"), work(&["a"], &[("a", 0)]));
    }
}
