//! `/contexts`: list them, forget an empty one

use crate::refusal::Refusal;
use crate::registry::change::{Change, Outcome};
use crate::rest::call::{Answer, Api, Call, Reply, json};
use crate::rest::route::context_name;
use crate::rest::subjects::unexpected;
use crate::subject::DEFAULT_CONTEXT;

/// `GET /contexts`
pub(super) fn list(api: &Api, call: &Call) -> Answer {
    let prefix = call.query().get("contextPrefix").unwrap_or_default();
    let contexts: Vec<String> = api.registry.read(|cache| {
        let all = std::iter::once(DEFAULT_CONTEXT).chain(cache.contexts());
        all.filter(|context| context.starts_with(prefix))
            .map(str::to_owned)
            .collect()
    });
    json(&call.query().page(contexts, api.registry.settings().limits.contexts))
}

/// `DELETE /contexts/{c}`
pub(super) async fn delete(api: &Api, segment: &str) -> Answer {
    let context = context_name(segment)?;
    match api.registry.change(Change::DeleteContext { context }).await? {
        Outcome::Done => Ok(Reply::NoContent),
        other => Err::<Reply, Refusal>(unexpected(&other)),
    }
}
