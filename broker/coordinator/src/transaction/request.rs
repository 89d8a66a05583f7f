//! What producers ask for, without the wire
//!
//! The server fills these from the request messages. Error codes are those of the newest versions;
//! the server turns `PRODUCER_FENCED` into `INVALID_PRODUCER_EPOCH` where a version has no other.

/// A producer's id and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// InitProducerId with a transactional id.
#[derive(Debug, Clone)]
pub struct InitRequest {
    /// The id.
    pub transactional_id: String,
    /// How long a transaction may stay open.
    pub timeout_ms: i32,
    /// What a producer that goes on after an error thinks it is (KIP-360).
    pub expected: Option<Producer>,
    /// An id nobody has, if the server has fetched one.
    pub fresh_id: Option<i64>,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its records count.
    Commit,
    /// Its records are dropped.
    Abort,
}

/// EndTxn.
#[derive(Debug, Clone)]
pub struct EndRequest {
    /// The transactional id.
    pub transactional_id: String,
    /// Who ends it.
    pub producer: Producer,
    /// How.
    pub verdict: Verdict,
}
