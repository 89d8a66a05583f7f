use std::io::Write as _;

use super::*;
use crate::budget::{self, Rate};
use crate::runtime;
use crate::testing::{HttpHandler, Piece, TestHost, TestResponse, install, with_host};

fn serve(pieces: Vec<Piece>, encoding: Option<&str>) -> Result<Response, HttpError> {
    let response = TestResponse {
        status: 200,
        headers: encoding
            .iter()
            .map(|coding| ("Content-Encoding".to_owned(), (*coding).to_owned()))
            .collect(),
        pieces,
    };
    let handler: HttpHandler = Box::new(move |_, _| Ok(response.clone()));
    install(TestHost {
        http: Some(handler),
        clock_ms: Some(1_000),
        ..TestHost::default()
    });
    send(&Request::get("https://api.example.com/items?key=abc"))
}

fn bytes(text: &str) -> Piece {
    Piece::Bytes(text.as_bytes().to_vec())
}

fn now_ms() -> i64 {
    runtime::now_ms()
}

#[test]
fn a_body_comes_piece_by_piece_and_waits_move_the_clock() {
    let mut response = serve(vec![bytes("ab"), Piece::Wait(700), bytes("c")], None).expect("answered");
    assert_eq!(response.read(1, 500), Ok(Chunk::Bytes(b"a".to_vec())));
    assert_eq!(response.read(10, 500), Ok(Chunk::Bytes(b"b".to_vec())));
    assert_eq!(response.read(10, 500), Ok(Chunk::Nothing));
    assert_eq!(now_ms(), 1_500);
    assert_eq!(response.read(10, 500), Ok(Chunk::Bytes(b"c".to_vec())));
    assert_eq!(now_ms(), 1_700);
    assert_eq!(response.read(10, 500), Ok(Chunk::End));
}

#[test]
fn silence_ends_in_a_timeout_however_it_is_read() {
    let mut response = serve(vec![bytes("a"), Piece::Hang], None).expect("answered");
    assert_eq!(response.body(100), Err(HttpError::TimedOut));
    assert_eq!(now_ms(), 31_000);
    let mut response = serve(vec![Piece::Hang], None).expect("answered");
    let silent = (0..100)
        .take_while(|_| response.read(1, 1_000) == Ok(Chunk::Nothing))
        .count();
    assert_eq!(silent, 29, "the 30th second is the timeout");
}

#[test]
fn a_body_that_drips_is_given_up_after_ten_timeouts() {
    let drops = (0..1000).flat_map(|_| [Piece::Wait(20_000), bytes("x")]).collect();
    let mut response = serve(drops, None).expect("answered");
    assert_eq!(response.body(1_000_000), Err(HttpError::TimedOut));
    assert_eq!(now_ms(), 321_000);
}

#[test]
fn a_cut_connection_is_a_reset_before_the_body_and_a_truncation_in_it() {
    let mut response = serve(vec![Piece::Reset], None).expect("answered");
    assert_eq!(response.body(100), Err(HttpError::Reset));
    let mut response = serve(vec![bytes("half"), Piece::Reset], None).expect("answered");
    assert_eq!(response.body(100), Err(HttpError::Truncated));
}

#[test]
fn a_body_over_the_limit_is_refused_and_one_at_the_limit_taken() {
    let mut response = serve(vec![bytes("12345")], None).expect("answered");
    assert_eq!(response.body(4), Err(HttpError::TooLarge { limit: 4 }));
    let mut response = serve(vec![bytes("12345")], None).expect("answered");
    assert_eq!(response.body(5), Ok(b"12345".to_vec()));
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).expect("into memory");
    encoder.finish().expect("into memory")
}

#[test]
fn gzip_is_undone_and_a_bomb_ends_at_the_limit() {
    let packed = Piece::Bytes(gzip(b"hello"));
    let mut response = serve(vec![packed], Some("GZIP")).expect("answered");
    assert_eq!(response.body(100), Ok(b"hello".to_vec()));

    let bomb = Piece::Bytes(gzip(&vec![0; 10_000_000]));
    let mut response = serve(vec![bomb], Some("gzip")).expect("answered");
    assert_eq!(response.body(100_000), Err(HttpError::TooLarge { limit: 100_000 }));

    let mut cut = gzip(b"hello");
    cut.truncate(cut.len() - 4);
    let mut response = serve(vec![Piece::Bytes(cut)], Some("gzip")).expect("answered");
    assert_eq!(response.body(100), Err(HttpError::Truncated));

    let mut response = serve(vec![bytes("no gzip at all")], Some("gzip")).expect("answered");
    assert!(matches!(response.body(100), Err(HttpError::Other(_))));
    let mut response = serve(vec![bytes("x")], Some("br")).expect("answered");
    assert!(matches!(response.body(100), Err(HttpError::Other(_))));
}

#[test]
fn a_url_that_cannot_be_asked_never_reaches_the_host() {
    let check = |url: &str| matches!(send(&Request::get(url)), Err(HttpError::InvalidUrl(_)));
    for url in [
        "",
        "api.example.com/x",
        "ftp://api.example.com/",
        "https://",
        "https://:80/",
        "https://user:password@api.example.com/",
        "https://api.example.com/a b",
        "https://api.example.com/\u{e4}",
        "https://api.example.com/\r\nX: y",
    ] {
        assert!(check(url), "{url}");
    }
    let target = Target::of("HTTP://api.example.com:80?a=1#part").expect("an URL");
    assert_eq!(target.authority, "api.example.com:80");
    assert_eq!(target.path_and_query, "/?a=1");
    assert_eq!(target.scheme, Scheme::Http);
}

#[test]
fn the_debug_form_of_a_request_shows_no_secret() {
    let request = Request::post("https://api.example.com/items?key=abc", "password=def").with_header("X-Key", "ghi");
    let shown = format!("{request:?}");
    assert!(
        shown.contains("https://api.example.com/items") && shown.contains("X-Key"),
        "{shown}"
    );
    assert!(
        !["abc", "def", "ghi"].iter().any(|secret| shown.contains(secret)),
        "{shown}"
    );
}

#[test]
fn a_handler_sees_the_time_and_its_timeout_takes_the_read_timeout() {
    let handler: HttpHandler = Box::new(|request, now_ms| {
        assert_eq!((request.header("ACCEPT"), now_ms), (Some("text/csv"), 1_000));
        Err(HttpError::TimedOut)
    });
    install(TestHost {
        http: Some(handler),
        clock_ms: Some(1_000),
        ..TestHost::default()
    });
    let request = Request::get("http://127.0.0.1/").with_header("accept", "text/csv");
    assert_eq!(send(&request).err(), Some(HttpError::TimedOut));
    assert_eq!(now_ms(), 31_000);
}

#[test]
fn budgets_run_on_the_virtual_clock_and_are_shared_by_name() {
    install(TestHost {
        clock_ms: Some(0),
        ..TestHost::default()
    });
    let rate = Rate {
        requests: 2,
        per_ms: 10_000,
    };
    assert_eq!([0; 3].map(|_: i32| budget::take("search", rate)), [0, 0, 5_000]);
    assert_eq!(budget::take("users", rate), 0);
    assert!(!runtime::sleep(5_000));
    assert_eq!(budget::take("search", rate), 0);
    budget::hold("search", 900_000);
    assert_eq!(budget::take("search", rate), 900_000);
    with_host(|host| host.stopped = true);
    assert!(runtime::sleep(900_000), "woken by stop");
    assert_eq!(now_ms(), 5_000, "a wait cut short takes no time");
}
