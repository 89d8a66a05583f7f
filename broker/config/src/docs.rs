//! Markdown pages from a config definition
//!
//! One section a group, one table row a key. Internal keys are left out. `docs/config/*.md` are made of this.

use std::fmt::Write as _;

use crate::def::{ConfigDef, ConfigKey, DefaultValue};

/// Renders a definition as a page below `title`.
pub fn markdown(title: &str, definition: &ConfigDef) -> String {
    let mut page = format!("# {title}\n");
    let ungrouped: Vec<&ConfigKey> = shown(definition).filter(|key| key.group.is_none()).collect();
    if !ungrouped.is_empty() {
        push_table(&mut page, &ungrouped);
    }
    for group in definition.groups() {
        let mut keys: Vec<&ConfigKey> = shown(definition)
            .filter(|key| key.group.as_deref() == Some(group))
            .collect();
        if keys.is_empty() {
            continue;
        }
        keys.sort_by_key(|key| key.order);
        // Writing to a String cannot fail, here and below.
        let _ = write!(page, "\n## {group}\n");
        push_table(&mut page, &keys);
    }
    page
}

fn shown(definition: &ConfigDef) -> impl Iterator<Item = &ConfigKey> {
    definition.keys().iter().filter(|key| !key.internal)
}

fn push_table(page: &mut String, keys: &[&ConfigKey]) {
    page.push_str("\n| key | type | default | valid values | importance | meaning |\n|---|---|---|---|---|---|\n");
    for key in keys {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            key.name,
            key.config_type.as_str().to_lowercase(),
            default_cell(key),
            cell(
                &key.validators
                    .iter()
                    .map(crate::def::Validator::describe)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            key.importance.as_str().to_lowercase(),
            cell(&key.documentation),
        );
    }
}

fn default_cell(key: &ConfigKey) -> String {
    match &key.default {
        DefaultValue::Required => "required".to_owned(),
        DefaultValue::Null => "null".to_owned(),
        DefaultValue::Value(text) if text.is_empty() => "empty".to_owned(),
        DefaultValue::Value(_) => format!("`{}`", cell(&key.default_text().unwrap_or_default())),
    }
}

/// Keeps a text inside its table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::markdown;
    use crate::def::{ConfigDef, ConfigKey, Importance, Validator};

    #[test]
    fn page_groups_rows_and_hides_internal_ones() {
        let definition = ConfigDef::new()
            .key(
                ConfigKey::text("b")
                    .group("Common", 2)
                    .default("x")
                    .doc("Second\n line | pipe."),
            )
            .key(
                ConfigKey::int("a")
                    .group("Common", 1)
                    .validator(Validator::at_least(1))
                    .importance(Importance::High)
                    .doc("First."),
            )
            .key(ConfigKey::password("free").default("hunter2"))
            .key(ConfigKey::text("secret.switch").default("").internal());
        let head = "| key | type | default | valid values | importance | meaning |\n|---|---|---|---|---|---|\n";
        let expected = format!(
            "# Title\n\n{head}| `free` | password | `[hidden]` |  | medium |  |\n\n## Common\n\n{head}| `a` | int | required | [1,...] | high | First. |\n| `b` | string | `x` |  | medium | Second line \\| pipe. |\n"
        );
        assert_eq!(markdown("Title", &definition), expected);
    }
}
