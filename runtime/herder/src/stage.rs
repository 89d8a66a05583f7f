//! What the event loop is doing, in words, for `/health` and time-outs.
//!
//! Written by the event loop around each operation, read by anyone; a leaf lock over one small value.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug)]
struct Operation {
    description: String,
    began: SystemTime,
    completed: Option<SystemTime>,
}

/// Shared view of the event loop's current or last operation.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    current: Arc<Mutex<Option<Operation>>>,
}

impl Stage {
    /// An operation begins; `now` is the wall clock.
    pub fn begin(&self, description: impl Into<String>, now: SystemTime) {
        let operation = Operation {
            description: description.into(),
            began: now,
            completed: None,
        };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(operation);
    }

    /// The current operation ends.
    pub fn end(&self, now: SystemTime) {
        if let Some(operation) = self.current.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            operation.completed = Some(now);
        }
    }

    /// One sentence in Apache's form; empty before the first operation.
    pub fn describe(&self) -> String {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(operation) = current.as_ref() else {
            return String::new();
        };
        let began = instant_text(operation.began);
        match operation.completed {
            None => format!(
                "The worker is currently {}, which began at {began}.",
                operation.description
            ),
            Some(completed) => format!(
                "The last operation the worker completed was {}, which began at {began} and completed at {}.",
                operation.description,
                instant_text(completed)
            ),
        }
    }
}

/// ISO-8601 in UTC with milliseconds, as Java prints an `Instant`.
fn instant_text(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, of_day) = ((since.as_secs() / 86_400) as i64, since.as_secs() % 86_400);
    let (year, month, day) = civil_from_days(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60,
        since.subsec_millis()
    )
}

/// Returns year, month and day of a day number since 1970-01-01 in the proleptic Gregorian calendar.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn instants_print_as_java_does() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_827_696_789, "2000-02-29T12:34:56.789Z"),
            (1_795_305_600_001, "2026-11-22T00:00:00.001Z"),
        ] {
            assert_eq!(instant_text(UNIX_EPOCH + Duration::from_millis(ms)), expected);
        }
    }

    #[test]
    fn the_sentence_follows_the_operation() {
        let stage = Stage::default();
        assert_eq!(stage.describe(), "");
        stage.begin("reading to the end of internal topics", UNIX_EPOCH);
        assert_eq!(
            stage.describe(),
            "The worker is currently reading to the end of internal topics, which began at 1970-01-01T00:00:00.000Z."
        );
        stage.end(UNIX_EPOCH + Duration::from_secs(1));
        assert!(
            stage
                .describe()
                .starts_with("The last operation the worker completed was reading")
        );
    }
}
