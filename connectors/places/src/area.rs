//! The area and its cells
//!
//! Pure geometry on a sphere. An area is a circle or a rectangle between degrees; cells are rectangles of about equal
//! sides that cover it, cut in four where an answer is full. Nearby search looks in the circle around a cell, text search
//! in the cell itself. The antimeridian may lie inside an area; beyond 85° cells would degenerate, so no area may.

use std::fmt;

/// Mean radius of the earth.
const EARTH_METERS: f64 = 6_371_008.8;
/// Length of a degree of latitude.
const DEGREE_METERS: f64 = EARTH_METERS * std::f64::consts::PI / 180.0;
/// Most northern and southern latitude of an area.
const MAX_LAT: f64 = 85.0;
/// Largest circle that the service searches.
pub const MAX_RADIUS_METERS: f64 = 50_000.0;
/// Smallest cell that a cut gives.
const MIN_CELL_METERS: f64 = 100.0;
/// Most cells of an area: what a task can remember.
const MAX_CELLS: f64 = 10_000.0;

/// A circle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circle {
    /// Latitude of the middle.
    pub lat: f64,
    /// Longitude of the middle.
    pub lng: f64,
    /// Radius.
    pub meters: f64,
}

/// A rectangle between degrees; `west` is greater than `east` where the antimeridian lies between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rectangle {
    /// Least latitude.
    pub south: f64,
    /// Where it begins, going east.
    pub west: f64,
    /// Greatest latitude.
    pub north: f64,
    /// Where it ends.
    pub east: f64,
}

impl Rectangle {
    /// Gives the width in degrees, from 0 to 360.
    fn width(&self) -> f64 {
        (self.east - self.west).rem_euclid(360.0)
    }

    /// Gives the length of the longer side from west to east, the one nearer to the equator.
    fn width_meters(&self) -> f64 {
        let nearest = if self.south > 0.0 {
            self.south
        } else {
            self.north.min(0.0)
        };
        self.width() * DEGREE_METERS * nearest.to_radians().cos()
    }

    fn middle(&self) -> (f64, f64) {
        (
            f64::midpoint(self.south, self.north),
            wrapped(self.west + self.width() / 2.0),
        )
    }

    /// Gives the circle through the corner farthest from the middle.
    fn around(&self) -> Circle {
        let (lat, lng) = self.middle();
        let corners = [self.south, self.north].map(|corner| meters(lat, lng, corner, self.west));
        // Rounded up, so that the corners lie inside whatever the last digit.
        Circle {
            lat,
            lng,
            meters: corners[0].max(corners[1]).ceil() + 1.0,
        }
    }

    fn touches(&self, circle: &Circle) -> bool {
        let lat = circle.lat.clamp(self.south, self.north);
        let from_west = (circle.lng - self.west).rem_euclid(360.0);
        let width = self.width();
        let lng = if from_west <= width {
            circle.lng
        } else if from_west - width < 360.0 - from_west {
            self.east
        } else {
            self.west
        };
        meters(circle.lat, circle.lng, lat, lng) <= circle.meters
    }
}

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Area {
    /// `lat,lng,radius`.
    Circle(Circle),
    /// `south,west,north,east`.
    Rectangle(Rectangle),
}

impl Area {
    /// Parses `lat,lng,radius` or `south,west,north,east`.
    ///
    /// # Errors
    /// What is wrong, for the message of the setting.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse::<f64>()).collect();
        let parts = parts.ok().filter(|parts| parts.iter().all(|part| part.is_finite()));
        match parts.as_deref() {
            Some(&[lat, lng, meters]) => Self::circle(Circle { lat, lng, meters }),
            Some(&[south, west, north, east]) => Self::rectangle(Rectangle {
                south,
                west,
                north,
                east,
            }),
            Some(_) | None => {
                Err("must be lat,lng,radius in degrees and meters, or south,west,north,east in degrees".to_owned())
            }
        }
    }

    fn circle(circle: Circle) -> Result<Self, String> {
        if circle.meters <= 0.0 {
            return Err("the radius must be greater than 0".to_owned());
        }
        let reach = circle.meters / DEGREE_METERS;
        check_latitudes(circle.lat - reach, circle.lat + reach)?;
        check_longitude(circle.lng)?;
        let area = Self::Circle(circle);
        if area.bounds().width() > 180.0 {
            return Err("the radius reaches around the earth".to_owned());
        }
        Ok(area)
    }

    fn rectangle(rectangle: Rectangle) -> Result<Self, String> {
        check_latitudes(rectangle.south, rectangle.north)?;
        check_longitude(rectangle.west)?;
        check_longitude(rectangle.east)?;
        if rectangle.south >= rectangle.north {
            return Err("south must be less than north; the order is south,west,north,east".to_owned());
        }
        let width = rectangle.width();
        if width == 0.0 {
            return Err("west and east must differ".to_owned());
        }
        if width > 180.0 {
            return Err("the area is wider than half the earth; the order is south,west,north,east".to_owned());
        }
        Ok(Self::Rectangle(rectangle))
    }

    fn bounds(&self) -> Rectangle {
        match self {
            Self::Rectangle(rectangle) => *rectangle,
            Self::Circle(circle) => {
                let lat_reach = circle.meters / DEGREE_METERS;
                let farthest = (circle.lat.abs() + lat_reach).min(89.0);
                let lng_reach = (circle.meters / (DEGREE_METERS * farthest.to_radians().cos())).min(179.9);
                Rectangle {
                    south: circle.lat - lat_reach,
                    west: wrapped(circle.lng - lng_reach),
                    north: circle.lat + lat_reach,
                    east: wrapped(circle.lng + lng_reach),
                }
            }
        }
    }

    /// Gives the cells that cover the area, from south to north and west to east; 0 meters gives the whole area as one.
    ///
    /// # Errors
    /// What is wrong, for the message of the setting.
    pub fn cells(&self, cell_meters: u32) -> Result<Vec<Cell>, String> {
        let cells = if cell_meters == 0 {
            vec![self.whole()]
        } else {
            self.grid(f64::from(cell_meters))?
        };
        match cells.iter().find(|cell| cell.circle().meters > MAX_RADIUS_METERS) {
            Some(cell) => Err(format!(
                "a search of {} m around a point is needed and the service offers {MAX_RADIUS_METERS} m; set \
                 places.cell.meters to 50000 or less",
                cell.circle().meters
            )),
            None => Ok(cells),
        }
    }

    fn whole(&self) -> Cell {
        let bounds = self.bounds();
        match self {
            Self::Circle(circle) => Cell {
                bounds,
                meters: 2.0 * circle.meters,
                circle: Some(*circle),
            },
            Self::Rectangle(_) => {
                let high = (bounds.north - bounds.south) * DEGREE_METERS;
                Cell {
                    bounds,
                    meters: bounds.width_meters().max(high),
                    circle: None,
                }
            }
        }
    }

    fn grid(&self, cell_meters: f64) -> Result<Vec<Cell>, String> {
        let bounds = self.bounds();
        let high = bounds.north - bounds.south;
        let rows = parts(high * DEGREE_METERS, cell_meters);
        let widest = bounds.width_meters() / cell_meters;
        if rows > MAX_CELLS || rows * widest > 4.0 * MAX_CELLS {
            return Err(too_many());
        }
        let mut cells = Vec::new();
        for row in steps(rows) {
            let (south, north) = (
                bounds.south + high * row / rows,
                bounds.south + high * (row + 1.0) / rows,
            );
            let row_bounds = Rectangle { south, north, ..bounds };
            let columns = parts(row_bounds.width_meters(), cell_meters);
            for column in steps(columns) {
                let west = wrapped(bounds.west + bounds.width() * column / columns);
                let east = wrapped(bounds.west + bounds.width() * (column + 1.0) / columns);
                let cell = Cell {
                    bounds: Rectangle {
                        south,
                        west,
                        north,
                        east,
                    },
                    meters: cell_meters,
                    circle: None,
                };
                if self.reaches(&cell) {
                    cells.push(cell);
                }
            }
        }
        if cells.len() as f64 > MAX_CELLS {
            return Err(too_many());
        }
        Ok(cells)
    }

    /// Tells whether a cell has a part in the area.
    pub fn reaches(&self, cell: &Cell) -> bool {
        match self {
            Self::Circle(circle) => cell.bounds.touches(circle),
            Self::Rectangle(_) => true,
        }
    }
}

fn too_many() -> String {
    format!("the area has more than {MAX_CELLS} cells; raise places.cell.meters or make the area smaller")
}

/// Into how many cells a length is cut; what rounding adds to a whole number does not make one more.
fn parts(meters: f64, cell_meters: f64) -> f64 {
    (meters / cell_meters - 1e-6).ceil().max(1.0)
}

fn steps(count: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(0.0), |step| Some(step + 1.0)).take_while(move |step| *step < count)
}

fn check_latitudes(south: f64, north: f64) -> Result<(), String> {
    if south >= -MAX_LAT && north <= MAX_LAT {
        return Ok(());
    }
    Err(format!(
        "the area must lie between {MAX_LAT}° south and {MAX_LAT}° north"
    ))
}

fn check_longitude(lng: f64) -> Result<(), String> {
    if (-180.0..=180.0).contains(&lng) {
        return Ok(());
    }
    Err(format!("longitude {lng} is not between -180 and 180"))
}

/// A part of an area, searched at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// What it covers.
    pub bounds: Rectangle,
    /// Length of a side, about.
    pub meters: f64,
    /// The circle that was configured, where the cell is the whole of it.
    circle: Option<Circle>,
}

impl Cell {
    /// Gives the circle that covers the cell.
    pub fn circle(&self) -> Circle {
        self.circle.unwrap_or_else(|| self.bounds.around())
    }

    /// Cuts the cell in four; none when the parts would be smaller than 100 m.
    pub fn split(&self, area: &Area) -> Option<Vec<Cell>> {
        let meters = self.meters / 2.0;
        if meters < MIN_CELL_METERS {
            return None;
        }
        let Rectangle {
            south,
            west,
            north,
            east,
        } = self.bounds;
        let (lat, lng) = self.bounds.middle();
        let parts = [
            (south, west, lat, lng),
            (south, lng, lat, east),
            (lat, west, north, lng),
            (lat, lng, north, east),
        ];
        let parts = parts.map(|(south, west, north, east)| Cell {
            bounds: Rectangle {
                south,
                west,
                north,
                east,
            },
            meters,
            circle: None,
        });
        Some(parts.into_iter().filter(|part| area.reaches(part)).collect())
    }
}

/// The name of a cell in offsets: middle and side, `lat,lng,meters`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lat, lng) = self
            .circle
            .map_or_else(|| self.bounds.middle(), |circle| (circle.lat, circle.lng));
        write!(f, "{lat:.6},{lng:.6},{:.0}", self.meters)
    }
}

/// Brings a longitude between -180 and 180.
fn wrapped(lng: f64) -> f64 {
    if (-180.0..=180.0).contains(&lng) {
        return lng;
    }
    (lng + 180.0).rem_euclid(360.0) - 180.0
}

/// Gives the way between two points (haversine).
pub fn meters(lat: f64, lng: f64, other_lat: f64, other_lng: f64) -> f64 {
    let half_lat = (other_lat - lat).to_radians() / 2.0;
    let half_lng = (other_lng - lng).to_radians() / 2.0;
    let part = half_lat.sin().powi(2) + lat.to_radians().cos() * other_lat.to_radians().cos() * half_lng.sin().powi(2);
    2.0 * EARTH_METERS * part.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests;
