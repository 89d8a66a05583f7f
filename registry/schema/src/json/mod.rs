//! JSON Schema: text, drafts, graph, compatibility
//!
//! A text is kept as it is written; what it demands is a graph that versions are compared by.

pub mod tree;

pub mod draft;

pub mod model;

mod documents;
mod keywords;
pub mod load;

pub mod schema;

mod kinds;

pub mod difference;

mod compare_arrays;
mod compare_objects;
mod compare_scalars;
pub mod compatibility;
mod matching;
