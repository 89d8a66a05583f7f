//! Metrics that a guest keeps about itself
//!
//! Counted by the instance, read by whoever shows them through [`SharedMetrics`], which outlives it. At most 64 series an
//! instance: what comes after that is counted as refused, never stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::limits::MAX_METRIC_SERIES;

/// Name and tags of a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey {
    pub name: String,
    pub tags: Vec<(String, String)>,
}

/// What a series holds; fixed by its first sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SeriesValue {
    Counter(u64),
    Gauge(f64),
    /// Count, sum and greatest of what was observed.
    Observed {
        count: u64,
        sum: f64,
        max: f64,
    },
}

/// One sample as the guest sends it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sample {
    CounterAdd(u64),
    Gauge(f64),
    Observe(f64),
}

/// The series of one instance.
#[derive(Debug, Clone, Default)]
pub struct GuestMetrics {
    series: BTreeMap<SeriesKey, SeriesValue>,
    refused: u64,
}

impl GuestMetrics {
    /// Returns all series in order of name and tags.
    pub fn series(&self) -> impl Iterator<Item = (&SeriesKey, &SeriesValue)> {
        self.series.iter()
    }

    /// Returns how many samples were refused: too many series, or another kind than the series' first sample.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    pub(crate) fn record(&mut self, key: SeriesKey, sample: Sample) {
        if let Some(value) = self.series.get_mut(&key) {
            self.refused += u64::from(!value.absorb(sample));
        } else if self.series.len() < MAX_METRIC_SERIES {
            self.series.insert(key, SeriesValue::first(sample));
        } else {
            self.refused += 1;
        }
    }
}

/// The series of one instance, for readers beside it. One uncontended lock a sample.
#[derive(Debug, Clone, Default)]
pub struct SharedMetrics(Arc<Mutex<GuestMetrics>>);

impl SharedMetrics {
    /// Copies all series in order of name and tags.
    pub fn series(&self) -> Vec<(SeriesKey, SeriesValue)> {
        let metrics = self.0.lock();
        metrics.series().map(|(key, value)| (key.clone(), *value)).collect()
    }

    /// Returns how many samples were refused.
    pub fn refused(&self) -> u64 {
        self.0.lock().refused()
    }

    pub(crate) fn record(&self, key: SeriesKey, sample: Sample) {
        self.0.lock().record(key, sample);
    }
}

impl SeriesValue {
    fn first(sample: Sample) -> Self {
        match sample {
            Sample::CounterAdd(add) => Self::Counter(add),
            Sample::Gauge(value) => Self::Gauge(value),
            Sample::Observe(value) => Self::Observed {
                count: 1,
                sum: value,
                max: value,
            },
        }
    }

    /// Takes a sample of the same kind; false for another kind.
    fn absorb(&mut self, sample: Sample) -> bool {
        match (self, sample) {
            (Self::Counter(total), Sample::CounterAdd(add)) => *total = total.saturating_add(add),
            (Self::Gauge(value), Sample::Gauge(new)) => *value = new,
            (Self::Observed { count, sum, max }, Sample::Observe(value)) => {
                *count += 1;
                *sum += value;
                *max = max.max(value);
            }
            (Self::Counter(_) | Self::Gauge(_) | Self::Observed { .. }, _) => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> SeriesKey {
        SeriesKey {
            name: name.to_owned(),
            tags: Vec::new(),
        }
    }

    #[test]
    fn series_are_bounded_and_keep_their_kind() {
        let mut metrics = GuestMetrics::default();
        for number in 0..100 {
            metrics.record(key(&format!("s{number}")), Sample::CounterAdd(1));
        }
        assert_eq!(metrics.series().count(), MAX_METRIC_SERIES);
        assert_eq!(metrics.refused(), 36);
        metrics.record(key("s0"), Sample::CounterAdd(2));
        metrics.record(key("s0"), Sample::Gauge(9.0));
        let first = metrics.series().next().map(|(_, value)| *value);
        assert_eq!(first, Some(SeriesValue::Counter(3)));
        assert_eq!(metrics.refused(), 37);
    }
}
