//! Version ranges of plugins (KIP-891)
//!
//! Maven's syntax as Connect reads it: `latest` or nothing is the newest, a bare version is exactly that version, and
//! `[1.0,2.0)`, `(,1.5]` or several of them with commas are ranges. Texts are those of `VersionRange`.

use std::cmp::Ordering;
use std::fmt;

/// The versions that a config asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    lower: Option<String>,
    lower_inclusive: bool,
    upper: Option<String>,
    upper_inclusive: bool,
}

/// What is wrong with a text that is no range, in Maven's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRange(String);

impl VersionRange {
    /// Reads a range; none when any version will do.
    ///
    /// # Errors
    /// The text is neither a version nor a range.
    pub fn parse(spec: Option<&str>) -> Result<Option<Self>, InvalidRange> {
        let Some(spec) = spec.filter(|spec| *spec != "latest") else {
            return Ok(None);
        };
        let spec = spec.trim();
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = spec;
        while rest.starts_with(['[', '(']) {
            let Some((text, after)) = rest.find([')', ']']).and_then(|end| rest.split_at_checked(end + 1)) else {
                return Err(InvalidRange(format!("Unbounded range: {spec}")));
            };
            let part = Part::parse(text)?;
            if parts.last().is_some_and(|before| part.overlaps(before)) {
                return Err(InvalidRange(format!("Ranges overlap: {spec}")));
            }
            parts.push(part);
            rest = after.trim();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim();
        }
        if parts.is_empty() {
            parts.push(Part::exactly(spec));
        } else if !rest.is_empty() {
            return Err(InvalidRange(format!(
                "Only fully-qualified sets allowed in multiple set scenario: {spec}"
            )));
        }
        Ok(Some(Self { parts }))
    }

    /// Tells whether a version lies in the range.
    pub fn contains(&self, version: &str) -> bool {
        self.parts.iter().any(|part| part.contains(version))
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, part) in self.parts.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            let open = if part.lower_inclusive { '[' } else { '(' };
            let close = if part.upper_inclusive { ']' } else { ')' };
            let (lower, upper) = (part.lower.as_deref(), part.upper.as_deref());
            write!(f, "{comma}{open}{},{}{close}", lower.unwrap_or(""), upper.unwrap_or(""))?;
        }
        Ok(())
    }
}

impl Part {
    fn exactly(version: &str) -> Self {
        Self {
            lower: Some(version.to_owned()),
            lower_inclusive: true,
            upper: Some(version.to_owned()),
            upper_inclusive: true,
        }
    }

    /// Reads one range with its brackets.
    fn parse(text: &str) -> Result<Self, InvalidRange> {
        let (lower_inclusive, upper_inclusive) = (text.starts_with('['), text.ends_with(']'));
        let inner = text.trim_start_matches(['[', '(']).trim_end_matches([']', ')']).trim();
        let Some((lower, upper)) = inner.split_once(',') else {
            if lower_inclusive && upper_inclusive {
                return Ok(Self::exactly(inner));
            }
            return Err(InvalidRange(format!("Single version must be surrounded by []: {text}")));
        };
        let bound = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let part = Self {
            lower: bound(lower),
            lower_inclusive,
            upper: bound(upper),
            upper_inclusive,
        };
        if let (Some(lower), Some(upper)) = (&part.lower, &part.upper) {
            let is_empty = match compare(upper, lower) {
                Ordering::Less => true,
                Ordering::Equal => !(lower_inclusive && upper_inclusive),
                Ordering::Greater => false,
            };
            if is_empty {
                return Err(InvalidRange(format!("Range defies version ordering: {text}")));
            }
        }
        Ok(part)
    }

    fn overlaps(&self, before: &Self) -> bool {
        match (&before.upper, &self.lower) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(upper), Some(lower)) => compare(lower, upper) == Ordering::Less,
        }
    }

    fn contains(&self, version: &str) -> bool {
        let above = self.lower.as_deref().is_none_or(|lower| match compare(version, lower) {
            Ordering::Greater => true,
            Ordering::Equal => self.lower_inclusive,
            Ordering::Less => false,
        });
        let below = self.upper.as_deref().is_none_or(|upper| match compare(version, upper) {
            Ordering::Less => true,
            Ordering::Equal => self.upper_inclusive,
            Ordering::Greater => false,
        });
        above && below
    }
}

/// Compares as Maven does: number by number, absent numbers are 0, and a qualifier like `rc1` comes before none.
fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (tokens(left), tokens(right));
    let absent = Token::Number(0);
    (0..left.len().max(right.len()))
        .map(|at| left.get(at).unwrap_or(&absent).cmp(right.get(at).unwrap_or(&absent)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Qualifier(String),
    Number(u64),
}

fn tokens(version: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for part in version.split(['.', '-', '+']) {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, text) = part.split_at_checked(digits).unwrap_or((part, ""));
        if !number.is_empty() {
            tokens.push(Token::Number(number.parse().unwrap_or(u64::MAX)));
        }
        if !text.is_empty() {
            tokens.push(Token::Qualifier(text.to_ascii_lowercase()));
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::VersionRange;

    fn range(spec: &str) -> Result<Option<VersionRange>, String> {
        VersionRange::parse(Some(spec)).map_err(|error| error.to_string())
    }

    #[test]
    fn no_version_and_latest_ask_for_nothing() {
        assert_eq!(VersionRange::parse(None), Ok(None));
        assert_eq!(range("latest"), Ok(None));
    }

    #[test]
    fn ranges_hold_what_lies_between_their_bounds() {
        for (spec, shown, inside, outside) in [
            ("4.3.1", "[4.3.1,4.3.1]", "4.3.1", "4.3.2"),
            (" 1.0 ", "[1.0,1.0]", "1.0.0", "1.0.1"),
            ("[98.0,99.0)", "[98.0,99.0)", "98.9", "99.0"),
            ("(,1.5]", "(,1.5]", "1.5", "1.10"),
            ("[1.0]", "[1.0,1.0]", "1", "2"),
            ("[1.0,2.0), [3.0,)", "[1.0,2.0),[3.0,)", "3.1", "2.5"),
            ("[1.0,2.0)", "[1.0,2.0)", "1.0", "1.0-rc1"),
        ] {
            let range = range(spec).ok().flatten();
            assert_eq!(
                range.as_ref().map(ToString::to_string).as_deref(),
                Some(shown),
                "{spec}"
            );
            assert!(
                range.as_ref().is_some_and(|range| range.contains(inside)),
                "{spec} {inside}"
            );
            assert!(range.is_some_and(|range| !range.contains(outside)), "{spec} {outside}");
        }
        assert_eq!(
            range("").map(|range| range.map(|range| range.to_string())),
            Ok(Some("[,]".to_owned()))
        );
    }

    #[test]
    fn what_is_no_range_is_named() {
        for (spec, error) in [
            ("[1.0", "Unbounded range: [1.0"),
            ("(2.0,1.0]", "Range defies version ordering: (2.0,1.0]"),
            ("(1.0]", "Single version must be surrounded by []: (1.0]"),
            ("[1.0,2.0],[1.5,3.0]", "Ranges overlap: [1.0,2.0],[1.5,3.0]"),
            (
                "[1.0],2",
                "Only fully-qualified sets allowed in multiple set scenario: [1.0],2",
            ),
        ] {
            assert_eq!(range(spec), Err(error.to_owned()));
        }
    }
}
