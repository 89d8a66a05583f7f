//! Bodies into rows: JSON, JSON lines, CSV, plain text
//!
//! Each row is a JSON value, whatever the format was. The whole JSON body stays at hand for paging. CSV is RFC 4180 with
//! a header line.

use serde_json::{Map, Value};
use weir_feed::answer::Answer;
use weir_feed::charset::Charset;
use weir_feed::pointer::Pointer;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON value.
    Json,
    /// One JSON value a line.
    JsonLines,
    /// Rows of cells under a header line.
    Csv,
    /// One text a line.
    Text,
}

impl Format {
    /// The names, as settings have them.
    pub const NAMES: [&str; 4] = ["json", "jsonl", "csv", "text"];

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "jsonl" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            "text" => Some(Self::Text),
            _ => None,
        }
    }
}

/// A body read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// The rows.
    pub rows: Vec<Value>,
    /// The whole body, if it is JSON.
    pub body: Option<Value>,
}

/// Reads a body.
///
/// # Errors
/// What is wrong with it, for a message.
pub fn read(answer: &Answer, format: Format, charset: Option<Charset>, records: &Pointer) -> Result<Rows, String> {
    let text = || match charset {
        Some(charset) => {
            let text = charset.decode(&answer.body).text;
            text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
        }
        None => answer.text(),
    };
    match format {
        Format::Json => {
            let body: Value = match charset {
                Some(_) => serde_json::from_str(&text()).map_err(|error| format!("the body is not JSON: {error}"))?,
                None => answer.json()?,
            };
            Ok(taken_apart(body, records))
        }
        Format::JsonLines => {
            let text = text();
            let mut rows = Vec::new();
            for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let value: Value =
                    serde_json::from_str(line).map_err(|error| format!("line {} is not JSON: {error}", at + 1))?;
                rows.extend(rows_of(&value, records));
            }
            Ok(Rows { rows, body: None })
        }
        Format::Csv => Ok(Rows {
            rows: csv_rows(&text())?,
            body: None,
        }),
        Format::Text => Ok(Rows {
            rows: text()
                .lines()
                .filter(|line| !line.is_empty())
                .map(Value::from)
                .collect(),
            body: None,
        }),
    }
}

/// Takes the array of records out of the body, which is large, rather than copy it; what paging needs stands beside it.
fn taken_apart(mut body: Value, records: &Pointer) -> Rows {
    let is_array = records.first(&body).is_some_and(Value::is_array) && !records.has_star();
    let rows = match is_array.then(|| records.take(&mut body)).flatten() {
        Some(Value::Array(rows)) => rows,
        _ => rows_of(&body, records),
    };
    Rows { rows, body: Some(body) }
}

/// An array gives its elements, an object itself, null nothing.
fn rows_of(body: &Value, records: &Pointer) -> Vec<Value> {
    let found = records.find(body);
    let mut rows = Vec::new();
    for value in found {
        match value {
            Value::Array(items) => rows.extend(items.iter().cloned()),
            Value::Null => {}
            other => rows.push(other.clone()),
        }
    }
    rows
}

fn csv_rows(text: &str) -> Result<Vec<Value>, String> {
    let mut records = CsvRecords { rest: text, line: 1 };
    let Some(names) = records.next_record()? else {
        return Ok(Vec::new());
    };
    let mut rows = Vec::new();
    loop {
        let line = records.line;
        let Some(cells) = records.next_record()? else {
            return Ok(rows);
        };
        if cells.len() != names.len() {
            // A line of blanks is no record.
            if cells.len() == 1 && cells.first().is_some_and(|cell| cell.trim().is_empty()) {
                continue;
            }
            return Err(format!(
                "line {line} has {} cells, but the header line has {}",
                cells.len(),
                names.len()
            ));
        }
        let row: Map<String, Value> = names
            .iter()
            .cloned()
            .zip(cells.into_iter().map(Value::String))
            .collect();
        rows.push(Value::Object(row));
    }
}

struct CsvRecords<'t> {
    rest: &'t str,
    line: usize,
}

impl CsvRecords<'_> {
    fn next_record(&mut self) -> Result<Option<Vec<String>>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut cells = Vec::new();
        loop {
            let (cell, is_last) = self.next_cell()?;
            cells.push(cell);
            if is_last {
                return Ok(Some(cells));
            }
        }
    }

    /// Gives a cell and whether it ends the record.
    fn next_cell(&mut self) -> Result<(String, bool), String> {
        let mut cell = String::new();
        if let Some(mut rest) = self.rest.strip_prefix('"') {
            let start = self.line;
            loop {
                let (part, after) = rest
                    .split_once('"')
                    .ok_or_else(|| format!("a quote that opens on line {start} is not closed"))?;
                self.line += part.matches('\n').count();
                cell.push_str(part);
                match after.strip_prefix('"') {
                    Some(more) => {
                        cell.push('"');
                        rest = more;
                    }
                    None => {
                        self.rest = after;
                        break;
                    }
                }
            }
        } else {
            let end = self.rest.find([',', '\r', '\n']).unwrap_or(self.rest.len());
            let (part, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
            cell.push_str(part);
            self.rest = rest;
        }
        if let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest;
            return Ok((cell, false));
        }
        let end = self
            .rest
            .strip_prefix("\r\n")
            .or_else(|| self.rest.strip_prefix(['\n', '\r']));
        match end {
            Some(rest) => {
                self.rest = rest;
                self.line += 1;
                Ok((cell, true))
            }
            None if self.rest.is_empty() => Ok((cell, true)),
            None => Err(format!("line {}: text follows a closing quote", self.line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, read};
    use serde_json::{Value, json};
    use weir_feed::answer::Answer;
    use weir_feed::charset::Charset;
    use weir_feed::pointer::Pointer;

    fn rows(format: Format, pointer: &str, body: &[u8]) -> Result<Value, String> {
        let answer = Answer {
            body: body.to_vec(),
            ..Answer::default()
        };
        let pointer = Pointer::parse(pointer).expect("a pointer");
        read(&answer, format, None, &pointer).map(|read| json!(read.rows))
    }

    #[test]
    fn json_gives_elements_objects_or_all_under_a_star() {
        let body = br#"{"data":{"rows":[{"a":1},{"a":2}]},"groups":[{"items":[1,2]},{"items":[3]},{"items":null}]}"#;
        assert_eq!(rows(Format::Json, "/data/rows", body), Ok(json!([{"a": 1}, {"a": 2}])));
        assert_eq!(rows(Format::Json, "/data/rows/*/a", body), Ok(json!([1, 2])));
        assert_eq!(rows(Format::Json, "/groups/*/items", body), Ok(json!([1, 2, 3])));
        assert_eq!(rows(Format::Json, "/data/rows/0", body), Ok(json!([{"a": 1}])));
        assert_eq!(rows(Format::Json, "/gone", body), Ok(json!([])));
        assert_eq!(rows(Format::Json, "", b"\xef\xbb\xbf[1]"), Ok(json!([1])));
    }

    #[test]
    fn bodies_that_are_no_json_say_so() {
        for (body, part) in [
            (&b"<html>busy</html>"[..], "markup"),
            (b"", "empty"),
            (b"{\"a\":", "not JSON"),
        ] {
            assert!(rows(Format::Json, "", body).is_err_and(|error| error.contains(part)));
        }
        assert!(rows(Format::JsonLines, "", b"{}\nx\n").is_err_and(|error| error.contains("line 2")));
    }

    #[test]
    fn lines_are_rows() {
        assert_eq!(
            rows(Format::JsonLines, "/v", b"{\"v\":1}\r\n\n{\"v\":[2,3]}"),
            Ok(json!([1, 2, 3]))
        );
        assert_eq!(
            rows(Format::Text, "", "uno\r\ndos\n\n".as_bytes()),
            Ok(json!(["uno", "dos"]))
        );
    }

    #[test]
    fn csv_follows_the_rfc() {
        let text = "a,b,c\r\n1,\"x, \"\"y\"\"\r\nz\",\r\n,2,3\n\n";
        assert_eq!(
            rows(Format::Csv, "", text.as_bytes()),
            Ok(json!([{"a": "1", "b": "x, \"y\"\r\nz", "c": ""}, {"a": "", "b": "2", "c": "3"}]))
        );
        assert!(rows(Format::Csv, "", b"a,b\n1\n").is_err_and(|error| error.contains("line 2 has 1 cells")));
        assert!(rows(Format::Csv, "", b"a\n\"x\n").is_err_and(|error| error.contains("line 2 is not closed")));
        assert!(rows(Format::Csv, "", b"a\n\"x\"y\n").is_err_and(|error| error.contains("closing quote")));
        assert_eq!(rows(Format::Csv, "", b""), Ok(json!([])));
        assert_eq!(rows(Format::Csv, "", b"a,b"), Ok(json!([])));
    }

    #[test]
    fn a_configured_charset_wins() {
        let answer = Answer {
            headers: vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())],
            body: b"[\"a\xf1o \xa4\"]".to_vec(),
            ..Answer::default()
        };
        let read = |charset| read(&answer, Format::Json, charset, &Pointer::default()).map(|read| read.rows);
        assert_eq!(read(Some(Charset::Latin9)), Ok(vec![json!("año €")]));
    }
}
