//! Which partitions a sink task holds, and which of them deliver.
//!
//! Pure. Four things can stop delivery: the target state, a batch that is put again, the task's own
//! pauses, and a revocation. `flow` answers the difference to what the consumer was last told.

use std::collections::BTreeSet;

use weir_client::topic_partition::TopicPartition;

/// What to tell the consumer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flow {
    pub pause: Vec<TopicPartition>,
    pub resume: Vec<TopicPartition>,
}

/// Partitions of one sink task.
#[derive(Debug, Default)]
pub struct Partitions {
    assigned: BTreeSet<TopicPartition>,
    paused_by_task: BTreeSet<TopicPartition>,
    /// What the consumer was told; a newly assigned partition delivers.
    paused: BTreeSet<TopicPartition>,
    is_target_paused: bool,
    is_redelivering: bool,
}

impl Partitions {
    /// Adds partitions the group assigned.
    pub fn assign(&mut self, partitions: &[TopicPartition]) {
        self.assigned.extend(partitions.iter().cloned());
    }

    /// Takes partitions away.
    pub fn revoke(&mut self, partitions: &BTreeSet<TopicPartition>) {
        for set in [&mut self.assigned, &mut self.paused_by_task, &mut self.paused] {
            set.retain(|partition| !partitions.contains(partition));
        }
    }

    /// Notes pauses of the task itself.
    pub fn pause(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        let assigned = &self.assigned;
        self.paused_by_task
            .extend(partitions.into_iter().filter(|partition| assigned.contains(partition)));
    }

    /// Ends pauses of the task itself.
    pub fn resume(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        for partition in partitions {
            self.paused_by_task.remove(&partition);
        }
    }

    /// Notes whether the target state is PAUSED.
    pub fn set_target_paused(&mut self, is_paused: bool) {
        self.is_target_paused = is_paused;
    }

    /// Notes whether a batch waits to be put again.
    pub fn set_redelivering(&mut self, is_redelivering: bool) {
        self.is_redelivering = is_redelivering;
    }

    /// Partitions held now.
    pub fn assigned(&self) -> &BTreeSet<TopicPartition> {
        &self.assigned
    }

    /// Answers what changed since the consumer was last told, and takes it as told.
    pub fn flow(&mut self) -> Flow {
        let wanted = if self.is_target_paused || self.is_redelivering {
            &self.assigned
        } else {
            &self.paused_by_task
        };
        let flow = Flow {
            pause: wanted.difference(&self.paused).cloned().collect(),
            resume: self.paused.difference(wanted).cloned().collect(),
        };
        self.paused = wanted.clone();
        flow
    }
}

#[cfg(test)]
mod tests {
    use super::{Flow, Partitions};
    use weir_client::topic_partition::TopicPartition;

    fn tps(partitions: &[i32]) -> Vec<TopicPartition> {
        partitions
            .iter()
            .map(|partition| TopicPartition::new("t", *partition))
            .collect()
    }

    fn flow(pause: &[i32], resume: &[i32]) -> Flow {
        Flow {
            pause: tps(pause),
            resume: tps(resume),
        }
    }

    #[test]
    fn redelivery_stops_everything_and_its_end_keeps_the_tasks_own_pauses() {
        let mut partitions = Partitions::default();
        partitions.assign(&tps(&[0, 1, 2]));
        assert_eq!(partitions.flow(), Flow::default());
        partitions.pause(tps(&[1, 7]));
        assert_eq!(partitions.flow(), flow(&[1], &[]));
        partitions.set_redelivering(true);
        assert_eq!(partitions.flow(), flow(&[0, 2], &[]));
        partitions.assign(&tps(&[3]));
        assert_eq!(partitions.flow(), flow(&[3], &[]));
        partitions.set_redelivering(false);
        assert_eq!(partitions.flow(), flow(&[], &[0, 2, 3]));
        partitions.resume(tps(&[1]));
        assert_eq!(partitions.flow(), flow(&[], &[1]));
        assert_eq!(partitions.flow(), Flow::default());
    }

    #[test]
    fn a_revoked_partition_comes_back_delivering() {
        let mut partitions = Partitions::default();
        partitions.assign(&tps(&[0]));
        partitions.pause(tps(&[0]));
        partitions.flow();
        partitions.revoke(&tps(&[0]).into_iter().collect());
        partitions.assign(&tps(&[0]));
        assert_eq!(partitions.flow(), Flow::default());
        partitions.set_target_paused(true);
        assert_eq!(partitions.flow(), flow(&[0], &[]));
    }
}
