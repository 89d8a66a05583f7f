//! Items that cannot be made records
//!
//! `on.bad.record` says what follows: the task fails, the item is skipped and counted, or it goes to a topic as it came,
//! with the reason in a header.

use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::{SourceRecord, TypedValue};
use weir_sdk::runtime::{self, Sample};
use weir_sdk::warn;

use crate::answer::excerpt;
use crate::headers::header;
use crate::settings::Common;
use crate::window::Window;

/// How many skipped ids are remembered, so that each is logged once.
const LOGGED_IDS: usize = 1_000;

/// What happens to a bad item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBadRecord {
    /// The task fails.
    Fail,
    /// It is left out.
    Skip,
    /// It goes to another topic.
    Dlq,
}

impl OnBadRecord {
    /// The names, as settings have them.
    pub const NAMES: [&str; 3] = ["fail", "skip", "dlq"];

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "fail" => Some(Self::Fail),
            "skip" => Some(Self::Skip),
            "dlq" => Some(Self::Dlq),
            _ => None,
        }
    }
}

/// Deals with bad items.
#[derive(Debug)]
pub struct BadRecords {
    action: OnBadRecord,
    topic: String,
    logged: Window,
    count: u64,
}

impl BadRecords {
    /// Starts with the settings.
    pub fn new(common: &Common) -> Self {
        Self {
            action: common.on_bad_record,
            topic: common.on_bad_record_topic.clone(),
            logged: Window::new(LOGGED_IDS),
            count: 0,
        }
    }

    /// Number of bad items so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Deals with one: `id` tells it from others in the log, `raw` is the item as it came. Gives the record to hand
    /// over instead, without source partition and offset, which the feed knows.
    ///
    /// # Errors
    /// Data where the setting says that the task fails.
    pub fn handle(&mut self, id: &str, raw: &str, reason: &str) -> Result<Option<SourceRecord>, ConnectError> {
        self.count += 1;
        runtime::metric("feed-bad-records", &[], Sample::CounterAdd(1));
        if self.action == OnBadRecord::Fail {
            return Err(ConnectError::data(format!(
                "item {id} cannot be made a record: {reason}; it is '{}'; \
                 on.bad.record=skip would leave such items out, dlq would keep them",
                excerpt(raw)
            )));
        }
        if self.logged.insert(id) {
            warn!("an item cannot be made a record"; "item" => id, "reason" => reason);
        }
        Ok((self.action == OnBadRecord::Dlq).then(|| SourceRecord {
            topic: self.topic.clone(),
            key: TypedValue::text(id),
            value: TypedValue::text(raw),
            headers: vec![header("feed.error", reason)],
            ..SourceRecord::default()
        }))
    }
}

#[cfg(test)]
mod tests {
    use weir_sdk::api::error::ErrorKind;
    use weir_sdk::config::def::ConfigDef;
    use weir_sdk::config::map::ConfigMap;
    use weir_sdk::testing::{TestHost, install, with_host};

    use super::BadRecords;
    use crate::settings::{Common, Defaults, common_keys};

    fn bad_records(action: &str) -> BadRecords {
        install(TestHost::default());
        let defaults = Defaults {
            poll_interval_ms: 60_000,
            rate_requests: 0,
            rate_per_ms: 1_000,
        };
        let config: ConfigMap = [("topic", "t"), ("on.bad.record", action)].into_iter().collect();
        let parsed = common_keys(ConfigDef::new(), defaults).parse(&config).expect("right");
        let common = Common::parse(&parsed).expect("right");
        assert_eq!(
            (common.access.rate.requests, common.access.retry.max_attempts),
            (0, Some(10))
        );
        BadRecords::new(&common)
    }

    #[test]
    fn a_bad_item_fails_the_task_is_logged_once_or_kept() {
        let error = bad_records("fail")
            .handle("7", "{\"a\":\n1}", "no time")
            .expect_err("fails");
        assert_eq!(error.kind, ErrorKind::Data);
        assert!(
            error.message.contains("item 7") && error.message.contains("{\"a\": 1}"),
            "{error}"
        );
        let mut skipping = bad_records("skip");
        for _ in 0..3 {
            assert_eq!(skipping.handle("7", "{}", "no time"), Ok(None));
        }
        assert_eq!((skipping.count(), with_host(|host| host.lines.len())), (3, 1));
        let kept = bad_records("dlq")
            .handle("7", "{}", "no time")
            .expect("kept")
            .expect("a record");
        assert_eq!(kept.topic, "t.dlq");
        assert!(kept.headers.iter().any(|header| header.name == "feed.error"));
    }
}
