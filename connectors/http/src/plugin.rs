//! The registration of both classes

use weir_sdk::plugin::{Capability, Class, Plugin};

use crate::auth_config::{LOGIN_URL, TOKEN_URL};
use crate::sink::{HttpSinkConnector, HttpSinkTask};
use crate::sink_config;
use crate::source::{HttpSourceConnector, HttpSourceTask};
use crate::source_config::{ALLOW_HOSTS, PARENT_URL, URL, definition};

/// Gives the classes of this plugin.
pub fn plugin() -> Plugin {
    let source = Class::source::<HttpSourceConnector, HttpSourceTask>("weir.http.HttpSourceConnector")
        .alias("HttpSource")
        .doc("Reads any HTTP service: JSON, JSON lines, CSV or text, page by page, politely.")
        .task_class("weir.http.HttpSourceTask")
        .overrides_validate()
        .config(definition);
    let sink = Class::sink::<HttpSinkConnector, HttpSinkTask>("weir.http.HttpSinkConnector")
        .alias("HttpSink")
        .doc("Sends records to any HTTP service, one by one or in batches.")
        .task_class("weir.http.HttpSinkTask")
        .overrides_validate()
        .config(sink_config::definition);
    let plugin = Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .class(source)
        .class(sink);
    [URL, ALLOW_HOSTS, TOKEN_URL, LOGIN_URL, PARENT_URL]
        .into_iter()
        .fold(plugin, |plugin, key| {
            plugin.needs(Capability::Http(format!("config:{key}")))
        })
        // Waits, token lifetimes and windows are told by the clock; backoffs are random.
        .needs(Capability::WallClock)
        .needs(Capability::Random)
        .needs(Capability::Secrets)
}

weir_sdk::export_plugin!(plugin, source, sink);
