//! Differences between strings and between numbers
//!
//! Bounds that come, go or move, patterns, and what a number is a multiple of.

use crate::json::compatibility::Found;
use crate::json::difference::DifferenceKind as K;
use crate::json::model::{Number, Text};
use crate::json::tree::Decimal;

/// Kinds of a bound that is added, removed, raised or lowered.
pub(super) type BoundKinds = [K; 4];

pub(super) fn bound(found: &mut Found, keyword: &str, original: Option<f64>, update: Option<f64>, kinds: BoundKinds) {
    let [added, removed, raised, lowered] = kinds;
    let kind = match (original, update) {
        (None, Some(_)) => added,
        (Some(_), None) => removed,
        (Some(original), Some(update)) if original < update => raised,
        (Some(original), Some(update)) if original > update => lowered,
        _ => return,
    };
    found.add_at(keyword, kind);
}

pub(super) fn texts(found: &mut Found, original: &Text, update: &Text) {
    let most = [
        K::MaxLengthAdded,
        K::MaxLengthRemoved,
        K::MaxLengthIncreased,
        K::MaxLengthDecreased,
    ];
    bound(found, "maxLength", original.max_length, update.max_length, most);
    let least = [
        K::MinLengthAdded,
        K::MinLengthRemoved,
        K::MinLengthIncreased,
        K::MinLengthDecreased,
    ];
    bound(found, "minLength", original.min_length, update.min_length, least);
    match (&original.pattern, &update.pattern) {
        (None, Some(_)) => found.add_at("pattern", K::PatternAdded),
        (Some(_), None) => found.add_at("pattern", K::PatternRemoved),
        (original, update) if original != update => found.add_at("pattern", K::PatternChanged),
        _ => {}
    }
}

pub(super) fn numbers(found: &mut Found, original: &Number, update: &Number) {
    let most = [
        K::MaximumAdded,
        K::MaximumRemoved,
        K::MaximumIncreased,
        K::MaximumDecreased,
    ];
    bound(found, "maximum", original.maximum, update.maximum, most);
    let least = [
        K::MinimumAdded,
        K::MinimumRemoved,
        K::MinimumIncreased,
        K::MinimumDecreased,
    ];
    bound(found, "minimum", original.minimum, update.minimum, least);
    let below = [
        K::ExclusiveMaximumAdded,
        K::ExclusiveMaximumRemoved,
        K::ExclusiveMaximumIncreased,
        K::ExclusiveMaximumDecreased,
    ];
    bound(
        found,
        "exclusiveMaximum",
        original.exclusive_maximum,
        update.exclusive_maximum,
        below,
    );
    let above = [
        K::ExclusiveMinimumAdded,
        K::ExclusiveMinimumRemoved,
        K::ExclusiveMinimumIncreased,
        K::ExclusiveMinimumDecreased,
    ];
    bound(
        found,
        "exclusiveMinimum",
        original.exclusive_minimum,
        update.exclusive_minimum,
        above,
    );
    let multiple = match (&original.multiple_of, &update.multiple_of) {
        (None, None) => None,
        (None, Some(_)) => Some(K::MultipleOfAdded),
        (Some(_), None) => Some(K::MultipleOfRemoved),
        (Some(original), Some(update)) => multiples(original, update),
    };
    if let Some(kind) = multiple {
        found.add_at("multipleOf", kind);
    }
    match (original.is_integer, update.is_integer) {
        (true, false) => found.add(K::TypeExtended),
        (false, true) => found.add(K::TypeNarrowed),
        _ => {}
    }
}

fn multiples(original: &str, update: &str) -> Option<K> {
    let whole = || {
        let (original, update) = (Decimal::parse(original)?, Decimal::parse(update)?);
        let scale = original.scale.max(update.scale);
        Some((scaled(&original, scale)?, scaled(&update, scale)?))
    };
    let Some((original, update)) = whole() else {
        return (original != update).then_some(K::MultipleOfChanged);
    };
    if original == update {
        None
    } else if original != 0 && update % original == 0 {
        Some(K::MultipleOfExpanded)
    } else if update != 0 && original % update == 0 {
        Some(K::MultipleOfReduced)
    } else {
        Some(K::MultipleOfChanged)
    }
}

/// A decimal as a whole number of units of the scale.
fn scaled(number: &Decimal, scale: i64) -> Option<i128> {
    let digits: i128 = number.digits.parse().ok()?;
    let zeros = u32::try_from(scale.checked_sub(number.scale)?).ok()?;
    let value = digits.checked_mul(10_i128.checked_pow(zeros)?)?;
    Some(if number.is_negative { -value } else { value })
}
