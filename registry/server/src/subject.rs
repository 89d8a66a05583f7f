//! Subjects and the contexts they live in
//!
//! `:.name:subject` is a subject of the context `.name`; a bare one is of the default context `.`, which has no prefix. `:.name:` alone
//! is the context itself, which config and mode are set on. Source: `QualifiedSubject`.

/// Name of the default context.
pub(crate) const DEFAULT_CONTEXT: &str = ".";
/// All contexts, in prefixes.
pub(crate) const WILDCARD: &str = ":*:";
/// Config and mode of all contexts.
pub(crate) const GLOBAL_CONTEXT: &str = ":.__GLOBAL:";
const GLOBAL_NAMES: [&str; 2] = ["__GLOBAL", "__EMPTY"];

/// A subject taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Qualified<'a> {
    /// Begins with a dot.
    pub(crate) context: &'a str,
    /// Empty for the context itself.
    pub(crate) name: &'a str,
}

impl<'a> Qualified<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        let plain = Self {
            context: DEFAULT_CONTEXT,
            name: text,
        };
        let Some(rest) = text.strip_prefix(':').filter(|rest| rest.starts_with('.')) else {
            return plain;
        };
        match rest.split_once(':') {
            Some((context, name)) => Self { context, name },
            None => Self {
                context: rest,
                name: "",
            },
        }
    }

    pub(crate) fn is_default(self) -> bool {
        self.context == DEFAULT_CONTEXT
    }

    /// Is true for `:.name:`, the context without a subject.
    pub(crate) fn is_context(self) -> bool {
        self.name.is_empty() && !self.is_default()
    }

    /// The form that is stored and shown.
    pub(crate) fn text(self) -> String {
        qualify(self.context, self.name)
    }
}

/// Puts a subject into a context.
pub(crate) fn qualify(context: &str, name: &str) -> String {
    if context == DEFAULT_CONTEXT {
        name.to_owned()
    } else {
        format!(":{context}:{name}")
    }
}

/// The stored form: `:.:s` is `s`.
pub(crate) fn normalize(subject: &str) -> String {
    if subject.starts_with(WILDCARD) {
        return subject.to_owned();
    }
    Qualified::parse(subject).text()
}

/// The context of a subject.
pub(crate) fn context_of(subject: &str) -> &str {
    Qualified::parse(subject).context
}

/// `:.name:`, or the empty text for the default context, as messages and config keys want it.
pub(crate) fn context_prefix(subject: &str) -> String {
    qualify(context_of(subject), "")
}

/// A subject named by another one, such as a reference or an alias: of the other's context unless it names its own.
pub(crate) fn qualify_with_parent(parent: &str, subject: &str) -> String {
    if subject.starts_with(":.") {
        return normalize(subject);
    }
    qualify(context_of(parent), subject)
}

/// What a subject is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Schemas { rejects_empty: bool },
    ConfigAndMode,
}

/// Is true where a subject may be written to.
pub(crate) fn is_valid(subject: &str, purpose: Purpose) -> bool {
    if subject.chars().any(char::is_control) {
        return false;
    }
    let parts = Qualified::parse(subject);
    if GLOBAL_NAMES.contains(&parts.name) {
        return false;
    }
    match purpose {
        Purpose::ConfigAndMode => true,
        Purpose::Schemas { rejects_empty } => parts.context != ".__GLOBAL" && !(rejects_empty && parts.name.is_empty()),
    }
}

/// Subjects that config, mode or a prefix speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    All,
    Context(String),
    Subject(String),
}

impl Scope {
    /// `None` is global.
    pub(crate) fn of(subject: Option<&str>) -> Self {
        match subject {
            None => Self::All,
            Some(GLOBAL_CONTEXT) => Self::All,
            Some(subject) => {
                let parts = Qualified::parse(subject);
                if parts.is_context() {
                    Self::Context(parts.context.to_owned())
                } else {
                    Self::Subject(subject.to_owned())
                }
            }
        }
    }

    pub(crate) fn holds(&self, subject: &str) -> bool {
        match self {
            Self::All => true,
            Self::Context(context) => context_of(subject) == context,
            Self::Subject(wanted) => wanted == subject,
        }
    }
}

/// Subjects that begin with a prefix; `:*:` before it means in every context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefix<'a> {
    /// `None` is every context.
    context: Option<&'a str>,
    name: &'a str,
}

impl<'a> Prefix<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        if let Some(name) = text.strip_prefix(WILDCARD) {
            return Self { context: None, name };
        }
        let parts = Qualified::parse(text);
        Self {
            context: Some(parts.context),
            name: parts.name,
        }
    }

    pub(crate) fn holds(self, subject: &str) -> bool {
        let parts = Qualified::parse(subject);
        self.context.is_none_or(|context| context == parts.context) && parts.name.starts_with(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_taken_apart() {
        for (text, context, name) in [
            ("s", ".", "s"),
            ("", ".", ""),
            (":.:s", ".", "s"),
            (":.ctx:s", ".ctx", "s"),
            (":.ctx:a:b", ".ctx", "a:b"),
            (":.ctx:", ".ctx", ""),
            (":.ctx", ".ctx", ""),
            (":x:y", ".", ":x:y"),
            (":", ".", ":"),
        ] {
            assert_eq!(Qualified::parse(text), Qualified { context, name }, "{text}");
        }
        assert_eq!(normalize(":.:s"), "s");
        assert_eq!(normalize(":.ctx:s"), ":.ctx:s");
        assert_eq!(normalize(":.ctx"), ":.ctx:");
        assert_eq!(normalize(":*:s"), ":*:s");
        assert_eq!(
            (context_prefix("s"), context_prefix(":.c:s")),
            (String::new(), ":.c:".to_owned())
        );
    }

    #[test]
    fn a_name_takes_its_parents_context_unless_it_has_one() {
        assert_eq!(qualify_with_parent("a", "b"), "b");
        assert_eq!(qualify_with_parent(":.c:a", "b"), ":.c:b");
        assert_eq!(qualify_with_parent(":.c:a", ":.d:b"), ":.d:b");
        assert_eq!(qualify_with_parent(":.c:a", ":.:b"), "b");
    }

    #[test]
    fn reserved_names_and_control_characters_are_no_subjects() {
        let schemas = Purpose::Schemas { rejects_empty: false };
        for (subject, for_schemas, for_config) in [
            ("s", true, true),
            ("", true, true),
            ("*", true, true),
            ("a/b", true, true),
            ("a\u{1}", false, false),
            ("__GLOBAL", false, false),
            ("__EMPTY", false, false),
            (":.c:__GLOBAL", false, false),
            (":.__GLOBAL:", false, true),
            (":.__GLOBAL:s", false, true),
        ] {
            assert_eq!(is_valid(subject, schemas), for_schemas, "{subject:?}");
            assert_eq!(is_valid(subject, Purpose::ConfigAndMode), for_config, "{subject:?}");
        }
        assert!(!is_valid("", Purpose::Schemas { rejects_empty: true }));
        assert!(!is_valid(":.c:", Purpose::Schemas { rejects_empty: true }));
    }

    #[test]
    fn prefixes_speak_of_one_context_or_of_all() {
        for (prefix, subject, expected) in [
            ("", "s", true),
            ("", ":.c:s", false),
            ("s", "s1", true),
            ("s", "t", false),
            (":.c:", ":.c:s", true),
            (":.c:", "s", false),
            (":.c:s", ":.c:t", false),
            (":*:", ":.c:s", true),
            (":*:", "s", true),
            (":*:s", ":.c:s2", true),
            (":*:s", ":.c:t", false),
        ] {
            assert_eq!(Prefix::parse(prefix).holds(subject), expected, "{prefix} {subject}");
        }
    }

    #[test]
    fn scopes_hold_their_subjects() {
        assert!(Scope::of(None).holds(":.c:s"));
        assert!(Scope::of(Some(":.c:")).holds(":.c:s") && !Scope::of(Some(":.c:")).holds("s"));
        assert!(Scope::of(Some("s")).holds("s") && !Scope::of(Some("s")).holds("s2"));
        assert!(Scope::of(Some(GLOBAL_CONTEXT)).holds("s"));
    }
}
