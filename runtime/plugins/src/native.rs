//! x
use crate::plugins::AnyPlugin;
pub(crate) fn plugins() -> Vec<AnyPlugin> {
    Vec::new()
}
