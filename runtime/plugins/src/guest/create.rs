//! From a found class to a running instance
//!
//! One path for connectors, tasks and throw-away instances: load the component, decide limits and policy, instantiate, then
//! ask the real instance what it wants, because a manifest may lie.

use std::sync::Arc;

use crate::bindings::exports::weir::connect::plugin as wit;
use crate::component::LoadedComponent;
use crate::context::InstanceContext;
use crate::descriptor::{self, PluginKind};
use crate::error::{Fault, GuestError};
use crate::host::state::{Identity, StateParts};
use crate::instance::Instance;
use crate::manifest;
use crate::plugins::{ConnectorPlugin, Plugins};
use crate::policy::{GrantedSet, Policy};
use crate::secrets::Secrets;

/// What the instance is for; decides its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Task,
    Connector,
    /// `describe`, `get-config-def`, `validate`: short calls in an instance that is thrown away.
    Describe,
}

impl Plugins {
    /// Creates an instance of the component that holds `plugin`.
    pub(crate) async fn instantiate(
        &self,
        plugin: &ConnectorPlugin,
        context: InstanceContext,
        purpose: Purpose,
    ) -> Result<Instance, GuestError> {
        let component = self
            .loaded(&plugin.file)
            .await
            .map_err(|error| GuestError::fatal(Fault::Contract, error.to_string()))?;
        let granted = Arc::new(self.grants_of(plugin));
        let asked = plugin.file.capabilities.clone();
        let limits = self.limits();
        let default_bytes = match purpose {
            Purpose::Task => limits.task_memory_bytes,
            Purpose::Connector | Purpose::Describe => limits.other_memory_bytes,
        };
        let written = context.connector_config.as_ref().unwrap_or(&context.config);
        let secrets = Arc::new(Secrets::new(&context.connector, Some(&plugin.config_def)));
        // Noted before anything runs: a task's own config need not hold them all.
        let _seen = secrets.conceal(written);
        let settings = Arc::new(self.effective_settings(plugin, written));
        let parts = StateParts {
            identity: Identity {
                connector: Arc::from(context.connector.as_str()),
                task: context.task,
                worker: self.worker_id().to_owned(),
                plugin_version: plugin.version.clone(),
            },
            memory_bytes: granted.memory_bytes(&asked, default_bytes),
            table_elements: limits.table_elements,
            cpu_ms: match purpose {
                Purpose::Task | Purpose::Connector => limits.call_cpu_ms,
                Purpose::Describe => limits.describe_cpu_ms,
            },
            max_frame_bytes: limits.max_frame_bytes,
            http: self.http().clone(),
            policy: Policy::new(asked, Arc::clone(&granted), Arc::clone(&settings)),
            secrets,
            context,
        };
        let mut instance = Instance::create(self.engine(), &component, parts).await?;
        let descriptor = describe(&mut instance).await?;
        check_class(&descriptor, plugin.kind, &plugin.class)?;
        let asked = descriptor
            .capabilities
            .into_iter()
            .map(|capability| descriptor::capability(manifest::capability_row(capability)))
            .collect();
        if let Some(state) = instance.data_mut() {
            state.set_policy(Policy::new(asked, granted, settings));
        }
        Ok(instance)
    }
}

/// Creates an instance of a component about which nothing is known yet: no settings, no grants.
pub(crate) async fn bare_instance(
    plugins: &Plugins,
    component: &LoadedComponent,
    name: &str,
) -> Result<Instance, GuestError> {
    let limits = plugins.limits();
    let context = InstanceContext::bare(name, weir_config::map::ConfigMap::new());
    let parts = StateParts {
        identity: Identity {
            connector: Arc::from(name),
            task: None,
            worker: plugins.worker_id().to_owned(),
            plugin_version: String::new(),
        },
        memory_bytes: limits.other_memory_bytes,
        table_elements: limits.table_elements,
        cpu_ms: limits.describe_cpu_ms,
        max_frame_bytes: limits.max_frame_bytes,
        http: plugins.http().clone(),
        policy: Policy::new(
            Vec::new(),
            Arc::new(GrantedSet::default()),
            Arc::new(context.config.clone()),
        ),
        secrets: Arc::new(Secrets::new(name, None)),
        context,
    };
    Instance::create(plugins.engine(), component, parts).await
}

pub(crate) async fn describe(instance: &mut Instance) -> Result<wit::Descriptor, GuestError> {
    let (live, mut guard) = instance.begin()?;
    let outcome = guard.run(live.exports.plugin.call_describe(&mut live.store)).await;
    let cpu = guard.cpu;
    instance.finish(outcome, cpu)
}

pub(crate) async fn config_def(
    instance: &mut Instance,
    kind: wit::PluginKind,
    class: &str,
) -> Result<wit::ConfigDef, GuestError> {
    let (live, mut guard) = instance.begin()?;
    let plugin = &live.exports.plugin;
    let outcome = guard
        .run(plugin.call_get_config_def(&mut live.store, kind, class))
        .await;
    let cpu = guard.cpu;
    instance.finish_fallible(outcome, cpu)
}

fn check_class(descriptor: &wit::Descriptor, kind: PluginKind, class: &str) -> Result<(), GuestError> {
    let is_there = descriptor
        .classes
        .iter()
        .any(|info| info.name == class && kind_from_wit(info.kind) == kind);
    if is_there {
        return Ok(());
    }
    Err(GuestError::fatal(
        Fault::Contract,
        format!("the component's manifest names {class}, which the component itself does not hold"),
    ))
}

pub(crate) fn kind_from_wit(kind: wit::PluginKind) -> PluginKind {
    match kind {
        wit::PluginKind::Source => PluginKind::Source,
        wit::PluginKind::Sink => PluginKind::Sink,
        wit::PluginKind::Transformation => PluginKind::Transformation,
        wit::PluginKind::Predicate => PluginKind::Predicate,
        wit::PluginKind::Converter => PluginKind::Converter,
        wit::PluginKind::HeaderConverter => PluginKind::HeaderConverter,
    }
}

pub(crate) fn kind_to_wit(kind: PluginKind) -> wit::PluginKind {
    match kind {
        PluginKind::Source => wit::PluginKind::Source,
        PluginKind::Sink => wit::PluginKind::Sink,
        PluginKind::Transformation => wit::PluginKind::Transformation,
        PluginKind::Predicate => wit::PluginKind::Predicate,
        PluginKind::Converter => wit::PluginKind::Converter,
        PluginKind::HeaderConverter => wit::PluginKind::HeaderConverter,
    }
}
