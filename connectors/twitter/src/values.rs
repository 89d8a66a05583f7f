//! Texts of settings that hold more than one thing: rules, users, where to start
//!
//! And the finding that says what is wrong with one. Pure.

use std::fmt;

use serde_json::Value;
use weir_feed::time::parse_rfc3339;
use weir_sdk::config::validate::ParsedConfig;

use crate::twitter_config::{USER_IDS, USERNAMES};

const MAX_USERNAME_CHARS: usize = 15;

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The key to change.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// Makes a finding.
pub fn finding(key: &'static str, message: impl Into<String>) -> Finding {
    Finding {
        key,
        message: message.into(),
    }
}

/// Where a first run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Now.
    Latest,
    /// As far back as the service goes.
    Earliest,
    /// At a time, in milliseconds since the epoch.
    At(i64),
}

/// A rule of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSetting {
    /// What it selects.
    pub value: String,
    /// Its name.
    pub tag: Option<String>,
}

/// A user whose posts are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserSetting {
    /// By name.
    Name(String),
    /// By id.
    Id(u64),
}

/// Reads the rules: `tag=value` separated by semicolons, or a JSON array.
///
/// # Errors
/// What is wrong.
pub fn rules(text: &str) -> Result<Vec<RuleSetting>, String> {
    if text.trim_start().starts_with('[') {
        let list: Vec<Value> = serde_json::from_str(text).map_err(|error| format!("is not a JSON array: {error}"))?;
        return list.iter().map(json_rule).collect();
    }
    Ok(text
        .split(';')
        .map(str::trim)
        .filter(|rule| !rule.is_empty())
        .map(|rule| match rule.split_once('=') {
            // An operator before the sign makes it part of the value.
            Some((tag, value)) if !tag.contains([':', '"', '(']) => RuleSetting {
                value: value.trim().to_owned(),
                tag: Some(tag.trim().to_owned()).filter(|tag| !tag.is_empty()),
            },
            _ => RuleSetting {
                value: rule.to_owned(),
                tag: None,
            },
        })
        .collect())
}

fn json_rule(rule: &Value) -> Result<RuleSetting, String> {
    let value = rule.as_str().or_else(|| rule.get("value").and_then(Value::as_str));
    let value = value.filter(|value| !value.trim().is_empty());
    Ok(RuleSetting {
        value: value.ok_or_else(|| format!("the rule {rule} has no value"))?.to_owned(),
        tag: rule.get("tag").and_then(Value::as_str).map(str::to_owned),
    })
}

/// Reads the users, names first.
///
/// # Errors
/// A name or id that cannot be one.
pub fn users(parsed: &ParsedConfig) -> Result<Vec<UserSetting>, Finding> {
    let mut users = Vec::new();
    for name in parsed.opt_list(USERNAMES).unwrap_or_default() {
        let name = name.trim_start_matches('@');
        let is_name = (1..=MAX_USERNAME_CHARS).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            let message = format!("'{name}' is no name: 1 to {MAX_USERNAME_CHARS} letters, digits and _");
            return Err(finding(USERNAMES, message));
        }
        users.push(UserSetting::Name(name.to_owned()));
    }
    for id in parsed.opt_list(USER_IDS).unwrap_or_default() {
        let number = id
            .parse()
            .map_err(|_| finding(USER_IDS, format!("'{id}' is not a number")))?;
        users.push(UserSetting::Id(number));
    }
    Ok(users)
}

/// Reads where a first run begins.
///
/// # Errors
/// What is wrong.
pub fn start(text: &str) -> Result<Start, String> {
    match text {
        "latest" => Ok(Start::Latest),
        "earliest" => Ok(Start::Earliest),
        time => match parse_rfc3339(time) {
            Some(ms) => Ok(Start::At(ms)),
            None => Err(format!(
                "'{time}' is neither latest nor earliest nor a time like 2026-11-20T16:00:00Z"
            )),
        },
    }
}
