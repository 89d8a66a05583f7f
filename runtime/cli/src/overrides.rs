//! Settings from files and from `--override key=value`.
//!
//! Later wins: defaults of the command, then the file, then overrides.

use std::path::Path;

use anyhow::{Context as _, bail};
use weir_config::properties::Properties;
use weir_secrets::providers::Providers;

/// Reads a Java properties file.
pub(crate) fn read_properties(path: &Path) -> anyhow::Result<Properties> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8 text", path.display()))?;
    Properties::parse(&text).with_context(|| format!("{} is not a valid properties file", path.display()))
}

/// Applies `key=value` texts.
pub(crate) fn apply(properties: &mut Properties, overrides: &[String]) -> anyhow::Result<()> {
    for text in overrides {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => properties.insert(key.trim(), value.trim()),
            _ => bail!("--override {text:?} is not of the form key=value"),
        };
    }
    Ok(())
}

/// Fills in the variables of a file by the providers that it names itself.
pub(crate) fn filled(properties: &Properties) -> anyhow::Result<Properties> {
    let providers = Providers::from_properties(properties).context("config.providers")?;
    providers
        .resolve_properties(properties)
        .context("variables in the settings")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_replace_and_add() {
        let mut properties = Properties::parse("a=1\n").expect("valid");
        apply(&mut properties, &["a=2".to_owned(), "b = x=y".to_owned()]).expect("valid");
        assert_eq!((properties.get("a"), properties.get("b")), (Some("2"), Some("x=y")));
        let refused = apply(&mut properties, &["nothing".to_owned()]).expect_err("no equals sign");
        assert!(refused.to_string().contains("key=value"));
    }
}
