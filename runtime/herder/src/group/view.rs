//! What others may know of the group at any moment
//!
//! Written by the membership task alone; read by the herder, REST and forwarding, through [`MembershipHandle`].

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use weir_stores::configs::ConfigReader;
use weir_worker::lifecycle::TaskId;

use crate::group::protocol::ConnectProtocol;
use crate::group::work::Work;

/// A reason to join again, and how far the config topic was read when it arose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RejoinRequest {
    pub(super) reason: String,
    pub(super) config_offset: i64,
}

/// Who runs what, as the leader gave it out.
#[derive(Debug, Default)]
pub(super) struct Owners {
    urls: Vec<String>,
    connectors: BTreeMap<String, usize>,
    tasks: BTreeMap<TaskId, usize>,
}

impl Owners {
    /// Turns each worker's work (URL, work) around.
    pub(super) fn of<'a>(workers: impl Iterator<Item = (&'a str, &'a Work)>) -> Self {
        let mut owners = Self::default();
        for (index, (url, work)) in workers.enumerate() {
            owners.urls.push(url.to_owned());
            let connectors = work.connectors.iter();
            owners.connectors.extend(connectors.map(|name| (name.clone(), index)));
            owners.tasks.extend(work.tasks.iter().map(|task| (task.clone(), index)));
        }
        owners
    }

    fn url(&self, index: Option<&usize>) -> Option<String> {
        index.and_then(|index| self.urls.get(*index)).cloned()
    }
}

/// The state that is shown.
#[derive(Debug)]
pub(super) struct View {
    pub(super) is_rebalancing: bool,
    pub(super) is_leader: bool,
    /// −1 outside the group.
    pub(super) generation: i32,
    pub(super) member_id: String,
    pub(super) protocol: Option<ConnectProtocol>,
    pub(super) leader_url: Option<String>,
    /// On the leader, between rebalances.
    pub(super) owners: Option<Owners>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            is_rebalancing: true,
            is_leader: false,
            generation: -1,
            member_id: String::new(),
            protocol: None,
            leader_url: None,
            owners: None,
        }
    }
}

/// What the handle and the task share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) view: Mutex<View>,
    pub(super) request: Mutex<Option<RejoinRequest>>,
    pub(super) has_request: Notify,
}

/// Asks and tells about the membership; cheap to clone. The member leaves when told to, or when nobody takes its events any more.
#[derive(Debug, Clone)]
pub struct MembershipHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) configs: ConfigReader,
    pub(super) stop: CancellationToken,
    /// Cancelled when the member has left.
    pub(super) ended: CancellationToken,
}

impl MembershipHandle {
    /// Asks for a rebalance because the configs have changed. A round made for all that this worker has read by now serves as well:
    /// the member's share is then announced once more instead.
    pub fn request_rejoin(&self, reason: &str) {
        let request = RejoinRequest {
            reason: reason.to_owned(),
            config_offset: self.configs.offset(),
        };
        *self.shared.request.lock() = Some(request);
        self.shared.has_request.notify_one();
    }

    /// Leaves the group and waits until that is done; work should have been stopped before.
    pub async fn leave(self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }

    /// On the leader between rebalances: base URL of the worker that runs the connector.
    pub fn connector_url(&self, connector: &str) -> Option<String> {
        let view = self.shared.view.lock();
        let owners = view.owners.as_ref()?;
        owners.url(owners.connectors.get(connector))
    }

    /// On the leader between rebalances: base URL of the worker that runs the task.
    pub fn task_url(&self, task: &TaskId) -> Option<String> {
        let view = self.shared.view.lock();
        let owners = view.owners.as_ref()?;
        owners.url(owners.tasks.get(task))
    }

    /// Base URL of the leader of the last complete round; `None` before the first, and outside the group.
    pub fn leader_url(&self) -> Option<String> {
        self.shared.view.lock().leader_url.clone()
    }

    /// Whether this worker led the last complete round and has not lost its place since.
    pub fn is_leader(&self) -> bool {
        self.shared.view.lock().is_leader
    }

    /// Whether a round is under way: who leads and who owns what may be different after it.
    pub fn is_rebalancing(&self) -> bool {
        self.shared.view.lock().is_rebalancing
    }

    /// Generation of the last complete round; −1 outside the group.
    pub fn generation(&self) -> i32 {
        self.shared.view.lock().generation
    }

    /// Member id as the group knows it; empty outside the group.
    pub fn member_id(&self) -> String {
        self.shared.view.lock().member_id.clone()
    }

    /// What the group's workers have in common; `None` before the first round.
    pub fn protocol(&self) -> Option<ConnectProtocol> {
        self.shared.view.lock().protocol
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::work::tests::work;

    #[test]
    fn owners_are_found_by_connector_and_task() {
        let (one, two) = (work("a", "b-0"), work("b", "a-0 a-1"));
        let owners = Owners::of([("http://one/", &one), ("http://two/", &two)].into_iter());
        assert_eq!(owners.url(owners.connectors.get("a")).as_deref(), Some("http://one/"));
        let task = |text| work("", text).tasks.into_iter().next().unwrap();
        assert_eq!(
            owners.url(owners.tasks.get(&task("a-1"))).as_deref(),
            Some("http://two/")
        );
        assert_eq!(owners.url(owners.tasks.get(&task("a-2"))), None);
    }
}
