//! What a handler is given: the broker's shared parts and the request.
//!
//! `Shared` is built once by `broker.rs`; handlers borrow parts of it and never more than they
//! need. `RequestCx` says who asks; the body comes apart from it, decoded.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use weir_metrics::clock::Clock;
use weir_protocol::messages::StrBytes;

use crate::broker_config::BrokerConfig;
use crate::broker_metrics::BrokerMetrics;
use crate::cluster::Cluster;
use crate::groups::Groups;
use crate::listener_config::Advertised;
use crate::log_limit::LogLimit;
use crate::partitions::Partitions;
use crate::producer_ids::ProducerIds;
use crate::transactions::Transactions;

/// The broker's parts as every handler sees them.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<BrokerConfig>,
    /// Topics, their ids and configs; changes to them are durable before they are seen.
    pub(crate) cluster: Arc<Cluster>,
    /// The logs behind the topics.
    pub(crate) partitions: Arc<Partitions>,
    /// The group coordinator.
    pub(crate) groups: Arc<Groups>,
    /// The transaction coordinator.
    pub(crate) transactions: Arc<Transactions>,
    pub(crate) producer_ids: Arc<ProducerIds>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<BrokerMetrics>,
    /// Keeps the lines about closed connections few.
    pub(crate) close_log: LogLimit,
    /// Cancelled when the broker stops: parked requests end at once.
    pub(crate) stop: CancellationToken,
}

/// One client connection, shared by its requests.
#[derive(Debug)]
pub(crate) struct ConnectionInfo {
    /// Unique within this process.
    pub(crate) id: u64,
    pub(crate) peer: SocketAddr,
    /// What Metadata answers for a request that came in on this listener.
    pub(crate) advertised: Arc<Advertised>,
}

/// One request's header and origin.
#[derive(Debug, Clone)]
pub(crate) struct RequestCx {
    pub(crate) api_key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<StrBytes>,
    pub(crate) connection: Arc<ConnectionInfo>,
}

impl RequestCx {
    /// The client id, empty when none was sent.
    pub(crate) fn client_id(&self) -> &str {
        self.client_id.as_ref().map_or("", StrBytes::as_str)
    }

    /// The client's host as Kafka prints it (`/127.0.0.1`).
    pub(crate) fn client_host(&self) -> String {
        format!("/{}", self.connection.peer.ip())
    }
}
