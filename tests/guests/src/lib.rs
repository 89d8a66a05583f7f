//! Connectors that misbehave, for the tests
//!
//! One class for each thing a guest must not do to others: trap, never return, eat memory, open what it was not
//! granted. The fetching one asks over HTTP what it is told to (`fetching.rs`), the counting one ends transactions (`counting.rs`),
//! the picky one reports bad records (`picky.rs`), the blocking ones never return (`blocking.rs`), the telling ones make and show any
//! record (`telling.rs`). The others produce `rounds` good records first, one a poll, so that a test sees them run
//! before they go wrong.
//! Built as a component and found by `plugin.path`; `weir_tests::guests` builds it.

#![forbid(unsafe_code)]

use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::{SourceRecord, TypedValue};
use weir_sdk::config::def::{ConfigDef, ConfigKey, Validator};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::{ConnectorContext, SinkTaskContext, SourceTaskContext};
use weir_sdk::files::{File, OpenMode};
use weir_sdk::offsets::single;
use weir_sdk::plugin::{Capability, Class, Plugin};
use weir_sdk::runtime;
use weir_sdk::sink::{SinkConnector, SinkTask};
use weir_sdk::sink_batch::SinkBatch;
use weir_sdk::source::{PollBudget, SourceConnector, SourceTask};

mod blocking;
mod counting;
mod fetching;
mod picky;
mod telling;

/// What a trapping guest says last.
pub const LAST_WORDS: &str = "the guest fell over on purpose";

/// Gives the classes.
pub fn plugin() -> Plugin {
    Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .class(source::<Trapping>(
            "weir.guests.TrappingSourceConnector",
            "Panics in poll.",
        ))
        .class(source::<Looping>(
            "weir.guests.LoopingSourceConnector",
            "Never returns from poll.",
        ))
        .class(source::<Hungry>(
            "weir.guests.HungrySourceConnector",
            "Allocates without end in poll.",
        ))
        .class(source::<Prying>(
            "weir.guests.PryingSourceConnector",
            "Opens a file it was not granted.",
        ))
        .class(source::<Recursing>(
            "weir.guests.RecursingSourceConnector",
            "Recurses without end in poll.",
        ))
        .class(source::<Lying>(
            "weir.guests.LyingSourceConnector",
            "Gives source offsets that are no JSON objects.",
        ))
        .class(source::<Quiet>("weir.guests.QuietSourceConnector", "Behaves."))
        .class(counting::class())
        .class(fetching::class())
        .class(picky::class())
        .class(blocking::source())
        .class(blocking::sink())
        .class(telling::source())
        .class(telling::sink())
        .class(
            Class::sink::<Passing, TrappingSink>("weir.guests.TrappingSinkConnector")
                .doc("Panics on the first record.")
                .config(ConfigDef::new),
        )
        .needs(Capability::Http("config:url".to_owned()))
        .needs(Capability::Http("*:*".to_owned()))
        .needs(Capability::Secrets)
}

weir_sdk::export_plugin!(plugin, source, sink);

fn source<M: Misdeed + Default + 'static>(name: &str, doc: &str) -> Class {
    Class::source::<Passing, Task<M>>(name).doc(doc).config(definition)
}

fn definition() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::text("topic")
                .validator(Validator::NonEmptyText)
                .doc("Where the good records go"),
        )
        .key(
            ConfigKey::int("rounds")
                .default("1")
                .doc("Good records before it goes wrong"),
        )
        .key(
            ConfigKey::text("path")
                .default("/etc/passwd")
                .doc("What the prying one opens"),
        )
}

/// Gives its settings to one task.
#[derive(Debug, Default)]
pub struct Passing {
    config: ConfigMap,
}

impl SourceConnector for Passing {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.config = config.clone();
        Ok(())
    }

    fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![self.config.clone()])
    }
}

impl SinkConnector for Passing {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.config = config.clone();
        Ok(())
    }

    fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![self.config.clone()])
    }
}

/// What a task does after its good records.
trait Misdeed {
    /// Does it; what it returns is the offset text of the next record, if it returns.
    fn commit(&mut self, config: &ConfigMap) -> Result<Option<String>, ConnectError>;
}

/// Produces good records, then its misdeed.
#[derive(Debug, Default)]
struct Task<M> {
    misdeed: M,
    config: ConfigMap,
    rounds: i32,
    made: i32,
}

impl<M: Misdeed> SourceTask for Task<M> {
    fn start(&mut self, _context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let parsed = definition()
            .parse(config)
            .map_err(|error| ConnectError::config(error.to_string()))?;
        self.rounds = parsed.opt_int("rounds").unwrap_or_default();
        self.config = config.clone();
        Ok(())
    }

    fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let offset = if self.made < self.rounds {
            single("made", self.made)
        } else {
            match self.misdeed.commit(&self.config)? {
                Some(offset) => offset,
                None => {
                    runtime::sleep(budget.max_wait_ms);
                    return Ok(None);
                }
            }
        };
        self.made = self.made.saturating_add(1);
        Ok(Some(vec![SourceRecord {
            source_partition: Some("{}".to_owned()),
            source_offset: Some(offset),
            topic: self.config.get("topic").unwrap_or_default().to_owned(),
            value: TypedValue::text(format!("record {}", self.made)),
            ..SourceRecord::default()
        }]))
    }
}

#[derive(Debug, Default)]
struct Trapping;

impl Misdeed for Trapping {
    fn commit(&mut self, _config: &ConfigMap) -> Result<Option<String>, ConnectError> {
        panic!("{LAST_WORDS}");
    }
}

#[derive(Debug, Default)]
struct Looping;

impl Misdeed for Looping {
    fn commit(&mut self, _config: &ConfigMap) -> Result<Option<String>, ConnectError> {
        let mut turns = 0u64;
        // The value is asked for again each turn, so that the loop stays one.
        while std::hint::black_box(turns) != u64::MAX {
            turns = turns.wrapping_add(2) & !1;
        }
        Ok(None)
    }
}

#[derive(Debug, Default)]
struct Hungry {
    eaten: Vec<Vec<u8>>,
}

impl Misdeed for Hungry {
    fn commit(&mut self, _config: &ConfigMap) -> Result<Option<String>, ConnectError> {
        loop {
            self.eaten.push(std::hint::black_box(vec![1; 1024 * 1024]));
        }
    }
}

#[derive(Debug, Default)]
struct Prying;

impl Misdeed for Prying {
    fn commit(&mut self, config: &ConfigMap) -> Result<Option<String>, ConnectError> {
        let path = config.get("path").unwrap_or("/etc/passwd");
        match File::open(path, OpenMode::Read) {
            Ok(_) => Err(ConnectError::fatal(format!("{path} was opened without a grant"))),
            Err(error) => Err(ConnectError::fatal(error.to_string())),
        }
    }
}

#[derive(Debug, Default)]
struct Recursing;

impl Misdeed for Recursing {
    fn commit(&mut self, _config: &ConfigMap) -> Result<Option<String>, ConnectError> {
        Ok(Some(deeper(1).to_string()))
    }
}

fn deeper(depth: u64) -> u64 {
    // Used after the call, so that it is no tail call.
    std::hint::black_box(depth) + if depth == u64::MAX { 0 } else { deeper(depth + 1) }
}

#[derive(Debug, Default)]
struct Lying;

impl Misdeed for Lying {
    fn commit(&mut self, _config: &ConfigMap) -> Result<Option<String>, ConnectError> {
        Ok(Some("{not json".to_owned()))
    }
}

#[derive(Debug, Default)]
struct Quiet;

impl Misdeed for Quiet {
    fn commit(&mut self, _config: &ConfigMap) -> Result<Option<String>, ConnectError> {
        Ok(None)
    }
}

/// Panics on the first record.
#[derive(Debug, Default)]
struct TrappingSink;

impl SinkTask for TrappingSink {
    fn start(&mut self, _context: SinkTaskContext, _config: &ConfigMap) -> Result<(), ConnectError> {
        Ok(())
    }

    fn put(&mut self, batch: &SinkBatch<'_>) -> Result<(), ConnectError> {
        assert!(batch.is_empty(), "{LAST_WORDS}");
        Ok(())
    }
}
