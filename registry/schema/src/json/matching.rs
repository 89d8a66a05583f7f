//! Pairs of compatible branches, as many as can be made
//!
//! A maximum matching: each branch is in one pair at most.

/// Finds a maximum matching; `edges` lists for each left branch the right ones that fit. Returns pairs of indices.
///
/// *Errors*: `spend` refuses another step.
pub(super) fn maximum<E>(
    edges: &[Vec<usize>],
    right: usize,
    mut spend: impl FnMut(usize) -> Result<(), E>,
) -> Result<Vec<(usize, usize)>, E> {
    let mut partner: Vec<Option<usize>> = vec![None; right];
    for left in 0..edges.len() {
        augment(edges, left, &mut partner, &mut spend)?;
    }
    let pairs = partner
        .iter()
        .enumerate()
        .filter_map(|(right, left)| left.map(|left| (left, right)));
    Ok(pairs.collect())
}

/// Looks for a free right branch along a path of exchanged partners, breadth first, and exchanges them.
fn augment<E>(
    edges: &[Vec<usize>],
    start: usize,
    partner: &mut [Option<usize>],
    spend: &mut impl FnMut(usize) -> Result<(), E>,
) -> Result<(), E> {
    let mut reached_from: Vec<Option<usize>> = vec![None; partner.len()];
    let mut waiting = std::collections::VecDeque::from([start]);
    let mut came_by: Vec<Option<usize>> = vec![None; edges.len()];
    while let Some(left) = waiting.pop_front() {
        let neighbours = edges.get(left).map(Vec::as_slice).unwrap_or_default();
        spend(neighbours.len())?;
        for right in neighbours {
            let Some(seen) = reached_from.get_mut(*right).filter(|seen| seen.is_none()) else {
                continue;
            };
            *seen = Some(left);
            match partner.get(*right).copied().flatten() {
                Some(other) => {
                    if let Some(way) = came_by.get_mut(other) {
                        *way = Some(*right);
                    }
                    waiting.push_back(other);
                }
                None => {
                    exchange(*right, &reached_from, &came_by, partner);
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn exchange(end: usize, reached_from: &[Option<usize>], came_by: &[Option<usize>], partner: &mut [Option<usize>]) {
    let mut right = Some(end);
    while let Some(at) = right {
        let left = reached_from.get(at).copied().flatten();
        if let Some(slot) = partner.get_mut(at) {
            *slot = left;
        }
        right = left.and_then(|left| came_by.get(left).copied().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::maximum;

    fn size(edges: &[Vec<usize>], right: usize) -> usize {
        maximum(edges, right, |_| Ok::<(), ()>(())).unwrap().len()
    }

    #[test]
    fn partners_are_exchanged_where_that_makes_more_pairs() {
        assert_eq!(size(&[vec![0, 1], vec![0]], 2), 2);
        assert_eq!(size(&[vec![0], vec![0]], 2), 1);
        assert_eq!(size(&[vec![1, 2], vec![0, 1], vec![1], vec![2, 3]], 4), 4);
        assert_eq!(size(&[], 3), 0);
    }
}
