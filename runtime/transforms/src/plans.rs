//! What a transformation works out once for each schema
//!
//! Kafka keeps the 16 schemas used last; here every schema of the instance keeps its plan, and `SchemaTable` bounds how
//! many there can be. A chain therefore belongs to one schema table.

use std::collections::HashMap;

use weir_api::data::schemas::SchemaId;

/// Plans by schema id.
///
/// Invariant: `last` and the values of `index` are positions in `plans`.
#[derive(Debug)]
pub(crate) struct Plans<P> {
    last: Option<(SchemaId, usize)>,
    index: HashMap<SchemaId, usize>,
    plans: Vec<P>,
}

impl<P> Default for Plans<P> {
    fn default() -> Self {
        Self {
            last: None,
            index: HashMap::new(),
            plans: Vec::new(),
        }
    }
}

impl<P> Plans<P> {
    /// Gives the plan of a schema, making it at first use.
    pub(crate) fn get<E>(&mut self, schema: SchemaId, make: impl FnOnce() -> Result<P, E>) -> Result<&mut P, E> {
        let at = match self.last {
            Some((known, at)) if known == schema => at,
            _ => match self.index.get(&schema) {
                Some(at) => *at,
                None => {
                    self.plans.push(make()?);
                    self.index.insert(schema, self.plans.len() - 1);
                    self.plans.len() - 1
                }
            },
        };
        self.last = Some((schema, at));
        Ok(self.plans.get_mut(at).expect("a position noted above"))
    }
}
