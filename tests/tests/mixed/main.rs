//! Java and Weir workers in one group over Apache Kafka: joins, leaves, kills, either leading, in-place migration.
//!
//! All workers of a group have one file but for their port. The group's records in the internal topics, its requests between workers
//! and its protocol are what both kinds have to agree about.

mod exchange;
mod group;
mod migration;

use serde_json::json;

use crate::exchange::leader_and_follower_serve_each_other;
use crate::group::{Group, Lines, Placement, Worker, asked, await_work, create};

const WORK: [(&str, usize); 3] = [("in", 1), ("out", 1), ("many", 3)];

fn parts_of<'a>(placement: &'a Placement, worker: &Worker) -> Vec<&'a str> {
    let here = placement.iter().filter(|(_, owner)| *owner == worker.id());
    here.map(|(part, _)| part.as_str()).collect()
}

fn session_keys(group: &Group) -> usize {
    let records = group.config_records();
    records.iter().filter(|(key, _)| key == "session-key").count()
}

#[test]
fn either_joins_leads_and_is_killed() {
    let group = Group::new("killed", "");
    let java = group.java("java-1");
    let mut lines = Lines::start(&group, &java, &json!({}));
    create(&java, "many", &group.sink(3));
    await_work(&WORK, &[&java]);
    lines.flow();

    let weir = group.weir("weir-1");
    let placed = await_work(&WORK, &[&java, &weir]);
    let tasks = parts_of(&placed, &weir)
        .iter()
        .filter(|part| part.contains('-'))
        .count();
    assert!(tasks >= 2, "tasks whose configs Java wrote: {placed:?}");
    java.await_leader();
    lines.flow();
    lines.have_come_out_once();
    leader_and_follower_serve_each_other(&group, &java, &weir, &mut lines);
    lines.have_come_out_once();
    assert_eq!(session_keys(&group), 1, "Java's, which both sign with");

    java.kill();
    await_work(&WORK, &[&weir]);
    weir.await_leader();
    lines.flow();
    create(&weir, "fresh", &group.sink(4));
    let work = [WORK.as_slice(), &[("fresh", 4)]].concat();
    await_work(&work, &[&weir]);

    let java = group.java("java-2");
    let placed = await_work(&work, &[&weir, &java]);
    assert!(
        parts_of(&placed, &java).iter().any(|part| part.starts_with("fresh-")),
        "tasks whose configs Weir wrote: {placed:?}"
    );
    weir.await_leader();
    lines.flow();

    weir.kill();
    await_work(&work, &[&java]);
    java.await_leader();
    lines.flow();
    asked(&java, "DELETE", "/connectors/fresh", None, 204);
    await_work(&WORK, &[&java]);
}

#[test]
fn weir_leads_and_either_leaves_in_order() {
    let group = Group::new("ordered", "");
    let weir = group.weir("weir-1");
    let mut lines = Lines::start(&group, &weir, &json!({}));
    create(&weir, "many", &group.sink(3));
    await_work(&WORK, &[&weir]);
    lines.flow();

    let java = group.java("java-1");
    await_work(&WORK, &[&weir, &java]);
    weir.await_leader();
    lines.flow();
    leader_and_follower_serve_each_other(&group, &weir, &java, &mut lines);
    assert_eq!(session_keys(&group), 1, "Weir's, which both sign with");

    weir.stop();
    await_work(&WORK, &[&java]);
    java.await_leader();
    lines.flow();
    let weir = group.weir("weir-2");
    await_work(&WORK, &[&java, &weir]);
    lines.flow();
    java.stop();
    await_work(&WORK, &[&weir]);
    weir.await_leader();
    lines.flow();
    lines.have_come_out_once();
}

#[test]
fn exactly_once_sources_are_fenced_by_either_leader() {
    let group = Group::new("once", "exactly.once.source.support=enabled\n");
    let names = ["in", "s1", "s2", "s3"];
    let work = [("in", 1), ("out", 1), ("s1", 1), ("s2", 1), ("s3", 1)];
    let weir = group.weir("weir-1");
    let mut lines = Lines::start(&group, &weir, &json!({"exactly.once.support": "required"}));
    for name in &names[1..] {
        let input = group.folder.join(name);
        std::fs::write(&input, "1\n").expect("input");
        let config = json!({"connector.class": weir_tests::side_by_side::SOURCE, "file": input, "topic": format!("once-{name}"),
            "exactly.once.support": "required", "tasks.max": "1"});
        create(&weir, name, &config);
    }
    await_work(&work, &[&weir]);
    lines.flow();
    let java = group.java("java-1");
    await_work(&work, &[&weir, &java]);
    all_are_fenced(&group, &names, &[&weir, &java]);
    lines.flow();

    weir.kill();
    await_work(&work, &[&java]);
    lines.flow();
    let weir = group.weir("weir-2");
    await_work(&work, &[&java, &weir]);
    java.await_leader();
    all_are_fenced(&group, &names, &[&java, &weir]);
    lines.flow();
    java.kill();
    await_work(&work, &[&weir]);
    lines.flow();
    lines.are_committed_once();
}

/// Gives each source a new task set: the worker that starts its task asks the leader for a round of fencing first.
fn all_are_fenced(group: &Group, names: &[&str], workers: &[&Worker]) {
    let rounds = |name: &str| {
        let key = format!("tasks-fencing-{name}");
        let records = group.config_records();
        records.iter().filter(|(found, _)| *found == key).count()
    };
    for (index, name) in names.iter().enumerate() {
        let (path, before) = (format!("/connectors/{name}/config"), rounds(name));
        let worker = workers[index % workers.len()];
        let mut config = asked(worker, "GET", &path, None, 200).json();
        config["note"] = json!(format!("{before}"));
        asked(worker, "PUT", &path, Some(&config), 200);
        let fenced = || rounds(name) > before;
        weir_tests::process::await_true("a round is noted", weir_tests::process::PATIENCE, fenced).expect(name);
        worker.rest.await_state(name, "RUNNING", 1).expect(name);
    }
}

#[test]
fn a_group_moves_from_eager_to_sessioned_and_to_compatible_worker_by_worker() {
    let group = Group::new("spoken", "");
    let speaking = |protocol: &str| format!("connect.protocol={protocol}\n");
    let change = |one: &Worker, other: &Worker| {
        await_work(&WORK, &[one, other]);
        for (worker, tasks) in [(one, 4), (other, 3)] {
            asked(worker, "PUT", "/connectors/many/config", Some(&group.sink(tasks)), 200);
            await_work(&[("in", 1), ("out", 1), ("many", tasks)], &[one, other]);
        }
    };
    let weir = group.weir_with("weir-eager", &speaking("eager"));
    let mut lines = Lines::start(&group, &weir, &json!({}));
    create(&weir, "many", &group.sink(3));
    await_work(&WORK, &[&weir]);
    let java = group.java_with("java-eager", &speaking("eager"));
    change(&weir, &java);
    weir.await_leader();
    lines.flow();
    weir.stop();
    await_work(&WORK, &[&java]);
    let weir = group.weir("weir");
    change(&java, &weir);
    java.await_leader();
    lines.flow();
    assert_eq!(session_keys(&group), 0, "nobody signs in an eager group");

    java.stop();
    await_work(&WORK, &[&weir]);
    let java = group.java("java");
    change(&weir, &java);
    lines.flow();
    assert_eq!(session_keys(&group), 1);

    weir.stop();
    await_work(&WORK, &[&java]);
    let weir = group.weir_with("weir-compatible", &speaking("compatible"));
    change(&java, &weir);
    lines.flow();
    lines.have_come_out_once();
}
