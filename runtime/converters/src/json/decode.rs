//! JSON values into value encoding
//!
//! Guided by a plan, or free for schemaless data. As lenient as Kafka's `JsonConverter`: a number reader on a text
//! gives 0, out-of-range integers wrap, extra fields are ignored. DIVERGES: a decimal with more digits than its
//! schema's scale is an error here; Java keeps a value that contradicts the schema.

use weir_api::data::decimal::Decimal;
use weir_api::data::logical::DAY_MS;
use weir_api::data::schema::SchemaType;
use weir_api::error::ConnectError;
use weir_api::frame::value::tags;

use crate::json::base64::push_decoded;
use crate::json::plan::{FieldPlan, MAX_DEPTH, Part, Shape};
use crate::json::scanner::Kind;
use crate::json::tape::NodeRef;

/// Where a value stands, for error texts.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Root,
    Field(&'a str),
    Element(&'a Place<'a>),
    Key(&'a Place<'a>),
    Value(&'a Place<'a>),
}

impl Place<'_> {
    fn describe(&self) -> String {
        match self {
            Self::Root => "value".to_owned(),
            Self::Field(name) => format!("field: \"{name}\""),
            Self::Element(outer) => format!("element of array {}", outer.describe()),
            Self::Key(outer) => format!("key of map {}", outer.describe()),
            Self::Value(outer) => format!("value of map {}", outer.describe()),
        }
    }
}

/// Appends a whole slot. False: the value is null.
///
/// # Errors
/// `Data` with Kafka's texts.
pub fn read_root(part: &Part, node: Option<NodeRef<'_>>, out: &mut Vec<u8>) -> Result<bool, ConnectError> {
    let Some(node) = node.filter(|node| node.kind() != Kind::Null) else {
        return match &part.null.root_bytes {
            Some(default) => {
                out.extend_from_slice(default);
                Ok(true)
            }
            None if part.optional => Ok(false),
            None => Err(null_refused(part)),
        };
    };
    match &part.shape {
        // At the root these take the whole slot, without a length.
        Shape::Text if node.kind() == Kind::Text => node.push_text(out),
        Shape::Text => return Ok(false),
        Shape::Bytes if node.kind() == Kind::Text => read_base64(node, out)?,
        Shape::Bytes => return Ok(false),
        Shape::Decimal(scale) => out.extend_from_slice(&read_decimal(*scale, node)?),
        _ => read_present(part, node, &Place::Root, out).map(drop)?,
    }
    Ok(true)
}

/// Appends a value below the root, presence byte included.
fn read(part: &Part, node: Option<NodeRef<'_>>, place: &Place<'_>, out: &mut Vec<u8>) -> Result<(), ConnectError> {
    let Some(node) = node.filter(|node| node.kind() != Kind::Null) else {
        return match &part.null.bytes {
            Some(default) => {
                out.extend_from_slice(default);
                Ok(())
            }
            None if part.optional => {
                out.push(0);
                Ok(())
            }
            None => Err(null_refused(part)),
        };
    };
    let start = out.len();
    if part.optional {
        out.push(1);
    }
    if read_present(part, node, place, out)? {
        return Ok(());
    }
    // A reader of another type found nothing it knows: null, as in Java.
    if !part.optional {
        return Err(ConnectError::data(format!(
            "Invalid value: null used for required {}, schema type: {}",
            place.describe(),
            part.base.as_str()
        )));
    }
    out.truncate(start);
    out.push(0);
    Ok(())
}

fn null_refused(part: &Part) -> ConnectError {
    ConnectError::data(format!("Invalid null value for required {} field", part.base.as_str()))
}

/// Appends a value that is there; false if its reader gives null.
fn read_present(part: &Part, node: NodeRef<'_>, place: &Place<'_>, out: &mut Vec<u8>) -> Result<bool, ConnectError> {
    match &part.shape {
        // Casts wrap as Java's do.
        Shape::Int8 => out.extend_from_slice(&(read_long(node) as i8).to_le_bytes()),
        Shape::Int16 => out.extend_from_slice(&(read_long(node) as i16).to_le_bytes()),
        Shape::Int32 => out.extend_from_slice(&(read_long(node) as i32).to_le_bytes()),
        Shape::Int64 => out.extend_from_slice(&read_long(node).to_le_bytes()),
        Shape::Float32 => out.extend_from_slice(&read_float(node).to_le_bytes()),
        Shape::Float64 => out.extend_from_slice(&read_double(node).to_le_bytes()),
        Shape::Boolean => out.push(u8::from(node.kind() == Kind::True)),
        Shape::Text | Shape::Bytes if node.kind() != Kind::Text => return Ok(false),
        Shape::Text => with_length(out, |out| {
            node.push_text(out);
            Ok(())
        })?,
        Shape::Bytes => with_length(out, |out| read_base64(node, out))?,
        Shape::Decimal(scale) => with_length(out, |out| {
            out.extend_from_slice(&read_decimal(*scale, node)?);
            Ok(())
        })?,
        Shape::Date => out.extend_from_slice(&read_int(node, "Date")?.to_le_bytes()),
        Shape::Time => out.extend_from_slice(&read_time(node)?.to_le_bytes()),
        Shape::Timestamp => {
            if node.kind() != Kind::Integer {
                return Err(wrong_base(node, "Timestamp", "integral"));
            }
            out.extend_from_slice(&read_long(node).to_le_bytes());
        }
        Shape::Array(element) => {
            out.extend_from_slice(&node.count().to_le_bytes());
            for item in node.elements() {
                read(element, Some(item), &Place::Element(place), out)?;
            }
        }
        Shape::Map { key, value } if key.base == SchemaType::Text => read_object(key, value, node, place, out)?,
        Shape::Map { key, value } => read_pairs(key, value, node, place, out)?,
        Shape::Struct(fields) => read_struct(fields, node, out)?,
        Shape::Tagged => read_tagged(node, out, MAX_DEPTH)?,
    }
    Ok(true)
}

fn read_struct(fields: &[FieldPlan], node: NodeRef<'_>, out: &mut Vec<u8>) -> Result<(), ConnectError> {
    if node.kind() != Kind::Object {
        return Err(ConnectError::data(format!(
            "Structs should be encoded as JSON objects, but found {}",
            node.kind().as_str()
        )));
    }
    // Fields mostly come in the schema's order and once: then one walk finds them all.
    let in_order = node.count() as usize == fields.len()
        && node
            .pairs()
            .zip(fields)
            .all(|((name, _), field)| name.is_text(&field.name));
    let mut pairs = node.pairs();
    for field in fields {
        let value = if in_order {
            pairs.next().map(|(_, value)| value)
        } else {
            node.get(&field.name)
        };
        read(&field.part, value, &Place::Field(&field.name), out)?;
    }
    Ok(())
}

fn read_object(
    key: &Part,
    value: &Part,
    node: NodeRef<'_>,
    place: &Place<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ConnectError> {
    if node.kind() != Kind::Object {
        return Err(ConnectError::data(format!(
            "Maps with string fields should be encoded as JSON objects, but found {}",
            node.kind().as_str()
        )));
    }
    let mut distinct = DistinctPairs::new(node);
    out.extend_from_slice(&distinct.count().to_le_bytes());
    while let Some((name, item)) = distinct.next() {
        if key.optional {
            out.push(1);
        }
        with_length(out, |out| {
            name.push_text(out);
            Ok(())
        })?;
        read(value, Some(item), &Place::Value(place), out)?;
    }
    Ok(())
}

fn read_pairs(
    key: &Part,
    value: &Part,
    node: NodeRef<'_>,
    place: &Place<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ConnectError> {
    if node.kind() != Kind::Array {
        return Err(ConnectError::data(format!(
            "Maps with non-string fields should be encoded as JSON array of tuples, but found {}",
            node.kind().as_str()
        )));
    }
    out.extend_from_slice(&node.count().to_le_bytes());
    for entry in node.elements() {
        if entry.kind() != Kind::Array {
            return Err(ConnectError::data(format!(
                "Found invalid map entry instead of array tuple: {}",
                entry.kind().as_str()
            )));
        }
        if entry.count() != 2 {
            return Err(ConnectError::data(format!(
                "Found invalid map entry, expected length 2 but found :{}",
                entry.count()
            )));
        }
        let mut sides = entry.elements();
        read(key, sides.next(), &Place::Key(place), out)?;
        read(value, sides.next(), &Place::Value(place), out)?;
    }
    Ok(())
}

/// Appends a schemaless value.
///
/// # Errors
/// `Data` when it is nested too deep.
pub fn read_tagged(node: NodeRef<'_>, out: &mut Vec<u8>, depth_left: usize) -> Result<(), ConnectError> {
    let below = depth_left
        .checked_sub(1)
        .ok_or_else(|| ConnectError::data(format!("value is nested deeper than {MAX_DEPTH}")))?;
    match node.kind() {
        Kind::Null => out.push(tags::NULL),
        Kind::True => out.extend_from_slice(&[tags::BOOLEAN, 1]),
        Kind::False => out.extend_from_slice(&[tags::BOOLEAN, 0]),
        Kind::Integer => {
            out.push(tags::INT64);
            out.extend_from_slice(&read_long(node).to_le_bytes());
        }
        Kind::Decimal => {
            out.push(tags::FLOAT64);
            out.extend_from_slice(&read_double(node).to_le_bytes());
        }
        Kind::Text => push_tagged_text(node, out)?,
        Kind::Array => {
            out.push(tags::ARRAY);
            out.extend_from_slice(&node.count().to_le_bytes());
            for item in node.elements() {
                read_tagged(item, out, below)?;
            }
        }
        Kind::Object => {
            let mut distinct = DistinctPairs::new(node);
            out.push(tags::MAP);
            out.extend_from_slice(&distinct.count().to_le_bytes());
            while let Some((name, item)) = distinct.next() {
                push_tagged_text(name, out)?;
                read_tagged(item, out, below)?;
            }
        }
    }
    Ok(())
}

fn push_tagged_text(node: NodeRef<'_>, out: &mut Vec<u8>) -> Result<(), ConnectError> {
    out.push(tags::TEXT);
    with_length(out, |out| {
        node.push_text(out);
        Ok(())
    })
}

/// Most pairs compared each with each to find repeated keys.
const FEW_PAIRS: u32 = 16;

/// The pairs of an object, each key once with its last value.
struct DistinctPairs<'t> {
    node: NodeRef<'t>,
    pairs: crate::json::tape::Pairs<'t>,
    /// Distinct keys with their last values, when any key is repeated.
    kept: Option<std::vec::IntoIter<(NodeRef<'t>, NodeRef<'t>)>>,
}

impl<'t> DistinctPairs<'t> {
    fn new(node: NodeRef<'t>) -> Self {
        let kept = has_repeats(node).then(|| last_values(node).into_iter());
        Self {
            node,
            pairs: node.pairs(),
            kept,
        }
    }

    fn count(&self) -> u32 {
        self.kept
            .as_ref()
            .map_or(self.node.count(), |kept| u32::try_from(kept.len()).unwrap_or(u32::MAX))
    }

    fn next(&mut self) -> Option<(NodeRef<'t>, NodeRef<'t>)> {
        match &mut self.kept {
            Some(kept) => kept.next(),
            None => self.pairs.next(),
        }
    }
}

fn has_repeats(node: NodeRef<'_>) -> bool {
    if node.count() > FEW_PAIRS {
        let mut seen = std::collections::HashSet::with_capacity(node.count() as usize);
        return !node.pairs().all(|(name, _)| seen.insert(name.to_text()));
    }
    // Raw texts first: escapes are rare, and equal raw texts are equal keys.
    let mut rest = node.pairs();
    while let Some((name, _)) = rest.next() {
        let mut others = rest.clone();
        if others.any(|(other, _)| {
            other.raw() == name.raw() || (raw_has_escape(name, other) && other.to_text() == name.to_text())
        }) {
            return true;
        }
    }
    false
}

fn raw_has_escape(a: NodeRef<'_>, b: NodeRef<'_>) -> bool {
    a.raw().contains('\\') || b.raw().contains('\\')
}

fn last_values(node: NodeRef<'_>) -> Vec<(NodeRef<'_>, NodeRef<'_>)> {
    let mut positions = std::collections::HashMap::new();
    let mut kept: Vec<(NodeRef<'_>, NodeRef<'_>)> = Vec::new();
    for (name, value) in node.pairs() {
        let position = *positions.entry(name.to_text()).or_insert(kept.len());
        match kept.get_mut(position) {
            Some(entry) => entry.1 = value,
            None => kept.push((name, value)),
        }
    }
    kept
}

/// Appends a length and what `write` appends.
fn with_length(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), ConnectError>,
) -> Result<(), ConnectError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    // The text came from a message below 4 GiB.
    let len = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&len.to_le_bytes());
    }
    Ok(())
}

fn is_number(node: NodeRef<'_>) -> bool {
    matches!(node.kind(), Kind::Integer | Kind::Decimal)
}

// Adding zero makes -0.0 the 0.0 that a BigDecimal gives.
fn read_double(node: NodeRef<'_>) -> f64 {
    if is_number(node) {
        node.raw().parse().unwrap_or(0.0) + 0.0
    } else {
        0.0
    }
}

fn read_float(node: NodeRef<'_>) -> f32 {
    if is_number(node) {
        node.raw().parse().unwrap_or(0.0) + 0.0
    } else {
        0.0
    }
}

/// Gives a number's whole part modulo 2^64; 0 for what is no number.
fn read_long(node: NodeRef<'_>) -> i64 {
    match node.kind() {
        Kind::Integer => node.raw().parse().unwrap_or_else(|_| wrapped(node.raw(), 0)),
        Kind::Decimal => read_decimal_long(node.raw()),
        _ => 0,
    }
}

fn read_decimal_long(raw: &str) -> i64 {
    let (number, exponent) = raw.split_once(['e', 'E']).unwrap_or((raw, "0"));
    let Ok(exponent) = exponent.parse::<i32>() else {
        // So many powers of ten are as many powers of two, or nothing but fraction.
        return 0;
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let cut = i64::try_from(whole.len()).unwrap_or(0) + i64::from(exponent);
    match usize::try_from(cut) {
        Ok(cut) => match digits.get(..cut) {
            Some(whole) => wrapped(whole, 0),
            None => wrapped(&digits, cut - digits.len()),
        },
        Err(_) => 0,
    }
}

/// Reads decimal digits and zeros after them modulo 2^64.
fn wrapped(digits: &str, zeros: usize) -> i64 {
    let step = |sum: u64, digit: u8| sum.wrapping_mul(10).wrapping_add(u64::from(digit));
    let unsigned = digits
        .trim_start_matches('-')
        .bytes()
        .map(|digit| digit.wrapping_sub(b'0'));
    // Sixty-four zeros are sixty-four factors of two.
    let value = unsigned
        .chain(std::iter::repeat_n(0, zeros.min(64)))
        .fold(0, step)
        .cast_signed();
    if digits.starts_with('-') {
        value.wrapping_neg()
    } else {
        value
    }
}

fn read_base64(node: NodeRef<'_>, out: &mut Vec<u8>) -> Result<(), ConnectError> {
    let decoded = if node.raw().contains('\\') {
        let mut text = Vec::new();
        node.push_text(&mut text);
        push_decoded(out, &text)
    } else {
        push_decoded(out, node.raw().as_bytes())
    };
    if decoded {
        Ok(())
    } else {
        Err(ConnectError::data("Invalid bytes field").caused_by("broken Base64 encoding"))
    }
}

fn read_decimal(scale: i32, node: NodeRef<'_>) -> Result<Vec<u8>, ConnectError> {
    match node.kind() {
        Kind::Text => {
            let mut unscaled = Vec::new();
            read_base64(node, &mut unscaled)
                .map_err(|error| ConnectError::data("Invalid bytes for Decimal field").caused_by(error))?;
            Ok(unscaled)
        }
        Kind::Integer | Kind::Decimal => {
            let decimal = Decimal::parse(node.raw())
                .ok_or_else(|| ConnectError::data(format!("Invalid number for Decimal field: {}", node.raw())))?;
            let rescaled = decimal.rescaled(scale);
            rescaled.map(|decimal| decimal.unscaled).ok_or_else(|| {
                ConnectError::data(format!(
                    "Decimal value {} does not fit the schema's scale {scale}",
                    node.raw()
                ))
            })
        }
        other => Err(ConnectError::data(format!(
            "Invalid type for Decimal, underlying representation should be numeric or bytes but was {}",
            other.as_str()
        ))),
    }
}

fn read_int(node: NodeRef<'_>, logical: &str) -> Result<i32, ConnectError> {
    let number = if node.kind() == Kind::Integer {
        node.raw().parse().ok()
    } else {
        None
    };
    number.ok_or_else(|| wrong_base(node, logical, "integer"))
}

fn read_time(node: NodeRef<'_>) -> Result<i32, ConnectError> {
    let ms = read_int(node, "Time")?;
    if (0..=DAY_MS).contains(&i64::from(ms)) {
        return Ok(ms);
    }
    Err(ConnectError::data(
        "Time values must use number of milliseconds greater than 0 and less than 86400000",
    ))
}

fn wrong_base(node: NodeRef<'_>, logical: &str, expected: &str) -> ConnectError {
    ConnectError::data(format!(
        "Invalid type for {logical}, underlying representation should be {expected} but was {}",
        node.kind().as_str()
    ))
}
