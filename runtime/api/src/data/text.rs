//! Values as Java's `toString` prints them
//!
//! What `StringConverter` writes: `Struct{a=1,b=x}` without null fields, `{a=1}`, `[1, 2]`. Logical types print as the
//! Java class they have there: dates by `Date.toString`, decimals by `BigDecimal.toString`. DIVERGES: bytes print as
//! base64 text, where Java prints the array's address.

use weir_config::number_text::{push_f32, push_f64};

use crate::data::datetime::java_date_text;
use crate::data::decimal::Decimal;
use crate::data::logical::{DAY_MS, Logical};
use crate::data::schema::Schema;
use crate::data::value::Value;
use crate::error::ConnectError;

/// Appends the text of a value; the schema, where there is one, tells logical types apart.
///
/// # Errors
/// `Data` when a decimal is too long.
pub fn push_text(out: &mut String, schema: Option<&Schema>, value: &Value) -> Result<(), ConnectError> {
    if let Some(logical) = schema.and_then(Logical::of)
        && let Some(text) = logical_text(logical, value)?
    {
        out.push_str(&text);
        return Ok(());
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Int8(number) => out.push_str(&number.to_string()),
        Value::Int16(number) => out.push_str(&number.to_string()),
        Value::Int32(number) => out.push_str(&number.to_string()),
        Value::Int64(number) => out.push_str(&number.to_string()),
        Value::Float32(number) => push_f32(out, *number),
        Value::Float64(number) => push_f64(out, *number),
        Value::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Text(text) => out.push_str(text),
        Value::Bytes(bytes) => push_base64(out, bytes),
        Value::Array(items) => push_list(out, schema, items)?,
        Value::Map(pairs) => push_map(out, schema, pairs)?,
        Value::Struct(value) => {
            out.push_str("Struct{");
            let mut first = true;
            for (field, value) in value.schema.fields.iter().zip(&value.fields) {
                let shown = if value.is_null() {
                    field.schema.default.as_ref().unwrap_or(value)
                } else {
                    value
                };
                if shown.is_null() {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                out.push_str(&field.name);
                out.push('=');
                push_text(out, Some(&field.schema), shown)?;
            }
            out.push('}');
        }
        Value::DateTime(ms) => out.push_str(&java_date_text(*ms)),
        Value::Decimal { scale, unscaled } => out.push_str(
            &Decimal {
                scale: *scale,
                unscaled: unscaled.clone(),
            }
            .to_text()?,
        ),
    }
    Ok(())
}

fn push_list(out: &mut String, schema: Option<&Schema>, items: &[Value]) -> Result<(), ConnectError> {
    out.push('[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push_str(", ");
        }
        push_text(out, schema.and_then(|schema| schema.value.as_deref()), item)?;
    }
    out.push(']');
    Ok(())
}

fn push_map(out: &mut String, schema: Option<&Schema>, pairs: &[(Value, Value)]) -> Result<(), ConnectError> {
    out.push('{');
    for (position, (key, value)) in pairs.iter().enumerate() {
        if position > 0 {
            out.push_str(", ");
        }
        push_text(out, schema.and_then(|schema| schema.key.as_deref()), key)?;
        out.push('=');
        push_text(out, schema.and_then(|schema| schema.value.as_deref()), value)?;
    }
    out.push('}');
    Ok(())
}

fn logical_text(logical: Logical, value: &Value) -> Result<Option<String>, ConnectError> {
    Ok(match (logical, value) {
        (Logical::Decimal { scale }, Value::Bytes(unscaled)) => Some(
            Decimal {
                scale,
                unscaled: unscaled.clone(),
            }
            .to_text()?,
        ),
        (Logical::Date, Value::Int32(days)) => Some(java_date_text(i64::from(*days) * DAY_MS)),
        (Logical::Time, Value::Int32(ms)) => Some(java_date_text(i64::from(*ms))),
        (Logical::Timestamp, Value::Int64(ms)) => Some(java_date_text(*ms)),
        _ => None,
    })
}

/// Appends standard base64 with padding.
pub fn push_base64(out: &mut String, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| (group << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let digit = (group >> (18 - 6 * position)) & 63;
            let shown = if position <= chunk.len() {
                ALPHABET.get(digit as usize).copied().unwrap_or(b'=')
            } else {
                b'='
            };
            out.push(char::from(shown));
        }
    }
}

#[cfg(test)]
mod tests;
