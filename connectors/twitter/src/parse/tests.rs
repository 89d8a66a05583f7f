use serde_json::json;

use super::*;

const PAGE: &str = r#"{"data":[
 {"id":"2123809890366390475","text":"Lluvia fuerte esta tarde en el puerto","created_at":"2026-11-20T16:05:11.000Z","author_id":"410","lang":"es",
  "public_metrics":{"retweet_count":1,"reply_count":0,"like_count":7,"quote_count":0,"bookmark_count":0,"impression_count":210},
  "edit_history_tweet_ids":["2123809890366390475"]},
 {"id":"2123808845984694452","text":"RT cobertura en directo","created_at":"2026-11-20T16:01:02.000Z","author_id":"411","lang":"es",
  "referenced_tweets":[{"type":"retweeted","id":"2123806069355446392"}],"edit_history_tweet_ids":["2123808845984694452"]}],
 "includes":{"users":[{"id":"410","username":"faro_norte","name":"Faro Norte","verified":false},{"id":"411","username":"diario_ejemplo","name":"Diario Ejemplo","verified":true}]},
 "meta":{"newest_id":"2123809890366390475","oldest_id":"2123808845984694452","result_count":2,"next_token":"p2tok"}}"#;

fn page(text: &str) -> Page {
    Page::parse(&serde_json::from_str(text).expect("JSON"), false)
}

#[test]
fn a_page_is_read() {
    let page = page(PAGE);
    assert_eq!(
        (page.newest_id, page.next_token.as_deref()),
        (Some(2_123_809_890_366_390_475), Some("p2tok"))
    );
    assert_eq!(
        (page.posts.len(), page.bad.len(), page.problems.len(), page.users.len()),
        (2, 0, 0, 2)
    );
    let expected = Post {
        id: 2_123_809_890_366_390_475,
        text: "Lluvia fuerte esta tarde en el puerto".to_owned(),
        created_at_ms: Some(1_795_190_711_000),
        author_id: Some("410".to_owned()),
        lang: Some("es".to_owned()),
        metrics: Some(Metrics {
            retweets: 1,
            likes: 7,
            bookmarks: Some(0),
            impressions: Some(210),
            ..Metrics::default()
        }),
        edit_history: Some(vec!["2123809890366390475".to_owned()]),
        ..Post::default()
    };
    assert_eq!(page.posts[0], expected);
    assert_eq!(
        page.posts[1].referenced,
        Some(vec![("retweeted".to_owned(), "2123806069355446392".to_owned())])
    );
    // The time in the ids agrees with what the posts say.
    for post in &page.posts {
        assert_eq!(post.created_at_ms.map(|ms| ms / 1000), Some(time_of(post.id) / 1000));
    }
}

#[test]
fn the_newer_spelling_gives_the_same() {
    let newer = PAGE
        .replace("edit_history_tweet_ids", "edit_history_post_ids")
        .replace("retweet_count", "repost_count")
        .replace("referenced_tweets", "referenced_posts")
        .replace("\"retweeted\"", "\"reposted\"");
    assert_ne!(newer, PAGE);
    assert_eq!(page(&newer), page(PAGE));
}

#[test]
fn nothing_new_is_an_empty_page() {
    assert_eq!(page(r#"{"meta":{"result_count":0}}"#), Page::default());
    assert_eq!(
        page(r#"{"data":null,"includes":null,"errors":null,"meta":null}"#),
        Page::default()
    );
}

#[test]
fn what_is_unknown_null_or_of_another_type_does_no_harm() {
    let page = page(
        r#"{"data":[{"id":9007199254740993001,"text":"x","created_at":"soon","author_id":410,"lang":null,"public_metrics":{"like_count":"3","retweet_count":null},
        "entities":{"hashtags":null,"mentions":[{"username":"a"},{"x":1},7],"urls":[{"url":"https://t.co/1","expanded_url":"https://e.example"}]},
        "referenced_tweets":null,"edit_history_tweet_ids":null,"possibly_sensitive":"no","geo":{"place_id":"p1"},"brand_new":{"deep":[1]}}],
        "includes":{"users":[{"id":"1"},{"name":"no id"}],"moons":[]},"meta":{"newest_id":7}}"#,
    );
    let expected = Post {
        id: 9_007_199_254_740_993_001,
        text: "x".to_owned(),
        author_id: Some("410".to_owned()),
        metrics: Some(Metrics {
            likes: 3,
            ..Metrics::default()
        }),
        mentions: Some(vec!["a".to_owned()]),
        urls: Some(vec!["https://e.example".to_owned()]),
        place_id: Some("p1".to_owned()),
        ..Post::default()
    };
    assert_eq!(page.posts, [expected]);
    assert_eq!((page.users.len(), page.newest_id), (1, Some(9_007_199_254_740_993_001)));
}

#[test]
fn posts_without_id_or_text_are_bad() {
    let page = page(r#"{"data":[{"text":"x"},{"id":"5"},{"id":"x","text":"y"},{"id":"6","text":7},"post"]}"#);
    let reasons: Vec<String> = page
        .bad
        .iter()
        .map(|bad| format!("{}: {}", bad.id, bad.reason))
        .collect();
    assert_eq!(
        reasons,
        [
            "without id: it has no id",
            "5: it has no text",
            "x: it has no id",
            "6: it has no text",
            "without id: it has no id"
        ]
    );
    assert_eq!(page.bad[1].raw, r#"{"id":"5"}"#);
}

#[test]
fn long_posts_have_their_whole_text() {
    for name in ["note_tweet", "note_post"] {
        let body = json!({"data": [{"id": "5", "text": "sho…", name: {"text": "short and long"}}]});
        let page = Page::parse(&body, true);
        assert_eq!(page.posts[0].text, "short and long");
        assert_eq!(page.posts[0].raw.as_deref(), Some(body["data"][0].to_string().as_str()));
    }
}

#[test]
fn lines_of_the_stream_are_told_apart() {
    let line = r#"{"data":{"id":"2123811102520246573","text":"Prueba de regla","created_at":"2026-11-20T16:10:00.000Z","author_id":"410","edit_history_tweet_ids":["2123811102520246573"]},"includes":{"users":[{"id":"410","username":"faro_norte","name":"Faro Norte"}]},"matching_rules":[{"id":"77001","tag":"lluvia"}]}"#;
    let Line::Post(post, users) = Line::parse(line.as_bytes(), false) else {
        panic!("a post");
    };
    assert_eq!(
        (post.id, post.text.as_str()),
        (2_123_811_102_520_246_573, "Prueba de regla")
    );
    assert_eq!(users["410"].username.as_deref(), Some("faro_norte"));
    let rule = MatchingRule {
        id: "77001".to_owned(),
        tag: Some("lluvia".to_owned()),
    };
    assert_eq!(post.matching_rules, Some(vec![rule]));

    let error = r#"{"errors":[{"title":"operational-disconnect","disconnect_type":"UpstreamOperationalDisconnect","detail":"closed for test","type":"https://api.x.com/2/problems/operational-disconnect"}]}"#;
    let Line::Problems(problems) = Line::parse(error.as_bytes(), false) else {
        panic!("problems");
    };
    assert!(problems[0].is("operational-disconnect") && problems[0].detail == "closed for test");
    for (line, expected) in [
        (&b"{\"info\":{}}"[..], Line::Unknown),
        (b"[]", Line::Unknown),
        (b"{\"data\":{", Line::Broken),
        (b"\xff\xfe", Line::Broken),
    ] {
        assert_eq!(Line::parse(line, false), expected);
    }
    assert!(matches!(Line::parse(b"{\"data\":{\"id\":\"1\"}}", false), Line::Bad(_)));
}
