//! Descriptors: a schema with everything resolved, by the compiler
//!
//! The compiler reads the texts anew and checks what the tree does not: numbers, ranges, defaults, visibility of
//! imports. Needed for `format=serialized` and by whoever reads messages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_types::FileDescriptorSet;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use crate::error::SchemaError;
use crate::protobuf::known;
use crate::protobuf::schema::ProtobufSchema;

/// Path of the schema itself.
pub const ROOT: &str = "default";

/// Resolves a schema and everything it imports.
///
/// *Errors*: what the compiler finds wrong.
pub fn descriptors(schema: &ProtobufSchema) -> Result<FileDescriptorSet, SchemaError> {
    let mut files = ChainFileResolver::new();
    files.add(Texts { texts: schema.texts() });
    files.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(files);
    compiler.include_imports(true).include_source_info(false);
    compiler
        .open_file(ROOT)
        .map_err(|error| SchemaError::Invalid(error.to_string()))?;
    Ok(compiler.file_descriptor_set())
}

/// Returns the text of `format=serialized`: the file's descriptor in base64.
///
/// *Errors*: what the compiler finds wrong.
pub fn serialized(schema: &ProtobufSchema) -> Result<String, SchemaError> {
    let set = descriptors(schema)?;
    let file = set.file.iter().find(|file| file.name() == ROOT);
    let bytes = file.map(Message::encode_to_vec).unwrap_or_default();
    Ok(STANDARD.encode(bytes))
}

struct Texts {
    texts: Vec<(String, String)>,
}

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let own = self
            .texts
            .iter()
            .find(|(path, _)| path == name)
            .map(|(_, text)| text.as_str());
        match own.or_else(|| known::text(name)) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
