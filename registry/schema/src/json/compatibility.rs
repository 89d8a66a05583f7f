//! Differences between two versions of a JSON Schema
//!
//! What a change means depends on whether an object or array is open to more; branches of combined schemas are matched
//! so that as many as can be find a partner. A pair of schemas is compared once. A pair inside of itself counts as
//! compatible at first; if it proves otherwise, all is compared again with that known, until nothing changes. The rules
//! are the registry's. What is special to objects, arrays, strings and numbers is in `compare_*.rs`.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use regex::{Regex, RegexBuilder};

use crate::json::difference::{Difference, DifferenceKind as K, Policy};
use crate::json::load::Graph;
use crate::json::matching;
use crate::json::model::{Combined, Criterion, Kind, Node, NodeId, Values};
use crate::json::{compare_arrays, compare_objects, compare_scalars};

/// Most differences listed, of either kind.
pub const MAX_DIFFERENCES: usize = 1000;

/// Most steps spent on one pair of schemas.
const MAX_STEPS: usize = 5_000_000;

/// Bytes of text that are compared for one step.
pub(super) const BYTES_A_STEP: usize = 64;

/// Steps of comparing one pair of schemas.
const STEPS_A_PAIR: usize = 5;

/// Steps of compiling one pattern.
const STEPS_A_PATTERN: usize = 500;

/// Largest program of a pattern.
const MAX_PATTERN_BYTES: usize = 32 * 1024;

/// Deepest nesting of pairs within pairs.
const MAX_DEPTH: usize = 300;

/// Lists the differences of an update; it is compatible if each of them is under the policy.
///
/// *Errors*: the reason, as text, why the two cannot be compared.
pub fn differences(original: &Graph, update: &Graph, policy: Policy) -> Result<Vec<Difference>, String> {
    let mut checker = Checker {
        original,
        update,
        policy,
        sides: Sides::AsGiven,
        known: HashMap::new(),
        active: HashSet::new(),
        incompatible: HashMap::new(),
        patterns: HashMap::new(),
        assumes: false,
        steps: 0,
        depth: 0,
    };
    loop {
        let mut found = Found::default();
        checker.compare(&mut found, Some(Graph::ROOT), Some(Graph::ROOT))?;
        let incompatible: HashMap<Pair, List> = checker
            .known
            .drain()
            .filter(|(_, found)| !is_compatible(found, policy))
            .collect();
        let is_stable = incompatible.len() == checker.incompatible.len()
            && incompatible.keys().all(|pair| checker.incompatible.contains_key(pair));
        if !checker.assumes || is_stable {
            return Ok(found.list);
        }
        checker.incompatible = incompatible;
        checker.assumes = false;
    }
}

/// Two schemas, and which graph the first is of.
type Pair = (Sides, NodeId, NodeId);

type List = Rc<[Difference]>;

/// `not` turns the question around: the original side is then taken from the update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sides {
    AsGiven,
    Swapped,
}

/// Differences found below a place.
#[derive(Debug, Default)]
pub(super) struct Found {
    path: Vec<String>,
    list: Vec<Difference>,
}

impl Found {
    pub(super) fn add(&mut self, kind: K) {
        let path = format!("#/{}", self.path.join("/"));
        self.push(Difference { kind, path });
    }

    pub(super) fn add_at(&mut self, keyword: &str, kind: K) {
        self.path.push(keyword.to_owned());
        self.add(kind);
        self.path.pop();
    }

    pub(super) fn enter(&mut self, part: impl Into<String>) {
        self.path.push(part.into());
    }

    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    fn push(&mut self, difference: Difference) {
        // Beyond the bound only what makes a difference to the verdict is kept, up to the bound again.
        let room = match difference.kind.is_compatible(Policy::Strict) {
            true => MAX_DIFFERENCES,
            false => 2 * MAX_DIFFERENCES,
        };
        if self.list.len() < room {
            self.list.push(difference);
        }
    }

    /// Another list at the same place.
    pub(super) fn aside(&self) -> Self {
        Self {
            path: self.path.clone(),
            list: Vec::new(),
        }
    }

    pub(super) fn take_in(&mut self, other: Self) {
        other.list.into_iter().for_each(|difference| self.push(difference));
    }

    /// Adds differences whose places begin at this one.
    fn add_below(&mut self, list: &[Difference]) {
        let prefix = self.path.join("/");
        for difference in list {
            let inner = difference.path.strip_prefix("#/").unwrap_or(&difference.path);
            let path = match (prefix.as_str(), inner) {
                ("", inner) => format!("#/{inner}"),
                (prefix, "") => format!("#/{prefix}"),
                (prefix, inner) => format!("#/{prefix}/{inner}"),
            };
            self.push(Difference {
                kind: difference.kind,
                path,
            });
        }
    }
}

fn is_compatible(list: &[Difference], policy: Policy) -> bool {
    list.iter().all(|difference| difference.kind.is_compatible(policy))
}

pub(super) struct Checker<'a> {
    original: &'a Graph,
    update: &'a Graph,
    policy: Policy,
    sides: Sides,
    known: HashMap<Pair, List>,
    active: HashSet<Pair>,
    /// Pairs that an earlier round found incompatible.
    incompatible: HashMap<Pair, List>,
    /// Patterns that were needed; none for one that Rust's language of patterns lacks.
    patterns: HashMap<&'a str, Option<Regex>>,
    /// A pair inside of itself was taken for compatible.
    assumes: bool,
    steps: usize,
    depth: usize,
}

impl<'a> Checker<'a> {
    pub(super) fn original(&self, id: NodeId) -> Option<&'a Node> {
        match self.sides {
            Sides::AsGiven => self.original.node(id),
            Sides::Swapped => self.update.node(id),
        }
    }

    pub(super) fn update(&self, id: NodeId) -> Option<&'a Node> {
        match self.sides {
            Sides::AsGiven => self.update.node(id),
            Sides::Swapped => self.original.node(id),
        }
    }

    fn follow(&self, original: NodeId, update: NodeId) -> (NodeId, NodeId) {
        match self.sides {
            Sides::AsGiven => (self.original.follow(original), self.update.follow(update)),
            Sides::Swapped => (self.update.follow(original), self.original.follow(update)),
        }
    }

    pub(super) fn spend(&mut self, steps: usize) -> Result<(), String> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS {
            return Err("schemas are too large to be compared".to_owned());
        }
        Ok(())
    }

    /// Whether a name holds a match of a pattern.
    pub(super) fn is_match(&mut self, pattern: &'a str, name: &str) -> Result<bool, String> {
        if !self.patterns.contains_key(pattern) {
            self.spend(STEPS_A_PATTERN)?;
            let compiled = RegexBuilder::new(pattern)
                .size_limit(MAX_PATTERN_BYTES)
                .dfa_size_limit(MAX_PATTERN_BYTES)
                .build();
            self.patterns.insert(pattern, compiled.ok());
        }
        self.spend(1 + name.len() / BYTES_A_STEP)?;
        let compiled = self.patterns.get(pattern).and_then(Option::as_ref);
        Ok(compiled.is_some_and(|pattern| pattern.is_match(name)))
    }

    pub(super) fn is_compatible(&self, found: &Found) -> bool {
        is_compatible(&found.list, self.policy)
    }

    /// Compares two schemas, either of which may be missing.
    pub(super) fn compare(
        &mut self,
        found: &mut Found,
        original: Option<NodeId>,
        update: Option<NodeId>,
    ) -> Result<(), String> {
        let (original, update) = match (original, update) {
            (None, None) => return Ok(()),
            (None, Some(_)) => {
                found.add(K::SchemaAdded);
                return Ok(());
            }
            (Some(_), None) => {
                found.add(K::SchemaRemoved);
                return Ok(());
            }
            (Some(original), Some(update)) => self.follow(original, update),
        };
        let list = self.pair(original, update)?;
        self.spend(list.len())?;
        found.add_below(&list);
        Ok(())
    }

    fn pair(&mut self, original: NodeId, update: NodeId) -> Result<List, String> {
        let pair = (self.sides, original, update);
        if let Some(known) = self.known.get(&pair) {
            return Ok(Rc::clone(known));
        }
        if !self.active.insert(pair) {
            if let Some(known) = self.incompatible.get(&pair) {
                return Ok(Rc::clone(known));
            }
            self.assumes = true;
            return Ok(Rc::from([]));
        }
        self.spend(STEPS_A_PAIR)?;
        if self.depth >= MAX_DEPTH {
            return Err(format!("schemas are nested deeper than {MAX_DEPTH} levels"));
        }
        self.depth += 1;
        let mut inner = Found::default();
        if let (Some(original), Some(update)) = (self.original(original), self.update(update)) {
            self.kinds(&mut inner, (pair.1, original), (pair.2, update))?;
        }
        self.depth -= 1;
        self.active.remove(&pair);
        let list: List = Rc::from(inner.list);
        self.known.insert(pair, Rc::clone(&list));
        Ok(list)
    }

    fn kinds(
        &mut self,
        found: &mut Found,
        (original_id, original): (NodeId, &'a Node),
        (update_id, update): (NodeId, &'a Node),
    ) -> Result<(), String> {
        match (&original.kind, &update.kind) {
            (Kind::Combined(_), Kind::Combined(_)) => {}
            (_, Kind::Combined(combined)) => {
                let kind = (combined.branches.len() != 1).then_some(K::SumTypeExtended);
                let is_tried = kind.is_none() || combined.criterion != Criterion::All;
                for branch in combined.branches.iter().filter(|_| is_tried) {
                    if self.fits(found, original_id, *branch, kind)? {
                        return Ok(());
                    }
                }
            }
            (Kind::Combined(combined), _) => {
                let kind = (combined.branches.len() != 1).then_some(K::ProductTypeNarrowed);
                let is_tried = kind.is_none() || combined.criterion == Criterion::All;
                for branch in combined.branches.iter().filter(|_| is_tried) {
                    if self.fits(found, *branch, update_id, kind)? {
                        return Ok(());
                    }
                }
            }
            _ => {}
        }
        if std::mem::discriminant(&original.kind) != std::mem::discriminant(&update.kind) {
            let is_bytes = |node: &Node| node.connect_type.as_deref() == Some("bytes");
            let reads = original.kind == Kind::False || update.kind.is_anything();
            if !(reads || is_bytes(original) && is_bytes(update)) {
                found.add(K::TypeChanged);
            }
            return Ok(());
        }
        for (differs, kind) in [
            (original.id != update.id, K::IdChanged),
            (original.title != update.title, K::TitleChanged),
            (original.description != update.description, K::DescriptionChanged),
            (original.default != update.default, K::DefaultChanged),
        ] {
            if differs {
                found.add(kind);
            }
        }
        match (&original.kind, &update.kind) {
            (Kind::String(original), Kind::String(update)) => compare_scalars::texts(found, original, update),
            (Kind::Number(original), Kind::Number(update)) => compare_scalars::numbers(found, original, update),
            (Kind::Const(original), Kind::Const(update)) if original != update => {
                found.add_at("const", K::EnumArrayChanged);
            }
            (Kind::Enum(original), Kind::Enum(update)) => self.enums(found, original, update)?,
            (Kind::Combined(original), Kind::Combined(update)) => self.combined(found, original, update)?,
            (Kind::Not(original), Kind::Not(update)) => self.not(found, *original, *update)?,
            (Kind::Object(original), Kind::Object(update)) => compare_objects::compare(self, found, original, update)?,
            (Kind::Array(original), Kind::Array(update)) => compare_arrays::compare(self, found, original, update)?,
            _ => {}
        }
        Ok(())
    }

    /// Takes the differences of a branch if they are compatible, and says so.
    fn fits(&mut self, found: &mut Found, original: NodeId, update: NodeId, kind: Option<K>) -> Result<bool, String> {
        let mut inner = found.aside();
        self.compare(&mut inner, Some(original), Some(update))?;
        let fits = self.is_compatible(&inner);
        if fits {
            found.take_in(inner);
            kind.into_iter().for_each(|kind| found.add(kind));
        }
        Ok(fits)
    }

    fn enums(&mut self, found: &mut Found, original: &Values, update: &Values) -> Result<(), String> {
        self.spend((original.bytes + update.bytes) / BYTES_A_STEP + 1)?;
        let (original, update) = (&original.texts, &update.texts);
        if original == update {
            return Ok(());
        }
        found.add_at(
            "enum",
            if update.is_superset(original) {
                K::EnumArrayExtended
            } else if original.is_superset(update) {
                K::EnumArrayNarrowed
            } else {
                K::EnumArrayChanged
            },
        );
        Ok(())
    }

    /// What must not fit is compared the other way around.
    fn not(&mut self, found: &mut Found, original: NodeId, update: NodeId) -> Result<(), String> {
        found.enter("not");
        let sides = self.sides;
        self.sides = match sides {
            Sides::AsGiven => Sides::Swapped,
            Sides::Swapped => Sides::AsGiven,
        };
        let mut inner = found.aside();
        let compared = self.compare(&mut inner, Some(update), Some(original));
        self.sides = sides;
        compared?;
        found.add(match self.is_compatible(&inner) {
            true => K::NotTypeNarrowed,
            false => K::NotTypeExtended,
        });
        found.leave();
        Ok(())
    }

    fn combined(&mut self, found: &mut Found, original: &Combined, update: &Combined) -> Result<(), String> {
        if let Some(kind) = criteria(original, update) {
            found.add(kind);
            if kind == K::CombinedTypeChanged {
                return Ok(());
            }
        }
        let (fewer, more) = (original.distinct.len(), update.distinct.len());
        if fewer < more {
            found.add(match update.criterion {
                Criterion::All => K::ProductTypeExtended,
                Criterion::Any | Criterion::One => K::SumTypeExtended,
            });
        } else if fewer > more {
            found.add(match original.criterion {
                Criterion::All => K::ProductTypeNarrowed,
                Criterion::Any | Criterion::One => K::SumTypeNarrowed,
            });
        }
        let mut edges = Vec::with_capacity(fewer);
        let mut fitting: HashMap<(usize, usize), Found> = HashMap::new();
        for (at, original_branch) in original.distinct.iter().enumerate() {
            found.enter(format!("{}/{at}", original.criterion.as_str()));
            let mut partners = Vec::new();
            for (other, update_branch) in update.distinct.iter().enumerate() {
                let mut inner = found.aside();
                self.compare(&mut inner, Some(*original_branch), Some(*update_branch))?;
                if self.is_compatible(&inner) {
                    partners.push(other);
                    fitting.insert((at, other), inner);
                }
            }
            edges.push(partners);
            found.leave();
        }
        let pairs = matching::maximum(&edges, more, |steps| self.spend(steps))?;
        let is_covered = pairs.len() >= fewer.min(more);
        for pair in pairs {
            if let Some(inner) = fitting.remove(&pair) {
                found.take_in(inner);
            }
        }
        if !is_covered {
            found.add(K::CombinedTypeSubschemasChanged);
        }
        Ok(())
    }
}

fn criteria(original: &Combined, update: &Combined) -> Option<K> {
    if original.criterion == update.criterion {
        return None;
    }
    let was_single = original.branches.len() == 1;
    let is_single = update.branches.len() == 1;
    let is_extended = update.criterion == Criterion::Any
        || was_single && (is_single || update.criterion == Criterion::One)
        || is_single && original.criterion == Criterion::All;
    Some(if is_extended {
        K::CombinedTypeExtended
    } else {
        K::CombinedTypeChanged
    })
}
