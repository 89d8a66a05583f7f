//! Schema ids of one instance
//!
//! Ids 1–9 and 17–25 are the bare types, never declared; 64 and up are declared, the same id for an equal schema. Ids
//! never leave the instance. Format: wasm-abi §5.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::data::schema::{MAX_NODES, Schema, SchemaType};
use crate::data::validate::validate_schema;
use crate::error::ConnectError;

/// The id of a schema within one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SchemaId(pub u32);

impl SchemaId {
    /// Java's null schema: the value describes itself.
    pub const NONE: Self = Self(0);
    /// Required INT8.
    pub const INT8: Self = Self(1);
    /// Required INT16.
    pub const INT16: Self = Self(2);
    /// Required INT32.
    pub const INT32: Self = Self(3);
    /// Required INT64.
    pub const INT64: Self = Self(4);
    /// Required FLOAT32.
    pub const FLOAT32: Self = Self(5);
    /// Required FLOAT64.
    pub const FLOAT64: Self = Self(6);
    /// Required BOOLEAN.
    pub const BOOLEAN: Self = Self(7);
    /// Required STRING.
    pub const TEXT: Self = Self(8);
    /// Required BYTES.
    pub const BYTES: Self = Self(9);
    /// Optional STRING.
    pub const OPTIONAL_TEXT: Self = Self(24);
    /// Optional BYTES.
    pub const OPTIONAL_BYTES: Self = Self(25);
    /// The first declared id.
    pub const FIRST_DECLARED: Self = Self(64);

    /// Gives the id of a bare type.
    pub fn builtin(base: SchemaType, optional: bool) -> Option<Self> {
        let position = BASES.iter().position(|known| *known == base)?;
        let id = u32::try_from(position + 1).ok()?;
        Some(Self(if optional { id + OPTIONAL } else { id }))
    }

    /// Tells whether the id stands for a bare type.
    pub fn is_builtin(self) -> bool {
        matches!(self.0, 1..=9 | 17..=25)
    }

    /// Tells whether the id can be a declared one.
    pub fn is_declared(self) -> bool {
        self >= Self::FIRST_DECLARED
    }
}

/// Distance from a required bare type to its optional form.
const OPTIONAL: u32 = 16;

/// Most schemas one instance may declare: a schema a record is a bug.
pub const MAX_DECLARED: usize = 4096;

const BASES: [SchemaType; 9] = [
    SchemaType::Int8,
    SchemaType::Int16,
    SchemaType::Int32,
    SchemaType::Int64,
    SchemaType::Float32,
    SchemaType::Float64,
    SchemaType::Boolean,
    SchemaType::Text,
    SchemaType::Bytes,
];

/// Bare types by id; gaps are `None`.
static BUILTINS: LazyLock<Vec<Option<Arc<Schema>>>> = LazyLock::new(|| {
    let mut table = vec![None; 26];
    for (base, id) in BASES.iter().zip(1usize..) {
        for (slot, schema) in [
            (id, Schema::plain(*base)),
            (id + OPTIONAL as usize, Schema::plain_optional(*base)),
        ] {
            if let Some(entry) = table.get_mut(slot) {
                *entry = Some(Arc::new(schema));
            }
        }
    }
    table
});

/// Gives the schema of a bare type's id.
pub fn builtin_schema(id: SchemaId) -> Option<&'static Arc<Schema>> {
    BUILTINS.get(id.0 as usize)?.as_ref()
}

/// Who knows schemas by id: the host's table, or the guest's view of it.
pub trait SchemaIds {
    /// Gives the id of a schema, declaring it on first use.
    ///
    /// # Errors
    /// `Fatal` when the schema is malformed or there are too many.
    fn id_of(&mut self, schema: &Arc<Schema>) -> Result<SchemaId, ConnectError>;

    /// Gives the schema of an id; `None` for 0 and ids never declared.
    fn schema_of(&self, id: SchemaId) -> Option<Arc<Schema>>;
}

/// The schemas of one instance.
#[derive(Debug, Default)]
pub struct SchemaTable {
    declared: Vec<Arc<Schema>>,
    ids: HashMap<Arc<Schema>, SchemaId>,
}

impl SchemaTable {
    /// Creates a table that holds the bare types only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the id of a schema: a bare type's own, the earlier one of an equal schema, or the next.
    ///
    /// # Errors
    /// `Fatal` when the schema is malformed, too deep or too wide, or [`MAX_DECLARED`] are declared.
    pub fn declare(&mut self, schema: Arc<Schema>) -> Result<SchemaId, ConnectError> {
        if schema.is_plain()
            && let Some(id) = SchemaId::builtin(schema.base, schema.optional)
        {
            return Ok(id);
        }
        if !schema.has_at_most(MAX_NODES) {
            return Err(ConnectError::fatal(format!("schema has more than {MAX_NODES} nodes")));
        }
        if let Some(id) = self.ids.get(&schema) {
            return Ok(*id);
        }
        validate_schema(&schema)?;
        if self.declared.len() >= MAX_DECLARED {
            return Err(ConnectError::fatal(format!(
                "more than {MAX_DECLARED} schemas declared by one instance; a schema for each record is a bug"
            )));
        }
        let id = self.end();
        self.declared.push(Arc::clone(&schema));
        self.ids.insert(schema, id);
        Ok(id)
    }

    /// Gives the schema of an id, bare types included.
    pub fn get(&self, id: SchemaId) -> Option<&Arc<Schema>> {
        match id.0.checked_sub(SchemaId::FIRST_DECLARED.0) {
            Some(position) => self.declared.get(position as usize),
            None => builtin_schema(id),
        }
    }

    /// Gives the first id not yet declared: frames may name those below.
    pub fn end(&self) -> SchemaId {
        // At most MAX_DECLARED, so the sum stays far below the bound.
        SchemaId(SchemaId::FIRST_DECLARED.0 + u32::try_from(self.declared.len()).unwrap_or(0))
    }

    /// Number of declared schemas.
    pub fn len(&self) -> usize {
        self.declared.len()
    }

    /// Tells whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.declared.is_empty()
    }
}

impl SchemaIds for SchemaTable {
    fn id_of(&mut self, schema: &Arc<Schema>) -> Result<SchemaId, ConnectError> {
        self.declare(Arc::clone(schema))
    }

    fn schema_of(&self, id: SchemaId) -> Option<Arc<Schema>> {
        self.get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{MAX_DECLARED, SchemaId, SchemaTable};
    use crate::data::builder::{self, SchemaBuilder};
    use crate::data::schema::{Schema, SchemaType};

    fn named(name: &str) -> Arc<Schema> {
        SchemaBuilder::structure().name(name).build().expect("struct")
    }

    #[test]
    fn bare_types_have_fixed_ids() {
        let mut table = SchemaTable::new();
        assert_eq!(table.declare(builder::text()), Ok(SchemaId::TEXT));
        assert_eq!(table.declare(builder::optional_bytes()), Ok(SchemaId(25)));
        assert_eq!(
            table.get(SchemaId(17)).map(|schema| (schema.base, schema.optional)),
            Some((SchemaType::Int8, true))
        );
        for gap in [0, 10, 16, 26, 63, 64] {
            assert_eq!(table.get(SchemaId(gap)), None);
        }
        assert!(table.is_empty());
    }

    #[test]
    fn equal_schemas_share_an_id() {
        let mut table = SchemaTable::new();
        assert_eq!(table.declare(named("a")), Ok(SchemaId(64)));
        assert_eq!(table.declare(named("b")), Ok(SchemaId(65)));
        assert_eq!(table.declare(named("a")), Ok(SchemaId(64)));
        let parameters = |first: &str, second: &str| {
            SchemaBuilder::structure()
                .parameter(first, "1")
                .parameter(second, "1")
                .build()
                .expect("struct")
        };
        assert_eq!(table.declare(parameters("x", "y")), table.declare(parameters("y", "x")));
        assert_eq!(table.end(), SchemaId(67));
    }

    #[test]
    fn a_schema_for_each_record_is_stopped() {
        let mut table = SchemaTable::new();
        for number in 0..MAX_DECLARED {
            table.declare(named(&number.to_string())).expect("below the bound");
        }
        assert!(
            table
                .declare(named("one more"))
                .expect_err("full")
                .message
                .contains("4096")
        );
        assert_eq!(table.declare(named("7")), Ok(SchemaId(71)));
    }
}
