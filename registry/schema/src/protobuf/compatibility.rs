//! Differences between two versions of a Protobuf schema
//!
//! Fields are told apart by number, messages by name. Types of other registered files are compared by structure, each
//! pair once, so that files that use each other end; the rules and their order are the registry's.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::protobuf::difference::{Difference, DifferenceKind as K};
use crate::protobuf::kinds::{Kind, ScalarKind, Spelled, spelled};
use crate::protobuf::names::{Names, Scope, map_types};
use crate::protobuf::schema::ProtobufSchema;
use crate::protobuf::tree::{Enum, Field, Label, Message, Type};

/// Most differences listed.
pub const MAX_DIFFERENCES: usize = 1000;

/// Longest chain of types of other files.
const MAX_DEPTH: usize = 64;

/// Most fields looked at.
const MAX_STEPS: usize = 2_000_000;

/// Lists the differences of an update; it is compatible if each of them is.
///
/// *Errors*: the reason, as text, why the two cannot be compared.
pub fn differences(original: &ProtobufSchema, update: &ProtobufSchema) -> Result<Vec<Difference>, String> {
    let (original_names, update_names) = (original.names(), update.names());
    let mut checker = Checker {
        original: &original_names,
        update: &update_names,
        known: HashMap::new(),
        steps: 0,
    };
    let mut place = Place {
        original_package: original_names.package(),
        update_package: update_names.package(),
        path: Vec::new(),
        scope: Scope::default(),
        found: Vec::new(),
        active: HashSet::new(),
        depth: 0,
    };
    if original.file().package != update.file().package {
        place.add(K::PackageChanged);
    }
    checker.types(&mut place, &original.file().types, &update.file().types)?;
    Ok(place.found)
}

/// Two messages, by where they lie.
type Pair = (*const Message, *const Message);

struct Checker<'a> {
    original: &'a Names<'a>,
    update: &'a Names<'a>,
    /// Differences of pairs of messages of other files; none yet while in progress.
    known: HashMap<Pair, Rc<[Difference]>>,
    steps: usize,
}

/// Where the comparison stands, and what it found.
struct Place<'a> {
    original_package: &'a str,
    update_package: &'a str,
    path: Vec<String>,
    scope: Scope,
    found: Vec<Difference>,
    active: HashSet<*const Message>,
    depth: usize,
}

impl Place<'_> {
    fn add(&mut self, kind: K) {
        if self.found.len() < MAX_DIFFERENCES || !kind.is_compatible() && self.found.len() < 2 * MAX_DIFFERENCES {
            self.found.push(Difference {
                kind,
                path: format!("#/{}", self.path.join("/")),
            });
        }
    }

    /// Adds a difference further in.
    fn add_at(&mut self, parts: &[&str], kind: K) {
        let depth = self.path.len();
        self.path.extend(parts.iter().map(|part| (*part).to_owned()));
        self.add(kind);
        self.path.truncate(depth);
    }
}

impl<'a> Checker<'a> {
    fn types(&mut self, place: &mut Place<'a>, original: &'a [Type], update: &'a [Type]) -> Result<(), String> {
        let (old_messages, old_enums) = by_name(original);
        let (new_messages, new_enums) = by_name(update);
        for name in names_of(original, update, |declared| matches!(declared, Type::Message(_))) {
            place.path.push(name.to_owned());
            place.scope.enter(name);
            match (old_messages.get(name), new_messages.get(name)) {
                (Some((_, old)), None) if !old.is_map_entry() => place.add(K::MessageRemoved),
                (None, Some((_, new))) if !new.is_map_entry() => place.add(K::MessageAdded),
                (Some((old_at, old)), Some((new_at, new))) => {
                    self.message(place, old, new)?;
                    if old_at != new_at {
                        place.add(K::MessageMoved);
                    }
                }
                _ => {}
            }
            place.scope.leave();
            place.path.pop();
        }
        for name in names_of(original, update, |declared| matches!(declared, Type::Enum(_))) {
            match (old_enums.get(name), new_enums.get(name)) {
                (Some(_), None) => place.add_at(&[name], K::EnumRemoved),
                (None, Some(_)) => place.add_at(&[name], K::EnumAdded),
                (Some(old), Some(new)) => self.enums(place, name, old, new)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn spend(&mut self, steps: usize) -> Result<(), String> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS {
            return Err("schemas are too large to be compared".to_owned());
        }
        Ok(())
    }

    fn enums(&mut self, place: &mut Place<'a>, name: &str, old: &Enum, new: &Enum) -> Result<(), String> {
        self.spend(old.values.len() + new.values.len())?;
        let by_number = |declared: &Enum| -> BTreeMap<i32, String> {
            let values = declared.values.iter();
            values.map(|value| (value.number, value.name.clone())).collect()
        };
        let (old, new) = (by_number(old), by_number(new));
        let numbers: BTreeSet<i32> = old.keys().chain(new.keys()).copied().collect();
        for number in numbers {
            let kind = match (old.get(&number), new.get(&number)) {
                (Some(_), None) => K::EnumConstRemoved,
                (None, Some(_)) => K::EnumConstAdded,
                (old, new) if old != new => K::EnumConstChanged,
                _ => continue,
            };
            place.add_at(&[name, &number.to_string()], kind);
        }
        Ok(())
    }

    fn message(&mut self, place: &mut Place<'a>, old: &'a Message, new: &'a Message) -> Result<(), String> {
        let is_entered = place.active.insert(std::ptr::from_ref(old));
        if is_entered {
            self.fields(place, old, new)?;
        }
        self.types(place, &old.types, &new.types)?;
        if is_entered {
            place.active.remove(&std::ptr::from_ref(old));
        }
        Ok(())
    }

    fn fields(&mut self, place: &mut Place<'a>, old: &'a Message, new: &'a Message) -> Result<(), String> {
        let (old_fields, new_fields) = (Fields::of(old), Fields::of(new));
        self.spend(old_fields.by_number.len() + new_fields.by_number.len())?;
        exclusivity(place, new, &old_fields);
        let new_oneofs: HashSet<&str> = new.oneofs.iter().map(|oneof| oneof.name.as_str()).collect();
        let old_oneofs: HashSet<&str> = old.oneofs.iter().map(|oneof| oneof.name.as_str()).collect();
        let names: BTreeSet<&str> = old_oneofs.union(&new_oneofs).copied().collect();
        for name in names {
            match (old_oneofs.contains(name), new_oneofs.contains(name)) {
                (true, false) => place.add_at(&[name], K::OneofRemoved),
                (false, true) => place.add_at(&[name], K::OneofAdded),
                _ => {}
            }
        }
        let mut gone: HashSet<&str> = HashSet::new();
        for oneof in old
            .oneofs
            .iter()
            .filter(|oneof| !new_oneofs.contains(oneof.name.as_str()))
        {
            if !oneof
                .fields
                .iter()
                .any(|field| new_fields.by_number.contains_key(&field.number))
            {
                gone.insert(&oneof.name);
            }
        }
        let numbers: BTreeSet<i32> = old_fields
            .by_number
            .keys()
            .chain(new_fields.by_number.keys())
            .copied()
            .collect();
        for number in numbers {
            let text = number.to_string();
            let (old_oneof, new_oneof) = (old_fields.oneof(number), new_fields.oneof(number));
            match (old_fields.by_number.get(&number), new_fields.by_number.get(&number)) {
                (Some(field), None) => match old_oneof {
                    Some(oneof) if gone.contains(oneof) => {}
                    Some(oneof) => place.add_at(&[oneof, &text], K::OneofFieldRemoved),
                    None if is_required(field) => place.add_at(&[&text], K::RequiredFieldRemoved),
                    None => place.add_at(&[&text], K::FieldRemoved),
                },
                (None, Some(field)) => match new_oneof {
                    Some(oneof) => place.add_at(&[oneof, &text], K::OneofFieldAdded),
                    None if is_required(field) => place.add_at(&[&text], K::RequiredFieldAdded),
                    None => place.add_at(&[&text], K::FieldAdded),
                },
                (Some(old), Some(new)) => {
                    if old_oneof.is_some() && new_oneof.is_none() {
                        place.add_at(&[&text], K::OneofFieldMovedToTopLevel);
                    }
                    let depth = place.path.len();
                    place.path.extend(new_oneof.map(str::to_owned));
                    place.path.push(text);
                    self.field(place, old, new)?;
                    place.path.truncate(depth);
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn field(&mut self, place: &mut Place<'a>, old: &Field, new: &Field) -> Result<(), String> {
        if old.name != new.name {
            place.add(K::FieldNameChanged);
        }
        self.labels_and_types(place, (old.label, new.label), &old.type_name, &new.type_name)
    }

    fn labels_and_types(
        &mut self,
        place: &mut Place<'a>,
        labels: (Option<Label>, Option<Label>),
        old: &str,
        new: &str,
    ) -> Result<(), String> {
        let old = spelled(self.original, place.original_package, &place.scope, old);
        let new = spelled(self.update, place.update_package, &place.scope, new);
        let kind = old.kind();
        if kind != new.kind() {
            place.add(K::FieldKindChanged);
            return Ok(());
        }
        match kind {
            Kind::Scalar => scalars(place, labels, &old, &new),
            Kind::Message => return self.messages(place, &old, &new),
            Kind::Map => {
                let (Some((old_key, old_value)), Some((new_key, new_value))) =
                    (map_types(&old.name), map_types(&new.name))
                else {
                    return Ok(());
                };
                self.labels_and_types(place, (None, None), old_key, new_key)?;
                self.labels_and_types(place, (None, None), old_value, new_value)?;
            }
        }
        Ok(())
    }

    fn messages(&mut self, place: &mut Place<'a>, old: &Spelled<'a>, new: &Spelled<'a>) -> Result<(), String> {
        let (Some((old_name, old_type)), Some((new_name, new_type))) = (&old.declared, &new.declared) else {
            if old.name != new.name {
                place.add(K::FieldNamedTypeChanged);
            }
            return Ok(());
        };
        let old_local = local(old_name, old_type.package);
        if old_local != local(new_name, new_type.package) {
            place.add(K::FieldNamedTypeChanged);
            return Ok(());
        }
        let same_origin = old_type.origin.is_some() && old_type.origin == new_type.origin;
        let (Type::Message(old), Type::Message(new)) = (old_type.declaration, new_type.declaration) else {
            return Ok(());
        };
        if same_origin || std::ptr::eq(old, new) {
            return Ok(());
        }
        let found = self.elsewhere(place, old_local, (old_type.package, old), (new_type.package, new))?;
        let is_compatible = found.iter().all(|difference| difference.kind.is_compatible());
        let room = MAX_DIFFERENCES.saturating_sub(place.found.len());
        place.found.extend(found.iter().take(room).cloned());
        if !is_compatible {
            place.add(K::FieldNamedTypeChanged);
        }
        Ok(())
    }

    /// Compares types of other files, with places that begin at the type.
    fn elsewhere(
        &mut self,
        place: &Place<'a>,
        local: &str,
        (old_package, old): (&'a str, &'a Message),
        (new_package, new): (&'a str, &'a Message),
    ) -> Result<Rc<[Difference]>, String> {
        let pair = (std::ptr::from_ref(old), std::ptr::from_ref(new));
        if let Some(known) = self.known.get(&pair) {
            return Ok(Rc::clone(known));
        }
        if place.depth >= MAX_DEPTH {
            return Err(format!("types of other files are used deeper than {MAX_DEPTH} levels"));
        }
        self.known.insert(pair, Rc::from([]));
        let mut inner = Place {
            original_package: old_package,
            update_package: new_package,
            path: local.split('.').map(str::to_owned).collect(),
            scope: Scope::of(local),
            found: Vec::new(),
            active: place.active.clone(),
            depth: place.depth + 1,
        };
        self.message(&mut inner, old, new)?;
        let found: Rc<[Difference]> = Rc::from(inner.found);
        self.known.insert(pair, Rc::clone(&found));
        Ok(found)
    }
}

/// Fields that could be set together and no longer can.
fn exclusivity(place: &mut Place<'_>, new: &Message, old: &Fields<'_>) {
    for oneof in &new.oneofs {
        let mut origins: HashSet<(Option<&str>, i32)> = HashSet::new();
        let mut moved_in = 0;
        for field in &oneof.fields {
            match old.oneof(field.number) {
                Some(from) => {
                    origins.insert((Some(from), 0));
                }
                None if old.by_number.contains_key(&field.number) => {
                    origins.insert((None, field.number));
                    moved_in += 1;
                }
                None => {}
            }
        }
        if origins.len() > 1 {
            let kind = match moved_in {
                0 | 1 => K::FieldMovedToExistingOneof,
                _ => K::MultipleFieldsMovedToOneof,
            };
            place.add_at(&[&oneof.name], kind);
        }
    }
}

/// The fields of a message by number.
struct Fields<'m> {
    by_number: BTreeMap<i32, &'m Field>,
    oneofs: HashMap<i32, &'m str>,
}

impl<'m> Fields<'m> {
    fn of(message: &'m Message) -> Self {
        let mut oneofs = HashMap::new();
        for oneof in &message.oneofs {
            oneofs.extend(oneof.fields.iter().map(|field| (field.number, oneof.name.as_str())));
        }
        Self {
            by_number: message.all_fields().map(|field| (field.number, field)).collect(),
            oneofs,
        }
    }

    fn oneof(&self, number: i32) -> Option<&'m str> {
        self.oneofs.get(&number).copied()
    }
}

fn is_required(field: &Field) -> bool {
    field.label == Some(Label::Required)
}

type Messages<'a> = HashMap<&'a str, (usize, &'a Message)>;

fn by_name(types: &[Type]) -> (Messages<'_>, HashMap<&str, &Enum>) {
    let (mut messages, mut enums) = (HashMap::new(), HashMap::new());
    for declared in types {
        match declared {
            Type::Message(message) => {
                let at = messages.len();
                messages.insert(message.name.as_str(), (at, message));
            }
            Type::Enum(declared) => {
                enums.insert(declared.name.as_str(), declared);
            }
        }
    }
    (messages, enums)
}

/// Names of both versions, each once, those of the original first.
fn names_of<'a>(original: &'a [Type], update: &'a [Type], is_wanted: impl Fn(&Type) -> bool) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    let both = original.iter().chain(update).filter(|declared| is_wanted(declared));
    both.map(Type::name).filter(|name| seen.insert(*name)).collect()
}

fn scalars(place: &mut Place<'_>, labels: (Option<Label>, Option<Label>), old: &Spelled<'_>, new: &Spelled<'_>) {
    let kind = old.scalar_kind();
    if kind != new.scalar_kind() {
        place.add(K::FieldScalarKindChanged);
    } else if let (Some(old), Some(new)) = labels
        && old != new
    {
        place.add(match kind {
            ScalarKind::StringOrBytes => K::FieldStringOrBytesLabelChanged,
            _ => K::FieldNumericLabelChanged,
        });
    }
}

/// The name without the package.
fn local<'n>(full_name: &'n str, package: &str) -> &'n str {
    let inner = full_name.strip_prefix(package).and_then(|rest| rest.strip_prefix('.'));
    inner.filter(|_| !package.is_empty()).unwrap_or(full_name)
}
