use super::*;

fn config(changes: &[(&str, &str)]) -> ConfigMap {
    let base = [("topic", "places"), (API_KEY, "k"), (AREA, "40.4168,-3.7038,500")];
    base.iter().chain(changes).copied().collect()
}

#[test]
fn problems_are_told_with_the_key_and_what_to_change() {
    for (changes, key, part) in [
        (vec![(API_KEY, "")], API_KEY, "empty"),
        (vec![(BASE_URL, "ftp://x")], BASE_URL, ""),
        (
            vec![(IDS_TOPIC, "ids")],
            IDS_TOPIC,
            "cannot read topics; give the ids in places.ids",
        ),
        (vec![(STORE, "content")], STORE, "places.accept.terms=true"),
        (vec![(AREA, "")], AREA, "must be given"),
        (vec![(AREA, "north")], AREA, "lat,lng,radius"),
        (vec![(AREA, "40,-4,41,-3")], AREA, "places.cell.meters"),
        (vec![(MODE, "text")], TEXT_QUERIES, "needs words"),
        (vec![(MODE, "text"), (TEXT_QUERIES, " ; ")], TEXT_QUERIES, "needs words"),
        (
            vec![(MODE, "text"), (TEXT_QUERIES, "a"), (INCLUDED_TYPES, "a,b")],
            INCLUDED_TYPES,
            "one type at most",
        ),
        (vec![(MODE, "details")], IDS, "needs place ids"),
        (
            vec![(INCLUDED_TYPES, "a,b"), (EXCLUDED_TYPES, "b")],
            EXCLUDED_TYPES,
            "b is both included and excluded",
        ),
        (
            vec![(API, "legacy"), (EXCLUDED_TYPES, "b")],
            EXCLUDED_TYPES,
            "only nearby mode of the new API",
        ),
        (
            vec![
                (API, "legacy"),
                (STORE, "content"),
                (ACCEPT_TERMS, "true"),
                (FIELDS, "primaryType"),
            ],
            FIELDS,
            "no field like primaryType",
        ),
        (
            vec![(STORE, "content"), (ACCEPT_TERMS, "true"), (FIELDS, "places.id")],
            FIELDS,
            "without prefix",
        ),
    ] {
        let (problems, _) = check(&config(&changes)).expect("the rows themselves are fine");
        let [(found, error)] = problems.as_slice() else {
            panic!("{changes:?}: {problems:?}")
        };
        assert_eq!(*found, key, "{changes:?}");
        assert!(error.contains(part), "{changes:?}: {error}");
        let error = Settings::parse(&config(&changes)).expect_err("refused").message;
        assert!(error.contains(key), "{error}");
    }
    let types: Vec<String> = (0..51).map(|n| format!("t{n}")).collect();
    let (problems, _) = check(&config(&[(INCLUDED_TYPES, &types.join(","))])).expect("rows are fine");
    assert!(problems[0].1.contains("50 types"), "{problems:?}");
}

#[test]
fn rows_are_checked_by_the_definition() {
    for (changes, part) in [
        (vec![(API, "newest")], "must be one of: new, legacy"),
        (vec![(MODE, "all")], "must be one of: text, nearby, details"),
        (vec![(MAX_REQUESTS_PER_DAY, "-1")], "at least 0"),
        (vec![(CELL_METERS, "-1")], "at least 0"),
        (vec![(PAGE_DELAY_MS, "-2")], "at least -1"),
        (vec![(STORE, "all")], "must be one of: ids, content"),
        (vec![(EMIT, "new")], "must be one of: changes, all"),
        (vec![("topic", "")], "non-empty"),
    ] {
        let error = Settings::parse(&config(&changes)).expect_err("refused").message;
        assert!(error.contains(part), "{error}");
    }
    assert!(check(&config(&[(API, "newest")])).is_none());
    let error = Settings::parse(&[("topic", "t")].into_iter().collect())
        .expect_err("no key")
        .message;
    assert!(
        error.contains("Missing required configuration \"places.api.key\""),
        "{error}"
    );
}

#[test]
fn the_mask_is_shown_as_it_will_be_sent() {
    let content = [
        (STORE, "content"),
        (ACCEPT_TERMS, "true"),
        (FIELDS, "displayName,photos,reviews"),
    ];
    for (changes, mask) in [
        (vec![], "places.id"),
        (vec![(FIELDS, "displayName")], "places.id"),
        (content.to_vec(), "places.id,places.displayName,places.attributions"),
        (
            [&content[..], &[(MODE, "details"), (IDS, "a")]].concat(),
            "id,displayName,attributions",
        ),
        (
            [&content[..], &[(MODE, "text"), (TEXT_QUERIES, "a")]].concat(),
            "places.id,places.displayName,places.attributions,nextPageToken",
        ),
        (
            [&content[..], &[(API, "legacy")]].concat(),
            "place_id,name,business_status",
        ),
    ] {
        assert_eq!(
            check(&config(&changes)),
            Some((Vec::new(), mask.to_owned())),
            "{changes:?}"
        );
    }
}

#[test]
fn searches_are_all_cells_for_all_words_and_tasks_share_them() {
    let area = (AREA, "40.40,-3.72,40.43,-3.68");
    let text = config(&[(MODE, "text"), (TEXT_QUERIES, "a; b ;a"), area, (CELL_METERS, "1000")]);
    let settings = Settings::parse(&text).expect("valid");
    let cells = Area::parse(area.1).expect("valid").cells(1000).expect("cells").len();
    assert_eq!(settings.searches.len(), 2 * cells);
    let legacy = config(&[
        (API, "legacy"),
        (INCLUDED_TYPES, "cafe,bar"),
        area,
        (CELL_METERS, "1000"),
    ]);
    let settings = Settings::parse(&legacy).expect("valid");
    assert_eq!(settings.searches.len(), 2 * cells);
    assert_eq!(settings.page_delay_ms, 2000);
    assert_eq!(settings.asking.base_url, "https://maps.googleapis.com");
    for tasks in [1, 3, 7, 100] {
        let mut all = Vec::new();
        for task in 0..tasks {
            let (task, tasks) = (task.to_string(), tasks.to_string());
            let config = config(&[(MODE, "details"), (IDS, "a,b,c,d,e"), (TASK, &task), (TASKS, &tasks)]);
            all.extend(Settings::parse(&config).expect("valid").own_searches().to_vec());
        }
        let whole = Settings::parse(&config(&[(MODE, "details"), (IDS, "a,b,c,d,e")]))
            .expect("valid")
            .searches;
        assert_eq!(all, whole, "{tasks}");
    }
}

#[test]
fn every_row_is_documented_and_the_key_is_a_password() {
    let definition = definition();
    for key in definition.keys() {
        assert!(!key.documentation.is_empty(), "{}", key.name);
        assert!(!key.documentation.contains("  "), "{}", key.name);
    }
    let key = definition.get(API_KEY).expect("defined");
    assert_eq!(key.config_type, weir_sdk::config::def::ConfigType::Password);
    assert!(key.is_required());
}
