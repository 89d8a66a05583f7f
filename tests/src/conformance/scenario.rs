//! The scenario files: `tests/conformance/scenarios/AREA.txt`.
//!
//! A file opens with `cluster KIND` and `define NAME TEXT`; `== NAME` begins a scenario; paragraphs are its steps. The first
//! line of a step is a request (`METHOD [@WORKER] PATH`) or `write`, `append` or `contents` with a file name; directives follow,
//! then the body. `tests/conformance/README.md` has it all.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// One file of scenarios.
#[derive(Debug, Clone)]
pub struct Area {
    /// The file's name without its ending.
    pub name: String,
    /// The kind of cluster it runs on.
    pub cluster: String,
    /// In the file's order.
    pub scenarios: Vec<Scenario>,
}

/// Steps that need nothing of other scenarios; all connectors are deleted afterwards.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Unique in its area.
    pub name: String,
    /// In order.
    pub steps: Vec<Step>,
}

/// One paragraph.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// Repeat until all of these hold.
    pub until: Vec<Condition>,
    /// Names for later steps, `{NAME}`, with pointers into the body.
    pub captures: Vec<(String, String)>,
    /// What of the body is recorded.
    pub view: View,
    /// Arrays whose order Connect leaves open.
    pub unordered: Vec<String>,
    /// Arrays in which Weir may have more entries.
    pub more: Vec<String>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// An HTTP request.
    Request(Request),
    /// Writes these lines into a file of the cluster's folder.
    Write {
        /// Its name.
        file: String,
        /// Line ends included.
        text: String,
        /// False: what was there goes.
        append: bool,
    },
    /// Waits until a file holds exactly these lines.
    Contents {
        /// Its name.
        file: String,
        /// Line ends included.
        text: String,
    },
}

/// One request, with `{NAME}` in path, headers and body still in place.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// `GET` and so on.
    pub method: String,
    /// Whom it goes to: `1`, `2`, or `admin`.
    pub worker: String,
    /// Path and query.
    pub path: String,
    /// Without Host, Connection and Content-Length.
    pub headers: Vec<(String, String)>,
    /// None: no body at all.
    pub body: Option<String>,
}

impl Request {
    /// The line of the scenario file.
    pub fn line(&self) -> String {
        match self.worker.as_str() {
            "1" => format!("{} {}", self.method, self.path),
            worker => format!("{} @{worker} {}", self.method, self.path),
        }
    }
}

/// What an answer has to show before the next step.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The status.
    Status(u16),
    /// A value in the body; text of it may hold `{NAME}`.
    Is(String, Value),
    /// The length of an array, object or text in the body.
    Length(String, usize),
    /// Nothing there.
    Absent(String),
}

/// What of a body is recorded and compared.
#[derive(Debug, Clone, PartialEq)]
pub enum View {
    /// All of it.
    Whole,
    /// Of a validation: the names of all keys, and the values that have errors.
    Errors,
    /// These places only.
    Pick(Vec<String>),
    /// Status and headers only.
    Nothing,
}

/// Reads every scenario file of a folder, in the order of names.
pub fn read_areas(folder: &Path) -> anyhow::Result<Vec<Area>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    paths.iter().map(|path| read_area(path)).collect()
}

fn read_area(path: &Path) -> anyhow::Result<Area> {
    let name = path.file_stem().and_then(|stem| stem.to_str()).context("a name")?;
    let text = std::fs::read_to_string(path)?;
    parse_area(name, &text).with_context(|| path.display().to_string())
}

/// Parses a scenario file.
pub fn parse_area(name: &str, text: &str) -> anyhow::Result<Area> {
    let mut cluster = None;
    let mut scenarios: Vec<Scenario> = Vec::new();
    let text = expanded(text)?;
    for (number, paragraph) in paragraphs(&text) {
        let place = || format!("line {number}");
        let first = paragraph[0];
        if let Some(kind) = first.strip_prefix("cluster ") {
            cluster = Some(kind.trim().to_owned());
        } else if let Some(title) = first.strip_prefix("== ") {
            ensure!(
                paragraph.len() == 1,
                "line {number}: a blank line belongs below the name"
            );
            let title = title.trim().to_owned();
            ensure!(
                scenarios.iter().all(|scenario| scenario.name != title),
                "line {number}: {title:?} is there twice"
            );
            scenarios.push(Scenario {
                name: title,
                steps: Vec::new(),
            });
        } else {
            let step = parse_step(&paragraph).with_context(place)?;
            let scenario = scenarios.last_mut().context("a step before the first scenario")?;
            scenario.steps.push(step);
        }
    }
    let empty = scenarios.iter().find(|scenario| scenario.steps.is_empty());
    ensure!(empty.is_none(), "{empty:?} has no steps");
    Ok(Area {
        name: name.to_owned(),
        cluster: cluster.context("no `cluster KIND`")?,
        scenarios,
    })
}

/// Puts the texts of `define NAME TEXT` for `{NAME}`, and blanks these lines.
fn expanded(text: &str) -> anyhow::Result<String> {
    let mut defined: Vec<(String, &str)> = Vec::new();
    let mut whole = String::new();
    for line in text.lines() {
        if let Some(definition) = line.strip_prefix("define ") {
            let (name, meaning) = definition.split_once(' ').context("define NAME TEXT")?;
            defined.push((format!("{{{name}}}"), meaning));
        } else {
            let line = defined
                .iter()
                .fold(line.to_owned(), |line, (name, meaning)| line.replace(name, meaning));
            whole.push_str(&line);
        }
        whole.push('\n');
    }
    Ok(whole)
}

/// Runs of lines between blank lines, without comments, each with the number of its first line.
fn paragraphs(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut all: Vec<(usize, Vec<&str>)> = Vec::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("# ") || line == "#" {
            continue;
        }
        if line.trim().is_empty() {
            inside = false;
        } else if inside {
            if let Some((_, lines)) = all.last_mut() {
                lines.push(line);
            }
        } else {
            all.push((index + 1, vec![line]));
            inside = true;
        }
    }
    all
}

fn parse_step(paragraph: &[&str]) -> anyhow::Result<Step> {
    let (first, rest) = paragraph.split_first().context("a line")?;
    let (word, argument) = first.split_once(' ').with_context(|| format!("{first:?}"))?;
    let mut step = Step {
        action: Action::Contents {
            file: argument.trim().to_owned(),
            text: String::new(),
        },
        until: Vec::new(),
        captures: Vec::new(),
        view: View::Whole,
        unordered: Vec::new(),
        more: Vec::new(),
    };
    if matches!(word, "write" | "append" | "contents") {
        let text: String = rest.iter().map(|line| format!("{line}\n")).collect();
        let file = argument.trim().to_owned();
        step.action = match word {
            "contents" => Action::Contents { file, text },
            _ => Action::Write {
                file,
                text,
                append: word == "append",
            },
        };
        return Ok(step);
    }
    ensure!(
        word.bytes().all(|byte| byte.is_ascii_uppercase()),
        "no method: {first:?}"
    );
    let (worker, path) = match argument.strip_prefix('@') {
        Some(named) => named.split_once(' ').context("a path after the worker")?,
        None => ("1", argument),
    };
    let mut headers = Vec::new();
    let mut body_at = rest.len();
    for (index, line) in rest.iter().enumerate() {
        if !parse_directive(line, &mut step, &mut headers).with_context(|| format!("{line:?}"))? {
            body_at = index;
            break;
        }
    }
    let body = (body_at < rest.len()).then(|| rest[body_at..].join("\n"));
    ensure!(word == "GET" || step.until.is_empty(), "only a GET can be repeated");
    if body.is_some()
        && !headers
            .iter()
            .any(|(name, _): &(String, String)| name == "Content-Type")
    {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    headers.retain(|(_, value)| !value.is_empty());
    step.action = Action::Request(Request {
        method: word.to_owned(),
        worker: worker.to_owned(),
        path: path.trim().to_owned(),
        headers,
        // `(empty)` is a body of no bytes.
        body: body.map(|text| if text == "(empty)" { String::new() } else { text }),
    });
    Ok(step)
}

/// False: the line belongs to the body.
fn parse_directive(line: &str, step: &mut Step, headers: &mut Vec<(String, String)>) -> anyhow::Result<bool> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let pointer = |text: &str| if text == "." { String::new() } else { text.to_owned() };
    match word {
        "header" => {
            let (name, value) = rest.split_once(':').context("header NAME: VALUE")?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        "until" => step.until.push(parse_condition(rest)?),
        "let" => {
            let (name, at) = rest.split_once(' ').context("let NAME POINTER")?;
            step.captures.push((name.to_owned(), pointer(at)));
        }
        "unordered" => step.unordered.push(pointer(rest)),
        "more" => step.more.push(pointer(rest)),
        "errors" => step.view = View::Errors,
        "pick" => step.view = View::Pick(rest.split(' ').map(pointer).collect()),
        "status-only" => step.view = View::Nothing,
        _ => return Ok(false),
    }
    Ok(true)
}

fn parse_condition(text: &str) -> anyhow::Result<Condition> {
    let (place, wanted) = text.split_once(' ').context("until PLACE VALUE")?;
    let at = if place == "." { String::new() } else { place.to_owned() };
    Ok(match wanted.split_once(' ') {
        _ if place == "status" => Condition::Status(wanted.parse()?),
        _ if wanted == "absent" => Condition::Absent(at),
        Some(("length", number)) => Condition::Length(at, number.parse()?),
        _ if !place.starts_with('/') && place != "." => bail!("no pointer: {place:?}"),
        _ => Condition::Is(at, serde_json::from_str(wanted).context("a JSON value")?),
    })
}
