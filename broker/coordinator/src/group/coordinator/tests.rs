//! The coordinator's rules, one test each, and properties over random events.

mod membership;
mod offsets;
mod properties;
mod rebalance;
mod sim;
mod static_members;
mod transactions;
