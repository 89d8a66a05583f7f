//! A JSON text as a flat list of nodes
//!
//! One pass checks the text and notes where each value stands; nothing is copied and the list is reused from record to
//! record. Accepts what Connect's Jackson accepts: leading zeros, anything after the first value, the last of equal
//! keys. Nodes are read with [`Tape::node`] and friends; conversion is in `decode.rs`.

use crate::json::scanner::{JsonError, Kind, Scanner};
use crate::json::unescape::push_unescaped;

/// Deepest nesting, Jackson's bound.
const MAX_DEPTH: usize = 1000;
/// One value.
#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    escaped: bool,
    start: u32,
    end: u32,
    /// The first node after this one and all inside it.
    next: u32,
    /// Elements or pairs.
    count: u32,
}

/// What the value read stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surroundings {
    None,
    Object,
}

/// A checked JSON text.
#[derive(Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    open: Vec<u32>,
}

/// A value of a text on the tape.
#[derive(Debug, Clone, Copy)]
pub struct NodeRef<'t> {
    tape: &'t Tape,
    text: &'t str,
    index: u32,
    node: Node,
}

impl Tape {
    /// Reads the first value of a text. `None`: there is none, only white space.
    ///
    /// # Errors
    /// The text is no JSON.
    pub fn parse<'t>(&'t mut self, text: &'t str) -> Result<Option<NodeRef<'t>>, JsonError> {
        let found = self.read(text, Surroundings::None)?;
        Ok(found.and_then(|_| self.node(text, 0)))
    }

    /// Reads the last value of an object whose beginning was known: the value, then a closing brace.
    ///
    /// # Errors
    /// The text is no JSON, or something else follows the value.
    pub fn parse_last_member<'t>(&'t mut self, text: &'t str) -> Result<Option<NodeRef<'t>>, JsonError> {
        let Some(end) = self.read(text, Surroundings::Object)? else {
            return Ok(None);
        };
        let mut scanner = Scanner {
            bytes: text.as_bytes(),
            at: end,
        };
        if scanner.next_token() != Some(b'}') {
            return Err(scanner.expected("} to end the object"));
        }
        Ok(self.node(text, 0))
    }

    /// Reads one value and gives the position after it.
    fn read(&mut self, text: &str, surroundings: Surroundings) -> Result<Option<usize>, JsonError> {
        self.nodes.clear();
        self.open.clear();
        if u32::try_from(text.len()).is_err() {
            return Err(JsonError {
                at: 0,
                reason: "a text of less than 4 GiB",
            });
        }
        let bom = surroundings == Surroundings::None && text.starts_with('\u{feff}');
        let mut scanner = Scanner {
            bytes: text.as_bytes(),
            at: if bom { '\u{feff}'.len_utf8() } else { 0 },
        };
        if scanner.next_token().is_none() {
            return Ok(None);
        }
        loop {
            self.value(&mut scanner, surroundings)?;
            if self.close(&mut scanner)? {
                break;
            }
        }
        Ok(Some(scanner.at))
    }

    /// Gives a value by its place.
    fn node<'t>(&'t self, text: &'t str, index: u32) -> Option<NodeRef<'t>> {
        let node = *self.nodes.get(index as usize)?;
        Some(NodeRef {
            tape: self,
            text,
            index,
            node,
        })
    }

    /// Reads the head of one value; containers are left open.
    fn value(&mut self, scanner: &mut Scanner<'_>, surroundings: Surroundings) -> Result<(), JsonError> {
        let start = scanner.at;
        let kind = match scanner.peek() {
            Some(b'{') => return self.open(scanner, Kind::Object),
            Some(b'[') => return self.open(scanner, Kind::Array),
            Some(b'"') => {
                scanner.at += 1;
                let escaped = scanner.string()?;
                self.push(Kind::Text, escaped, start + 1, scanner.at - 1);
                return Ok(());
            }
            Some(b'-' | b'0'..=b'9') => scanner.number(self.open.is_empty() && surroundings == Surroundings::None)?,
            Some(b'n') => scanner.word(b"null", Kind::Null)?,
            Some(b't') => scanner.word(b"true", Kind::True)?,
            Some(b'f') => scanner.word(b"false", Kind::False)?,
            _ => return Err(scanner.expected("a value")),
        };
        self.push(kind, false, start, scanner.at);
        Ok(())
    }

    fn open(&mut self, scanner: &mut Scanner<'_>, kind: Kind) -> Result<(), JsonError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(scanner.expected("nesting of at most 1000"));
        }
        self.open.push(self.len());
        self.push(kind, false, scanner.at, scanner.at);
        scanner.at += 1;
        // An empty container has neither value nor key to read: `close` sees its end at once.
        let closes = if kind == Kind::Object { b'}' } else { b']' };
        if scanner.next_token() == Some(closes) {
            return Ok(());
        }
        self.count_child();
        if kind == Kind::Object {
            self.key(scanner)?;
        }
        self.value(scanner, Surroundings::Object)
    }

    /// Closes containers that end here and steps to the next value; true when the root is complete.
    fn close(&mut self, scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
        loop {
            let Some(container) = self.open.last().copied() else {
                return Ok(true);
            };
            let is_object = self
                .nodes
                .get(container as usize)
                .is_some_and(|node| node.kind == Kind::Object);
            match (scanner.next_token(), is_object) {
                (Some(b'}'), true) | (Some(b']'), false) => {
                    scanner.at += 1;
                    self.open.pop();
                    let (next, end) = (self.len(), scanner.at);
                    if let Some(node) = self.nodes.get_mut(container as usize) {
                        (node.next, node.end) = (next, small(end));
                    }
                }
                (Some(b','), _) => {
                    scanner.at += 1;
                    scanner.next_token();
                    self.count_child();
                    if is_object {
                        self.key(scanner)?;
                    }
                    return Ok(false);
                }
                (_, true) => return Err(scanner.expected("a comma or } to end the object")),
                (_, false) => return Err(scanner.expected("a comma or ] to end the array")),
            }
        }
    }

    fn key(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        if scanner.peek() != Some(b'"') {
            return Err(scanner.expected("a double quote to start a field name"));
        }
        scanner.at += 1;
        let start = scanner.at;
        let escaped = scanner.string()?;
        self.push(Kind::Text, escaped, start, scanner.at - 1);
        if scanner.next_token() != Some(b':') {
            return Err(scanner.expected("a colon after the field name"));
        }
        scanner.at += 1;
        scanner.next_token();
        Ok(())
    }

    fn count_child(&mut self) {
        if let Some(node) = self
            .open
            .last()
            .and_then(|container| self.nodes.get_mut(*container as usize))
        {
            node.count += 1;
        }
    }

    fn push(&mut self, kind: Kind, escaped: bool, start: usize, end: usize) {
        let next = self.len() + 1;
        self.nodes.push(Node {
            kind,
            escaped,
            start: small(start),
            end: small(end),
            next,
            count: 0,
        });
    }

    fn len(&self) -> u32 {
        small(self.nodes.len())
    }
}

/// Narrows a position within a text whose length was checked.
fn small(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

impl<'t> NodeRef<'t> {
    /// What the value is.
    pub fn kind(&self) -> Kind {
        self.node.kind
    }

    /// Elements of an array or pairs of an object, repeated keys included.
    pub fn count(&self) -> u32 {
        self.node.count
    }

    /// The value as it stands in the text: a number's digits, a text between its quotes, a whole container.
    pub fn raw(&self) -> &'t str {
        self.text
            .get(self.node.start as usize..self.node.end as usize)
            .unwrap_or_default()
    }

    /// Where the value begins in the text, a quote included.
    pub fn start(&self) -> usize {
        self.node.start as usize - usize::from(self.node.kind == Kind::Text)
    }

    /// Appends a text's characters, escapes resolved.
    pub fn push_text(&self, out: &mut Vec<u8>) {
        if self.node.escaped {
            push_unescaped(out, self.raw());
        } else {
            out.extend_from_slice(self.raw().as_bytes());
        }
    }

    /// Gives a text, escapes resolved; `None` for other kinds.
    pub fn to_text(&self) -> Option<String> {
        if self.node.kind != Kind::Text {
            return None;
        }
        let mut out = Vec::new();
        self.push_text(&mut out);
        String::from_utf8(out).ok()
    }

    /// Tells whether a text is this one.
    pub fn is_text(&self, text: &str) -> bool {
        if self.node.escaped {
            self.to_text().as_deref() == Some(text)
        } else {
            self.raw() == text
        }
    }

    /// Walks the elements of an array, or the values of an object; nothing in other values.
    pub fn elements(&self) -> Elements<'t> {
        Elements {
            container: *self,
            index: self.index + 1,
            left: self.node.count,
        }
    }

    /// Walks the pairs of an object, repeated keys included; nothing in other values.
    pub fn pairs(&self) -> Pairs<'t> {
        Pairs {
            container: *self,
            index: self.index + 1,
            left: if self.node.kind == Kind::Object {
                self.node.count
            } else {
                0
            },
        }
    }

    /// Gives the last value under a key.
    pub fn get(&self, key: &str) -> Option<NodeRef<'t>> {
        let mut found = None;
        for (name, value) in self.pairs() {
            if name.is_text(key) {
                found = Some(value);
            }
        }
        found
    }

    fn sibling(&self, index: u32) -> Option<NodeRef<'t>> {
        self.tape.node(self.text, index)
    }
}

/// The elements of a container.
#[derive(Debug, Clone)]
pub struct Elements<'t> {
    container: NodeRef<'t>,
    index: u32,
    left: u32,
}

impl<'t> Iterator for Elements<'t> {
    type Item = NodeRef<'t>;

    fn next(&mut self) -> Option<NodeRef<'t>> {
        self.left = self.left.checked_sub(1)?;
        let skip_key = u32::from(self.container.node.kind == Kind::Object);
        let element = self.container.sibling(self.index + skip_key)?;
        self.index = element.node.next;
        Some(element)
    }
}

/// The pairs of an object.
#[derive(Debug, Clone)]
pub struct Pairs<'t> {
    container: NodeRef<'t>,
    index: u32,
    left: u32,
}

impl<'t> Iterator for Pairs<'t> {
    type Item = (NodeRef<'t>, NodeRef<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let key = self.container.sibling(self.index)?;
        let value = self.container.sibling(self.index + 1)?;
        self.index = value.node.next;
        Some((key, value))
    }
}

#[cfg(test)]
mod tests;
