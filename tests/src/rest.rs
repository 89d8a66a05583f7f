//! Connect REST as tests speak it: blocking, one request a connection.
//!
//! Written on a socket, so that malformed requests can be sent as well.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::process::{PATIENCE, await_value};

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header lines, lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A Connect worker's REST address.
#[derive(Debug, Clone)]
pub struct Rest {
    host: String,
}

impl Rest {
    /// From a URL such as `http://127.0.0.1:8083`.
    pub fn new(url: &str) -> Self {
        Rest {
            host: url.trim_start_matches("http://").trim_end_matches('/').to_owned(),
        }
    }

    /// Its `host:port`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends one request; `body` with its media type.
    pub fn send(&self, method: &str, path: &str, body: Option<(&str, &str)>) -> anyhow::Result<Answer> {
        match body {
            Some((media, text)) => self.send_with(method, path, &[("Content-Type", media)], Some(text)),
            None => self.send_with(method, path, &[], None),
        }
    }

    /// Sends one request with these headers.
    pub fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let mut stream = TcpStream::connect(&self.host).with_context(|| format!("connecting to {}", self.host))?;
        stream.set_read_timeout(Some(Duration::from_secs(100)))?;
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.host
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(text) = body {
            request.push_str(&format!("Content-Length: {}\r\n", text.len()));
        }
        request.push_str("\r\n");
        request.push_str(body.unwrap_or_default());
        stream.write_all(request.as_bytes())?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply)?;
        parse(&reply)
    }

    /// GET.
    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send("GET", path, None)
    }

    /// A request with a JSON body.
    pub fn json(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(method, path, Some(("application/json", &body.to_string())))
    }

    /// Creates or replaces a connector.
    ///
    /// *Errors*: any status but 200 and 201, with the body.
    pub fn put_connector(&self, name: &str, config: &Value) -> anyhow::Result<()> {
        let answer = self.json("PUT", &format!("/connectors/{name}/config"), config)?;
        if answer.status != 201 && answer.status != 200 {
            bail!("PUT {name}: {} {}", answer.status, answer.text);
        }
        Ok(())
    }

    /// Status of a connector; null when there is none.
    pub fn status(&self, name: &str) -> Value {
        match self.get(&format!("/connectors/{name}/status")) {
            Ok(answer) if answer.status == 200 => answer.json(),
            _ => Value::Null,
        }
    }

    /// Waits until the connector and `tasks` tasks are in `state`; answers the status.
    pub fn await_state(&self, name: &str, state: &str, tasks: usize) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        await_value(&format!("{name} {state} with {tasks} tasks"), PATIENCE, || {
            last = self.status(name);
            let shown = last["tasks"].as_array()?;
            let fits = last["connector"]["state"] == state
                && shown.len() == tasks
                && shown.iter().all(|task| task["state"] == state);
            fits.then(|| last.clone())
        })
        .with_context(|| format!("last status: {last}"))
    }

    /// Waits until task `task` of the connector is FAILED; answers its trace.
    pub fn await_failed(&self, name: &str, task: usize) -> anyhow::Result<String> {
        let mut last = Value::Null;
        await_value(&format!("{name}-{task} fails"), PATIENCE, || {
            last = self.status(name);
            let shown = &last["tasks"][task];
            (shown["state"] == "FAILED").then(|| shown["trace"].as_str().unwrap_or("").to_owned())
        })
        .with_context(|| format!("last status: {last}"))
    }
}

fn parse(reply: &[u8]) -> anyhow::Result<Answer> {
    let end = reply
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .context("no end of headers")?;
    let head = String::from_utf8_lossy(&reply[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|code| code.parse().ok())
        .context("a status line")?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value.contains("chunked"));
    let body = &reply[end + 4..];
    let bytes = if chunked { unchunk(body) } else { body.to_vec() };
    Ok(Answer {
        status,
        headers,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(line_end) = body.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(String::from_utf8_lossy(&body[..line_end]).trim(), 16).unwrap_or(0);
        let start = line_end + 2;
        if size == 0 || start + size > body.len() {
            break;
        }
        whole.extend_from_slice(&body[start..start + size]);
        body = body.get(start + size + 2..).unwrap_or(&[]);
    }
    whole
}
