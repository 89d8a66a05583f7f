//! The registration

use weir_sdk::plugin::{Capability, Class, Plugin};

use crate::aemet_config::{ALLOW_DATA_HOSTS, BASE_URL, definition};
use crate::source::AemetSourceConnector;
use crate::task::AemetSourceTask;

/// Gives the class of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .class(
            Class::source::<AemetSourceConnector, AemetSourceTask>("weir.feeds.aemet.AemetSourceConnector")
                .alias("AemetSource")
                .doc("Reads observations, forecasts and climatology of the Spanish weather service.")
                .task_class("weir.feeds.aemet.AemetSourceTask")
                .config(definition)
                .overrides_validate(),
        )
        .needs(Capability::Http(format!("config:{BASE_URL}")))
        .needs(Capability::Http(format!("config:{ALLOW_DATA_HOSTS}")))
        // Pauses, records' headers and the days of climatology go by it.
        .needs(Capability::WallClock)
        // Two workers that were refused together do not return together.
        .needs(Capability::Random)
        .needs(Capability::Secrets)
}

weir_sdk::export_plugin!(plugin, source);
