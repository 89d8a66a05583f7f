//! Restart plans: what a restart request touches, and how states look meanwhile.
//!
//! Pure. KIP-745.

use crate::info::ConnectorStateInfo;
use crate::request::RestartScope;

/// What a restart request will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartPlan {
    /// The connector instance is restarted.
    pub connector: bool,
    /// These tasks are restarted, ascending.
    pub tasks: Vec<u32>,
    /// All states, with `RESTARTING` where it applies; traces are kept.
    pub shown: ConnectorStateInfo,
}

/// Makes the plan for `scope` from the states as they are now.
pub fn plan(now: &ConnectorStateInfo, scope: RestartScope) -> RestartPlan {
    let hit = |state: &str| !scope.only_failed || state == "FAILED";
    let mut shown = now.clone();
    let connector = hit(&now.connector.state);
    if connector {
        shown.connector.state = "RESTARTING".to_owned();
    }
    let mut tasks = Vec::new();
    for (id, state) in &mut shown.tasks {
        if scope.include_tasks && hit(&state.state) {
            tasks.push(*id);
            state.state = "RESTARTING".to_owned();
        }
    }
    RestartPlan {
        connector,
        tasks,
        shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info::{ConnectorType, StateInfo};

    fn state(name: &str) -> StateInfo {
        StateInfo {
            state: name.to_owned(),
            worker_id: "w:1".to_owned(),
            version: None,
            trace: None,
        }
    }

    fn check(connector: &str, tasks: &[&str], include_tasks: bool, only_failed: bool, expected: (bool, &[u32])) {
        let tasks = tasks.iter().enumerate().map(|(i, s)| (i as u32, state(s))).collect();
        let now = ConnectorStateInfo {
            name: "c".to_owned(),
            connector: state(connector),
            tasks,
            kind: ConnectorType::Sink,
            figures: Vec::new(),
        };
        let plan = plan(
            &now,
            RestartScope {
                include_tasks,
                only_failed,
            },
        );
        assert_eq!((plan.connector, plan.tasks.as_slice()), expected);
        assert_eq!(plan.shown.connector.state == "RESTARTING", expected.0);
        for (id, state) in &plan.shown.tasks {
            assert_eq!(state.state == "RESTARTING", expected.1.contains(id), "task {id}");
        }
    }

    #[test]
    fn a_plan_holds_what_the_scope_names() {
        check("RUNNING", &["RUNNING", "FAILED"], true, false, (true, &[0, 1]));
        check("RUNNING", &["RUNNING", "FAILED"], true, true, (false, &[1]));
        check("FAILED", &["RUNNING", "FAILED"], false, true, (true, &[]));
        check("RUNNING", &["RUNNING"], false, true, (false, &[]));
        check("RUNNING", &["RUNNING"], false, false, (true, &[]));
    }
}
