//! `/config`: settings of all, of a context, of a subject

use weir_schema::level::Level;

use crate::model::{RuleSet, check_rules};
use crate::refusal::Refusal;
use crate::registry::change::{Change, Outcome};
use crate::registry::scope::Effective;
use crate::registry::settings::{ConfigUpdate, Update};
use crate::rest::call::{Answer, Api, Call, json};
use crate::rest::model::{ConfigJson, ConfigRequest};
use crate::rest::subjects::unexpected;
use crate::store::records::ConfigValue;
use crate::subject::{Purpose, is_valid};

const POLICIES: [&str; 3] = ["STRICT", "LENIENT", "LOGICAL"];

/// `GET /config` and `GET /config/{s}`
pub(super) fn get(api: &Api, call: &Call, segment: Option<&str>) -> Answer {
    let place = call.place(segment);
    let in_scope = place.is_none() || call.query().is_true("defaultToGlobal");
    let config = api.registry.read(|cache| {
        if in_scope {
            return Some(Effective::of(cache, api.registry.settings(), place.as_deref()).config);
        }
        cache.config(place.as_deref()).map(|config| ConfigValue::clone(config))
    });
    let config = config.ok_or_else(|| Refusal::NoSubjectConfig(place.unwrap_or_default()))?;
    json(&ConfigJson::shown(config))
}

/// `PUT /config` and `PUT /config/{s}`
pub(super) async fn put(api: &Api, call: &Call, segment: Option<&str>) -> Answer {
    let place = call.place(segment);
    let request: ConfigRequest = call.body()?;
    let update = checked(request)?;
    check_place(place.as_deref())?;
    let change = Change::PutConfig {
        subject: place,
        update: Box::new(update),
    };
    match api.registry.change(change).await? {
        Outcome::Config(config) => json(&ConfigJson::echoed(*config)),
        other => Err(unexpected(&other)),
    }
}

/// `DELETE /config` and `DELETE /config/{s}`
pub(super) async fn delete(api: &Api, call: &Call, segment: Option<&str>) -> Answer {
    let change = Change::DeleteConfig {
        subject: call.place(segment),
    };
    match api.registry.change(change).await? {
        Outcome::Config(config) => json(&ConfigJson::shown(*config)),
        other => Err(unexpected(&other)),
    }
}

/// Settings of a place that no subject can have are refused.
pub(super) fn check_place(place: Option<&str>) -> Result<(), Refusal> {
    match place.filter(|place| !is_valid(place, Purpose::ConfigAndMode)) {
        None => Ok(()),
        Some(place) => Err(Refusal::InvalidSubject(place.to_owned())),
    }
}

/// Checks levels, policies and rules; both are stored in capitals.
fn checked(request: ConfigRequest) -> Result<ConfigUpdate, Refusal> {
    let level = match request.compatibility {
        Some(Some(name)) => Some(Some(
            Level::parse(&name).ok_or(Refusal::InvalidLevel)?.as_str().to_owned(),
        )),
        other => other,
    };
    let policy = match request.compatibility_policy {
        Some(Some(name)) => {
            let known = POLICIES.iter().find(|known| known.eq_ignore_ascii_case(&name));
            Some(Some((*known.ok_or(Refusal::InvalidPolicy)?).to_owned()))
        }
        other => other,
    };
    check(&request.default_rule_set)?;
    check(&request.override_rule_set)?;
    Ok(ConfigUpdate {
        alias: request.alias,
        alias_for_deks: request.alias_for_deks,
        normalize: request.normalize,
        validate_fields: request.validate_fields,
        validate_new_schemas: request.validate_new_schemas,
        validate_rules: request.validate_rules,
        compatibility_level: level,
        compatibility_policy: policy,
        compatibility_group: request.compatibility_group,
        default_metadata: request.default_metadata,
        override_metadata: request.override_metadata,
        default_rule_set: request.default_rule_set,
        override_rule_set: request.override_rule_set,
    })
}

fn check(rules: &Update<RuleSet>) -> Result<(), Refusal> {
    match rules {
        Some(Some(rules)) => check_rules(rules).map_err(Refusal::InvalidRules),
        Some(None) | None => Ok(()),
    }
}
