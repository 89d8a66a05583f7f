//! JSON pointers with a star
//!
//! RFC 6901, and `*` as a segment stands for all elements of an array or all values of an object:
//! `/data/*/items/*`. A key that is a star itself is written `~2`.

use std::fmt;

use serde_json::Value;

/// A pointer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pointer {
    segments: Vec<Segment>,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(String),
    Every,
}

impl Pointer {
    /// Reads a pointer; the empty text is the whole value.
    ///
    /// # Errors
    /// What is wrong with it, for a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!(
                "a JSON pointer begins with a slash: /{}",
                text.replace('.', "/")
            ));
        };
        let segments = rest.split('/').map(segment).collect::<Result<_, _>>()?;
        Ok(Self {
            segments,
            text: text.to_owned(),
        })
    }

    /// Tells whether it stands for the whole value.
    pub fn is_whole(&self) -> bool {
        self.segments.is_empty()
    }

    /// Tells whether it holds a star.
    pub fn has_star(&self) -> bool {
        self.segments.contains(&Segment::Every)
    }

    /// Gives the last key, for a name.
    pub fn last_key(&self) -> Option<&str> {
        match self.segments.last()? {
            Segment::Key(key) => Some(key),
            Segment::Every => None,
        }
    }

    /// Gives all values it leads to, in order.
    pub fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![value];
        for segment in &self.segments {
            let mut next = Vec::new();
            for value in found {
                match (segment, value) {
                    (Segment::Every, Value::Array(items)) => next.extend(items),
                    (Segment::Every, Value::Object(object)) => next.extend(object.values()),
                    (Segment::Every, _) => {}
                    (Segment::Key(key), _) => next.extend(child(value, key)),
                }
            }
            found = next;
        }
        found
    }

    /// Takes the value it leads to out of the whole, leaving null; none where it leads nowhere or holds a star.
    pub fn take(&self, root: &mut Value) -> Option<Value> {
        let found = self
            .segments
            .iter()
            .try_fold(root, |value, segment| match (segment, value) {
                (Segment::Key(key), Value::Object(object)) => object.get_mut(key),
                (Segment::Key(key), Value::Array(items)) => items.get_mut(index(key)?),
                _ => None,
            })?;
        Some(found.take())
    }

    /// Gives the first value it leads to.
    pub fn first<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        if self.has_star() {
            return self.find(value).into_iter().next();
        }
        self.segments.iter().try_fold(value, |value, segment| match segment {
            Segment::Key(key) => child(value, key),
            Segment::Every => None,
        })
    }

    /// Gives the first value it leads to unless that is null.
    pub fn present<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.first(value).filter(|found| !found.is_null())
    }

    /// Gives the first value as text: texts as they are, numbers and booleans as JSON writes them; none for the rest.
    pub fn text(&self, value: &Value) -> Option<String> {
        scalar_text(self.first(value)?)
    }

    /// Sets what it leads to, making objects on the way.
    ///
    /// # Errors
    /// A segment is a star, or leads into something that is no object.
    pub fn set(&self, root: &mut Value, new: Value) -> Result<(), String> {
        let mut at = root;
        for segment in &self.segments {
            let Segment::Key(key) = segment else {
                return Err(format!("{self} holds a star, so there is no one place to write to"));
            };
            if at.is_null() {
                *at = Value::Object(serde_json::Map::new());
            }
            let Value::Object(object) = at else {
                return Err(format!("{self} leads into a value that is no object"));
            };
            at = object.entry(key.as_str()).or_insert(Value::Null);
        }
        *at = new;
        Ok(())
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Gives a text, number or boolean as text; none for null, arrays and objects.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn segment(text: &str) -> Result<Segment, String> {
    if text == "*" {
        return Ok(Segment::Every);
    }
    let mut key = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '~' {
            key.push(c);
            continue;
        }
        key.push(match chars.next() {
            Some('0') => '~',
            Some('1') => '/',
            Some('2') => '*',
            _ => return Err(format!("in the segment '{text}' a ~ must be written ~0")),
        });
    }
    Ok(Segment::Key(key))
}

fn child<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(object) => object.get(key),
        Value::Array(items) => items.get(index(key)?),
        _ => None,
    }
}

/// RFC 6901: no leading zeros.
fn index(key: &str) -> Option<usize> {
    let is_plain = key == "0" || !key.starts_with(['0', '+']);
    if is_plain { key.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::Pointer;
    use serde_json::json;

    #[test]
    fn pointers_lead_to_values() {
        let value =
            json!({"a": [{"b": 1}, {"b": 2}, {}], "x/y": {"~": {"*": true}}, "n": null, "o": {"k": [3], "l": [4]}});
        for (text, expected) in [
            ("/a/0/b", json!([1])),
            ("/a/*/b", json!([1, 2])),
            ("/a/00/b", json!([])),
            ("/a/9", json!([])),
            ("/x~1y/~0/~2", json!([true])),
            ("/n", json!([null])),
            ("/n/deeper", json!([])),
            ("/o/*/*", json!([3, 4])),
        ] {
            let found: Vec<_> = Pointer::parse(text)
                .expect(text)
                .find(&value)
                .into_iter()
                .cloned()
                .collect();
            assert_eq!(json!(found), expected, "{text}");
        }
        assert_eq!(Pointer::default().first(&value), Some(&value));
        assert_eq!(Pointer::parse("/n").expect("a pointer").present(&value), None);
        assert_eq!(
            Pointer::parse("/a/*/b").expect("a pointer").text(&value).as_deref(),
            Some("1")
        );
    }

    #[test]
    fn mistakes_are_named() {
        let error = Pointer::parse("data.items").expect_err("no slash");
        assert_eq!(error, "a JSON pointer begins with a slash: /data/items");
        assert!(Pointer::parse("/a~").is_err());
    }

    #[test]
    fn values_are_set_on_the_way_down() {
        let mut value = json!({"query": {"size": 5}});
        let at = |text: &str| Pointer::parse(text).expect("a pointer");
        at("/query/after").set(&mut value, json!("tok")).expect("an object");
        at("/page/token").set(&mut value, json!(1)).expect("made");
        assert_eq!(
            value,
            json!({"query": {"size": 5, "after": "tok"}, "page": {"token": 1}})
        );
        assert_eq!(at("/page/token").take(&mut value), Some(json!(1)));
        assert_eq!(
            (at("/page/gone").take(&mut value), at("/*").take(&mut value)),
            (None, None)
        );
        assert_eq!(
            value,
            json!({"query": {"size": 5, "after": "tok"}, "page": {"token": null}})
        );
        assert!(at("/query/size/x").set(&mut value, json!(1)).is_err());
        assert!(at("/query/*").set(&mut value, json!(1)).is_err());
    }
}
