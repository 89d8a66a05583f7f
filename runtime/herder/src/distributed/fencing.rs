//! Rounds of fencing before exactly-once source tasks start (KIP-618)
//!
//! The leader does them, one a connector at a time: all transactional ids of the tasks that were are taken over, then the count of the
//! tasks that are is written. A new task set overtakes a round. Source: `DistributedHerder.fenceZombieSourceTasks`.

use weir_client::fencing;
use weir_worker::lifecycle::TaskId;
use weir_worker::source::gate::transactional_id;

use crate::error::HerderError;
use crate::herder::{Ended, Herder, store_failure};
use crate::info::ConnectorType;
use crate::request::{Reply, Signed};
use crate::validate;

const OVERTAKEN: &str = "Failed to complete zombie fencing because a new set of task configs was generated";
const OVERTAKEN_AT_THE_END: &str = "Fencing failed because new task configurations were generated for the connector";

/// A round under way.
#[derive(Debug)]
pub(crate) struct Fencing {
    /// The task set that it was begun for.
    task_generation: u64,
    waiters: Vec<Reply<()>>,
}

/// What a connector needs before its tasks may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Its tasks have been counted since they changed.
    Nothing,
    /// Nobody can be in the way, but the tasks have to be counted.
    Count,
    /// The ids of so many tasks.
    Fence(u32),
}

fn need(is_pending: bool, counted_before: Option<u32>, tasks: u32) -> Need {
    match counted_before {
        _ if !is_pending => Need::Nothing,
        None => Need::Count,
        // The one task's own producer takes over the one id.
        Some(1) if tasks == 1 => Need::Count,
        Some(before) => Need::Fence(before),
    }
}

impl Herder {
    /// Fences, or joins the round that is under way; answers when it is over.
    pub(crate) async fn fence_zombies(&mut self, name: String, signed: Option<Signed>, reply: Reply<()>) {
        match self.begin_fencing(&name, signed.as_ref()).await {
            Err(error) => drop(reply.send(Err(error))),
            Ok(None) => drop(reply.send(Ok(()))),
            Ok(Some(fencing)) => fencing.waiters.push(reply),
        }
    }

    /// None when nothing is left to wait for.
    async fn begin_fencing(
        &mut self,
        name: &str,
        signed: Option<&Signed>,
    ) -> Result<Option<&mut Fencing>, HerderError> {
        if self.member.is_none() {
            return Err(HerderError::Failed(
                "Kafka Connect in standalone mode does not support exactly-once source connectors.".to_owned(),
            ));
        }
        if let Some(signed) = signed {
            self.verify(signed)?;
        }
        self.require_leader()?;
        self.configs.refresh().await.map_err(store_failure)?;
        self.drain_config_events();
        let state = self.configs.snapshot();
        let entry = state
            .connectors
            .get(name)
            .ok_or_else(|| HerderError::no_connector(name))?;
        if validate::connector_type(&self.plugins, &entry.config) != ConnectorType::Source {
            return Err(HerderError::bad_request(format!(
                "Connector {name} is not a source connector"
            )));
        }
        let is_under_way = self
            .member
            .as_ref()
            .is_some_and(|member| member.fencings.contains_key(name));
        if !is_under_way {
            let tasks = entry.task_configs.as_ref().map_or(0, Vec::len) as u32;
            let before = state.task_count_records.get(name).copied();
            match need(state.pending_fencing.contains(name), before, tasks) {
                Need::Nothing => return Ok(None),
                Need::Count => {
                    self.write_task_count(name, tasks).await?;
                    return Ok(None);
                }
                Need::Fence(before) => {
                    let generation = state.task_generations.get(name).copied().unwrap_or_default();
                    self.start_fencing(name, before, generation);
                }
            }
        }
        Ok(self.member.as_mut().and_then(|member| member.fencings.get_mut(name)))
    }

    fn start_fencing(&mut self, name: &str, before: u32, task_generation: u64) {
        let Some(member) = &mut self.member else { return };
        let id = |task| TaskId {
            connector: name.to_owned(),
            task,
        };
        let ids: Vec<String> = (0..before)
            .map(|task| transactional_id(&member.group_id, &id(task)))
            .collect();
        tracing::info!(connector = name, tasks = before, "fencing earlier tasks");
        let fencing = Fencing {
            task_generation,
            waiters: Vec::new(),
        };
        member.fencings.insert(name.to_owned(), fencing);
        let (wire, name) = (member.wire.clone(), name.to_owned());
        self.steps.spawn(async move {
            let result = fencing::fence(&wire, &ids).await.map_err(|error| error.to_string());
            Ended::Fenced {
                name,
                task_generation,
                result,
            }
        });
    }

    /// The ids are taken over, or not: counts the tasks, unless there are others by now.
    pub(crate) async fn on_fenced(&mut self, name: &str, task_generation: u64, result: Result<(), String>) {
        let Some(member) = &mut self.member else { return };
        // A round that was overtaken has been answered.
        let is_this = |fencing: &Fencing| fencing.task_generation == task_generation;
        if !member.fencings.get(name).is_some_and(is_this) {
            return;
        }
        let outcome = match result {
            Ok(()) => self.complete_fencing(name, task_generation).await,
            Err(error) => Err(HerderError::Failed(format!(
                "Failed to perform zombie fencing: {error}"
            ))),
        };
        let fencing = self.member.as_mut().and_then(|member| member.fencings.remove(name));
        for waiter in fencing.into_iter().flat_map(|fencing| fencing.waiters) {
            let _ = waiter.send(outcome.clone());
        }
    }

    async fn complete_fencing(&mut self, name: &str, task_generation: u64) -> Result<(), HerderError> {
        self.configs.refresh().await.map_err(store_failure)?;
        let state = self.configs.snapshot();
        if state.task_generations.get(name).copied().unwrap_or_default() != task_generation {
            return Err(HerderError::Conflict(OVERTAKEN_AT_THE_END.to_owned()));
        }
        let entry = state
            .connectors
            .get(name)
            .ok_or_else(|| HerderError::no_connector(name))?;
        self.write_task_count(name, entry.task_configs.as_ref().map_or(0, Vec::len) as u32)
            .await
    }

    async fn write_task_count(&mut self, name: &str, tasks: u32) -> Result<(), HerderError> {
        self.require_privileges().await?;
        let written = self.configs.put_task_count(name, tasks).await;
        self.written(written)
    }

    /// A new task set: whoever waits for the round of the earlier one has to ask again.
    pub(crate) fn abort_fencing(&mut self, name: &str) {
        let fencing = self.member.as_mut().and_then(|member| member.fencings.remove(name));
        for waiter in fencing.into_iter().flat_map(|fencing| fencing.waiters) {
            let _ = waiter.send(Err(HerderError::Conflict(OVERTAKEN.to_owned())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fenced_are_the_tasks_counted_last() {
        for (is_pending, before, tasks, expected) in [
            (false, Some(3), 3, Need::Nothing),
            (true, None, 3, Need::Count),
            (true, Some(1), 1, Need::Count),
            (true, Some(1), 2, Need::Fence(1)),
            (true, Some(3), 1, Need::Fence(3)),
            (true, Some(2), 0, Need::Fence(2)),
        ] {
            assert_eq!(
                need(is_pending, before, tasks),
                expected,
                "{is_pending} {before:?} {tasks}"
            );
        }
    }
}
