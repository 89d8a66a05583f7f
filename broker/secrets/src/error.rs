//! What can go wrong when a provider is set up or asked, or a key store read
//!
//! No text here holds a value that a provider gave, a password or a key, only names and paths.

use std::path::PathBuf;

/// A provider that cannot be used, or a look-up that failed.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// `config.providers` names a provider without a class.
    #[error("Invalid value null for configuration config.providers.{name}.class: the provider {name} has no class")]
    NoClass { name: String },
    /// A class that is not here.
    #[error(
        "Invalid value {class} for configuration config.providers.{name}.class: Class {class} could not be found; known are FileConfigProvider, DirectoryConfigProvider and EnvVarConfigProvider of org.apache.kafka.common.config.provider"
    )]
    UnknownClass { name: String, class: String },
    /// A parameter that makes no sense.
    #[error("Invalid value {value} for configuration config.providers.{name}.param.{key}: {reason}")]
    Parameter {
        name: String,
        key: &'static str,
        value: String,
        reason: String,
    },
    /// The file or folder cannot be read.
    #[error("Could not read properties from file {path}: {error}")]
    File { path: PathBuf, error: std::io::Error },
    /// A file that is not in properties form.
    #[error("Could not read properties from file {path}: {reason}")]
    Malformed { path: PathBuf, reason: String },
    /// The folder cannot be read.
    #[error("Could not list directory {path}: {error}")]
    Directory { path: PathBuf, error: std::io::Error },
    /// `allowed.paths` does not cover it.
    #[error("The path {path} is not allowed: config.providers.{provider}.param.allowed.paths does not cover it")]
    NotAllowed { provider: String, path: PathBuf },
    /// Environment variables have no path.
    #[error("Path is not supported for EnvVarConfigProvider, invalid value '{path}'")]
    EnvPath { path: String },
    /// A TLS setting or the store that it names cannot be used; `value` is no secret.
    #[error("Invalid value {value} for configuration {key}: {reason}")]
    Setting { key: String, value: String, reason: String },
}
