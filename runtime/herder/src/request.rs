//! What may be asked of the herder: one closed enum, each variant with its reply channel.
//!
//! Reads that need no decision (status, plugins, validation) do not come through here; see `handle`.

use tokio::sync::oneshot;
use weir_config::map::ConfigMap;
use weir_stores::configs::state::TargetState;

use crate::error::HerderError;
use crate::info::{ConnectorInfo, ConnectorStateInfo, Put};

/// Where the answer goes; dropped when the asker gave up.
pub type Reply<T> = oneshot::Sender<Result<T, HerderError>>;

/// How an existing config is changed.
#[derive(Debug, Clone)]
pub enum ConfigChange {
    /// `POST /connectors`: the connector must not exist.
    Create {
        /// The whole config.
        config: ConfigMap,
        /// None = running.
        initial_state: Option<TargetState>,
    },
    /// `PUT …/config`: created or replaced.
    Replace(ConfigMap),
    /// `PATCH …/config` (KIP-477): a null value removes the key.
    Patch(ConfigMap),
}

/// What a restart covers (KIP-745).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartScope {
    /// Tasks as well as the connector instance.
    pub include_tasks: bool,
    /// Only what has failed.
    pub only_failed: bool,
}

impl RestartScope {
    /// How much it restarts: of two requests that wait, the one with more is carried out (Apache's order).
    pub fn impact(self) -> u8 {
        match (self.only_failed, self.include_tasks) {
            (true, false) => 0,
            (true, true) => 1,
            (false, false) => 2,
            (false, true) => 3,
        }
    }
}

/// How an internal request is signed (KIP-507), as its two headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalSignature {
    /// `X-Connect-Authorization`
    pub signature_base64: String,
    /// `X-Connect-Request-Signature-Algorithm`
    pub algorithm: String,
}

/// A request of another worker: what was signed, and how.
#[derive(Debug, Clone, Default)]
pub struct Signed {
    /// The body as it came; empty where there was none.
    pub body: Vec<u8>,
    /// None when a header is missing.
    pub signature: Option<InternalSignature>,
}

/// One request to the event loop.
#[derive(Debug)]
pub enum Request {
    /// Does nothing: shows that the loop answers.
    Ping {
        /// Answered at once.
        reply: Reply<()>,
    },
    /// Does nothing on the leader; anyone else says who that is.
    Lead {
        /// Elsewhere when another worker leads.
        reply: Reply<()>,
    },
    /// Names of all connectors.
    Connectors {
        /// Sorted by name.
        reply: Reply<Vec<String>>,
    },
    /// Config and tasks of one connector.
    Info {
        /// Its name.
        name: String,
        /// Not found when there is no config.
        reply: Reply<ConnectorInfo>,
    },
    /// The task configs of one connector.
    TaskConfigs {
        /// Its name.
        name: String,
        /// Ascending by task number.
        reply: Reply<Vec<ConfigMap>>,
    },
    /// A new, replaced or patched config, validated by the asker before it comes here.
    Put {
        /// The connector's name.
        name: String,
        /// The change.
        change: ConfigChange,
        /// The connector as it is after the write.
        reply: Reply<Put>,
    },
    /// Forget a connector.
    Delete {
        /// Its name.
        name: String,
        /// Answered once it is stopped.
        reply: Reply<()>,
    },
    /// Pause, resume or stop.
    SetTargetState {
        /// Its name.
        name: String,
        /// What it should become.
        state: TargetState,
        /// Answered when written, not when applied.
        reply: Reply<()>,
    },
    /// Restart the connector instance only and wait for it (the old form of the call).
    RestartConnector {
        /// Its name.
        name: String,
        /// Answered once it runs again.
        reply: Reply<()>,
    },
    /// Restart by plan (KIP-745).
    Restart {
        /// Its name.
        name: String,
        /// What it covers.
        scope: RestartScope,
        /// The plan, states as they become.
        reply: Reply<ConnectorStateInfo>,
    },
    /// May the offsets of a connector be changed now (KIP-875)?
    OffsetsModifiable {
        /// Its name.
        name: String,
        /// Its config; elsewhere when another worker leads.
        reply: Reply<ConfigMap>,
    },
    /// Set a log level on all workers (KIP-976).
    SetClusterLogger {
        /// The logger's name.
        namespace: String,
        /// Upper case.
        level: String,
        /// Answered when written.
        reply: Reply<()>,
    },
    /// Restart one task and wait for it.
    RestartTask {
        /// Its connector.
        name: String,
        /// Its number.
        task: u32,
        /// Answered once it was started.
        reply: Reply<()>,
    },
    /// A worker whose connector made these tasks hands them to the leader.
    SubmitTaskConfigs {
        /// Their connector.
        name: String,
        /// The whole set.
        configs: Vec<ConfigMap>,
        /// Checked before anything else.
        signed: Signed,
        /// Answered when written.
        reply: Reply<()>,
    },
    /// A worker that starts an exactly-once source task has the leader fence its predecessors.
    FenceZombies {
        /// The connector.
        name: String,
        /// None for this worker's own task, which signs nothing.
        signed: Option<Signed>,
        /// Answered when no predecessor can write any more.
        reply: Reply<()>,
    },
}
