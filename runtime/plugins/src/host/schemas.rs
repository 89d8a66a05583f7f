//! `weir:connect/schemas`: schema handles of the instance
//!
//! The table belongs to the instance and is shared with the converters of its task. Ids never leave the instance.

use std::sync::Arc;

use weir_api::data::schemas::SchemaId;

use crate::bindings::weir::connect::schemas::Host;
use crate::bindings::weir::connect::types::{PluginError, SchemaDef};
use crate::host::state::HostState;
use crate::marshal;
use crate::schema_def;

impl Host for HostState {
    fn declare(&mut self, def: SchemaDef) -> wasmtime::Result<Result<u32, PluginError>> {
        self.enter_host();
        let declared = schema_def::schema_from_wit(def)
            .and_then(|schema| self.schemas.declare(Arc::new(schema)))
            .map(|id| id.0)
            .map_err(marshal::error_to_wit);
        Ok(declared)
    }

    fn describe(&mut self, id: u32) -> wasmtime::Result<Option<SchemaDef>> {
        self.enter_host();
        let schema = self.schemas.get(SchemaId(id));
        Ok(schema.and_then(|schema| schema_def::schema_to_wit(schema).ok()))
    }
}
