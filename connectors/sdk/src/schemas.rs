//! Schema ids as this instance knows them
//!
//! Bare types have fixed ids. Others are declared to the host once and remembered: by address for the schema object a
//! connector keeps using, by value for equal ones. Sinks ask the host when they meet an id for the first time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use weir_api::data::schema::Schema;
use weir_api::data::schemas::{SchemaId, SchemaIds, builtin_schema};
use weir_api::error::ConnectError;

use crate::host;

/// The instance's view of the host's schema table.
#[derive(Debug, Default)]
pub struct GuestSchemas {
    last: Option<(Arc<Schema>, SchemaId)>,
    ids: HashMap<Arc<Schema>, SchemaId>,
    known: RefCell<HashMap<SchemaId, Arc<Schema>>>,
}

impl SchemaIds for GuestSchemas {
    fn id_of(&mut self, schema: &Arc<Schema>) -> Result<SchemaId, ConnectError> {
        if let Some((last, id)) = &self.last
            && Arc::ptr_eq(last, schema)
        {
            return Ok(*id);
        }
        let builtin = if schema.is_plain() {
            SchemaId::builtin(schema.base, schema.optional)
        } else {
            None
        };
        let id = match builtin.or_else(|| self.ids.get(schema).copied()) {
            Some(id) => id,
            None => {
                let id = host::declare_schema(schema)?;
                self.ids.insert(Arc::clone(schema), id);
                self.known.borrow_mut().insert(id, Arc::clone(schema));
                id
            }
        };
        self.last = Some((Arc::clone(schema), id));
        Ok(id)
    }

    fn schema_of(&self, id: SchemaId) -> Option<Arc<Schema>> {
        if let Some(schema) = builtin_schema(id) {
            return Some(Arc::clone(schema));
        }
        if !id.is_declared() {
            return None;
        }
        if let Some(schema) = self.known.borrow().get(&id) {
            return Some(Arc::clone(schema));
        }
        let schema = host::describe_schema(id).ok().flatten()?;
        self.known.borrow_mut().insert(id, Arc::clone(&schema));
        Some(schema)
    }
}
