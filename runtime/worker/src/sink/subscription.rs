//! What a sink task subscribes to.
//!
//! A list is subscribed once. A pattern is Java's and is matched here over the cluster's topics,
//! again after each metadata age; the consumer only ever sees lists. Source: `topics.regex`.

use std::time::Duration;

use regex::Regex;
use tokio::time::Instant;
use weir_client::admin::Admin;
use weir_client::error::ClientError;

/// Wait before topics are listed again when none matched or the listing failed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Topics by list or by pattern.
#[derive(Debug)]
pub enum Subscription {
    List(Vec<String>),
    Pattern(Box<Pattern>),
}

/// A pattern and what it matched last.
#[derive(Debug)]
pub struct Pattern {
    pattern: Regex,
    admin: Admin,
    every: Duration,
    topics: Vec<String>,
    next_look: Instant,
}

impl Subscription {
    /// Matches topics by pattern, every `every`.
    pub fn pattern(pattern: Regex, admin: Admin, every: Duration) -> Self {
        Self::Pattern(Box::new(Pattern {
            pattern,
            admin,
            every,
            topics: Vec::new(),
            next_look: Instant::now(),
        }))
    }

    /// Returns when the cluster's topics are to be listed again; none for a list.
    pub fn next_look(&self) -> Option<Instant> {
        match self {
            Self::List(_) => None,
            Self::Pattern(pattern) => Some(pattern.next_look),
        }
    }

    /// Returns the topics to subscribe to where they changed, the first time included.
    pub async fn changed(&mut self) -> Option<Vec<String>> {
        match self {
            Self::List(topics) => (!topics.is_empty()).then(|| std::mem::take(topics)),
            Self::Pattern(pattern) => pattern.look().await,
        }
    }
}

impl Pattern {
    async fn look(&mut self) -> Option<Vec<String>> {
        let topics = match self.matching().await {
            Ok(topics) => topics,
            Err(error) => {
                tracing::warn!(%error, "topics were not listed, trying again");
                self.next_look = Instant::now() + LOOK_AGAIN.min(self.every);
                return None;
            }
        };
        let wait = if topics.is_empty() {
            LOOK_AGAIN.min(self.every)
        } else {
            self.every
        };
        self.next_look = Instant::now() + wait;
        if topics == self.topics {
            return None;
        }
        self.topics.clone_from(&topics);
        Some(topics)
    }

    async fn matching(&self) -> Result<Vec<String>, ClientError> {
        let topics = self.admin.list_topics().await?;
        let mut names: Vec<String> = topics
            .into_iter()
            .filter(|topic| !topic.is_internal && self.pattern.is_match(&topic.name))
            .map(|topic| topic.name)
            .collect();
        names.sort();
        Ok(names)
    }
}
