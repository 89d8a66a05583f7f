//! Changing config and mode
//!
//! Config is merged field by field: what a request names replaces, null clears, the rest stays. Source: `ConfigResource`, `ModeResource`,
//! `KafkaSchemaRegistry.updateConfig`, `setMode`.

use crate::model::{Metadata, RuleSet};
use crate::refusal::Refusal;
use crate::registry::change::{ImportCheck, Outcome, Plan, Reach};
use crate::registry::delete::refuse_read_only;
use crate::registry::scope::Effective;
use crate::registry_config::DecisionSettings;
use crate::store::cache::{Cache, Deleted};
use crate::store::records::{ConfigValue, Mode, Record};
use crate::subject::{GLOBAL_CONTEXT, Scope};

/// One field of an update: `None` leaves it, `Some(None)` clears it.
pub(crate) type Update<T> = Option<Option<T>>;

/// A checked config update.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConfigUpdate {
    pub(crate) alias: Update<String>,
    pub(crate) alias_for_deks: Update<String>,
    pub(crate) normalize: Update<bool>,
    pub(crate) validate_fields: Update<bool>,
    pub(crate) validate_new_schemas: Update<bool>,
    pub(crate) validate_rules: Update<bool>,
    pub(crate) compatibility_level: Update<String>,
    pub(crate) compatibility_policy: Update<String>,
    pub(crate) compatibility_group: Update<String>,
    pub(crate) default_metadata: Update<Metadata>,
    pub(crate) override_metadata: Update<Metadata>,
    pub(crate) default_rule_set: Update<RuleSet>,
    pub(crate) override_rule_set: Update<RuleSet>,
}

impl ConfigUpdate {
    fn apply_to(self, mut config: ConfigValue) -> ConfigValue {
        fn set<T>(field: &mut Option<T>, update: Update<T>) {
            if let Some(value) = update {
                *field = value;
            }
        }
        set(&mut config.alias, self.alias);
        set(&mut config.alias_for_deks, self.alias_for_deks);
        set(&mut config.normalize, self.normalize);
        set(&mut config.validate_fields, self.validate_fields);
        set(&mut config.validate_new_schemas, self.validate_new_schemas);
        set(&mut config.validate_rules, self.validate_rules);
        set(&mut config.compatibility_level, self.compatibility_level);
        set(&mut config.compatibility_policy, self.compatibility_policy);
        set(&mut config.compatibility_group, self.compatibility_group);
        set(&mut config.default_metadata, self.default_metadata);
        set(&mut config.override_metadata, self.override_metadata);
        set(&mut config.default_rule_set, self.default_rule_set);
        set(&mut config.override_rule_set, self.override_rule_set);
        config
    }
}

/// Merges an update into what is set at this place; answers the merged config.
///
/// *Errors*: 42205.
pub(crate) fn put_config(cache: &Cache, subject: Option<&str>, update: ConfigUpdate) -> Result<Plan, Refusal> {
    refuse_read_only(cache, subject)?;
    let before = cache.config(subject).map(|config| ConfigValue::clone(config));
    let mut merged = update.apply_to(before.unwrap_or_default());
    merged.subject = subject.map(str::to_owned);
    Ok(Plan {
        records: vec![Record::Config(subject.map(str::to_owned), Box::new(merged.clone()))],
        outcome: Outcome::Config(Box::new(merged)),
    })
}

/// Removes what is set at this place; answers what was in force.
///
/// *Errors*: 40401 for a subject without settings, 42205.
pub(crate) fn delete_config(
    cache: &Cache,
    settings: &DecisionSettings,
    subject: Option<&str>,
) -> Result<Plan, Refusal> {
    let set = cache.config(subject).map(|config| ConfigValue::clone(config));
    let old = match (subject, set.clone()) {
        (Some(subject), None) => return Err(Refusal::SubjectNotFound(subject.to_owned())),
        (Some(_), Some(own)) => own,
        (None, _) => Effective::of(cache, settings, None).config,
    };
    refuse_read_only(cache, subject)?;
    let tombstone = set.map(|_| Record::ConfigTombstone(subject.map(str::to_owned)));
    Ok(Plan {
        records: tombstone.into_iter().collect(),
        outcome: Outcome::Config(Box::new(old)),
    })
}

/// Sets or removes a mode.
///
/// *Errors*: 42204, 42205.
pub(crate) fn put_mode(
    cache: &Cache,
    settings: &DecisionSettings,
    subject: Option<&str>,
    mode: Option<Mode>,
    import: ImportCheck,
) -> Result<Plan, Refusal> {
    refuse_immutable(settings)?;
    let place = subject.map(str::to_owned);
    let Some(mode) = mode else {
        return Ok(Plan {
            records: vec![Record::ModeTombstone(place)],
            outcome: Outcome::Mode(None),
        });
    };
    if mode == Mode::Forward && subject.is_some_and(|subject| subject != GLOBAL_CONTEXT) {
        return Err(Refusal::ForwardBelowGlobal);
    }
    let mut records = Vec::new();
    if mode == Mode::Import && cache.mode(subject) != Some(Mode::Import) {
        let scope = Scope::of(subject);
        if import == ImportCheck::NeedsNoSubjects && cache.has_any(&scope, Deleted::Hidden) {
            let text = "Cannot import since found existing subjects";
            return Err(Refusal::NotPermitted(text.to_owned()));
        }
        let deleted = cache.deleted_in(&scope).into_iter();
        records.extend(deleted.map(|(subject, version)| Record::SchemaTombstone {
            subject: subject.to_string(),
            version,
        }));
        records.push(Record::ClearSubject(place.clone()));
    }
    records.push(Record::Mode(place, mode));
    Ok(Plan {
        records,
        outcome: Outcome::Mode(Some(mode)),
    })
}

/// Removes a mode, and with [`Reach::Recursive`] those of the subjects below a context; answers the old one.
///
/// *Errors*: 40401 for a subject without a mode, 42205.
pub(crate) fn delete_mode(
    cache: &Cache,
    settings: &DecisionSettings,
    subject: Option<&str>,
    reach: Reach,
) -> Result<Plan, Refusal> {
    let own = cache.mode(subject);
    let is_recursive = reach == Reach::Recursive
        && subject.is_none_or(|subject| crate::subject::Qualified::parse(subject).is_context());
    let old = match (subject, own) {
        (Some(subject), None) if !is_recursive => return Err(Refusal::SubjectNotFound(subject.to_owned())),
        (None, None) => Some(cache.mode_in_scope(None)),
        _ => own,
    };
    refuse_immutable(settings)?;
    let mut records = Vec::new();
    if own.is_some() {
        records.push(Record::ModeTombstone(subject.map(str::to_owned)));
    }
    if is_recursive {
        let below = cache.modes_in(&Scope::of(subject)).into_iter();
        let others = below.filter(|place| Some(place.as_str()) != subject);
        records.extend(others.map(|place| Record::ModeTombstone(Some(place))));
    }
    Ok(Plan {
        records,
        outcome: Outcome::Mode(old),
    })
}

fn refuse_immutable(settings: &DecisionSettings) -> Result<(), Refusal> {
    if settings.is_mode_mutable {
        return Ok(());
    }
    Err(Refusal::NotPermitted("Mode changes are not allowed".to_owned()))
}
