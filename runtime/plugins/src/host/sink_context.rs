//! `weir:connect/sink-context`: notes wishes for the sink loop, see `sink_requests.rs`

use weir_api::error::ConnectError;

use crate::bindings::weir::connect::sink_context::Host;
use crate::bindings::weir::connect::types::{PluginError, TopicOffset, TopicPartition};
use crate::host::state::HostState;
use crate::marshal;
use crate::sink_requests::FlowChange;

impl HostState {
    fn change_flow(&mut self, change: FlowChange) -> Result<(), PluginError> {
        self.enter_host();
        match &self.context.sink_context {
            Some(context) => context.change_flow(change).map_err(marshal::error_to_wit),
            None => Err(marshal::error_to_wit(not_a_sink())),
        }
    }
}

fn not_a_sink() -> ConnectError {
    ConnectError::fatal("only a sink task has a sink context")
}

impl Host for HostState {
    fn assignment(&mut self) -> wasmtime::Result<Vec<TopicPartition>> {
        self.enter_host();
        let partitions = self
            .context
            .sink_context
            .as_ref()
            .map(|context| context.assignment())
            .unwrap_or_default();
        Ok(marshal::partitions_to_wit(&partitions))
    }

    fn seek(&mut self, offsets: Vec<TopicOffset>) -> wasmtime::Result<()> {
        self.enter_host();
        if let Some(context) = &self.context.sink_context {
            context.seek(marshal::offsets_from_wit(offsets));
        }
        Ok(())
    }

    fn retry_after(&mut self, ms: u32) -> wasmtime::Result<()> {
        self.enter_host();
        if let Some(context) = &self.context.sink_context {
            context.retry_after(ms);
        }
        Ok(())
    }

    fn pause(&mut self, partitions: Vec<TopicPartition>) -> wasmtime::Result<Result<(), PluginError>> {
        Ok(self.change_flow(FlowChange::Pause(marshal::partitions_from_wit(partitions))))
    }

    fn resume(&mut self, partitions: Vec<TopicPartition>) -> wasmtime::Result<Result<(), PluginError>> {
        Ok(self.change_flow(FlowChange::Resume(marshal::partitions_from_wit(partitions))))
    }

    fn request_commit(&mut self) -> wasmtime::Result<()> {
        self.enter_host();
        if let Some(context) = &self.context.sink_context {
            context.request_commit();
        }
        Ok(())
    }

    fn can_report(&mut self) -> wasmtime::Result<bool> {
        self.enter_host();
        let reporter = self
            .context
            .sink_context
            .as_ref()
            .and_then(|context| context.reporter());
        Ok(reporter.is_some())
    }

    async fn report(
        &mut self,
        records: Vec<TopicOffset>,
        error: PluginError,
    ) -> wasmtime::Result<Result<(), PluginError>> {
        let reporter = self
            .context
            .sink_context
            .as_ref()
            .and_then(|context| context.reporter());
        let Some(reporter) = reporter else {
            return Ok(Err(marshal::error_to_wit(ConnectError::fatal(
                "no dead letter queue or error log is configured",
            ))));
        };
        let records = marshal::offsets_from_wit(records);
        let error = self.secrets.redact_connect_error(marshal::error_from_wit(error));
        let outcome = reporter.report(records, error).await;
        self.enter_host();
        Ok(outcome.map_err(marshal::error_to_wit))
    }
}
