//! A place, its schema and its fingerprint
//!
//! Pure: what both APIs are mapped to. How their answers are read is in `answer.rs`.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use weir_feed::hash::short_hash_of;
use weir_sdk::api::data::builder::{self, SchemaBuilder};
use weir_sdk::api::data::logical;
use weir_sdk::api::data::schema::Schema;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::error::ConnectError;

/// The state of a place that will not open again.
pub const CLOSED_PERMANENTLY: &str = "CLOSED_PERMANENTLY";

/// What a service says about a place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// Place id.
    pub id: String,
    /// Name.
    pub name: Option<String>,
    /// Language of the name.
    pub name_lang: Option<String>,
    /// Address.
    pub address: Option<String>,
    /// Latitude.
    pub lat: Option<f64>,
    /// Longitude.
    pub lng: Option<f64>,
    /// Types.
    pub types: Option<Vec<String>>,
    /// Primary type.
    pub primary_type: Option<String>,
    /// `OPERATIONAL`, `CLOSED_TEMPORARILY` or `CLOSED_PERMANENTLY`.
    pub business_status: Option<String>,
    /// 1.0 to 5.0.
    pub rating: Option<f64>,
    /// How many rated.
    pub rating_count: Option<i32>,
    /// 0 to 4.
    pub price_level: Option<i32>,
    /// Web page.
    pub website: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Offset from UTC.
    pub utc_offset_minutes: Option<i32>,
    /// Page on Google Maps.
    pub maps_uri: Option<String>,
    /// Texts that must be shown with the place.
    pub attributions: Option<Vec<String>>,
    /// Fields without a column.
    pub extra: Map<String, Json>,
}

impl Place {
    /// Tells whether the place will not open again.
    pub fn is_closed_for_good(&self) -> bool {
        self.business_status.as_deref() == Some(CLOSED_PERMANENTLY)
    }

    /// Gives the fingerprint of what is kept: with ids alone, of the id.
    pub fn fingerprint(&self, kept: Kept) -> String {
        match kept {
            Kept::Ids => short_hash_of(&Json::from(self.id.as_str())),
            Kept::Content => {
                let columns = self
                    .columns()
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), json_of(value)));
                short_hash_of(&Json::Object(columns.collect()))
            }
        }
    }

    /// Gives the columns with content, in the schema's order.
    fn columns(&self) -> [(&'static str, Value); 17] {
        let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
        let double = |number: Option<f64>| number.map_or(Value::Null, Value::from);
        let int = |number: Option<i32>| number.map_or(Value::Null, Value::from);
        let texts = |texts: &Option<Vec<String>>| {
            let texts = texts
                .as_ref()
                .map(|texts| texts.iter().map(|text| Value::from(text.as_str())).collect());
            texts.map_or(Value::Null, Value::Array)
        };
        let extra = (!self.extra.is_empty()).then(|| Json::Object(self.extra.clone()).to_string());
        [
            ("name", text(&self.name)),
            ("name_lang", text(&self.name_lang)),
            ("address", text(&self.address)),
            ("lat", double(self.lat)),
            ("lng", double(self.lng)),
            ("types", texts(&self.types)),
            ("primary_type", text(&self.primary_type)),
            ("business_status", text(&self.business_status)),
            ("rating", double(self.rating)),
            ("rating_count", int(self.rating_count)),
            ("price_level", int(self.price_level)),
            ("website", text(&self.website)),
            ("phone", text(&self.phone)),
            ("utc_offset_minutes", int(self.utc_offset_minutes)),
            ("maps_uri", text(&self.maps_uri)),
            ("attributions", texts(&self.attributions)),
            ("extra", text(&extra)),
        ]
    }
}

/// What may be kept of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The id, which Google's terms allow to store.
    Ids,
    /// Everything asked for.
    Content,
}

/// Where and when a place was found.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// When it was asked for.
    pub fetched_ms: i64,
    /// Words or types searched for.
    pub query: Option<&'a str>,
    /// Cell searched.
    pub cell: Option<&'a str>,
}

/// The value schema `weir.feeds.places.Place`.
#[derive(Debug, Clone)]
pub struct PlaceSchema {
    kept: Kept,
    schema: Arc<Schema>,
}

impl PlaceSchema {
    /// Prepares the schema: with ids alone it has no columns for content.
    ///
    /// # Errors
    /// Fatal if the schema is malformed, which tests rule out.
    pub fn new(kept: Kept) -> Result<Self, ConnectError> {
        let mut named = SchemaBuilder::structure()
            .name("weir.feeds.places.Place")
            .doc("A place of Google Places")
            .field("id", builder::text())
            .field("fetched_at", logical::timestamp())
            .field("query", builder::optional_text())
            .field("cell", builder::optional_text());
        if kept == Kept::Content {
            let texts = SchemaBuilder::array(builder::text()).optional().build()?;
            named = named
                .field("name", builder::optional_text())
                .field("name_lang", builder::optional_text())
                .field("address", builder::optional_text())
                .field("lat", builder::optional_float64())
                .field("lng", builder::optional_float64())
                .field("types", Arc::clone(&texts))
                .field("primary_type", builder::optional_text())
                .field("business_status", builder::optional_text())
                .field("rating", builder::optional_float64())
                .field("rating_count", builder::optional_int32())
                .field("price_level", builder::optional_int32())
                .field("website", builder::optional_text())
                .field("phone", builder::optional_text())
                .field("utc_offset_minutes", builder::optional_int32())
                .field("maps_uri", builder::optional_text())
                .field("attributions", texts)
                .field("extra", builder::optional_text());
        }
        Ok(Self {
            kept,
            schema: named.build()?,
        })
    }

    /// Gives the schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Makes the value of a record.
    ///
    /// # Errors
    /// Data when a column is missing, which tests rule out.
    pub fn value(&self, place: &Place, found: Found<'_>) -> Result<StructValue, ConnectError> {
        let mut value = StructValue::new(Arc::clone(&self.schema));
        value.put("id", place.id.as_str())?;
        value.put("fetched_at", found.fetched_ms)?;
        value.put("query", found.query.map_or(Value::Null, Value::from))?;
        value.put("cell", found.cell.map_or(Value::Null, Value::from))?;
        if self.kept == Kept::Content {
            for (name, column) in place.columns() {
                value.put(name, column)?;
            }
        }
        Ok(value)
    }
}

/// Gives the JSON of a column, for the fingerprint.
fn json_of(value: Value) -> Json {
    match value {
        Value::Text(text) => Json::from(text),
        Value::Float64(number) => Json::from(number),
        Value::Int32(number) => Json::from(number),
        Value::Array(items) => Json::Array(items.into_iter().map(json_of).collect()),
        _ => Json::Null,
    }
}
