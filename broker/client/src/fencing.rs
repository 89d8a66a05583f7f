//! Fencing of transactional ids: whoever held one can no longer write under it
//!
//! A new producer id is asked for each id, over raw connections instead of a producer an id: the coordinator aborts what was open and
//! refuses the earlier holder from then on. Source: `Admin.fenceProducers`, `FenceProducersHandler`.

use std::time::Duration;

use tokio::task::JoinSet;
use weir_protocol::messages::{FindCoordinatorRequest, InitProducerIdRequest, StrBytes};

use crate::cluster::{Backoff, Cluster};
use crate::error::{ClientError, KafkaError};
use crate::wire::{Versions, WireSettings, timed_out};

/// FindCoordinator: 4 and up ask for many keys at a time.
const FIND_COORDINATOR: Versions = Versions { min: 1, max: 3 };
const INIT_PRODUCER_ID: Versions = Versions { min: 0, max: 4 };
const TRANSACTION: i8 = 1;
/// What a round of fencing may take, as in Connect's herder.
const FENCING_TIMEOUT: Duration = Duration::from_secs(90);
/// Connections used at a time.
const PARALLEL: usize = 8;
/// Transaction timeout asked for; the id is not used for a transaction by us.
const TRANSACTION_TIMEOUT_MS: i32 = 60_000;
/// First wait for a transaction that is being ended.
const FIRST_BACKOFF: Duration = Duration::from_millis(20);

/// Fences every id, in parallel; all are fenced on return.
///
/// *Errors*: the first refusal for good, or `Timeout` after 90 s. Some ids may be fenced then.
pub async fn fence(settings: &WireSettings, transactional_ids: &[String]) -> Result<(), ClientError> {
    let share = transactional_ids.len().div_ceil(PARALLEL).max(1);
    let mut rounds = JoinSet::new();
    for ids in transactional_ids.chunks(share) {
        let (settings, ids) = (settings.clone(), ids.to_vec());
        rounds.spawn(async move {
            let mut cluster = Cluster::new(settings);
            for id in &ids {
                fence_one(&mut cluster, id).await?;
            }
            Ok::<(), ClientError>(())
        });
    }
    let all = async {
        while let Some(ended) = rounds.join_next().await {
            ended.map_err(|_| ClientError::Closed)??;
        }
        Ok(())
    };
    tokio::time::timeout(FENCING_TIMEOUT, all).await.unwrap_or_else(|_| {
        let context = format!("fencing {} transactional ids", transactional_ids.len());
        Err(timed_out(context, FENCING_TIMEOUT))
    })
}

// Tried until the whole round's time is over.
async fn fence_one(cluster: &mut Cluster, id: &str) -> Result<(), ClientError> {
    let mut backoff = Backoff::new(FIRST_BACKOFF, cluster.settings(), FENCING_TIMEOUT);
    loop {
        match attempt(cluster, id).await {
            Ok(()) => return Ok(()),
            Err(error) if is_passing(&error) && backoff.wait().await => {
                tracing::debug!(id, %error, "fencing is tried again");
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_passing(error: &ClientError) -> bool {
    error.is_retriable() || error.code() == Some(KafkaError::CONCURRENT_TRANSACTIONS)
}

async fn attempt(cluster: &mut Cluster, id: &str) -> Result<(), ClientError> {
    let mut find = FindCoordinatorRequest::default();
    find.key = StrBytes::from(id);
    find.key_type = TRANSACTION;
    let found = cluster.call_any(&find, FIND_COORDINATOR).await?;
    check(id, found.error_code)?;
    let coordinator = format!("{}:{}", found.host.as_str(), found.port);
    let mut init = InitProducerIdRequest::default();
    init.transactional_id = Some(StrBytes::from(id));
    init.transaction_timeout_ms = TRANSACTION_TIMEOUT_MS;
    init.producer_id = -1;
    init.producer_epoch = -1;
    let answer = cluster.call_address(&coordinator, &init, INIT_PRODUCER_ID).await?;
    check(id, answer.error_code)
}

fn check(id: &str, code: i16) -> Result<(), ClientError> {
    KafkaError::from_code(code).map_or(Ok(()), |error| {
        Err(ClientError::kafka(format!("fencing of transactional id {id}"), error))
    })
}
