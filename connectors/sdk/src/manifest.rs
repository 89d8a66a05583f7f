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

use serde_json::{Map, Value, json};
use weir_config::def::{ConfigDef, ConfigKey, ConfigType, DefaultValue, Importance, Validator, Width};

use crate::plugin::{Capability, Class, Factory, FileAccess, Plugin};

/// Version of this format.
pub const MANIFEST_VERSION: u32 = 1;

/// WIT package that components of this SDK speak.
pub const WIT_PACKAGE: &str = "weir:connect@0.1.0";

/// Writes the manifest of a plugin.
pub fn manifest(plugin: &Plugin) -> String {
    json!({
        "manifest": MANIFEST_VERSION,
        "wit": WIT_PACKAGE,
        "package": plugin.package,
        "version": plugin.version,
        "capabilities": plugin.capabilities.iter().map(capability).collect::<Vec<_>>(),
        "classes": plugin.classes.iter().map(|each| class(plugin, each)).collect::<Vec<_>>(),
    })
    .to_string()
}

/// A variant case with a payload.
fn case(name: &str, payload: Value) -> Value {
    let mut object = Map::new();
    object.insert(name.to_owned(), payload);
    Value::Object(object)
}

fn capability(capability: &Capability) -> Value {
    match capability {
        Capability::Http(pattern) => case("http", json!(pattern)),
        Capability::Tcp(pattern) => case("tcp", json!(pattern)),
        Capability::Files(path, access) => case("files", json!([path, *access == FileAccess::Write])),
        Capability::Env(name) => case("env", json!(name)),
        Capability::Memory(bytes) => case("memory", json!(bytes)),
        Capability::WallClock => json!("wall-clock"),
        Capability::Random => json!("random"),
        Capability::Secrets => json!("secrets"),
    }
}

fn class(plugin: &Plugin, class: &Class) -> Value {
    json!({
        "kind": match class.factory {
            Factory::Source { .. } => "source",
            Factory::Sink { .. } => "sink",
        },
        "name": class.name,
        "aliases": class.aliases,
        "version": class.version.as_ref().unwrap_or(&plugin.version),
        "doc": class.doc,
        "task-class": class.task_class,
        "config-def": config_def(&(class.config)(), class.overrides_validate),
    })
}

fn config_def(def: &ConfigDef, overrides_validate: bool) -> Value {
    json!({
        "overrides-validate": overrides_validate,
        "keys": def.keys().iter().map(config_key).collect::<Vec<_>>(),
    })
}

fn config_key(key: &ConfigKey) -> Value {
    json!({
        "name": key.name,
        "type": config_type(key.config_type),
        "default": match &key.default {
            DefaultValue::Required => json!("required"),
            DefaultValue::Null => json!("null"),
            DefaultValue::Value(text) => case("value", json!(text)),
        },
        "validators": key.validators.iter().map(validator).collect::<Vec<_>>(),
        "importance": match key.importance {
            Importance::High => "high",
            Importance::Medium => "medium",
            Importance::Low => "low",
        },
        "documentation": key.documentation,
        "group": key.group,
        "order-in-group": key.order,
        "width": match key.width {
            Width::None => "none",
            Width::Short => "short",
            Width::Medium => "medium",
            Width::Long => "long",
        },
        "display-name": key.display_name,
        "dependents": key.dependents,
        "recommended": key.recommended,
        "internal": key.internal,
    })
}

fn config_type(config_type: ConfigType) -> &'static str {
    match config_type {
        ConfigType::Boolean => "boolean",
        ConfigType::Text => "text",
        ConfigType::Int => "int",
        ConfigType::Short => "short",
        ConfigType::Long => "long",
        ConfigType::Double => "double",
        ConfigType::List => "list",
        ConfigType::Class => "class",
        ConfigType::Password => "password",
    }
}

fn validator(validator: &Validator) -> Value {
    match validator {
        Validator::Between { min, max } => case("between", json!({ "min": min, "max": max })),
        Validator::OneOf(texts) => case("one-of", json!(texts)),
        Validator::OneOfIgnoreCase(texts) => case("one-of-ignore-case", json!(texts)),
        Validator::ListOf(texts) => case("list-of", json!(texts)),
        Validator::ListSizeMax(max) => case("list-size-max", json!(max)),
        Validator::NonNull => json!("non-null"),
        Validator::NonEmptyText => json!("non-empty-text"),
        Validator::NoControlCharacters => json!("no-control-characters"),
        Validator::Custom(text) => case("custom", json!(text)),
    }
}
