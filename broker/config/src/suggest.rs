//! The nearest known key to one that nobody knows
//!
//! For warnings: "unknown property fiel, did you mean file?". Distance counts insertions, deletions, substitutions and
//! swaps of neighbours.

/// Longest key looked at; longer ones are no typing mistakes.
const MAX_KEY_CHARS: usize = 200;

/// Gives the known key that is nearest to `key`, if one is near enough to be a slip of the hand.
pub fn nearest<'a, I>(key: &str, known: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    let given: Vec<char> = key.chars().flat_map(char::to_lowercase).collect();
    if given.len() > MAX_KEY_CHARS {
        return None;
    }
    let limit = (given.len() / 4).clamp(1, 4);
    known
        .into_iter()
        .filter(|candidate| *candidate != key)
        .map(|candidate| {
            (
                distance(
                    &given,
                    &candidate.chars().flat_map(char::to_lowercase).collect::<Vec<_>>(),
                    limit,
                ),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Gives the edit distance, or something above `limit` as soon as it is known to be.
fn distance(a: &[char], b: &[char], limit: usize) -> usize {
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(from != to)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == *to {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = [
            "file",
            "topic",
            "tasks.max",
            "connector.class",
            "offset.flush.interval.ms",
        ];
        for (given, expected) in [
            ("fiel", Some("file")),
            ("topics", Some("topic")),
            ("task.max", Some("tasks.max")),
            ("Connector.Class", Some("connector.class")),
            ("offset.flush.interval", Some("offset.flush.interval.ms")),
            ("bootstrap.servers", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known), expected, "{given}");
        }
    }
}
