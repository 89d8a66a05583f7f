//! Finding components: bundled ones and those under `plugin.path`
//!
//! A file is described by its cached manifest, else by its manifest section, else by asking it in a throw-away instance.
//! What cannot be used is kept with its reason; it never stops the worker.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::PluginError;
use crate::limits::MAX_COMPONENT_BYTES;

/// A component file as the scan met it.
#[derive(Debug)]
pub(crate) struct ScannedFile {
    pub(crate) path: PathBuf,
    pub(crate) digest: String,
    pub(crate) wasm: Vec<u8>,
}

/// A file that is no usable plugin, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusablePlugin {
    pub path: PathBuf,
    pub reason: String,
}

/// Lists the `.wasm` files of the plugin path: each entry is a file, or a folder that is read one level deep.
///
/// Order is that of the path, by name within a folder. An entry that cannot be read is logged and passed over, as in Connect.
pub(crate) fn list(plugin_path: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in plugin_path {
        if entry.is_file() {
            found.push(entry.clone());
            continue;
        }
        for path in folder_entries(entry) {
            if path.is_dir() {
                found.extend(folder_entries(&path).into_iter().filter(|p| is_wasm(p)));
            } else if is_wasm(&path) {
                found.push(path);
            }
        }
    }
    found
}

fn is_wasm(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "wasm")
}

fn folder_entries(folder: &Path) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "cannot read a folder of plugin.path");
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Reads and hashes one file.
pub(crate) fn read(path: &Path) -> Result<ScannedFile, PluginError> {
    let wasm = read_capped(path)?;
    if wasm.get(..8) != Some(b"\0asm\x0d\0\x01\0") {
        return Err(PluginError::Unusable {
            plugin: path.display().to_string(),
            reason: match wasm.get(..8) {
                Some(b"\0asm\x01\0\0\0") => "it is a core WebAssembly module, not a component".to_owned(),
                _ => "it is not a WebAssembly component".to_owned(),
            },
        });
    }
    Ok(ScannedFile {
        path: path.to_owned(),
        digest: digest(&wasm),
        wasm,
    })
}

fn read_capped(path: &Path) -> Result<Vec<u8>, PluginError> {
    let io_error = |source| PluginError::Io {
        path: path.to_owned(),
        source,
    };
    let file = fs::File::open(path).map_err(io_error)?;
    let mut wasm = Vec::new();
    file.take(MAX_COMPONENT_BYTES + 1)
        .read_to_end(&mut wasm)
        .map_err(io_error)?;
    if u64::try_from(wasm.len()).unwrap_or(u64::MAX) > MAX_COMPONENT_BYTES {
        return Err(PluginError::Unusable {
            plugin: path.display().to_string(),
            reason: format!("it is larger than {MAX_COMPONENT_BYTES} bytes"),
        });
    }
    Ok(wasm)
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_one_level_deep_in_order_of_name() {
        let root = tempfile::tempdir().expect("temporary folder");
        let make = |name: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("has one")).expect("creates");
            fs::write(&path, b"x").expect("writes");
            path
        };
        let expected = vec![make("a/z.wasm"), make("b.wasm")];
        make("a/deep/c.wasm");
        make("readme.txt");
        let missing = root.path().join("missing");
        assert_eq!(list(&[missing, root.path().to_owned()]), expected);
    }

    #[test]
    fn what_is_no_component_is_refused_with_the_reason() {
        let root = tempfile::tempdir().expect("temporary folder");
        let path = root.path().join("x.wasm");
        let check = |content: &[u8], expected: &str| {
            fs::write(&path, content).expect("writes");
            let error = read(&path).expect_err("refused").to_string();
            assert!(error.ends_with(expected), "{error}");
        };
        check(b"hello", "it is not a WebAssembly component");
        check(b"\0asm\x01\0\0\0", "it is a core WebAssembly module, not a component");
    }
}
