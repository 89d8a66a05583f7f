//! `/mode`: what may be done, in all, in a context, with a subject

use crate::refusal::Refusal;
use crate::registry::change::{Change, ImportCheck, Outcome, Reach};
use crate::rest::call::{Answer, Api, Call, json};
use crate::rest::config::check_place;
use crate::rest::model::{ModeJson, ModeRequest};
use crate::rest::subjects::unexpected;
use crate::store::records::Mode;

/// `GET /mode` and `GET /mode/{s}`
pub(super) fn get(api: &Api, call: &Call, segment: Option<&str>) -> Answer {
    let place = call.place(segment);
    let in_scope = place.is_none() || call.query().is_true("defaultToGlobal");
    let mode = api.registry.read(|cache| {
        if in_scope {
            return Some(cache.mode_in_scope(place.as_deref()));
        }
        cache.mode(place.as_deref())
    });
    let mode = mode.ok_or_else(|| Refusal::NoSubjectMode(place.unwrap_or_default()))?;
    answer(Some(mode))
}

/// `PUT /mode` and `PUT /mode/{s}`; null removes the mode.
pub(super) async fn put(api: &Api, call: &Call, segment: Option<&str>) -> Answer {
    let place = call.place(segment);
    let request: ModeRequest = call.body()?;
    let mode = match request.mode {
        None => return Err(Refusal::InvalidMode),
        Some(None) => None,
        Some(Some(name)) => Some(Mode::parse(&name).ok_or(Refusal::InvalidMode)?),
    };
    check_place(place.as_deref())?;
    let import = if call.query().is_true("force") {
        ImportCheck::Forced
    } else {
        ImportCheck::NeedsNoSubjects
    };
    change(
        api,
        Change::PutMode {
            subject: place,
            mode,
            import,
        },
    )
    .await
}

/// `DELETE /mode` and `DELETE /mode/{s}`
pub(super) async fn delete(api: &Api, call: &Call, segment: Option<&str>) -> Answer {
    let reach = if call.query().is_true("recursive") {
        Reach::Recursive
    } else {
        Reach::Itself
    };
    let subject = call.place(segment);
    change(api, Change::DeleteMode { subject, reach }).await
}

async fn change(api: &Api, change: Change) -> Answer {
    match api.registry.change(change).await? {
        Outcome::Mode(mode) => answer(mode),
        other => Err(unexpected(&other)),
    }
}

fn answer(mode: Option<Mode>) -> Answer {
    json(&ModeJson {
        mode: mode.map(Mode::as_str),
    })
}
