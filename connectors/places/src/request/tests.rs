use weir_sdk::config::map::ConfigMap;

use super::*;
use crate::area::Area;
use crate::place::Kept;

fn asking(api: Api) -> Asking {
    let config: ConfigMap = [("key", "k&y")].into_iter().collect();
    Asking {
        api,
        base_url: "https://places.example".to_owned(),
        key: Secret::of(&config, "key").expect("set above"),
        fields: Fields::choose(&["displayName".to_owned()], Kept::Content),
        included_types: vec!["cafe".to_owned()],
        excluded_types: vec!["bar".to_owned()],
        language: Some("es".to_owned()),
        region: Some("ES".to_owned()),
    }
}

fn cell(area: &str) -> Cell {
    Area::parse(area).expect("valid").cells(0).expect("one")[0]
}

fn shown(request: &Request) -> String {
    let headers: Vec<String> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let body = String::from_utf8_lossy(&request.body);
    format!(
        "{} {}\n{}\n{body}",
        request.method.as_str(),
        request.url,
        headers.join("\n")
    )
}

#[test]
fn requests_of_the_new_api_are_as_documented() {
    let asking = asking(Api::New);
    let nearby = Search::Nearby {
        cell: cell("40.4168,-3.7038,500"),
        kind: None,
    };
    assert_eq!(
        shown(&asking.request(&nearby, None)),
        "POST https://places.example/v1/places:searchNearby\n\
         content-type: application/json\n\
         x-goog-api-key: k&y\n\
         x-goog-fieldmask: places.id,places.displayName,places.attributions\n\
         {\"includedTypes\":[\"cafe\"],\"excludedTypes\":[\"bar\"],\"maxResultCount\":20,\"locationRestriction\":\
         {\"circle\":{\"center\":{\"latitude\":40.4168,\"longitude\":-3.7038},\"radius\":500.0}},\
         \"languageCode\":\"es\",\"regionCode\":\"ES\"}"
    );
    let text = Search::Text {
        cell: cell("40.25,-3.75,40.5,-3.5"),
        query: "café \"bueno\"".to_owned(),
    };
    assert_eq!(
        shown(&asking.request(&text, Some("tok-2"))),
        "POST https://places.example/v1/places:searchText\n\
         content-type: application/json\n\
         x-goog-api-key: k&y\n\
         x-goog-fieldmask: places.id,places.displayName,places.attributions,nextPageToken\n\
         {\"textQuery\":\"café \\\"bueno\\\"\",\"pageSize\":20,\"includedType\":\"cafe\",\"locationRestriction\":\
         {\"rectangle\":{\"low\":{\"latitude\":40.25,\"longitude\":-3.75},\"high\":{\"latitude\":40.5,\
         \"longitude\":-3.5}}},\"pageToken\":\"tok-2\",\"languageCode\":\"es\",\"regionCode\":\"ES\"}"
    );
    let details = Search::Details {
        id: "ChIJ/x".to_owned(),
    };
    assert_eq!(
        shown(&asking.request(&details, None)),
        "GET https://places.example/v1/places/ChIJ%2Fx?languageCode=es&regionCode=ES\n\
         x-goog-api-key: k&y\n\
         x-goog-fieldmask: id,displayName,attributions\n"
    );
}

#[test]
fn requests_of_the_legacy_api_are_as_documented() {
    let asking = asking(Api::Legacy);
    let url = |search: &Search, token| asking.request(search, token).url;
    let base = "https://places.example/maps/api/place";
    let nearby = Search::Nearby {
        cell: cell("40.4168,-3.7038,500"),
        kind: Some("cafe".to_owned()),
    };
    assert_eq!(
        url(&nearby, None),
        format!("{base}/nearbysearch/json?location=40.4168%2C-3.7038&radius=500&type=cafe&language=es&key=k&y")
    );
    assert_eq!(
        url(&nearby, Some("a=b")),
        format!("{base}/nearbysearch/json?pagetoken=a%3Db&key=k&y")
    );
    let text = Search::Text {
        cell: cell("40.4168,-3.7038,500"),
        query: "café".to_owned(),
    };
    assert_eq!(
        url(&text, None),
        format!(
            "{base}/textsearch/json?location=40.4168%2C-3.7038&radius=500&query=caf%C3%A9&type=cafe&language=es&region=es&key=k&y"
        )
    );
    let details = Search::Details { id: "ChIJx".to_owned() };
    assert_eq!(
        url(&details, None),
        format!(
            "{base}/details/json?place_id=ChIJx&fields=place_id%2Cname%2Cbusiness_status&language=es&region=es&key=k&y"
        )
    );
}
