//! Dates and times in header texts
//!
//! The three ISO 8601 forms, told apart by length as Kafka does, and read as leniently as Java's `SimpleDateFormat`:
//! numbers may run over (`2020-13-45`), what follows the last field is ignored. All in UTC.

use std::sync::Arc;

use crate::data::datetime::{civil_from_ms, days_from_civil};
use crate::data::logical::{self, DAY_MS};
use crate::data::schema::Schema;
use crate::data::value::Value;

const TIME_LEN: usize = 13;
const TIMESTAMP_LEN: usize = 24;
const DATE_LEN: usize = 10;

/// Reads a date, time or timestamp.
pub fn parse(token: &str) -> Option<(Arc<Schema>, Value)> {
    match token.chars().count() {
        TIME_LEN => {
            let mut fields = Fields { rest: token };
            let ms = fields.time_ms()?;
            Some((logical::time(), Value::Int32(i32::try_from(ms).ok()?)))
        }
        TIMESTAMP_LEN => {
            let mut fields = Fields { rest: token };
            let days = fields.days()?;
            fields.literal('T')?;
            Some((
                logical::timestamp(),
                Value::Int64(days.checked_mul(DAY_MS)?.checked_add(fields.time_ms()?)?),
            ))
        }
        DATE_LEN => {
            let days = Fields { rest: token }.days()?;
            Some((logical::date(), Value::Int32(i32::try_from(days).ok()?)))
        }
        _ => None,
    }
}

/// Writes a point in time: a time below one day, a date on whole days, else a timestamp.
pub fn text(ms: i64) -> String {
    let civil = civil_from_ms(ms);
    let date = format!("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day);
    let time = format!(
        "{:02}:{:02}:{:02}.{:03}Z",
        civil.hour, civil.minute, civil.second, civil.millis
    );
    if ms < DAY_MS {
        time
    } else if ms % DAY_MS == 0 {
        date
    } else {
        format!("{date}T{time}")
    }
}

struct Fields<'a> {
    rest: &'a str,
}

impl Fields<'_> {
    fn number(&mut self) -> Option<i64> {
        let rest = self.rest.trim_start_matches([' ', '\t']);
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, tail) = rest.split_at(end);
        self.rest = tail;
        digits.parse().ok()
    }

    fn literal(&mut self, expected: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    fn days(&mut self) -> Option<i64> {
        let year = self.number()?;
        self.literal('-')?;
        let month = self.number()?.checked_sub(1)?;
        self.literal('-')?;
        let day = self.number()?;
        // A month that runs over moves the year on.
        let first = days_from_civil(
            year + month.div_euclid(12),
            u32::try_from(month.rem_euclid(12)).ok()? + 1,
            1,
        );
        Some(first + day - 1)
    }

    fn time_ms(&mut self) -> Option<i64> {
        let hour = self.number()?;
        self.literal(':')?;
        let minute = self.number()?;
        self.literal(':')?;
        let second = self.number()?;
        self.literal('.')?;
        let millis = self.number()?;
        self.literal('Z')?;
        hour.checked_mul(3_600_000)?
            .checked_add(minute.checked_mul(60_000)?)?
            .checked_add(second.checked_mul(1_000)?)?
            .checked_add(millis)
    }
}
