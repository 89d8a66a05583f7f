//! The headers of every feed's records
//!
//! Where a record came from and when. All are texts; none holds a query, which may hold a key.

use weir_sdk::api::record::{Header, TypedValue};

use crate::time::rfc3339;

/// Where a page came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedHeaders<'a> {
    /// The feed: `twitter`, `aemet`, `places`, `http`.
    pub feed: &'a str,
    /// Path of the request.
    pub endpoint: &'a str,
    /// When the page was fetched.
    pub fetched_at_ms: i64,
    /// Page of the cycle, from 0.
    pub page: u32,
    /// What the service calls the request.
    pub request_id: Option<&'a str>,
}

impl FeedHeaders<'_> {
    /// Gives the headers.
    pub fn build(&self) -> Vec<Header> {
        let mut headers = vec![
            header("feed.name", self.feed),
            header("feed.endpoint", self.endpoint),
            header("feed.fetched.at", &rfc3339(self.fetched_at_ms)),
            header("feed.page", &self.page.to_string()),
        ];
        headers.extend(self.request_id.map(|id| header("feed.request.id", id)));
        headers
    }
}

/// Makes a header of a text.
pub fn header(name: &str, value: &str) -> Header {
    Header {
        name: name.to_owned(),
        value: TypedValue::text(value),
    }
}

#[cfg(test)]
mod tests {
    use super::FeedHeaders;
    use weir_sdk::api::data::value::Value;

    #[test]
    fn headers_say_where_and_when() {
        let headers = FeedHeaders {
            feed: "http",
            endpoint: "/items",
            fetched_at_ms: 1_500,
            page: 2,
            request_id: Some("r-1"),
        };
        let shown: Vec<String> = headers
            .build()
            .into_iter()
            .map(|header| match header.value.value {
                Value::Text(text) => format!("{}={text}", header.name),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "feed.name=http",
                "feed.endpoint=/items",
                "feed.fetched.at=1970-01-01T00:00:01.500Z",
                "feed.page=2",
                "feed.request.id=r-1"
            ]
        );
    }
}
