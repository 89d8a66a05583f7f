//! What happens to one record on its way, whichever direction it goes.

pub mod convert;
pub mod transform;

pub mod dead_letters;
pub mod report;
pub mod tolerance;

pub mod original;
pub mod stage;
