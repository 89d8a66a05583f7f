//! Settings: what is taken, what is refused and with which words

use super::*;

fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    let mut config: ConfigMap = [("topic", "t"), (API_KEY, "K3Y")].into_iter().collect();
    for (name, value) in pairs {
        config.insert(*name, *value);
    }
    config
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::parse(&config(pairs)).expect("valid settings")
}

#[test]
fn defaults_are_polite() {
    let defaults = settings(&[]);
    assert_eq!((defaults.product, defaults.is_all()), (Product::Observation, true));
    assert_eq!(defaults.base.to_string(), "https://opendata.aemet.es/opendata/api");
    assert_eq!(
        (defaults.common.access.rate.requests, defaults.common.access.rate.per_ms),
        (30, 60_000)
    );
    assert_eq!(
        (defaults.emit, defaults.names, defaults.key_form),
        (Emit::Changes, Names::Original, KeyForm::Id)
    );
    assert_eq!(defaults.chunk_days, 15);
    for (product, interval_ms) in [
        ("observacion", 600_000),
        ("prediccion_diaria", 3_600_000),
        ("prediccion_horaria", 3_600_000),
        ("climatologia_diaria", 21_600_000),
    ] {
        let of = settings(&[(PRODUCT, product), (MUNICIPIOS, "28065")]);
        assert_eq!(of.common.poll_interval_ms, interval_ms, "{product}");
    }
    assert_eq!(settings(&[(POLL_INTERVAL_MS, "5")]).common.poll_interval_ms, 5);
}

#[test]
fn places_are_read_leniently() {
    let towns = settings(&[
        (PRODUCT, "prediccion_diaria"),
        (MUNICIPIOS, "id28065, 1059,28065,01059"),
    ]);
    assert_eq!(towns.places, ["28065", "01059"]);
    let stations = settings(&[(STATIONS, "3195, 9170x,3195")]);
    assert_eq!(stations.places, ["3195", "9170X"]);
    assert!(settings(&[(STATIONS, "Todas")]).is_all());
    let climate = settings(&[
        (PRODUCT, "climatologia_diaria"),
        (STATIONS, "3195"),
        (START_DATE, "2026-01-31"),
    ]);
    assert_eq!((climate.chunk_days, climate.start_day), (150, Some(20_484)));
    assert_eq!(
        settings(&[(BASE_URL, "http://127.0.0.1:9/opendata/api/")]).base.path,
        "/opendata/api"
    );
}

#[test]
fn wrong_settings_are_named_with_what_to_do() {
    for (pairs, key, part) in [
        (vec![(API_KEY, "")], API_KEY, "ask for a key at opendata.aemet.es"),
        (vec![(STATIONS, "")], STATIONS, "name stations, or todas"),
        (vec![(STATIONS, "3195,todas")], STATIONS, "stands alone"),
        (vec![(STATIONS, "../x")], STATIONS, "no station identifier"),
        (vec![(PRODUCT, "prediccion_diaria")], MUNICIPIOS, "name at least one"),
        (
            vec![(PRODUCT, "prediccion_diaria"), (MUNICIPIOS, "280651")],
            MUNICIPIOS,
            "five digits",
        ),
        (vec![(BASE_URL, "opendata.aemet.es")], BASE_URL, "begins with https://"),
        (
            vec![(BASE_URL, "https://h/?api_key=x")],
            BASE_URL,
            "cannot have a query",
        ),
        (vec![(ALLOW_DATA_HOSTS, "http://h/x")], ALLOW_DATA_HOSTS, "not a host"),
        (vec![(START_DATE, "31/01/2026")], START_DATE, "2026-01-31"),
        (vec![(CHUNK_DAYS, "16")], CHUNK_DAYS, "at most 15 days"),
    ] {
        let config = config(&pairs);
        let error = Settings::parse(&config).expect_err(part);
        assert!(error.message.contains(key) && error.message.contains(part), "{error}");
        let wrong = Settings::wrong(&config);
        assert!(
            wrong.iter().any(|(name, text)| *name == key && text.contains(part)),
            "{wrong:?}"
        );
    }
    let unknown = Settings::parse(&config(&[(PRODUCT, "avisos")])).expect_err("a product that is no rows");
    assert!(unknown.message.contains("aemet.product"), "{unknown}");
    assert_eq!(Settings::wrong(&config(&[])), []);
}

#[test]
fn the_key_is_not_shown() {
    let shown = format!("{:?}", settings(&[]));
    assert!(!shown.contains("K3Y"), "{shown}");
}
