//! Runs scenarios on a cluster and takes down its answers.
//!
//! The same code records and replays. What an answer says of addresses and folders is put back into `{NAME}` form.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value, json};

use crate::conformance::cluster::Cluster;
use crate::conformance::recorded::Exchange;
use crate::conformance::scenario::{Action, Condition, Request, Scenario, Step, View};
use crate::process::{await_true, await_value};
use crate::rest::{Answer, Rest};

/// Headers that are taken down.
const HEADERS: [&str; 11] = [
    "content-type",
    "location",
    "allow",
    "www-authenticate",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-max-age",
    "cache-control",
    "x-frame-options",
];

/// How a scenario went.
#[derive(Debug)]
pub struct Outcome {
    /// One for each request that was answered.
    pub exchanges: Vec<Exchange>,
    /// Why the rest was not run: a condition that did not come true, or no answer at all.
    pub stopped: Option<String>,
}

/// Runs one scenario, then deletes all connectors.
pub fn run(cluster: &Cluster, scenario: &Scenario, patience: Duration) -> Outcome {
    let mut exchanges = Vec::new();
    let mut names = cluster.names();
    let mut stopped = None;
    for (index, step) in scenario.steps.iter().enumerate() {
        if let Err(error) = take_step(cluster, step, &mut names, &mut exchanges, patience) {
            stopped = Some(format!("step {}: {error:#}", index + 1));
            break;
        }
    }
    if let Err(error) = clean(cluster, patience) {
        stopped.get_or_insert_with(|| format!("afterwards: {error:#}"));
    }
    Outcome { exchanges, stopped }
}

fn take_step(
    cluster: &Cluster,
    step: &Step,
    names: &mut BTreeMap<String, String>,
    exchanges: &mut Vec<Exchange>,
    patience: Duration,
) -> anyhow::Result<()> {
    match &step.action {
        Action::Write { file, text, append } => {
            let path = cluster.folder.join(file);
            let mut all = if *append {
                std::fs::read_to_string(&path)?
            } else {
                String::new()
            };
            all.push_str(&fill(text, names));
            Ok(std::fs::write(path, all)?)
        }
        Action::Contents { file, text } => {
            let path = cluster.folder.join(file);
            let wanted = fill(text, names);
            await_true(&format!("{file} holds {wanted:?}"), patience, || {
                std::fs::read_to_string(&path).is_ok_and(|found| found == wanted)
            })
            .with_context(|| format!("it holds {:?}", std::fs::read_to_string(&path)))
        }
        Action::Request(request) => {
            let (answer, waited) = ask_until(cluster, request, step, names, patience)?;
            for (name, pointer) in &step.captures {
                let value = answer.json().pointer(pointer).cloned().unwrap_or(Value::Null);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                names.insert(name.clone(), text);
            }
            exchanges.push(exchange(cluster, request, &answer, step));
            waited
        }
    }
}

/// Asks once, or until the conditions hold; the second part says that they never did.
fn ask_until(
    cluster: &Cluster,
    request: &Request,
    step: &Step,
    names: &BTreeMap<String, String>,
    patience: Duration,
) -> anyhow::Result<(Answer, anyhow::Result<()>)> {
    let rest = cluster.worker(&request.worker)?;
    let mut last = None;
    let end = Instant::now() + patience;
    let waited = await_value("an answer that fits", patience, || match ask(rest, request, names) {
        Err(error) if Instant::now() < end && !step.until.is_empty() => {
            last = Some(Err(error));
            None
        }
        Err(error) => {
            last = Some(Err(error));
            Some(())
        }
        Ok(answer) => {
            let fits = !is_momentary(&answer) && step.until.iter().all(|condition| holds(condition, &answer, names));
            last = Some(Ok(answer));
            fits.then_some(())
        }
    });
    let answer = last.context("asked at least once")??;
    Ok((
        answer,
        waited.with_context(|| format!("{}: {:?}", request.line(), step.until)),
    ))
}

fn ask(rest: &Rest, request: &Request, names: &BTreeMap<String, String>) -> anyhow::Result<Answer> {
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), fill(value, names)))
        .collect();
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let body = request.body.as_ref().map(|body| fill(body, names));
    rest.send_with(&request.method, &fill(&request.path, names), &headers, body.as_deref())
}

/// What a worker answers while it waits for a rebalance; clients are to ask again.
fn is_momentary(answer: &Answer) -> bool {
    let body = answer.json();
    let message = body["message"].as_str().unwrap_or_default();
    (answer.status == 409 && message.starts_with("Cannot complete request momentarily"))
        || (answer.status == 500 && message == "Request cannot be completed because a rebalance is expected")
}

fn holds(condition: &Condition, answer: &Answer, names: &BTreeMap<String, String>) -> bool {
    let body = answer.json();
    match condition {
        Condition::Status(status) => answer.status == *status,
        Condition::Is(at, Value::String(text)) => body.pointer(at).and_then(Value::as_str) == Some(&fill(text, names)),
        Condition::Is(at, value) => body.pointer(at) == Some(value),
        Condition::Absent(at) => body.pointer(at).is_none(),
        Condition::Length(at, length) => match body.pointer(at) {
            Some(Value::Array(values)) => values.len() == *length,
            Some(Value::Object(fields)) => fields.len() == *length,
            _ => false,
        },
    }
}

/// Puts values for `{NAME}`.
fn fill(text: &str, names: &BTreeMap<String, String>) -> String {
    let mut filled = text.to_owned();
    for (name, value) in names {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

fn exchange(cluster: &Cluster, request: &Request, answer: &Answer, step: &Step) -> Exchange {
    let text = cluster.unfill(&answer.text);
    let parsed = serde_json::from_str::<Value>(&text).ok();
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| HEADERS.contains(&name.as_str()) || name.starts_with("x-weir-test"))
        .map(|(name, value)| (name.clone(), cluster.unfill(value)))
        .collect();
    let (body, text) = match (&step.view, parsed) {
        (View::Nothing, _) => (None, None),
        (_, None) => (None, Some(text).filter(|text| !text.is_empty())),
        (View::Whole, Some(body)) => (Some(body), None),
        (View::Errors, Some(body)) => (Some(errors_of(&body)), None),
        (View::Pick(pointers), Some(body)) => {
            let picked: Map<String, Value> = pointers
                .iter()
                .map(|at| (at.clone(), body.pointer(at).cloned().unwrap_or_else(|| json!("absent"))))
                .collect();
            (Some(Value::Object(picked)), None)
        }
    };
    Exchange {
        request: request.line(),
        status: answer.status,
        headers,
        body,
        text,
    }
}

/// A validation in short; other bodies as they are.
fn errors_of(body: &Value) -> Value {
    let Some(configs) = body["configs"].as_array() else {
        return body.clone();
    };
    let names: Vec<&Value> = configs.iter().map(|config| &config["value"]["name"]).collect();
    let errors: Map<String, Value> = configs
        .iter()
        .map(|config| &config["value"])
        .filter(|value| value["errors"].as_array().is_some_and(|errors| !errors.is_empty()))
        .map(|value| {
            let key = value["name"].as_str().unwrap_or_default().to_owned();
            (key, json!({"value": value["value"], "errors": value["errors"]}))
        })
        .collect();
    json!({
        "name": body["name"],
        "error_count": body["error_count"],
        "groups": body["groups"],
        "keys": names,
        "errors": errors,
    })
}

/// Deletes all connectors and waits until they are gone.
fn clean(cluster: &Cluster, patience: Duration) -> anyhow::Result<()> {
    let rest = cluster.worker("1")?;
    let headers = cluster.own_headers();
    let ask = |method: &str, path: &str| rest.send_with(method, path, &headers, None);
    let list = ask("GET", "/connectors")?;
    let Some(connectors) = list.json().as_array().cloned() else {
        bail!("GET /connectors: {} {}", list.status, list.text);
    };
    let mut left = Vec::new();
    for connector in connectors.iter().filter_map(Value::as_str) {
        let path = format!("/connectors/{}", encoded(connector));
        let deleted = await_true("deleted", patience, || {
            ask("DELETE", &path).is_ok_and(|answer| answer.status == 204 || answer.status == 404)
        });
        let gone = deleted.and_then(|()| {
            await_true("gone", patience, || {
                let is_gone = |path: &str| ask("GET", path).is_ok_and(|answer| answer.status == 404);
                is_gone(&path) && is_gone(&format!("{path}/status"))
            })
        });
        if let Err(error) = gone {
            left.push(format!("{connector}: {error}"));
        }
    }
    ensure!(left.is_empty(), "connectors are left: {left:?}");
    Ok(())
}

fn encoded(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
