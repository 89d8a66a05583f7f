//! One offset of a connector as users see and change it
//!
//! Plain JSON, because its shape is the connector's own. Source: `ConnectorOffset` (KIP-875).

use serde_json::{Map, Value};

/// A partition and its offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectorOffset {
    /// None where a user gave none.
    pub partition: Option<Map<String, Value>>,
    /// None removes the partition's offset.
    pub offset: Option<Map<String, Value>>,
}
