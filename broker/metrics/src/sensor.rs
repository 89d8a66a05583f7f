//! Sensors: values over the last windows, and since the start
//!
//! One value a batch goes in; rate, average, highest and lowest over the windows that are not too old come out, besides
//! the total. Windows and rates follow Kafka's `SampledStat` and `Rate`, so that figures compare. Pure: time is an argument.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

/// How long values count: `metrics.sample.window.ms` and `metrics.num.samples`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Length of one window in milliseconds, at least 1.
    pub window_ms: i64,
    /// Windows kept, at least 1.
    pub samples: usize,
}

impl Default for Windows {
    /// Kafka's: two windows of 30 seconds.
    fn default() -> Self {
        Self {
            window_ms: 30_000,
            samples: 2,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    start_ms: i64,
    count: u64,
    sum: f64,
    max: f64,
    min: f64,
}

impl Sample {
    fn new(start_ms: i64) -> Self {
        Self {
            start_ms,
            count: 0,
            sum: 0.0,
            max: f64::NEG_INFINITY,
            min: f64::INFINITY,
        }
    }
}

/// What a sensor has seen.
#[derive(Debug)]
pub struct Recorded {
    windows: Windows,
    samples: VecDeque<Sample>,
    total: f64,
    count: u64,
    last: f64,
}

impl Recorded {
    /// Starts with nothing seen.
    pub fn new(windows: Windows) -> Self {
        Self {
            windows,
            samples: VecDeque::new(),
            total: 0.0,
            count: 0,
            last: f64::NAN,
        }
    }

    /// Takes one value.
    pub fn record(&mut self, value: f64, now_ms: i64) {
        self.total += value;
        self.count += 1;
        self.last = value;
        let is_open = self
            .samples
            .back()
            .is_some_and(|sample| now_ms - sample.start_ms < self.windows.window_ms);
        if !is_open {
            while self.samples.len() >= self.windows.samples.max(1) {
                self.samples.pop_front();
            }
            self.samples.push_back(Sample::new(now_ms));
        }
        if let Some(sample) = self.samples.back_mut() {
            sample.count += 1;
            sample.sum += value;
            sample.max = sample.max.max(value);
            sample.min = sample.min.min(value);
        }
    }

    fn recent(&self, now_ms: i64) -> impl Iterator<Item = &Sample> {
        let oldest = now_ms - self.windows.window_ms * self.windows.samples as i64;
        self.samples.iter().filter(move |sample| sample.start_ms > oldest)
    }

    /// Sum of all values ever.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// How many values there ever were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The value taken last; NaN before the first.
    pub fn last(&self) -> f64 {
        self.last
    }

    /// Sum a second over the windows; a start counts as if all windows but one had passed, as Kafka's does.
    pub fn rate(&self, now_ms: i64) -> f64 {
        let sum: f64 = self.recent(now_ms).map(|sample| sample.sum).sum();
        let Some(first) = self.recent(now_ms).next() else {
            return 0.0;
        };
        let elapsed = now_ms - first.start_ms;
        let full = elapsed / self.windows.window_ms;
        let least = self.windows.samples.max(1) as i64 - 1;
        let span = elapsed + (least - full).max(0) * self.windows.window_ms;
        if span <= 0 { 0.0 } else { sum * 1000.0 / span as f64 }
    }

    /// Average of the values in the windows; NaN when there is none.
    pub fn avg(&self, now_ms: i64) -> f64 {
        let (sum, count) = self.recent(now_ms).fold((0.0, 0), |(sum, count), sample| {
            (sum + sample.sum, count + sample.count)
        });
        if count == 0 { f64::NAN } else { sum / count as f64 }
    }

    /// Highest value in the windows; NaN when there is none.
    pub fn max(&self, now_ms: i64) -> f64 {
        self.recent(now_ms).map(|sample| sample.max).fold(f64::NAN, f64::max)
    }

    /// Lowest value in the windows; NaN when there is none.
    pub fn min(&self, now_ms: i64) -> f64 {
        self.recent(now_ms).map(|sample| sample.min).fold(f64::NAN, f64::min)
    }
}

/// A sensor to record into, cheap to clone. One uncontended lock a value: record once a batch.
#[derive(Debug, Clone)]
pub struct Sensor(Arc<Mutex<Recorded>>);

impl Sensor {
    /// A sensor over these windows.
    pub fn new(windows: Windows) -> Self {
        Self(Arc::new(Mutex::new(Recorded::new(windows))))
    }

    /// Takes one value.
    pub fn record(&self, value: f64, now_ms: i64) {
        self.0.lock().record(value, now_ms);
    }

    /// Reads a figure.
    pub fn read<T>(&self, figure: impl FnOnce(&Recorded) -> T) -> T {
        figure(&self.0.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(values: &[(i64, f64)]) -> Recorded {
        let mut recorded = Recorded::new(Windows::default());
        for (now_ms, value) in values {
            recorded.record(*value, *now_ms);
        }
        recorded
    }

    #[test]
    fn a_rate_counts_one_more_window_at_the_start() {
        // Half a window of values: Kafka divides by the elapsed time and one whole window.
        let recorded = recorded(&[(0, 450.0), (15_000, 450.0)]);
        assert!((recorded.rate(15_000) - 900.0 / 45.0).abs() < 1e-9);
        assert!((recorded.rate(30_000) - 900.0 / 30.0).abs() < 1e-9);
    }

    #[test]
    fn values_leave_with_their_window() {
        let recorded = recorded(&[(0, 10.0), (30_000, 2.0)]);
        assert_eq!((recorded.max(30_000), recorded.avg(30_000)), (10.0, 6.0));
        assert_eq!((recorded.max(60_000), recorded.avg(60_000)), (2.0, 2.0));
        assert!(recorded.max(90_000).is_nan());
        assert_eq!(recorded.rate(90_000), 0.0);
        assert_eq!((recorded.total(), recorded.count()), (12.0, 2));
    }

    #[test]
    fn only_so_many_windows_are_kept() {
        let recorded = recorded(&[(0, 1.0), (30_000, 2.0), (60_000, 4.0), (90_000, 8.0)]);
        assert_eq!(recorded.samples.len(), 2);
        assert_eq!((recorded.min(90_000), recorded.max(90_000)), (4.0, 8.0));
    }

    #[test]
    fn nothing_seen_is_no_number() {
        let recorded = recorded(&[]);
        assert!(recorded.avg(0).is_nan() && recorded.max(0).is_nan() && recorded.last().is_nan());
        assert_eq!((recorded.rate(0), recorded.total()), (0.0, 0.0));
    }
}
