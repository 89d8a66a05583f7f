//! Connectors and tasks, as a set: what is configured, owned, given or taken away

use std::collections::BTreeSet;

use weir_stores::configs::state::ClusterState;
use weir_worker::lifecycle::TaskId;

/// Connectors and tasks, each in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Work {
    pub connectors: BTreeSet<String>,
    pub tasks: BTreeSet<TaskId>,
}

impl Work {
    /// All that the config topic asks for.
    pub fn configured(configs: &ClusterState) -> Self {
        let tasks = configs.connectors.iter().flat_map(|(name, entry)| {
            let count = entry.task_configs.as_ref().map_or(0, Vec::len);
            (0..u32::try_from(count).unwrap_or(u32::MAX)).map(|task| TaskId {
                connector: name.clone(),
                task,
            })
        });
        Self {
            tasks: tasks.collect(),
            connectors: configs.connectors.keys().cloned().collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.connectors.is_empty() && self.tasks.is_empty()
    }

    /// Adds all of `more`.
    pub fn add(&mut self, more: Self) {
        self.connectors.extend(more.connectors);
        self.tasks.extend(more.tasks);
    }

    /// Takes away what is in `less`.
    pub fn remove(&mut self, less: &Self) {
        for connector in &less.connectors {
            self.connectors.remove(connector);
        }
        for task in &less.tasks {
            self.tasks.remove(task);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reads `"a b"`, `"a-0 b-1"`.
    pub(in crate::group) fn work(connectors: &str, tasks: &str) -> Work {
        let task = |text: &str| {
            let (connector, task) = text.rsplit_once('-').unwrap();
            TaskId {
                connector: connector.to_owned(),
                task: task.parse().unwrap(),
            }
        };
        Work {
            connectors: connectors.split_whitespace().map(str::to_owned).collect(),
            tasks: tasks.split_whitespace().map(task).collect(),
        }
    }

    #[test]
    fn sets_are_added_and_taken_away() {
        let mut held = work("a b", "a-0 a-1 b-0");
        held.remove(&work("b x", "a-1 x-9"));
        held.add(work("c", "c-0"));
        assert_eq!(held, work("a c", "a-0 b-0 c-0"));
        assert!(!held.is_empty());
    }
}
