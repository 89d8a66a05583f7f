//! Converters, transformations and predicates as plugins
//!
//! They run natively, so they are listed and described here and created by `weir_converters::native` and
//! `weir_transforms`. In Connect's order: by kind, each by class name; a converter that is both kinds is listed twice.

use std::sync::Arc;

use weir_converters::native::{ConverterClass, ConverterKind};
use weir_transforms::catalogue::{self, TransformClass, TransformKind};

use crate::descriptor::PluginKind;
use crate::plugins::AnyPlugin;

pub(crate) fn plugins() -> Vec<AnyPlugin> {
    let transforms = catalogue::transformations().iter().chain(catalogue::predicates());
    let mut plugins: Vec<AnyPlugin> = transforms.map(transform).collect();
    plugins.extend(weir_converters::native::list().into_iter().flat_map(converter));
    plugins.sort_by(|a, b| (a.kind, &a.class).cmp(&(b.kind, &b.class)));
    plugins
}

fn transform(class: &TransformClass) -> AnyPlugin {
    AnyPlugin {
        class: class.class.to_owned(),
        kind: match class.kind() {
            TransformKind::Transformation => PluginKind::Transformation,
            TransformKind::Predicate => PluginKind::Predicate,
        },
        version: catalogue::VERSION.to_owned(),
        config_def: Arc::new(class.config_def()),
    }
}

fn converter(class: ConverterClass) -> impl Iterator<Item = AnyPlugin> {
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
