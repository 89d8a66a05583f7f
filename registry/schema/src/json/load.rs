//! From the text of a JSON Schema to its graph
//!
//! Checks the shape of every keyword on the way, as the registry's libraries do: what no reference leads to is not
//! looked at. References are loaded once each, after what refers to them, so chains of them cost no stack.
//!
//! DIVERGES: patterns are only checked for balanced brackets, since Java's are not Rust's.

use std::collections::{BTreeSet, HashMap, HashSet};

use indexmap::IndexMap;

use crate::error::SchemaError;
use crate::json::documents::{DocumentId, Documents, Place};
use crate::json::draft::Draft;
use crate::json::keywords::{self, Fields};
use crate::json::model::{Array, Combined, Criterion, Kind, Node, NodeId, Number, Object, Text, Values};
use crate::json::tree::Json;

/// Deepest nesting of schemas.
pub const MAX_DEPTH: usize = 200;

/// The graph of a schema; the first node is the schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    nodes: Vec<Node>,
}

impl Graph {
    /// The node of the schema itself.
    pub const ROOT: NodeId = 0;

    /// Returns a node.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// Returns what a reference leads to, and anything else as it is.
    pub fn follow(&self, id: NodeId) -> NodeId {
        match self.nodes.get(id).map(|node| &node.kind) {
            Some(Kind::Reference(target)) => *target,
            _ => id,
        }
    }

    /// Makes references to references lead to the end at once; those that only lead to themselves become anything.
    fn shorten_references(&mut self) {
        for start in 0..self.nodes.len() {
            let mut way = Vec::new();
            let mut at = start;
            while let Some(Kind::Reference(target)) = self.nodes.get(at).map(|node| &node.kind) {
                way.push(at);
                at = *target;
                if way.len() > self.nodes.len() || at == start {
                    break;
                }
            }
            let ends = !matches!(self.nodes.get(at).map(|node| &node.kind), Some(Kind::Reference(_)));
            for id in way {
                if let Some(node) = self.nodes.get_mut(id) {
                    node.kind = if ends { Kind::Reference(at) } else { Kind::Empty };
                }
            }
        }
    }
}

/// Loads a schema.
///
/// *Errors*: what makes it none.
pub(super) fn load(root: &Json, references: &[(String, Json)]) -> Result<Graph, SchemaError> {
    let documents = Documents::new(root, references);
    let mut loader = Loader {
        documents: &documents,
        nodes: Vec::new(),
        targets: HashMap::new(),
        waiting: Vec::new(),
    };
    let place = Place {
        schema: root,
        document: 0,
    };
    // Not known as a target: to a reference, the schema is another one, as it is to the registry.
    let root = loader.add(Node::default());
    loader.waiting.push((root, place));
    while let Some((id, place)) = loader.waiting.pop() {
        let node = loader.schema(place, 0)?;
        if let Some(slot) = loader.nodes.get_mut(id) {
            *slot = node;
        }
    }
    let mut graph = Graph { nodes: loader.nodes };
    graph.shorten_references();
    Ok(graph)
}

struct Loader<'a> {
    documents: &'a Documents<'a>,
    nodes: Vec<Node>,
    /// Schemas that references lead to, by where they lie.
    targets: HashMap<*const Json, NodeId>,
    waiting: Vec<(NodeId, Place<'a>)>,
}

impl<'a> Loader<'a> {
    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn add_kind(&mut self, kind: Kind) -> NodeId {
        self.add(Node {
            kind,
            ..Node::default()
        })
    }

    /// Returns the node of a schema that a reference leads to; it is filled later.
    fn target(&mut self, place: Place<'a>) -> NodeId {
        let key = std::ptr::from_ref(place.schema);
        if let Some(known) = self.targets.get(&key) {
            return *known;
        }
        let id = self.add(Node::default());
        self.targets.insert(key, id);
        self.waiting.push((id, place));
        id
    }

    fn child(&mut self, schema: &'a Json, document: DocumentId, depth: usize) -> Result<NodeId, SchemaError> {
        let node = self.schema(Place { schema, document }, depth + 1)?;
        Ok(self.add(node))
    }

    fn schema(&mut self, place: Place<'a>, depth: usize) -> Result<Node, SchemaError> {
        if depth >= MAX_DEPTH {
            return Err(SchemaError::Limit(format!(
                "Schema is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        match place.schema {
            Json::Bool(value) => Ok(Node {
                kind: if *value { Kind::True } else { Kind::False },
                ..Node::default()
            }),
            Json::Object(entries) => {
                let fields = Fields {
                    entries,
                    draft: self.documents.draft(place.document),
                };
                self.object_schema(&fields, place.document, depth)
            }
            other => Err(keywords::not_a_schema(other)),
        }
    }

    fn object_schema(&mut self, fields: &Fields<'a>, document: DocumentId, depth: usize) -> Result<Node, SchemaError> {
        let mut node = Node {
            id: fields.text(fields.draft.id_keyword())?.map(str::to_owned),
            title: fields.text("title")?.map(str::to_owned),
            description: fields.text("description")?.map(str::to_owned),
            default: fields.get("default").cloned(),
            connect_type: fields.get("connect.type").and_then(Json::as_str).map(str::to_owned),
            kind: Kind::Empty,
        };
        if fields.draft.is_modern() && node.default == Some(Json::Null) {
            node.default = None;
        }
        let mut parts = Vec::new();
        for keyword in ["$ref", "$dynamicRef"] {
            let is_known = keyword == "$ref" || fields.draft == Draft::Draft2020;
            if let Some(reference) = fields.text(keyword)?.filter(|_| is_known) {
                let target = match self.documents.find(document, reference)? {
                    Some(place) => self.target(place),
                    None => self.add_kind(Kind::Empty),
                };
                parts.push(Kind::Reference(target));
            }
        }
        // Before 2019-09, what stands beside a reference does not count.
        if parts.is_empty() || fields.draft.is_modern() {
            self.combining(fields, document, depth, &mut parts)?;
            self.typed(fields, document, depth, &mut parts)?;
        }
        node.kind = self.joined(parts);
        Ok(node)
    }

    /// One demand is itself; several are an `allOf`.
    fn joined(&mut self, mut parts: Vec<Kind>) -> Kind {
        match (parts.pop(), parts.is_empty()) {
            (None, _) => Kind::Empty,
            (Some(only), true) => only,
            (Some(last), false) => {
                parts.push(last);
                let branches: Vec<NodeId> = parts.into_iter().map(|kind| self.add_kind(kind)).collect();
                Kind::Combined(Combined {
                    criterion: Criterion::All,
                    distinct: branches.clone(),
                    branches,
                })
            }
        }
    }

    fn combining(
        &mut self,
        fields: &Fields<'a>,
        document: DocumentId,
        depth: usize,
        parts: &mut Vec<Kind>,
    ) -> Result<(), SchemaError> {
        if let Some(values) = fields.array("enum")? {
            let texts: HashSet<String> = values.iter().map(Json::to_sorted_text).collect();
            let bytes = texts.iter().map(String::len).sum();
            parts.push(Kind::Enum(Values { texts, bytes }));
        }
        for criterion in [Criterion::All, Criterion::Any, Criterion::One] {
            if let Some(schemas) = fields.array(criterion.as_str())? {
                let mut branches = Vec::with_capacity(schemas.len());
                let mut distinct = Vec::new();
                let mut seen = HashSet::new();
                for schema in schemas {
                    let branch = self.child(schema, document, depth)?;
                    branches.push(branch);
                    if seen.insert(schema.to_sorted_text()) {
                        distinct.push(branch);
                    }
                }
                parts.push(Kind::Combined(Combined {
                    criterion,
                    branches,
                    distinct,
                }));
            }
        }
        if let Some(schema) = fields.get("not") {
            parts.push(Kind::Not(self.child(schema, document, depth)?));
        }
        if let Some(value) = fields.get("const").filter(|_| fields.draft > Draft::Draft4) {
            parts.push(Kind::Const(value.clone()));
        }
        if fields.draft >= Draft::Draft7 && ["if", "then", "else"].iter().any(|word| fields.get(word).is_some()) {
            for word in ["if", "then", "else"] {
                if let Some(schema) = fields.get(word) {
                    self.child(schema, document, depth)?;
                }
            }
            parts.push(Kind::Conditional);
        }
        Ok(())
    }

    /// The types that are named, then demands on values of other types.
    fn typed(
        &mut self,
        fields: &Fields<'a>,
        document: DocumentId,
        depth: usize,
        parts: &mut Vec<Kind>,
    ) -> Result<(), SchemaError> {
        let types = fields.types()?;
        let mut kinds = Vec::with_capacity(types.names.len());
        for name in &types.names {
            kinds.push(match *name {
                "string" => Kind::String(self.text(fields)?),
                "integer" => Kind::Number(self.number(fields, true)?),
                "number" => Kind::Number(self.number(fields, false)?),
                "boolean" => Kind::Boolean,
                "null" => Kind::Null,
                "array" => Kind::Array(Box::new(self.array(fields, document, depth)?)),
                _ => Kind::Object(Box::new(self.object(fields, document, depth)?)),
            });
        }
        if types.is_list {
            let branches: Vec<NodeId> = kinds.into_iter().map(|kind| self.add_kind(kind)).collect();
            parts.push(Kind::Combined(Combined {
                criterion: Criterion::Any,
                distinct: branches.clone(),
                branches,
            }));
        } else {
            parts.extend(kinds);
        }
        let is_named = |name: &str| types.names.contains(&name);
        if !is_named("array") && fields.has_any(keywords::of_arrays(fields.draft)) {
            parts.push(Kind::Array(Box::new(self.array(fields, document, depth)?)));
        }
        if !is_named("object") && fields.has_any(keywords::of_objects(fields.draft)) {
            parts.push(Kind::Object(Box::new(self.object(fields, document, depth)?)));
        }
        if !is_named("number") && !is_named("integer") && fields.has_any(keywords::OF_NUMBERS) {
            parts.push(Kind::Number(self.number(fields, false)?));
        }
        if !is_named("string") && fields.has_any(keywords::of_strings(fields.draft)) {
            parts.push(Kind::String(self.text(fields)?));
        }
        Ok(())
    }

    fn text(&self, fields: &Fields<'a>) -> Result<Text, SchemaError> {
        let pattern = fields.text("pattern")?;
        pattern.map_or(Ok(()), keywords::check_pattern)?;
        Ok(Text {
            max_length: fields.integer("maxLength")?,
            min_length: fields.integer("minLength")?,
            pattern: pattern.map(str::to_owned),
        })
    }

    fn number(&self, fields: &Fields<'a>, is_integer: bool) -> Result<Number, SchemaError> {
        let exclusive = |keyword: &str| match fields.draft {
            Draft::Draft4 => fields.flag(keyword).map(|_| None),
            _ => fields.number(keyword),
        };
        fields.number("multipleOf")?;
        let multiple_of = match fields.get("multipleOf") {
            Some(Json::Number(text)) => Some(text.clone()),
            _ => None,
        };
        if multiple_of.as_deref().and_then(|text| text.parse::<f64>().ok()) == Some(0.0) {
            return Err(SchemaError::Invalid("multipleOf should not be 0".to_owned()));
        }
        Ok(Number {
            is_integer,
            maximum: fields.number("maximum")?,
            minimum: fields.number("minimum")?,
            exclusive_maximum: exclusive("exclusiveMaximum")?,
            exclusive_minimum: exclusive("exclusiveMinimum")?,
            multiple_of,
        })
    }

    fn schemas(
        &mut self,
        entries: Option<&'a IndexMap<String, Json>>,
        document: DocumentId,
        depth: usize,
    ) -> Result<IndexMap<String, NodeId>, SchemaError> {
        let mut loaded = IndexMap::new();
        for (name, schema) in entries.into_iter().flatten() {
            loaded.insert(name.clone(), self.child(schema, document, depth)?);
        }
        Ok(loaded)
    }

    fn object(&mut self, fields: &Fields<'a>, document: DocumentId, depth: usize) -> Result<Object, SchemaError> {
        let mut object = Object {
            max_properties: fields.integer("maxProperties")?,
            min_properties: fields.integer("minProperties")?,
            properties: self.schemas(fields.object("properties")?, document, depth)?,
            required: fields.texts("required")?.into_iter().collect(),
            ..Object::default()
        };
        (object.forbids_additional, object.additional) =
            self.additional(fields, "additionalProperties", document, depth)?;
        for (pattern, schema) in self.schemas(fields.object("patternProperties")?, document, depth)? {
            keywords::check_pattern(&pattern)?;
            object.patterns.push((pattern, schema));
        }
        if let Some(schema) = fields.get("propertyNames").filter(|_| fields.draft > Draft::Draft4) {
            self.child(schema, document, depth)?;
        }
        if fields.draft.is_modern() {
            object.schema_dependencies = self.schemas(fields.object("dependentSchemas")?, document, depth)?;
            for (name, needed) in fields.object("dependentRequired")?.into_iter().flatten() {
                object.dependencies.insert(name.clone(), keywords::texts_of(needed)?);
            }
            if let Some(schema) = fields.get("unevaluatedProperties") {
                object.unevaluated = Some(self.child(schema, document, depth)?);
            }
            return Ok(object);
        }
        for (name, needed) in fields.object("dependencies")?.into_iter().flatten() {
            match needed {
                Json::Array(_) => {
                    let needed: BTreeSet<String> = keywords::texts_of(needed)?;
                    if !needed.is_empty() {
                        object.dependencies.insert(name.clone(), needed);
                    }
                }
                schema => {
                    let schema = self.child(schema, document, depth)?;
                    object.schema_dependencies.insert(name.clone(), schema);
                }
            }
        }
        Ok(object)
    }

    /// Reads `additionalProperties` and `additionalItems`: whether more is forbidden, and what it must be.
    fn additional(
        &mut self,
        fields: &Fields<'a>,
        keyword: &str,
        document: DocumentId,
        depth: usize,
    ) -> Result<(bool, Option<NodeId>), SchemaError> {
        match fields.get(keyword) {
            None | Some(Json::Bool(true)) => Ok((false, None)),
            Some(Json::Bool(false)) => Ok((true, None)),
            Some(schema) => Ok((false, Some(self.child(schema, document, depth)?))),
        }
    }

    fn array(&mut self, fields: &Fields<'a>, document: DocumentId, depth: usize) -> Result<Array, SchemaError> {
        let mut array = Array {
            max_items: fields.integer("maxItems")?,
            min_items: fields.integer("minItems")?,
            is_unique: fields.flag("uniqueItems")?.unwrap_or_default(),
            ..Array::default()
        };
        if fields.draft < Draft::Draft2020 {
            (array.forbids_additional, array.additional) =
                self.additional(fields, "additionalItems", document, depth)?;
        }
        let tuple = match fields.get("items") {
            Some(Json::Array(items)) if fields.draft < Draft::Draft2020 => items.as_slice(),
            _ => fields
                .array("prefixItems")?
                .filter(|_| fields.draft.is_modern())
                .unwrap_or_default(),
        };
        for schema in tuple {
            array.tuple.push(self.child(schema, document, depth)?);
        }
        match fields.get("items") {
            None => {}
            Some(Json::Array(_)) if fields.draft < Draft::Draft2020 => {}
            Some(Json::Bool(false)) if fields.draft.is_modern() => array.forbids_additional = true,
            Some(Json::Bool(true)) if fields.draft.is_modern() => {}
            Some(schema) if array.tuple.is_empty() => {
                array.items = Some(self.child(schema, document, depth)?);
                array.forbids_additional = false;
            }
            Some(schema) => array.additional = Some(self.child(schema, document, depth)?),
        }
        if let Some(schema) = fields.get("contains").filter(|_| fields.draft > Draft::Draft4) {
            self.child(schema, document, depth)?;
            if fields.draft.is_modern() {
                array.min_contains = Some(fields.number("minContains")?.unwrap_or(1.0));
                array.max_contains = fields.number("maxContains")?;
            }
        }
        if let Some(schema) = fields.get("unevaluatedItems").filter(|_| fields.draft.is_modern()) {
            array.unevaluated = Some(self.child(schema, document, depth)?);
        }
        Ok(array)
    }
}
