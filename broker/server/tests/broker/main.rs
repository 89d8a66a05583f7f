//! The built broker over the wire: raw frames against a listener on a free port.

mod support;

mod data;
mod groups;
mod hostile;
mod transactions;
mod wire;
