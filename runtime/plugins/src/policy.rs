//! What a plugin may touch: asked ∩ granted
//!
//! A plugin asks in `describe`; the operator grants with `weir.grants.<class or *>` and bounds files with
//! `weir.file.roots`. This file decides on names, paths and ports before anything is opened; how hosts are written is in
//! `host_rule.rs`, what an address may be once a name is resolved in `address.rs`.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use weir_config::def::{ConfigDef, DefaultValue};
use weir_config::map::ConfigMap;

use crate::address::AddressRange;
use crate::error::PluginError;
use crate::host_rule::HostRule;

/// Prefix of the worker settings that hold grants; what follows is a class name or `*`.
pub const GRANTS_PREFIX: &str = "weir.grants.";
/// Connector setting that names a proxy, for classes that ask for HTTP.
pub(crate) const PROXY_KEY: &str = "http.proxy.url";
/// Worker setting that bounds every file grant.
pub const FILE_ROOTS_KEY: &str = "weir.file.roots";

/// A capability as a plugin asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capability {
    /// Host pattern, or `config:KEY`.
    Http(String),
    Tcp(String),
    /// Path or `config:KEY`, and whether it will write.
    Files(String, FileAccess),
    Env(String),
    MemoryBytes(u64),
    WallClock,
    Random,
    /// Settings of type PASSWORD arrive as references.
    Secrets,
}

/// Whether a file is only read or also appended to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileAccess {
    Read,
    Append,
}

/// One thing an operator grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    Http(HostRule),
    Tcp(HostRule),
    File(PathRule),
    Env(String),
    MemoryBytes(u64),
    WallClock,
    Random,
    /// The host puts secrets into requests to hosts that the connector's own settings name.
    Secrets,
    /// The connector's own settings grant its `config:KEY` capabilities.
    Config,
}

/// Grants of a whole worker, by class.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    by_class: Vec<(String, Vec<Grant>)>,
    /// None = files are bounded by their grant only.
    file_roots: Option<Vec<PathBuf>>,
}

impl Grants {
    /// Reads `weir.grants.*` and `weir.file.roots` from the worker's settings.
    pub fn parse(settings: &ConfigMap) -> Result<Self, PluginError> {
        let mut grants = Self::default();
        for (key, value) in settings.iter() {
            let value = value.unwrap_or_default();
            if let Some(class) = key.strip_prefix(GRANTS_PREFIX) {
                grants.by_class.push((class.to_owned(), parse_list(key, value)?));
            } else if key == FILE_ROOTS_KEY {
                let roots = list_items(value).map(PathBuf::from).collect();
                grants.file_roots = Some(roots);
            }
        }
        Ok(grants)
    }

    /// Grants of one class: those under any of its names and under `*`.
    ///
    /// A bundled class has the `config`, clock and random grants unless a row of its own says otherwise; `config` lets
    /// it send its secrets to the hosts that its settings name.
    pub(crate) fn for_class<'a>(&self, names: impl IntoIterator<Item = &'a str>, origin: Origin) -> GrantedSet {
        let names: Vec<&str> = names.into_iter().collect();
        let mut granted = Vec::new();
        let mut has_own_row = false;
        for (class, grants) in &self.by_class {
            let is_own = names.contains(&class.as_str());
            if is_own || class == "*" {
                has_own_row |= is_own;
                granted.extend(grants.iter().cloned());
            }
        }
        if origin == Origin::Bundled && !has_own_row {
            granted.extend([Grant::Config, Grant::WallClock, Grant::Random]);
        }
        if origin == Origin::Bundled && granted.contains(&Grant::Config) {
            granted.push(Grant::Secrets);
        }
        GrantedSet {
            class: names.first().copied().unwrap_or_default().to_owned(),
            granted,
            file_roots: self.file_roots.clone(),
        }
    }
}

/// Where a plugin came from; bundled ones were reviewed with the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Bundled,
    PluginPath,
}

/// What the connector's user wrote, and for a bundled class, which was reviewed with the worker, the defaults of what was
/// left out: an author elsewhere does not grant himself hosts by defaults.
pub(crate) fn effective_settings(origin: Origin, definition: &ConfigDef, written: &ConfigMap) -> ConfigMap {
    let mut settings = written.clone();
    if origin == Origin::Bundled {
        for key in definition.keys() {
            if let DefaultValue::Value(text) = &key.default
                && !settings.contains_key(&key.name)
            {
                settings.insert(key.name.as_str(), text.as_str());
            }
        }
    }
    settings
}

/// The grants that apply to one class.
#[derive(Debug, Clone, Default)]
pub(crate) struct GrantedSet {
    class: String,
    granted: Vec<Grant>,
    file_roots: Option<Vec<PathBuf>>,
}

impl GrantedSet {
    /// Memory an instance may have: `default_bytes` unless the plugin asked for more and the operator granted it.
    pub(crate) fn memory_bytes(&self, asked: &[Capability], default_bytes: usize) -> usize {
        let asked = asked.iter().filter_map(|capability| match capability {
            Capability::MemoryBytes(bytes) => Some(*bytes),
            _ => None,
        });
        let granted = self.granted.iter().filter_map(|grant| match grant {
            Grant::MemoryBytes(bytes) => Some(*bytes),
            _ => None,
        });
        let effective = asked.max().unwrap_or(0).min(granted.max().unwrap_or(0));
        usize::try_from(effective).unwrap_or(usize::MAX).max(default_bytes)
    }

    fn has(&self, wanted: &Grant) -> bool {
        self.granted.contains(wanted)
    }
}

/// What one instance may do: the capabilities it asked for, its class's grants and its settings.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    asked: Vec<Capability>,
    granted: Arc<GrantedSet>,
    /// The connector's own, as its user wrote them: `config:KEY` capabilities are judged by these.
    settings: Arc<ConfigMap>,
}

/// A network destination that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A wildcard matched: only public addresses.
    PublicOnly,
    /// The host was named literally: any address.
    Any,
}

/// A file that may be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AllowedFile {
    /// Standard input or output: the setting is null.
    Standard,
    Path(AllowedPath),
}

/// An absolute path, and what the opener must still check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AllowedPath {
    pub(crate) path: PathBuf,
    /// A link is followed only where a setting named it.
    pub(crate) follows_link: bool,
    pub(crate) roots: Option<Vec<PathBuf>>,
}

/// Which of the two network capabilities is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Http,
    Tcp,
}

impl Policy {
    pub(crate) fn new(asked: Vec<Capability>, granted: Arc<GrantedSet>, settings: Arc<ConfigMap>) -> Self {
        Self {
            asked,
            granted,
            settings,
        }
    }

    pub(crate) fn allows_wall_clock(&self) -> bool {
        self.asked.contains(&Capability::WallClock) && self.granted.has(&Grant::WallClock)
    }

    /// Whether settings of type PASSWORD are hidden from the guest.
    pub(crate) fn hides_secrets(&self) -> bool {
        self.asked.contains(&Capability::Secrets)
    }

    /// Decides whether a request to this host and port may carry a secret: the connector's own settings must name it.
    ///
    /// # Errors
    /// The text names the host and what is missing.
    pub(crate) fn may_see_secrets(&self, host: &str, port: u16) -> Result<(), String> {
        if !self.granted.has(&Grant::Secrets) {
            return Err(format!(
                "{host}:{port} may not see secrets: {GRANTS_PREFIX}{} lacks secrets",
                self.granted.class
            ));
        }
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        if self.is_in_settings(Network::Http, &host, port) {
            return Ok(());
        }
        Err(format!(
            "{host}:{port} may not see secrets: no setting of the connector names it"
        ))
    }

    /// The proxy that the connector's settings name, for classes that ask for HTTP.
    pub(crate) fn own_proxy(&self) -> Option<&str> {
        let asks = self.asked_hosts(Network::Http).next().is_some();
        self.settings
            .get(PROXY_KEY)
            .filter(|url| asks && !url.trim().is_empty())
    }

    /// Whether a setting that the plugin asks for names the host.
    fn is_in_settings(&self, network: Network, host: &str, port: u16) -> bool {
        let asked = self
            .asked_hosts(network)
            .filter_map(|asked| asked.strip_prefix("config:"));
        let proxy = (network == Network::Http).then(|| self.own_proxy()).flatten();
        asked
            .filter_map(|key| self.settings.get(key))
            .chain(proxy)
            .any(|value| hosts_in(value).any(|rule| rule.matches(host, port)))
    }

    /// Addresses that grants name, beside which a wildcard reaches public ones only.
    pub(crate) fn granted_ranges(&self, network: Network, port: u16) -> impl Iterator<Item = AddressRange> {
        self.granted_hosts(network)
            .filter(move |rule| rule.covers_port(port))
            .filter_map(HostRule::range)
    }

    pub(crate) fn allows_random(&self) -> bool {
        self.asked.contains(&Capability::Random) && self.granted.has(&Grant::Random)
    }

    /// Names of environment variables the guest may see.
    pub(crate) fn env_names(&self) -> Vec<&str> {
        self.asked
            .iter()
            .filter_map(|capability| match capability {
                Capability::Env(name) if self.granted.has(&Grant::Env(name.clone())) => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Decides on a host and port before any look-up.
    pub(crate) fn destination(&self, network: Network, host: &str, port: u16) -> Result<Destination, String> {
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        let is_in_config = self.is_in_settings(network, &host, port);
        let is_asked = self
            .asked_hosts(network)
            .filter(|asked| !asked.starts_with("config:"))
            .filter_map(|asked| HostRule::parse(asked).ok())
            .any(|rule| rule.matches(&host, port));
        if !is_asked && !is_in_config {
            return Err(format!("{host}:{port} is not among the hosts the plugin asks for"));
        }
        if is_in_config && self.granted.has(&Grant::Config) {
            return Ok(Destination::Any);
        }
        let mut found = None;
        for rule in self.granted_hosts(network) {
            if rule.matches(&host, port) {
                found = Some(if rule.is_literal() {
                    Destination::Any
                } else {
                    found.unwrap_or(Destination::PublicOnly)
                });
            }
        }
        let word = match network {
            Network::Http => "http",
            Network::Tcp => "tcp",
        };
        found.ok_or_else(|| {
            format!(
                "{host}:{port} is not granted: {GRANTS_PREFIX}{} has neither {word}:{host}:{port} nor a grant that covers it",
                self.granted.class
            )
        })
    }

    fn asked_hosts(&self, network: Network) -> impl Iterator<Item = &str> {
        self.asked
            .iter()
            .filter_map(move |capability| match (capability, network) {
                (Capability::Http(host), Network::Http) | (Capability::Tcp(host), Network::Tcp) => Some(host.as_str()),
                _ => None,
            })
    }

    fn granted_hosts(&self, network: Network) -> impl Iterator<Item = &HostRule> {
        self.granted
            .granted
            .iter()
            .filter_map(move |grant| match (grant, network) {
                (Grant::Http(rule), Network::Http) | (Grant::Tcp(rule), Network::Tcp) => Some(rule),
                _ => None,
            })
    }

    /// Decides on the file that `setting` names: a key of the connector's settings, or a path.
    ///
    /// # Errors
    /// The text names the path and the grant that is missing.
    pub(crate) fn file(&self, setting: &str, access: FileAccess) -> Result<AllowedFile, String> {
        match self.settings.get_entry(setting) {
            Some(value) => self.configured_file(setting, value, access),
            None if self.asks_for_file(&format!("config:{setting}"), access) => {
                self.configured_file(setting, None, access)
            }
            None => self.literal_file(setting, access),
        }
    }

    fn configured_file(&self, key: &str, value: Option<&str>, access: FileAccess) -> Result<AllowedFile, String> {
        let shown = value.unwrap_or(match access {
            FileAccess::Read => "standard input",
            FileAccess::Append => "standard output",
        });
        if !self.asks_for_file(&format!("config:{key}"), access) {
            return Err(format!(
                "{shown} is denied: the plugin does not ask for files(config:{key}{})",
                match access {
                    FileAccess::Read => "",
                    FileAccess::Append => ", write",
                }
            ));
        }
        let is_granted_by_config = self.granted.has(&Grant::Config);
        let Some(value) = value else {
            return if is_granted_by_config {
                Ok(AllowedFile::Standard)
            } else {
                Err(format!(
                    "{shown} is not granted: {GRANTS_PREFIX}{} lacks config",
                    self.granted.class
                ))
            };
        };
        let path = absolute(value)?;
        if !is_granted_by_config && !self.has_file_grant(&path) {
            return Err(format!(
                "{} is not granted: {GRANTS_PREFIX}{} has neither config nor file:{}",
                path.display(),
                self.granted.class,
                path.display()
            ));
        }
        Ok(AllowedFile::Path(AllowedPath {
            path,
            follows_link: true,
            roots: self.granted.file_roots.clone(),
        }))
    }

    fn literal_file(&self, text: &str, access: FileAccess) -> Result<AllowedFile, String> {
        let path = absolute(text)?;
        let is_asked = self.asked.iter().any(|capability| match capability {
            Capability::Files(asked, upto) => {
                *upto >= access && PathRule::parse(asked).is_ok_and(|rule| rule.matches(&path))
            }
            _ => false,
        });
        if !is_asked {
            return Err(format!(
                "{} is denied: it is neither a setting nor a path that the plugin asks for",
                path.display()
            ));
        }
        if !self.has_file_grant(&path) {
            return Err(format!(
                "{} is not granted: {GRANTS_PREFIX}{} lacks file:{}",
                path.display(),
                self.granted.class,
                path.display()
            ));
        }
        Ok(AllowedFile::Path(AllowedPath {
            path,
            follows_link: false,
            roots: self.granted.file_roots.clone(),
        }))
    }

    fn asks_for_file(&self, wanted: &str, access: FileAccess) -> bool {
        self.asked.iter().any(
            |capability| matches!(capability, Capability::Files(asked, upto) if asked == wanted && *upto >= access),
        )
    }

    fn has_file_grant(&self, path: &Path) -> bool {
        self.granted
            .granted
            .iter()
            .any(|grant| matches!(grant, Grant::File(rule) if rule.matches(path)))
    }
}

/// Hosts named by a setting: URLs, `host:port` or hosts, separated by commas. What follows a comma in the path or query of a
/// URL belongs to it, and names no host, unless it is a URL itself.
fn hosts_in(value: &str) -> impl Iterator<Item = HostRule> + '_ {
    let mut is_in_url = false;
    list_items(value)
        .filter(move |item| {
            let has_scheme = item.contains("://");
            let is_part = is_in_url && !has_scheme;
            let after_scheme = item.split_once("://").map(|(_, rest)| rest);
            is_in_url = is_part || after_scheme.is_some_and(|rest| rest.contains(['/', '?', '#']));
            !is_part
        })
        .filter_map(HostRule::of_setting)
}

/// One path, or all below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathRule {
    Exact(PathBuf),
    Below(PathBuf),
}

impl PathRule {
    /// Reads `/a/file` or `/a/folder/*`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(folder) = text.strip_suffix("/*") {
            return Ok(Self::Below(absolute(if folder.is_empty() { "/" } else { folder })?));
        }
        if text.contains('*') {
            return Err(format!("{text}: * may stand only at the end, as /*"));
        }
        Ok(Self::Exact(absolute(text)?))
    }

    fn matches(&self, path: &Path) -> bool {
        match self {
            Self::Exact(exact) => exact == path,
            Self::Below(folder) => path.starts_with(folder) && path != folder,
        }
    }
}

/// Makes a path absolute and free of `.` and `..` without looking at the disk.
fn absolute(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("the path is empty".to_owned());
    }
    let absolute = std::path::absolute(text).map_err(|error| format!("{text}: {error}"))?;
    let mut normal = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(part),
        }
    }
    Ok(normal)
}

fn list_items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn parse_list(key: &str, value: &str) -> Result<Vec<Grant>, PluginError> {
    list_items(value)
        .map(|item| {
            parse_grant(item).map_err(|reason| PluginError::Setting {
                key: key.to_owned(),
                value: item.to_owned(),
                reason,
            })
        })
        .collect()
}

fn parse_grant(item: &str) -> Result<Grant, String> {
    let (word, rest) = item.split_once(':').unwrap_or((item, ""));
    match (word, rest) {
        ("http", host) => HostRule::parse(host).map(Grant::Http),
        ("tcp", host) => HostRule::parse(host).map(Grant::Tcp),
        ("file", path) => PathRule::parse(path).map(Grant::File),
        ("env", name) if !name.is_empty() => Ok(Grant::Env(name.to_owned())),
        ("memory", bytes) => bytes
            .parse()
            .map(Grant::MemoryBytes)
            .map_err(|_| format!("{bytes} is not a number of bytes")),
        ("wall-clock", "") => Ok(Grant::WallClock),
        ("random", "") => Ok(Grant::Random),
        ("secrets", "") => Ok(Grant::Secrets),
        ("config", "") => Ok(Grant::Config),
        _ => Err(
            "known grants are http:HOST[:PORT], tcp:HOST:PORT, file:PATH, env:NAME, memory:BYTES, wall-clock, random, secrets, config"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests;
