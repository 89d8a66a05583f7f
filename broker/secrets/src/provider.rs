//! The three providers that come with Kafka
//!
//! Files are read at each look-up, so that a rotated secret is found by the next start; with `ttl.ms`, which is ours, that start
//! comes by itself. Classes:
//! `org.apache.kafka.common.config.provider.{FileConfigProvider,DirectoryConfigProvider,EnvVarConfigProvider}`.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use regex::Regex;
use weir_config::properties::Properties;

use crate::error::SecretsError;

const PACKAGE: &str = "org.apache.kafka.common.config.provider.";

/// A provider, set up.
#[derive(Debug)]
pub struct Provider {
    name: String,
    kind: Kind,
    /// Time after which a value may be another; none: values are for ever.
    pub time_to_live: Option<Duration>,
}

#[derive(Debug)]
enum Kind {
    /// A properties file; the key names a property.
    File { allowed: Option<Vec<PathBuf>> },
    /// A folder; the key names a file in it.
    Directory { allowed: Option<Vec<PathBuf>> },
    /// Variables of this process whose names match.
    Env { allowlist: Regex },
}

impl Provider {
    /// Sets a provider up from its class and its `param.` settings.
    ///
    /// # Errors
    /// `UnknownClass`, `Parameter`.
    pub fn new(name: &str, class: &str, parameters: &Properties) -> Result<Self, SecretsError> {
        let kind = match class.strip_prefix(PACKAGE).unwrap_or(class) {
            "FileConfigProvider" => Kind::File {
                allowed: allowed_paths(name, parameters)?,
            },
            "DirectoryConfigProvider" => Kind::Directory {
                allowed: allowed_paths(name, parameters)?,
            },
            "EnvVarConfigProvider" => Kind::Env {
                allowlist: allowlist(name, parameters)?,
            },
            _ => {
                return Err(SecretsError::UnknownClass {
                    name: name.to_owned(),
                    class: class.to_owned(),
                });
            }
        };
        Ok(Self {
            name: name.to_owned(),
            kind,
            time_to_live: time_to_live(name, parameters)?,
        })
    }

    /// Looks a key up; `None` when there is no such key, which leaves the variable as written.
    ///
    /// # Errors
    /// The file or folder cannot be read or is not allowed; a path where none belongs.
    pub fn get(&self, path: &str, key: &str) -> Result<Option<String>, SecretsError> {
        match &self.kind {
            Kind::File { allowed } => {
                let file = self.checked(path, allowed.as_deref())?;
                let text = std::fs::read_to_string(&file).map_err(|error| SecretsError::File {
                    path: file.clone(),
                    error,
                })?;
                let properties = Properties::parse(&text).map_err(|error| SecretsError::Malformed {
                    path: file,
                    reason: error.to_string(),
                })?;
                Ok(properties.get(key).map(str::to_owned))
            }
            Kind::Directory { allowed } => {
                let folder = self.checked(path, allowed.as_deref())?;
                // A key is a file of the folder itself.
                let is_name = matches!(
                    Path::new(key).components().collect::<Vec<_>>().as_slice(),
                    [Component::Normal(_)]
                );
                let file = folder.join(key);
                if !is_name || !file.is_file() {
                    return std::fs::metadata(&folder)
                        .map(|_| None)
                        .map_err(|error| SecretsError::Directory { path: folder, error });
                }
                std::fs::read_to_string(&file)
                    .map(Some)
                    .map_err(|error| SecretsError::File { path: file, error })
            }
            Kind::Env { allowlist } => {
                if !path.is_empty() {
                    return Err(SecretsError::EnvPath { path: path.to_owned() });
                }
                let is_allowed = allowlist.find(key).is_some_and(|found| found.len() == key.len());
                Ok(is_allowed.then(|| std::env::var(key).ok()).flatten())
            }
        }
    }

    fn checked(&self, path: &str, allowed: Option<&[PathBuf]>) -> Result<PathBuf, SecretsError> {
        let path = normal(Path::new(path));
        let is_allowed = allowed.is_none_or(|roots| roots.iter().any(|root| path.starts_with(root)));
        if is_allowed {
            Ok(path)
        } else {
            Err(SecretsError::NotAllowed {
                provider: self.name.clone(),
                path,
            })
        }
    }
}

fn time_to_live(name: &str, parameters: &Properties) -> Result<Option<Duration>, SecretsError> {
    const KEY: &str = "ttl.ms";
    let Some(text) = parameters.get(KEY).map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(0) | Err(_) => Err(SecretsError::Parameter {
            name: name.to_owned(),
            key: KEY,
            value: text.to_owned(),
            reason: "not a positive number of milliseconds".to_owned(),
        }),
        Ok(ms) => Ok(Some(Duration::from_millis(ms))),
    }
}

fn allowed_paths(name: &str, parameters: &Properties) -> Result<Option<Vec<PathBuf>>, SecretsError> {
    const KEY: &str = "allowed.paths";
    let Some(text) = parameters.get(KEY).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let wrong = |path: &str, reason: &str| SecretsError::Parameter {
        name: name.to_owned(),
        key: KEY,
        value: path.to_owned(),
        reason: reason.to_owned(),
    };
    text.split(',')
        .map(str::trim)
        .map(|item| match Path::new(item) {
            path if !path.is_absolute() => Err(wrong(item, "the path is not absolute")),
            path if !path.exists_now() => Err(wrong(item, "the path does not exist")),
            path => Ok(normal(path)),
        })
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Names are matched whole, as Java's `matches` does.
fn allowlist(name: &str, parameters: &Properties) -> Result<Regex, SecretsError> {
    const KEY: &str = "allowlist.pattern";
    let pattern = parameters.get(KEY).filter(|text| !text.is_empty()).unwrap_or(".*");
    Regex::new(&format!("^(?:{pattern})$")).map_err(|error| SecretsError::Parameter {
        name: name.to_owned(),
        key: KEY,
        value: pattern.to_owned(),
        reason: error.to_string(),
    })
}

trait ExistsNow {
    fn exists_now(&self) -> bool;
}

impl ExistsNow for Path {
    fn exists_now(&self) -> bool {
        std::fs::metadata(self).is_ok()
    }
}

/// The path without `.` and `..`, so that an allowed folder cannot be left by name.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(class: &str, parameters: &[(&str, &str)]) -> Result<Provider, SecretsError> {
        let mut properties = Properties::default();
        for (key, value) in parameters {
            properties.insert(*key, *value);
        }
        Provider::new("p", class, &properties)
    }

    #[test]
    fn a_file_gives_its_properties() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("s.properties");
        std::fs::write(&file, "user=ana\npassword=a\\=b\n").expect("file");
        let files = provider(&format!("{PACKAGE}FileConfigProvider"), &[]).expect("provider");
        let get = |key: &str| files.get(&file.display().to_string(), key).expect("look-up");
        assert_eq!(get("password").as_deref(), Some("a=b"));
        assert_eq!(get("none"), None);
        let missing = files.get("/none/s.properties", "x").expect_err("no such file");
        assert!(
            missing
                .to_string()
                .starts_with("Could not read properties from file /none/s.properties")
        );
    }

    #[test]
    fn a_folder_gives_its_files_and_no_others() {
        let folder = tempfile::tempdir().expect("folder");
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).expect("inner");
        std::fs::write(inner.join("token"), "t0k\n").expect("file");
        std::fs::write(folder.path().join("outside"), "no").expect("file");
        let folders = provider("DirectoryConfigProvider", &[]).expect("provider");
        let path = inner.display().to_string();
        assert_eq!(folders.get(&path, "token").expect("look-up").as_deref(), Some("t0k\n"));
        assert_eq!(folders.get(&path, "../outside").expect("look-up"), None);
        assert!(folders.get("/none", "x").is_err());
    }

    #[test]
    fn allowed_paths_bound_what_is_read() {
        let folder = tempfile::tempdir().expect("folder");
        let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
        std::fs::create_dir(&inside).expect("in");
        std::fs::create_dir(&outside).expect("out");
        std::fs::write(outside.join("s.properties"), "a=1").expect("file");
        let files = provider(
            "FileConfigProvider",
            &[("allowed.paths", &inside.display().to_string())],
        )
        .expect("provider");
        let sneaky = format!("{}/../out/s.properties", inside.display());
        let refused = files.get(&sneaky, "a").expect_err("outside");
        assert!(matches!(refused, SecretsError::NotAllowed { .. }), "{refused}");
        assert!(provider("FileConfigProvider", &[("allowed.paths", "relative")]).is_err());
    }

    #[test]
    fn the_environment_is_bounded_by_its_pattern() {
        let all = provider("EnvVarConfigProvider", &[]).expect("provider");
        assert_eq!(all.get("", "PATH").expect("look-up"), std::env::var("PATH").ok());
        assert!(all.get("a/path", "PATH").is_err());
        let some = provider("EnvVarConfigProvider", &[("allowlist.pattern", "PAT|HOME")]).expect("provider");
        assert_eq!(some.get("", "PATH").expect("look-up"), None, "matched whole");
        assert!(provider("EnvVarConfigProvider", &[("allowlist.pattern", "(")]).is_err());
    }

    #[test]
    fn an_unknown_class_is_named() {
        let error = provider("com.example.Vault", &[]).expect_err("unknown");
        assert!(
            error.to_string().contains("Class com.example.Vault could not be found"),
            "{error}"
        );
    }
}
