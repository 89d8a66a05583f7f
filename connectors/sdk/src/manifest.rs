//! The manifest: what a component holds, as JSON
//!
//! It is the answer of `describe` and of `get-config-def` for every class in one document, so that a worker can list
//! plugins and validate settings without running a guest. `runtime/bundled` makes it at build time by calling the
//! author's registration on the build machine; `weir plugin pack` makes it from a running component.
//!
//! Format: the WIT types of `wit/plugin.wit` by one rule. A record is an object with the WIT field names (kebab case), a
//! list or tuple an array, an option its value or null, an enum the case name, a variant the case name alone or, with a
//! payload, `{"case": payload}`. So serde's external tagging with `rename_all = "kebab-case"` reads it.
//!
//! ```json
//! {
//!   "manifest": 1,
//!   "wit": "weir:connect@0.1.0",
//!   "package": "weir-filestream",
//!   "version": "0.1.0",
//!   "capabilities": [{"files": ["config:file", false]}, "wall-clock", {"memory": 268435456}],
//!   "classes": [{
//!     "kind": "source",
//!     "name": "org.example.ExampleSourceConnector",
//!     "aliases": ["Example"],
//!     "version": "0.1.0",
//!     "doc": "Reads examples.",
//!     "task-class": "org.example.ExampleSourceTask",
//!     "config-def": {
//!       "overrides-validate": false,
//!       "keys": [{
//!         "name": "batch.size", "type": "int", "default": {"value": "2000"},
//!         "validators": [{"between": {"min": "1", "max": null}}, "non-null", {"one-of": ["a", "b"]}],
//!         "importance": "low", "documentation": "…", "group": null, "order-in-group": 0, "width": "none",
//!         "display-name": "batch.size", "dependents": [], "recommended": false, "internal": false
//!       }]
//!     }
//!   }]
//! }
//! ```
//!
//! `manifest` is the version of this format: a reader refuses one it does not know and asks the component instead.
