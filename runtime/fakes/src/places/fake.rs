//! The service: keys and quotas before either API answers

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::places::quota::Quota;
use crate::places::search::Tokens;
use crate::places::world::{HOUR_MS, World, WorldPlace};
use crate::places::{legacy, new_api};
use crate::service::{FakeRequest, FakeResponse, Service};

/// Spots of a town unless told otherwise.
const SLOTS: u32 = 240;

/// Both APIs of Google Places over one town.
#[derive(Debug)]
pub struct PlacesFake {
    pub(super) world: World,
    /// None = any key will do.
    pub(super) key: Option<String>,
    pub(super) quota: Quota,
    pub(super) tokens: Tokens,
    /// The places of an hour, in which nothing changes.
    known: (i64, Arc<Vec<WorldPlace>>),
}

impl PlacesFake {
    /// Starts a service over the town of a seed; any key is good and there are no quotas.
    pub fn new(seed: u64) -> Self {
        Self {
            world: World::new(seed, SLOTS),
            key: None,
            quota: Quota::default(),
            tokens: Tokens::default(),
            known: (i64::MIN, Arc::default()),
        }
    }

    /// Builds a town of so many spots instead.
    #[must_use]
    pub fn with_world(mut self, world: World) -> Self {
        self.world = world;
        self.known = (i64::MIN, Arc::default());
        self
    }

    /// Accepts this key only.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Sets quotas.
    #[must_use]
    pub fn with_quota(mut self, per_minute: Option<u32>, per_day: Option<u32>) -> Self {
        self.quota.per_minute = per_minute;
        self.quota.per_day = per_day;
        self
    }

    /// Gives the town.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Gives the places of a moment.
    pub(super) fn places_at(&mut self, now_ms: i64) -> Arc<Vec<WorldPlace>> {
        let hour = now_ms.div_euclid(HOUR_MS);
        if self.known.0 != hour {
            self.known = (hour, Arc::new(self.world.at(now_ms)));
        }
        Arc::clone(&self.known.1)
    }

    /// Gives how many requests were answered on each day of the US Pacific coast.
    pub fn requests_by_day(&self) -> &BTreeMap<i64, u32> {
        self.quota.by_day()
    }
}

impl Service for PlacesFake {
    fn handle(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        if request.path.starts_with("/maps/api/place/") {
            legacy::handle(self, request, now_ms)
        } else if request.path.starts_with("/v1/places") {
            new_api::handle(self, request, now_ms)
        } else {
            FakeResponse::bytes(
                404,
                "text/html; charset=UTF-8",
                b"<!DOCTYPE html><title>Error 404</title>".to_vec(),
            )
        }
    }
}
