//! `weir:connect/secrets`: secrets that an instance learned or takes apart

use crate::bindings::weir::connect::secrets::Host;
use crate::host::state::HostState;

impl Host for HostState {
    fn learn(&mut self, value: String) -> wasmtime::Result<String> {
        self.enter_host();
        Ok(self.secrets.learn(&value))
    }

    fn entries(&mut self, reference: String) -> wasmtime::Result<Vec<(String, String)>> {
        self.enter_host();
        Ok(self.secrets.entries(&reference))
    }
}
