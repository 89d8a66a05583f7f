//! Services that mean ill or are broken: a clear error or bounded work, never a leak or an endless loop

mod support;

use serde_json::json;
use support::{Pairs, START, Source, config, ids, json_answer, now, texts};
use weir_fakes::recorded::{Recorded, Scripted};
use weir_fakes::service::{FakeRequest, FakeResponse, Piece};
use weir_http::source::HttpSourceConnector;
use weir_sdk::source::SourceConnector;

#[test]
fn pages_that_go_round_are_noticed() {
    let cursor = [
        ("http.paging.mode", "cursor"),
        ("http.paging.token.pointer", "/next"),
        ("http.paging.token.param", "after"),
    ];
    let link = [("http.paging.mode", "next_link"), ("http.paging.link.pointer", "/next")];
    let page = [("http.paging.mode", "page"), ("http.paging.param", "page")];
    for settings in [&cursor[..], &link, &page] {
        let (service, log) = Recorded::new(Scripted(|_: &FakeRequest, _| {
            json_answer(&json!({"items": [{"id": 1}], "next": "/items?same"}))
        }));
        let error = Source::new("/items", settings, service).poll_until_error();
        assert!(error.message.contains("go round in circles"), "{error}");
        assert!(log.len() <= 3, "{}", log.len());
    }
}

#[test]
fn endless_pages_are_read_in_turns() {
    let mut count = 0;
    let (service, log) = Recorded::new(Scripted(move |_: &FakeRequest, _: i64| {
        count += 1;
        json_answer(&json!({"items": [{"id": count}], "next": format!("t{count}")}))
    }));
    let settings = [
        ("http.paging.mode", "cursor"),
        ("http.paging.token.pointer", "/next"),
        ("http.paging.token.param", "after"),
        ("http.paging.max.pages", "5"),
    ];
    let mut source = Source::new("/items", &settings, service);
    let records = source.poll_until(START + 170_000);
    assert_eq!(log.len(), 15);
    assert_eq!(ids(&records), (1..=14).collect::<Vec<_>>());
}

#[test]
fn a_page_of_100_000_rows_is_handed_over_in_pieces() {
    let rows: Vec<_> = (0..100_000).map(|id| json!({"id": id})).collect();
    let body = json!({"items": rows});
    let service = Scripted(move |_: &FakeRequest, _: i64| json_answer(&body));
    let mut source = Source::new("/items", &[("records.max.per.poll", "300")], service);
    let mut total = 0;
    while total < 100_000 {
        let records = source.poll_once().expect("no error").expect("more rows");
        assert!(records.len() <= 300, "{}", records.len());
        assert_eq!(ids(&records).first(), Some(&i64::from(total)));
        total += i32::try_from(records.len()).expect("few");
    }
    assert_eq!(source.poll_once(), Ok(None));
}

#[test]
fn bodies_are_bounded() {
    let service = Scripted(|_: &FakeRequest, _| json_answer(&json!({"items": ["x".repeat(5_000)]})));
    let error = Source::new("/items", &[("http.max.body.bytes", "1000")], service).poll_until_error();
    assert!(
        error.message.contains("response too large") && error.message.contains("1000 bytes"),
        "{error}"
    );
    // An endless body ends at the limit, too, and one that drips at the time limit.
    let pieces: Vec<Piece> = (0..2_000).map(|_| Piece::Bytes(vec![b' '; 1_000])).collect();
    let service = Scripted(move |_: &FakeRequest, _: i64| FakeResponse {
        status: 200,
        headers: Vec::new(),
        pieces: pieces.clone(),
    });
    let error = Source::new("/items", &[("http.max.body.bytes", "100000")], service).poll_until_error();
    assert!(error.message.contains("response too large"), "{error}");
    let service = Scripted(|_: &FakeRequest, _: i64| FakeResponse {
        status: 200,
        headers: Vec::new(),
        pieces: (0..10_000)
            .flat_map(|_| [Piece::Wait(20_000), Piece::Bytes(vec![b' '])])
            .collect(),
    });
    let error = Source::new("/items", &[("retry.max.attempts", "2")], service).poll_until_error();
    assert!(error.message.contains("timed out"), "{error}");
    assert!(now() < START + 2 * 3_600_000);
}

#[test]
fn charsets_marks_and_types_that_lie_are_read() {
    let bodies: [(&str, &[u8]); 4] = [
        (
            "text/plain; charset=utf-8",
            b"{\"items\":[{\"id\":1,\"name\":\"ma\xf1ana \xa4\"}]}",
        ),
        (
            "image/png",
            b"\xef\xbb\xbf{\"items\":[{\"id\":1,\"name\":\"ma\xc3\xb1ana \xe2\x82\xac\"}]}",
        ),
        (
            "application/json; charset=iso-8859-15",
            b"{\"items\":[{\"id\":1,\"name\":\"ma\xf1ana \xa4\"}]}",
        ),
        (
            "application/json; charset=windows-1252",
            b"{\"items\":[{\"id\":1,\"name\":\"ma\xf1ana \x80\"}]}",
        ),
    ];
    for (content_type, body) in bodies {
        let service = Scripted(move |_: &FakeRequest, _: i64| FakeResponse::bytes(200, content_type, body.to_vec()));
        let records = Source::new("/items", &[], service).poll(2);
        assert_eq!(texts(&records), [r#"{"id":1,"name":"mañana €"}"#], "{content_type}");
    }
}

#[test]
fn redirects_and_links_to_other_hosts_are_refused() {
    for target in [
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://evil.test/",
        "http://2130706433/",
    ] {
        let service = Scripted(move |_: &FakeRequest, _: i64| FakeResponse::text(302, "").header("location", target));
        let error = Source::new(
            "/items",
            &[("http.auth.type", "bearer"), ("http.auth.token", "MARKER")],
            service,
        )
        .poll_until_error();
        assert!(error.message.contains("redirected"), "{target}: {error}");
        let link = Scripted(move |_: &FakeRequest, _: i64| json_answer(&json!({"items": [{"id": 1}], "next": target})));
        let settings = [("http.paging.mode", "next_link"), ("http.paging.link.pointer", "/next")];
        let error = Source::new("/items", &settings, link).poll_until_error();
        assert!(
            error.message.contains("next page") || error.message.contains("leads nowhere"),
            "{target}: {error}"
        );
    }
    // A host that is allowed gets no credentials.
    let (service, log) = Recorded::new(Scripted(|request: &FakeRequest, _: i64| match request.header("host") {
        Some("items.test") => json_answer(&json!({"items": [{"id": 1}], "next": "http://cdn.test/more"})),
        _ => json_answer(&json!({"items": [{"id": 2}]})),
    }));
    let settings = [
        ("http.paging.mode", "next_link"),
        ("http.paging.link.pointer", "/next"),
        ("http.allow.hosts", "cdn.test"),
        ("http.headers", "X-Own: MARKER"),
        ("http.auth.type", "bearer"),
        ("http.auth.token", "MARKER"),
    ];
    let mut source = Source::new("/items", &settings, service);
    assert_eq!(ids(&source.poll(5)), [1, 2]);
    let foreign = log.of_path("/more");
    assert!(
        foreign
            .iter()
            .all(|arrival| !format!("{:?}", arrival.request.headers).contains("MARKER")),
        "{foreign:?}"
    );
    source.assert_no_secret();
}

#[test]
fn secrets_that_a_service_repeats_are_hidden() {
    for status in [400, 500] {
        let service = Scripted(move |request: &FakeRequest, _: i64| {
            FakeResponse::text(status, &format!("no: {:?} {}", request.headers, request.query))
        });
        let settings = [
            ("http.auth.type", "api_key"),
            ("http.auth.api.key.name", "key"),
            ("http.auth.api.key.in", "query"),
            ("http.auth.token", "MARKER-key"),
            ("http.headers", "X-Own: ${config.http.headers.sensitive}"),
            ("http.headers.sensitive", "MARKER-header"),
            ("retry.max.attempts", "3"),
        ];
        let mut source = Source::new("/items", &settings, service);
        let error = source.poll_until_error();
        assert!(
            !error.message.contains("MARKER") && error.message.contains("[hidden]"),
            "{error}"
        );
        source.assert_no_secret();
    }
}

#[test]
fn wrong_settings_say_what_was_found_and_what_would_be_right() {
    let cases: [(&str, Pairs<'_>, &str, &str); 25] = [
        (
            "/x",
            &[
                ("http.paging.mode", "next_link"),
                ("http.paging.link.pointer", "/items/0/next"),
            ],
            "http.paging.mode",
            "leads into one of the records",
        ),
        ("/${offset.curser}", &[], "http.url", "${offset.cursor}"),
        ("/${partition}", &[], "http.partitions", "list them in http.partitions"),
        (
            "/x",
            &[("http.partitions", "a,b")],
            "http.partitions",
            "put ${partition} into http.url",
        ),
        ("/x", &[("http.params", "a=b")], "http.params", "NAME: VALUE"),
        (
            "/x",
            &[("http.response.records.pointer", "data.items")],
            "http.response.records.pointer",
            "/data/items",
        ),
        (
            "/x",
            &[("http.response.filter", "/a = 1")],
            "http.response.filter",
            "at character 4",
        ),
        (
            "/x",
            &[("http.response.charset", "ebcdic")],
            "http.response.charset",
            "ISO-8859-15",
        ),
        (
            "/x",
            &[("http.record.timestamp.format", "hh:mm")],
            "http.record.timestamp.format",
            "epoch_ms",
        ),
        (
            "/x",
            &[("http.record.timestamp.zone", "Mars")],
            "http.record.timestamp.zone",
            "Europe/Madrid",
        ),
        (
            "/x",
            &[("http.schema.mode", "registry:items-value")],
            "http.schema.mode",
            "http.schema.mode=inline",
        ),
        (
            "/x",
            &[("http.schema.mode", "avro")],
            "http.schema.mode",
            "json_string, inferred, inline",
        ),
        (
            "/x",
            &[("http.schema.mode", "inline")],
            "http.schema",
            "Missing required",
        ),
        (
            "/x",
            &[("http.paging.mode", "page")],
            "http.paging.param",
            "http.paging.mode=page",
        ),
        (
            "/x",
            &[("http.paging.mode", "cursor")],
            "http.paging.token.pointer",
            "http.paging.mode=cursor",
        ),
        (
            "/x",
            &[("http.paging.mode", "next_link")],
            "http.paging.link.pointer",
            "http.paging.link.header=true",
        ),
        (
            "/x",
            &[("http.incremental.mode", "timestamp")],
            "http.incremental.pointer",
            "Missing required",
        ),
        (
            "/x",
            &[("http.incremental.step", "P1M")],
            "http.incremental.step",
            "months",
        ),
        (
            "/x",
            &[
                ("http.emit", "changes"),
                ("http.incremental.mode", "id"),
                ("http.incremental.pointer", "/id"),
            ],
            "http.emit",
            "http.incremental.mode=none",
        ),
        (
            "/x",
            &[("emit.tombstones", "true")],
            "emit.tombstones",
            "http.emit=changes",
        ),
        (
            "/x",
            &[("http.auth.type", "basic"), ("http.auth.user", "u")],
            "http.auth.password",
            "http.auth.type=basic",
        ),
        (
            "/x",
            &[("http.auth.type", "oauth2_client_credentials")],
            "http.auth.oauth2.token.url",
            "Missing required",
        ),
        (
            "/x",
            &[("http.errors", "status 404 -> ignore")],
            "http.errors",
            "'ignore' is not one of",
        ),
        (
            "/x",
            &[("http.allow.hosts", "https://a/")],
            "http.allow.hosts",
            "leave out scheme",
        ),
        (
            "/${config.http.auth.token}",
            &[("http.auth.token", "MARKER")],
            "http.url",
            "cannot stand in the path",
        ),
    ];
    for (target, settings, key, part) in cases {
        let infos = HttpSourceConnector::default()
            .validate(&config(target, settings))
            .expect("validated");
        let errors: Vec<&String> = infos
            .iter()
            .filter(|info| info.name == key)
            .flat_map(|info| &info.errors)
            .collect();
        assert!(
            errors.iter().any(|error| error.contains(part)),
            "{target} {settings:?}: {infos:?}"
        );
        assert!(!format!("{infos:?}").contains("MARKER"), "{infos:?}");
    }
    assert_eq!(
        HttpSourceConnector::default().validate(&config("/x", &[])),
        Ok(Vec::new())
    );
    let mut placeholder_host = config("/x", &[]);
    placeholder_host.insert("http.url", "http://${partition}.test/");
    assert!(
        format!("{:?}", HttpSourceConnector::default().validate(&placeholder_host)).contains("path and query only")
    );
}
