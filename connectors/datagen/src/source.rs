//! The connector and its task
//!
//! Each task is a source partition `{"task":0}` with the offset `{"iteration":n}`: n records were made.

use std::sync::OnceLock;
use std::time::Instant;

use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::{ConnectorContext, SourceTaskContext};
use weir_sdk::offsets::{JsonObject, parse, single};
use weir_sdk::runtime;
use weir_sdk::source::{ExactlyOnceSupport, OffsetChange, PollBudget, SourceConnector, SourceTask};

use crate::datagen_config::{Settings, TASK_ID};
use crate::pace::Schedule;
use crate::records::Generator;

const TASK_FIELD: &str = "task";
const ITERATION_FIELD: &str = "iteration";
/// Most records of one poll: large enough to be fast, small enough to be taken in turns.
const BATCH_RECORDS: u32 = 1000;

/// Numbers its tasks.
#[derive(Debug, Default)]
pub struct DatagenSourceConnector {
    config: ConfigMap,
}

impl SourceConnector for DatagenSourceConnector {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        Settings::parse(config)?;
        self.config = config.clone();
        Ok(())
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok((0..max_tasks)
            .map(|task| {
                let mut config = self.config.clone();
                config.insert(TASK_ID, task.to_string());
                config
            })
            .collect())
    }

    fn exactly_once_support(&self, _config: &ConfigMap) -> Result<ExactlyOnceSupport, ConnectError> {
        Ok(ExactlyOnceSupport::Supported)
    }

    fn alter_offsets(&self, _config: &ConfigMap, offsets: &[OffsetChange]) -> Result<bool, ConnectError> {
        for change in offsets {
            let Some(offset) = &change.offset else {
                continue;
            };
            iteration_of(&parse(offset)?)?;
            if parse(&change.partition)?
                .get(TASK_FIELD)
                .and_then(|task| task.as_i64())
                .is_none()
            {
                return Err(ConnectError::fatal(format!(
                    "partitions must contain the key '{TASK_FIELD}' with a number"
                )));
            }
        }
        Ok(true)
    }
}

fn iteration_of(offset: &JsonObject) -> Result<i64, ConnectError> {
    let iteration = offset.get(ITERATION_FIELD).and_then(|iteration| iteration.as_i64());
    iteration.filter(|iteration| *iteration >= 0).ok_or_else(|| {
        ConnectError::fatal(format!(
            "offsets must contain the key '{ITERATION_FIELD}' with a number of at least 0"
        ))
    })
}

/// Makes records.
#[derive(Debug, Default)]
pub struct DatagenSourceTask {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    settings: Settings,
    generator: Generator,
    schedule: Schedule,
    partition: String,
    next: i64,
}

impl SourceTask for DatagenSourceTask {
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let settings = Settings::parse(config)?;
        let partition = single(TASK_FIELD, settings.task);
        let next = match context.offset_reader().offset(&partition)? {
            Some(offset) => iteration_of(&offset)?,
            None => 0,
        };
        let generator = Generator::new(settings.kind, settings.seed, settings.task)?;
        let schedule = Schedule::new(settings.pace);
        self.running = Some(Running {
            settings,
            generator,
            schedule,
            partition,
            next,
        });
        Ok(())
    }

    fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let Some(running) = &mut self.running else {
            return Ok(None);
        };
        let most = budget.max_records.min(BATCH_RECORDS).min(running.left());
        if most == 0 {
            runtime::sleep(budget.max_wait_ms);
            return Ok(None);
        }
        let mut due = running.schedule.take_due(now_us(), most);
        if due == 0 {
            // Records that come due within the budget are given by this poll.
            runtime::sleep(running.schedule.wait_ms(now_us()).min(budget.max_wait_ms));
            due = running.schedule.take_due(now_us(), most);
        }
        Ok(if due == 0 { None } else { Some(running.make(due)) })
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        self.running = None;
        Ok(())
    }
}

impl Running {
    fn left(&self) -> u32 {
        match self.settings.iterations {
            Some(iterations) => u32::try_from(iterations.saturating_sub(self.next).max(0)).unwrap_or(u32::MAX),
            None => u32::MAX,
        }
    }

    fn make(&mut self, count: u32) -> Vec<SourceRecord> {
        let timestamp = runtime::now_ms();
        let mut records = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        for _ in 0..count {
            let (key, value) = self.generator.record(self.next);
            self.next += 1;
            records.push(SourceRecord {
                source_partition: Some(self.partition.clone()),
                source_offset: Some(single(ITERATION_FIELD, self.next)),
                topic: self.settings.topic.clone(),
                key,
                value,
                timestamp: Some(timestamp),
                ..SourceRecord::default()
            });
        }
        records
    }
}

/// Time since the first call, in microseconds.
fn now_us() -> u64 {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    let elapsed = STARTED.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}
