//! Which topics a task used, so that each is told once.
//!
//! Told again after each interval of commits: a topic that was reset meanwhile appears again, as in
//! Connect, without a look into the status store for any record. Cost: a comparison or two a batch. KIP-558.

use std::collections::HashSet;

/// Topics of one task.
#[derive(Debug)]
pub struct UsedTopics {
    is_tracked: bool,
    known: HashSet<String>,
    /// Not told yet.
    news: Vec<String>,
}

impl UsedTopics {
    /// Tracks topics, or does nothing at all.
    pub fn new(is_tracked: bool) -> Self {
        Self {
            is_tracked,
            known: HashSet::new(),
            news: Vec::new(),
        }
    }

    /// Notes that a topic is used.
    pub fn used(&mut self, topic: &str) {
        if self.is_tracked && !self.known.contains(topic) {
            self.known.insert(topic.to_owned());
            self.news.push(topic.to_owned());
        }
    }

    /// Takes the topics to be told.
    pub fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Forgets what was told: topics used from now on are told again.
    pub fn start_over(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::UsedTopics;

    #[test]
    fn a_topic_is_told_once_until_it_starts_over() {
        let mut topics = UsedTopics::new(true);
        for topic in ["a", "b", "a"] {
            topics.used(topic);
        }
        assert_eq!(topics.news(), ["a", "b"]);
        topics.used("a");
        assert!(topics.news().is_empty());
        topics.start_over();
        assert!(topics.news().is_empty());
        topics.used("a");
        assert_eq!(topics.news(), ["a"]);
        let mut untracked = UsedTopics::new(false);
        untracked.used("a");
        assert!(untracked.news().is_empty());
    }
}
