//! `/compatibility`: would this schema be taken?

use std::sync::Arc;

use crate::refusal::Refusal;
use crate::registry::delete::LATEST;
use crate::registry::lookup::{Candidate, Finder};
use crate::registry::register::check_field_names;
use crate::registry::schemas::{Form, Reading, Strictness};
use crate::rest::call::{self, Answer, Api, Call, json};
use crate::rest::model::{CompatibilityJson, SchemaRequest};
use crate::store::cache::{Deleted, StoredSchema};

/// `POST /compatibility/subjects/{s}/versions`
pub(super) async fn with_all(api: &Api, call: &Call, segment: &str) -> Answer {
    let subject = call.subject(api, segment);
    let live = api
        .registry
        .read(|cache| cache.live_versions(&subject).rev().cloned().collect());
    compare(api, call, subject, live).await
}

/// `POST /compatibility/subjects/{s}/versions/{v}`; nothing there yet is compatible with `latest`.
pub(super) async fn with_one(api: &Api, call: &Call, segment: &str, version: &str) -> Answer {
    let version = call::version(version)?;
    let subject = call.subject(api, segment);
    let found = api.registry.read(|cache| match version {
        LATEST => cache.latest(&subject).cloned(),
        number => cache
            .version(&subject, number)
            .filter(|schema| !schema.is_deleted)
            .cloned(),
    });
    if found.is_none() && version != LATEST {
        return Err(Refusal::VersionNotFound(version));
    }
    compare(api, call, subject, found.into_iter().collect()).await
}

/// Compares with versions, newest first.
async fn compare(api: &Api, call: &Call, subject: String, live: Vec<Arc<StoredSchema>>) -> Answer {
    let request: SchemaRequest = call.body()?;
    let candidate = request.into_candidate()?;
    let is_verbose = call.query().is_true("verbose");
    let form = Form::of(call.query().is_true("normalize"));
    let size = candidate.text.len();
    let outcome = api
        .registry
        .compute(size, move |finder| messages(finder, &subject, candidate, form, &live))
        .await;
    let messages = match outcome {
        Ok(messages) => messages,
        Err(Refusal::InvalidSchema(text)) if is_verbose => vec![text],
        Err(refusal) => return Err(refusal),
    };
    json(&CompatibilityJson {
        is_compatible: messages.is_empty(),
        messages: is_verbose.then_some(messages),
    })
}

fn messages(
    finder: &Finder<'_>,
    subject: &str,
    candidate: Candidate,
    form: Form,
    live: &[Arc<StoredSchema>],
) -> Result<Vec<String>, Refusal> {
    if candidate.is_empty() {
        return Err(Refusal::InvalidSchema("Empty schema".to_owned()));
    }
    let config = finder.effective(subject);
    let reading = Reading {
        form: if config.normalizes { Form::Normalized } else { form },
        strictness: if config.validates_new_schemas {
            Strictness::New
        } else {
            Strictness::Stored
        },
    };
    let read = finder.read(subject, &candidate, reading, Deleted::Hidden)?;
    if config.validates_fields {
        check_field_names(&candidate, &read)?;
    }
    finder.incompatibilities(&config, &candidate, &read.canonical, live)
}
