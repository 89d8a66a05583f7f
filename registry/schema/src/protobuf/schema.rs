//! A Protobuf schema: its file, the files it uses, and where messages lie
//!
//! Reading, printed forms and message indexes; comparison and descriptors are their own files.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use prost_types::FileDescriptorProto;

use crate::error::SchemaError;
use crate::protobuf::compile::ROOT;
use crate::protobuf::names::Names;
use crate::protobuf::parse::parse;
use crate::protobuf::tree::{File, Message, Type};
use crate::protobuf::{descriptor, print};
use crate::schema::ResolvedReference;

/// A schema that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ProtobufSchema {
    file: Arc<File>,
    dependencies: Vec<Dependency>,
}

/// A file that the schema uses.
#[derive(Debug, Clone, PartialEq)]
struct Dependency {
    path: String,
    subject: String,
    version: i32,
    file: Arc<File>,
}

impl ProtobufSchema {
    /// Reads a text, or a file descriptor in base64; with `validate` every type has to be declared somewhere.
    ///
    /// *Errors*: what is wrong with the text or with one that it refers to.
    pub fn parse(text: &str, references: &[ResolvedReference], validate: bool) -> Result<Self, SchemaError> {
        let mut dependencies = Vec::with_capacity(references.len());
        for resolved in references {
            dependencies.push(Dependency {
                path: resolved.reference.name.clone(),
                subject: resolved.reference.subject.clone(),
                version: resolved.reference.version,
                file: Arc::new(read(&resolved.schema)?),
            });
        }
        let schema = Self {
            file: Arc::new(read(text)?),
            dependencies,
        };
        if validate {
            schema.normalized_text()?;
        }
        Ok(schema)
    }

    /// Returns the file as written.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns the canonical text.
    pub fn canonical_text(&self) -> String {
        print::canonical(&self.file)
    }

    /// Returns the normalized text.
    ///
    /// *Errors*: a type that is not declared anywhere.
    pub fn normalized_text(&self) -> Result<String, SchemaError> {
        print::normalized(&self.file, &self.names())
    }

    /// Returns the text of `format=ignore_extensions`.
    pub fn text_without_extensions(&self) -> String {
        print::without_extensions(&self.file)
    }

    /// Returns what the file and those it uses declare.
    pub(super) fn names(&self) -> Names<'_> {
        let mut names = Names::default();
        for used in &self.dependencies {
            names.add(&used.file, Some((&used.subject, used.version)));
        }
        names.add(&self.file, Some(("", -1)));
        names
    }

    /// Returns path and text of every file.
    pub(super) fn texts(&self) -> Vec<(String, String)> {
        let used = self.dependencies.iter();
        let mut texts: Vec<(String, String)> = used
            .map(|used| (used.path.clone(), print::canonical(&used.file)))
            .collect();
        texts.push((ROOT.to_owned(), self.canonical_text()));
        texts
    }

    /// Returns the file whose messages are meant: an empty file with one public import stands for that one.
    fn effective(&self) -> &File {
        let own = &*self.file;
        let [path] = own.public_imports.as_slice() else {
            return own;
        };
        if !own.types.is_empty() || !own.imports.is_empty() {
            return own;
        }
        let imported = self.dependencies.iter().find(|used| used.path == *path);
        match imported {
            Some(used) if !used.file.types.is_empty() => &used.file,
            _ => own,
        }
    }

    /// Returns the full name of the first message, or of the first enum.
    pub fn name(&self) -> Option<String> {
        let file = self.effective();
        let first_message = file.types.iter().find(|declared| matches!(declared, Type::Message(_)));
        let first = first_message.or(file.types.first())?;
        Some(with_package(file, first.name()))
    }

    /// Returns the way to a message by full name: the index of each message among its neighbours, outermost first.
    pub fn message_indexes(&self, full_name: &str) -> Option<Vec<i32>> {
        let file = self.effective();
        let package = file.package.as_deref().unwrap_or_default();
        let inside = full_name.strip_prefix(package).and_then(|rest| rest.strip_prefix('.'));
        let local = if package.is_empty() { full_name } else { inside? };
        let mut types = file.types.as_slice();
        let mut indexes = Vec::new();
        for part in local.split('.') {
            let (at, message) = messages(types).enumerate().find(|(_, message)| message.name == part)?;
            indexes.push(i32::try_from(at).ok()?);
            types = &message.types;
        }
        Some(indexes)
    }

    /// Returns the full name of the message that indexes lead to; none at all lead to the first.
    pub fn message_name(&self, indexes: &[i32]) -> Option<String> {
        let file = self.effective();
        let mut types = file.types.as_slice();
        let mut parts = Vec::new();
        let indexes = if indexes.is_empty() { &[0] } else { indexes };
        for index in indexes {
            let message = messages(types).nth(usize::try_from(*index).ok()?)?;
            parts.push(message.name.as_str());
            types = &message.types;
        }
        Some(with_package(file, &parts.join(".")))
    }

    /// Returns the names of the fields of the first message.
    pub fn top_level_fields(&self) -> Vec<&str> {
        let first = messages(&self.effective().types).next();
        first.map_or_else(Vec::new, |message| {
            message.all_fields().map(|field| field.name.as_str()).collect()
        })
    }
}

fn messages(types: &[Type]) -> impl Iterator<Item = &Message> {
    types.iter().filter_map(|declared| match declared {
        Type::Message(message) => Some(message),
        Type::Enum(_) => None,
    })
}

fn with_package(file: &File, name: &str) -> String {
    match file.package.as_deref().filter(|package| !package.is_empty()) {
        Some(package) => format!("{package}.{name}"),
        None => name.to_owned(),
    }
}

/// Reads a text; what is none may be a descriptor.
fn read(text: &str) -> Result<File, SchemaError> {
    let error = match parse(text) {
        Ok(file) => return Ok(file),
        Err(SchemaError::Limit(reason)) => return Err(SchemaError::Limit(reason)),
        Err(error) => error,
    };
    let bytes = STANDARD.decode(text.trim()).ok();
    let descriptor = bytes.and_then(|bytes| FileDescriptorProto::decode(bytes.as_slice()).ok());
    let file = descriptor.map(|file| descriptor::file_of(&file));
    file.ok_or_else(|| SchemaError::Invalid(format!("Could not parse Protobuf - {error}")))
}
