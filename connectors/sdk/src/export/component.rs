//! `export_plugin!` and the state of an instance
//!
//! Each export implementation finds the one object of this instance here. A component instance is entered by one call
//! at a time, so the cell is never borrowed twice.

use std::cell::RefCell;
use std::marker::PhantomData;

use weir_api::error::ConnectError;

use crate::plugin::{Class, Plugin};
use crate::schemas::GuestSchemas;
use crate::sink::{SinkConnector, SinkTask};
use crate::source::{SourceConnector, SourceTask};

/// The registration behind a component; `export_plugin!` implements it.
pub trait Registered {
    /// Gives all classes.
    fn plugin() -> Plugin;
}

/// The component made of a registration.
#[derive(Debug)]
pub struct Component<P>(PhantomData<P>);

pub(super) struct SourceTaskState {
    pub(super) task: Box<dyn SourceTask>,
    pub(super) schemas: GuestSchemas,
}

pub(super) struct SinkTaskState {
    pub(super) task: Box<dyn SinkTask>,
    pub(super) schemas: GuestSchemas,
}

/// What this instance became by its `start`.
pub(super) enum Instance {
    SourceConnector(Box<dyn SourceConnector>),
    SourceTask(SourceTaskState),
    SinkConnector(Box<dyn SinkConnector>),
    SinkTask(SinkTaskState),
}

thread_local! {
    static INSTANCE: RefCell<Option<Instance>> = const { RefCell::new(None) };
}

/// Sets what the instance is. Kept even when `start` fails, because `stop` follows.
pub(super) fn become_instance(instance: Instance) {
    INSTANCE.with_borrow_mut(|slot| *slot = Some(instance));
}

/// Runs a call on what the instance is.
pub(super) fn with_instance<R>(call: impl FnOnce(&mut Instance) -> Result<R, ConnectError>) -> Result<R, ConnectError> {
    INSTANCE.with_borrow_mut(|slot| match slot {
        Some(instance) => call(instance),
        None => Err(ConnectError::fatal("the instance was not started")),
    })
}

pub(super) fn not_this_kind() -> ConnectError {
    ConnectError::fatal("the instance was started as something else")
}

/// Finds a class by name or alias.
pub(super) fn class_of<P: Registered>(name: &str) -> Result<Class, ConnectError> {
    P::plugin()
        .find(name)
        .cloned()
        .ok_or_else(|| ConnectError::config(format!("class {name} is not in this plugin")))
}

/// Makes a component of a registration function: `export_plugin!(plugin, source, sink);`, naming the kinds of
/// connectors it holds. The crate is a `cdylib` built for `wasm32-wasip2`; on other targets the macro does nothing.
#[macro_export]
macro_rules! export_plugin {
    ($register:path, $($kind:ident),+ $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Registration;

            impl $crate::export::component::Registered for Registration {
                fn plugin() -> $crate::plugin::Plugin {
                    $register()
                }
            }

            type Exported = $crate::export::component::Component<Registration>;
            $crate::bindings::plugin::export_plugin_part!(Exported with_types_in $crate::bindings::plugin);
            $($crate::export_plugin!(@ $kind Exported);)+
        };
    };
    (@ source $exported:ident) => {
        $crate::bindings::source::export_source_part!($exported with_types_in $crate::bindings::source);
    };
    (@ sink $exported:ident) => {
        $crate::bindings::sink::export_sink_part!($exported with_types_in $crate::bindings::sink);
    };
}
