//! Clocks and random numbers of a guest
//!
//! Without a grant the wall clock stands at the start of the instance, the monotonic clock moves in milliseconds (guests
//! need it to wait) and random numbers are a fixed sequence, so that an unprivileged plugin has no fine timer and no secret.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::host::state::Identity;

/// Which clocks an instance gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clocks {
    Real,
    Coarse,
}

pub(crate) fn install(builder: &mut WasiCtxBuilder, clocks: Clocks) {
    match clocks {
        // The builder's own defaults are the real ones.
        Clocks::Real => {}
        Clocks::Coarse => {
            builder
                .wall_clock(FrozenWallClock::started_now())
                .monotonic_clock(CoarseMonotonicClock { began: Instant::now() });
        }
    }
}

struct FrozenWallClock {
    started: Duration,
}

impl FrozenWallClock {
    fn started_now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            started: Duration::from_secs(now.as_secs()),
        }
    }
}

impl HostWallClock for FrozenWallClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.started
    }
}

struct CoarseMonotonicClock {
    began: Instant,
}

impl HostMonotonicClock for CoarseMonotonicClock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .saturating_mul(1_000_000)
    }
}

/// A sequence that depends on the connector and task alone.
pub(crate) fn install_seeded_random(builder: &mut WasiCtxBuilder, identity: &Identity) {
    let mut seed = Sha256::new();
    seed.update(identity.connector.as_bytes());
    seed.update(identity.task.unwrap_or(u32::MAX).to_le_bytes());
    let seed = seed.finalize();
    let bytes: Vec<u8> = (0u8..8)
        .flat_map(|block| Sha256::digest([seed.as_slice(), &[block]].concat()))
        .collect();
    let first = seed.first_chunk::<16>().copied().unwrap_or_default();
    builder
        .secure_random(Deterministic::new(bytes.clone()))
        .insecure_random(Deterministic::new(bytes))
        .insecure_random_seed(u128::from_le_bytes(first));
}
