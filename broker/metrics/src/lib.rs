//! Measuring: the clock and, later, sensors and their names.

pub mod clock;
