//! Reading of options: `name = value`, nested messages and lists
//!
//! Values are kept as written; what an option means is not looked up here.

use std::collections::HashMap;

use crate::error::SchemaError;
use crate::protobuf::reader::Reader;
use crate::protobuf::tree::{OptionEntry, OptionValue};

/// Deepest nesting of option values.
const MAX_DEPTH: usize = 64;

/// Most options of one field or statement.
const MAX_OPTIONS: usize = 10_000;

/// Reads `name = value`, standing after the word `option` or inside of brackets.
pub(super) fn option(reader: &mut Reader<'_>) -> Result<OptionEntry, SchemaError> {
    entry(reader, '=', 0)
}

/// Reads `[a = b, c = d]` if it comes next.
pub(super) fn bracketed(reader: &mut Reader<'_>) -> Result<Vec<OptionEntry>, SchemaError> {
    let mut options = Vec::new();
    if !reader.take('[')? {
        return Ok(options);
    }
    loop {
        options.push(option(reader)?);
        if options.len() > MAX_OPTIONS {
            return Err(SchemaError::Limit(format!(
                "More than {MAX_OPTIONS} options of one field"
            )));
        }
        if reader.take(']')? {
            return Ok(options);
        }
        reader.expect(',')?;
    }
}

fn entry(reader: &mut Reader<'_>, separator: char, depth: usize) -> Result<OptionEntry, SchemaError> {
    let is_extension = reader.take('(')?;
    let mut parts = Vec::new();
    let name = if is_extension {
        let name = reader.word()?.to_owned();
        reader.expect(')')?;
        if reader.peek()? == Some('.') {
            let rest = reader.word()?.trim_start_matches('.');
            parts.extend(rest.split('.').map(str::to_owned));
        }
        name
    } else if reader.take('[')? {
        let mut name = reader.word()?.to_owned();
        if reader.take('/')? {
            name = format!("{name}/{}", reader.word()?);
        }
        reader.expect(']')?;
        format!("[{name}]")
    } else {
        reader.word()?.to_owned()
    };
    let omits_separator = separator == ':' && matches!(reader.peek()?, Some('{' | '<'));
    if !omits_separator {
        reader.expect(separator)?;
    }
    let mut value = value(reader, depth)?;
    for part in parts.into_iter().rev() {
        value = OptionValue::Part(Box::new(OptionEntry {
            name: part,
            is_extension: false,
            value,
        }));
    }
    Ok(OptionEntry {
        name,
        is_extension,
        value,
    })
}

fn value(reader: &mut Reader<'_>, depth: usize) -> Result<OptionValue, SchemaError> {
    if depth >= MAX_DEPTH {
        return Err(SchemaError::Limit(format!(
            "Options are nested deeper than {MAX_DEPTH} levels"
        )));
    }
    match reader.peek()? {
        Some('{') => map(reader, '{', '}', depth + 1),
        Some('<') => map(reader, '<', '>', depth + 1),
        Some('[') => list(reader, depth + 1),
        Some('"' | '\'') => Ok(OptionValue::Text(reader.string()?)),
        Some(c) if c.is_ascii_digit() || matches!(c, '-' | '.') => {
            let mut number = reader.word()?.to_owned();
            if number == "-" {
                number.push_str(reader.word()?);
            }
            Ok(OptionValue::Number(number))
        }
        _ => Ok(OptionValue::Word(reader.word()?.to_owned())),
    }
}

fn map(reader: &mut Reader<'_>, open: char, close: char, depth: usize) -> Result<OptionValue, SchemaError> {
    reader.expect(open)?;
    let mut entries: Vec<(String, OptionValue)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    loop {
        if reader.take(close)? {
            return Ok(OptionValue::Map(entries));
        }
        let entry = entry(reader, ':', depth)?;
        let name = if entry.is_extension {
            format!("({})", entry.name)
        } else {
            entry.name
        };
        match places.get(&name).and_then(|place| entries.get_mut(*place)) {
            Some((_, known)) => join(known, entry.value),
            None => {
                places.insert(name.clone(), entries.len());
                entries.push((name, entry.value));
            }
        }
        let _comma = reader.take(',')? || reader.take(';')?;
    }
}

/// A name that comes again makes its value a list.
fn join(known: &mut OptionValue, next: OptionValue) {
    match next {
        OptionValue::List(more) => more.into_iter().for_each(|item| known.add(item)),
        one => known.add(one),
    }
}

fn list(reader: &mut Reader<'_>, depth: usize) -> Result<OptionValue, SchemaError> {
    reader.expect('[')?;
    let mut items = Vec::new();
    loop {
        if reader.take(']')? {
            return Ok(OptionValue::List(items));
        }
        items.push(value(reader, depth)?);
        if reader.peek()? != Some(']') {
            reader.expect(',')?;
        }
    }
}
