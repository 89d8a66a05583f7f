//! Faults on the way to a service, at random but repeatable
//!
//! Wraps a service and answers some requests as networks and busy services do: refusals with and without a time to come
//! back, errors, cut and stalled bodies. Also harmless things that break careless clients: gzip, odd pieces.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use crate::service::{FakeRequest, FakeResponse, Piece, Service};

/// How long a stalled body is silent: more than any read timeout.
const STALL_MS: u64 = 40_000;
/// How long a refusal asks to wait.
const RESET_SECONDS: i64 = 30;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `x-rate-limit-reset`, UNIX seconds.
    LimitWithReset,
    /// 429 with `Retry-After`.
    LimitWithRetryAfter,
    /// 429 without a time.
    Limit,
    /// 500.
    Error,
    /// 503.
    Unavailable,
    /// The connection is cut within the body.
    ResetInBody,
    /// The body ends at its half, as if it were whole.
    CutAtHalf,
    /// Nothing for 40 s, then the body.
    Stall,
    /// The body comes packed.
    Gzip,
    /// The body comes in pieces, cut within characters.
    Pieces,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 10] = [
        Self::LimitWithReset,
        Self::LimitWithRetryAfter,
        Self::Limit,
        Self::Error,
        Self::Unavailable,
        Self::ResetInBody,
        Self::CutAtHalf,
        Self::Stall,
        Self::Gzip,
        Self::Pieces,
    ];

    /// Makes an answer go wrong.
    pub fn apply(self, response: FakeResponse, now_ms: i64) -> FakeResponse {
        let refusal = FakeResponse::text(429, "Too Many Requests");
        match self {
            Self::LimitWithReset => {
                let reset = now_ms.div_euclid(1_000) + RESET_SECONDS;
                refusal
                    .header("x-rate-limit-remaining", "0")
                    .header("x-rate-limit-reset", reset.to_string())
            }
            Self::LimitWithRetryAfter => refusal.header("retry-after", RESET_SECONDS.to_string()),
            Self::Limit => refusal,
            Self::Error => FakeResponse::text(500, "Internal Server Error"),
            Self::Unavailable => {
                FakeResponse::bytes(503, "text/html", b"<html><h1>Service Unavailable</h1></html>".to_vec())
            }
            Self::ResetInBody => cut(response, Some(Piece::Reset)),
            Self::CutAtHalf => cut(response, None),
            Self::Stall => stalled(response),
            Self::Gzip => gzipped(response),
            Self::Pieces => in_pieces(response),
        }
    }
}

/// A service with faults.
#[derive(Debug)]
pub struct Faults<S> {
    service: S,
    random: SmallRng,
    rate: f64,
    faults: Vec<Fault>,
    until_ms: i64,
}

impl<S: Service> Faults<S> {
    /// Lets this share of the requests go wrong, from 0 to 1; equal seeds give equal faults.
    pub fn seeded(service: S, seed: u64, rate: f64) -> Self {
        Self {
            service,
            random: SmallRng::seed_from_u64(seed),
            rate: rate.clamp(0.0, 1.0),
            faults: Fault::ALL.to_vec(),
            until_ms: i64::MAX,
        }
    }

    /// Picks from these only.
    #[must_use]
    pub fn only(mut self, faults: &[Fault]) -> Self {
        self.faults = faults.to_vec();
        self
    }

    /// Has no faults from this time on.
    #[must_use]
    pub fn until(mut self, until_ms: i64) -> Self {
        self.until_ms = until_ms;
        self
    }
}

impl<S: Service> Service for Faults<S> {
    fn handle(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        // Chance is asked each time, so that a fault does not depend on what the service answers.
        let is_faulty = self.random.random_bool(self.rate) && now_ms < self.until_ms && !self.faults.is_empty();
        let choice = self.random.random_range(0..self.faults.len().max(1));
        let response = self.service.handle(request, now_ms);
        match self.faults.get(choice) {
            Some(fault) if is_faulty => fault.apply(response, now_ms),
            _ => response,
        }
    }
}

fn cut(mut response: FakeResponse, end: Option<Piece>) -> FakeResponse {
    let body = response.body();
    let half = body.get(..body.len() / 2).unwrap_or_default().to_vec();
    response.pieces = vec![Piece::Bytes(half)];
    response.pieces.extend(end);
    response
}

fn stalled(mut response: FakeResponse) -> FakeResponse {
    response.pieces.insert(0, Piece::Wait(STALL_MS));
    response
}

fn gzipped(mut response: FakeResponse) -> FakeResponse {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(&response.body()).and_then(|()| encoder.finish());
    match packed {
        Ok(packed) => {
            response.pieces = vec![Piece::Bytes(packed)];
            response.header("content-encoding", "gzip")
        }
        // Memory cannot refuse a write.
        Err(_) => response,
    }
}

fn in_pieces(mut response: FakeResponse) -> FakeResponse {
    // Three bytes at most: every character beyond ASCII and every CRLF is cut somewhere in a long body.
    let body = response.body();
    response.pieces = body.chunks(3).map(|piece| Piece::Bytes(piece.to_vec())).collect();
    response
}

#[cfg(test)]
mod tests {
    use super::{Fault, Faults};
    use crate::recorded::Scripted;
    use crate::service::{FakeRequest, FakeResponse, Piece, Service};

    fn fine() -> FakeResponse {
        FakeResponse::text(200, "mañana\r\n")
    }

    #[test]
    fn every_fault_is_what_it_says() {
        let of = |fault: Fault| fault.apply(fine(), 5_000);
        assert_eq!(
            of(Fault::LimitWithReset).headers.last(),
            Some(&("x-rate-limit-reset".to_owned(), "35".to_owned()))
        );
        assert_eq!(
            of(Fault::LimitWithRetryAfter).headers.last(),
            Some(&("retry-after".to_owned(), "30".to_owned()))
        );
        assert_eq!(
            (
                of(Fault::Limit).status,
                of(Fault::Error).status,
                of(Fault::Unavailable).status
            ),
            (429, 500, 503)
        );
        assert_eq!(
            of(Fault::ResetInBody).pieces,
            [Piece::Bytes(b"ma\xc3\xb1".to_vec()), Piece::Reset]
        );
        assert_eq!(of(Fault::CutAtHalf).pieces, [Piece::Bytes(b"ma\xc3\xb1".to_vec())]);
        assert_eq!(of(Fault::Stall).pieces.first(), Some(&Piece::Wait(40_000)));
        assert_eq!(of(Fault::Pieces).body(), fine().body());
        assert_eq!(
            of(Fault::Pieces).pieces.first(),
            Some(&Piece::Bytes(b"ma\xc3".to_vec()))
        );
        let packed = of(Fault::Gzip);
        assert!(packed.body().starts_with(b"\x1f\x8b") && packed.headers.iter().any(|(_, value)| value == "gzip"));
    }

    #[test]
    fn equal_seeds_give_equal_faults_until_the_end() {
        let statuses = |seed| {
            let mut service = Faults::seeded(Scripted(|_: &FakeRequest, _| fine()), seed, 0.5).until(100);
            (0..200)
                .map(|now_ms| format!("{:?}", service.handle(&FakeRequest::default(), now_ms)))
                .collect::<Vec<_>>()
        };
        assert_eq!(statuses(3), statuses(3));
        assert_ne!(statuses(3), statuses(4));
        let fine = format!("{:?}", fine());
        let faulty = statuses(3).iter().take(100).filter(|seen| **seen != fine).count();
        assert!((30..70).contains(&faulty), "{faulty}");
        assert!(statuses(3).iter().skip(100).all(|seen| *seen == fine));
    }
}
