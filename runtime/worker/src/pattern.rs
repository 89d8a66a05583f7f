//! Regular expressions of topic names, matched over the whole name.
//!
//! Java's syntax is read by the `regex` crate: look-around and back references are refused with
//! the reason. Source: `java.util.regex.Pattern` as used by `topics.regex` and topic groups.

use regex::Regex;

/// Compiles a pattern that must match a whole name.
///
/// # Errors
/// The compiler's text, on one line.
pub fn whole(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
        let text = error.to_string();
        text.lines()
            .last()
            .unwrap_or("invalid pattern")
            .trim_start_matches("error: ")
            .to_owned()
    })
}

/// Joins several patterns into one that matches where any of them does.
///
/// # Errors
/// As [`whole`]; none for an empty list, which matches nothing.
pub fn any_of(patterns: &[String]) -> Result<Option<Regex>, String> {
    if patterns.is_empty() {
        return Ok(None);
    }
    whole(&patterns.join("|")).map(Some)
}

#[cfg(test)]
mod tests {
    use super::{any_of, whole};

    #[test]
    fn pattern_covers_the_whole_name() {
        let pattern = whole("a|b.*").unwrap();
        assert!(pattern.is_match("a"));
        assert!(pattern.is_match("bcd"));
        assert!(!pattern.is_match("xa"));
        assert!(!pattern.is_match("ab"));
    }

    #[test]
    fn what_cannot_be_compiled_is_told_on_one_line() {
        let error = whole("(").unwrap_err();
        assert!(!error.contains('\n'), "{error}");
        assert!(whole("(?=x)").is_err());
    }

    #[test]
    fn no_pattern_matches_nothing() {
        assert!(any_of(&[]).unwrap().is_none());
        let both = any_of(&["x".to_owned(), "y.".to_owned()]).unwrap().unwrap();
        assert!(both.is_match("yz") && !both.is_match("xyz"));
    }
}
