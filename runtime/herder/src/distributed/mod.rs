//! The herder as a member of a group of workers.

pub mod assignment;
pub mod fencing;
pub mod forward;
pub mod gate;
pub mod leader;
pub mod member;
pub mod rebalance;
pub mod session_key;
pub mod waiting;
