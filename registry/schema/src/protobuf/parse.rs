//! Reading of a `.proto` text into its tree
//!
//! Grammar only: names are not resolved and numbers not compared. Reads what the registry's clients write in proto2 and
//! proto3; editions are refused.

use crate::error::SchemaError;
use crate::protobuf::options::{bracketed, option};
use crate::protobuf::reader::Reader;
use crate::protobuf::tree::{
    Enum, EnumValue, Extend, Extensions, Field, File, Group, Label, MAX_NUMBER, Message, Method, OneOf, OptionEntry,
    OptionValue, Range, Reserved, Service, Syntax, Type,
};

/// Deepest nesting of messages; what protoc allows too.
pub const MAX_DEPTH: usize = 32;

/// Reads a text.
///
/// *Errors*: what is wrong with it, and where.
pub fn parse(text: &str) -> Result<File, SchemaError> {
    let mut parser = Parser {
        reader: Reader::new(text),
    };
    parser.file()
}

struct Parser<'a> {
    reader: Reader<'a>,
}

impl<'a> Parser<'a> {
    fn file(&mut self) -> Result<File, SchemaError> {
        let mut file = File::default();
        loop {
            if self.reader.take(';')? {
                continue;
            }
            if self.reader.peek()?.is_none() {
                return Ok(file);
            }
            match self.reader.word()? {
                "syntax" => file.syntax = Some(self.syntax()?),
                "package" => {
                    // A second one replaces the first, as it does in the registry.
                    file.package = Some(self.reader.word()?.to_owned());
                    self.reader.expect(';')?;
                }
                "import" => self.import(&mut file)?,
                "option" => file.options.push(self.option_statement()?),
                "message" => file.types.push(Type::Message(self.message(0)?)),
                "enum" => file.types.push(Type::Enum(self.enumeration()?)),
                "extend" => file.extends.push(self.extend()?),
                "service" => file.services.push(self.service()?),
                "edition" => return Err(self.reader.wrong("editions are not supported")),
                other => return Err(self.reader.wrong(&format!("unexpected label: {other}"))),
            }
        }
    }

    fn syntax(&mut self) -> Result<Syntax, SchemaError> {
        self.reader.expect('=')?;
        let name = self.reader.string()?;
        self.reader.expect(';')?;
        match name.as_str() {
            "proto2" => Ok(Syntax::Proto2),
            "proto3" => Ok(Syntax::Proto3),
            other => Err(self.reader.wrong(&format!("unexpected syntax: {other}"))),
        }
    }

    fn import(&mut self, file: &mut File) -> Result<(), SchemaError> {
        let word = self.reader.peek_word()?;
        if word.is_some() {
            self.reader.word()?;
        }
        let path = self.reader.string()?;
        self.reader.expect(';')?;
        match word {
            None | Some("weak") => file.imports.push(path),
            Some("public") => file.public_imports.push(path),
            Some(other) => return Err(self.reader.wrong(&format!("unexpected label: {other}"))),
        }
        Ok(())
    }

    fn option_statement(&mut self) -> Result<OptionEntry, SchemaError> {
        let entry = option(&mut self.reader)?;
        self.reader.expect(';')?;
        Ok(entry)
    }

    fn message(&mut self, depth: usize) -> Result<Message, SchemaError> {
        if depth >= MAX_DEPTH {
            return Err(SchemaError::Limit(format!(
                "Messages are nested deeper than {MAX_DEPTH} levels"
            )));
        }
        let mut message = Message {
            name: self.reader.word()?.to_owned(),
            ..Message::default()
        };
        self.reader.expect('{')?;
        loop {
            if self.reader.take('}')? {
                return Ok(message);
            }
            if self.reader.take(';')? {
                continue;
            }
            match self.reader.word()? {
                "option" => message.options.push(self.option_statement()?),
                "reserved" => message.reserved.push(self.reserved()?),
                "message" => message.types.push(Type::Message(self.message(depth + 1)?)),
                "enum" => message.types.push(Type::Enum(self.enumeration()?)),
                "extend" => message.extends.push(self.extend()?),
                "extensions" => message.extensions.push(self.extensions()?),
                "oneof" => message.oneofs.push(self.oneof()?),
                word => {
                    let label = label(word);
                    let type_word = if label.is_some() { self.reader.word()? } else { word };
                    match type_word {
                        "group" => message.groups.push(self.group(label)?),
                        word => message.fields.push(self.field(label, word)?),
                    }
                }
            }
        }
    }

    /// Reads a field, standing after the first word of its type.
    fn field(&mut self, label: Option<Label>, type_word: &str) -> Result<Field, SchemaError> {
        let type_name = if type_word == "map" && self.reader.take('<')? {
            let key = self.reader.word()?;
            self.reader.expect(',')?;
            let value = self.reader.word()?;
            self.reader.expect('>')?;
            format!("map<{key}, {value}>")
        } else {
            type_word.to_owned()
        };
        let name = self.reader.word()?.to_owned();
        self.reader.expect('=')?;
        let number = self.reader.number()?;
        let mut options = bracketed(&mut self.reader)?;
        self.reader.expect(';')?;
        let default = take_special(&mut options, "default");
        let json_name = take_special(&mut options, "json_name");
        Ok(Field {
            label,
            type_name,
            name,
            number,
            default,
            json_name,
            options,
        })
    }

    fn group(&mut self, label: Option<Label>) -> Result<Group, SchemaError> {
        let name = self.reader.word()?.to_owned();
        self.reader.expect('=')?;
        let number = self.reader.number()?;
        bracketed(&mut self.reader)?;
        self.reader.expect('{')?;
        let fields = self.fields()?;
        Ok(Group {
            label,
            name,
            number,
            fields,
        })
    }

    /// Reads fields up to the closing brace.
    fn fields(&mut self) -> Result<Vec<Field>, SchemaError> {
        let mut fields = Vec::new();
        loop {
            if self.reader.take('}')? {
                return Ok(fields);
            }
            if self.reader.take(';')? {
                continue;
            }
            let word = self.reader.word()?;
            let label = label(word);
            let type_word = if label.is_some() { self.reader.word()? } else { word };
            fields.push(self.field(label, type_word)?);
        }
    }

    fn oneof(&mut self) -> Result<OneOf, SchemaError> {
        let mut oneof = OneOf {
            name: self.reader.word()?.to_owned(),
            ..OneOf::default()
        };
        self.reader.expect('{')?;
        loop {
            if self.reader.take('}')? {
                return Ok(oneof);
            }
            if self.reader.take(';')? {
                continue;
            }
            match self.reader.word()? {
                "option" => oneof.options.push(self.option_statement()?),
                "group" => oneof.groups.push(self.group(None)?),
                word => oneof.fields.push(self.field(None, word)?),
            }
        }
    }

    fn enumeration(&mut self) -> Result<Enum, SchemaError> {
        let mut declared = Enum {
            name: self.reader.word()?.to_owned(),
            ..Enum::default()
        };
        self.reader.expect('{')?;
        loop {
            if self.reader.take('}')? {
                return Ok(declared);
            }
            if self.reader.take(';')? {
                continue;
            }
            let word = self.reader.word()?;
            let is_value = self.reader.peek()? == Some('=');
            match word {
                "option" if !is_value => declared.options.push(self.option_statement()?),
                "reserved" if !is_value => declared.reserved.push(self.reserved()?),
                name => {
                    self.reader.expect('=')?;
                    let number = self.reader.number()?;
                    let options = bracketed(&mut self.reader)?;
                    self.reader.expect(';')?;
                    declared.values.push(EnumValue {
                        name: name.to_owned(),
                        number,
                        options,
                    });
                }
            }
        }
    }

    fn reserved(&mut self) -> Result<Vec<Reserved>, SchemaError> {
        let mut all = Vec::new();
        loop {
            let is_name = matches!(self.reader.peek()?, Some('"' | '\''));
            all.push(match is_name {
                true => Reserved::Name(self.reader.string()?),
                false => Reserved::Numbers(self.range()?),
            });
            if self.reader.take(';')? {
                return Ok(all);
            }
            self.reader.expect(',')?;
        }
    }

    fn extensions(&mut self) -> Result<Extensions, SchemaError> {
        let mut ranges = Vec::new();
        loop {
            ranges.push(self.range()?);
            match self.reader.peek()? {
                Some(',') => self.reader.expect(',')?,
                _ => break,
            }
        }
        let options = bracketed(&mut self.reader)?;
        self.reader.expect(';')?;
        Ok(Extensions { ranges, options })
    }

    fn range(&mut self) -> Result<Range, SchemaError> {
        let start = self.reader.number()?;
        if self.reader.peek_word()? != Some("to") {
            return Ok(Range::One(start));
        }
        self.reader.word()?;
        if self.reader.peek_word()? == Some("max") {
            self.reader.word()?;
            return Ok(Range::Span(start, MAX_NUMBER));
        }
        Ok(Range::Span(start, self.reader.number()?))
    }

    fn extend(&mut self) -> Result<Extend, SchemaError> {
        let name = self.reader.word()?.to_owned();
        self.reader.expect('{')?;
        let fields = self.fields()?;
        Ok(Extend { name, fields })
    }

    fn service(&mut self) -> Result<Service, SchemaError> {
        let mut service = Service {
            name: self.reader.word()?.to_owned(),
            ..Service::default()
        };
        self.reader.expect('{')?;
        loop {
            if self.reader.take('}')? {
                return Ok(service);
            }
            if self.reader.take(';')? {
                continue;
            }
            match self.reader.word()? {
                "option" => service.options.push(self.option_statement()?),
                "rpc" => service.methods.push(self.method()?),
                other => return Err(self.reader.wrong(&format!("unexpected label: {other}"))),
            }
        }
    }

    fn method(&mut self) -> Result<Method, SchemaError> {
        let name = self.reader.word()?.to_owned();
        let (streams_requests, request) = self.message_of_method()?;
        match self.reader.word()? {
            "returns" => {}
            other => return Err(self.reader.wrong(&format!("expected 'returns' but was {other}"))),
        }
        let (streams_responses, response) = self.message_of_method()?;
        let mut options = Vec::new();
        if self.reader.take('{')? {
            while !self.reader.take('}')? {
                if self.reader.take(';')? {
                    continue;
                }
                match self.reader.word()? {
                    "option" => options.push(self.option_statement()?),
                    other => return Err(self.reader.wrong(&format!("unexpected label: {other}"))),
                }
            }
        } else {
            self.reader.expect(';')?;
        }
        Ok(Method {
            name,
            request,
            response,
            streams_requests,
            streams_responses,
            options,
        })
    }

    fn message_of_method(&mut self) -> Result<(bool, String), SchemaError> {
        self.reader.expect('(')?;
        let word = self.reader.word()?;
        let streams = word == "stream" && self.reader.peek()? != Some(')');
        let name = if streams { self.reader.word()? } else { word };
        self.reader.expect(')')?;
        Ok((streams, name.to_owned()))
    }
}

fn label(word: &str) -> Option<Label> {
    match word {
        "optional" => Some(Label::Optional),
        "required" => Some(Label::Required),
        "repeated" => Some(Label::Repeated),
        _ => None,
    }
}

/// Takes an option that has a place of its own out of the list.
fn take_special(options: &mut Vec<OptionEntry>, name: &str) -> Option<String> {
    let at = options
        .iter()
        .position(|option| option.name == name && !option.is_extension)?;
    match options.remove(at).value {
        OptionValue::Text(text) | OptionValue::Word(text) | OptionValue::Number(text) => Some(text),
        OptionValue::Part(_) | OptionValue::Map(_) | OptionValue::List(_) => None,
    }
}
