//! The canonical text of a file, and its normalized form
//!
//! Canonical: what was written, in the registry's layout; messages before enums, without comments. Normalized: types by
//! full name, fields by number, ranges and options sorted; messages, values of oneofs' places and services stay put,
//! since clients count on their order. How options look is in `print_options.rs`.

use indexmap::IndexMap;

use crate::error::SchemaError;
use crate::protobuf::names::{Names, Scope, is_scalar, map_types};
use crate::protobuf::print_options::{bracketed, filtered, statement};
use crate::protobuf::tree::{
    Enum, Extend, Extensions, Field, File, Group, MAX_NUMBER, Message, Method, OneOf, OptionEntry, OptionValue, Range,
    Reserved, Service, Syntax, Type,
};

/// What to print.
#[derive(Debug)]
pub(super) struct Printer<'a> {
    /// Names to resolve by: the text is normalized.
    pub(super) names: Option<&'a Names<'a>>,
    /// Leave out extensions and their options.
    pub(super) ignores_extensions: bool,
    pub(super) scope: Scope,
}

/// Prints a file as it is written.
pub(super) fn canonical(file: &File) -> String {
    let mut printer = Printer {
        names: None,
        ignores_extensions: false,
        scope: Scope::default(),
    };
    // Only the resolution of names can fail.
    printer.file(file).unwrap_or_default()
}

/// Prints a file without its extensions.
pub(super) fn without_extensions(file: &File) -> String {
    let mut printer = Printer {
        names: None,
        ignores_extensions: true,
        scope: Scope::default(),
    };
    printer.file(file).unwrap_or_default()
}

/// Prints a file in normal form.
///
/// *Errors*: a type that is not declared anywhere.
pub(super) fn normalized(file: &File, names: &Names<'_>) -> Result<String, SchemaError> {
    let mut printer = Printer {
        names: Some(names),
        ignores_extensions: false,
        scope: Scope::default(),
    };
    printer.file(file)
}

impl Printer<'_> {
    pub(super) fn normalizes(&self) -> bool {
        self.names.is_some()
    }

    fn file(&mut self, file: &File) -> Result<String, SchemaError> {
        let mut out = String::new();
        if let Some(syntax) = file.syntax
            && (!self.normalizes() || syntax == Syntax::Proto3)
        {
            out.push_str(&format!("syntax = \"{}\";\n", syntax.as_str()));
        }
        if let Some(package) = &file.package {
            out.push_str(&format!("package {package};\n"));
        }
        if !file.imports.is_empty() || !file.public_imports.is_empty() {
            out.push('\n');
            for path in self.sorted_once(&file.imports) {
                out.push_str(&format!("import \"{path}\";\n"));
            }
            for path in self.sorted_once(&file.public_imports) {
                out.push_str(&format!("import public \"{path}\";\n"));
            }
        }
        let options = filtered(self, &file.options);
        if !options.is_empty() {
            out.push('\n');
            options.iter().for_each(|option| out.push_str(&statement(self, option)));
        }
        self.types(&mut out, &file.types, "")?;
        if !self.ignores_extensions && !file.extends.is_empty() {
            out.push('\n');
            self.extends(&mut out, &file.extends, "")?;
        }
        if !file.services.is_empty() {
            out.push('\n');
            for service in &file.services {
                out.push_str(&self.service(service)?);
            }
        }
        Ok(out)
    }

    fn sorted_once<'t>(&self, paths: &'t [String]) -> Vec<&'t str> {
        let mut paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        if self.normalizes() {
            paths.sort_unstable();
            paths.dedup();
        }
        paths
    }

    /// Prints messages, then enums, after a blank line.
    fn types(&mut self, out: &mut String, types: &[Type], indent: &str) -> Result<(), SchemaError> {
        let is_shown = |declared: &&Type| match declared {
            Type::Message(message) => !self.normalizes() || !message.is_map_entry(),
            Type::Enum(_) => true,
        };
        let shown: Vec<&Type> = types.iter().filter(is_shown).collect();
        if shown.is_empty() {
            return Ok(());
        }
        out.push('\n');
        for declared in &shown {
            if let Type::Message(message) = declared {
                self.scope.enter(&message.name);
                let text = self.message(message);
                self.scope.leave();
                append(out, indent, &text?);
            }
        }
        for declared in &shown {
            if let Type::Enum(declared) = declared {
                append(out, indent, &self.enumeration(declared));
            }
        }
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<String, SchemaError> {
        let mut out = format!("message {} {{", message.name);
        if !message.reserved.is_empty() {
            out.push('\n');
            self.reserved(&mut out, &message.reserved);
        }
        let options = filtered(self, &message.options);
        if !options.is_empty() {
            out.push('\n');
            for option in &options {
                append(&mut out, INDENT, &statement(self, option));
            }
        }
        if !message.fields.is_empty() {
            out.push('\n');
            self.fields(&mut out, &message.fields)?;
        }
        if !message.oneofs.is_empty() {
            out.push('\n');
            for oneof in self.oneofs(&message.oneofs) {
                let text = self.oneof(oneof)?;
                append(&mut out, INDENT, &text);
            }
        }
        if !message.groups.is_empty() {
            out.push('\n');
            self.groups(&mut out, &message.groups)?;
        }
        if !self.ignores_extensions && !message.extensions.is_empty() {
            out.push('\n');
            for extensions in self.extension_ranges(&message.extensions) {
                let text = self.extensions(&extensions);
                append(&mut out, INDENT, &text);
            }
        }
        if !self.ignores_extensions && !message.extends.is_empty() {
            out.push('\n');
            self.extends(&mut out, &message.extends, INDENT)?;
        }
        self.types(&mut out, &message.types, INDENT)?;
        out.push_str("}\n");
        Ok(out)
    }

    fn reserved(&self, out: &mut String, statements: &[Vec<Reserved>]) {
        let mut statements = statements.to_vec();
        if self.normalizes() {
            statements = statements.into_iter().flatten().map(|one| vec![one]).collect();
            statements.sort_by_cached_key(|statement| match statement.first() {
                Some(Reserved::Numbers(range)) => (range.start(), self.range(*range)),
                Some(Reserved::Name(name)) => (i32::MAX, name.clone()),
                None => (i32::MAX, String::new()),
            });
        }
        for statement in &statements {
            let parts: Vec<String> = statement
                .iter()
                .map(|part| match part {
                    Reserved::Name(name) => format!("\"{name}\""),
                    Reserved::Numbers(range) => self.range(*range),
                })
                .collect();
            append(out, INDENT, &format!("reserved {};", parts.join(", ")));
        }
    }

    fn range(&self, range: Range) -> String {
        match range {
            Range::One(number) => number.to_string(),
            Range::Span(start, end) if self.normalizes() && start == end => start.to_string(),
            Range::Span(start, end) if end < MAX_NUMBER => format!("{start} to {end}"),
            Range::Span(start, _) => format!("{start} to max"),
        }
    }

    fn extension_ranges(&self, statements: &[Extensions]) -> Vec<Extensions> {
        if !self.normalizes() {
            return statements.to_vec();
        }
        let mut single: Vec<Extensions> = statements
            .iter()
            .flat_map(|statement| {
                statement.ranges.iter().map(|range| Extensions {
                    ranges: vec![*range],
                    options: statement.options.clone(),
                })
            })
            .collect();
        single.sort_by_key(|statement| statement.ranges.first().map_or(i32::MAX, |range| range.start()));
        single
    }

    fn extensions(&self, statement: &Extensions) -> String {
        let ranges: Vec<String> = statement.ranges.iter().map(|range| self.range(*range)).collect();
        let options = bracketed(self, &filtered(self, &statement.options));
        format!("extensions {}{options};", ranges.join(", "))
    }

    fn extends(&mut self, out: &mut String, extends: &[Extend], indent: &str) -> Result<(), SchemaError> {
        let mut shown = extends.to_vec();
        if self.normalizes() {
            let mut by_name: IndexMap<String, Vec<Field>> = IndexMap::new();
            for extend in extends {
                let name = self.full_name(&extend.name)?;
                by_name.entry(name).or_default().extend(extend.fields.iter().cloned());
            }
            shown = by_name
                .into_iter()
                .map(|(name, fields)| Extend { name, fields })
                .collect();
        }
        for extend in &shown {
            let mut text = format!("extend {} {{", extend.name);
            if !extend.fields.is_empty() {
                text.push('\n');
                self.fields(&mut text, &extend.fields)?;
            }
            text.push_str("}\n");
            append(out, indent, &text);
        }
        Ok(())
    }

    fn oneofs<'t>(&self, oneofs: &'t [OneOf]) -> Vec<&'t OneOf> {
        let mut shown: Vec<&OneOf> = oneofs.iter().collect();
        if self.normalizes() {
            shown.retain(|oneof| !oneof.fields.is_empty());
            shown.sort_by_key(|oneof| oneof.fields.iter().map(|field| field.number).min());
        }
        shown
    }

    fn oneof(&mut self, oneof: &OneOf) -> Result<String, SchemaError> {
        let mut out = format!("oneof {} {{", oneof.name);
        let options = filtered(self, &oneof.options);
        if !options.is_empty() {
            out.push('\n');
            for option in &options {
                append(&mut out, INDENT, &statement(self, option));
            }
        }
        if !oneof.fields.is_empty() {
            out.push('\n');
            self.fields(&mut out, &oneof.fields)?;
        }
        if !oneof.groups.is_empty() {
            out.push('\n');
            self.groups(&mut out, &oneof.groups)?;
        }
        out.push_str("}\n");
        Ok(out)
    }

    fn groups(&mut self, out: &mut String, groups: &[Group]) -> Result<(), SchemaError> {
        let mut shown: Vec<&Group> = groups.iter().collect();
        if self.normalizes() {
            shown.sort_by_key(|group| group.number);
        }
        for group in shown {
            let label = group
                .label
                .map(|label| format!("{} ", label.as_str()))
                .unwrap_or_default();
            let mut text = format!("{label}group {} = {} {{", group.name, group.number);
            if !group.fields.is_empty() {
                text.push('\n');
                self.fields(&mut text, &group.fields)?;
            }
            text.push_str("}\n");
            append(out, INDENT, &text);
        }
        Ok(())
    }

    fn fields(&mut self, out: &mut String, fields: &[Field]) -> Result<(), SchemaError> {
        let mut shown: Vec<&Field> = fields.iter().collect();
        if self.normalizes() {
            shown.sort_by_key(|field| field.number);
        }
        for field in shown {
            let text = self.field(field)?;
            append(out, INDENT, &text);
        }
        Ok(())
    }

    fn field(&mut self, field: &Field) -> Result<String, SchemaError> {
        let (type_name, is_map) = self.type_of(&field.type_name)?;
        let label = field.label.filter(|_| !(is_map && self.normalizes()));
        let label = label.map(|label| format!("{} ", label.as_str())).unwrap_or_default();
        let mut options = field.options.clone();
        let special = |name: &str, value: OptionValue| OptionEntry {
            name: name.to_owned(),
            is_extension: false,
            value,
        };
        if let Some(default) = &field.default {
            let value = match type_name.as_str() {
                "string" => OptionValue::Text(default.clone()),
                "bool" => OptionValue::Word(default.clone()),
                other if is_scalar(other) => OptionValue::Number(default.clone()),
                _ => OptionValue::Word(default.clone()),
            };
            options.push(special("default", value));
        }
        if let Some(name) = &field.json_name {
            options.push(special("json_name", OptionValue::Text(name.clone())));
        }
        let options = bracketed(self, &filtered(self, &options));
        Ok(format!(
            "{label}{type_name} {} = {}{options};",
            field.name, field.number
        ))
    }

    /// Returns a type as it is printed, and whether it is a map.
    fn type_of(&self, spelled: &str) -> Result<(String, bool), SchemaError> {
        let Some(names) = self.names else {
            return Ok((spelled.to_owned(), map_types(spelled).is_some()));
        };
        let entry = match map_types(spelled) {
            Some((key, value)) => Some((key.to_owned(), value.to_owned())),
            None if is_scalar(spelled) => return Ok((spelled.to_owned(), false)),
            None => {
                let found = names.resolve(names.package(), &self.scope, spelled);
                let (full, declared) = found.ok_or_else(|| unresolved(spelled))?;
                match Names::map_entry(declared) {
                    Some((key, value)) => Some((key.to_owned(), value.to_owned())),
                    None => return Ok((format!(".{full}"), false)),
                }
            }
        };
        let (key, value) = entry.unwrap_or_default();
        let resolved = names.resolve(names.package(), &self.scope, &value);
        let value = resolved.map_or(value, |(full, _)| format!(".{full}"));
        Ok((format!("map<{key}, {value}>"), true))
    }

    fn full_name(&self, spelled: &str) -> Result<String, SchemaError> {
        let Some(names) = self.names else {
            return Ok(spelled.to_owned());
        };
        let found = names.resolve(names.package(), &self.scope, spelled);
        found
            .map(|(full, _)| format!(".{full}"))
            .ok_or_else(|| unresolved(spelled))
    }

    fn enumeration(&self, declared: &Enum) -> String {
        let mut out = format!("enum {} {{", declared.name);
        if !declared.reserved.is_empty() {
            out.push('\n');
            self.reserved(&mut out, &declared.reserved);
        } else if !declared.options.is_empty() || !declared.values.is_empty() {
            out.push('\n');
        }
        for option in &filtered(self, &declared.options) {
            append(&mut out, INDENT, &statement(self, option));
        }
        let mut values: Vec<_> = declared.values.iter().collect();
        if self.normalizes() {
            values.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
        }
        for value in values {
            let options = bracketed(self, &filtered(self, &value.options));
            append(
                &mut out,
                INDENT,
                &format!("{} = {}{options};", value.name, value.number),
            );
        }
        out.push_str("}\n");
        out
    }

    fn service(&self, service: &Service) -> Result<String, SchemaError> {
        let mut out = format!("service {} {{", service.name);
        let options = filtered(self, &service.options);
        if !options.is_empty() {
            out.push('\n');
            for option in &options {
                append(&mut out, INDENT, &statement(self, option));
            }
        }
        if !service.methods.is_empty() {
            out.push('\n');
            for method in &service.methods {
                append(&mut out, INDENT, &self.method(method)?);
            }
        }
        out.push_str("}\n");
        Ok(out)
    }

    fn method(&self, method: &Method) -> Result<String, SchemaError> {
        let stream = |streams: bool| if streams { "stream " } else { "" };
        let mut out = format!(
            "rpc {} ({}{}) returns ({}{})",
            method.name,
            stream(method.streams_requests),
            self.full_name(&method.request)?,
            stream(method.streams_responses),
            self.full_name(&method.response)?,
        );
        let options = filtered(self, &method.options);
        if !options.is_empty() {
            out.push_str(" {\n");
            for option in &options {
                append(&mut out, INDENT, &statement(self, option));
            }
            out.push('}');
        }
        out.push_str(";\n");
        Ok(out)
    }
}

/// One level.
pub(super) const INDENT: &str = "  ";

/// Appends lines, each behind the indent.
pub(super) fn append(out: &mut String, indent: &str, text: &str) {
    for line in text.lines() {
        out.push_str(indent);
        out.push_str(line);
        out.push('\n');
    }
}

fn unresolved(name: &str) -> SchemaError {
    SchemaError::Invalid(format!("Could not resolve type: {name}"))
}
