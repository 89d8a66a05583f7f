use super::{PageView, Paging, Size, TokenPlace, TokenTarget, link_of_header};
use serde_json::{Value, json};
use weir_feed::answer::Answer;
use weir_feed::pointer::Pointer;
use weir_feed::url::Url;

fn next(paging: &Paging, page: Option<&str>, body: &Value, rows: usize) -> Result<Option<String>, String> {
    let answer = Answer {
        headers: vec![
            ("X-Next".to_owned(), "h-tok".to_owned()),
            (
                "Link".to_owned(),
                "<?page=1>; rel=prev, </b?page=3>; rel=\"next last\"".to_owned(),
            ),
        ],
        url: "https://h/a?page=2".to_owned(),
        ..Answer::default()
    };
    let view = PageView {
        answer: &answer,
        body: Some(body),
        rows,
    };
    paging.next(page, view)
}

fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).expect("a pointer")
}

fn size(rows: u64) -> Size {
    Size {
        param: Some("size".to_owned()),
        rows,
    }
}

#[test]
fn numbered_pages_end_with_a_short_one() {
    let paging = Paging::Page {
        param: "page".to_owned(),
        start: 1,
        size: size(2),
    };
    assert_eq!(paging.first().as_deref(), Some("1"));
    assert_eq!(next(&paging, Some("1"), &Value::Null, 2), Ok(Some("2".to_owned())));
    assert_eq!(next(&paging, Some("2"), &Value::Null, 1), Ok(None));
    let unsized_pages = Paging::Page {
        param: "page".to_owned(),
        start: 0,
        size: Size::default(),
    };
    assert_eq!(
        next(&unsized_pages, Some("0"), &Value::Null, 1),
        Ok(Some("1".to_owned()))
    );
    assert_eq!(next(&unsized_pages, Some("1"), &Value::Null, 0), Ok(None));
}

#[test]
fn offsets_end_at_the_total() {
    let with_total = |total| Paging::Offset {
        param: "offset".to_owned(),
        size: size(2),
        total,
    };
    let body = json!({"total": 5});
    let paging = with_total(Some(pointer("/total")));
    assert_eq!(next(&paging, Some("0"), &body, 1), Ok(Some("1".to_owned())));
    assert_eq!(next(&paging, Some("3"), &body, 2), Ok(None));
    assert_eq!(next(&paging, Some("0"), &body, 0), Ok(None));
    assert_eq!(next(&with_total(None), Some("2"), &body, 2), Ok(Some("4".to_owned())));
    assert_eq!(next(&with_total(None), Some("4"), &body, 1), Ok(None));
}

#[test]
fn tokens_end_when_they_are_absent_null_or_empty() {
    let paging = Paging::Cursor {
        from: TokenPlace::parse("/paging/cursors/after").expect("a place"),
        to: TokenTarget::Param("after".to_owned()),
    };
    assert_eq!(
        next(&paging, None, &json!({"paging": {"cursors": {"after": "abc"}}}), 1),
        Ok(Some("abc".to_owned()))
    );
    assert_eq!(
        next(&paging, None, &json!({"paging": {"cursors": {"after": 7}}}), 1),
        Ok(Some("7".to_owned()))
    );
    for end in [
        json!({}),
        json!({"paging": {"cursors": {"after": null}}}),
        json!({"paging": {"cursors": {"after": ""}}}),
    ] {
        assert_eq!(next(&paging, Some("abc"), &end, 1), Ok(None));
    }
    assert!(next(&paging, None, &json!({"paging": {"cursors": {"after": [1]}}}), 1).is_err());
    let from_header = Paging::Cursor {
        from: TokenPlace::parse("header:x-next").expect("a place"),
        to: TokenTarget::Placeholder,
    };
    assert_eq!(next(&from_header, None, &Value::Null, 1), Ok(Some("h-tok".to_owned())));
}

#[test]
fn links_are_made_whole() {
    let by_header = Paging::NextLink { pointer: None };
    assert_eq!(
        next(&by_header, None, &Value::Null, 1),
        Ok(Some("https://h/b?page=3".to_owned()))
    );
    let by_pointer = Paging::NextLink {
        pointer: Some(pointer("/next")),
    };
    assert_eq!(
        next(&by_pointer, None, &json!({"next": "?page=3"}), 1),
        Ok(Some("https://h/a?page=3".to_owned()))
    );
    assert_eq!(next(&by_pointer, None, &json!({"next": null}), 1), Ok(None));
    assert!(next(&by_pointer, None, &json!({"next": 5}), 1).is_err());
    assert_eq!(link_of_header("<http://x/a,b>; rel=\"first\""), None);
    assert_eq!(
        link_of_header("<http://x/a,b>;title=\"t\";rel=next").as_deref(),
        Some("http://x/a,b")
    );
    assert_eq!(link_of_header("<broken"), None);
}

#[test]
fn requests_name_the_page() {
    let mut url = Url::parse("https://h/a?page=9&x=1").expect("a URL");
    let paging = Paging::Page {
        param: "page".to_owned(),
        start: 1,
        size: size(50),
    };
    paging.place(Some("2"), &mut url).expect("placed");
    assert_eq!(url.to_string(), "https://h/a?x=1&page=2&size=50");
    let mut body = json!({"q": 1});
    let paging = Paging::Cursor {
        from: TokenPlace::Header("x".to_owned()),
        to: TokenTarget::Body(pointer("/page/after")),
    };
    paging.place_in_body(Some("tok"), &mut body).expect("placed");
    assert_eq!(body, json!({"q": 1, "page": {"after": "tok"}}));
}
