//! Differences between arrays: items that come, go or change
//!
//! As with properties of objects, what may come or go depends on whether the array is open to more items.

use crate::json::compare_objects::{compare_aside, unevaluated};
use crate::json::compare_scalars::bound;
use crate::json::compatibility::{Checker, Found};
use crate::json::difference::DifferenceKind as K;
use crate::json::model::{Array, Kind, Node, NodeId};

pub(super) fn compare<'a>(
    checker: &mut Checker<'a>,
    found: &mut Found,
    original: &'a Array,
    update: &'a Array,
) -> Result<(), String> {
    checker.spend(original.tuple.len() + update.tuple.len())?;
    found.enter("items");
    checker.compare(found, original.items, update.items)?;
    found.leave();
    for at in 0..original.tuple.len().max(update.tuple.len()) {
        found.enter(format!("items/{at}"));
        match (original.tuple.get(at), update.tuple.get(at)) {
            (Some(old), None) => removed(checker, found, *old, update)?,
            (None, Some(new)) => added(checker, found, *new, original)?,
            (old, new) => checker.compare(found, old.copied(), new.copied())?,
        }
        found.leave();
    }
    additional(checker, found, original, update)?;
    unevaluated(
        checker,
        found,
        "unevaluatedItems",
        original.unevaluated,
        update.unevaluated,
        OF_ITEMS,
    )?;
    let most = [
        K::MaxItemsAdded,
        K::MaxItemsRemoved,
        K::MaxItemsIncreased,
        K::MaxItemsDecreased,
    ];
    bound(found, "maxItems", original.max_items, update.max_items, most);
    let least = [
        K::MinItemsAdded,
        K::MinItemsRemoved,
        K::MinItemsIncreased,
        K::MinItemsDecreased,
    ];
    bound(found, "minItems", original.min_items, update.min_items, least);
    match (original.is_unique, update.is_unique) {
        (true, false) => found.add_at("uniqueItems", K::UniqueItemsRemoved),
        (false, true) => found.add_at("uniqueItems", K::UniqueItemsAdded),
        _ => {}
    }
    let most = [
        K::MaxContainsAdded,
        K::MaxContainsRemoved,
        K::MaxContainsIncreased,
        K::MaxContainsDecreased,
    ];
    bound(found, "maxContains", original.max_contains, update.max_contains, most);
    let least = [
        K::MinContainsAdded,
        K::MinContainsRemoved,
        K::MinContainsIncreased,
        K::MinContainsDecreased,
    ];
    bound(found, "minContains", original.min_contains, update.min_contains, least);
    Ok(())
}

const OF_ITEMS: [K; 4] = [
    K::UnevaluatedItemsAdded,
    K::UnevaluatedItemsRemoved,
    K::UnevaluatedItemsExtended,
    K::UnevaluatedItemsNarrowed,
];

/// Whether any item may follow; `node` looks up what is left over.
fn is_open<'a>(array: &Array, node: impl Fn(NodeId) -> Option<&'a Node>) -> bool {
    let leaves_open = |id: NodeId| node(id).is_some_and(|node| node.kind.is_anything());
    !array.forbids_additional && array.additional.is_none() && array.unevaluated.is_none_or(leaves_open)
}

/// The schema that binds items without a schema of their own.
fn covering<'a>(array: &Array, node: impl Fn(NodeId) -> Option<&'a Node>) -> Option<NodeId> {
    let says_something =
        |id: &NodeId| node(*id).is_some_and(|node| !node.kind.is_anything() && node.kind != Kind::False);
    let left_over = array
        .unevaluated
        .filter(|id| !array.forbids_additional && says_something(id));
    array.additional.or(left_over)
}

fn removed<'a>(checker: &mut Checker<'a>, found: &mut Found, old: NodeId, update: &'a Array) -> Result<(), String> {
    if is_open(update, |id| checker.update(id)) {
        found.add(K::ItemRemovedFromOpenContentModel);
        return Ok(());
    }
    let Some(covering) = covering(update, |id| checker.update(id)) else {
        let is_false = checker.original(old).is_some_and(|node| node.kind == Kind::False);
        found.add(match is_false {
            true => K::ItemWithFalseRemovedFromClosedContentModel,
            false => K::ItemRemovedFromClosedContentModel,
        });
        return Ok(());
    };
    let is_covered = compare_aside(checker, found, old, covering)?;
    found.add(match is_covered {
        true => K::ItemRemovedIsCoveredByPartiallyOpenContentModel,
        false => K::ItemRemovedNotCoveredByPartiallyOpenContentModel,
    });
    Ok(())
}

fn added<'a>(checker: &mut Checker<'a>, found: &mut Found, new: NodeId, original: &'a Array) -> Result<(), String> {
    if is_open(original, |id| checker.original(id)) {
        let is_anything = checker.update(new).is_some_and(|node| node.kind.is_anything());
        found.add(match is_anything {
            true => K::ItemWithEmptySchemaAddedToOpenContentModel,
            false => K::ItemAddedToOpenContentModel,
        });
        return Ok(());
    }
    let Some(covering) = covering(original, |id| checker.original(id)) else {
        found.add(K::ItemAddedToClosedContentModel);
        return Ok(());
    };
    let is_covered = compare_aside(checker, found, covering, new)?;
    found.add(match is_covered {
        true => K::ItemAddedIsCoveredByPartiallyOpenContentModel,
        false => K::ItemAddedNotCoveredByPartiallyOpenContentModel,
    });
    Ok(())
}

fn additional<'a>(
    checker: &mut Checker<'a>,
    found: &mut Found,
    original: &'a Array,
    update: &'a Array,
) -> Result<(), String> {
    found.enter("additionalItems");
    match (original.forbids_additional, update.forbids_additional) {
        (true, false) => found.add(K::AdditionalItemsAdded),
        (false, true) => found.add(K::AdditionalItemsRemoved),
        _ => match (original.additional, update.additional) {
            (None, Some(_)) => found.add(K::AdditionalItemsNarrowed),
            (Some(_), None) => found.add(K::AdditionalItemsExtended),
            (original, update) => checker.compare(found, original, update)?,
        },
    }
    found.leave();
    Ok(())
}
