//! Guest side of `wit/`, generated
//!
//! One world for everything the host offers, and one world for each kind of export, so that a plugin's component
//! exports only what its classes implement: the linker merges the worlds of the export macros that were called.
//! The only `unsafe` of a plugin is the generated code in here. Nothing else in this crate names these types
//! except `host/guest.rs` (imports) and `export/` (exports).

#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    elided_lifetimes_in_paths,
    unused_qualifications,
    reason = "generated code"
)]

/// What the host offers.
pub mod imports {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package weir:sdk;
            world imports-part {
                include weir:connect/imports@0.1.0;
                import weir:connect/connector-context@0.1.0;
                import weir:connect/offset-reader@0.1.0;
                import weir:connect/sink-context@0.1.0;
            }",
        world: "weir:sdk/imports-part",
        generate_all,
    });
}

/// `weir:connect/plugin`, exported by every component.
pub mod plugin {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package weir:sdk; world plugin-part { export weir:connect/plugin@0.1.0; }",
        world: "weir:sdk/plugin-part",
        with: { "weir:connect/types@0.1.0": crate::bindings::imports::weir::connect::types },
        pub_export_macro: true,
        export_macro_name: "export_plugin_part",
        default_bindings_module: "weir_sdk::bindings::plugin",
    });
}

/// `weir:connect/source-connector` and `source-task`.
pub mod source {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package weir:sdk;
            world source-part {
                export weir:connect/source-connector@0.1.0;
                export weir:connect/source-task@0.1.0;
            }",
        world: "weir:sdk/source-part",
        with: { "weir:connect/types@0.1.0": crate::bindings::imports::weir::connect::types },
        pub_export_macro: true,
        export_macro_name: "export_source_part",
        default_bindings_module: "weir_sdk::bindings::source",
    });
}

/// `weir:connect/sink-connector` and `sink-task`.
pub mod sink {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package weir:sdk;
            world sink-part {
                export weir:connect/sink-connector@0.1.0;
                export weir:connect/sink-task@0.1.0;
            }",
        world: "weir:sdk/sink-part",
        with: { "weir:connect/types@0.1.0": crate::bindings::imports::weir::connect::types },
        pub_export_macro: true,
        export_macro_name: "export_sink_part",
        default_bindings_module: "weir_sdk::bindings::sink",
    });
}
