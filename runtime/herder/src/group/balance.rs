//! Even shares: who gets the next piece of work, and who has too many
//!
//! Pure, and the same for connectors and tasks. Members are taken in order of their ids wherever their loads are equal.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Gives each piece to the member that has the fewest; among equals, to the one that had fewer before, then by id.
pub(super) fn fill<'a, T: Ord + Clone + 'a>(mut shares: Vec<&mut BTreeSet<T>>, work: impl Iterator<Item = &'a T>) {
    // A stable sort: members come in order of their ids.
    shares.sort_by_key(|share| share.len());
    let loads = shares.iter().enumerate();
    let mut least: BinaryHeap<Reverse<(usize, usize)>> =
        loads.map(|(member, share)| Reverse((share.len(), member))).collect();
    for piece in work {
        let Some(mut top) = least.peek_mut() else { return };
        let Reverse((load, member)) = *top;
        if let Some(share) = shares.get_mut(member) {
            share.insert(piece.clone());
        }
        *top = Reverse((load + 1, member));
    }
}

/// What members have beyond an even share of `total` pieces; empty when the shares are as even as they can be.
///
/// The first of a share are the first to go. As many members as there are pieces left over may keep one more than the others.
pub(super) fn surplus<T: Ord + Clone>(shares: &BTreeMap<&str, Vec<&T>>, total: usize) -> BTreeMap<String, BTreeSet<T>> {
    let mut revoked = BTreeMap::new();
    let (Some(floor), Some(extras)) = (total.checked_div(shares.len()), total.checked_rem(shares.len())) else {
        return revoked;
    };
    let having = |load: usize| shares.values().filter(|share| share.len() == load).count();
    let (with_floor, with_extra) = (having(floor), having(floor + 1));
    if with_extra == extras && with_floor + with_extra == shares.len() {
        return revoked;
    }
    let mut extras_left = extras;
    for (member, share) in shares {
        if share.len() <= floor {
            continue;
        }
        let mut keeps = floor;
        if extras_left > 0 {
            extras_left -= 1;
            keeps += 1;
        }
        if share.len() > keeps {
            let over = share.iter().take(share.len() - keeps).copied().cloned().collect();
            revoked.insert((*member).to_owned(), over);
        }
    }
    revoked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pieces: std::ops::Range<u32>) -> BTreeSet<u32> {
        pieces.collect()
    }

    fn all(share: &BTreeSet<u32>) -> Vec<&u32> {
        share.iter().collect()
    }

    #[test]
    fn the_least_loaded_are_filled_first_and_in_turn() {
        let (mut a, mut b, mut c) = (set(0..3), set(10..11), set(20..21));
        fill(vec![&mut a, &mut b, &mut c], set(30..35).iter());
        assert_eq!(a, set(0..3));
        assert_eq!(b, BTreeSet::from([10, 30, 32, 34]));
        assert_eq!(c, BTreeSet::from([20, 31, 33]));
        fill(Vec::new(), set(0..3).iter());
    }

    #[test]
    fn as_many_as_are_left_over_keep_one_more() {
        let (a, b, c) = (set(0..5), set(10..14), set(0..0));
        let shares = BTreeMap::from([("a", all(&a)), ("b", all(&b)), ("c", all(&c))]);
        let over = surplus(&shares, 10);
        assert_eq!(
            over,
            BTreeMap::from([("a".to_owned(), set(0..1)), ("b".to_owned(), set(10..11))])
        );
    }

    #[test]
    fn even_shares_stay() {
        let (a, b) = (set(0..3), set(3..5));
        assert!(surplus(&BTreeMap::from([("a", all(&a)), ("b", all(&b))]), 5).is_empty());
        assert!(surplus::<u32>(&BTreeMap::new(), 5).is_empty());
    }
}
