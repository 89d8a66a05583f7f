//! Whether a reader's schema reads what a writer's wrote
//!
//! The rules, their order and the places named are those of `org.apache.avro.SchemaCompatibility` 1.12, oddities
//! included: a pair of types is compared once, so its differences keep the place of the first visit. Differences are
//! kept as a shared graph and counted before they are listed, since twenty records can hold a million of them.

use std::collections::{HashMap, HashSet};

use crate::avro::canonical::node_text;
use crate::avro::difference::{Difference, DifferenceKind};
use crate::avro::graph;
use crate::avro::schema::{AvroSchema, Enum, Field, Kind, Node, NodeId, Record};
use crate::json_text::shorten;

/// Most differences listed.
pub const MAX_DIFFERENCES: usize = 1000;

/// Most steps spent on one pair of schemas; two unions of a thousand records each take a million.
const MAX_STEPS: usize = 2_000_000;

/// Deepest nesting of pairs within pairs.
const MAX_DEPTH: usize = 800;

/// Compares two schemas; empty means that the reader reads everything the writer writes.
///
/// *Errors*: the reason, as text, why the two cannot be compared: an ambiguous alias, or nesting and size beyond the
/// *bounds* of this file.
pub fn differences(reader: &AvroSchema, writer: &AvroSchema) -> Result<Vec<Difference>, String> {
    let mut checker = Checker {
        reader,
        writer,
        known: HashMap::new(),
        fields: HashMap::new(),
        places: vec![Place {
            parent: 0,
            token: Token::Root,
        }],
        found: Vec::new(),
        steps: 0,
        depth: 0,
    };
    let outcome = checker.compare(reader.root, writer.root, ROOT)?;
    Ok(checker.list(outcome))
}

/// Index into the differences found, plus one; 0 is compatible.
type Outcome = usize;

const COMPATIBLE: Outcome = 0;

/// Index into the places; 0 is the schema itself.
type PlaceId = usize;

const ROOT: PlaceId = 0;

/// A place in a schema, as a list from the inside out that places further in share.
#[derive(Debug)]
struct Place {
    parent: PlaceId,
    token: Token,
}

#[derive(Debug, Clone, Copy)]
enum Token {
    Root,
    Word(&'static str),
    Index(usize),
}

/// One difference, or two outcomes together.
#[derive(Debug)]
enum Found {
    Both(Outcome, Outcome),
    One {
        kind: DifferenceKind,
        reader: NodeId,
        writer: NodeId,
        field: usize,
        place: PlaceId,
    },
}

/// What is known about a pair of types.
#[derive(Debug, Clone, Copy)]
enum Known {
    InProgress,
    Done(Outcome),
}

struct Checker<'a> {
    reader: &'a AvroSchema,
    writer: &'a AvroSchema,
    known: HashMap<(NodeId, NodeId), Known>,
    /// Fields of the writer's records by name.
    fields: HashMap<NodeId, HashMap<&'a str, NodeId>>,
    places: Vec<Place>,
    found: Vec<Found>,
    steps: usize,
    depth: usize,
}

impl<'a> Checker<'a> {
    fn compare(&mut self, reader: NodeId, writer: NodeId, place: PlaceId) -> Result<Outcome, String> {
        // Nodes without name are used in one place each, so the pairs above them cannot come twice.
        let remembers =
            self.reader.node(reader).kind.name().is_some() || self.writer.node(writer).kind.name().is_some();
        if remembers {
            match self.known.get(&(reader, writer)) {
                Some(Known::InProgress) => return Ok(COMPATIBLE),
                Some(Known::Done(outcome)) => return Ok(*outcome),
                None => self.known.insert((reader, writer), Known::InProgress),
            };
        }
        self.spend(1)?;
        if self.depth >= MAX_DEPTH {
            return Err(format!("schemas are nested deeper than {MAX_DEPTH} levels"));
        }
        self.depth += 1;
        let outcome = self.compare_kinds(reader, writer, place)?;
        self.depth -= 1;
        if remembers {
            self.known.insert((reader, writer), Known::Done(outcome));
        }
        Ok(outcome)
    }

    fn spend(&mut self, steps: usize) -> Result<(), String> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS {
            return Err("schemas are too large to be compared".to_owned());
        }
        Ok(())
    }

    fn compare_kinds(&mut self, reader: NodeId, writer: NodeId, place: PlaceId) -> Result<Outcome, String> {
        let (from, to) = (&self.writer.node(writer).kind, &self.reader.node(reader).kind);
        match (to, from) {
            (Kind::Union(_), Kind::Union(branches)) => self.union_branches(reader, writer, branches, place),
            (_, Kind::Union(branches)) => {
                let mut outcome = COMPATIBLE;
                for (at, branch) in branches.iter().enumerate() {
                    let inner = self.place(place, Token::Index(at));
                    let of_branch = self.compare(reader, *branch, inner)?;
                    outcome = self.both(outcome, of_branch);
                }
                Ok(outcome)
            }
            (Kind::Union(branches), _) => {
                for branch in branches {
                    if self.compare(*branch, writer, ROOT)? == COMPATIBLE {
                        return Ok(COMPATIBLE);
                    }
                }
                Ok(self.one(DifferenceKind::MissingUnionBranch, reader, writer, place))
            }
            (Kind::Array(to), Kind::Array(from)) => {
                let inner = self.place(place, Token::Word("items"));
                self.compare(*to, *from, inner)
            }
            (Kind::Map(to), Kind::Map(from)) => {
                let inner = self.place(place, Token::Word("values"));
                self.compare(*to, *from, inner)
            }
            (Kind::Fixed(to), Kind::Fixed(from)) => {
                let names = self.names(reader, writer, place);
                let same = to.size == from.size;
                let sizes = self.unless(same, DifferenceKind::FixedSizeMismatch, (reader, writer), place, "size");
                Ok(self.both(names, sizes))
            }
            (Kind::Enum(to), Kind::Enum(from)) => {
                let names = self.names(reader, writer, place);
                self.spend(to.symbols.len().saturating_add(from.symbols.len()))?;
                let reads = to.default.is_some() || missing_symbols(to, from).is_empty();
                let pair = (reader, writer);
                let symbols = self.unless(reads, DifferenceKind::MissingEnumSymbols, pair, place, "symbols");
                Ok(self.both(names, symbols))
            }
            (Kind::Record(to), Kind::Record(_)) => {
                let names = self.names(reader, writer, place);
                let fields = self.record_fields(to, reader, writer, place)?;
                Ok(self.both(names, fields))
            }
            _ if reads_primitive(to, from) => Ok(COMPATIBLE),
            _ => Ok(self.one(DifferenceKind::TypeMismatch, reader, writer, place)),
        }
    }

    fn union_branches(
        &mut self,
        reader: NodeId,
        writer: NodeId,
        branches: &[NodeId],
        place: PlaceId,
    ) -> Result<Outcome, String> {
        let mut outcome = COMPATIBLE;
        for (at, branch) in branches.iter().enumerate() {
            if self.compare(reader, *branch, ROOT)? != COMPATIBLE {
                let inner = self.place(place, Token::Index(at));
                let found = Found::One {
                    kind: DifferenceKind::MissingUnionBranch,
                    reader,
                    writer,
                    field: at,
                    place: inner,
                };
                let missing = self.keep(found);
                outcome = self.both(outcome, missing);
            }
        }
        Ok(outcome)
    }

    fn names(&mut self, reader: NodeId, writer: NodeId, place: PlaceId) -> Outcome {
        let same = names_match(self.reader.node(reader), self.writer.node(writer));
        self.unless(same, DifferenceKind::NameMismatch, (reader, writer), place, "name")
    }

    fn record_fields(
        &mut self,
        record: &'a Record,
        reader: NodeId,
        writer: NodeId,
        place: PlaceId,
    ) -> Result<Outcome, String> {
        self.spend(record.fields.len())?;
        let mut outcome = COMPATIBLE;
        let list = self.place(place, Token::Word("fields"));
        for (at, field) in record.fields.iter().enumerate() {
            let here = self.place(list, Token::Index(at));
            let of_field = match self.writer_field(writer, field, at)? {
                Some(from) => {
                    let inner = self.place(here, Token::Word("type"));
                    self.compare(field.schema, from, inner)?
                }
                None if field.default.is_some() => COMPATIBLE,
                None if has_enum_default(self.reader.node(field.schema)) => {
                    // Java compares the enum with the writer's whole record, which never fits.
                    let inner = self.place(here, Token::Word("type"));
                    self.compare(field.schema, writer, inner)?
                }
                None => {
                    let kind = DifferenceKind::ReaderFieldMissingDefaultValue;
                    self.keep(Found::One {
                        kind,
                        reader,
                        writer,
                        field: at,
                        place: here,
                    })
                }
            };
            outcome = self.both(outcome, of_field);
        }
        Ok(outcome)
    }

    /// Returns the schema of the writer's field that a reader's field takes its values from.
    fn writer_field(&mut self, writer: NodeId, field: &Field, at: usize) -> Result<Option<NodeId>, String> {
        let schema = self.writer;
        let names = self
            .fields
            .entry(writer)
            .or_insert_with(|| match &schema.node(writer).kind {
                Kind::Record(record) => record
                    .fields
                    .iter()
                    .map(|field| (field.name.as_str(), field.schema))
                    .collect(),
                _ => HashMap::new(),
            });
        let spellings = std::iter::once(&field.name).chain(&field.aliases);
        let mut matches = spellings.filter_map(|name| names.get(name.as_str()).copied());
        let first = matches.next();
        if matches.next().is_none() {
            return Ok(first);
        }
        let kind = self.reader.node(field.schema).kind.type_name().to_uppercase();
        let text = shorten(&node_text(schema, writer, HashSet::new()));
        let name = &field.name;
        Err(format!(
            "Reader record field {name} type:{kind} pos:{at} matches multiple fields in writer record schema {text}"
        ))
    }

    fn place(&mut self, parent: PlaceId, token: Token) -> PlaceId {
        self.places.push(Place { parent, token });
        self.places.len() - 1
    }

    fn one(&mut self, kind: DifferenceKind, reader: NodeId, writer: NodeId, place: PlaceId) -> Outcome {
        self.keep(Found::One {
            kind,
            reader,
            writer,
            field: 0,
            place,
        })
    }

    fn unless(
        &mut self,
        fine: bool,
        kind: DifferenceKind,
        (reader, writer): (NodeId, NodeId),
        place: PlaceId,
        word: &'static str,
    ) -> Outcome {
        if fine {
            return COMPATIBLE;
        }
        let place = self.place(place, Token::Word(word));
        self.one(kind, reader, writer, place)
    }

    fn both(&mut self, first: Outcome, second: Outcome) -> Outcome {
        match (first, second) {
            (outcome, COMPATIBLE) | (COMPATIBLE, outcome) => outcome,
            (first, second) => self.keep(Found::Both(first, second)),
        }
    }

    fn keep(&mut self, found: Found) -> Outcome {
        self.found.push(found);
        self.found.len()
    }

    /// Lists an outcome's differences in the order in which they were found, up to the bound.
    fn list(&self, outcome: Outcome) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut waiting = vec![outcome];
        while let Some(outcome) = waiting.pop() {
            let found = outcome.checked_sub(1).and_then(|at| self.found.get(at));
            match found {
                None => {}
                Some(_) if differences.len() >= MAX_DIFFERENCES => break,
                Some(Found::Both(first, second)) => waiting.extend([*second, *first]),
                Some(Found::One {
                    kind,
                    reader,
                    writer,
                    field,
                    place,
                }) => differences.push(Difference {
                    kind: *kind,
                    location: self.location(*place),
                    info: self.info(*kind, *reader, *writer, *field),
                }),
            }
        }
        differences
    }

    fn location(&self, mut place: PlaceId) -> String {
        let mut tokens = Vec::new();
        while let Some(Place { parent, token }) = self.places.get(place) {
            match token {
                Token::Root => break,
                Token::Word(word) => tokens.push((*word).to_owned()),
                Token::Index(at) => tokens.push(at.to_string()),
            }
            place = *parent;
        }
        tokens.reverse();
        format!("/{}", tokens.join("/"))
    }

    fn info(&self, kind: DifferenceKind, reader: NodeId, writer: NodeId, at: usize) -> String {
        let (to, from) = (&self.reader.node(reader).kind, &self.writer.node(writer).kind);
        let upper = |kind: &Kind| kind.type_name().to_uppercase();
        match (kind, to, from) {
            (DifferenceKind::TypeMismatch, to, from) => {
                format!(
                    "reader type: {} not compatible with writer type: {}",
                    upper(to),
                    upper(from)
                )
            }
            (DifferenceKind::MissingUnionBranch, Kind::Union(_), Kind::Union(branches)) => {
                let branch = branches.get(at).map(|id| &self.writer.node(*id).kind).unwrap_or(from);
                format!("reader union lacking writer type: {}", upper(branch))
            }
            (DifferenceKind::MissingUnionBranch, _, from) => {
                format!("reader union lacking writer type: {}", upper(from))
            }
            (DifferenceKind::NameMismatch, _, from) => {
                format!("expected: {}", from.name().map(ToString::to_string).unwrap_or_default())
            }
            (DifferenceKind::FixedSizeMismatch, Kind::Fixed(to), Kind::Fixed(from)) => {
                format!("expected: {}, found: {}", from.size, to.size)
            }
            (DifferenceKind::MissingEnumSymbols, Kind::Enum(to), Kind::Enum(from)) => {
                format!("[{}]", missing_symbols(to, from).join(", "))
            }
            (DifferenceKind::ReaderFieldMissingDefaultValue, Kind::Record(record), _) => record
                .fields
                .get(at)
                .map(|field| field.name.clone())
                .unwrap_or_default(),
            _ => String::new(),
        }
    }
}

/// Whether the names without namespace are equal, or the writer's full name is an alias of the reader.
fn names_match(reader: &Node, writer: &Node) -> bool {
    let (Some(to), Some(from)) = (reader.kind.name(), writer.kind.name()) else {
        return false;
    };
    to.name == from.name
        || reader.kind.aliases().iter().any(|alias| {
            // Java spells the alias of a null namespace with a leading dot here, which then matches nothing.
            let is_lost = alias.namespace.is_none() && to.namespace.is_some();
            !is_lost && alias == from
        })
}

fn missing_symbols<'a>(reader: &Enum, writer: &'a Enum) -> Vec<&'a str> {
    let known: HashSet<&str> = reader.symbols.iter().map(String::as_str).collect();
    let mut missing: Vec<&str> = writer
        .symbols
        .iter()
        .map(String::as_str)
        .filter(|s| !known.contains(s))
        .collect();
    missing.sort_unstable();
    missing
}

fn has_enum_default(node: &Node) -> bool {
    matches!(&node.kind, Kind::Enum(of) if of.default.is_some())
}

/// Whether two kinds without inner types are equal, or the reader widens the writer's.
fn reads_primitive(reader: &Kind, writer: &Kind) -> bool {
    match (reader, writer) {
        (Kind::Long, Kind::Int)
        | (Kind::Float, Kind::Int | Kind::Long)
        | (Kind::Double, Kind::Int | Kind::Long | Kind::Float)
        | (Kind::Bytes, Kind::String)
        | (Kind::String, Kind::Bytes) => true,
        _ => graph::children(reader).is_empty() && reader.name().is_none() && reader == writer,
    }
}
