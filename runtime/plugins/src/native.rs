//! Converters as plugins
//!
//! They run natively, so they are listed and described here and created by `weir_converters::native`. In Connect's order:
//! converters, then header converters, each by class name; a class that is both is listed twice.

use std::sync::Arc;

use weir_converters::native::{ConverterClass, ConverterKind, list};

use crate::descriptor::PluginKind;
use crate::plugins::AnyPlugin;

pub(crate) fn plugins() -> Vec<AnyPlugin> {
    let mut plugins: Vec<AnyPlugin> = list().into_iter().flat_map(rows).collect();
    plugins.sort_by(|a, b| (a.kind, &a.class).cmp(&(b.kind, &b.class)));
    plugins
}

fn rows(class: ConverterClass) -> impl Iterator<Item = AnyPlugin> {
    let config_def = Arc::new(class.config_def);
    class.kinds.iter().map(move |kind| AnyPlugin {
        class: class.class.to_owned(),
        kind: match kind {
            ConverterKind::Converter => PluginKind::Converter,
            ConverterKind::HeaderConverter => PluginKind::HeaderConverter,
        },
        version: class.version.to_owned(),
        config_def: Arc::clone(&config_def),
    })
}
