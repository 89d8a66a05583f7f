//! A JSON Schema: its text, and the graph of what it demands
//!
//! Reading and printed forms; how the graph is made is in `load.rs`.

use crate::error::SchemaError;
use crate::json::load::{self, Graph};
use crate::json::model::Kind;
use crate::json::tree::Json;
use crate::json_text;
use crate::schema::ResolvedReference;

/// A schema that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonSchema {
    root: Json,
    graph: Graph,
}

impl JsonSchema {
    /// Reads a text; `references` are found by their names.
    ///
    /// *Errors*: the text is no JSON, or no schema.
    pub fn parse(text: &str, references: &[ResolvedReference]) -> Result<Self, SchemaError> {
        let root = read(text)?;
        let mut documents = Vec::with_capacity(references.len());
        for resolved in references {
            documents.push((resolved.reference.name.clone(), read(&resolved.schema)?));
        }
        let graph = load::load(&root, &documents)?;
        Ok(Self { root, graph })
    }

    /// Returns the text as JSON.
    pub fn root(&self) -> &Json {
        &self.root
    }

    /// Returns what the schema demands.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Returns the canonical text: compact, keys as written.
    pub fn canonical_text(&self) -> String {
        self.root.to_text()
    }

    /// Returns the normalized text: keys sorted.
    pub fn normalized_text(&self) -> String {
        self.root.to_sorted_text()
    }

    /// Returns the title, by which records are named.
    pub fn name(&self) -> Option<String> {
        self.root.get("title").and_then(Json::as_str).map(str::to_owned)
    }

    /// Returns the names of the properties of the schema itself.
    pub fn top_level_fields(&self) -> Vec<&str> {
        match self.graph.node(Graph::ROOT).map(|node| &node.kind) {
            Some(Kind::Object(object)) => object.properties.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

fn read(text: &str) -> Result<Json, SchemaError> {
    let found = match json_text::read_first(text)? {
        Some(schema @ (Json::Object(_) | Json::Bool(_))) => return Ok(schema),
        None => "MISSING",
        Some(Json::Null) => "NULL",
        Some(Json::Number(_)) => "NUMBER",
        Some(Json::String(_)) => "STRING",
        Some(Json::Array(_)) => "ARRAY",
    };
    Err(SchemaError::Invalid(format!(
        "Invalid JSON schema: expected an object or boolean at the root, found {found}"
    )))
}
