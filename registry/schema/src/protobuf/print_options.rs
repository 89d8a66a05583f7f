//! How options are printed, and what normalization does to them
//!
//! Normalized options are sorted by name; extensions go by full name, dotted parts become maps, and several settings of
//! one extension that is not repeated are merged, as the registry does.

use crate::protobuf::names::{Names, is_repeated};
use crate::protobuf::print::{INDENT, Printer, append};
use crate::protobuf::tree::{Field, Message, OptionEntry, OptionValue, Type};

/// Prefix of the registry's own extensions, which are always printed.
const OWN: &str = "confluent.";

/// Returns the options to print, in their order.
pub(super) fn filtered(printer: &Printer<'_>, options: &[OptionEntry]) -> Vec<OptionEntry> {
    let is_kept =
        |option: &&OptionEntry| !printer.ignores_extensions || !option.is_extension || option.name.starts_with(OWN);
    let kept: Vec<OptionEntry> = options.iter().filter(is_kept).cloned().collect();
    match printer.names {
        Some(names) if !kept.is_empty() => normalized(printer, names, kept),
        _ => kept,
    }
}

fn normalized(printer: &Printer<'_>, names: &Names<'_>, options: Vec<OptionEntry>) -> Vec<OptionEntry> {
    let mut named: Vec<OptionEntry> = options
        .into_iter()
        .map(|option| {
            let full = match option.is_extension {
                true => names.resolve_extension(&printer.scope, &option.name),
                false => None,
            };
            match full {
                Some(name) => OptionEntry { name, ..as_map(option) },
                None => option,
            }
        })
        .collect();
    named.sort_by(|a, b| a.name.cmp(&b.name));
    let mut merged: Vec<OptionEntry> = Vec::with_capacity(named.len());
    for option in named {
        let single = names.extension(&option.name).filter(|field| !is_repeated(field));
        let previous = merged.last_mut().filter(|last| last.name == option.name);
        match (single, previous) {
            (Some(field), Some(previous)) => merge(printer, names, field, previous, option),
            _ => merged.push(option),
        }
    }
    merged
}

/// Turns `(name).a.b = 1` into `(name) = {a: {b: 1}}`.
fn as_map(option: OptionEntry) -> OptionEntry {
    fn map_of(part: OptionEntry) -> OptionValue {
        let value = match part.value {
            OptionValue::Part(inner) => map_of(*inner),
            value => value,
        };
        OptionValue::Map(vec![(part.name, value)])
    }
    match option.value {
        OptionValue::Part(part) => OptionEntry {
            value: map_of(*part),
            ..option
        },
        _ => option,
    }
}

fn merge(printer: &Printer<'_>, names: &Names<'_>, field: &Field, previous: &mut OptionEntry, next: OptionEntry) {
    let next = as_map(next);
    match (&mut previous.value, next.value) {
        (OptionValue::Map(known), OptionValue::Map(more)) => {
            merge_maps(printer, names, message_of(printer, names, field), known, more);
        }
        (_, value) => previous.value = value,
    }
}

fn message_of<'a>(printer: &Printer<'_>, names: &Names<'a>, field: &Field) -> Option<&'a Message> {
    match names
        .resolve(names.package(), &printer.scope, &field.type_name)?
        .1
        .declaration
    {
        Type::Message(message) => Some(message),
        Type::Enum(_) => None,
    }
}

fn merge_maps(
    printer: &Printer<'_>,
    names: &Names<'_>,
    container: Option<&Message>,
    known: &mut Vec<(String, OptionValue)>,
    more: Vec<(String, OptionValue)>,
) {
    for (key, value) in more {
        let Some((_, previous)) = known.iter_mut().find(|(name, _)| *name == key) else {
            known.push((key, value));
            continue;
        };
        let field = container.and_then(|message| message.all_fields().find(|field| field.name == key));
        let single = field.filter(|field| !is_repeated(field));
        match (single, previous, value) {
            (Some(field), OptionValue::Map(known), OptionValue::Map(more))
                if message_of(printer, names, field).is_some() =>
            {
                merge_maps(printer, names, message_of(printer, names, field), known, more);
            }
            (Some(_), previous, value) => *previous = value,
            (None, previous, value) => {
                for item in items_of(value) {
                    if !previous.holds(&item) {
                        previous.add(item);
                    }
                }
            }
        }
    }
}

fn items_of(value: OptionValue) -> Vec<OptionValue> {
    match value {
        OptionValue::List(items) => items,
        one => vec![one],
    }
}

/// Prints `option name = value;`.
pub(super) fn statement(printer: &Printer<'_>, option: &OptionEntry) -> String {
    format!("option {};\n", entry(printer, option))
}

/// Prints ` [a = b]`, or nothing.
pub(super) fn bracketed(printer: &Printer<'_>, options: &[OptionEntry]) -> String {
    if options.is_empty() {
        return String::new();
    }
    let printed: Vec<String> = options.iter().map(|option| entry(printer, option)).collect();
    format!(" {}", in_brackets(&printed))
}

fn in_brackets(items: &[String]) -> String {
    if let [only] = items {
        return format!("[{only}]");
    }
    format!("[\n{}]", lines(items))
}

/// One item a line, with commas between.
fn lines(items: &[String]) -> String {
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        let end = if at + 1 < items.len() { "," } else { "" };
        append(&mut out, INDENT, &format!("{item}{end}"));
    }
    out
}

fn entry(printer: &Printer<'_>, option: &OptionEntry) -> String {
    let name = match option.is_extension {
        true => format!("({})", option.name),
        false => option.name.clone(),
    };
    match &option.value {
        OptionValue::Text(text) => format!("{name} = \"{}\"", escaped(text)),
        OptionValue::Word(word) => format!("{name} = {word}"),
        OptionValue::Number(number) => format!("{name} = {}", number_text(printer, number)),
        OptionValue::Part(part) => format!("{name}.{}", entry(printer, part)),
        OptionValue::Map(entries) => format!("{name} = {{\n{}}}", map_lines(printer, entries)),
        OptionValue::List(items) => {
            let printed: Vec<String> = items.iter().map(|item| inner(printer, item)).collect();
            format!("{name} = {}", in_brackets(&printed))
        }
    }
}

fn map_lines(printer: &Printer<'_>, entries: &[(String, OptionValue)]) -> String {
    let mut shown: Vec<(String, &OptionValue)> = entries.iter().map(|(key, value)| (key.clone(), value)).collect();
    if let Some(names) = printer.names {
        shown.retain(|(_, value)| !matches!(value, OptionValue::List(items) if items.is_empty()));
        for (key, _) in &mut shown {
            let extension = key.strip_prefix('[').and_then(|key| key.strip_suffix(']'));
            if let Some(full) = extension.and_then(|name| names.resolve_extension(&printer.scope, name)) {
                *key = format!("[{full}]");
            }
        }
        shown.sort_by(|a, b| a.0.cmp(&b.0));
        shown.dedup_by(|next, first| next.0 == first.0);
    }
    let printed: Vec<String> = shown
        .iter()
        .map(|(key, value)| format!("{key}: {}", inner(printer, value)))
        .collect();
    lines(&printed)
}

fn inner(printer: &Printer<'_>, value: &OptionValue) -> String {
    match value {
        OptionValue::Text(text) => format!("\"{}\"", escaped(text)),
        OptionValue::Word(word) => word.clone(),
        OptionValue::Number(number) => number_text(printer, number),
        OptionValue::Part(part) => entry(printer, part),
        OptionValue::Map(entries) => format!("{{\n{}}}", map_lines(printer, entries)),
        OptionValue::List(items) => match items.as_slice() {
            [only] if printer.normalizes() => inner(printer, only),
            items => {
                let printed: Vec<String> = items.iter().map(|item| inner(printer, item)).collect();
                format!("[\n{}]", lines(&printed))
            }
        },
    }
}

/// A number as written or, normalized, in decimal with at most three digits behind the point, as the registry does.
fn number_text(printer: &Printer<'_>, text: &str) -> String {
    let normal = printer.normalizes().then(|| normal_number(text)).flatten();
    normal.unwrap_or_else(|| text.to_owned())
}

fn normal_number(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    if let Some(digits) = hexadecimal {
        return u64::from_str_radix(digits, 16)
            .ok()
            .map(|value| format!("{sign}{value}"));
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        let is_octal = digits.len() > 1 && digits.starts_with('0');
        let value = match is_octal {
            true => u64::from_str_radix(digits, 8).ok(),
            false => digits.parse::<u64>().ok(),
        };
        return value.map(|value| format!("{sign}{value}"));
    }
    let starts_well = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let value = digits
        .parse::<f64>()
        .ok()
        .filter(|value| starts_well && value.is_finite())?;
    let fixed = format!("{value:.3}");
    let trimmed = fixed.trim_end_matches('0').trim_end_matches('.');
    Some(format!("{sign}{trimmed}"))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\\' | '\'' | '"' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
