//! What source and sink read alike: hosts, rules, headers, secrets

use std::collections::BTreeMap;

use weir_feed::url::{Hosts, Url};
use weir_sdk::config::def::{ConfigDef, ConfigType};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ParsedConfig;
use weir_sdk::secret::Secret;

use crate::problems::Problems;
use crate::rules::{LimitHeaders, Rule, Rules};
use crate::source_config as key;
use crate::template::{Position, Template};

/// Reads the response rules.
pub(crate) fn read_rules(parsed: &ParsedConfig, problems: &mut Problems, limits: LimitHeaders) -> Option<Rules> {
    let text = parsed.opt_text(key::ERRORS).unwrap_or_default();
    problems
        .keep(key::ERRORS, text, Rule::parse_all(text))
        .map(|own| Rules::new(own, limits))
}

/// Reads which hosts may be asked: that of the URL, and those listed.
pub(crate) fn read_hosts(parsed: &ParsedConfig, url_text: &str, problems: &mut Problems) -> Option<Hosts> {
    let after_scheme = url_text.split_once("://").map_or("", |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains("${") {
        problems.push(
            key::URL,
            url_text,
            "placeholders may stand in the path and query only: the host must be known before",
        );
        return None;
    }
    // What placeholders will give is not known yet; the rest must be a URL.
    let sample = Template::parse(url_text)
        .ok()?
        .render(Position::Url, &|_| Some("x".to_owned()));
    let url = problems.keep(key::URL, url_text, Url::parse(&sample))?;
    let mut hosts = Hosts::of(&url);
    let listed = parsed.opt_text(key::ALLOW_HOSTS).unwrap_or_default();
    for pattern in listed.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
        let pushed = hosts.push(pattern);
        problems.keep(key::ALLOW_HOSTS, listed, pushed);
    }
    match parsed.opt_boolean(key::ALLOW_PRIVATE) {
        Some(true) => hosts.allow_private(),
        Some(false) if url.is_private() => {
            problems.push_text(
                key::ALLOW_PRIVATE,
                format!(
                    "{} is a private address itself; leave {} out",
                    url.redacted(),
                    key::ALLOW_PRIVATE
                ),
            );
        }
        _ => {}
    }
    Some(hosts)
}

/// Gives all secrets of a connector, to be kept out of messages.
pub(crate) fn secrets_of(def: &ConfigDef, config: &ConfigMap) -> Vec<Secret> {
    let rows = def.keys().iter().filter(|row| row.config_type == ConfigType::Password);
    rows.filter_map(|row| Secret::of(config, &row.name)).collect()
}

/// Gives the settings that `${config.KEY}` may stand for.
pub(crate) fn config_values(config: &ConfigMap) -> BTreeMap<String, String> {
    let given = config
        .iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    given.collect()
}

/// Refuses secrets in the path: it is logged by every machine on the way, and the host does not fill it in.
pub(crate) fn check_path_secrets(def: &ConfigDef, url: &Template, url_text: &str, problems: &mut Problems) {
    let path = url_text.split('?').next().unwrap_or_default();
    for hole in url.holes() {
        let is_secret = hole
            .strip_prefix("config.")
            .and_then(|name| def.get(name))
            .is_some_and(|row| row.config_type == ConfigType::Password);
        if is_secret && path.contains(&format!("${{{hole}}}")) {
            problems.push(
                key::URL,
                url_text,
                "a secret cannot stand in the path; put it into a header or the query",
            );
        }
    }
}

/// Reads `NAME: VALUE` lines or a JSON object.
pub(crate) fn parse_pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let text = text.trim();
    if text.starts_with('{') {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| format!("it is not a JSON object of texts: {error}"))?;
        return object
            .into_iter()
            .map(|(name, value)| match weir_feed::pointer::scalar_text(&value) {
                Some(value) => Ok((name, value)),
                None => Err(format!("the value of {name} is neither text nor number")),
            })
            .collect();
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| format!("the line '{line}' does not read NAME: VALUE"))?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}
