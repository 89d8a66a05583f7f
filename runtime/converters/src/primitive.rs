//! Numbers and booleans as fixed bytes: `IntegerConverter` and its kin
//!
//! Big-endian, as Kafka's serializers of the same names write them; null is no bytes. Reading gives the optional type.
//! Kafka: `org.apache.kafka.connect.converters.NumberConverter` and `BooleanConverter`.

use weir_api::converter::{ConvertCx, Converted, Converter, ToConnect};
use weir_api::data::schema::SchemaType;
use weir_api::data::schemas::SchemaId;
use weir_api::data::value::Value;
use weir_api::error::ConnectError;
use weir_api::frame::slot::Slot;
use weir_api::frame::value::{decode_slot, encode_slot};

/// The Java type that a converter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// `BooleanConverter`
    Boolean,
    /// `ShortConverter`
    Short,
    /// `IntegerConverter`
    Integer,
    /// `LongConverter`
    Long,
    /// `FloatConverter`
    Float,
    /// `DoubleConverter`
    Double,
}

impl Primitive {
    fn schema_type(self) -> SchemaType {
        match self {
            Self::Boolean => SchemaType::Boolean,
            Self::Short => SchemaType::Int16,
            Self::Integer => SchemaType::Int32,
            Self::Long => SchemaType::Int64,
            Self::Float => SchemaType::Float32,
            Self::Double => SchemaType::Float64,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Short => "short",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
        }
    }

    /// Reads what a serializer of this type wrote; none when it cannot have.
    fn read(self, bytes: &[u8]) -> Option<Value> {
        Some(match self {
            Self::Boolean => match bytes {
                [0] => Value::Boolean(false),
                [1] => Value::Boolean(true),
                _ => return None,
            },
            Self::Short => Value::Int16(i16::from_be_bytes(bytes.try_into().ok()?)),
            Self::Integer => Value::Int32(i32::from_be_bytes(bytes.try_into().ok()?)),
            Self::Long => Value::Int64(i64::from_be_bytes(bytes.try_into().ok()?)),
            Self::Float => Value::Float32(f32::from_be_bytes(bytes.try_into().ok()?)),
            Self::Double => Value::Float64(f64::from_be_bytes(bytes.try_into().ok()?)),
        })
    }
}

/// The converter.
#[derive(Debug)]
pub struct PrimitiveConverter {
    primitive: Primitive,
}

impl PrimitiveConverter {
    /// Creates the converter of a type.
    pub fn new(primitive: Primitive) -> Self {
        Self { primitive }
    }

    fn wrong_class(&self, value: &Value) -> ConnectError {
        let class = value.java_class();
        ConnectError::data(match self.primitive {
            Primitive::Boolean => format!("BooleanConverter is not compatible with objects of type {class}"),
            number => format!("Failed to serialize to {} (was {class}): ", number.name()),
        })
    }
}

impl Converter for PrimitiveConverter {
    fn from_connect(
        &mut self,
        cx: &mut ConvertCx<'_>,
        slot: Slot<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Converted, ConnectError> {
        if self.primitive == Primitive::Boolean
            && let Some(schema) = cx.schemas.get(slot.schema)
            && schema.base != SchemaType::Boolean
        {
            return Err(ConnectError::data(format!(
                "Invalid schema type for BooleanConverter: {}",
                schema.base.as_str()
            )));
        }
        match (self.primitive, decode_slot(slot.schema, slot.bytes, cx.schemas)?) {
            (_, Value::Null) => return Ok(Converted::Null),
            (Primitive::Boolean, Value::Boolean(value)) => out.push(u8::from(value)),
            (Primitive::Short, Value::Int16(value)) => out.extend_from_slice(&value.to_be_bytes()),
            (Primitive::Integer, Value::Int32(value)) => out.extend_from_slice(&value.to_be_bytes()),
            (Primitive::Long, Value::Int64(value)) => out.extend_from_slice(&value.to_be_bytes()),
            (Primitive::Float, Value::Float32(value)) => out.extend_from_slice(&value.to_be_bytes()),
            (Primitive::Double, Value::Float64(value)) => out.extend_from_slice(&value.to_be_bytes()),
            (_, other) => return Err(self.wrong_class(&other)),
        }
        Ok(Converted::Written)
    }

    fn to_connect(
        &mut self,
        cx: &mut ConvertCx<'_>,
        data: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<ToConnect, ConnectError> {
        let id = SchemaId::builtin(self.primitive.schema_type(), true)
            .ok_or_else(|| ConnectError::data(format!("no schema of {}", self.primitive.name())))?;
        let Some(bytes) = data else {
            return Ok(ToConnect {
                schema: id,
                form: Converted::Null,
            });
        };
        let value = self
            .primitive
            .read(bytes)
            .ok_or_else(|| ConnectError::data(format!("Failed to deserialize {}: ", self.primitive.name())))?;
        let schema = cx.schemas.get(id).cloned();
        encode_slot(schema.as_deref(), &value, cx.schemas, out)?;
        Ok(ToConnect {
            schema: id,
            form: Converted::Written,
        })
    }
}

#[cfg(test)]
mod tests {
    use weir_api::converter::{ConvertCx, Converted, Converter};
    use weir_api::data::schemas::SchemaTable;
    use weir_api::frame::slot::Slot;

    use super::{Primitive, PrimitiveConverter};

    #[test]
    fn what_a_serializer_wrote_comes_back_the_same() {
        for (primitive, bytes) in [
            (Primitive::Boolean, &[1_u8][..]),
            (Primitive::Short, &[0xff, 0xfe]),
            (Primitive::Integer, &[0, 0, 1, 2]),
            (Primitive::Long, &[0, 0, 0, 0, 0, 0, 1, 2]),
            (Primitive::Float, &[0x3f, 0x80, 0, 0]),
            (Primitive::Double, &[0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
        ] {
            let (mut schemas, mut value, mut out) = (SchemaTable::new(), Vec::new(), Vec::new());
            let mut cx = ConvertCx {
                topic: "t",
                schemas: &mut schemas,
            };
            let mut converter = PrimitiveConverter::new(primitive);
            let read = converter.to_connect(&mut cx, Some(bytes), &mut value).expect("reads");
            assert_eq!(read.form, Converted::Written);
            let written = converter.from_connect(&mut cx, Slot::new(read.schema, Some(&value)), &mut out);
            assert_eq!(
                (written, out.as_slice()),
                (Ok(Converted::Written), bytes),
                "{primitive:?}"
            );
            let null = converter.from_connect(&mut cx, Slot::NULL, &mut out);
            assert_eq!(null, Ok(Converted::Null));
        }
    }

    #[test]
    fn other_values_and_other_bytes_are_refused() {
        let (mut schemas, mut out) = (SchemaTable::new(), Vec::new());
        let mut cx = ConvertCx {
            topic: "t",
            schemas: &mut schemas,
        };
        for (primitive, refused) in [
            (
                Primitive::Integer,
                "Failed to serialize to integer (was class java.lang.String): ",
            ),
            (Primitive::Boolean, "Invalid schema type for BooleanConverter: STRING"),
        ] {
            let mut converter = PrimitiveConverter::new(primitive);
            let error = converter.from_connect(&mut cx, Slot::text("x"), &mut out).err();
            assert_eq!(error.map(|error| error.message).as_deref(), Some(refused));
            let error = converter.to_connect(&mut cx, Some(&[1, 2, 3]), &mut out).err();
            assert!(error.is_some_and(|error| error.message.starts_with("Failed to deserialize")));
        }
        assert!(out.is_empty());
    }
}
