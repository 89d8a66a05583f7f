//! `weir:connect/offset-reader`: committed source offsets

use crate::bindings::weir::connect::offset_reader::Host;
use crate::bindings::weir::connect::types::PluginError;
use crate::host::state::HostState;
use crate::marshal;

impl Host for HostState {
    async fn offsets(&mut self, partitions: Vec<String>) -> wasmtime::Result<Result<Vec<Option<String>>, PluginError>> {
        let answer = self.context.offsets.offsets(partitions).await;
        self.enter_host();
        Ok(answer.map_err(marshal::error_to_wit))
    }
}
