//! DropHeaders: leaves out headers by name
//!
//! Kafka: `org.apache.kafka.connect.transforms.DropHeaders`.

use weir_api::error::ConnectError;
use weir_config::def::{ConfigDef, ConfigKey, Importance};
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::not_empty_list as problem;
use crate::catalogue::valid_list;
use crate::error::TransformError;
use crate::rows::Row;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const HEADERS: &str = "headers";

#[derive(Debug)]
struct DropHeaders {
    names: Vec<String>,
}

pub(crate) fn config_def() -> ConfigDef {
    let headers = ConfigKey::list(HEADERS)
        .validator(valid_list())
        .importance(Importance::High)
        .doc("Names of the headers to leave out.");
    ConfigDef::new().key(headers)
}

pub(crate) fn create(_: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    Ok(Box::new(DropHeaders {
        names: config.get_list(HEADERS)?.to_vec(),
    }))
}

impl Transformation for DropHeaders {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let names = &self.names;
        let is_dropped = |name: &str| names.iter().any(|dropped| dropped == name);
        if cx
            .headers(row)
            .iter()
            .any(|header| is_dropped(cx.names.get(header.name)))
        {
            cx.copy_headers(row, |name| !is_dropped(name));
        }
        Ok(Outcome::Kept)
    }
}
