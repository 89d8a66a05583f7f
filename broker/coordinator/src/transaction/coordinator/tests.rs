//! Transactions on a log and markers that the test holds back or loses

mod properties;
mod rules;
mod sim;
