//! Decisions without Kafka: what is decided is applied at once, as the writer would after reading it back.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use weir_config::properties::Properties;

use crate::refusal::Refusal;
use crate::registry::change::{ImportCheck, Outcome, Plan, Removal};
use crate::registry::delete::{LATEST, delete_subject, delete_version};
use crate::registry::handle::State;
use crate::registry::lookup::Candidate;
use crate::registry::register::{CompatibilityCheck, Options};
use crate::registry::schemas::{Form, Schemas};
use crate::registry::settings::put_mode;
use crate::registry_config::RegistryConfig;
use crate::store::cache::{Cache, Deleted};
use crate::store::records::{Key, Mode, Record};
use crate::subject::Prefix;

const OPTIONS: Options = Options {
    form: Form::AsSent,
    compatibility: CompatibilityCheck::Made,
};

/// A registry whose topic is a list.
struct Desk {
    state: State,
    log: Vec<Record>,
}

impl Desk {
    fn new(settings: &str) -> Self {
        let text = format!("kafkastore.bootstrap.servers=h:1\n{settings}");
        let (config, _) = RegistryConfig::from_properties(&Properties::parse(&text).unwrap()).unwrap();
        Self {
            state: State {
                cache: Arc::new(RwLock::new(Cache::default())),
                schemas: Schemas::new(100),
                settings: config.decisions,
            },
            log: Vec::new(),
        }
    }

    fn carry_out(&mut self, plan: Plan) -> Outcome {
        for record in plan.records {
            self.log.push(record.clone());
            self.state.cache.write().apply(record, 0);
        }
        plan.outcome
    }

    /// Registers; answers version and id.
    fn register(&mut self, subject: &str, candidate: Candidate) -> Result<(i32, i32), Refusal> {
        let plan = self.state.finder().register(subject, candidate, OPTIONS)?;
        let version = match self.carry_out(plan) {
            Outcome::Registered { version, .. } => version,
            Outcome::Schema(schema) => schema.version,
            other => panic!("{other:?}"),
        };
        let cache = self.state.cache.read();
        Ok((version, cache.version(subject, version).unwrap().id))
    }

    fn put(&mut self, subject: &str, text: &str) -> Result<(i32, i32), Refusal> {
        self.register(subject, schema(text))
    }

    fn delete(&mut self, subject: &str, removal: Removal) -> Result<(), Refusal> {
        let plan = delete_subject(&self.state.cache.read(), subject, removal)?;
        self.carry_out(plan);
        Ok(())
    }

    fn delete_version(&mut self, subject: &str, version: i32, removal: Removal) -> Result<(), Refusal> {
        let plan = delete_version(&self.state.cache.read(), subject, version, removal)?;
        self.carry_out(plan);
        Ok(())
    }
}

fn schema(text: &str) -> Candidate {
    Candidate {
        text: text.to_owned(),
        ..Candidate::default()
    }
}

/// Everything that clients can see of a state: subject, version, id, deleted, text.
fn visible(cache: &Cache) -> Vec<(String, i32, i32, bool, String)> {
    let mut seen = Vec::new();
    for (subject, versions) in cache.subjects(Prefix::parse(":*:")) {
        for schema in versions {
            let by_id = cache
                .by_id(schema.context(), schema.id)
                .map(|found| found.text.to_string());
            assert_eq!(
                by_id.as_deref(),
                Some(&*schema.text),
                "{subject} {} by its id",
                schema.version
            );
            seen.push((
                subject.to_string(),
                schema.version,
                schema.id,
                schema.is_deleted,
                schema.text.to_string(),
            ));
        }
    }
    seen
}

fn replayed<'a>(records: impl IntoIterator<Item = &'a Record>) -> Cache {
    let mut cache = Cache::default();
    for record in records {
        let bytes = record.to_bytes();
        let read = Record::parse(&bytes.key, bytes.value.as_deref()).unwrap();
        cache.apply(read, 0);
    }
    cache
}

#[test]
fn versions_count_per_subject_and_ids_per_context() {
    let mut desk = Desk::new("schema.compatibility.level=none");
    assert_eq!(desk.put("a", "\"int\""), Ok((1, 1)));
    assert_eq!(desk.put("a", "{\"type\":\"int\"}"), Ok((1, 1)), "the same schema");
    assert_eq!(desk.put("a", "\"long\""), Ok((2, 2)));
    assert_eq!(desk.put("b", "\"long\""), Ok((1, 2)));
    assert_eq!(desk.put(":.c:a", "\"long\""), Ok((1, 1)));
    let contexts = desk
        .log
        .iter()
        .filter(|record| matches!(record, Record::Context(_)))
        .count();
    assert_eq!(desk.put(":.c:b", "\"int\""), Ok((1, 2)));
    assert_eq!(contexts, 1, "a context is written once");
}

#[test]
fn a_version_that_was_deleted_comes_back_under_a_new_number() {
    let mut desk = Desk::new("schema.compatibility.level=none");
    desk.put("a", "\"int\"").unwrap();
    desk.put("a", "\"long\"").unwrap();
    desk.delete_version("a", 1, Removal::Soft).unwrap();
    assert_eq!(desk.put("a", "\"int\""), Ok((3, 1)));
    let tombstone = Record::SchemaTombstone {
        subject: "a".to_owned(),
        version: 1,
    };
    assert_eq!(desk.log.last(), Some(&tombstone));
    assert_eq!(
        desk.delete_version("a", 1, Removal::Soft),
        Err(Refusal::VersionNotFound(1))
    );
    // All gone: numbers begin again, ids do not.
    desk.delete("a", Removal::Soft).unwrap();
    desk.delete("a", Removal::Permanent).unwrap();
    assert_eq!(desk.put("a", "\"int\""), Ok((1, 3)));
}

#[test]
fn a_deleted_version_that_is_referenced_stays() {
    let mut desk = Desk::new("schema.compatibility.level=none");
    let record = r#"{"type":"record","name":"R","fields":[]}"#;
    desk.put("r", record).unwrap();
    let user = Candidate {
        references: vec![crate::model::Reference {
            name: "R".to_owned(),
            subject: "r".to_owned(),
            version: 1,
        }],
        ..schema(r#"["null","R"]"#)
    };
    desk.register("u", user).unwrap();
    let in_use = Err(Refusal::ReferenceExists {
        subject: "r".to_owned(),
        version: 1,
    });
    assert_eq!(desk.delete_version("r", LATEST, Removal::Soft), in_use);
    desk.delete("u", Removal::Soft).unwrap();
    desk.delete("r", Removal::Soft).unwrap();
    assert_eq!(desk.put("r", record), Ok((2, 1)));
    let versions: Vec<i32> = desk
        .state
        .cache
        .read()
        .versions("r")
        .map(|schema| schema.version)
        .collect();
    assert_eq!(versions, [1, 2]);
    assert_eq!(desk.delete_version("r", 1, Removal::Permanent), in_use);
}

#[test]
fn imports_bring_their_ids_and_nothing_else_may() {
    let mut desk = Desk::new("");
    let with_id = |id: i32, text: &str| Candidate {
        id: Some(id),
        ..schema(text)
    };
    let refused = desk.register("a", with_id(5, "\"int\"")).unwrap_err();
    assert_eq!(refused.to_string(), "Subject a in context  is not in import mode");
    let plan = put_mode(
        &desk.state.cache.read(),
        &desk.state.settings,
        None,
        Some(Mode::Import),
        ImportCheck::NeedsNoSubjects,
    );
    desk.carry_out(plan.unwrap());
    assert_eq!(desk.register("a", with_id(5, "\"int\"")), Ok((1, 5)));
    assert_eq!(desk.register("b", with_id(5, "\"int\"")), Ok((1, 5)));
    let refused = desk.register("b", with_id(5, "\"long\"")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Overwrite new schema with id 5 in context  is not permitted."
    );
    let refused = desk.put("c", "\"int\"").unwrap_err();
    assert_eq!(refused.to_string(), "Subject c in context  is not in read-write mode");
}

/// A small generator, so that a failing run can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

#[test]
fn any_history_reads_back_the_same_also_when_compacted() {
    const SUBJECTS: [&str; 4] = ["a", "b", ":.c:a", ":.c:d"];
    const TEXTS: [&str; 5] = ["\"int\"", "\"long\"", "\"string\"", "\"bytes\"", "\"double\""];
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let mut desk = Desk::new("schema.compatibility.level=none");
        for _ in 0..40 {
            let subject = SUBJECTS[dice.roll(SUBJECTS.len())];
            let version = i32::try_from(dice.roll(4)).unwrap() + 1;
            let removal = Removal::of(dice.roll(2) == 0);
            // Refusals are part of the game.
            let _refused = match dice.roll(6) {
                0..=2 => desk.put(subject, TEXTS[dice.roll(TEXTS.len())]).map(|_| ()),
                3 | 4 => desk.delete_version(subject, version, removal),
                _ => desk.delete(subject, removal),
            };
        }
        let expected = visible(&desk.state.cache.read());
        assert_eq!(visible(&replayed(&desk.log)), expected, "seed {seed}");
        let mut last: BTreeMap<Key, usize> = BTreeMap::new();
        for (offset, record) in desk.log.iter().enumerate() {
            last.insert(record.key(), offset);
        }
        let kept = desk
            .log
            .iter()
            .enumerate()
            .filter(|(offset, record)| last[&record.key()] == *offset);
        let compacted = replayed(kept.map(|(_, record)| record));
        assert_eq!(visible(&compacted), expected, "seed {seed}, compacted");
        assert!(
            compacted.has_subject("a", Deleted::Included)
                == desk.state.cache.read().has_subject("a", Deleted::Included)
        );
    }
}
