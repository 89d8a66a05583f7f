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
mod tests;
