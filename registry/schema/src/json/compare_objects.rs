//! Differences between objects: properties that come, go or change
//!
//! A property may come where the original was closed, since nothing can be there; it may go where the update is open.

use crate::json::compare_scalars::bound;
use crate::json::compatibility::{Checker, Found};
use crate::json::difference::DifferenceKind as K;
use crate::json::model::{Kind, NodeId, Object};

/// Which of the two graphs an object is of.
#[derive(Debug, Clone, Copy)]
enum Side {
    Original,
    Update,
}

pub(super) fn compare<'a>(
    checker: &mut Checker<'a>,
    found: &mut Found,
    original: &'a Object,
    update: &'a Object,
) -> Result<(), String> {
    checker.spend(original.properties.len() + update.properties.len())?;
    required(checker, found, original, update);
    found.enter("properties");
    let added = update
        .properties
        .keys()
        .filter(|name| !original.properties.contains_key(*name));
    for name in original.properties.keys().chain(added) {
        found.enter(name.as_str());
        property(checker, found, name, original, update)?;
        found.leave();
    }
    found.leave();
    dependencies(checker, found, original, update)?;
    additional(checker, found, original, update)?;
    unevaluated(
        checker,
        found,
        "unevaluatedProperties",
        original.unevaluated,
        update.unevaluated,
        OF_PROPERTIES,
    )?;
    let most = [
        K::MaxPropertiesAdded,
        K::MaxPropertiesRemoved,
        K::MaxPropertiesIncreased,
        K::MaxPropertiesDecreased,
    ];
    bound(
        found,
        "maxProperties",
        original.max_properties,
        update.max_properties,
        most,
    );
    let least = [
        K::MinPropertiesAdded,
        K::MinPropertiesRemoved,
        K::MinPropertiesIncreased,
        K::MinPropertiesDecreased,
    ];
    bound(
        found,
        "minProperties",
        original.min_properties,
        update.min_properties,
        least,
    );
    Ok(())
}

fn has_default(checker: &Checker<'_>, update: NodeId) -> bool {
    checker.update(update).is_some_and(|node| node.default.is_some())
}

fn required(checker: &Checker<'_>, found: &mut Found, original: &Object, update: &Object) {
    found.enter("required");
    for name in original.properties.keys() {
        let Some(schema) = update.properties.get(name) else {
            continue;
        };
        match (original.required.contains(name), update.required.contains(name)) {
            (true, false) => found.add_at(name, K::RequiredAttributeRemoved),
            (false, true) if has_default(checker, *schema) => {
                found.add_at(name, K::RequiredAttributeWithDefaultAdded);
            }
            (false, true) => found.add_at(name, K::RequiredAttributeAdded),
            _ => {}
        }
    }
    found.leave();
}

fn property<'a>(
    checker: &mut Checker<'a>,
    found: &mut Found,
    name: &str,
    original: &'a Object,
    update: &'a Object,
) -> Result<(), String> {
    match (original.properties.get(name), update.properties.get(name)) {
        (Some(old), Some(new)) => checker.compare(found, Some(*old), Some(*new)),
        (Some(old), None) => removed(checker, found, name, *old, update),
        (None, Some(new)) => added(checker, found, name, *new, (original, update)),
        (None, None) => Ok(()),
    }
}

fn removed<'a>(
    checker: &mut Checker<'a>,
    found: &mut Found,
    name: &str,
    old: NodeId,
    update: &'a Object,
) -> Result<(), String> {
    if is_open(checker, Side::Update, update) {
        found.add(K::PropertyRemovedFromOpenContentModel);
        return Ok(());
    }
    let Some(covering) = covering(checker, Side::Update, update, name)? else {
        let is_false = checker.original(old).is_some_and(|node| node.kind == Kind::False);
        found.add(match is_false {
            true => K::PropertyWithFalseRemovedFromClosedContentModel,
            false => K::PropertyRemovedFromClosedContentModel,
        });
        return Ok(());
    };
    let is_covered = compare_aside(checker, found, old, covering)?;
    found.add(match is_covered {
        true => K::PropertyRemovedIsCoveredByPartiallyOpenContentModel,
        false => K::PropertyRemovedNotCoveredByPartiallyOpenContentModel,
    });
    Ok(())
}

fn added<'a>(
    checker: &mut Checker<'a>,
    found: &mut Found,
    name: &str,
    new: NodeId,
    (original, update): (&'a Object, &'a Object),
) -> Result<(), String> {
    let is_required = update.required.contains(name);
    let has_default = has_default(checker, new);
    if is_open(checker, Side::Original, original) {
        let is_anything = checker.update(new).is_some_and(|node| node.kind.is_anything());
        found.add(match (is_anything, is_required, has_default) {
            (true, _, _) => K::PropertyWithEmptySchemaAddedToOpenContentModel,
            (false, true, true) => K::RequiredPropertyWithDefaultAddedToOpenContentModel,
            (false, true, false) => K::RequiredPropertyAddedToOpenContentModel,
            (false, false, _) => K::OptionalPropertyAddedToOpenContentModel,
        });
        return Ok(());
    }
    if let Some(covering) = covering(checker, Side::Original, original, name)? {
        let is_covered = compare_aside(checker, found, covering, new)?;
        found.add(match is_covered {
            true => K::PropertyAddedIsCoveredByPartiallyOpenContentModel,
            false => K::PropertyAddedNotCoveredByPartiallyOpenContentModel,
        });
    }
    found.add(match (is_required, has_default) {
        (true, true) => K::RequiredPropertyWithDefaultAddedToUnopenContentModel,
        (true, false) => K::RequiredPropertyAddedToUnopenContentModel,
        (false, _) => K::OptionalPropertyAddedToUnopenContentModel,
    });
    Ok(())
}

/// Compares, keeps the differences, and says whether all of them are compatible.
pub(super) fn compare_aside(
    checker: &mut Checker<'_>,
    found: &mut Found,
    original: NodeId,
    update: NodeId,
) -> Result<bool, String> {
    let mut inner = found.aside();
    checker.compare(&mut inner, Some(original), Some(update))?;
    let is_compatible = checker.is_compatible(&inner);
    found.take_in(inner);
    Ok(is_compatible)
}

fn kind_of<'a>(checker: &Checker<'a>, side: Side, id: NodeId) -> Option<&'a Kind> {
    let node = match side {
        Side::Original => checker.original(id),
        Side::Update => checker.update(id),
    };
    node.map(|node| &node.kind)
}

fn is_open(checker: &Checker<'_>, side: Side, object: &Object) -> bool {
    let leaves_open = |id: NodeId| kind_of(checker, side, id).is_some_and(Kind::is_anything);
    !object.forbids_additional
        && object.additional.is_none()
        && object.patterns.is_empty()
        && object.unevaluated.is_none_or(leaves_open)
}

/// The schema that binds a property without a schema of its own.
fn covering<'a>(
    checker: &mut Checker<'a>,
    side: Side,
    object: &'a Object,
    name: &str,
) -> Result<Option<NodeId>, String> {
    for (pattern, schema) in &object.patterns {
        if checker.is_match(pattern, name)? {
            return Ok(Some(*schema));
        }
    }
    if object.additional.is_some() {
        return Ok(object.additional);
    }
    let says_something =
        |id: &NodeId| kind_of(checker, side, *id).is_some_and(|kind| !kind.is_anything() && *kind != Kind::False);
    let is_asked = !object.forbids_additional;
    Ok(object.unevaluated.filter(|id| is_asked && says_something(id)))
}

fn dependencies<'a>(
    checker: &mut Checker<'a>,
    found: &mut Found,
    original: &'a Object,
    update: &'a Object,
) -> Result<(), String> {
    found.enter("dependencies");
    let added = update
        .dependencies
        .keys()
        .filter(|name| !original.dependencies.contains_key(*name));
    for name in original.dependencies.keys().chain(added) {
        let kind = match (original.dependencies.get(name), update.dependencies.get(name)) {
            (Some(_), None) => K::DependencyArrayRemoved,
            (None, _) => K::DependencyArrayAdded,
            (Some(old), Some(new)) if old == new => continue,
            (Some(old), Some(new)) if new.is_superset(old) => K::DependencyArrayExtended,
            (Some(old), Some(new)) if old.is_superset(new) => K::DependencyArrayNarrowed,
            _ => K::DependencyArrayChanged,
        };
        found.add_at(name, kind);
    }
    let (old, new) = (&original.schema_dependencies, &update.schema_dependencies);
    let added = new.keys().filter(|name| !old.contains_key(*name));
    for name in old.keys().chain(added) {
        match (old.get(name), new.get(name)) {
            (Some(_), None) => found.add_at(name, K::DependencySchemaRemoved),
            (None, _) => found.add_at(name, K::DependencySchemaAdded),
            (old, new) => {
                found.enter(name.as_str());
                checker.compare(found, old.copied(), new.copied())?;
                found.leave();
            }
        }
    }
    found.leave();
    Ok(())
}

fn additional<'a>(
    checker: &mut Checker<'a>,
    found: &mut Found,
    original: &'a Object,
    update: &'a Object,
) -> Result<(), String> {
    found.enter("additionalProperties");
    match (original.forbids_additional, update.forbids_additional) {
        (true, false) => found.add(K::AdditionalPropertiesAdded),
        (false, true) => found.add(K::AdditionalPropertiesRemoved),
        _ => match (original.additional, update.additional) {
            (None, Some(_)) => found.add(K::AdditionalPropertiesNarrowed),
            (Some(_), None) => found.add(K::AdditionalPropertiesExtended),
            (original, update) => checker.compare(found, original, update)?,
        },
    }
    found.leave();
    Ok(())
}

/// Kinds of what is left over: added, removed, extended, narrowed.
const OF_PROPERTIES: [K; 4] = [
    K::UnevaluatedPropertiesAdded,
    K::UnevaluatedPropertiesRemoved,
    K::UnevaluatedPropertiesExtended,
    K::UnevaluatedPropertiesNarrowed,
];

/// Compares `unevaluatedProperties` or `unevaluatedItems`.
pub(super) fn unevaluated(
    checker: &mut Checker<'_>,
    found: &mut Found,
    keyword: &str,
    original: Option<NodeId>,
    update: Option<NodeId>,
    [added, removed, extended, narrowed]: [K; 4],
) -> Result<(), String> {
    let old_kind = original.and_then(|id| kind_of(checker, Side::Original, id));
    let new_kind = update.and_then(|id| kind_of(checker, Side::Update, id));
    let is_false = |kind: Option<&Kind>| kind == Some(&Kind::False);
    let is_anything = |kind: Option<&Kind>| kind.is_none_or(Kind::is_anything);
    let kind = match (old_kind, new_kind) {
        (None, None) => return Ok(()),
        (old, new) if is_false(old) && !is_false(new) => added,
        (old, new) if !is_false(old) && is_false(new) => removed,
        (None, Some(_)) => narrowed,
        (Some(_), None) => extended,
        (old, new) if is_anything(old) && !is_anything(new) => narrowed,
        (old, new) if !is_anything(old) && is_anything(new) => extended,
        _ => {
            found.enter(keyword);
            checker.compare(found, original, update)?;
            found.leave();
            return Ok(());
        }
    };
    found.add_at(keyword, kind);
    Ok(())
}
