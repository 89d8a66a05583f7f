//! Registering classes
//!
//! A plugin is a function that answers a [`Plugin`]; `export_plugin!` makes the component out of it. Pure: it runs
//! without any grant, before a task exists, and on the build machine to write the manifest.

use weir_config::def::ConfigDef;

use crate::sink::{SinkConnector, SinkTask};
use crate::source::{SourceConnector, SourceTask};

/// What a plugin asks the operator for. Nothing works without a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capability {
    /// Host pattern `*.example.com:443`, or `config:KEY` for the host and port of a setting that holds a URL.
    Http(String),
    /// `host:port`, or `config:KEY`.
    Tcp(String),
    /// Exactly this path, or `config:KEY`.
    Files(String, FileAccess),
    /// One environment variable.
    Env(String),
    /// Memory wished for, in bytes.
    Memory(u64),
    /// A running clock.
    WallClock,
    /// Real randomness.
    Random,
    /// PASSWORD settings arrive as references (`secret.rs`); the host puts the values into HTTP requests.
    Secrets,
}

/// What a file grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAccess {
    /// Read only.
    Read,
    /// Read and write.
    Write,
}

/// Makes the parts of one class.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Factory {
    /// A source connector and its task.
    Source {
        connector: fn() -> Box<dyn SourceConnector>,
        task: fn() -> Box<dyn SourceTask>,
    },
    /// A sink connector and its task.
    Sink {
        connector: fn() -> Box<dyn SinkConnector>,
        task: fn() -> Box<dyn SinkTask>,
    },
}

/// One class of a plugin, as named in `connector.class`.
#[derive(Debug, Clone)]
pub struct Class {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) version: Option<String>,
    pub(crate) doc: String,
    pub(crate) task_class: Option<String>,
    pub(crate) config: fn() -> ConfigDef,
    pub(crate) overrides_validate: bool,
    pub(crate) factory: Factory,
}

impl Class {
    /// Registers a source connector and its task under a dotted name.
    pub fn source<C, T>(name: &str) -> Self
    where
        C: SourceConnector + Default + 'static,
        T: SourceTask + Default + 'static,
    {
        let factory = Factory::Source {
            connector: || Box::new(C::default()),
            task: || Box::new(T::default()),
        };
        Self::new(name, factory)
    }

    /// Registers a sink connector and its task under a dotted name.
    pub fn sink<C, T>(name: &str) -> Self
    where
        C: SinkConnector + Default + 'static,
        T: SinkTask + Default + 'static,
    {
        let factory = Factory::Sink {
            connector: || Box::new(C::default()),
            task: || Box::new(T::default()),
        };
        Self::new(name, factory)
    }

    fn new(name: &str, factory: Factory) -> Self {
        Self {
            name: name.to_owned(),
            aliases: Vec::new(),
            version: None,
            doc: String::new(),
            task_class: None,
            config: ConfigDef::new,
            overrides_validate: false,
            factory,
        }
    }

    /// Adds another name that must resolve to this class. The simple name and the name without `Connector` resolve
    /// by themselves.
    pub fn alias(mut self, name: &str) -> Self {
        self.aliases.push(name.to_owned());
        self
    }

    /// Sets the version; the plugin's otherwise.
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// Sets what people read in a list of plugins.
    pub fn doc(mut self, doc: &str) -> Self {
        doc.clone_into(&mut self.doc);
        self
    }

    /// Sets the `task.class` written into task configs, so that a Java worker of the same group can run them; the
    /// name and `Task` otherwise.
    pub fn task_class(mut self, name: &str) -> Self {
        self.task_class = Some(name.to_owned());
        self
    }

    /// Sets the config definition.
    pub fn config(mut self, config: fn() -> ConfigDef) -> Self {
        self.config = config;
        self
    }

    /// Has the connector's `validate` called even when no key has a custom validator or recommends values.
    pub fn overrides_validate(mut self) -> Self {
        self.overrides_validate = true;
        self
    }
}

/// All classes of a component and what they ask for.
#[derive(Debug, Clone)]
pub struct Plugin {
    pub(crate) package: String,
    pub(crate) version: String,
    pub(crate) classes: Vec<Class>,
    pub(crate) capabilities: Vec<Capability>,
}

impl Plugin {
    /// Starts a registration; pass `env!("CARGO_PKG_NAME")` and `env!("CARGO_PKG_VERSION")`.
    pub fn new(package: &str, version: &str) -> Self {
        Self {
            package: package.to_owned(),
            version: version.to_owned(),
            classes: Vec::new(),
            capabilities: Vec::new(),
        }
    }

    /// Adds a class.
    pub fn class(mut self, class: Class) -> Self {
        self.classes.push(class);
        self
    }

    /// Adds a wish.
    pub fn needs(mut self, capability: Capability) -> Self {
        self.capabilities.push(capability);
        self
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name).or_else(|| {
            self.classes
                .iter()
                .find(|class| class.aliases.iter().any(|alias| alias == name))
        })
    }
}
