//! The connector and its task
//!
//! Search and stream have one task whatever is configured; users are divided over the tasks.

use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ValueInfo;
use weir_sdk::context::{ConnectorContext, SourceTaskContext};
use weir_sdk::offsets::{JsonObject, parse};
use weir_sdk::source::{OffsetChange, PollBudget, SourceConnector, SourceTask};

use crate::checks::findings;
use crate::cursor::Cursor;
use crate::ids::id_of;
use crate::records::FEED;
use crate::search::Search;
use crate::settings::{Mode, Settings};
use crate::stream::{Position, Stream};
use crate::timelines::Timelines;
use crate::twitter_config::{USER_IDS, USERNAMES, USERS_TOTAL, definition};
use crate::values::UserSetting;

/// Divides users over tasks.
#[derive(Debug, Default)]
pub struct TwitterSourceConnector {
    config: ConfigMap,
    settings: Option<Settings>,
}

impl SourceConnector for TwitterSourceConnector {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.settings = Some(Settings::parse(config)?);
        self.config = config.clone();
        Ok(())
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        let Some(settings) = &self.settings else {
            return Ok(Vec::new());
        };
        match settings.mode {
            Mode::RecentSearch | Mode::FilteredStream => Ok(vec![self.config.clone()]),
            Mode::UserTweets => Ok(divided(&self.config, &settings.users, max_tasks)),
        }
    }

    fn validate(&self, config: &ConfigMap) -> Result<Vec<ValueInfo>, ConnectError> {
        // What the rows refuse is reported by the definition itself.
        let Ok(parsed) = definition().parse(config) else {
            return Ok(Vec::new());
        };
        let infos = findings(&parsed, config).into_iter().map(|finding| ValueInfo {
            errors: vec![finding.message],
            ..ValueInfo::new(finding.key)
        });
        Ok(infos.collect())
    }

    fn alter_offsets(&self, _config: &ConfigMap, offsets: &[OffsetChange]) -> Result<bool, ConnectError> {
        for change in offsets {
            let partition = parse(&change.partition)?;
            let check = offset_check(&partition)?;
            if let Some(offset) = &change.offset {
                check(&parse(offset)?)?;
            }
        }
        Ok(true)
    }
}

type OffsetCheck = fn(&JsonObject) -> Result<(), ConnectError>;

/// Gives what checks the offsets of a source partition.
fn offset_check(partition: &JsonObject) -> Result<OffsetCheck, ConnectError> {
    let text = |name: &str| partition.get(name).and_then(|value| value.as_str());
    let cursor: OffsetCheck = |offset| Cursor::from_offset(offset).map(drop);
    let position: OffsetCheck = |offset| Position::from_offset(offset).map(drop);
    if text("feed") == Some(FEED) {
        match text("mode") {
            Some("recent_search") if text("query_sha256").is_some() => return Ok(cursor),
            Some("user_tweets") if partition.get("user_id").and_then(id_of).is_some() => return Ok(cursor),
            Some("filtered_stream") => return Ok(position),
            _ => {}
        }
    }
    Err(ConnectError::fatal(format!(
        "partitions must be like {{\"feed\":\"{FEED}\",\"mode\":\"user_tweets\",\"user_id\":\"410\"}}"
    )))
}

fn divided(config: &ConfigMap, users: &[UserSetting], max_tasks: u32) -> Vec<ConfigMap> {
    let tasks = usize::try_from(max_tasks).unwrap_or(1).clamp(1, users.len().max(1));
    let mut configs = Vec::with_capacity(tasks);
    for task in 0..tasks {
        let (mut names, mut ids) = (Vec::new(), Vec::new());
        for user in users.iter().skip(task).step_by(tasks) {
            match user {
                UserSetting::Name(name) => names.push(name.clone()),
                UserSetting::Id(id) => ids.push(id.to_string()),
            }
        }
        let mut config = config.clone();
        config.insert(USERNAMES, names.join(","));
        config.insert(USER_IDS, ids.join(","));
        config.insert(USERS_TOTAL, users.len().to_string());
        configs.push(config);
    }
    configs
}

/// Reads posts.
#[derive(Debug, Default)]
pub struct TwitterSourceTask {
    running: Option<Running>,
}

/// One of the modes.
#[derive(Debug)]
enum Running {
    Search(Box<Search>),
    Stream(Box<Stream>),
    Timelines(Box<Timelines>),
}

impl SourceTask for TwitterSourceTask {
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let settings = Settings::parse(config)?;
        let offsets = context.offset_reader();
        self.running = Some(match settings.mode {
            Mode::RecentSearch => Running::Search(Box::new(Search::start(&settings, &offsets)?)),
            Mode::FilteredStream => Running::Stream(Box::new(Stream::start(&settings, &offsets)?)),
            Mode::UserTweets => Running::Timelines(Box::new(Timelines::start(&settings, offsets)?)),
        });
        Ok(())
    }

    fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        match &mut self.running {
            Some(Running::Search(search)) => search.poll(budget),
            Some(Running::Stream(stream)) => stream.poll(budget),
            Some(Running::Timelines(timelines)) => timelines.poll(budget),
            None => Ok(None),
        }
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        // Dropping the stream closes its connection.
        self.running = None;
        Ok(())
    }
}
