//! Round robin over the members: the assignment of protocol version 0
//!
//! Pure. Members in order of their ids; all connectors first, then all tasks, in one continuous cycle, because an even number of
//! members would otherwise give all connectors of one task each to the one half, and all tasks to the other. Source: `EagerAssignor`.

use std::collections::BTreeMap;

use crate::group::work::Work;

/// Shares `configured` out to `members`; each member has an entry.
pub fn assign<'a>(members: impl Iterator<Item = &'a str>, configured: &Work) -> BTreeMap<String, Work> {
    let mut members: Vec<&str> = members.collect();
    members.sort_unstable();
    members.dedup();
    let mut shares: Vec<Work> = vec![Work::default(); members.len()];
    let mut turn: usize = 0;
    let mut next = || {
        let member = turn;
        turn = (turn + 1).checked_rem(members.len()).unwrap_or(0);
        member
    };
    for connector in &configured.connectors {
        if let Some(share) = shares.get_mut(next()) {
            share.connectors.insert(connector.clone());
        }
    }
    for task in &configured.tasks {
        if let Some(share) = shares.get_mut(next()) {
            share.tasks.insert(task.clone());
        }
    }
    members.into_iter().map(str::to_owned).zip(shares).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::work::tests::work;

    #[test]
    fn the_cycle_goes_on_from_connectors_to_tasks() {
        let configured = work("a b c", "a-0 a-1 b-0 c-0");
        let shares = assign(["m2", "m1"].into_iter(), &configured);
        assert_eq!(shares["m1"], work("a c", "a-1 c-0"));
        assert_eq!(shares["m2"], work("b", "a-0 b-0"));
    }

    #[test]
    fn every_member_has_an_entry_even_without_work() {
        let shares = assign(["m1", "m2"].into_iter(), &work("a", ""));
        assert_eq!((shares.len(), shares["m2"].is_empty()), (2, true));
        assert!(assign(std::iter::empty(), &work("a", "a-0")).is_empty());
    }
}
