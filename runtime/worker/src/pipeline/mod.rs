//! What happens to one record on its way, whichever direction it goes.

pub mod convert;

pub mod tolerance;

pub mod stage;
