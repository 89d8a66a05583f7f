//! The versions of plugins that a config asks for (KIP-891)
//!
//! Whether there is such a version, and Connect's words when there is none. The syntax of ranges is in
//! `plugins/version_range.rs`.

use weir_config::map::ConfigMap;
use weir_plugins::plugins::Plugins;
use weir_plugins::version_range::VersionRange;
use weir_worker::connector_config::ConfigProblem;

/// Tells why no version of a class lies in the range; none when one does.
pub(super) fn not_found(plugins: &Plugins, class: &str, range: Option<&VersionRange>) -> Option<String> {
    let refused = plugins.require_version(class, range?).err()?;
    Some(refused.to_string())
}

/// Checks the version that a config asks for; what cannot be had is an error of both keys.
pub(super) fn problems(
    plugins: &Plugins,
    config: &ConfigMap,
    class: &str,
    class_key: &str,
    version_key: &str,
) -> Vec<ConfigProblem> {
    let problem = |key: &str, message: String| ConfigProblem {
        key: key.to_owned(),
        message,
    };
    match VersionRange::parse(config.get(version_key)) {
        Err(error) => vec![problem(version_key, error.to_string())],
        Ok(range) => match not_found(plugins, class, range.as_ref()) {
            Some(message) => vec![problem(class_key, message.clone()), problem(version_key, message)],
            None => Vec::new(),
        },
    }
}

/// Gives the versions worth offering for a class, each once.
pub(super) fn offered(plugins: &Plugins, class: &str) -> Vec<String> {
    let mut versions = plugins.versions(class);
    versions.dedup();
    versions
}
