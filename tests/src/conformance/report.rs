//! Replays areas and says what differs: a table, and the list of known divergences.
//!
//! `tests/conformance/divergences.json` names scenario steps with a reason; a step on it that agrees after all is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;

use crate::conformance::cluster::Cluster;
use crate::conformance::compare::differences;
use crate::conformance::recorded::{Exchange, Recorded};
use crate::conformance::rules::Rules;
use crate::conformance::run::{Outcome, run};
use crate::conformance::scenario::{Action, Area, Scenario, Step};

/// A step whose answer is another on purpose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divergence {
    /// The area's name.
    pub area: String,
    /// The scenario's name.
    pub scenario: String,
    /// Which of its requests, from 1.
    pub step: usize,
    /// As in docs/divergences.md.
    pub reason: String,
}

/// Reads the list.
pub fn read_divergences(folder: &Path) -> anyhow::Result<Vec<Divergence>> {
    let path = folder.join("divergences.json");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// What differed, and what was counted.
#[derive(Debug, Default)]
pub struct Report {
    /// Area, then scenarios passed and failed.
    pub counts: BTreeMap<String, (usize, usize)>,
    /// `area / scenario`, step from 1, and the differences.
    pub differing: Vec<(String, String, usize, Vec<String>)>,
    /// Of the divergences, those that were not seen.
    pub stale: Vec<String>,
}

impl Report {
    /// A table with a line for each area.
    pub fn table(&self) -> String {
        let mut text = format!("{:<28}{:>8}{:>8}\n", "area", "passed", "failed");
        let (mut passed, mut failed) = (0, 0);
        for (area, (good, bad)) in &self.counts {
            text.push_str(&format!("{area:<28}{good:>8}{bad:>8}\n"));
            passed += good;
            failed += bad;
        }
        text + &format!("{:<28}{passed:>8}{failed:>8}\n", "all")
    }

    /// Every difference, by area and scenario.
    pub fn details(&self) -> String {
        let mut text = String::new();
        for (area, scenario, step, differences) in &self.differing {
            text.push_str(&format!("{area} / {scenario}, request {step}\n"));
            for difference in differences {
                text.push_str(&format!("    {difference}\n"));
            }
        }
        for stale in &self.stale {
            text.push_str(&format!("{stale}: listed as a divergence, and agrees\n"));
        }
        text
    }

    /// Whether all is as recorded.
    pub fn is_clean(&self) -> bool {
        self.differing.is_empty() && self.stale.is_empty()
    }
}

/// Replays all areas that run on one kind of cluster.
pub fn replay(
    cluster: &Cluster,
    area: &Area,
    recorded: &Recorded,
    rules: &Rules,
    known: &[Divergence],
    patience: Duration,
    report: &mut Report,
) {
    for scenario in &area.scenarios {
        let none = Vec::new();
        let expected = recorded
            .iter()
            .find(|(name, _)| *name == scenario.name)
            .map_or(&none, |(_, all)| all);
        let outcome = run(cluster, scenario, patience);
        let mut found = judge(scenario, expected, &outcome, rules);
        let listed: BTreeSet<usize> = known
            .iter()
            .filter(|known| known.area == area.name && known.scenario == scenario.name)
            .map(|known| known.step)
            .collect();
        for step in &listed {
            if found.remove(step).is_none() {
                report
                    .stale
                    .push(format!("{} / {}, request {step}", area.name, scenario.name));
            }
        }
        let count = report.counts.entry(area.name.clone()).or_default();
        if found.is_empty() {
            count.0 += 1;
        } else {
            count.1 += 1;
        }
        for (step, differences) in found {
            report
                .differing
                .push((area.name.clone(), scenario.name.clone(), step, differences));
        }
    }
}

/// The differences of each request, numbered from 1.
pub fn judge(
    scenario: &Scenario,
    expected: &[Exchange],
    outcome: &Outcome,
    rules: &Rules,
) -> BTreeMap<usize, Vec<String>> {
    let requests: Vec<&Step> = scenario
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Request(_)))
        .collect();
    let mut found = BTreeMap::new();
    for (index, step) in requests.iter().enumerate() {
        let differences = match (expected.get(index), outcome.exchanges.get(index)) {
            (Some(old), Some(new)) => differences(old, new, step, rules),
            (None, _) => vec!["not recorded".to_owned()],
            (Some(_), None) => continue,
        };
        if !differences.is_empty() {
            found.insert(index + 1, differences);
        }
    }
    if let Some(reason) = &outcome.stopped {
        let at = outcome.exchanges.len().max(1);
        found.entry(at).or_default().push(reason.clone());
    }
    found
}
