//! The transformations of a connector, in order
//!
//! A batch goes through stage by stage; each stage sees the rows that are still kept and, where it has a predicate, those
//! its predicate lets through. Kafka: `TransformationChain`, `TransformationStage`.

use weir_api::data::schemas::SchemaTable;
use weir_api::error::ConnectError;
use weir_config::def::ConfigType;
use weir_config::error::ConfigError;
use weir_config::map::ConfigMap;
use weir_config::parse::{ConfigValue, parse_type};

use crate::catalogue::{find_predicate, find_transformation};
use crate::error::TransformError;
use crate::rows::{RowState, Rows};
use crate::transformation::{ApplyCx, Outcome, Predicate, Transformation};

/// Aliases of transformations, in order.
pub const TRANSFORMS: &str = "transforms";
/// Below it, by alias: class and settings of each predicate.
pub const PREDICATES: &str = "predicates";
/// Class of an alias.
pub const TYPE: &str = "type";
/// Alias of the predicate of a transformation.
pub const PREDICATE: &str = "predicate";
/// Whether the transformation applies where its predicate does not hold.
pub const NEGATE: &str = "negate";

/// Which way records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// Into Kafka.
    Source,
    /// Out of Kafka.
    Sink,
}

/// A row that a transformation or predicate failed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFailure {
    /// Number of the row.
    pub row: u32,
    /// Class of the transformation, also when its predicate failed.
    pub class: String,
    /// What went wrong.
    pub error: ConnectError,
}

/// The transformations of a connector. Belongs to one schema table: it remembers schemas by id.
pub struct Chain {
    stages: Vec<Stage>,
}

struct Stage {
    alias: String,
    class: &'static str,
    transformation: Box<dyn Transformation>,
    condition: Option<Condition>,
}

struct Condition {
    alias: String,
    class: &'static str,
    predicate: Box<dyn Predicate>,
    negate: bool,
}

impl Chain {
    /// Builds the chain of a connector's config; `None` when it has no transformations.
    ///
    /// # Errors
    /// A setting that a transformation or predicate refuses, an unknown class or predicate.
    pub fn build(connector: &ConfigMap) -> Result<Option<Self>, TransformError> {
        let mut stages = Vec::new();
        for alias in aliases(connector, TRANSFORMS)? {
            stages.push(Stage::build(connector, &alias)?);
        }
        Ok((!stages.is_empty()).then_some(Self { stages }))
    }

    /// Sends the rows that are kept through all stages. Failures are appended in order of rows.
    pub fn apply(
        &mut self,
        kind: RecordKind,
        schemas: &mut SchemaTable,
        frame: &[u8],
        rows: &mut Rows,
        failures: &mut Vec<RowFailure>,
    ) {
        let first = failures.len();
        if rows.buffers.len() < self.stages.len() {
            rows.buffers.resize_with(self.stages.len(), Vec::new);
        }
        for (at, stage) in self.stages.iter_mut().enumerate() {
            let Some((earlier, [out, ..])) = rows.buffers.split_at_mut_checked(at) else {
                continue;
            };
            let mut cx = ApplyCx::new(
                (kind, &mut *schemas),
                (frame, earlier, out),
                (&mut rows.names, &mut rows.headers),
            );
            for (number, row) in rows.rows.iter_mut().enumerate() {
                if row.state != RowState::Kept || stage.condition.as_mut().is_some_and(|one| !one.holds(&cx, row)) {
                    continue;
                }
                let start = cx.out.len();
                match stage.transformation.apply(&mut cx, row) {
                    Ok(Outcome::Kept) => {}
                    Ok(Outcome::Dropped) => row.state = RowState::Dropped,
                    Err(error) => {
                        cx.out.truncate(start);
                        row.state = RowState::Failed;
                        failures.push(RowFailure {
                            row: u32::try_from(number).unwrap_or(u32::MAX),
                            class: stage.class.to_owned(),
                            error,
                        });
                    }
                }
            }
        }
        if self.stages.len() > 1
            && let Some(new) = failures.get_mut(first..)
        {
            new.sort_by_key(|failure| failure.row);
        }
    }

    /// Gives alias and class of each transformation, in order.
    pub fn transformations(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.stages.iter().map(|stage| (stage.alias.as_str(), stage.class))
    }

    /// Gives alias and class of each predicate in use, as often as it is.
    pub fn predicates(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let conditions = self.stages.iter().filter_map(|stage| stage.condition.as_ref());
        conditions.map(|condition| (condition.alias.as_str(), condition.class))
    }

    /// Gives the classes in order.
    pub fn classes(&self) -> impl Iterator<Item = &'static str> {
        self.stages.iter().map(|stage| stage.class)
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.classes()).finish()
    }
}

impl Stage {
    fn build(connector: &ConfigMap, alias: &str) -> Result<Self, TransformError> {
        let prefix = format!("{TRANSFORMS}.{alias}.");
        let mut config = connector.with_prefix(&prefix);
        let type_key = format!("{prefix}{TYPE}");
        let name = class_name(connector, &type_key)?;
        let class = find_transformation(name).ok_or_else(|| unknown_class(&type_key, name))?;
        let negate = config.remove(NEGATE).flatten();
        let predicate = config.remove(PREDICATE).flatten();
        let condition = match predicate.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(predicate) => {
                let negate_key = format!("{prefix}{NEGATE}");
                let negate = parse_type(&negate_key, negate.as_deref(), ConfigType::Boolean)?;
                let (class, built) = build_predicate(connector, predicate)?;
                Some(Condition {
                    alias: predicate.to_owned(),
                    class,
                    predicate: built,
                    negate: negate == Some(ConfigValue::Boolean(true)),
                })
            }
        };
        Ok(Self {
            alias: alias.to_owned(),
            class: class.class,
            transformation: class.create_transformation(&config)?,
            condition,
        })
    }
}

impl Condition {
    fn holds(&mut self, cx: &ApplyCx<'_>, row: &crate::rows::Row) -> bool {
        self.predicate.test(cx, row) != self.negate
    }
}

fn build_predicate(connector: &ConfigMap, alias: &str) -> Result<(&'static str, Box<dyn Predicate>), TransformError> {
    let prefix = format!("{PREDICATES}.{alias}.");
    let type_key = format!("{prefix}{TYPE}");
    let name = class_name(connector, &type_key)?;
    let class = find_predicate(name).ok_or_else(|| unknown_class(&type_key, name))?;
    Ok((class.class, class.create_predicate(&connector.with_prefix(&prefix))?))
}

/// Gives the aliases of a list setting.
fn aliases(connector: &ConfigMap, key: &str) -> Result<Vec<String>, ConfigError> {
    match parse_type(key, connector.get(key), ConfigType::List)? {
        Some(ConfigValue::List(aliases)) => Ok(aliases),
        _ => Ok(Vec::new()),
    }
}

fn class_name<'a>(connector: &'a ConfigMap, key: &str) -> Result<&'a str, ConfigError> {
    let name = connector.get(key).map(str::trim);
    name.ok_or_else(|| ConfigError::Missing(key.to_owned()))
}

fn unknown_class(key: &str, name: &str) -> ConfigError {
    ConfigError::invalid(key, name, format!("Class {name} could not be found."))
}
