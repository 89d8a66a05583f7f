//! The records: users, pageviews, orders
//!
//! Pure: record `n` is a function of seed, task and `n`. The shapes are those of the well-known quickstart data sets.

use std::sync::Arc;

use weir_sdk::api::data::builder::{self, SchemaBuilder};
use weir_sdk::api::data::schema::Schema;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::TypedValue;

/// First event time: 2026-01-01T00:00:00Z in ms; each record is a second later.
const FIRST_EVENT_MS: i64 = 1_767_225_600_000;
const EVENT_STEP_MS: i64 = 1000;

const GENDERS: [&str; 3] = ["FEMALE", "MALE", "OTHER"];
const CITIES: [(&str, &str, i64); 6] = [
    ("Berlin", "Berlin", 10_115),
    ("Hamburg", "Hamburg", 20_095),
    ("München", "Bayern", 80_331),
    ("Köln", "Nordrhein-Westfalen", 50_667),
    ("Leipzig", "Sachsen", 4_109),
    ("Kiel", "Schleswig-Holstein", 24_103),
];

/// Which records are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// People who registered.
    Users,
    /// Pages they looked at.
    Pageviews,
    /// What they bought, with a nested address.
    Orders,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Users, Self::Pageviews, Self::Orders];

    /// Gives the name in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Pageviews => "pageviews",
            Self::Orders => "orders",
        }
    }
}

/// Makes the records of one kind.
#[derive(Debug)]
pub struct Generator {
    kind: Kind,
    seed: u64,
    schema: Arc<Schema>,
    key_schema: Arc<Schema>,
    address: Arc<Schema>,
}

impl Generator {
    /// Prepares the schemas.
    ///
    /// # Errors
    /// Fatal if a schema below is malformed, which tests rule out.
    pub fn new(kind: Kind, seed: i64, task: i32) -> Result<Self, ConnectError> {
        let address = SchemaBuilder::structure()
            .name("weir.datagen.address")
            .field("city", builder::text())
            .field("state", builder::text())
            .field("zipcode", builder::int64())
            .build()?;
        let named = SchemaBuilder::structure().name(&format!("weir.datagen.{}", kind.as_str()));
        let schema = match kind {
            Kind::Users => named
                .field("registertime", builder::int64())
                .field("userid", builder::text())
                .field("regionid", builder::text())
                .field("gender", builder::text()),
            Kind::Pageviews => named
                .field("viewtime", builder::int64())
                .field("userid", builder::text())
                .field("pageid", builder::text()),
            Kind::Orders => named
                .field("ordertime", builder::int64())
                .field("orderid", builder::int32())
                .field("itemid", builder::text())
                .field("orderunits", builder::float64())
                .field("address", Arc::clone(&address)),
        };
        let key_schema = if kind == Kind::Orders {
            builder::int32()
        } else {
            builder::text()
        };
        // Tasks differ in their records; a task keeps its records whatever the number of tasks.
        let seed = mix(seed.cast_unsigned() ^ mix(u64::from(task.cast_unsigned())));
        Ok(Self {
            kind,
            seed,
            schema: schema.build()?,
            key_schema,
            address,
        })
    }

    /// Makes key and value of record `iteration`.
    pub fn record(&self, iteration: i64) -> (TypedValue, TypedValue) {
        let mut dice = Dice(mix(self.seed ^ mix(iteration.cast_unsigned())));
        let event_ms = FIRST_EVENT_MS.saturating_add(iteration.saturating_mul(EVENT_STEP_MS));
        let (key, fields) = match self.kind {
            Kind::Users => {
                let user = Value::Text(format!("User_{}", dice.roll(1, 9)));
                let region = Value::Text(format!("Region_{}", dice.roll(1, 9)));
                (
                    user.clone(),
                    vec![Value::Int64(event_ms), user, region, Value::from(dice.pick(&GENDERS))],
                )
            }
            Kind::Pageviews => {
                let user = Value::Text(format!("User_{}", dice.roll(1, 9)));
                let page = Value::Text(format!("Page_{}", dice.roll(10, 99)));
                (user.clone(), vec![Value::Int64(event_ms), user, page])
            }
            Kind::Orders => self.order(iteration, event_ms, &mut dice),
        };
        let value = Value::Struct(StructValue {
            schema: Arc::clone(&self.schema),
            fields,
        });
        (
            TypedValue::new(Arc::clone(&self.key_schema), key),
            TypedValue::new(Arc::clone(&self.schema), value),
        )
    }

    fn order(&self, iteration: i64, event_ms: i64, dice: &mut Dice) -> (Value, Vec<Value>) {
        // Order numbers start again when the 31 bits are used up.
        let order = Value::Int32(i32::try_from(iteration & i64::from(i32::MAX)).unwrap_or_default());
        let item = Value::Text(format!("Item_{}", dice.roll(1, 999)));
        let units = Value::Float64(f64::from(u32::try_from(dice.roll(1, 1000)).unwrap_or_default()) / 100.0);
        let (city, state, zipcode) = dice.pick(&CITIES);
        let address = StructValue {
            schema: Arc::clone(&self.address),
            fields: vec![Value::from(city), Value::from(state), Value::Int64(zipcode)],
        };
        (
            order.clone(),
            vec![Value::Int64(event_ms), order, item, units, Value::Struct(address)],
        )
    }
}

/// Random numbers of one record (SplitMix64).
struct Dice(u64);

impl Dice {
    /// Gives a number from `low` to `high`, both included.
    fn roll(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        low + mix(self.0) % (high - low + 1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.roll(0, from.len() as u64 - 1);
        // Below the length, which is that of a constant list.
        from[at as usize]
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Generator, Kind};
    use weir_sdk::api::data::text::push_text;
    use weir_sdk::api::data::validate::validate_value;

    fn text(kind: Kind, seed: i64, task: i32, iteration: i64) -> String {
        let (key, value) = Generator::new(kind, seed, task)
            .expect("valid schemas")
            .record(iteration);
        for part in [&key, &value] {
            validate_value(part.schema.as_deref().expect("a schema"), &part.value).expect("fits its schema");
        }
        let mut text = String::new();
        push_text(&mut text, None, &key.value).expect("printable");
        text.push_str(" = ");
        push_text(&mut text, None, &value.value).expect("printable");
        text
    }

    #[test]
    fn records_are_the_same_each_time() {
        for (kind, expected) in [
            (
                Kind::Users,
                "User_8 = Struct{registertime=1767225600000,userid=User_8,regionid=Region_1,gender=MALE}",
            ),
            (
                Kind::Pageviews,
                "User_8 = Struct{viewtime=1767225600000,userid=User_8,pageid=Page_10}",
            ),
            (
                Kind::Orders,
                "0 = Struct{ordertime=1767225600000,orderid=0,itemid=Item_737,orderunits=7.01,address=Struct{city=Hamburg,state=Hamburg,zipcode=20095}}",
            ),
        ] {
            assert_eq!(text(kind, 0, 0, 0), expected);
        }
    }

    #[test]
    fn seed_task_and_iteration_change_the_record() {
        let base = text(Kind::Orders, 1, 0, 5);
        assert_eq!(text(Kind::Orders, 1, 0, 5), base);
        for other in [
            text(Kind::Orders, 2, 0, 5),
            text(Kind::Orders, 1, 1, 5),
            text(Kind::Orders, 1, 0, 6),
        ] {
            assert_ne!(other, base);
        }
    }

    #[test]
    fn any_iteration_makes_a_valid_record() {
        for kind in Kind::ALL {
            for iteration in [0, 1, i64::from(i32::MAX) + 1, i64::MAX] {
                text(kind, i64::MIN, i32::MAX, iteration);
            }
        }
    }
}
