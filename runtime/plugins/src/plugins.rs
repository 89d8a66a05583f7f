//! All plugins of a worker: found, named, loaded on first use
//!
//! Opening reads manifests only; no bundled component is decompressed, compiled or instantiated before it is used. Lookup
//! by name is in `names.rs`, instances are made in `guest/`. Kafka: `Plugins`, `DelegatingClassLoader`.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::OnceCell;
use weir_config::def::ConfigDef;
use weir_config::map::ConfigMap;

use crate::code_cache::CodeCache;
use crate::component::{HostLinker, LoadedComponent};
use crate::descriptor::{ClassDescription, Description, PluginKind};
use crate::egress::clients::HttpClients;
use crate::egress::settings::HttpSettings;
use crate::engine::WasmEngine;
use crate::error::PluginError;
use crate::guest::create::{bare_instance, config_def, describe};
use crate::limits::Limits;
use crate::manifest::{self, Manifest};
use crate::names::{Names, compare_versions};
use crate::native;
use crate::policy::{Capability, GrantedSet, Grants, Origin, effective_settings};
use crate::scan::{self, ScannedFile, UnusablePlugin};
use crate::version_range::VersionRange;

/// Longest time that a component may take to describe itself.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest bundled component when decompressed, in bytes.
const MAX_BUNDLED_BYTES: usize = 64 * 1024 * 1024;

/// What a worker decides about its plugins.
#[derive(Debug, Clone, Default)]
pub struct PluginSettings {
    /// `plugin.path`: files, or folders read one level deep.
    pub plugin_path: Vec<PathBuf>,
    /// Folder for compiled code and manifests; none = nothing is kept.
    pub cache_dir: Option<PathBuf>,
    pub grants: Grants,
    pub limits: Limits,
    pub http: HttpSettings,
    pub worker_id: String,
}

/// A component that is part of the binary.
#[derive(Debug, Clone, Copy)]
pub struct BundledComponent {
    pub name: &'static str,
    pub wasm_zstd: &'static [u8],
    /// Written when the binary was built.
    pub manifest_json: &'static str,
}

/// A row of the list of plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    pub class: String,
    pub kind: PluginKind,
    pub version: String,
    pub aliases: Vec<String>,
    pub doc: String,
}

/// A connector class that can be instantiated.
#[derive(Debug, Clone)]
pub struct ConnectorPlugin {
    pub class: String,
    pub kind: PluginKind,
    pub version: String,
    /// Value of `task.class` in task configs.
    pub task_class: String,
    pub aliases: Vec<String>,
    pub doc: String,
    pub config_def: Arc<ConfigDef>,
    /// `validate` of the plugin is always called.
    pub overrides_validate: bool,
    pub(crate) file: Arc<PluginFile>,
}

/// A plugin of any kind, as far as its settings go.
#[derive(Debug, Clone)]
pub struct AnyPlugin {
    pub class: String,
    pub kind: PluginKind,
    pub version: String,
    pub config_def: Arc<ConfigDef>,
}

/// A component and, once it is used, its code.
pub(crate) struct PluginFile {
    /// For messages: the path, or the name of a bundled component.
    name: String,
    origin: Origin,
    source: Source,
    pub(crate) capabilities: Vec<Capability>,
    loaded: OnceCell<Arc<LoadedComponent>>,
}

enum Source {
    Bundled {
        wasm_zstd: &'static [u8],
        digest: OnceLock<String>,
    },
    Path {
        path: PathBuf,
        digest: String,
    },
}

/// The plugins of one worker.
pub struct Plugins {
    settings: PluginSettings,
    engine: Arc<WasmEngine>,
    linker: HostLinker,
    cache: Option<Arc<CodeCache>>,
    http: HttpClients,
    connectors: Vec<ConnectorPlugin>,
    connector_names: Names,
    /// Converters and what else runs natively.
    natives: Vec<AnyPlugin>,
    native_names: Names,
    unusable: Vec<UnusablePlugin>,
}

impl Plugins {
    /// Finds all plugins.
    ///
    /// A bundled component or file that cannot be used is left out and listed by [`Plugins::unusable`].
    ///
    /// # Errors
    /// [`PluginError::Engine`] where this machine cannot run WebAssembly; [`PluginError::Io`] for the cache folder.
    pub async fn open(settings: PluginSettings, bundled: Vec<BundledComponent>) -> Result<Arc<Self>, PluginError> {
        let engine = WasmEngine::shared()?;
        let cache = match &settings.cache_dir {
            Some(folder) => Some(Arc::new(CodeCache::open(folder).map_err(|source| PluginError::Io {
                path: folder.clone(),
                source,
            })?)),
            None => None,
        };
        let linker = HostLinker::new(&engine).map_err(|error| PluginError::Engine(format!("{error:#}")))?;
        let http = HttpClients::new(settings.http.clone());
        let mut plugins = Self {
            settings,
            engine,
            linker,
            cache,
            http,
            connectors: Vec::new(),
            connector_names: Names::default(),
            natives: Vec::new(),
            native_names: Names::default(),
            unusable: Vec::new(),
        };
        for component in bundled {
            plugins.add_bundled(component).await;
        }
        for path in scan::list(&plugins.settings.plugin_path.clone()) {
            plugins.add_file(path).await;
        }
        plugins.add_natives();
        plugins.index_connectors();
        Ok(Arc::new(plugins))
    }

    async fn add_bundled(&mut self, component: BundledComponent) {
        let mut file = PluginFile {
            name: component.name.to_owned(),
            origin: Origin::Bundled,
            source: Source::Bundled {
                wasm_zstd: component.wasm_zstd,
                digest: OnceLock::new(),
            },
            capabilities: Vec::new(),
            loaded: OnceCell::new(),
        };
        let described = match Manifest::parse(component.manifest_json.as_bytes()) {
            Ok(manifest) => Ok(manifest),
            Err(_) => self.ask(&file).await,
        };
        let path = PathBuf::from(component.name);
        match described.and_then(|manifest| description(&file.name, manifest)) {
            Ok(description) => {
                file.capabilities = description.capabilities;
                self.add_classes(Arc::new(file), description.classes);
            }
            Err(error) => self.add_unusable(path, &error),
        }
    }

    async fn add_file(&mut self, path: PathBuf) {
        let read_path = path.clone();
        let scanned = match tokio::task::spawn_blocking(move || scan::read(&read_path)).await {
            Ok(Ok(scanned)) => scanned,
            Ok(Err(error)) => return self.add_unusable(path, &error),
            Err(error) => return self.add_unusable(path, &PluginError::Engine(error.to_string())),
        };
        match self.describe_file(scanned).await {
            Ok((file, classes)) => self.add_classes(Arc::new(file), classes),
            Err(error) => self.add_unusable(path, &error),
        }
    }

    async fn describe_file(&self, scanned: ScannedFile) -> Result<(PluginFile, Vec<ClassDescription>), PluginError> {
        let manifest_name = format!("{}.manifest.json", scanned.digest);
        let cached = self.cache.as_ref().and_then(|cache| cache.read(&manifest_name));
        let known = cached
            .as_deref()
            .or_else(|| manifest::section(&scanned.wasm))
            .and_then(|json| Manifest::parse(json).ok());
        let mut file = PluginFile {
            name: scanned.path.display().to_string(),
            origin: Origin::PluginPath,
            source: Source::Path {
                path: scanned.path,
                digest: scanned.digest,
            },
            capabilities: Vec::new(),
            loaded: OnceCell::new(),
        };
        let manifest = match known {
            Some(manifest) => manifest,
            None => {
                let manifest = self.ask(&file).await?;
                self.store_manifest(&manifest_name, &manifest);
                manifest
            }
        };
        let description = description(&file.name, manifest)?;
        file.capabilities = description.capabilities;
        Ok((file, description.classes))
    }

    fn store_manifest(&self, name: &str, manifest: &Manifest) {
        if let Some(cache) = &self.cache
            && let Err(error) = cache.store(name, &manifest.to_json())
        {
            tracing::warn!(name, %error, "manifest is not cached");
        }
    }

    /// Asks a component for its description in a throw-away instance.
    async fn ask(&self, file: &PluginFile) -> Result<Manifest, PluginError> {
        let component = self.loaded(file).await?;
        let asked = async {
            let mut instance = bare_instance(self, &component, &file.name).await?;
            let descriptor = describe(&mut instance).await?;
            let mut definitions = Vec::with_capacity(descriptor.classes.len());
            for class in &descriptor.classes {
                definitions.push(config_def(&mut instance, class.kind, &class.name).await?);
            }
            Ok(Manifest::of_answers(descriptor, definitions))
        };
        match tokio::time::timeout(DESCRIBE_TIMEOUT, asked).await {
            Ok(Ok(manifest)) => Ok(manifest),
            Ok(Err(source)) => Err(PluginError::Describe {
                plugin: file.name.clone(),
                source: Box::new(source),
            }),
            Err(_elapsed) => Err(PluginError::Unusable {
                plugin: file.name.clone(),
                reason: format!("it did not describe itself within {DESCRIBE_TIMEOUT:?}"),
            }),
        }
    }

    fn add_unusable(&mut self, path: PathBuf, error: &PluginError) {
        let reason = match error {
            PluginError::Unusable { reason, .. } => reason.clone(),
            other => other.to_string(),
        };
        tracing::warn!(path = %path.display(), reason, "plugin is unusable");
        self.unusable.push(UnusablePlugin { path, reason });
    }

    fn add_classes(&mut self, file: Arc<PluginFile>, classes: Vec<ClassDescription>) {
        for class in classes {
            if !class.kind.is_connector() {
                tracing::warn!(
                    class = class.name,
                    kind = class.kind.as_str(),
                    "plugins of this kind run natively only and the class is left out"
                );
                continue;
            }
            self.connectors.push(ConnectorPlugin {
                task_class: class.task_class.unwrap_or_else(|| format!("{}Task", class.name)),
                class: class.name,
                kind: class.kind,
                version: class.version,
                aliases: class.aliases,
                doc: class.doc,
                config_def: class.config_def,
                overrides_validate: class.overrides_validate,
                file: Arc::clone(&file),
            });
        }
    }

    fn add_natives(&mut self) {
        self.natives = native::plugins();
        for (position, plugin) in self.natives.iter().enumerate() {
            self.native_names.insert(plugin.kind, &plugin.class, &[], position);
        }
    }

    /// Sorts as Connect lists and gives every name to the highest version of its class.
    fn index_connectors(&mut self) {
        self.connectors.sort_by(|a, b| {
            (a.kind, &a.class)
                .cmp(&(b.kind, &b.class))
                .then_with(|| compare_versions(&a.version, &b.version))
        });
        for (position, plugin) in self.connectors.iter().enumerate() {
            self.connector_names
                .insert(plugin.kind, &plugin.class, &plugin.aliases, position);
        }
    }

    /// Lists plugins in Connect's order: by kind, class name and version.
    pub fn list(&self, connectors_only: bool) -> Vec<PluginInfo> {
        let connectors = self.connectors.iter().map(|plugin| PluginInfo {
            class: plugin.class.clone(),
            kind: plugin.kind,
            version: plugin.version.clone(),
            aliases: plugin.aliases.clone(),
            doc: plugin.doc.clone(),
        });
        if connectors_only {
            return connectors.collect();
        }
        let natives = self.natives.iter().map(|plugin| PluginInfo {
            class: plugin.class.clone(),
            kind: plugin.kind,
            version: plugin.version.clone(),
            aliases: Vec::new(),
            doc: String::new(),
        });
        connectors.chain(natives).collect()
    }

    /// Files and bundled components that cannot be used, with the reason.
    pub fn unusable(&self) -> &[UnusablePlugin] {
        &self.unusable
    }

    /// Finds a connector by full name, alias, simple or pruned name.
    ///
    /// # Errors
    /// [`PluginError::UnknownConnector`] with Connect's text.
    pub fn find_connector(&self, name: &str) -> Result<ConnectorPlugin, PluginError> {
        self.connector_names
            .find(name)
            .and_then(|position| self.connectors.get(position))
            .cloned()
            .ok_or_else(|| PluginError::UnknownConnector {
                name: name.to_owned(),
                available: self.available_connectors(),
            })
    }

    /// As [`Plugins::find_connector`], in the newest version of a range; none: the newest of all (KIP-891).
    ///
    /// # Errors
    /// Besides those, a version that is none, or that is not there.
    pub fn find_connector_version(&self, name: &str, version: Option<&str>) -> Result<ConnectorPlugin, PluginError> {
        let newest = self.find_connector(name)?;
        let Some(range) = VersionRange::parse(version)? else {
            return Ok(newest);
        };
        // Sorted by version.
        let mut versions = self.connectors.iter().rev();
        let found = versions.find(|plugin| {
            plugin.kind == newest.kind && plugin.class == newest.class && range.contains(&plugin.version)
        });
        match found {
            Some(plugin) => Ok(plugin.clone()),
            None => Err(self.unknown_version(&newest.class, &range)),
        }
    }

    /// Checks that a class is there in a version of a range.
    ///
    /// # Errors
    /// [`PluginError::UnknownVersion`] with Connect's text.
    pub fn require_version(&self, class: &str, range: &VersionRange) -> Result<(), PluginError> {
        match self.versions(class).iter().any(|version| range.contains(version)) {
            true => Ok(()),
            false => Err(self.unknown_version(class, range)),
        }
    }

    fn unknown_version(&self, class: &str, range: &VersionRange) -> PluginError {
        PluginError::UnknownVersion {
            class: class.to_owned(),
            range: range.to_string(),
            available: self.versions(class).join(", "),
        }
    }

    /// In the form in which Connect prints a plugin.
    fn available_connectors(&self) -> String {
        let printed: Vec<String> = self
            .connectors
            .iter()
            .map(|plugin| {
                let (class, version, kind) =
                    (&plugin.class, &plugin.version, plugin.kind.as_str());
                format!(
                    "PluginDesc{{klass=class {class}, name='{class}', version='{version}', encodedVersion={version}, type={kind}, typeName='{kind}', location='{}'}}",
                    plugin.file.name
                )
            })
            .collect();
        printed.join(", ")
    }

    /// Finds a plugin of any kind by any of its names.
    ///
    /// # Errors
    /// [`PluginError::UnknownPlugin`] with Connect's text.
    pub fn find_any(&self, name: &str) -> Result<AnyPlugin, PluginError> {
        if let Ok(plugin) = self.find_connector(name) {
            return Ok(AnyPlugin {
                class: plugin.class,
                kind: plugin.kind,
                version: plugin.version,
                config_def: plugin.config_def,
            });
        }
        self.native_names
            .find(name)
            .and_then(|position| self.natives.get(position))
            .cloned()
            .ok_or_else(|| PluginError::UnknownPlugin(name.to_owned()))
    }

    /// Lists the versions of a class, one for each kind it is listed as.
    pub fn versions(&self, class: &str) -> Vec<String> {
        let all = self.list(false);
        all.into_iter()
            .filter(|plugin| plugin.class == class)
            .map(|plugin| plugin.version)
            .collect()
    }

    /// Loads every component, compiling those that are not in the cache. For `weir plugin warm`.
    pub async fn warm(&self) -> Result<(), PluginError> {
        for plugin in &self.connectors {
            self.loaded(&plugin.file).await?;
        }
        Ok(())
    }

    /// Returns the component's code, loading it on first use.
    pub(crate) async fn loaded(&self, file: &PluginFile) -> Result<Arc<LoadedComponent>, PluginError> {
        let load = || async {
            let digest = file.digest().await?;
            let wasm = file.wasm_reader(&digest);
            let component = self.engine.component(&digest, self.cache.clone(), wasm).await?;
            LoadedComponent::link(&self.linker, &component)
                .map(Arc::new)
                .map_err(|reason| PluginError::Unusable {
                    plugin: file.name.clone(),
                    reason,
                })
        };
        file.loaded.get_or_try_init(load).await.cloned()
    }

    pub(crate) fn grants_of(&self, plugin: &ConnectorPlugin) -> GrantedSet {
        let names = std::iter::once(&plugin.class).chain(&plugin.aliases);
        self.settings
            .grants
            .for_class(names.map(String::as_str), plugin.file.origin)
    }

    /// What `config:KEY` capabilities of the class are judged by.
    pub(crate) fn effective_settings(&self, plugin: &ConnectorPlugin, written: &ConfigMap) -> ConfigMap {
        effective_settings(plugin.file.origin, &plugin.config_def, written)
    }

    pub(crate) fn engine(&self) -> &Arc<WasmEngine> {
        &self.engine
    }

    pub(crate) fn http(&self) -> &HttpClients {
        &self.http
    }

    pub(crate) fn limits(&self) -> Limits {
        self.settings.limits
    }

    pub(crate) fn worker_id(&self) -> &str {
        &self.settings.worker_id
    }
}

fn description(name: &str, manifest: Manifest) -> Result<Description, PluginError> {
    Description::from_manifest(manifest).map_err(|reason| PluginError::Unusable {
        plugin: name.to_owned(),
        reason,
    })
}

impl PluginFile {
    /// Names the bytes that the component is made from: the compressed ones for a bundled component, so that loading it
    /// from the cache does not decompress it.
    async fn digest(&self) -> Result<String, PluginError> {
        match &self.source {
            Source::Path { digest, .. } => Ok(digest.clone()),
            Source::Bundled { wasm_zstd, digest } => Ok(digest.get_or_init(|| scan::digest(wasm_zstd)).clone()),
        }
    }

    /// Gives a function that reads the component's bytes; it runs on a blocking thread.
    fn wasm_reader(&self, scanned_digest: &str) -> impl FnOnce() -> Result<Vec<u8>, PluginError> + Send + use<> {
        let scanned_digest = scanned_digest.to_owned();
        let name = self.name.clone();
        let (bundled, path) = match &self.source {
            Source::Bundled { wasm_zstd, .. } => (Some(*wasm_zstd), None),
            Source::Path { path, .. } => (None, Some(path.clone())),
        };
        move || {
            let unusable = |reason: String| PluginError::Unusable {
                plugin: name.clone(),
                reason,
            };
            if let Some(compressed) = bundled {
                return zstd::bulk::decompress(compressed, MAX_BUNDLED_BYTES)
                    .map_err(|error| unusable(error.to_string()));
            }
            let scanned = scan::read(&path.unwrap_or_default())?;
            if scanned.digest != scanned_digest {
                return Err(unusable("the file changed since it was scanned".to_owned()));
            }
            Ok(scanned.wasm)
        }
    }
}

impl std::fmt::Debug for PluginFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginFile")
            .field("name", &self.name)
            .field("is_loaded", &self.loaded.initialized())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Plugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugins")
            .field("connectors", &self.connectors.len())
            .field("unusable", &self.unusable)
            .finish_non_exhaustive()
    }
}
