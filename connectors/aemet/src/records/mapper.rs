//! One mapper for whichever product a task reads
//!
//! Holds the schemas, so that all records of a task share them.

use std::sync::Arc;

use serde_json::Value as Json;
use weir_sdk::api::data::schema::Schema;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::data::{builder, logical};
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::TypedValue;

use crate::aemet_config::KeyForm;
use crate::names::Names;
use crate::product::Product;
use crate::records::fields::{Mapped, structure};
use crate::records::{daily_climate, daily_forecast, forecast, hourly_forecast, observation};

/// Makes keys and values.
#[derive(Debug, Clone)]
pub struct Mapper {
    names: Names,
    schemas: Schemas,
    key: Arc<Schema>,
    form: KeyForm,
}

#[derive(Debug, Clone)]
enum Schemas {
    Observation(Arc<Schema>),
    DailyForecast(daily_forecast::Schemas),
    HourlyForecast(hourly_forecast::Schemas),
    DailyClimate(Arc<Schema>),
}

impl Mapper {
    /// Builds the schemas.
    ///
    /// # Errors
    /// Fatal if one is malformed, which tests rule out.
    pub fn new(product: Product, names: Names, form: KeyForm) -> Result<Self, ConnectError> {
        let (schemas, id, time, time_schema) = match product {
            Product::Observation => (
                Schemas::Observation(observation::schema(names)?),
                observation::IDEMA,
                observation::FINT,
                logical::timestamp(),
            ),
            Product::DailyForecast => (
                Schemas::DailyForecast(daily_forecast::Schemas::new(names)?),
                forecast::MUNICIPIO,
                forecast::ELABORADO,
                logical::timestamp(),
            ),
            Product::HourlyForecast => (
                Schemas::HourlyForecast(hourly_forecast::Schemas::new(names)?),
                forecast::MUNICIPIO,
                forecast::ELABORADO,
                logical::timestamp(),
            ),
            Product::DailyClimate => (
                Schemas::DailyClimate(daily_climate::schema(names)?),
                daily_climate::INDICATIVO,
                daily_climate::FECHA,
                logical::date(),
            ),
        };
        let key = match form {
            KeyForm::Id => builder::text(),
            KeyForm::Full => {
                let fields = vec![(id, builder::text()), (time, time_schema)];
                structure(&format!("{}Key", product.record_name()), names, fields)?
            }
        };
        Ok(Self {
            names,
            schemas,
            key,
            form,
        })
    }

    /// Makes a value of a row; forecasts need to know which town was asked for.
    ///
    /// # Errors
    /// Why the row is none.
    pub fn map(&self, row: &Json, asked_for: &str) -> Result<Mapped, String> {
        match &self.schemas {
            Schemas::Observation(schema) => observation::map(row, schema, self.names),
            Schemas::DailyForecast(schemas) => daily_forecast::map(row, asked_for, schemas),
            Schemas::HourlyForecast(schemas) => hourly_forecast::map(row, asked_for, schemas),
            Schemas::DailyClimate(schema) => daily_climate::map(row, schema, self.names),
        }
    }

    /// Gives the key of a record.
    pub fn key(&self, mapped: &Mapped) -> TypedValue {
        let id = Value::Text(mapped.id.clone());
        let value = match self.form {
            KeyForm::Id => id,
            KeyForm::Full => {
                let time = match &self.schemas {
                    Schemas::DailyClimate(_) => i32::try_from(mapped.position).map_or(Value::Null, Value::Int32),
                    _ => Value::Int64(mapped.timestamp_ms),
                };
                Value::Struct(StructValue {
                    schema: Arc::clone(&self.key),
                    fields: vec![id, time],
                })
            }
        };
        TypedValue::new(Arc::clone(&self.key), value)
    }

    /// Gives the value of a record.
    pub fn value(mapped: Mapped) -> TypedValue {
        TypedValue::new(Arc::clone(&mapped.value.schema), mapped.value)
    }
}
