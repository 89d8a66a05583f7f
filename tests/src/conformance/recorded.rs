//! Recorded answers: `tests/conformance/recorded/AREA.json`, one line an answer.
//!
//! What differs from run to run by nature (addresses, folders) stands there as `{worker1}`, `{dir}` and so on.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request with its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Method and path as the scenario has them.
    pub request: String,
    /// HTTP status.
    pub status: u16,
    /// Header names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, if it is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some")]
    pub body: Option<Value>,
    /// The body, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A body of `null` is a body.
fn some<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Scenario names with their exchanges.
pub type Recorded = Vec<(String, Vec<Exchange>)>;

/// Reads an area's answers; none where nothing was recorded yet.
pub fn read(folder: &Path, area: &str) -> anyhow::Result<Recorded> {
    let path = folder.join(format!("{area}.json"));
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(Vec::new());
    };
    let all: serde_json::Map<String, Value> =
        serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    all.into_iter()
        .map(|(name, exchanges)| {
            let exchanges = serde_json::from_value(exchanges).with_context(|| format!("{}: {name}", path.display()))?;
            Ok((name, exchanges))
        })
        .collect()
}

/// Writes an area's answers.
pub fn write(folder: &Path, area: &str, recorded: &Recorded) -> anyhow::Result<()> {
    let scenarios = recorded
        .iter()
        .map(|(name, exchanges)| {
            let lines = exchanges
                .iter()
                .map(|exchange| serde_json::to_string(exchange).map(|line| format!("    {line}")))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(format!(
                "  {}: [\n{}\n  ]",
                serde_json::to_string(name)?,
                lines.join(",\n")
            ))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let text = format!("{{\n{}\n}}\n", scenarios.join(",\n"));
    Ok(std::fs::write(folder.join(format!("{area}.json")), text)?)
}
