//! A schema registry for tests: a few paths over loopback, in memory
//!
//! Registers, looks up and gives schemas; remembers what it was asked; answers as a script says where there is one.
//! Not a registry to build on: no compatibility, no deletes.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// A request that was made.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method and path with query.
    pub(crate) line: String,
    /// The `Authorization` header.
    pub(crate) authorization: Option<String>,
    /// The body.
    pub(crate) body: String,
}

#[derive(Debug, Default)]
struct State {
    /// Bodies of registrations by id, from 1.
    schemas: Vec<Value>,
    subjects: HashMap<String, Vec<usize>>,
    asked: Vec<Asked>,
    script: VecDeque<(u16, Value)>,
}

/// The registry; it answers until the process ends.
#[derive(Debug, Clone)]
pub(crate) struct FixtureRegistry {
    /// Where it is.
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl FixtureRegistry {
    /// Starts one on a free port.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let fixture = Self {
            url,
            state: Arc::default(),
        };
        let serving = fixture.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let one = serving.clone();
                std::thread::spawn(move || one.serve(stream));
            }
        });
        fixture
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives what was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// Makes the next answer this status and error body.
    pub(crate) fn answer_next(&self, status: u16, code: u32, message: &str) {
        self.lock()
            .script
            .push_back((status, json!({"error_code": code, "message": message})));
    }

    /// Registers a schema and gives its id.
    pub(crate) fn register(&self, subject: &str, body: Value) -> usize {
        let mut state = self.lock();
        let known = state
            .schemas
            .iter()
            .position(|schema| schema["schema"] == body["schema"]);
        let id = known.map_or_else(
            || {
                state.schemas.push(body);
                state.schemas.len()
            },
            |at| at + 1,
        );
        let versions = state.subjects.entry(subject.to_owned()).or_default();
        if !versions.contains(&id) {
            versions.push(id);
        }
        id
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let (mut authorization, mut length) = (None, 0);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => authorization = Some(value.trim().to_owned()),
                "content-length" => length = value.trim().parse().ok()?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        let line = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
        self.lock().asked.push(Asked {
            line: line.clone(),
            authorization,
            body: body.clone(),
        });
        let (status, answer) = self.answer(&line, &body);
        let text = answer.to_string();
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        )
        .ok()
    }

    fn answer(&self, line: &str, body: &str) -> (u16, Value) {
        if let Some(scripted) = self.lock().script.pop_front() {
            return scripted;
        }
        let (method, path) = line.split_once(' ').unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let parts: Vec<String> = path
            .trim_start_matches('/')
            .split('/')
            .map(|part| part.replace("%2F", "/"))
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        match (method, parts.as_slice()) {
            ("POST", ["subjects", subject, "versions"]) => (200, json!({"id": self.register(subject, body)})),
            ("POST", ["subjects", subject]) => self.find(subject, &body),
            ("GET", ["subjects", subject, "versions", version]) => self.version(subject, version),
            ("GET", ["schemas", "ids", id]) => {
                let state = self.lock();
                let found = id
                    .parse::<usize>()
                    .ok()
                    .and_then(|id| state.schemas.get(id.checked_sub(1)?));
                found.map_or_else(
                    || {
                        (
                            404,
                            json!({"error_code": 40403, "message": format!("Schema {id} not found")}),
                        )
                    },
                    |schema| (200, schema.clone()),
                )
            }
            _ => (404, json!({"error_code": 404, "message": "HTTP 404 Not Found"})),
        }
    }

    fn find(&self, subject: &str, body: &Value) -> (u16, Value) {
        let state = self.lock();
        let Some(versions) = state.subjects.get(subject) else {
            return (
                404,
                json!({"error_code": 40401, "message": format!("Subject '{subject}' not found.")}),
            );
        };
        let found = versions.iter().position(|id| {
            state
                .schemas
                .get(id - 1)
                .is_some_and(|known| known["schema"] == body["schema"])
        });
        found.map_or_else(
            || (404, json!({"error_code": 40403, "message": "Schema not found"})),
            |at| {
                (
                    200,
                    json!({"subject": subject, "version": at + 1, "id": versions[at], "schema": body["schema"]}),
                )
            },
        )
    }

    fn version(&self, subject: &str, version: &str) -> (u16, Value) {
        let state = self.lock();
        let Some(versions) = state.subjects.get(subject) else {
            return (
                404,
                json!({"error_code": 40401, "message": format!("Subject '{subject}' not found.")}),
            );
        };
        let at = version.parse::<usize>().unwrap_or(versions.len());
        match versions.get(at.wrapping_sub(1)) {
            Some(id) => {
                let mut answer = state.schemas.get(id - 1).cloned().unwrap_or_default();
                answer["id"] = json!(id);
                answer["version"] = json!(at);
                answer["subject"] = json!(subject);
                (200, answer)
            }
            None => (
                404,
                json!({"error_code": 40402, "message": format!("Version {version} not found.")}),
            ),
        }
    }
}
