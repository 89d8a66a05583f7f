//! A value into a header text
//!
//! Kafka's `Values.convertToString`: plain at the top, quoted and escaped inside lists, maps and structs.

use weir_api::data::decimal::Decimal;
use weir_api::data::logical::{DAY_MS, Logical};
use weir_api::data::schema::Schema;
use weir_api::data::text::push_base64;
use weir_api::data::value::Value;
use weir_api::error::ConnectError;
use weir_config::number_text::{push_f32, push_f64};

use weir_api::data::temporal;

/// Appends the text of a header's value; the schema, where there is one, tells logical types apart.
///
/// # Errors
/// `Data` when a decimal is too long.
pub fn push(out: &mut String, schema: Option<&Schema>, value: &Value) -> Result<(), ConnectError> {
    push_value(out, schema, value, false)
}

fn push_value(out: &mut String, schema: Option<&Schema>, value: &Value, embedded: bool) -> Result<(), ConnectError> {
    match (schema.and_then(Logical::of), value) {
        (Some(Logical::Decimal { scale }), Value::Bytes(unscaled)) => {
            return push_decimal(out, scale, unscaled);
        }
        (Some(Logical::Date), Value::Int32(days)) => out.push_str(&temporal::text(i64::from(*days) * DAY_MS)),
        (Some(Logical::Time), Value::Int32(ms)) => out.push_str(&temporal::text((*ms).into())),
        (Some(Logical::Timestamp), Value::Int64(ms)) | (None, Value::DateTime(ms)) => {
            out.push_str(&temporal::text(*ms))
        }
        (_, Value::Null) => out.push_str("null"),
        (_, Value::Int8(number)) => out.push_str(&number.to_string()),
        (_, Value::Int16(number)) => out.push_str(&number.to_string()),
        (_, Value::Int32(number)) => out.push_str(&number.to_string()),
        (_, Value::Int64(number) | Value::DateTime(number)) => out.push_str(&number.to_string()),
        (_, Value::Float32(number)) => push_f32(out, *number),
        (_, Value::Float64(number)) => push_f64(out, *number),
        (_, Value::Boolean(flag)) => out.push_str(if *flag { "true" } else { "false" }),
        (_, Value::Text(text)) => push_text(out, text, embedded),
        (_, Value::Bytes(bytes)) => {
            let quote = if embedded { "\"" } else { "" };
            out.push_str(quote);
            push_base64(out, bytes);
            out.push_str(quote);
        }
        (_, Value::Decimal { scale, unscaled }) => push_decimal(out, *scale, unscaled)?,
        (_, Value::Array(items)) => push_list(out, schema, items)?,
        (_, Value::Map(pairs)) => push_map(out, schema, pairs)?,
        (_, Value::Struct(inner)) => {
            out.push('{');
            for (position, (field, value)) in inner.schema.fields.iter().zip(&inner.fields).enumerate() {
                if position > 0 {
                    out.push(',');
                }
                push_text(out, &field.name, true);
                out.push(':');
                let shown = if value.is_null() {
                    field.schema.default.as_ref().unwrap_or(value)
                } else {
                    value
                };
                push_value(out, Some(&field.schema), shown, true)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn push_list(out: &mut String, schema: Option<&Schema>, items: &[Value]) -> Result<(), ConnectError> {
    out.push('[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        push_value(out, schema.and_then(|schema| schema.value.as_deref()), item, true)?;
    }
    out.push(']');
    Ok(())
}

fn push_map(out: &mut String, schema: Option<&Schema>, pairs: &[(Value, Value)]) -> Result<(), ConnectError> {
    out.push('{');
    for (position, (key, value)) in pairs.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        push_value(out, schema.and_then(|schema| schema.key.as_deref()), key, true)?;
        out.push(':');
        push_value(out, schema.and_then(|schema| schema.value.as_deref()), value, true)?;
    }
    out.push('}');
    Ok(())
}

fn push_decimal(out: &mut String, scale: i32, unscaled: &[u8]) -> Result<(), ConnectError> {
    out.push_str(
        &Decimal {
            scale,
            unscaled: unscaled.to_vec(),
        }
        .to_text()?,
    );
    Ok(())
}

fn push_text(out: &mut String, text: &str, embedded: bool) {
    if !embedded {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '\\' | '"') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}
