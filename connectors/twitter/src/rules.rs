//! Rules of the stream: made what the settings say
//!
//! One request a step: the list, then what is to be deleted, then what is to be added. Rules belong to the app and
//! outlive connections, so a second connector of the same app should not use `exact`.

use serde_json::{Value, json};
use weir_feed::pointer::scalar_text;
use weir_feed::url::Url;
use weir_sdk::api::error::ConnectError;
use weir_sdk::{info, warn};

use crate::api::{Caller, Endpoint, Reply};
use crate::parse::MatchingRule;
use crate::settings::{RulesSync, Settings};
use crate::values::RuleSetting;

const PATH: &str = "/2/tweets/search/stream/rules";
/// Rules of one request.
const BATCH: usize = 100;

/// A rule that the app has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Id and name, as matches show them.
    pub shown: MatchingRule,
    /// What it selects.
    pub value: String,
}

/// Makes the rules what they should be.
#[derive(Debug)]
pub struct RuleSync {
    wanted: Vec<RuleSetting>,
    sync: RulesSync,
    url: Url,
    lists: Endpoint,
    changes: Endpoint,
    known: Vec<Rule>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    List(Option<String>),
    Delete(Vec<String>),
    Add(Vec<RuleSetting>),
}

impl RuleSync {
    /// Starts with the settings.
    pub fn new(settings: &Settings) -> Self {
        let url = Url {
            path: PATH.to_owned(),
            ..settings.base.clone()
        };
        Self {
            wanted: settings.rules.clone(),
            sync: settings.rules_sync,
            url,
            lists: Endpoint::new(settings, "x.rules"),
            changes: Endpoint::new(settings, "x.rules.changes"),
            known: Vec::new(),
            phase: Phase::List(None),
        }
    }

    /// Starts over.
    pub fn restart(&mut self) {
        self.known.clear();
        self.phase = Phase::List(None);
    }

    /// Takes the next step; gives the rules once they are as they should be.
    ///
    /// # Errors
    /// As [`Endpoint::get`]; fatal when X refuses a rule.
    pub fn step(&mut self, caller: &mut Caller) -> Result<Option<Vec<Rule>>, ConnectError> {
        match &mut self.phase {
            Phase::List(token) => {
                let mut url = self.url.clone();
                if let Some(token) = token {
                    url.push_param("pagination_token", token);
                }
                let Reply::Body(body, _) = self.lists.get(caller, &url, &[])? else {
                    return Ok(None);
                };
                self.listed(&body);
            }
            Phase::Delete(ids) if !ids.is_empty() => {
                let batch: Vec<String> = ids.iter().take(BATCH).cloned().collect();
                let body = json!({"delete": {"ids": batch}});
                if let Reply::Body(..) = self.changes.post(caller, &self.url, &body)? {
                    ids.drain(..batch.len());
                    info!("rules of the stream deleted"; "ids" => batch.join(","));
                }
            }
            Phase::Delete(_) => self.phase = Phase::Add(self.missing()),
            Phase::Add(rules) if !rules.is_empty() => {
                let batch: Vec<RuleSetting> = rules.iter().take(BATCH).cloned().collect();
                let add: Vec<Value> = batch.iter().map(to_json).collect();
                if let Reply::Body(body, _) = self.changes.post(caller, &self.url, &json!({"add": add}))? {
                    rules.drain(..batch.len());
                    self.added(&body)?;
                }
            }
            Phase::Add(_) => return Ok(Some(self.known.clone())),
        }
        Ok(None)
    }

    /// Gives the endpoints that a step may wait for.
    pub fn endpoint(&mut self) -> &mut Endpoint {
        match self.phase {
            Phase::List(_) => &mut self.lists,
            Phase::Delete(_) | Phase::Add(_) => &mut self.changes,
        }
    }

    fn listed(&mut self, body: &Value) {
        self.known.extend(rules_of(body));
        let token = body
            .get("meta")
            .and_then(|meta| meta.get("next_token"))
            .and_then(Value::as_str);
        if let Some(token) = token {
            self.phase = Phase::List(Some(token.to_owned()));
            return;
        }
        let unwanted = match self.sync {
            RulesSync::Exact => self.unwanted(),
            RulesSync::Ensure | RulesSync::None => Vec::new(),
        };
        self.known.retain(|rule| !unwanted.contains(&rule.shown.id));
        self.phase = Phase::Delete(unwanted);
        for wanted in &self.wanted {
            if let Some(rule) = self.known.iter().find(|rule| rule.value == wanted.value)
                && rule.shown.tag != wanted.tag
            {
                warn!("a rule of the app has another tag; twitter.rules.sync=exact would change it";
                    "rule" => rule.value, "tag" => rule.shown.tag.as_deref().unwrap_or_default());
            }
        }
    }

    fn unwanted(&self) -> Vec<String> {
        let is_wanted = |rule: &Rule| {
            let mut wanted = self.wanted.iter();
            wanted.any(|wanted| wanted.value == rule.value && wanted.tag == rule.shown.tag)
        };
        let unwanted = self.known.iter().filter(|rule| !is_wanted(rule));
        unwanted.map(|rule| rule.shown.id.clone()).collect()
    }

    fn missing(&self) -> Vec<RuleSetting> {
        if self.sync == RulesSync::None {
            return Vec::new();
        }
        let is_known = |wanted: &RuleSetting| self.known.iter().any(|rule| rule.value == wanted.value);
        self.wanted.iter().filter(|wanted| !is_known(wanted)).cloned().collect()
    }

    fn added(&mut self, body: &Value) -> Result<(), ConnectError> {
        let added = rules_of(body);
        for rule in &added {
            info!("rule of the stream added"; "id" => rule.shown.id, "rule" => rule.value);
        }
        self.known.extend(added);
        for error in body.get("errors").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| error.get(name).and_then(scalar_text).unwrap_or_default();
            // Somebody else added it in between: it is there, and that is what matters.
            if text("title") == "DuplicateRule" || text("type").ends_with("/duplicate-rules") {
                self.known.push(Rule {
                    shown: MatchingRule {
                        id: text("id"),
                        tag: None,
                    },
                    value: text("value"),
                });
                continue;
            }
            let details = error
                .get("details")
                .or_else(|| error.get("detail"))
                .unwrap_or(&Value::Null);
            return Err(ConnectError::fatal(format!(
                "POST {PATH}: X refuses the rule '{}' with '{}: {details}'; change it in twitter.rules",
                text("value"),
                text("title")
            )));
        }
        Ok(())
    }
}

fn rules_of(body: &Value) -> Vec<Rule> {
    let list = body.get("data").and_then(Value::as_array);
    let rule = |rule: &Value| {
        Some(Rule {
            shown: MatchingRule {
                id: rule.get("id").and_then(scalar_text)?,
                tag: rule.get("tag").and_then(scalar_text).filter(|tag| !tag.is_empty()),
            },
            value: rule.get("value").and_then(scalar_text)?,
        })
    };
    list.into_iter().flatten().filter_map(rule).collect()
}

fn to_json(rule: &RuleSetting) -> Value {
    match &rule.tag {
        Some(tag) => json!({"value": rule.value, "tag": tag}),
        None => json!({"value": rule.value}),
    }
}
