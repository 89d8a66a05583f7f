//! Status table: the last status of everything
//!
//! Pure. Records are ordered by their place in the topic: one read back late never replaces a newer one.

use std::collections::{BTreeMap, BTreeSet};

use crate::status::records::{State, Status, StatusRecord, TopicStatus};

#[derive(Debug, Clone)]
struct Cached<T> {
    value: Option<T>,
    /// Place in its partition; a key always goes to the same one.
    position: i64,
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self {
            value: None,
            position: -1,
        }
    }
}

/// Statuses of all connectors and tasks, and the topics in use.
#[derive(Debug, Default)]
pub struct StatusTable {
    connectors: BTreeMap<String, Cached<Status>>,
    tasks: BTreeMap<String, BTreeMap<u32, Cached<Status>>>,
    topics: BTreeMap<String, BTreeMap<String, Cached<TopicStatus>>>,
}

impl StatusTable {
    /// Takes a record of the topic in. A task's UNASSIGNED from a worker that lost it does not hide that another runs it.
    pub fn apply_from_topic(&mut self, record: StatusRecord, position: i64) {
        if let StatusRecord::Task {
            connector,
            task,
            status: Some(status),
        } = &record
            && status.state == State::Unassigned
            && self
                .task(connector, *task)
                .is_some_and(|known| known.state == State::Running && known.generation >= status.generation)
        {
            return;
        }
        self.apply(record, position);
    }

    /// Takes a record in.
    pub fn apply(&mut self, record: StatusRecord, position: i64) {
        match record {
            StatusRecord::Connector { name, status } => {
                replace(self.connectors.entry(name).or_default(), status, position)
            }
            StatusRecord::Task {
                connector,
                task,
                status,
            } => {
                replace(
                    self.tasks.entry(connector).or_default().entry(task).or_default(),
                    status,
                    position,
                );
            }
            StatusRecord::Topic {
                topic,
                connector,
                status,
            } => {
                replace(
                    self.topics.entry(connector).or_default().entry(topic).or_default(),
                    status,
                    position,
                );
            }
        }
    }

    pub fn connector(&self, name: &str) -> Option<&Status> {
        self.connectors.get(name)?.value.as_ref()
    }

    pub fn task(&self, connector: &str, task: u32) -> Option<&Status> {
        self.tasks.get(connector)?.get(&task)?.value.as_ref()
    }

    /// Tasks of a connector in order of their numbers.
    pub fn tasks(&self, connector: &str) -> Vec<(u32, Status)> {
        let tasks = self.tasks.get(connector).into_iter().flatten();
        tasks
            .filter_map(|(task, cached)| Some((*task, cached.value.clone()?)))
            .collect()
    }

    /// Topics a connector has used, in order of their names.
    pub fn topics(&self, connector: &str) -> Vec<TopicStatus> {
        let topics = self.topics.get(connector).into_iter().flatten();
        topics.filter_map(|(_, cached)| cached.value.clone()).collect()
    }

    /// Connectors that have a status or use topics.
    pub fn connectors(&self) -> BTreeSet<String> {
        let with_status = self.connectors.iter().filter(|(_, cached)| cached.value.is_some());
        let with_topics = self
            .topics
            .iter()
            .filter(|(_, topics)| topics.values().any(|cached| cached.value.is_some()));
        with_status
            .map(|(name, _)| name)
            .chain(with_topics.map(|(name, _)| name))
            .cloned()
            .collect()
    }
}

fn replace<T>(cached: &mut Cached<T>, value: Option<T>, position: i64) {
    if position >= cached.position {
        *cached = Cached { value, position };
    }
}

/// Whether a status that may be out of date can be written over what is known.
pub fn is_safe_to_write(known: Option<&Status>, status: &Status) -> bool {
    known.is_none_or(|known| known.worker_id == status.worker_id || known.generation <= status.generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: State, worker_id: &str, generation: i32) -> Status {
        Status {
            state,
            trace: None,
            worker_id: worker_id.to_owned(),
            generation,
            version: None,
        }
    }

    fn task(state: State, worker_id: &str, generation: i32) -> StatusRecord {
        StatusRecord::Task {
            connector: "c".to_owned(),
            task: 0,
            status: Some(status(state, worker_id, generation)),
        }
    }

    #[test]
    fn the_record_at_the_highest_place_counts() {
        let mut table = StatusTable::default();
        table.apply(task(State::Running, "w", 1), 5);
        table.apply(task(State::Failed, "w", 1), 3);
        assert_eq!(table.task("c", 0).map(|status| status.state), Some(State::Running));
        table.apply(
            StatusRecord::Task {
                connector: "c".to_owned(),
                task: 0,
                status: None,
            },
            6,
        );
        assert_eq!(table.tasks("c"), []);
    }

    #[test]
    fn unassigned_of_a_former_owner_is_ignored() {
        for (before, generation, after, expected) in [
            (State::Running, 2, task(State::Unassigned, "old", 1), State::Running),
            (State::Running, 2, task(State::Unassigned, "old", 2), State::Running),
            (State::Running, 2, task(State::Unassigned, "old", 3), State::Unassigned),
            (State::Paused, 2, task(State::Unassigned, "old", 1), State::Unassigned),
            (State::Running, 2, task(State::Failed, "old", 1), State::Failed),
        ] {
            let mut table = StatusTable::default();
            table.apply_from_topic(task(before, "new", generation), 1);
            table.apply_from_topic(after, 2);
            assert_eq!(table.task("c", 0).map(|status| status.state), Some(expected));
        }
    }

    #[test]
    fn safe_writes_yield_to_a_newer_generation_of_another_worker() {
        let known = status(State::Running, "w", 5);
        for (worker_id, generation, expected) in [("w", 1, true), ("v", 4, false), ("v", 5, true), ("v", 6, true)] {
            assert_eq!(
                is_safe_to_write(Some(&known), &status(State::Failed, worker_id, generation)),
                expected
            );
        }
        assert!(is_safe_to_write(None, &known));
    }

    #[test]
    fn tasks_and_topics_are_listed_in_order() {
        let mut table = StatusTable::default();
        for number in [10, 2, 1] {
            let record = StatusRecord::Task {
                connector: "c".to_owned(),
                task: number,
                status: Some(status(State::Running, "w", 1)),
            };
            table.apply(record, i64::from(number));
        }
        assert_eq!(
            table.tasks("c").iter().map(|(task, _)| *task).collect::<Vec<_>>(),
            [1, 2, 10]
        );
        let used = |topic: &str| TopicStatus {
            topic: topic.to_owned(),
            connector: "c".to_owned(),
            task: 0,
            discover_timestamp: 1,
        };
        for topic in ["b", "a"] {
            table.apply(
                StatusRecord::Topic {
                    topic: topic.to_owned(),
                    connector: "c".to_owned(),
                    status: Some(used(topic)),
                },
                1,
            );
        }
        assert_eq!(table.topics("c"), [used("a"), used("b")]);
        let gone = |name: &str| StatusRecord::Topic {
            topic: name.to_owned(),
            connector: "c".to_owned(),
            status: None,
        };
        assert!(table.connectors().contains("c"), "it uses topics");
        table.apply(gone("a"), 2);
        table.apply(gone("b"), 2);
        assert!(table.connectors().is_empty());
    }
}
