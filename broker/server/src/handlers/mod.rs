//! One file per family of APIs; each head lists versions and behaviour.

pub(crate) mod api_versions;
pub(crate) mod cluster;
pub(crate) mod configs;
pub(crate) mod fetch;
pub(crate) mod fetch_reply;
pub(crate) mod group;
pub(crate) mod list_offsets;
pub(crate) mod log_dirs;
pub(crate) mod metadata;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod producers;
pub(crate) mod records;
pub(crate) mod topics;
pub(crate) mod transactions;
