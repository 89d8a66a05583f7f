//! The town: what there is at a moment
//!
//! Pure: a slot is a spot in town; what stands there is a function of seed, slot and time. Most slots hold one place for
//! ever, others see places open, close for a while, close for good and vanish, and then a new one with a new id. Times
//! are cut to hours, so that nothing changes while a search is read.

/// Nothing changes within an hour.
pub const HOUR_MS: i64 = 3_600_000;
const DAY_HOURS: i64 = 24;
/// The middle of town.
pub const CENTER: (f64, f64) = (40.4168, -3.7038);
/// How far the town reaches from its middle, in degrees.
const HALF_LAT: f64 = 0.018;
const HALF_LNG: f64 = 0.0236;
/// How far the quarter reaches in which every third place stands, so that its cells are full.
const QUARTER: f64 = 0.002;

const KINDS: [(&str, &str); 6] = [
    ("cafe", "Café"),
    ("restaurant", "Restaurante"),
    ("bar", "Bar"),
    ("museum", "Museo"),
    ("book_store", "Librería"),
    ("pharmacy", "Farmacia"),
];
const NAMES: [&str; 8] = [
    "de Prueba",
    "Ejemplo",
    "La Muestra",
    "Ñandú",
    "del Río",
    "San Andrés",
    "El Olmo",
    "Año Nuevo",
];

/// Whether a place is open for business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Business {
    /// Open.
    Operational,
    /// Closed, to come back.
    ClosedTemporarily,
    /// Closed for good, still listed.
    ClosedPermanently,
}

impl Business {
    /// Gives the name that both APIs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operational => "OPERATIONAL",
            Self::ClosedTemporarily => "CLOSED_TEMPORARILY",
            Self::ClosedPermanently => "CLOSED_PERMANENTLY",
        }
    }
}

/// A place as it is at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct WorldPlace {
    /// Place id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Address.
    pub address: String,
    /// Latitude.
    pub lat: f64,
    /// Longitude.
    pub lng: f64,
    /// Types, the primary one first.
    pub types: Vec<String>,
    /// Open or closed.
    pub business: Business,
    /// Tenths of a star; none without ratings.
    pub rating_tenths: Option<u32>,
    /// How many rated.
    pub rating_count: u32,
    /// 0 to 4.
    pub price_level: Option<u32>,
    /// Rank by popularity, higher first.
    pub popularity: u64,
}

/// A moment at which a slot changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// From when on.
    pub at_ms: i64,
    /// Which place.
    pub id: String,
    /// What it is from then on; none = no longer listed.
    pub place: Option<WorldPlace>,
}

/// The town.
#[derive(Debug, Clone)]
pub struct World {
    seed: u64,
    slots: u32,
}

impl World {
    /// Makes a town of so many spots.
    pub fn new(seed: u64, slots: u32) -> Self {
        Self { seed, slots }
    }

    /// Gives all places listed at a moment.
    pub fn at(&self, now_ms: i64) -> Vec<WorldPlace> {
        (0..self.slots).filter_map(|slot| self.slot_at(slot, now_ms)).collect()
    }

    /// Finds a place by id.
    pub fn find(&self, id: &str, now_ms: i64) -> Option<WorldPlace> {
        (0..self.slots)
            .filter_map(|slot| self.slot_at(slot, now_ms))
            .find(|place| place.id == id)
    }

    /// Gives what a perfect reader must have seen: each change after `from_ms` and up to `to_ms`, oldest first.
    pub fn truth(&self, from_ms: i64, to_ms: i64) -> Vec<Change> {
        let mut changes = Vec::new();
        for slot in 0..self.slots {
            let mut before = self.slot_at(slot, from_ms);
            let mut hour = from_ms.div_euclid(HOUR_MS) + 1;
            while hour * HOUR_MS <= to_ms {
                let after = self.slot_at(slot, hour * HOUR_MS);
                if after != before {
                    push_change(&mut changes, hour * HOUR_MS, before, after.clone());
                    before = after;
                }
                hour += 1;
            }
        }
        changes.sort_by(|left, right| left.at_ms.cmp(&right.at_ms).then_with(|| left.id.cmp(&right.id)));
        changes
    }

    fn slot_at(&self, slot: u32, now_ms: i64) -> Option<WorldPlace> {
        let hours = now_ms.div_euclid(HOUR_MS);
        let dice = mix(self.seed ^ mix(u64::from(slot)));
        let life = Life::of(dice, hours);
        let business = life.business?;
        let own = mix(dice ^ mix(life.generation.cast_unsigned() ^ 0x51));
        let (kind, word) = pick(&KINDS, own >> 7);
        // Ratings come in every few days, at an hour of the place's own.
        let rhythm = 4 * DAY_HOURS + i64::from(below(own >> 13, 20)) * DAY_HOURS;
        let ratings = (hours + i64::from(below(own >> 21, 480)))
            .div_euclid(rhythm)
            .rem_euclid(500);
        let rating_count = below(own >> 29, 400) + u32::try_from(ratings).unwrap_or(0);
        let (lat, lng) = spot(slot, dice);
        Some(WorldPlace {
            id: format!("ChIJ{:016x}{slot:04x}", own),
            name: format!("{word} {} {slot}", pick(&NAMES, own >> 37)),
            address: format!("Calle Falsa {slot}, 28000 Madrid"),
            lat,
            lng,
            types: vec![
                kind.to_owned(),
                "point_of_interest".to_owned(),
                "establishment".to_owned(),
            ],
            business,
            rating_tenths: (rating_count > 5).then(|| 20 + below(own >> 45, 31)),
            rating_count,
            price_level: (own & 3 != 0).then(|| below(own >> 51, 5)),
            popularity: mix(own),
        })
    }
}

/// Where a slot is in its round of openings and closings.
struct Life {
    generation: i64,
    business: Option<Business>,
}

impl Life {
    fn of(dice: u64, hours: i64) -> Self {
        if below(dice >> 3, 100) < 60 {
            return Self {
                generation: 0,
                business: Some(Business::Operational),
            };
        }
        let round = DAY_HOURS * i64::from(20 + below(dice >> 11, 40));
        let at = hours + i64::from(below(dice >> 23, 60)) * DAY_HOURS + i64::from(below(dice >> 31, 24));
        let day = at.rem_euclid(round) / DAY_HOURS;
        let last = round / DAY_HOURS;
        let business = match day {
            day if day < 6 => None,
            day if (10..13).contains(&day) => Some(Business::ClosedTemporarily),
            day if day + 3 >= last => Some(Business::ClosedPermanently),
            _ => Some(Business::Operational),
        };
        Self {
            generation: at.div_euclid(round),
            business,
        }
    }
}

fn push_change(changes: &mut Vec<Change>, at_ms: i64, before: Option<WorldPlace>, after: Option<WorldPlace>) {
    if let Some(old) = before
        && after.as_ref().is_none_or(|new| new.id != old.id)
    {
        changes.push(Change {
            at_ms,
            id: old.id,
            place: None,
        });
    }
    if let Some(place) = after {
        changes.push(Change {
            at_ms,
            id: place.id.clone(),
            place: Some(place),
        });
    }
}

fn spot(slot: u32, dice: u64) -> (f64, f64) {
    let (half_lat, half_lng) = if slot.is_multiple_of(3) {
        (QUARTER, QUARTER)
    } else {
        (HALF_LAT, HALF_LNG)
    };
    let along = |bits: u64, half: f64| (f64::from(below(bits, 20_001)) / 10_000.0 - 1.0) * half;
    // Seven digits, as the service gives them.
    let cut = |degrees: f64| (degrees * 1e7).round() / 1e7;
    (
        cut(CENTER.0 + along(dice >> 17, half_lat)),
        cut(CENTER.1 + along(mix(dice), half_lng)),
    )
}

fn pick<T: Copy, const N: usize>(from: &[T; N], bits: u64) -> T {
    let at = usize::try_from(bits % (N as u64)).unwrap_or(0);
    // A remainder by the length.
    from[at]
}

fn below(bits: u64, bound: u32) -> u32 {
    u32::try_from(bits % u64::from(bound.max(1))).unwrap_or(0)
}

fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const START_MS: i64 = 1_795_000_000_000;

    #[test]
    fn the_truth_replayed_onto_a_moment_gives_the_later_moment() {
        let world = World::new(7, 80);
        let to_ms = START_MS + 40 * 24 * HOUR_MS;
        let mut known: HashMap<String, WorldPlace> = world
            .at(START_MS)
            .into_iter()
            .map(|place| (place.id.clone(), place))
            .collect();
        let changes = world.truth(START_MS, to_ms);
        for change in &changes {
            match &change.place {
                Some(place) => known.insert(change.id.clone(), place.clone()),
                None => known.remove(&change.id),
            };
        }
        let later: HashMap<String, WorldPlace> = world
            .at(to_ms)
            .into_iter()
            .map(|place| (place.id.clone(), place))
            .collect();
        assert_eq!(known, later);
        assert!(changes.iter().any(|change| change.place.is_none()), "places vanish");
        for status in [Business::ClosedTemporarily, Business::ClosedPermanently] {
            let seen = |change: &Change| change.place.as_ref().is_some_and(|place| place.business == status);
            assert!(changes.iter().any(seen), "{status:?}");
        }
    }

    #[test]
    fn nothing_changes_within_an_hour_and_seeds_differ() {
        let world = World::new(3, 50);
        let hour = START_MS.div_euclid(HOUR_MS) * HOUR_MS;
        assert_eq!(world.at(hour), world.at(hour + HOUR_MS - 1));
        assert_ne!(world.at(hour), World::new(4, 50).at(hour));
        let place = world.at(hour).into_iter().next().expect("a place");
        assert_eq!(world.find(&place.id, hour), Some(place));
    }
}
