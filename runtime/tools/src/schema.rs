//! `schema`: subjects of a registry, over its REST API
//!
//! Works on any Confluent-compatible registry. What a person needs at a prompt and no more; everything else is one curl
//! away.

use std::io::Write;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::{Map, Value, json};

use crate::error::ToolError;

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// A person waits: an unreachable registry is reported soon.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A registry.
#[derive(Debug, Clone)]
pub struct Registry {
    base: Url,
    client: Client,
}

/// A schema file and what goes with it.
#[derive(Debug, Clone, Default)]
pub struct SchemaText {
    /// The schema as the file has it.
    pub text: String,
    /// `AVRO` and so on; empty = the registry's default, Avro.
    pub schema_type: String,
    /// `name=subject:version`.
    pub references: Vec<String>,
    /// Whether the registry brings it into normal form first.
    pub normalize: bool,
}

/// Which version of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A version of a subject: a number or `latest`.
    Version(String, String),
    /// A schema by id.
    Id(u32),
}

impl Registry {
    /// Creates a client; nothing is sent yet.
    ///
    /// *Errors*: `url` is no URL.
    pub fn new(url: &str) -> Result<Self, ToolError> {
        let invalid = |reason: String| ToolError::RegistryUrl {
            url: url.to_owned(),
            reason,
        };
        let mut base = Url::parse(url).map_err(|error| invalid(error.to_string()))?;
        if base.cannot_be_a_base() || base.host_str().is_none() {
            return Err(invalid("it names no host; write http://host:port".to_owned()));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let client = Client::builder().timeout(ANSWER_WITHIN).build();
        let client = client.map_err(|error| invalid(error.to_string()))?;
        Ok(Self { base, client })
    }

    /// Prints a line for each subject: name, latest version, id, type, compatibility level.
    ///
    /// *Errors*: an unreachable registry, an error it answers with, or an output that cannot be written.
    pub async fn list(&self, with_deleted: bool, out: &mut impl Write) -> Result<(), ToolError> {
        let query: &[(&str, &str)] = if with_deleted { &[("deleted", "true")] } else { &[] };
        let subjects = self.get(&["subjects"], query).await?;
        let subjects: Vec<&str> = subjects
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if subjects.is_empty() {
            writeln!(
                out,
                "no subjects at {}; register one with: weir schema register SUBJECT FILE",
                self.base
            )?;
            return Ok(());
        }
        let width = subjects
            .iter()
            .map(|subject| subject.len())
            .max()
            .unwrap_or(0)
            .max("SUBJECT".len());
        writeln!(out, "{:width$}  VERSION  ID      TYPE      COMPATIBILITY", "SUBJECT")?;
        for subject in subjects {
            let mut query = query.to_vec();
            let latest = self.get(&["subjects", subject, "versions", "latest"], &query).await?;
            query.clear();
            let config = self.get(&["config", subject], &[("defaultToGlobal", "true")]).await?;
            writeln!(
                out,
                "{subject:width$}  {:<7}  {:<6}  {:<8}  {}",
                text(&latest, "version"),
                text(&latest, "id"),
                latest.get("schemaType").and_then(Value::as_str).unwrap_or("AVRO"),
                text(&config, "compatibilityLevel"),
            )?;
        }
        Ok(())
    }

    /// Prints a schema, indented when it is JSON.
    ///
    /// *Errors*: as [`Registry::list`].
    pub async fn show(&self, wanted: &Wanted, out: &mut impl Write) -> Result<(), ToolError> {
        let found = match wanted {
            Wanted::Version(subject, version) => self.get(&["subjects", subject, "versions", version], &[]).await?,
            Wanted::Id(id) => self.get(&["schemas", "ids", &id.to_string()], &[]).await?,
        };
        let schema = found.get("schema").and_then(Value::as_str).unwrap_or_default();
        let pretty = serde_json::from_str::<Value>(schema).ok();
        let pretty = pretty.and_then(|value| serde_json::to_string_pretty(&value).ok());
        writeln!(out, "{}", pretty.as_deref().unwrap_or(schema))?;
        Ok(())
    }

    /// Registers a schema and prints its id and version.
    ///
    /// *Errors*: as [`Registry::list`]; an incompatible schema is one of the registry's errors.
    pub async fn register(&self, subject: &str, schema: &SchemaText, out: &mut impl Write) -> Result<(), ToolError> {
        let body = body_of(schema)?;
        let query: &[(&str, &str)] = if schema.normalize {
            &[("normalize", "true")]
        } else {
            &[]
        };
        let registered = self.post(&["subjects", subject, "versions"], query, &body).await?;
        let found = self.post(&["subjects", subject], query, &body).await?;
        writeln!(
            out,
            "{subject}: id {}, version {}",
            text(&registered, "id"),
            text(&found, "version")
        )?;
        Ok(())
    }

    /// Asks whether a schema may follow `version` (`all`: every version that the level asks for), prints the answer and
    /// gives it.
    ///
    /// *Errors*: as [`Registry::list`].
    pub async fn check(
        &self,
        subject: &str,
        version: &str,
        schema: &SchemaText,
        out: &mut impl Write,
    ) -> Result<bool, ToolError> {
        let body = body_of(schema)?;
        let mut path = vec!["compatibility", "subjects", subject, "versions"];
        if version != "all" {
            path.push(version);
        }
        let mut query = vec![("verbose", "true")];
        if schema.normalize {
            query.push(("normalize", "true"));
        }
        let answer = self.post(&path, &query, &body).await?;
        let is_compatible = answer.get("is_compatible").and_then(Value::as_bool).unwrap_or(false);
        if is_compatible {
            writeln!(out, "{subject}: compatible")?;
        } else {
            writeln!(out, "{subject}: not compatible")?;
            for message in answer.get("messages").and_then(Value::as_array).into_iter().flatten() {
                writeln!(out, "  {}", message.as_str().unwrap_or_default())?;
            }
        }
        Ok(is_compatible)
    }

    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, ToolError> {
        self.answer(self.request(Method::GET, path, query)?).await
    }

    async fn post(&self, path: &[&str], query: &[(&str, &str)], body: &Value) -> Result<Value, ToolError> {
        let request = self.request(Method::POST, path, query)?;
        let request = request.header("content-type", CONTENT_TYPE).body(body.to_string());
        self.answer(request).await
    }

    fn request(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> Result<RequestBuilder, ToolError> {
        let mut url = self.base.clone();
        // Each segment is encoded, so that a subject may hold a slash.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(self.client.request(method, url).header("accept", CONTENT_TYPE))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Value, ToolError> {
        let unreachable = |error: reqwest::Error| ToolError::Registry {
            url: self.base.to_string(),
            reason: error.without_url().to_string(),
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let body = response.text().await.map_err(unreachable)?;
        let answer = serde_json::from_str::<Value>(&body).unwrap_or(Value::String(body));
        if status < 400 {
            return Ok(answer);
        }
        Err(ToolError::RegistryAnswer {
            status,
            code: answer
                .get("error_code")
                .and_then(Value::as_i64)
                .unwrap_or(i64::from(status)),
            message: answer
                .get("message")
                .and_then(Value::as_str)
                .map_or_else(|| answer.to_string(), str::to_owned),
        })
    }
}

fn text(value: &Value, field: &str) -> String {
    match value.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "-".to_owned(),
    }
}

/// The body of a registration or a check.
fn body_of(schema: &SchemaText) -> Result<Value, ToolError> {
    let mut body = Map::new();
    body.insert("schema".to_owned(), json!(schema.text));
    if !schema.schema_type.is_empty() {
        body.insert("schemaType".to_owned(), json!(schema.schema_type));
    }
    let references = schema
        .references
        .iter()
        .map(|reference| reference_of(reference))
        .collect::<Result<Vec<_>, _>>()?;
    if !references.is_empty() {
        body.insert("references".to_owned(), Value::Array(references));
    }
    Ok(Value::Object(body))
}

pub(crate) fn reference_of(text: &str) -> Result<Value, ToolError> {
    let parsed = text.split_once('=').and_then(|(name, target)| {
        let (subject, version) = target.rsplit_once(':')?;
        Some(json!({"name": name, "subject": subject, "version": version.parse::<i32>().ok()?}))
    });
    parsed.ok_or_else(|| ToolError::Reference { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_holds_what_was_given_and_no_more() {
        let schema = SchemaText {
            text: "\"string\"".to_owned(),
            references: vec!["com.acme.A=a-value:2".to_owned()],
            ..SchemaText::default()
        };
        let body = body_of(&schema).expect("body");
        assert_eq!(
            body.to_string(),
            r#"{"schema":"\"string\"","references":[{"name":"com.acme.A","subject":"a-value","version":2}]}"#
        );
        assert!(reference_of("no-version=a").is_err());
        assert!(reference_of("a=b:latest").is_err());
    }

    #[test]
    fn subjects_are_one_segment_whatever_they_hold() {
        let registry = Registry::new("http://127.0.0.1:8081/base").expect("url");
        let request = registry.request(Method::GET, &["subjects", "a/b c", "versions"], &[("deleted", "true")]);
        let url = request.expect("request").build().expect("built").url().to_string();
        assert_eq!(
            url,
            "http://127.0.0.1:8081/base/subjects/a%2Fb%20c/versions?deleted=true"
        );
        assert!(Registry::new("localhost:8081").is_err());
    }
}
