//! `/v1/metadata` and `/`: who answers here

use crate::rest::call::{Answer, Api, Call, Reply, json};
use crate::rest::model::{ClusterIdJson, ClustersJson, DeploymentJson, ScopeJson, ServerVersionJson};

/// `POST /` answers what it was sent, and an empty object for nothing.
pub(super) fn echo(call: &Call) -> Answer {
    let sent = call.raw_body();
    if sent.iter().all(u8::is_ascii_whitespace) {
        return Ok(Reply::Json(b"{}".to_vec()));
    }
    let value: serde_json::Map<String, serde_json::Value> = call.body()?;
    json(&value)
}

/// `GET /v1/metadata/id`
pub(super) fn cluster_id(api: &Api) -> Answer {
    json(&ClusterIdJson {
        scope: ScopeJson {
            clusters: ClustersJson {
                kafka_cluster: api.identity.kafka_cluster_id.clone(),
                schema_registry_cluster: api.identity.group_id.clone(),
            },
        },
    })
}

/// `GET /v1/metadata/version`
pub(super) fn version() -> Answer {
    json(&ServerVersionJson {
        version: env!("CARGO_PKG_VERSION"),
        commit_id: option_env!("WEIR_COMMIT").unwrap_or("unknown"),
    })
}

/// `GET /v1/metadata/deployment`
pub(super) fn deployment() -> Answer {
    json(&DeploymentJson {
        attributes: vec!["deploymentScope:weir".to_owned()],
    })
}
