//! From one page to the next
//!
//! A page is named by a text: its number, the offset of its first record, a token or a URL. That text goes into the
//! request and, where the service allows it, into the source offset, so that a restart goes on there.

use serde_json::Value;
use weir_feed::answer::Answer;
use weir_feed::pointer::{Pointer, scalar_text};
use weir_feed::url::Url;

/// How a service divides its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paging {
    /// Not at all.
    None,
    /// By number.
    Page {
        /// Query parameter of the number.
        param: String,
        /// Number of the first page.
        start: u64,
        /// Rows of a page.
        size: Size,
    },
    /// By the rows left out.
    Offset {
        /// Query parameter of the offset.
        param: String,
        /// Rows of a page.
        size: Size,
        /// Where the number of all rows stands.
        total: Option<Pointer>,
    },
    /// By a token of the answer before.
    Cursor {
        /// Where the token stands.
        from: TokenPlace,
        /// Where it goes.
        to: TokenTarget,
    },
    /// By a link of the answer before.
    NextLink {
        /// Where the link stands; none = the `Link` header.
        pointer: Option<Pointer>,
    },
}

/// How large pages are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Size {
    /// Query parameter of the size.
    pub param: Option<String>,
    /// Rows; 0 = what the service likes.
    pub rows: u64,
}

/// Where a token stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// In the body.
    Body(Pointer),
    /// In a header.
    Header(String),
}

/// Where a token goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenTarget {
    /// Into a query parameter.
    Param(String),
    /// Into the JSON body.
    Body(Pointer),
    /// Into the placeholder `${page.token}` only.
    Placeholder,
}

/// What was on a page.
#[derive(Debug, Clone, Copy)]
pub struct PageView<'a> {
    /// The answer.
    pub answer: &'a Answer,
    /// Its body, if it is JSON.
    pub body: Option<&'a Value>,
    /// Rows on it, before the filter.
    pub rows: usize,
}

impl Paging {
    /// Gives the name of the first page; none = no page is named.
    pub fn first(&self) -> Option<String> {
        match self {
            Self::Page { start, .. } => Some(start.to_string()),
            Self::Offset { .. } => Some("0".to_owned()),
            Self::None | Self::Cursor { .. } | Self::NextLink { .. } => None,
        }
    }

    /// Gives the name of the page after this one; none = there is none.
    ///
    /// # Errors
    /// What is wrong with the page, for a message.
    pub fn next(&self, page: Option<&str>, view: PageView<'_>) -> Result<Option<String>, String> {
        let rows = u64::try_from(view.rows).unwrap_or(u64::MAX);
        match self {
            Self::None => Ok(None),
            Self::Page { size, start, .. } => {
                let number = page.and_then(|page| page.parse().ok()).unwrap_or(*start);
                Ok((!size.is_last(rows)).then(|| number.saturating_add(1).to_string()))
            }
            Self::Offset { size, total, .. } => {
                let offset: u64 = page.and_then(|page| page.parse().ok()).unwrap_or(0);
                let next = offset.saturating_add(rows);
                let total = total.as_ref().and_then(|total| total.first(view.body?)?.as_u64());
                let is_last = match total {
                    // The total is right even where pages are shorter than asked for.
                    Some(total) => next >= total || rows == 0,
                    None => size.is_last(rows),
                };
                Ok((!is_last).then(|| next.to_string()))
            }
            Self::Cursor { from, .. } => from.token(view),
            Self::NextLink { pointer } => next_link(pointer.as_ref(), view),
        }
    }

    /// Tells whether the page holds as much as it can, so that more may wait behind it.
    pub fn is_full(&self, rows: usize) -> bool {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        match self {
            Self::Page { size, .. } | Self::Offset { size, .. } => size.rows > 0 && rows >= size.rows,
            Self::None | Self::Cursor { .. } | Self::NextLink { .. } => false,
        }
    }

    /// Adds the parameters of a page to a URL; a next link replaces it.
    ///
    /// # Errors
    /// The link is no URL.
    pub fn place(&self, page: Option<&str>, url: &mut Url) -> Result<(), String> {
        match (self, page) {
            (Self::Page { param, size, .. } | Self::Offset { param, size, .. }, Some(page)) => {
                url.set_param(param, page);
                if let Some(param) = size.param.as_ref().filter(|_| size.rows > 0) {
                    url.set_param(param, &size.rows.to_string());
                }
            }
            (
                Self::Cursor {
                    to: TokenTarget::Param(param),
                    ..
                },
                Some(token),
            ) => url.set_param(param, token),
            (Self::NextLink { .. }, Some(link)) => *url = url.join(link)?,
            _ => {}
        }
        Ok(())
    }

    /// Adds a token to a JSON body.
    ///
    /// # Errors
    /// The body has no place for it.
    pub fn place_in_body(&self, page: Option<&str>, body: &mut Value) -> Result<(), String> {
        match (self, page) {
            (
                Self::Cursor {
                    to: TokenTarget::Body(pointer),
                    ..
                },
                Some(token),
            ) => pointer.set(body, Value::String(token.to_owned())),
            _ => Ok(()),
        }
    }

    /// Tells whether pages are named by what the service said, so that one met twice is a loop.
    pub fn is_chained(&self) -> bool {
        matches!(self, Self::Cursor { .. } | Self::NextLink { .. })
    }
}

impl Size {
    fn is_last(&self, rows: u64) -> bool {
        rows == 0 || rows < self.rows
    }
}

impl TokenPlace {
    /// Reads `header:NAME` or a pointer.
    ///
    /// # Errors
    /// What is wrong with it, for a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("header:") {
            Some(name) if !name.trim().is_empty() => Ok(Self::Header(name.trim().to_owned())),
            Some(_) => Err("header: is followed by the name of the header".to_owned()),
            None => Pointer::parse(text).map(Self::Body),
        }
    }

    fn token(&self, view: PageView<'_>) -> Result<Option<String>, String> {
        let token = match self {
            Self::Header(name) => view.answer.header(name).map(str::to_owned),
            Self::Body(pointer) => match view.body.and_then(|body| pointer.present(body)) {
                None => None,
                Some(found) => {
                    let text = scalar_text(found);
                    Some(text.ok_or_else(|| format!("the token at {pointer} is neither a text nor a number"))?)
                }
            },
        };
        Ok(token.filter(|token| !token.is_empty()))
    }
}

fn next_link(pointer: Option<&Pointer>, view: PageView<'_>) -> Result<Option<String>, String> {
    let link = match pointer {
        Some(pointer) => match view.body.and_then(|body| pointer.present(body)) {
            None => None,
            Some(Value::String(link)) => Some(link.clone()),
            Some(_) => return Err(format!("the link at {pointer} is not a text")),
        },
        None => view
            .answer
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("link"))
            .find_map(|(_, value)| link_of_header(value)),
    };
    let Some(link) = link.filter(|link| !link.trim().is_empty()) else {
        return Ok(None);
    };
    // Whole, so that the next request does not depend on this one.
    let base = Url::parse(&view.answer.url)?;
    base.join(&link).map(|url| Some(url.to_string()))
}

/// Gives the target of `rel="next"` of a `Link` header (RFC 8288).
fn link_of_header(value: &str) -> Option<String> {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        // Parameters end with the comma before the next target.
        let (params, next) = match after.find(", <").or_else(|| after.find(",<")) {
            Some(at) => after.split_at_checked(at)?,
            None => (after, ""),
        };
        let is_next = params.split(';').any(|param| {
            let (name, value) = param.split_once('=').unwrap_or((param, ""));
            let mut kinds = value.trim().trim_matches('"').split_whitespace();
            name.trim().eq_ignore_ascii_case("rel") && kinds.any(|kind| kind.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target.trim().to_owned());
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{PageView, Paging, Size, TokenPlace, TokenTarget, link_of_header};
    use serde_json::{Value, json};
    use weir_feed::answer::Answer;
    use weir_feed::pointer::Pointer;
    use weir_feed::url::Url;

    fn next(paging: &Paging, page: Option<&str>, body: &Value, rows: usize) -> Result<Option<String>, String> {
        let answer = Answer {
            headers: vec![
                ("X-Next".to_owned(), "h-tok".to_owned()),
                (
                    "Link".to_owned(),
                    "<?page=1>; rel=prev, </b?page=3>; rel=\"next last\"".to_owned(),
                ),
            ],
            url: "https://h/a?page=2".to_owned(),
            ..Answer::default()
        };
        let view = PageView {
            answer: &answer,
            body: Some(body),
            rows,
        };
        paging.next(page, view)
    }

    fn pointer(text: &str) -> Pointer {
        Pointer::parse(text).expect("a pointer")
    }

    fn size(rows: u64) -> Size {
        Size {
            param: Some("size".to_owned()),
            rows,
        }
    }

    #[test]
    fn numbered_pages_end_with_a_short_one() {
        let paging = Paging::Page {
            param: "page".to_owned(),
            start: 1,
            size: size(2),
        };
        assert_eq!(paging.first().as_deref(), Some("1"));
        assert_eq!(next(&paging, Some("1"), &Value::Null, 2), Ok(Some("2".to_owned())));
        assert_eq!(next(&paging, Some("2"), &Value::Null, 1), Ok(None));
        let unsized_pages = Paging::Page {
            param: "page".to_owned(),
            start: 0,
            size: Size::default(),
        };
        assert_eq!(
            next(&unsized_pages, Some("0"), &Value::Null, 1),
            Ok(Some("1".to_owned()))
        );
        assert_eq!(next(&unsized_pages, Some("1"), &Value::Null, 0), Ok(None));
    }

    #[test]
    fn offsets_end_at_the_total() {
        let with_total = |total| Paging::Offset {
            param: "offset".to_owned(),
            size: size(2),
            total,
        };
        let body = json!({"total": 5});
        let paging = with_total(Some(pointer("/total")));
        assert_eq!(next(&paging, Some("0"), &body, 1), Ok(Some("1".to_owned())));
        assert_eq!(next(&paging, Some("3"), &body, 2), Ok(None));
        assert_eq!(next(&paging, Some("0"), &body, 0), Ok(None));
        assert_eq!(next(&with_total(None), Some("2"), &body, 2), Ok(Some("4".to_owned())));
        assert_eq!(next(&with_total(None), Some("4"), &body, 1), Ok(None));
    }

    #[test]
    fn tokens_end_when_they_are_absent_null_or_empty() {
        let paging = Paging::Cursor {
            from: TokenPlace::parse("/paging/cursors/after").expect("a place"),
            to: TokenTarget::Param("after".to_owned()),
        };
        assert_eq!(
            next(&paging, None, &json!({"paging": {"cursors": {"after": "abc"}}}), 1),
            Ok(Some("abc".to_owned()))
        );
        assert_eq!(
            next(&paging, None, &json!({"paging": {"cursors": {"after": 7}}}), 1),
            Ok(Some("7".to_owned()))
        );
        for end in [
            json!({}),
            json!({"paging": {"cursors": {"after": null}}}),
            json!({"paging": {"cursors": {"after": ""}}}),
        ] {
            assert_eq!(next(&paging, Some("abc"), &end, 1), Ok(None));
        }
        assert!(next(&paging, None, &json!({"paging": {"cursors": {"after": [1]}}}), 1).is_err());
        let from_header = Paging::Cursor {
            from: TokenPlace::parse("header:x-next").expect("a place"),
            to: TokenTarget::Placeholder,
        };
        assert_eq!(next(&from_header, None, &Value::Null, 1), Ok(Some("h-tok".to_owned())));
    }

    #[test]
    fn links_are_made_whole() {
        let by_header = Paging::NextLink { pointer: None };
        assert_eq!(
            next(&by_header, None, &Value::Null, 1),
            Ok(Some("https://h/b?page=3".to_owned()))
        );
        let by_pointer = Paging::NextLink {
            pointer: Some(pointer("/next")),
        };
        assert_eq!(
            next(&by_pointer, None, &json!({"next": "?page=3"}), 1),
            Ok(Some("https://h/a?page=3".to_owned()))
        );
        assert_eq!(next(&by_pointer, None, &json!({"next": null}), 1), Ok(None));
        assert!(next(&by_pointer, None, &json!({"next": 5}), 1).is_err());
        assert_eq!(link_of_header("<http://x/a,b>; rel=\"first\""), None);
        assert_eq!(
            link_of_header("<http://x/a,b>;title=\"t\";rel=next").as_deref(),
            Some("http://x/a,b")
        );
        assert_eq!(link_of_header("<broken"), None);
    }

    #[test]
    fn requests_name_the_page() {
        let mut url = Url::parse("https://h/a?page=9&x=1").expect("a URL");
        let paging = Paging::Page {
            param: "page".to_owned(),
            start: 1,
            size: size(50),
        };
        paging.place(Some("2"), &mut url).expect("placed");
        assert_eq!(url.to_string(), "https://h/a?x=1&page=2&size=50");
        let mut body = json!({"q": 1});
        let paging = Paging::Cursor {
            from: TokenPlace::Header("x".to_owned()),
            to: TokenTarget::Body(pointer("/page/after")),
        };
        paging.place_in_body(Some("tok"), &mut body).expect("placed");
        assert_eq!(body, json!({"q": 1, "page": {"after": "tok"}}));
    }
}
