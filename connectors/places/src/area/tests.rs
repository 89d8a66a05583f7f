use super::*;

fn area(text: &str) -> Area {
    Area::parse(text).expect("a valid area")
}

#[test]
fn areas_that_cannot_be_searched_are_refused_with_the_reason() {
    for (text, part) in [
        ("", "must be lat,lng,radius"),
        ("40,-3", "must be lat,lng,radius"),
        ("40,-3,x", "must be lat,lng,radius"),
        ("40,NaN,5", "must be lat,lng,radius"),
        ("40,-3,inf", "must be lat,lng,radius"),
        ("1,2,3,4,5", "must be lat,lng,radius"),
        ("40,-3,0", "radius must be greater"),
        ("40,-3,-5", "radius must be greater"),
        ("85,0,1000", "85°"),
        ("-84.999,0,1000", "85°"),
        ("40,181,1000", "longitude 181"),
        ("40,0,15000000", "85°"),
        ("84,0,90000,", "must be lat,lng,radius"),
        ("41,-4,40,-3", "south must be less than north"),
        ("40,-3,40,-2", "south must be less than north"),
        ("40,-3,41,-3", "west and east must differ"),
        ("40,-3,41,-4", "wider than half the earth"),
        ("80,0,89,1", "85°"),
    ] {
        let error = Area::parse(text).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
    for (text, meters, part) in [
        ("40,-3,50001", 0, "set places.cell.meters"),
        ("40,-4,41,-3", 0, "set places.cell.meters"),
        ("40,-4,42,-2", 100_000, "set places.cell.meters"),
        ("40,-4,41,-3", 100, "more than 10000 cells"),
        ("-80,-90,80,89", 1, "more than 10000 cells"),
    ] {
        let error = area(text).cells(meters).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_circle_stays_itself_until_it_is_cut() {
    let area = area("40.4168,-3.7038,1500");
    let cells = area.cells(0).expect("one cell");
    let [cell] = cells.as_slice() else { panic!("{cells:?}") };
    assert_eq!(
        cell.circle(),
        Circle {
            lat: 40.4168,
            lng: -3.7038,
            meters: 1500.0
        }
    );
    assert_eq!(cell.to_string(), "40.416800,-3.703800,3000");
    assert_eq!(cell.split(&area).expect("large enough").len(), 4);
}

#[test]
fn names_of_cells_are_distinct_at_every_level() {
    let area = area("40.40,-3.72,40.43,-3.68");
    let mut names = std::collections::BTreeSet::new();
    let mut cells = area.cells(800).expect("cells");
    let mut count = 0;
    while let Some(cell) = cells.pop() {
        count += 1;
        assert!(names.insert(cell.to_string()), "{cell} twice");
        cells.extend(cell.split(&area).unwrap_or_default());
    }
    // 800 m → 400 → 200 → 100, and no further.
    assert_eq!(count % (1 + 4 + 16 + 64), 0);
}

#[test]
fn every_point_of_an_area_lies_in_a_cell_and_its_circle() {
    for text in [
        "40.4168,-3.7038,5000",
        "40.40,-3.72,40.43,-3.68",
        "-0.02,-0.02,0.02,0.02",
        "84.9,10,84.99,10.9",
        "-33.9,179.95,-33.8,-179.95",
        "-16.8,180,3000",
        "65,-179.99,4000",
    ] {
        let area = area(text);
        let bounds = area.bounds();
        let roots = area.cells(1500).expect("cells");
        let mut leaves = Vec::new();
        for root in &roots {
            leaves.extend(root.split(&area).expect("large enough"));
        }
        for step in 0..=400_u32 {
            let (row, column) = (f64::from(step / 21) / 20.0, f64::from(step % 21) / 20.0);
            let lat = bounds.south + (bounds.north - bounds.south) * row.min(1.0);
            let lng = wrapped(bounds.west + bounds.width() * column);
            if let Area::Circle(circle) = &area
                && meters(circle.lat, circle.lng, lat, lng) > circle.meters
            {
                continue;
            }
            for cells in [&roots, &leaves] {
                let home = cells.iter().find(|cell| {
                    let from_west = (lng - cell.bounds.west).rem_euclid(360.0);
                    let is_between = from_west <= cell.bounds.width() + 1e-9 || from_west > 360.0 - 1e-9;
                    is_between && lat >= cell.bounds.south - 1e-9 && lat <= cell.bounds.north + 1e-9
                });
                let home = home.unwrap_or_else(|| panic!("{text}: no cell for {lat},{lng}"));
                let circle = home.circle();
                assert!(
                    meters(circle.lat, circle.lng, lat, lng) <= circle.meters,
                    "{text}: {home} misses {lat},{lng}"
                );
            }
        }
    }
}

#[test]
fn cells_have_about_the_size_asked_for() {
    for text in [
        "40.40,-3.80,40.50,-3.60",
        "-0.1,0,0.1,0.2",
        "80,0,80.2,1.2",
        "-16.9,179.9,-16.7,-179.9",
    ] {
        for cell in area(text).cells(1000).expect("cells") {
            let Rectangle {
                south,
                west,
                north,
                east,
            } = cell.bounds;
            let high = meters(south, west, north, west);
            let wide = meters(south, west, south, east).max(meters(north, west, north, east));
            assert!(high <= 1001.0 && high > 900.0, "{text}: {high} m high");
            assert!(wide <= 1001.0 && wide > 900.0, "{text}: {wide} m wide");
            assert!(cell.circle().meters < 720.0, "{text}: {:?}", cell.circle());
        }
    }
}

#[test]
fn cells_that_a_circle_does_not_reach_are_left_out() {
    let circle = area("40.4168,-3.7038,2000");
    let cells = circle.cells(500).expect("cells");
    // π r² / a² ≈ 50 lie inside or on the rim.
    let square = Area::Rectangle(circle.bounds()).cells(500).expect("cells");
    assert!(
        (50..square.len()).contains(&cells.len()),
        "{} of {}",
        cells.len(),
        square.len()
    );
    assert!(cells.iter().all(|cell| circle.reaches(cell)));
}
