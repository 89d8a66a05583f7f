//! Field paths: `a` or, in syntax V2, `a.b` with backticks around names that hold dots
//!
//! Kafka: `SingleFieldPath`, KIP-821.

use crate::error::TransformError;

/// Splits a path of syntax V2.
///
/// # Errors
/// A backtick is not closed.
pub(crate) fn split(path: &str) -> Result<Vec<String>, TransformError> {
    let bytes = path.as_bytes();
    let mut steps = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes.get(at) == Some(&b'`') {
            at = quoted(path, at, &mut steps)?;
            continue;
        }
        let rest = path.get(at..).unwrap_or_default();
        match rest.find('.') {
            Some(dot) => {
                steps.push(rest.get(..dot).unwrap_or_default().to_owned());
                at += dot + 1;
            }
            None => {
                steps.push(rest.to_owned());
                break;
            }
        }
    }
    if path.ends_with('.') {
        steps.push(String::new());
    }
    Ok(steps)
}

/// Reads a name in backticks; gives where the next step begins.
fn quoted(path: &str, open: usize, steps: &mut Vec<String>) -> Result<usize, TransformError> {
    let bytes = path.as_bytes();
    let incomplete = || {
        TransformError::text(format!(
            "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at position {open} \
             to escape it"
        ))
    };
    let part = |from: usize, to: usize| path.get(from..to).unwrap_or_default();
    let mut name = String::new();
    let (mut start, mut at) = (open + 1, open + 1);
    loop {
        at += path.get(at..).and_then(|rest| rest.find('`')).ok_or_else(incomplete)?;
        let is_escaped = at > 0 && bytes.get(at - 1) == Some(&b'\\');
        if at + 1 >= bytes.len() {
            if is_escaped {
                return Err(incomplete());
            }
            name.push_str(part(start, at));
            steps.push(name);
            return Ok(at + 1);
        }
        if bytes.get(at + 1) != Some(&b'.') {
            at += 1;
        } else if is_escaped {
            name.push_str(part(start, at - 1));
            name.push('`');
            at += 1;
            start = at;
        } else {
            name.push_str(part(start, at));
            steps.push(name);
            return Ok(at + 2);
        }
    }
}
