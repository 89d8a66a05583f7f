//! The connector: divides stations or towns over tasks
//!
//! All stations at once are one request and one task. What a task does is in `task.rs`.

use weir_sdk::api::error::ConnectError;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ValueInfo;
use weir_sdk::context::ConnectorContext;
use weir_sdk::offsets::parse;
use weir_sdk::source::{OffsetChange, SourceConnector};

use crate::aemet_config::Settings;
use crate::product::Product;
use crate::seen::{position_of, time_field};

/// Divides the places.
#[derive(Debug, Default)]
pub struct AemetSourceConnector {
    config: ConfigMap,
}

impl SourceConnector for AemetSourceConnector {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        Settings::parse(config)?;
        self.config = config.clone();
        Ok(())
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        let settings = Settings::parse(&self.config)?;
        let count = usize::try_from(max_tasks)
            .unwrap_or(1)
            .clamp(1, settings.places.len().max(1));
        let mut shares: Vec<Vec<&str>> = vec![Vec::new(); count];
        for (at, place) in settings.places.iter().enumerate() {
            if let Some(share) = shares.get_mut(at % count) {
                share.push(place);
            }
        }
        let configs = shares.into_iter().map(|share| {
            let mut config = self.config.clone();
            config.insert(settings.places_key(), share.join(","));
            config
        });
        Ok(configs.collect())
    }

    fn validate(&self, config: &ConfigMap) -> Result<Vec<ValueInfo>, ConnectError> {
        let mut infos: Vec<ValueInfo> = Vec::new();
        for (key, error) in Settings::wrong(config) {
            match infos.iter_mut().find(|info| info.name == key) {
                Some(info) => info.errors.push(error),
                None => infos.push(ValueInfo {
                    errors: vec![error],
                    ..ValueInfo::new(key)
                }),
            }
        }
        Ok(infos)
    }

    fn alter_offsets(&self, _config: &ConfigMap, offsets: &[OffsetChange]) -> Result<bool, ConnectError> {
        for change in offsets {
            let partition = parse(&change.partition)?;
            let text = |name: &str| partition.get(name).and_then(|value| value.as_str());
            let product = text("product").and_then(Product::parse).ok_or_else(|| {
                ConnectError::fatal(format!(
                    "{}: partitions must contain the key 'product'",
                    change.partition
                ))
            })?;
            let place = if product.is_of_towns() { "municipio" } else { "station" };
            if text("feed") != Some("aemet") || text(place).is_none() {
                return Err(ConnectError::fatal(format!(
                    "{}: partitions must contain 'feed' aemet and the key '{place}'",
                    change.partition
                )));
            }
            let Some(offset) = &change.offset else {
                continue;
            };
            let field = time_field(product);
            let parsed = parse(offset)?;
            let time = parsed.get(field).and_then(|value| value.as_str());
            let is_time = time.is_some_and(|time| product.is_of_towns() || position_of(product, time).is_some());
            if !is_time {
                return Err(ConnectError::fatal(format!(
                    "{offset}: offsets must contain the key '{field}' with a time"
                )));
            }
        }
        Ok(true)
    }
}
