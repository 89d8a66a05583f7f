//! The worker's place in its Connect group: what it owns, and how that was decided.
//!
//! `protocol` is the bytes that workers exchange, `eager` and `incremental` decide who runs what (`leader` asks them), `membership` joins,
//! stays and leaves, `view` is what others may know.
//! Starting and stopping work is the herder's; the requests to the group coordinator are the client's (`weir_client::group_member`).

pub mod protocol;
pub mod work;

mod balance;

pub mod eager;
pub mod incremental;

mod leader;
pub mod membership;
pub mod metrics;
pub mod view;
