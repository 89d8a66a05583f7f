//! The task: hands over what the reader found

use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::SourceTaskContext;
use weir_sdk::runtime;
use weir_sdk::source::{PollBudget, SourceTask};

use crate::reader::{Reader, Step};
use crate::settings::Settings;

/// Reads places.
#[derive(Debug, Default)]
pub struct PlacesSourceTask {
    reader: Option<Reader>,
}

impl SourceTask for PlacesSourceTask {
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let settings = Settings::parse(config)?;
        self.reader = Some(Reader::start(settings, context.offset_reader())?);
        Ok(())
    }

    fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let began_ms = runtime::now_ms();
        loop {
            if let Some(records) = reader.outbox.take(budget) {
                return Ok(Some(records));
            }
            match reader.step()? {
                Step::Go => {}
                Step::Wait(wait_ms) => {
                    runtime::sleep(u32::try_from(wait_ms).unwrap_or(u32::MAX).min(budget.max_wait_ms));
                    return Ok(None);
                }
                Step::WaitForClient => {
                    reader.client.idle(budget);
                    return Ok(None);
                }
            }
            let spent_ms = runtime::now_ms().saturating_sub(began_ms).unsigned_abs();
            if spent_ms >= u64::from(budget.max_wait_ms) || runtime::stop_requested() {
                return Ok(reader.outbox.take(budget));
            }
        }
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        self.reader = None;
        Ok(())
    }
}
