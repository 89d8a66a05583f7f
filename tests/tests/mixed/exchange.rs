//! Everything that a leader and a follower ask of each other, whichever of them is Java's.

use serde_json::{Value, json};
use weir_tests::process::{PATIENCE, await_true};

use crate::group::{Group, Lines, Worker, ask, asked, await_work};

/// Runs it all over `in`, `out` and `many` (three tasks), and leaves the group as it was.
pub fn leader_and_follower_serve_each_other(group: &Group, leader: &Worker, follower: &Worker, lines: &mut Lines) {
    connectors_come_and_go(group, leader, follower);
    task_sets_are_handed_over(group, leader, follower);
    restarts_reach_both(group, leader, follower);
    target_states_reach_both(leader, follower);
    lines.flow();
    offsets_are_one_for_both(leader, follower, lines);
}

const WORK: [(&str, usize); 3] = [("in", 1), ("out", 1), ("many", 3)];

fn connectors_come_and_go(group: &Group, leader: &Worker, follower: &Worker) {
    for (worker, name) in [(leader, "extra.1"), (follower, "extra ü")] {
        let body = json!({"name": name, "config": group.sink(2)});
        let created = asked(worker, "POST", "/connectors", Some(&body), 201);
        assert_eq!(created.json()["config"]["tasks.max"], "2", "{}", created.text);
    }
    let names = |worker: &Worker| {
        let answer = ask(worker, "GET", "/connectors", None);
        let mut names: Vec<String> = serde_json::from_value(answer.json()).expect("names");
        names.sort();
        names
    };
    for worker in [leader, follower] {
        let all = ["extra ü", "extra.1", "in", "many", "out"].map(str::to_owned);
        let mut expected = all.to_vec();
        expected.sort();
        await_true("both know all", PATIENCE, || names(worker) == expected)
            .unwrap_or_else(|error| panic!("{}: {error}", worker.id()));
    }
    for name in ["extra.1", "extra%20%C3%BC"] {
        await_true("it runs", PATIENCE, || {
            let status = follower.rest.status(name);
            status["tasks"].as_array().is_some_and(|tasks| tasks.len() == 2)
        })
        .expect(name);
    }
    asked(follower, "DELETE", "/connectors/extra.1", None, 204);
    asked(leader, "DELETE", "/connectors/extra%20%C3%BC", None, 204);
    await_work(&WORK, &[leader, follower]);
}

/// The one that a connector runs on makes its tasks and posts them to the leader, signed where the group signs.
fn task_sets_are_handed_over(group: &Group, leader: &Worker, follower: &Worker) {
    let placed = await_work(&WORK, &[leader, follower]);
    for worker in [leader, follower] {
        let owns = |(name, _): &&(&str, usize)| placed[*name] == worker.id();
        let (name, tasks) = *WORK.iter().find(owns).expect("each has a connector");
        let other = if worker.id() == leader.id() { follower } else { leader };
        let path = format!("/connectors/{name}/config");
        let mut config = asked(other, "GET", &path, None, 200).json();
        let note = format!("made by {}", worker.id());
        config["note"] = json!(note);
        asked(other, "PUT", &path, Some(&config), 200);
        let mut last = Value::Null;
        let seen = await_true("its tasks have the note", PATIENCE, || {
            last = ask(other, "GET", &format!("/connectors/{name}/tasks"), None).json();
            let has_note = |task: &Value| task["config"]["note"] == note.as_str();
            last.as_array()
                .is_some_and(|shown| shown.len() == tasks && shown.iter().all(has_note))
        });
        seen.unwrap_or_else(|error| panic!("{name}: {error}: {last}"));
        let class = last[0]["config"]["task.class"].as_str().unwrap_or_default();
        assert!(class.starts_with("org.apache.kafka.connect.file.FileStream"), "{last}");
    }
    for (worker, tasks) in [(follower, 5), (leader, 1), (follower, 3)] {
        asked(worker, "PUT", "/connectors/many/config", Some(&group.sink(tasks)), 200);
        await_work(&[("in", 1), ("out", 1), ("many", tasks)], &[leader, follower]);
    }
}

fn restarts_reach_both(group: &Group, leader: &Worker, follower: &Worker) {
    let placed = await_work(&WORK, &[leader, follower]);
    let restarted = |key: &str| {
        let written = group.statuses(key).into_iter();
        written.filter(|status| status["state"] == "RESTARTING").count()
    };
    let keys: Vec<String> = (0..3).map(|task| format!("status-task-many-{task}")).collect();
    for (round, worker) in [leader, follower].into_iter().enumerate() {
        let before: Vec<usize> = keys.iter().map(|key| restarted(key)).collect();
        let answer = asked(worker, "POST", "/connectors/many/restart?includeTasks=true", None, 202);
        assert_eq!(
            answer.json()["connector"]["state"],
            "RESTARTING",
            "{round}: {}",
            answer.text
        );
        for (key, before) in keys.iter().zip(before) {
            await_true("each is restarted where it is", PATIENCE, || {
                restarted(key) == before + 1
            })
            .expect(key);
        }
        assert_eq!(await_work(&WORK, &[leader, follower]), placed);
        // Each goes to the owner, over the leader if need be.
        for (name, tasks) in WORK {
            asked(worker, "POST", &format!("/connectors/{name}/restart"), None, 204);
            for task in 0..tasks {
                asked(
                    worker,
                    "POST",
                    &format!("/connectors/{name}/tasks/{task}/restart"),
                    None,
                    204,
                );
            }
        }
        assert_eq!(await_work(&WORK, &[leader, follower]), placed);
    }
}

fn target_states_reach_both(leader: &Worker, follower: &Worker) {
    for (pausing, resuming) in [(leader, follower), (follower, leader)] {
        asked(pausing, "PUT", "/connectors/many/pause", None, 202);
        resuming.rest.await_state("many", "PAUSED", 3).expect("paused");
        asked(resuming, "PUT", "/connectors/many/resume", None, 202);
        pausing.rest.await_state("many", "RUNNING", 3).expect("running");
        asked(pausing, "PUT", "/connectors/many/stop", None, 204);
        resuming.rest.await_state("many", "STOPPED", 0).expect("stopped");
        asked(resuming, "PUT", "/connectors/many/resume", None, 202);
        pausing.rest.await_state("many", "RUNNING", 3).expect("running again");
    }
    await_work(&WORK, &[leader, follower]);
}

/// Where the offsets of a connector say how far it came.
fn end_of(name: &str) -> &'static str {
    if name == "in" {
        "/offsets/0/offset/position"
    } else {
        "/offsets/0/offset/kafka_offset"
    }
}

fn offsets_are_one_for_both(leader: &Worker, follower: &Worker, lines: &mut Lines) {
    let of = |worker: &Worker, name: &str| ask(worker, "GET", &format!("/connectors/{name}/offsets"), None).text;
    for (one, other) in [(leader, follower), (follower, leader)] {
        for name in ["in", "out"] {
            let path = format!("/connectors/{name}/offsets");
            asked(one, "PUT", &format!("/connectors/{name}/stop"), None, 204);
            other.rest.await_state(name, "STOPPED", 0).expect(name);
            // Its task may tell its last offset after the state is known.
            let end = lines.end(name);
            await_true("the last offset is committed", PATIENCE, || {
                let offsets: Value = serde_json::from_str(&of(one, name)).unwrap_or_default();
                offsets.pointer(end_of(name)).and_then(Value::as_u64) >= Some(end)
            })
            .expect(name);
            let whole = of(one, name);
            assert_eq!(of(other, name), whole, "{name}");
            let whole: Value = serde_json::from_str(&whole).expect("offsets");
            let mut altered = whole.clone();
            for pointer in ["/offsets/0/offset/position", "/offsets/0/offset/kafka_offset"] {
                if let Some(position) = altered.pointer_mut(pointer) {
                    *position = json!(3);
                }
            }
            assert_ne!(altered, whole, "{name}");
            asked(other, "PATCH", &path, Some(&altered), 200);
            let shown = || serde_json::from_str::<Value>(&of(one, name)).ok();
            await_true("the other sees it", PATIENCE, || shown().as_ref() == Some(&altered)).expect(name);
            asked(one, "DELETE", &path, None, 200);
            let shown = || serde_json::from_str::<Value>(&of(other, name)).ok();
            await_true("none are left", PATIENCE, || shown() == Some(json!({"offsets": []}))).expect(name);
            asked(other, "PATCH", &path, Some(&whole), 200);
            asked(one, "PUT", &format!("/connectors/{name}/resume"), None, 202);
            other.rest.await_state(name, "RUNNING", 1).expect(name);
        }
        lines.flow();
    }
    await_work(&WORK, &[leader, follower]);
}
