//! The registration

use weir_sdk::plugin::{Capability, Class, Plugin};

use crate::datagen_config::definition;
use crate::source::{DatagenSourceConnector, DatagenSourceTask};

/// Gives the class of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .class(
            Class::source::<DatagenSourceConnector, DatagenSourceTask>("weir.datagen.DatagenSourceConnector")
                .alias("Datagen")
                .doc("Makes up records: users, pageviews or orders.")
                .task_class("weir.datagen.DatagenSourceTask")
                .config(definition),
        )
        // Records carry the time they were made at, and the rate is kept by it.
        .needs(Capability::WallClock)
}

weir_sdk::export_plugin!(plugin, source);
