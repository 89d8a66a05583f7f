//! The herder's own state as a member of a group
//!
//! What it was given to join with, what of its share has been started, and which requests wait. The membership itself is a task of
//! its own, see `group`.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;
use weir_client::group_member::GroupSettings;
use weir_client::wire::WireSettings;
use weir_metrics::clock::Clock;
use weir_stores::configs::ConfigReader;

use crate::distributed::fencing::Fencing;
use crate::distributed::forward::InternalClient;
use crate::distributed::session_key::KeySettings;
use crate::distributed::waiting::Waiting;
use crate::group::protocol::ConnectProtocol;
use crate::group::view::MembershipHandle;
use crate::group::work::Work;

/// What a distributed worker joins its group with.
#[derive(Debug, Clone)]
pub struct GroupParts {
    /// How the coordinator is spoken to; its client id is the member id's beginning.
    pub wire: WireSettings,
    /// Group id and time-outs.
    pub settings: GroupSettings,
    /// `connect.protocol`
    pub protocol: ConnectProtocol,
    /// What other workers call: base URL with a trailing slash.
    pub url: String,
    /// `scheduled.rebalance.max.delay.ms`
    pub max_delay_ms: i32,
    /// `worker.sync.timeout.ms`
    pub sync_timeout: Duration,
    /// `worker.unsync.backoff.ms`
    pub unsync_backoff: Duration,
    /// `inter.worker.*`
    pub keys: KeySettings,
    /// What internal requests go through.
    pub http: reqwest::Client,
}

/// The herder in its group.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) handle: MembershipHandle,
    pub(crate) internal: InternalClient,
    pub(crate) configs: ConfigReader,
    pub(crate) keys: KeySettings,
    pub(crate) clock: Clock,
    pub(crate) wire: WireSettings,
    pub(crate) group_id: String,
    /// The round that was last acted on; −1 before the first.
    pub(crate) generation: i32,
    pub(crate) is_leader: bool,
    /// The config topic may be written as the leader.
    pub(crate) has_claimed: bool,
    /// Connectors whose config has been seen: another one is new.
    pub(crate) known: BTreeSet<String>,
    /// What of the share was started, or failed to start: no rebalance starts it again.
    pub(crate) started: Work,
    pub(crate) waiting: Waiting,
    /// Rounds of fencing under way, by connector.
    pub(crate) fencings: HashMap<String, Fencing>,
    /// When the leader has to look at the session key again.
    pub(crate) key_due: Option<Instant>,
}

impl Member {
    /// Is true when what this worker knows of the group is what it has acted on.
    pub(crate) fn is_settled(&self) -> bool {
        self.generation >= 0 && !self.handle.is_rebalancing() && self.handle.generation() == self.generation
    }

    /// When the loop has to look again though nothing happened.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        [self.key_due, self.waiting.first_deadline()]
            .into_iter()
            .flatten()
            .min()
    }
}
