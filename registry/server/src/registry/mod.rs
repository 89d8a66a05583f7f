//! What is decided: lookups, registrations, deletions, settings
//!
//! Reads answer from the cache under a short lock. Changes go through one writer, which decides on the newest state, appends to the
//! topic and answers once the records are read back.

pub(crate) mod schemas;
pub(crate) mod scope;

pub(crate) mod lookup;

pub(crate) mod delete;
pub(crate) mod register;
pub(crate) mod settings;

pub(crate) mod change;
pub(crate) mod writer;

pub(crate) mod handle;

#[cfg(test)]
mod tests;
