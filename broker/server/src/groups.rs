//! The group coordinator's place in the broker.
//!
//! Owns every group's state, writes `__consumer_offsets` through `partitions`, and answers the
//! handlers of `handlers/group.rs` and `handlers/offsets.rs`.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use weir_metrics::clock::Clock;

use crate::broker_config::BrokerConfig;
use crate::cluster::Cluster;
use crate::partitions::Partitions;

/// Every group of this broker.
#[derive(Debug)]
pub(crate) struct Groups {
    partitions: Arc<Partitions>,
    cluster: Arc<Cluster>,
    config: Arc<BrokerConfig>,
    clock: Clock,
}

impl Groups {
    pub(crate) fn new(
        partitions: Arc<Partitions>,
        cluster: Arc<Cluster>,
        config: Arc<BrokerConfig>,
        clock: Clock,
    ) -> Self {
        Self { partitions, cluster, config, clock }
    }

    /// Loads what the log holds, then keeps timers and expiry until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        stop.cancelled().await;
    }

    /// Forgets the offsets of topics that are gone.
    pub(crate) async fn topics_deleted(&self, _topics: &[String]) {}
}
