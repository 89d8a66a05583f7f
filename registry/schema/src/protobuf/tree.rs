//! A `.proto` file as it is written
//!
//! What a descriptor drops stays here: type names as spelled, options as written, how ranges are grouped. The canonical
//! text is printed from it, and versions are compared by it.

/// A file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct File {
    /// `proto2`, `proto3` or `editions`, where it is said.
    pub syntax: Option<Syntax>,
    /// The package.
    pub package: Option<String>,
    /// Paths of plain imports.
    pub imports: Vec<String>,
    /// Paths of public imports.
    pub public_imports: Vec<String>,
    /// Options of the file.
    pub options: Vec<OptionEntry>,
    /// Messages and enums.
    pub types: Vec<Type>,
    /// Extensions declared at the top.
    pub extends: Vec<Extend>,
    /// Services.
    pub services: Vec<Service>,
}

/// The language version that a file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `syntax = "proto2"`
    Proto2,
    /// `syntax = "proto3"`
    Proto3,
}

/// A message or an enum.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// A message.
    Message(Message),
    /// An enum.
    Enum(Enum),
}

/// A message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// Its simple name.
    pub name: String,
    /// Types declared inside.
    pub types: Vec<Type>,
    /// Its options.
    pub options: Vec<OptionEntry>,
    /// One entry a `reserved` statement.
    pub reserved: Vec<Vec<Reserved>>,
    /// Fields outside of oneofs.
    pub fields: Vec<Field>,
    /// Oneofs.
    pub oneofs: Vec<OneOf>,
    /// Groups of proto2.
    pub groups: Vec<Group>,
    /// One entry an `extensions` statement.
    pub extensions: Vec<Extensions>,
    /// Extensions declared inside.
    pub extends: Vec<Extend>,
}

/// An enum.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Enum {
    /// Its simple name.
    pub name: String,
    /// Its options.
    pub options: Vec<OptionEntry>,
    /// One entry a `reserved` statement.
    pub reserved: Vec<Vec<Reserved>>,
    /// Its values.
    pub values: Vec<EnumValue>,
}

/// A value of an enum.
#[derive(Debug, Clone, PartialEq)]
pub struct EnumValue {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: i32,
    /// Its options.
    pub options: Vec<OptionEntry>,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Field {
    /// The label, where one is written.
    pub label: Option<Label>,
    /// The type as spelled; `map<K, V>` for maps.
    pub type_name: String,
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: i32,
    /// `default = …`
    pub default: Option<String>,
    /// `json_name = "…"`
    pub json_name: Option<String>,
    /// Its other options.
    pub options: Vec<OptionEntry>,
}

/// Labels of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// `optional`
    Optional,
    /// `required`
    Required,
    /// `repeated`
    Repeated,
}

/// A oneof.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OneOf {
    /// Its name.
    pub name: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Its groups.
    pub groups: Vec<Group>,
    /// Its options.
    pub options: Vec<OptionEntry>,
}

/// A group: a field and its message in one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// The label, where one is written.
    pub label: Option<Label>,
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: i32,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// Numbers left to extensions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extensions {
    /// The ranges.
    pub ranges: Vec<Range>,
    /// Options of the statement.
    pub options: Vec<OptionEntry>,
}

/// `extend Name { … }`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extend {
    /// The message extended, as spelled.
    pub name: String,
    /// The fields added.
    pub fields: Vec<Field>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its options.
    pub options: Vec<OptionEntry>,
    /// Its methods.
    pub methods: Vec<Method>,
}

/// A method of a service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Type of the request, as spelled.
    pub request: String,
    /// Type of the answer, as spelled.
    pub response: String,
    /// The request is a stream.
    pub streams_requests: bool,
    /// The answer is a stream.
    pub streams_responses: bool,
    /// Its options.
    pub options: Vec<OptionEntry>,
}

/// What a `reserved` statement names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// Numbers.
    Numbers(Range),
    /// A field's name.
    Name(String),
}

/// One number or a range of them, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// One number.
    One(i32),
    /// `a to b`
    Span(i32, i32),
}

/// The number that `max` stands for.
pub const MAX_NUMBER: i32 = 536_870_911;

/// An option as written.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionEntry {
    /// Its name, without parentheses.
    pub name: String,
    /// The name is in parentheses: an extension.
    pub is_extension: bool,
    /// Its value.
    pub value: OptionValue,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq)]
pub enum OptionValue {
    /// A string.
    Text(String),
    /// `true`, `false` or the name of an enum's value.
    Word(String),
    /// A number as written.
    Number(String),
    /// `(name).part = …`
    Part(Box<OptionEntry>),
    /// `{ … }`
    Map(Vec<(String, OptionValue)>),
    /// `[ … ]`
    List(Vec<OptionValue>),
}

impl OptionValue {
    /// Adds an item; what is no list becomes one of itself first.
    pub(super) fn add(&mut self, item: OptionValue) {
        match self {
            OptionValue::List(items) => items.push(item),
            one => {
                let first = std::mem::replace(one, OptionValue::List(Vec::new()));
                *one = OptionValue::List(vec![first, item]);
            }
        }
    }

    /// Whether it is, or holds, an item.
    pub(super) fn holds(&self, item: &OptionValue) -> bool {
        match self {
            OptionValue::List(items) => items.contains(item),
            one => one == item,
        }
    }
}

impl Type {
    /// Returns the simple name.
    pub fn name(&self) -> &str {
        match self {
            Type::Message(message) => &message.name,
            Type::Enum(declared) => &declared.name,
        }
    }
}

impl Message {
    /// Whether it is the entry of a map, as descriptors spell maps out.
    pub fn is_map_entry(&self) -> bool {
        let is_set = |option: &OptionEntry| option.value == OptionValue::Word("true".to_owned());
        self.options
            .iter()
            .any(|option| option.name == "map_entry" && is_set(option))
    }

    /// Returns every field: plain ones, then those of oneofs.
    pub fn all_fields(&self) -> impl Iterator<Item = &Field> {
        let inside = self.oneofs.iter().flat_map(|oneof| &oneof.fields);
        self.fields.iter().chain(inside)
    }
}

impl Label {
    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Label::Optional => "optional",
            Label::Required => "required",
            Label::Repeated => "repeated",
        }
    }
}

impl Syntax {
    /// Returns the name in the syntax statement.
    pub fn as_str(self) -> &'static str {
        match self {
            Syntax::Proto2 => "proto2",
            Syntax::Proto3 => "proto3",
        }
    }
}

impl Range {
    /// Returns the first number.
    pub fn start(self) -> i32 {
        match self {
            Range::One(number) | Range::Span(number, _) => number,
        }
    }
}
