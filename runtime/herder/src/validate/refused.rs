//! Connector classes that were asked for and are none
//!
//! Apache's worker keeps the exception of the first request and wraps it in the answers to all later ones, so that these begin with its
//! class name. Source: `CachedConnectors`.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use weir_plugins::plugins::{ConnectorPlugin, Plugins};

use crate::error::{CONNECT_CLASS, HerderError};

/// Names that are remembered; a client that makes up more finds each of them new.
const MOST: usize = 1024;

/// The names that were refused so far.
#[derive(Debug, Default)]
pub struct RefusedClasses {
    names: Mutex<BTreeSet<String>>,
}

impl RefusedClasses {
    /// Finds a connector of this name.
    ///
    /// *Errors*: a bad request in Connect's words.
    pub fn find(&self, plugins: &Plugins, name: &str) -> Result<ConnectorPlugin, HerderError> {
        plugins.find_connector(name).map_err(|error| {
            HerderError::bad_request(match self.is_new(name) {
                true => error.to_string(),
                false => format!("{CONNECT_CLASS}: {error}"),
            })
        })
    }

    fn is_new(&self, name: &str) -> bool {
        let mut names = self.names.lock();
        if names.contains(name) {
            return false;
        }
        if names.len() < MOST {
            names.insert(name.to_owned());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_once_and_memory_is_bounded() {
        let refused = RefusedClasses::default();
        assert!(refused.is_new("a"));
        assert!(!refused.is_new("a"));
        for number in 0..2 * MOST {
            refused.is_new(&number.to_string());
        }
        assert_eq!(refused.names.lock().len(), MOST);
        assert!(!refused.is_new("a") && refused.is_new("beyond"));
    }
}
