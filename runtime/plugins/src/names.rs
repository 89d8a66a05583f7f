//! Names that users may type for a class
//!
//! Connect's rules: the full name, the simple name, and the simple name without the kind's suffix; besides these, the
//! aliases that a component declares. A short name that could mean two classes means none. Kafka:
//! `PluginUtils.computeAliases`.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::descriptor::PluginKind;

/// Finds a class by any of its names; gives the position that was stored with it.
#[derive(Debug, Default)]
pub(crate) struct Names {
    full: HashMap<String, usize>,
    short: HashMap<String, Short>,
}

#[derive(Debug, PartialEq, Eq)]
enum Short {
    Of { class: String, position: usize },
    Ambiguous,
}

impl Names {
    /// Adds a class under its full name, its aliases and the short forms of both.
    pub(crate) fn insert(&mut self, kind: PluginKind, class: &str, aliases: &[String], position: usize) {
        self.full.insert(class.to_owned(), position);
        for name in std::iter::once(class).chain(aliases.iter().map(String::as_str)) {
            self.insert_short(name, class, position);
            // `Outer$Value` is known by its full name only: `Value` alone says nothing.
            if name.contains('$') {
                continue;
            }
            let simple = simple_name(name);
            self.insert_short(simple, class, position);
            self.insert_short(pruned(kind, simple), class, position);
        }
    }

    fn insert_short(&mut self, name: &str, class: &str, position: usize) {
        let entry = self.short.entry(name.to_owned()).or_insert(Short::Of {
            class: class.to_owned(),
            position,
        });
        match entry {
            Short::Of { class: known, .. } if known != class => *entry = Short::Ambiguous,
            Short::Of { position: stored, .. } => *stored = position,
            Short::Ambiguous => {}
        }
    }

    /// Finds a class; names are case sensitive.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        if let Some(position) = self.full.get(name) {
            return Some(*position);
        }
        match self.short.get(name)? {
            Short::Of { position, .. } => Some(*position),
            Short::Ambiguous => None,
        }
    }
}

fn simple_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The simple name without the last occurrence of the kind's suffix, wherever that stands.
fn pruned(kind: PluginKind, simple: &str) -> &str {
    let suffix = match kind {
        PluginKind::Sink | PluginKind::Source => "Connector",
        PluginKind::Transformation => "Transformation",
        PluginKind::Predicate => "Predicate",
        PluginKind::Converter => "Converter",
        PluginKind::HeaderConverter => "HeaderConverter",
    };
    match simple.rfind(suffix) {
        Some(at) if at > 0 => simple.get(..at).unwrap_or(simple),
        Some(_) | None => simple,
    }
}

/// Orders versions part by part, numbers as numbers; a longer version of equal parts is the higher one.
pub(crate) fn compare_versions(left: &str, right: &str) -> Ordering {
    let parts = |text: &str| -> Vec<(u64, String)> {
        text.split(['.', '-', '+'])
            .map(|part| (part.parse().unwrap_or(0), part.to_owned()))
            .collect()
    };
    parts(left).cmp(&parts(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE_SOURCE: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";

    fn names() -> Names {
        let mut names = Names::default();
        names.insert(
            PluginKind::Source,
            "weir.FileStreamSource",
            &[FILE_SOURCE.to_owned()],
            0,
        );
        names.insert(PluginKind::Source, "a.Both", &[], 1);
        names.insert(PluginKind::Sink, "b.Both", &[], 2);
        names.insert(PluginKind::Transformation, "x.Hoist$Value", &[], 3);
        names.insert(PluginKind::HeaderConverter, "x.SimpleHeaderConverter", &[], 4);
        names
    }

    #[test]
    fn every_form_of_a_name_finds_its_class() {
        let names = names();
        for name in [
            "weir.FileStreamSource",
            FILE_SOURCE,
            "FileStreamSourceConnector",
            "FileStreamSource",
        ] {
            assert_eq!(names.find(name), Some(0), "{name}");
        }
        assert_eq!(names.find("Simple"), Some(4));
        assert_eq!(names.find("x.Hoist$Value"), Some(3));
    }

    #[test]
    fn what_is_ambiguous_nested_or_in_another_case_finds_nothing() {
        let names = names();
        for name in ["Both", "Value", "Hoist$Value", "filestreamsource", ""] {
            assert_eq!(names.find(name), None, "{name}");
        }
        assert_eq!(names.find("a.Both"), Some(1));
    }

    #[test]
    fn a_second_version_of_a_class_replaces_the_first_under_all_names() {
        let mut names = names();
        names.insert(
            PluginKind::Source,
            "weir.FileStreamSource",
            &[FILE_SOURCE.to_owned()],
            9,
        );
        assert_eq!(names.find("FileStreamSource"), Some(9));
        assert_eq!(names.find("weir.FileStreamSource"), Some(9));
    }

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(compare_versions("0.10.0", "0.9.9"), Ordering::Greater);
        assert_eq!(compare_versions("1.0", "1.0.1"), Ordering::Less);
        assert_eq!(compare_versions("1.0", "1.0"), Ordering::Equal);
    }
}
