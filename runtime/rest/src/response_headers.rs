//! `response.http.headers.config`: rules for headers of every answer, as Jetty's `HeaderFilter` reads them.
//!
//! A rule is `ACTION NAME:VALUE`; rules are separated by commas, and one in quotes may hold commas. `set` replaces, `add` appends; the
//! date forms take milliseconds from now.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(HeaderValue),
    /// Milliseconds from now.
    Date(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    name: HeaderName,
    value: Value,
    is_added: bool,
}

/// All rules, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderRules {
    rules: Vec<Rule>,
}

impl HeaderRules {
    /// Reads the setting.
    ///
    /// *Errors*: what is wrong with which rule, by text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rules = split_quoted(text)
            .iter()
            .map(|rule| parse_rule(rule))
            .collect::<Result<_, _>>()?;
        Ok(HeaderRules { rules })
    }

    /// Is true when nothing is added.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn apply(&self, headers: &mut HeaderMap, now: SystemTime) {
        for rule in &self.rules {
            let value = match &rule.value {
                Value::Text(text) => text.clone(),
                Value::Date(millis) => match HeaderValue::from_str(&http_date(now, *millis)) {
                    Ok(date) => date,
                    Err(_) => continue,
                },
            };
            if rule.is_added {
                headers.append(rule.name.clone(), value);
            } else {
                headers.insert(rule.name.clone(), value);
            }
        }
    }
}

fn parse_rule(rule: &str) -> Result<Rule, String> {
    let wrong = |why: &str| format!("{rule:?}: {why}; a rule reads `set NAME:VALUE`");
    let (action, header) = rule.trim().split_once(' ').ok_or_else(|| wrong("no action"))?;
    let (name, value) = header.split_once(':').ok_or_else(|| wrong("no colon"))?;
    let name: HeaderName = name.trim().parse().map_err(|_| wrong("no header name"))?;
    let text = || HeaderValue::from_str(value.trim()).map_err(|_| wrong("no header value"));
    let date = || value.trim().parse().map_err(|_| wrong("no number of milliseconds"));
    let (value, is_added) = match action {
        "set" => (Value::Text(text()?), false),
        "add" => (Value::Text(text()?), true),
        "setDate" => (Value::Date(date()?), false),
        "addDate" => (Value::Date(date()?), true),
        _ => return Err(wrong("the action must be set, add, setDate or addDate")),
    };
    Ok(Rule { name, value, is_added })
}

/// Splits at commas outside quotes; quotes are dropped.
fn split_quoted(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut is_quoted) = (Vec::new(), String::new(), false);
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => parts.push(std::mem::take(&mut part)),
            other => part.push(other),
        }
    }
    parts.push(part);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// A date as HTTP writes it (`Sun, 06 Nov 1994 08:49:37 GMT`).
fn http_date(now: SystemTime, millis: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis();
    let seconds = i64::try_from(since).unwrap_or(i64::MAX).saturating_add(millis).max(0) / 1000;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = weir_herder::stage::civil_from_days(days);
    let weekday = usize::try_from(days % 7)
        .ok()
        .and_then(|day| DAYS.get(day))
        .unwrap_or(&"");
    let month = usize::try_from(month - 1)
        .ok()
        .and_then(|month| MONTHS.get(month))
        .unwrap_or(&"");
    format!(
        "{weekday}, {day:02} {month} {year} {:02}:{:02}:{:02} GMT",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// Applies the rules to whatever is answered.
pub(crate) async fn with_headers(State(rules): State<Arc<HeaderRules>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    rules.apply(response.headers_mut(), SystemTime::now());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_set_add_and_date() {
        let rules = HeaderRules::parse(
            r#"set X-Frame-Options:DENY, "add Cache-Control:no-cache, no-store", add Vary: a, setDate Expires:1000"#,
        )
        .expect("valid");
        let mut headers = HeaderMap::new();
        headers.insert("x-frame-options", HeaderValue::from_static("SAMEORIGIN"));
        headers.insert("vary", HeaderValue::from_static("Origin"));
        rules.apply(&mut headers, UNIX_EPOCH + Duration::from_millis(784_111_776_000));
        let all = |name: &str| -> Vec<String> {
            let values = headers.get_all(name).iter();
            values.map(|value| value.to_str().unwrap_or("").to_owned()).collect()
        };
        assert_eq!(all("x-frame-options"), ["DENY"]);
        assert_eq!(all("cache-control"), ["no-cache, no-store"]);
        assert_eq!(all("vary"), ["Origin", "a"]);
        assert_eq!(all("expires"), ["Sun, 06 Nov 1994 08:49:37 GMT"]);
    }

    #[test]
    fn broken_rules_are_named() {
        for rule in [
            "DENY",
            "put X:1",
            "set X",
            "set :1",
            "setDate Expires:soon",
            "set X Y:1",
        ] {
            assert!(HeaderRules::parse(rule).is_err(), "{rule}");
        }
        assert!(HeaderRules::parse(" ").expect("valid").is_empty());
    }
}
