//! Host side of `wit/`: one generated module for all interfaces
//!
//! The world named here only collects the interfaces. No component is bound to it as a whole: `component.rs` looks up
//! each exported interface by itself, and `engine.rs` links each imported one, because a plugin holds any mix of them.

#![allow(
    missing_debug_implementations,
    unreachable_pub,
    elided_lifetimes_in_paths,
    unused_qualifications,
    reason = "generated code"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "weir:connect/source-and-sink",
    imports: {
        "weir:connect/files": async | trappable,
        "weir:connect/net": async | trappable,
        "weir:connect/runtime.sleep": async | trappable,
        "weir:connect/offset-reader": async | trappable,
        "weir:connect/connector-context": async | trappable,
        "weir:connect/sink-context.report": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "weir:connect/net.connection": crate::host::net::Connection,
        "weir:connect/files.file": crate::host::open_file::OpenFile,
    },
});
