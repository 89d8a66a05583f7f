//! The registration

use weir_sdk::plugin::{Capability, Class, Plugin};

use crate::connector::PlacesSourceConnector;
use crate::places_config::definition;
use crate::task::PlacesSourceTask;

/// Gives the class of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .class(
            Class::source::<PlacesSourceConnector, PlacesSourceTask>("weir.feeds.places.PlacesSourceConnector")
                .alias("PlacesSource")
                .alias("GooglePlacesSource")
                .doc("Reads places from Google Places, new API or legacy one.")
                .task_class("weir.feeds.places.PlacesSourceTask")
                .config(definition)
                .overrides_validate(),
        )
        .needs(Capability::Http("config:places.base.url".to_owned()))
        // Cycles, the daily budget and waits that the service asks for.
        .needs(Capability::WallClock)
        // Waits after failures have a random part.
        .needs(Capability::Random)
        .needs(Capability::Secrets)
}

weir_sdk::export_plugin!(plugin, source);
