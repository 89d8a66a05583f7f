//! Filter: drops every record it is applied to
//!
//! Kafka: `org.apache.kafka.connect.transforms.Filter`.

use weir_api::error::ConnectError;
use weir_config::def::ConfigDef;
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::no_problem as problem;
use crate::error::TransformError;
use crate::rows::Row;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

#[derive(Debug)]
pub(crate) struct Filter;

impl Transformation for Filter {
    fn apply(&mut self, _: &mut ApplyCx<'_>, _: &mut Row) -> Result<Outcome, ConnectError> {
        Ok(Outcome::Dropped)
    }
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
}

pub(crate) fn create(_: Side, _: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    Ok(Box::new(Filter))
}
