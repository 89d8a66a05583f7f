//! Connector files on the command line: flat JSON, a JSON create request, or Java properties.
//!
//! Tried in this order, as Apache's standalone worker does; the name is needed in each.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use serde_json::{Map, Value};
use weir_config::map::ConfigMap;
use weir_stores::configs::state::TargetState;

use crate::overrides::read_properties;

/// One connector to create.
#[derive(Debug, Clone)]
pub(crate) struct ConnectorFile {
    /// Where it came from.
    pub(crate) path: PathBuf,
    /// The connector's name.
    pub(crate) name: String,
    /// Its config, name included.
    pub(crate) config: ConfigMap,
    /// None = running.
    pub(crate) initial_state: Option<TargetState>,
}

/// Reads one file.
pub(crate) fn read(path: &Path) -> anyhow::Result<ConnectorFile> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the connector file {}", path.display()))?;
    let (config, initial_state) = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(map)) => from_json(map).with_context(|| format!("connector file {}", path.display()))?,
        Ok(_) => bail!("connector file {} holds JSON that is no object", path.display()),
        Err(_) => (read_properties(path)?.to_map(), None),
    };
    let name = config.get("name").map(str::to_owned);
    let name = name.ok_or_else(|| anyhow!("connector file {} has no \"name\"; add name=… to it", path.display()))?;
    Ok(ConnectorFile {
        path: path.to_owned(),
        name,
        config,
        initial_state,
    })
}

fn from_json(mut map: Map<String, Value>) -> anyhow::Result<(ConfigMap, Option<TargetState>)> {
    let Some(Value::Object(inner)) = map.remove("config") else {
        return Ok((flat(map)?, None));
    };
    let mut config = flat(inner)?;
    if let Some(Value::String(name)) = map.get("name") {
        config.insert("name", name.trim());
    }
    let initial_state = match map
        .get("initial_state")
        .and_then(Value::as_str)
        .map(str::to_ascii_uppercase)
        .as_deref()
    {
        None => None,
        Some("RUNNING") => Some(TargetState::Started),
        Some("PAUSED") => Some(TargetState::Paused),
        Some("STOPPED") => Some(TargetState::Stopped),
        Some(other) => bail!("initial_state {other:?} is none of RUNNING, PAUSED, STOPPED"),
    };
    Ok((config, initial_state))
}

fn flat(map: Map<String, Value>) -> anyhow::Result<ConfigMap> {
    let mut config = ConfigMap::new();
    for (key, value) in map {
        let text = match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Number(number) => Some(number.to_string()),
            Value::Array(_) | Value::Object(_) => bail!("setting {key:?} is a nested value, a text is needed"),
        };
        config.insert_entry(key, text);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(String, Option<String>)>;

    fn check(file_name: &str, text: &str) -> anyhow::Result<(String, Pairs, Option<TargetState>)> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(file_name);
        std::fs::write(&path, text)?;
        let file = read(&path)?;
        let pairs = file
            .config
            .iter()
            .map(|(k, v)| (k.to_owned(), v.map(str::to_owned)))
            .collect();
        Ok((file.name, pairs, file.initial_state))
    }

    #[test]
    fn three_forms_are_read() {
        let pair = |k: &str, v: &str| (k.to_owned(), Some(v.to_owned()));
        let expected = vec![pair("name", "a"), pair("tasks.max", "1")];
        let flat = check("c.json", r#"{"name":"a","tasks.max":1}"#).expect("flat JSON");
        assert_eq!((flat.1, flat.2), (expected.clone(), None));
        let request = check(
            "c.json",
            r#"{"name":"a","config":{"name":"x","tasks.max":"1"},"initial_state":"paused"}"#,
        )
        .expect("request");
        assert_eq!(
            (request.0.as_str(), request.1, request.2),
            ("a", expected.clone(), Some(TargetState::Paused))
        );
        let properties = check("c.properties", "name=a\ntasks.max=1\n").expect("properties");
        assert_eq!(properties.1, expected);
    }

    #[test]
    fn a_file_without_a_name_is_refused_with_the_fix() {
        let error = check("c.properties", "tasks.max=1\n").expect_err("no name");
        assert!(format!("{error:#}").contains("add name="), "{error:#}");
    }
}
