//! The connector: checks, and searches divided over tasks

use weir_feed::settings::EMIT_TOMBSTONES;
use weir_sdk::api::error::ConnectError;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ValueInfo;
use weir_sdk::context::ConnectorContext;
use weir_sdk::offsets::parse;
use weir_sdk::source::{ExactlyOnceSupport, OffsetChange, SourceConnector};
use weir_sdk::{info, warn};

use crate::place::Kept;
use crate::places_config::{API_KEY, BASE_URL, FIELDS, TASK, TASKS, TOPIC_RETENTION};
use crate::settings::{Mode, Settings, check};
use crate::unit::FEED;

/// Divides the searches over its tasks.
#[derive(Debug, Default)]
pub struct PlacesSourceConnector {
    config: ConfigMap,
    searches: usize,
    wants_one_task: bool,
    base_url: String,
}

impl SourceConnector for PlacesSourceConnector {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let settings = Settings::parse(config)?;
        if !settings.asking.fields.dropped.is_empty() {
            let dropped = settings.asking.fields.dropped.join(",");
            warn!("photos and reviews may not be kept and are not asked for"; "fields" => dropped);
        }
        if settings.kept == Kept::Content && config.get(TOPIC_RETENTION).is_none() {
            warn!(
                "content may be kept for 30 days: set retention.ms of the topic, or for a topic that the worker creates \
                 topic.creation.default.retention.ms";
                "retention_ms" => 2_592_000_000_u64
            );
        }
        self.searches = settings.searches.len();
        // What one task does not find any more another one may still find.
        self.wants_one_task = settings.common.emit_tombstones && settings.mode != Mode::Details;
        self.base_url = settings.asking.base_url;
        self.config = config.clone();
        info!("starting places source connector"; "searches" => self.searches, "mode" => settings.mode.as_str());
        Ok(())
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        let most = usize::try_from(max_tasks)
            .unwrap_or(usize::MAX)
            .min(self.searches.max(1));
        let tasks = if self.wants_one_task { 1 } else { most.max(1) };
        if tasks < most {
            info!("one task reads all: only so can it tell which places vanished"; "setting" => EMIT_TOMBSTONES);
        }
        Ok((0..tasks)
            .map(|task| {
                let mut config = self.config.clone();
                config.insert(TASK, task.to_string());
                config.insert(TASKS, tasks.to_string());
                // The sandbox lets a task go where its own settings say, so the default must stand there, too.
                config.insert(BASE_URL, self.base_url.clone());
                config
            })
            .collect())
    }

    fn validate(&self, config: &ConfigMap) -> Result<Vec<ValueInfo>, ConnectError> {
        let Some((problems, mask)) = check(config) else {
            return Ok(Vec::new());
        };
        let mut fields = ValueInfo::new(FIELDS);
        fields.recommended = vec![format!("mask: {mask}")];
        let mut infos = vec![fields];
        for (key, error) in problems {
            let value = if key == API_KEY {
                "[hidden]"
            } else {
                config.get(key).unwrap_or("null")
            };
            let text = format!("Invalid value {value} for configuration {key}: {error}");
            match infos.iter_mut().find(|info| info.name == key) {
                Some(info) => info.errors.push(text),
                None => infos.push(ValueInfo {
                    errors: vec![text],
                    ..ValueInfo::new(key)
                }),
            }
        }
        Ok(infos)
    }

    fn exactly_once_support(&self, _config: &ConfigMap) -> Result<ExactlyOnceSupport, ConnectError> {
        // A search that is cut off is repeated.
        Ok(ExactlyOnceSupport::Unsupported)
    }

    fn alter_offsets(&self, _config: &ConfigMap, offsets: &[OffsetChange]) -> Result<bool, ConnectError> {
        for change in offsets {
            let partition = parse(&change.partition)?;
            if partition.get("feed").and_then(|feed| feed.as_str()) != Some(FEED) {
                return Err(ConnectError::fatal(format!(
                    "partitions must contain the key 'feed' with '{FEED}'"
                )));
            }
            let counter = if partition.contains_key("budget") {
                "used"
            } else {
                "cycle"
            };
            if let Some(offset) = &change.offset
                && parse(offset)?.get(counter).and_then(|count| count.as_u64()).is_none()
            {
                return Err(ConnectError::fatal(format!(
                    "offsets of {} must contain the key '{counter}' with a number of at least 0",
                    change.partition
                )));
            }
        }
        Ok(true)
    }
}
