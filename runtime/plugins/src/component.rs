//! A loaded component: linked once, instantiated many times
//!
//! The host binds no fixed world. It links every interface it offers, then reads which interfaces the component exports
//! and keeps an index for each; `instance.rs` turns indexes into functions of one instance.

use wasmtime::component::{Component, ComponentExportIndex, HasSelf, InstancePre, Linker};

use crate::bindings::exports::weir::connect as exports;
use crate::bindings::weir::connect as imports;
use crate::egress::body_errors;
use crate::engine::WasmEngine;
use crate::host::state::HostState;

const SINK_TASK: &str = "weir:connect/sink-task@0.1.0";

/// Interfaces that a component exports.
pub(crate) struct ExportIndices {
    pub(crate) plugin: exports::plugin::GuestIndices,
    pub(crate) source_connector: Option<exports::source_connector::GuestIndices>,
    pub(crate) source_task: Option<exports::source_task::GuestIndices>,
    pub(crate) sink_connector: Option<exports::sink_connector::GuestIndices>,
    pub(crate) sink_task: Option<exports::sink_task::GuestIndices>,
    /// `put` by itself, for calls with a borrowed frame.
    pub(crate) sink_put: Option<ComponentExportIndex>,
}

/// A component whose imports are all known.
pub(crate) struct LoadedComponent {
    pub(crate) pre: InstancePre<HostState>,
    pub(crate) exports: ExportIndices,
}

impl std::fmt::Debug for LoadedComponent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedComponent").finish_non_exhaustive()
    }
}

impl LoadedComponent {
    /// Links a component.
    ///
    /// # Errors
    /// The text names the import that the host does not offer, or the export that is missing.
    pub(crate) fn link(linker: &HostLinker, component: &Component) -> Result<Self, String> {
        let pre = linker
            .linker
            .instantiate_pre(component)
            .map_err(|error| format!("{error:#}"))?;
        let exports = ExportIndices {
            plugin: exports::plugin::GuestIndices::new(&pre).map_err(|error| format!("{error:#}"))?,
            source_connector: exports::source_connector::GuestIndices::new(&pre).ok(),
            source_task: exports::source_task::GuestIndices::new(&pre).ok(),
            sink_connector: exports::sink_connector::GuestIndices::new(&pre).ok(),
            sink_task: exports::sink_task::GuestIndices::new(&pre).ok(),
            sink_put: component
                .get_export_index(None, SINK_TASK)
                .and_then(|task| component.get_export_index(Some(&task), "put")),
        };
        Ok(Self { pre, exports })
    }
}

/// All interfaces that the host offers.
pub(crate) struct HostLinker {
    linker: Linker<HostState>,
}

impl HostLinker {
    pub(crate) fn new(engine: &WasmEngine) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(engine.engine());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        body_errors::add_to_linker(&mut linker)?;
        let own: fn(&mut HostState) -> &mut HostState = |state| state;
        // One by one: the generated world's own function would define wasi:io a second time.
        imports::types::add_to_linker::<HostState, HasSelf<HostState>>(&mut linker, own)?;
        imports::schemas::add_to_linker::<HostState, HasSelf<HostState>>(&mut linker, own)?;
        imports::runtime::add_to_linker::<HostState, HasSelf<HostState>>(&mut linker, own)?;
        imports::budget::add_to_linker::<HostState, HasSelf<HostState>>(&mut linker, own)?;
        imports::secrets::add_to_linker::<HostState, HasSelf<HostState>>(&mut linker, own)?;
        imports::net::add_to_linker::<HostState, HasSelf<HostState>>(&mut linker, own)?;
        imports::files::add_to_linker::<HostState, HasSelf<HostState>>(&mut linker, own)?;
        imports::connector_context::add_to_linker::<HostState, HasSelf<HostState>>(&mut linker, own)?;
        imports::offset_reader::add_to_linker::<HostState, HasSelf<HostState>>(&mut linker, own)?;
        imports::sink_context::add_to_linker::<HostState, HasSelf<HostState>>(&mut linker, own)?;
        Ok(Self { linker })
    }
}

impl std::fmt::Debug for HostLinker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostLinker").finish_non_exhaustive()
    }
}
