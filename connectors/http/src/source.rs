//! The connector and its task
//!
//! What a task does between start and stop is in `rounds.rs`.

use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ValueInfo;
use weir_sdk::context::{ConnectorContext, SourceTaskContext};
use weir_sdk::offsets::parse;
use weir_sdk::source::{ExactlyOnceSupport, OffsetChange, PollBudget, SourceConnector, SourceTask};

use crate::problems::Problems;
use crate::rounds::Running;
use crate::source_config::{TASK_COUNT, TASK_INDEX};
use crate::source_settings::Settings;

/// Divides partitions over tasks.
#[derive(Debug, Default)]
pub struct HttpSourceConnector {
    config: ConfigMap,
    is_divided: bool,
    partitions: usize,
}

impl SourceConnector for HttpSourceConnector {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let settings = Settings::parse(config).map_err(first)?;
        self.config = config.clone();
        self.is_divided = settings.parent.is_some() || !settings.partitions.is_empty();
        self.partitions = settings.partitions.len();
        Ok(())
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        let listed = u32::try_from(self.partitions).unwrap_or(u32::MAX);
        let count = match (self.is_divided, listed) {
            (false, _) => 1,
            // The length of a parent's list is not known yet.
            (true, 0) => max_tasks.max(1),
            (true, listed) => max_tasks.clamp(1, listed),
        };
        Ok((0..count)
            .map(|task| {
                let mut config = self.config.clone();
                config.insert(TASK_INDEX, task.to_string());
                config.insert(TASK_COUNT, count.to_string());
                config
            })
            .collect())
    }

    fn validate(&self, config: &ConfigMap) -> Result<Vec<ValueInfo>, ConnectError> {
        Ok(match Settings::parse(config) {
            Ok(_) => Vec::new(),
            // What the definition alone can tell, the host has told.
            Err(problems) if crate::source_config::definition().parse(config).is_ok() => problems.infos(),
            Err(_) => Vec::new(),
        })
    }

    fn exactly_once_support(&self, _config: &ConfigMap) -> Result<ExactlyOnceSupport, ConnectError> {
        // A cycle that did not end is read again.
        Ok(ExactlyOnceSupport::Unsupported)
    }

    fn alter_offsets(&self, _config: &ConfigMap, offsets: &[OffsetChange]) -> Result<bool, ConnectError> {
        for change in offsets {
            let partition = parse(&change.partition)?;
            if partition.get("feed").and_then(|feed| feed.as_str()) != Some("http") {
                return Err(ConnectError::fatal(
                    "partitions must contain the key 'feed' with the value 'http', as GET offsets shows them",
                ));
            }
            if let Some(offset) = &change.offset {
                parse(offset)?;
            }
        }
        Ok(true)
    }
}

fn first(problems: Problems) -> ConnectError {
    problems
        .first()
        .unwrap_or_else(|| ConnectError::config("the settings cannot be read"))
}

/// Reads a service.
#[derive(Debug, Default)]
pub struct HttpSourceTask {
    running: Option<Running>,
}

impl SourceTask for HttpSourceTask {
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let settings = Settings::parse(config).map_err(first)?;
        self.running = Some(Running::new(settings, config, context.offset_reader())?);
        Ok(())
    }

    fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        match &mut self.running {
            Some(running) => running.poll(budget),
            None => Ok(None),
        }
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        self.running = None;
        Ok(())
    }
}
