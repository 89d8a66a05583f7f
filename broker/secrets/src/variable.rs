//! Variables in values: `${provider:key}` and `${provider:path:key}`
//!
//! Kafka's pattern: nothing between the braces holds a `}`, the first colon ends the provider's name, a second one the
//! path. Text that is no variable stays as it is. Source: `ConfigTransformer` (KIP-297).

/// A variable as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable<'a> {
    /// Name in `config.providers`.
    pub provider: &'a str,
    /// Empty when there is none.
    pub path: &'a str,
    /// What is looked up.
    pub key: &'a str,
}

/// A piece of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Text that stands for itself.
    Text(&'a str),
    /// A variable, with its text.
    Variable(Variable<'a>, &'a str),
}

/// Cuts a value into its pieces.
pub fn parts(value: &str) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    // Where the text that is not given yet begins, and where to look from.
    let (mut text_end, mut at) = (0, 0);
    while let Some(start) = value.get(at..).and_then(|tail| tail.find("${")).map(|found| found + at) {
        let Some((variable, end)) = variable_at(value, start) else {
            at = start + 2;
            continue;
        };
        let (text, whole) = (value.get(text_end..start), value.get(start..end));
        found.extend(text.filter(|text| !text.is_empty()).map(Part::Text));
        found.extend(whole.map(|whole| Part::Variable(variable, whole)));
        (text_end, at) = (end, end);
    }
    let rest = value.get(text_end..).filter(|rest| !rest.is_empty());
    found.extend(rest.map(Part::Text));
    found
}

/// Tells whether a value holds a variable.
pub fn has_variable(value: &str) -> bool {
    parts(value).iter().any(|part| matches!(part, Part::Variable(..)))
}

fn variable_at(value: &str, start: usize) -> Option<(Variable<'_>, usize)> {
    let inner = value.get(start + 2..)?;
    let inner = inner.get(..inner.find('}')?)?;
    let (provider, after) = inner.split_once(':')?;
    let (path, key) = after.split_once(':').unwrap_or(("", after));
    Some((Variable { provider, path, key }, start + 2 + inner.len() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> String {
        parts(value)
            .iter()
            .map(|part| match part {
                Part::Text(text) => format!("[{text}]"),
                Part::Variable(variable, _) => format!("<{}|{}|{}>", variable.provider, variable.path, variable.key),
            })
            .collect()
    }

    #[test]
    fn variables_are_found_as_kafkas_pattern_finds_them() {
        for (value, expected) in [
            ("plain", "[plain]"),
            ("", ""),
            ("${env:TOKEN}", "<env||TOKEN>"),
            ("${file:/etc/a.properties:user}", "<file|/etc/a.properties|user>"),
            ("a ${env:X} b ${env:Y}", "[a ]<env||X>[ b ]<env||Y>"),
            ("${file:/a:b:c}", "<file|/a|b:c>"),
            ("${no-colon}", "[${no-colon}]"),
            ("${open:never", "[${open:never]"),
            ("$${env:X}", "[$]<env||X>"),
            ("${:}", "<||>"),
            ("${a${env:X}", "<a${env||X>"),
            ("${x} ${env:Y}", "[${x} ]<env||Y>"),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }
}
