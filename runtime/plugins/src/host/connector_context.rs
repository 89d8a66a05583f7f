//! `weir:connect/connector-context`: what a connector asks of the herder

use crate::bindings::weir::connect::connector_context::Host;
use crate::bindings::weir::connect::types::PluginError;
use crate::context::ConnectorRequest;
use crate::host::state::HostState;
use crate::marshal;

impl HostState {
    async fn request(&mut self, request: ConnectorRequest) {
        if let Some(requests) = &self.context.connector_context {
            // A closed channel means that the connector is being shut down: the request has no meaning any more.
            let _ = requests.send(request).await;
        }
        self.enter_host();
    }
}

impl Host for HostState {
    async fn request_task_reconfiguration(&mut self) -> wasmtime::Result<()> {
        self.request(ConnectorRequest::ReconfigureTasks).await;
        Ok(())
    }

    async fn raise_error(&mut self, error: PluginError) -> wasmtime::Result<()> {
        let error = self.secrets.redact_connect_error(marshal::error_from_wit(error));
        self.request(ConnectorRequest::RaiseError(error)).await;
        Ok(())
    }
}
