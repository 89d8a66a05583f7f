//! The tree of a file descriptor, for schemas that are sent in base64
//!
//! Maps stay spelled out as messages until they are normalized, as the registry keeps them.
//!
//! DIVERGES: groups and extensions of options are left out.

use prost_types::field_descriptor_proto::{Label as ProtoLabel, Type as ProtoType};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileOptions,
    ServiceDescriptorProto,
};

use crate::protobuf::tree::{
    Enum, EnumValue, Extend, Extensions, Field, File, Label, Message, Method, OneOf, OptionEntry, OptionValue, Range,
    Reserved, Service, Syntax, Type,
};

/// Returns the tree of a descriptor.
pub(super) fn file_of(file: &FileDescriptorProto) -> File {
    let messages = file
        .message_type
        .iter()
        .map(|message| Type::Message(message_of(file, message)));
    let enums = file.enum_type.iter().map(|declared| Type::Enum(enum_of(declared)));
    let is_public = |at: usize| {
        file.public_dependency
            .iter()
            .any(|public| usize::try_from(*public) == Ok(at))
    };
    let (public, plain): (Vec<_>, Vec<_>) = file.dependency.iter().enumerate().partition(|(at, _)| is_public(*at));
    let paths = |list: Vec<(usize, &String)>| list.into_iter().map(|(_, path)| path.clone()).collect();
    File {
        syntax: match file.syntax() {
            "proto2" => Some(Syntax::Proto2),
            "proto3" => Some(Syntax::Proto3),
            _ => None,
        },
        package: file.package.clone().filter(|package| !package.is_empty()),
        imports: paths(plain),
        public_imports: paths(public),
        options: file.options.as_ref().map(file_options).unwrap_or_default(),
        types: messages.chain(enums).collect(),
        extends: extends_of(file, &file.extension),
        services: file.service.iter().map(service_of).collect(),
    }
}

fn option(name: &str, value: OptionValue) -> OptionEntry {
    OptionEntry {
        name: name.to_owned(),
        is_extension: false,
        value,
    }
}

fn text(name: &str, value: &Option<String>) -> Option<OptionEntry> {
    let value = value.clone()?;
    Some(option(name, OptionValue::Text(value)))
}

fn flag(name: &str, value: Option<bool>) -> Option<OptionEntry> {
    value.map(|value| option(name, OptionValue::Word(value.to_string())))
}

fn word(name: &str, value: Option<&str>) -> Option<OptionEntry> {
    value.map(|value| option(name, OptionValue::Word(value.to_owned())))
}

#[allow(deprecated, reason = "an old option is an option")]
fn file_options(options: &FileOptions) -> Vec<OptionEntry> {
    let optimize_for = options.optimize_for.map(|_| options.optimize_for().as_str_name());
    let all = [
        text("java_package", &options.java_package),
        text("java_outer_classname", &options.java_outer_classname),
        flag("java_multiple_files", options.java_multiple_files),
        flag("java_generate_equals_and_hash", options.java_generate_equals_and_hash),
        flag("java_string_check_utf8", options.java_string_check_utf8),
        word("optimize_for", optimize_for),
        text("go_package", &options.go_package),
        flag("cc_generic_services", options.cc_generic_services),
        flag("java_generic_services", options.java_generic_services),
        flag("py_generic_services", options.py_generic_services),
        flag("deprecated", options.deprecated),
        flag("cc_enable_arenas", options.cc_enable_arenas),
        text("objc_class_prefix", &options.objc_class_prefix),
        text("csharp_namespace", &options.csharp_namespace),
        text("swift_prefix", &options.swift_prefix),
        text("php_class_prefix", &options.php_class_prefix),
        text("php_namespace", &options.php_namespace),
        text("php_metadata_namespace", &options.php_metadata_namespace),
        text("ruby_package", &options.ruby_package),
    ];
    all.into_iter().flatten().collect()
}

fn message_of(file: &FileDescriptorProto, message: &DescriptorProto) -> Message {
    let mut oneofs: Vec<OneOf> = message
        .oneof_decl
        .iter()
        .map(|oneof| OneOf {
            name: oneof.name().to_owned(),
            ..OneOf::default()
        })
        .collect();
    let mut fields = Vec::new();
    for field in &message.field {
        let index = field.oneof_index.filter(|_| !field.proto3_optional());
        let oneof = index.and_then(|index| oneofs.get_mut(usize::try_from(index).ok()?));
        match oneof {
            Some(oneof) => oneof.fields.push(field_of(file, field, None)),
            None => fields.push(field_of(file, field, label_of(file, field))),
        }
    }
    oneofs.retain(|oneof| !oneof.fields.is_empty());
    let nested = message
        .nested_type
        .iter()
        .map(|inner| Type::Message(message_of(file, inner)));
    let enums = message.enum_type.iter().map(|declared| Type::Enum(enum_of(declared)));
    let ranges = message
        .reserved_range
        .iter()
        .map(|range| vec![numbers(range.start(), range.end().saturating_sub(1))]);
    let options = message.options.as_ref();
    let all = [
        flag(
            "no_standard_descriptor_accessor",
            options.and_then(|options| options.no_standard_descriptor_accessor),
        ),
        flag("deprecated", options.and_then(|options| options.deprecated)),
        flag("map_entry", options.and_then(|options| options.map_entry)),
    ];
    Message {
        name: message.name().to_owned(),
        types: nested.chain(enums).collect(),
        options: all.into_iter().flatten().collect(),
        reserved: ranges.chain(names(&message.reserved_name)).collect(),
        fields,
        oneofs,
        groups: Vec::new(),
        extensions: message
            .extension_range
            .iter()
            .map(|range| Extensions {
                ranges: vec![range_of(range.start(), range.end().saturating_sub(1))],
                options: Vec::new(),
            })
            .collect(),
        extends: extends_of(file, &message.extension),
    }
}

fn range_of(start: i32, end: i32) -> Range {
    if start == end {
        Range::One(start)
    } else {
        Range::Span(start, end)
    }
}

fn numbers(start: i32, end: i32) -> Reserved {
    Reserved::Numbers(range_of(start, end))
}

fn names(names: &[String]) -> impl Iterator<Item = Vec<Reserved>> {
    names.iter().map(|name| vec![Reserved::Name(name.clone())])
}

fn label_of(file: &FileDescriptorProto, field: &FieldDescriptorProto) -> Option<Label> {
    let is_proto3 = file.syntax() == "proto3";
    match field.label() {
        _ if field.proto3_optional() => Some(Label::Optional),
        ProtoLabel::Repeated => Some(Label::Repeated),
        _ if is_proto3 => None,
        ProtoLabel::Required => Some(Label::Required),
        ProtoLabel::Optional => Some(Label::Optional),
    }
}

fn type_name(kind: ProtoType) -> String {
    let name = kind.as_str_name();
    name.strip_prefix("TYPE_").unwrap_or(name).to_lowercase()
}

fn field_of(file: &FileDescriptorProto, field: &FieldDescriptorProto, label: Option<Label>) -> Field {
    let options = field.options.as_ref();
    let of_kind = options.and_then(|options| options.ctype.map(|_| options.ctype().as_str_name()));
    let js_type = options.and_then(|options| options.jstype.map(|_| options.jstype().as_str_name()));
    let all = [
        word("ctype", of_kind),
        flag("packed", options.and_then(|options| options.packed)),
        word("jstype", js_type),
        flag("deprecated", options.and_then(|options| options.deprecated)),
    ];
    Field {
        label,
        type_name: field.type_name.clone().unwrap_or_else(|| type_name(field.r#type())),
        name: field.name().to_owned(),
        number: field.number(),
        default: field.default_value.clone().filter(|_| file.syntax() != "proto3"),
        json_name: field.json_name.clone(),
        options: all.into_iter().flatten().collect(),
    }
}

fn enum_of(declared: &EnumDescriptorProto) -> Enum {
    let options = declared.options.as_ref();
    let all = [
        flag("allow_alias", options.and_then(|options| options.allow_alias)),
        flag("deprecated", options.and_then(|options| options.deprecated)),
    ];
    let ranges = declared
        .reserved_range
        .iter()
        .map(|range| vec![numbers(range.start(), range.end())]);
    Enum {
        name: declared.name().to_owned(),
        options: all.into_iter().flatten().collect(),
        reserved: ranges.chain(names(&declared.reserved_name)).collect(),
        values: declared
            .value
            .iter()
            .map(|value| EnumValue {
                name: value.name().to_owned(),
                number: value.number(),
                options: flag(
                    "deprecated",
                    value.options.as_ref().and_then(|options| options.deprecated),
                )
                .into_iter()
                .collect(),
            })
            .collect(),
    }
}

fn extends_of(file: &FileDescriptorProto, fields: &[FieldDescriptorProto]) -> Vec<Extend> {
    let mut extends: Vec<Extend> = Vec::new();
    for field in fields {
        let added = field_of(file, field, label_of(file, field));
        match extends.iter_mut().find(|extend| extend.name == field.extendee()) {
            Some(extend) => extend.fields.push(added),
            None => extends.push(Extend {
                name: field.extendee().to_owned(),
                fields: vec![added],
            }),
        }
    }
    extends
}

fn service_of(service: &ServiceDescriptorProto) -> Service {
    let methods = service.method.iter().map(|method| {
        let options = method.options.as_ref();
        let level = options.and_then(|options| {
            let level = options.idempotency_level.map(|_| options.idempotency_level());
            level.map(|level| level.as_str_name())
        });
        let all = [
            flag("deprecated", options.and_then(|options| options.deprecated)),
            word("idempotency_level", level),
        ];
        Method {
            name: method.name().to_owned(),
            request: method.input_type().to_owned(),
            response: method.output_type().to_owned(),
            streams_requests: method.client_streaming(),
            streams_responses: method.server_streaming(),
            options: all.into_iter().flatten().collect(),
        }
    });
    let deprecated = service.options.as_ref().and_then(|options| options.deprecated);
    Service {
        name: service.name().to_owned(),
        options: flag("deprecated", deprecated).into_iter().collect(),
        methods: methods.collect(),
    }
}
