//! Secret texts that never print themselves
//!
//! Kafka's `Password`: `Debug` and `Display` give `[hidden]`, the clear text is taken out by name only.

use std::fmt;

/// What a secret prints as, in REST answers and logs.
pub const HIDDEN: &str = "[hidden]";

/// A secret text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Password(String);

impl Password {
    /// Wraps a clear text.
    pub fn new(clear: impl Into<String>) -> Self {
        Self(clear.into())
    }

    /// Gives the clear text, to be handed to the client that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}
