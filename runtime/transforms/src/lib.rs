//! The built-in single message transforms and predicates, and the chain that a connector makes of them
//!
//! Pure: no I/O and no clock; builds on the data model alone. What a failing record means for the task is the worker's business.
