//! The registration

use weir_sdk::plugin::{Capability, Class, Plugin};

use crate::source::{TwitterSourceConnector, TwitterSourceTask};
use crate::twitter_config::{BASE_URL, definition};

/// Gives the class of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .class(
            Class::source::<TwitterSourceConnector, TwitterSourceTask>("weir.feeds.twitter.TwitterSourceConnector")
                .alias("TwitterSource")
                .alias("XSource")
                .doc("Reads posts of X (Twitter): a search, the filtered stream, or the posts of users.")
                .task_class("weir.feeds.twitter.TwitterSourceTask")
                .config(definition)
                .overrides_validate(),
        )
        .needs(Capability::Http(format!("config:{BASE_URL}")))
        // Waits, search ranges and the time of a fetch.
        .needs(Capability::WallClock)
        // Two workers that were refused together do not return together.
        .needs(Capability::Random)
        .needs(Capability::Secrets)
}

weir_sdk::export_plugin!(plugin, source);
