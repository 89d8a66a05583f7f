//! What the rows of the settings cannot say
//!
//! Checked without a request: credentials, query, rules, users, start. One finding a fault, each at the key to change.

use weir_feed::url::Url;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ParsedConfig;

use crate::twitter_config::{
    API_KEY, API_SECRET, BASE_URL, BEARER_TOKEN, KEY, MAX_RESULTS, MODE, QUERY, QUERY_MAX_LENGTH, RULES, RULES_SYNC,
    START, TWEET_FIELDS, USER_IDS, USERNAMES,
};
use crate::values::{Finding, finding, rules, start, users};

const MAX_RULES: usize = 1000;
const MAX_RULE_CHARS: usize = 1024;
const LEAST_SEARCH_RESULTS: i32 = 10;

/// Gives all faults.
pub fn findings(parsed: &ParsedConfig, config: &ConfigMap) -> Vec<Finding> {
    let mut found = credentials(config);
    found.extend(base(parsed));
    match parsed.opt_text(MODE) {
        Some("recent_search") => found.extend(search(parsed)),
        Some("filtered_stream") => found.extend(stream(parsed)),
        Some("user_tweets") => match users(parsed) {
            Err(fault) => found.push(fault),
            Ok(users) if users.is_empty() => {
                found.push(finding(
                    USERNAMES,
                    format!("user_tweets needs names here or ids in {USER_IDS}"),
                ));
            }
            Ok(_) => {}
        },
        _ => {}
    }
    if let Err(message) = start(parsed.opt_text(START).unwrap_or_default()) {
        found.push(finding(START, message));
    }
    let fields = parsed.opt_list(TWEET_FIELDS).unwrap_or_default();
    if let Some(key) = parsed.opt_text(KEY).filter(|key| *key != "id")
        && !fields.iter().any(|field| field == key)
    {
        found.push(finding(
            KEY,
            format!("{key} is not among {TWEET_FIELDS}, so posts will not have it"),
        ));
    }
    found
}

fn credentials(config: &ConfigMap) -> Vec<Finding> {
    let is_set = |key| config.get(key).is_some_and(|value| !value.is_empty());
    match (is_set(BEARER_TOKEN), is_set(API_KEY), is_set(API_SECRET)) {
        (true, false, false) | (false, true, true) => Vec::new(),
        (false, false, false) => vec![finding(
            BEARER_TOKEN,
            format!("give a token, or else {API_KEY} and {API_SECRET}"),
        )],
        (false, true, false) => vec![finding(API_SECRET, format!("is needed with {API_KEY}"))],
        (false, false, true) => vec![finding(API_KEY, format!("is needed with {API_SECRET}"))],
        (true, _, _) => vec![finding(
            BEARER_TOKEN,
            format!("give either a token or {API_KEY} and {API_SECRET}, not both"),
        )],
    }
}

fn base(parsed: &ParsedConfig) -> Option<Finding> {
    match Url::parse(parsed.opt_text(BASE_URL)?) {
        Err(message) => Some(finding(BASE_URL, message)),
        Ok(url) if url.path != "/" || url.query.is_some() => {
            Some(finding(BASE_URL, "must have neither path nor query"))
        }
        // On the same machine there is nobody on the way.
        Ok(url) if url.scheme == "http" && !url.is_private() => Some(finding(
            BASE_URL,
            "http would send the credentials in the clear; use https",
        )),
        Ok(_) => None,
    }
}

fn search(parsed: &ParsedConfig) -> Option<Finding> {
    let query = parsed.opt_text(QUERY).unwrap_or_default();
    let most = usize::try_from(parsed.opt_int(QUERY_MAX_LENGTH).unwrap_or(0)).unwrap_or(0);
    let length = query.chars().count();
    if query.trim().is_empty() {
        return Some(finding(QUERY, "recent_search needs a query"));
    }
    if length > most {
        let message = format!("has {length} characters, but {QUERY_MAX_LENGTH} allows {most}");
        return Some(finding(QUERY, message));
    }
    let is_small = parsed
        .opt_int(MAX_RESULTS)
        .is_some_and(|most| most < LEAST_SEARCH_RESULTS);
    is_small.then(|| {
        finding(
            MAX_RESULTS,
            format!("a search gives at least {LEAST_SEARCH_RESULTS} posts a page"),
        )
    })
}

fn stream(parsed: &ParsedConfig) -> Vec<Finding> {
    let rules = match rules(parsed.opt_text(RULES).unwrap_or_default()) {
        Ok(rules) => rules,
        Err(message) => return vec![finding(RULES, message)],
    };
    let mut found = Vec::new();
    if rules.is_empty() && parsed.opt_text(RULES_SYNC) == Some("exact") {
        found.push(finding(RULES, "exact without rules would delete all rules of the app"));
    }
    if rules.len() > MAX_RULES {
        found.push(finding(
            RULES,
            format!("has {} rules, but X allows {MAX_RULES}", rules.len()),
        ));
    }
    for rule in &rules {
        let length = rule.value.chars().count();
        if length > MAX_RULE_CHARS {
            let start: String = rule.value.chars().take(20).collect();
            let message = format!("the rule '{start}…' has {length} characters, but X allows {MAX_RULE_CHARS}");
            found.push(finding(RULES, message));
        }
    }
    let mut values: Vec<&str> = rules.iter().map(|rule| rule.value.as_str()).collect();
    values.sort_unstable();
    if let Some(double) = values.windows(2).find(|pair| pair.first() == pair.last()) {
        let value = double.first().copied().unwrap_or_default();
        found.push(finding(RULES, format!("the rule '{value}' stands there twice")));
    }
    found
}
