use weir_sdk::offsets::parse;

use super::*;

/// Noon on the Pacific coast, 2026-11-22.
const NOON_MS: i64 = 1_795_377_600_000;

fn confirm(budget: &mut DailyBudget, offset: &str) {
    budget.confirm(&parse(offset).expect("an object"));
}

#[test]
fn blocks_are_written_down_before_they_are_used() {
    let mut budget = DailyBudget::new(60, 60, None, NOON_MS);
    assert_eq!(budget.permit(NOON_MS), Permit::Reserve);
    let first = budget.reserve();
    assert_eq!(first, r#"{"day":"2026-11-22","used":3}"#);
    for _ in 0..3 {
        assert_eq!(budget.permit(NOON_MS), Permit::Granted, "the first block need not wait");
        budget.spend(1);
    }
    assert_eq!(budget.permit(NOON_MS), Permit::Reserve);
    let second = budget.reserve();
    assert_eq!(budget.permit(NOON_MS), Permit::Wait);
    confirm(&mut budget, &first);
    assert_eq!(budget.permit(NOON_MS), Permit::Wait);
    confirm(&mut budget, &second);
    assert_eq!(budget.permit(NOON_MS), Permit::Granted);
}

#[test]
fn a_restart_takes_the_block_for_used_and_waits_for_the_next_one() {
    let durable = parse(r#"{"day":"2026-11-22","used":3}"#).expect("an object");
    let mut budget = DailyBudget::new(60, 60, Some(&durable), NOON_MS);
    assert_eq!(budget.state(), ("2026-11-22", 3, 60));
    assert_eq!(budget.permit(NOON_MS), Permit::Reserve);
    assert_eq!(budget.reserve(), r#"{"day":"2026-11-22","used":6}"#);
    assert_eq!(budget.permit(NOON_MS), Permit::Wait);
}

#[test]
fn the_limit_is_hard_until_the_next_day_on_the_pacific_coast() {
    let durable = parse(r#"{"day":"2026-11-22","used":60}"#).expect("an object");
    let mut budget = DailyBudget::new(60, 60, Some(&durable), NOON_MS);
    let midnight = NOON_MS + DAY_MS / 2;
    assert_eq!(budget.permit(NOON_MS), Permit::Paused(midnight));
    assert_eq!(
        budget.paused_offset(midnight),
        r#"{"day":"2026-11-22","used":60,"reason":"PAUSED-BY-BUDGET","until":"2026-11-23T08:00:00Z"}"#
    );
    assert_eq!(budget.permit(midnight - 1), Permit::Paused(midnight));
    assert_eq!(budget.permit(midnight), Permit::Reserve);
    assert_eq!(
        budget.permit(NOON_MS),
        Permit::Reserve,
        "a clock set back does not bring the old day back"
    );
    assert_eq!(
        DailyBudget::new(60, 60, Some(&durable), NOON_MS - 3 * DAY_MS).state().1,
        60,
        "nor its budget"
    );
    assert_eq!(
        DailyBudget::new(0, 0, None, NOON_MS).permit(NOON_MS),
        Permit::Paused(midnight)
    );
}

#[test]
fn shares_never_exceed_the_limit() {
    for (limit, used, tasks, expected) in [
        (10, vec![], 3, vec![4, 3, 3]),
        (10, vec![0, 0], 2, vec![5, 5]),
        (1000, vec![600], 2, vec![600, 400]),
        (1000, vec![1000], 2, vec![1000, 0]),
        (1000, vec![600, 200, 100], 3, vec![600, 200, 200]),
        (1000, vec![300, 300, 300], 1, vec![400]),
        (1000, vec![500, 500, 500], 2, vec![500, 0]),
        (1, vec![], 4, vec![1, 0, 0, 0]),
        (0, vec![], 1, vec![0]),
    ] {
        let shares: Vec<u64> = (0..tasks).map(|task| share(limit, &used, tasks, task)).collect();
        let gone: u64 = used.iter().skip(tasks).sum();
        if used.iter().sum::<u64>() <= limit {
            assert_eq!(shares, expected, "{limit} {used:?}");
            assert!(shares.iter().sum::<u64>() + gone <= limit);
        }
        // A task that starts again later gets the same share.
        let later: Vec<u64> = shares.iter().copied().chain(used.iter().copied().skip(tasks)).collect();
        for (task, before) in shares.iter().enumerate() {
            assert!(share(limit, &later, tasks, task) <= *before, "{limit} {used:?}");
        }
    }
}
