//! `weir schema list|get|register|check|diff`: subjects of any registry, and schemas of files.
//!
//! Arguments only; the work is in `weir_tools::schema`. `check` ends with code 1 when the schema is not compatible.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use weir_tools::error::ToolError;
use weir_tools::schema::{Registry, SchemaText, Wanted};
use weir_tools::schema_diff::{Side, diff};

use crate::Failure;

/// List, show, register, check and compare schemas
///
/// What is there:     weir schema list
/// Show one:          weir schema get tweets-value
/// Try a change:      weir schema check tweets-value tweet.avsc
/// Register it:       weir schema register tweets-value tweet.avsc
/// What changed:      weir schema diff tweets-value:1 tweet.avsc
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SchemaArguments {
    /// The registry to ask
    #[arg(
        long,
        short = 'r',
        global = true,
        value_name = "URL",
        env = "WEIR_REGISTRY",
        default_value = "http://127.0.0.1:8081"
    )]
    registry: String,
    #[command(subcommand)]
    command: SchemaCommand,
}

#[derive(Debug, Subcommand)]
enum SchemaCommand {
    /// Subjects with their latest version, id and compatibility level
    List {
        /// Show soft-deleted subjects too
        #[arg(long)]
        deleted: bool,
    },
    /// Print a schema
    #[command(disable_version_flag = true)]
    Get {
        /// The subject, as `TOPIC-value`
        #[arg(required_unless_present = "id")]
        subject: Option<String>,
        /// A version number or `latest`
        #[arg(long, default_value = "latest")]
        version: String,
        /// The schema of this id, whatever the subject
        #[arg(long, conflicts_with = "subject")]
        id: Option<u32>,
    },
    /// Register a schema under a subject
    Register {
        subject: String,
        #[command(flatten)]
        schema: SchemaFile,
    },
    /// Tell whether a schema may follow the registered ones; exit code 1 when not
    #[command(disable_version_flag = true)]
    Check {
        subject: String,
        #[command(flatten)]
        schema: SchemaFile,
        /// The version to compare with: a number, `latest`, or `all` that the subject's level asks for
        #[arg(long, default_value = "all")]
        version: String,
    },
    /// Tell what changed between two schemas and what of it is incompatible; exit code 1 when old data cannot be read
    Diff {
        /// The old schema: a file, or SUBJECT:VERSION
        old: String,
        /// The new schema: a file, or SUBJECT:VERSION
        new: String,
        /// Schema language of files; without it by their names: `.json` JSON, `.proto` PROTOBUF, others AVRO
        #[arg(long = "type", value_name = "TYPE")]
        schema_type: Option<String>,
        /// A schema that the files refer to; may be given many times
        #[arg(long = "reference", value_name = "NAME=SUBJECT:VERSION")]
        references: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct SchemaFile {
    /// File with the schema
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Schema language; without it by the file's name: `.json` JSON, `.proto` PROTOBUF, others AVRO
    #[arg(long = "type", value_name = "TYPE")]
    schema_type: Option<String>,
    /// A schema that this one refers to; may be given many times
    #[arg(long = "reference", value_name = "NAME=SUBJECT:VERSION")]
    references: Vec<String>,
    /// Have the registry bring it into normal form first
    #[arg(long)]
    normalize: bool,
}

/// Runs one command; a reader that goes away ends it quietly.
pub(crate) async fn run(arguments: SchemaArguments) -> Result<(), Failure> {
    let mut out = Vec::new();
    let outcome = answer(arguments, &mut out).await;
    match std::io::stdout().write_all(&out) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(failed(ToolError::Output(error))),
        _ => outcome,
    }
}

async fn answer(arguments: SchemaArguments, out: &mut Vec<u8>) -> Result<(), Failure> {
    let registry = Registry::new(&arguments.registry).map_err(failed)?;
    match arguments.command {
        SchemaCommand::List { deleted } => registry.list(deleted, out).await.map_err(failed),
        SchemaCommand::Get { subject, version, id } => {
            let wanted = match (subject, id) {
                (_, Some(id)) => Wanted::Id(id),
                (Some(subject), None) => Wanted::Version(subject, version),
                (None, None) => return Err(anyhow!("name a subject, or give --id").into()),
            };
            registry.show(&wanted, out).await.map_err(failed)
        }
        SchemaCommand::Register { subject, schema } => {
            let schema = text_of(schema)?;
            registry.register(&subject, &schema, out).await.map_err(failed)
        }
        SchemaCommand::Check {
            subject,
            schema,
            version,
        } => {
            let schema = text_of(schema)?;
            let checked = registry.check(&subject, &version, &schema, out).await;
            if checked.map_err(failed)? {
                Ok(())
            } else {
                Err(anyhow!("the schema is not compatible with {subject}").into())
            }
        }
        SchemaCommand::Diff {
            old,
            new,
            schema_type,
            references,
        } => {
            let old_side = side(&old, schema_type.as_deref(), &references)?;
            let new_side = side(&new, schema_type.as_deref(), &references)?;
            let verdict = diff(&registry, &old_side, &new_side, out).await.map_err(failed)?;
            match verdict.is_backward {
                true => Ok(()),
                false => Err(anyhow!("{new} does not read what {old} wrote").into()),
            }
        }
    }
}

fn failed(error: ToolError) -> Failure {
    Failure::from(anyhow::Error::new(error))
}

fn text_of(file: SchemaFile) -> anyhow::Result<SchemaText> {
    Ok(SchemaText {
        text: read(&file.file)?,
        schema_type: type_of(&file.file, file.schema_type.as_deref()),
        references: file.references,
        normalize: file.normalize,
    })
}

/// The language that was named, or that the file's name speaks of.
fn type_of(path: &Path, named: Option<&str>) -> String {
    let by_name = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => "JSON",
        Some("proto") => "PROTOBUF",
        _ => "AVRO",
    };
    named.unwrap_or(by_name).to_ascii_uppercase()
}

/// A file if there is one of that name, else a version of a subject.
fn side(argument: &str, schema_type: Option<&str>, references: &[String]) -> anyhow::Result<Side> {
    let path = Path::new(argument);
    let version = argument
        .rsplit_once(':')
        .filter(|_| !path.try_exists().unwrap_or(false));
    if let Some((subject, version)) = version {
        return Ok(Side::Version(subject.to_owned(), version.to_owned()));
    }
    Ok(Side::File(SchemaText {
        text: read(path)?,
        schema_type: type_of(path, schema_type),
        references: references.to_vec(),
        normalize: false,
    }))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
