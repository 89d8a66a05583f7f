//! A group moved in place from Java to Weir and back while a file grows, and the partitions that each chooses for the same keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use weir_tests::kafka::{end_offset, read_all, read_partitions};
use weir_tests::process::{PATIENCE, await_true};
use weir_tests::side_by_side::{JSON, SOURCE, STRING};

use crate::group::{Group, Worker, asked, await_work, create, kafka};

/// Lines that are written in each of the three phases.
const LINES: usize = 40_000;
const STATES: [(&str, &str); 2] = [("held", "PAUSED"), ("off", "STOPPED")];

/// A file that a source reads into a topic.
struct Source {
    name: &'static str,
    input: PathBuf,
    written: usize,
}

impl Source {
    fn new(group: &Group, worker: &Worker, name: &'static str) -> Self {
        let input = group.folder.join(name);
        std::fs::write(&input, "").expect("input");
        let config = json!({"connector.class": SOURCE, "file": input, "topic": format!("moved-{name}"), "tasks.max": "1",
            "zeta": "ü \"quoted\" \\", "Alpha": "", "b.c": " padded ", "errors.log.enable": "true", "name": name});
        create(worker, name, &config);
        Self {
            name,
            input,
            written: 0,
        }
    }

    fn topic(&self) -> String {
        format!("moved-{}", self.name)
    }

    fn write(&mut self, lines: usize) {
        let mut text = String::new();
        for _ in 0..lines {
            self.written += 1;
            let _ = writeln!(text, "{} {}", self.name, self.written);
        }
        let file = std::fs::OpenOptions::new().append(true).open(&self.input);
        file.expect("input").write_all(text.as_bytes()).expect("lines");
    }

    fn await_count(&self, count: usize) {
        let reached = || end_offset(kafka(), &self.topic()).is_some_and(|end| end >= count as i64);
        await_true("all lines arrive", PATIENCE, reached).expect(self.name);
    }

    /// Every line is in the topic once, in order.
    fn has_arrived_once(&self) {
        self.await_count(self.written);
        let found = read_all(kafka(), &self.topic()).expect("topic");
        let wrong = found
            .iter()
            .zip(1..)
            .find(|(line, number)| **line != format!("{} {number}", self.name).into_bytes());
        let line = wrong.map(|(line, number)| (number, String::from_utf8_lossy(line).into_owned()));
        assert_eq!((found.len(), line), (self.written, None), "{}", self.name);
    }
}

/// What a user sees of the connectors, as text.
fn shown(worker: &Worker) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    for name in ["grow", "held", "off"] {
        for what in ["", "/config", "/tasks"] {
            let path = format!("/connectors/{name}{what}");
            shown.insert(path.clone(), asked(worker, "GET", &path, None, 200).text);
        }
    }
    for (name, _) in STATES {
        let path = format!("/connectors/{name}/offsets");
        shown.insert(path.clone(), asked(worker, "GET", &path, None, 200).text);
    }
    shown
}

fn states_are_kept(worker: &Worker) {
    worker.rest.await_state("held", "PAUSED", 1).expect("held");
    worker.rest.await_state("off", "STOPPED", 0).expect("off");
}

/// `joining` takes everything over from `leaving`, while the file grows.
fn take_over(leaving: Worker, joining: &Worker, grow: &mut Source) {
    const PART: usize = LINES / 8;
    for _ in 0..4 {
        grow.write(PART);
        grow.await_count(grow.written - PART);
    }
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| leaving.stop());
        for _ in 0..4 {
            grow.write(PART);
            // At the pace at which it is read, so that some of it is new at every moment.
            await_true("some arrive", PATIENCE, || {
                let reached = |end: i64| end as usize + 2 * PART > grow.written;
                stopping.is_finished() || end_offset(kafka(), &grow.topic()).is_some_and(reached)
            })
            .expect("grow");
        }
    });
    await_true("all is here", PATIENCE, || {
        let status = joining.rest.status("grow");
        let here = [&status["connector"], &status["tasks"][0]];
        here.iter()
            .all(|part| part["worker_id"] == joining.id() && part["state"] == "RUNNING")
    })
    .expect("moved");
    grow.await_count(grow.written);
}

#[test]
fn a_group_moves_to_weir_and_back_in_place() {
    let group = Group::new("moved", "");
    let java = group.java("java-1");
    let [mut grow, mut held, mut off] = ["grow", "held", "off"].map(|name| Source::new(&group, &java, name));
    await_work(&[("grow", 1), ("held", 1), ("off", 1)], &[&java]);
    for source in [&mut grow, &mut held, &mut off] {
        source.write(if source.name == "grow" { LINES } else { 100 });
        source.await_count(source.written);
    }
    asked(&java, "PUT", "/connectors/held/pause", None, 202);
    asked(&java, "PUT", "/connectors/off/stop", None, 204);
    states_are_kept(&java);
    // What comes now is read when they run again.
    held.write(100);
    off.write(100);
    let before = shown(&java);
    let from_java = keyed(&group, &java, "java");

    let weir = group.weir("weir");
    take_over(java, &weir, &mut grow);
    states_are_kept(&weir);
    assert_eq!(shown(&weir), before);
    let from_weir = keyed(&group, &weir, "weir");
    assert_eq!(from_weir, from_java);

    let java = group.java("java-2");
    take_over(weir, &java, &mut grow);
    states_are_kept(&java);
    assert_eq!(shown(&java), before);
    for (name, _) in STATES {
        asked(&java, "PUT", &format!("/connectors/{name}/resume"), None, 202);
    }
    for source in [&grow, &held, &off] {
        source.has_arrived_once();
    }
    assert!(grow.written >= 100_000);
}

/// Keys of each case by partition, as the only worker of the group sends them to seven partitions.
fn keyed(group: &Group, worker: &Worker, by: &str) -> BTreeMap<&'static str, Vec<BTreeSet<Vec<u8>>>> {
    let (texts, numbers) = (group.folder.join("keys.txt"), group.folder.join("numbers.txt"));
    let mut lines =
        String::from("\n \nkey\nKey\nkey \nüñí\u{10348}\n漢字\n{\"id\":1}\nnull\n\"quoted\"\na\u{0}b\ntab\there\n");
    lines.push_str(&"long ".repeat(500));
    lines.push('\n');
    for number in 0..100 {
        let _ = writeln!(lines, "user-{number}");
    }
    std::fs::write(&texts, &lines).expect("keys");
    let many: String = (-50..50).map(|number| format!("{}\n", number * 997)).collect();
    std::fs::write(&numbers, &many).expect("numbers");
    let key = json!({"transforms": "hoist,key,extract", "transforms.extract.field": "line",
        "transforms.extract.type": "org.apache.kafka.connect.transforms.ExtractField$Key"});
    let whole = json!({"transforms": "hoist,key"});
    let cast = |spec: &str, converter: &str| {
        json!({"file": numbers, "transforms": "hoist,key,extract,cast", "transforms.extract.field": "line",
            "transforms.extract.type": "org.apache.kafka.connect.transforms.ExtractField$Key",
            "transforms.cast.type": "org.apache.kafka.connect.transforms.Cast$Key", "transforms.cast.spec": spec,
            "key.converter": format!("org.apache.kafka.connect.converters.{converter}")})
    };
    let plain = json!({"key.converter": JSON, "key.converter.schemas.enable": "false"});
    let cases = [
        ("text", vec![&key]),
        ("json", vec![&key, &plain]),
        ("envelope", vec![&whole, &plain]),
    ];
    let casts = [("int32", "IntegerConverter"), ("float64", "DoubleConverter")];
    let mut configs: Vec<(&'static str, Value)> = Vec::new();
    for (name, parts) in cases {
        let mut config = json!({"file": texts, "key.converter": STRING});
        for part in parts {
            merge(&mut config, part);
        }
        if name == "envelope" {
            config["key.converter.schemas.enable"] = json!("true");
        }
        configs.push((name, config));
    }
    configs.extend(casts.map(|(spec, converter)| (spec, cast(spec, converter))));
    // Without a key nothing says where a record goes: that it arrives, and without a key, is all.
    configs.push(("none", json!({"file": texts})));
    for (name, config) in &mut configs {
        let base = json!({"connector.class": SOURCE, "topic": format!("keys-{name}-{by}"), "tasks.max": "1",
            "topic.creation.default.partitions": "7", "topic.creation.default.replication.factor": "1",
            "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value", "transforms.hoist.field": "line",
            "transforms.key.type": "org.apache.kafka.connect.transforms.ValueToKey", "transforms.key.fields": "line"});
        let own = config.clone();
        *config = base;
        if own.get("transforms").is_none() {
            for key in ["hoist.type", "hoist.field", "key.type", "key.fields"] {
                config
                    .as_object_mut()
                    .expect("an object")
                    .remove(&format!("transforms.{key}"));
            }
        }
        merge(config, &own);
        // Offsets outlive connectors: a name of its own reads from the beginning.
        create(worker, &format!("{by}-{name}"), config);
    }
    let placed = configs.iter().map(|(name, config)| {
        let expected = if config["file"] == json!(texts) { &lines } else { &many };
        let found = partitions_of(&format!("keys-{name}-{by}"), expected.lines().count());
        asked(worker, "DELETE", &format!("/connectors/{by}-{name}"), None, 204);
        (*name, found)
    });
    let mut placed: BTreeMap<_, _> = placed.collect();
    let none = placed.remove("none").expect("a case");
    assert!(none.iter().flatten().all(Vec::is_empty), "{by}: {none:?}");
    placed
}

fn merge(config: &mut Value, more: &Value) {
    let more = more.as_object().expect("an object").clone();
    config.as_object_mut().expect("an object").extend(more);
}

fn partitions_of(topic: &str, count: usize) -> Vec<BTreeSet<Vec<u8>>> {
    let mut found = Vec::new();
    await_true("all records", PATIENCE, || {
        found = read_partitions(kafka(), topic).unwrap_or_default();
        found.iter().map(Vec::len).sum::<usize>() == count
    })
    .unwrap_or_else(|error| {
        panic!(
            "{topic}: {error}: {:?} of {count}",
            found.iter().map(Vec::len).collect::<Vec<_>>()
        )
    });
    assert_eq!(found.len(), 7, "{topic}");
    let keys = |contents: &Vec<weir_tests::kafka::Content>| {
        let keys = contents.iter().map(|content| content.key.clone().unwrap_or_default());
        keys.collect::<BTreeSet<_>>()
    };
    found.iter().map(keys).collect()
}
