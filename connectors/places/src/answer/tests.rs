use serde_json::json;

use super::*;
use crate::place::Kept;

/// The sample payloads of the documentation of this feed.
const TEXT_PAGE: &str = r#"{"places":[{"id":"ChIJtest0001","name":"places/ChIJtest0001","displayName":{"text":"Café de Prueba","languageCode":"es"},"formattedAddress":"Calle Falsa 1, 28000 Madrid","location":{"latitude":40.4170,"longitude":-3.7030},"types":["cafe","food","point_of_interest"],"businessStatus":"OPERATIONAL","rating":4.3,"userRatingCount":120,"priceLevel":"PRICE_LEVEL_MODERATE"},{"id":"ChIJtest0002","displayName":{"text":"Bar Sin Dirección"},"types":["bar"],"businessStatus":"CLOSED_TEMPORARILY"}],"nextPageToken":"tok-2"}"#;
const TEXT_PAGE_2: &str = r#"{"places":[{"id":"ChIJtest0003","displayName":{"text":"Librería Ejemplo","languageCode":"es"},"location":{"latitude":40.4180,"longitude":-3.7010}}]}"#;
const LEGACY_PAGE: &str = r#"{"html_attributions":[],"results":[{"business_status":"OPERATIONAL","geometry":{"location":{"lat":40.4170,"lng":-3.7030}},"name":"Café de Prueba","place_id":"ChIJtest0001","price_level":2,"rating":4.3,"types":["cafe"],"user_ratings_total":120,"vicinity":"Calle Falsa 1"}],"status":"OK","next_page_token":"legacy-2"}"#;

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn fields(listed: &str) -> Fields {
    Fields::choose(&listed.split(',').map(str::to_owned).collect::<Vec<_>>(), Kept::Content)
}

fn all() -> Fields {
    fields("displayName,formattedAddress,location,types,businessStatus,rating,userRatingCount,priceLevel")
}

fn texts(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn cafe() -> Place {
    Place {
        id: "ChIJtest0001".to_owned(),
        name: Some("Café de Prueba".to_owned()),
        name_lang: Some("es".to_owned()),
        address: Some("Calle Falsa 1, 28000 Madrid".to_owned()),
        lat: Some(40.417),
        lng: Some(-3.703),
        types: texts(&["cafe", "food", "point_of_interest"]),
        business_status: Some("OPERATIONAL".to_owned()),
        rating: Some(4.3),
        rating_count: Some(120),
        price_level: Some(2),
        ..Place::default()
    }
}

#[test]
fn the_sample_pages_of_the_new_api_become_places() {
    let page = new_search(&value(TEXT_PAGE));
    assert_eq!(page.token.as_deref(), Some("tok-2"));
    assert_eq!(page.bad, []);
    let bar = Place {
        id: "ChIJtest0002".to_owned(),
        name: Some("Bar Sin Dirección".to_owned()),
        types: texts(&["bar"]),
        business_status: Some("CLOSED_TEMPORARILY".to_owned()),
        ..Place::default()
    };
    assert_eq!(page.places, [cafe(), bar]);
    let page = new_search(&value(TEXT_PAGE_2));
    assert_eq!((page.token, page.places.len()), (None, 1));
    assert_eq!(new_search(&json!({})), Page::default());
}

#[test]
fn the_sample_page_of_the_legacy_api_becomes_the_same_columns() {
    let page = legacy_search(&value(LEGACY_PAGE), &all());
    assert_eq!(page.token.as_deref(), Some("legacy-2"));
    let expected = Place {
        name_lang: None,
        address: Some("Calle Falsa 1".to_owned()),
        types: texts(&["cafe"]),
        ..cafe()
    };
    assert_eq!(page.places, [expected]);
    let page = legacy_search(&value(LEGACY_PAGE), &fields("displayName"));
    let expected = Place {
        id: "ChIJtest0001".to_owned(),
        name: Some("Café de Prueba".to_owned()),
        business_status: Some("OPERATIONAL".to_owned()),
        ..Place::default()
    };
    assert_eq!(page.places, [expected], "it sends more than was chosen");
}

#[test]
fn every_column_has_its_field_and_the_rest_is_extra() {
    let place = json!({
        "id": "ChIJx", "primaryType": "cafe", "websiteUri": "https://cafe.example", "utcOffsetMinutes": 60,
        "internationalPhoneNumber": "+34 910 000 000", "nationalPhoneNumber": "910 000 000",
        "googleMapsUri": "https://maps.example/1", "plusCode": {"globalCode": "8CGR"},
        "attributions": [{"provider": "Callejero", "providerUri": "https://c.example"}, {"provider": "Sola"}],
        "photos": [{"name": "secret"}], "reviews": [{}], "priceLevel": "PRICE_LEVEL_NEW", "unknown": null
    });
    let page = new_details(&place);
    let [place] = page.places.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!(place.primary_type.as_deref(), Some("cafe"));
    assert_eq!(place.website.as_deref(), Some("https://cafe.example"));
    assert_eq!(place.phone.as_deref(), Some("+34 910 000 000"));
    assert_eq!(place.utc_offset_minutes, Some(60));
    assert_eq!(place.maps_uri.as_deref(), Some("https://maps.example/1"));
    assert_eq!(place.attributions, texts(&["Callejero https://c.example", "Sola"]));
    let extra = Value::Object(place.extra.clone());
    let expected = json!({"nationalPhoneNumber": "910 000 000", "plusCode": {"globalCode": "8CGR"}, "priceLevel": "PRICE_LEVEL_NEW"});
    assert_eq!(extra, expected);

    let body = json!({"html_attributions": ["<a>Listings by Sola</a>"], "result": {
        "place_id": "ChIJx", "website": "https://cafe.example", "utc_offset": -60, "url": "https://maps.example/1",
        "formatted_phone_number": "910 000 000", "photos": [{}], "plus_code": {"global_code": "8CGR"},
        "formatted_address": "Calle Falsa 1", "vicinity": "Centro", "icon": "https://icon.example"
    }});
    let wanted =
        fields("websiteUri,utcOffsetMinutes,googleMapsUri,nationalPhoneNumber,plusCode,formattedAddress,photos");
    let page = legacy_details(&body, &wanted);
    let [place] = page.places.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!(place.attributions, texts(&["<a>Listings by Sola</a>"]));
    assert_eq!(
        (place.utc_offset_minutes, place.phone.as_deref()),
        (Some(-60), Some("910 000 000"))
    );
    assert_eq!(place.address.as_deref(), Some("Calle Falsa 1"));
    assert_eq!(
        Value::Object(place.extra.clone()),
        json!({"plus_code": {"global_code": "8CGR"}})
    );
}

#[test]
fn wrong_items_are_bad_and_the_others_are_kept() {
    for (item, reason) in [
        (json!({}), "the item has no id"),
        (json!({"id": ""}), "the item has no id"),
        (json!(7), "the item is no object"),
        (json!({"id": 7}), "id is a number, not a text"),
        (json!({"id": "a", "rating": "4.3"}), "rating is a text, not a number"),
        (
            json!({"id": "a", "userRatingCount": 1.5}),
            "userRatingCount is a number, not a whole number of 32 bits",
        ),
        (
            json!({"id": "a", "userRatingCount": 2_147_483_648_u32}),
            "userRatingCount is a number, not a whole number of 32 bits",
        ),
        (
            json!({"id": "a", "displayName": "b"}),
            "displayName is a text, not an object",
        ),
        (json!({"id": "a", "types": "b"}), "types is a text, not a list"),
        (
            json!({"id": "a", "types": [null]}),
            "types is null, not a list of texts",
        ),
        (
            json!({"id": "a", "location": {"latitude": true}}),
            "latitude is a boolean, not a number",
        ),
        (
            json!({"id": "a", "attributions": [[]]}),
            "attributions is a list, not a list of objects",
        ),
        (
            json!({"id": "a", "priceLevel": {}}),
            "priceLevel is an object, not a text",
        ),
    ] {
        let page = new_search(&json!({"places": [item, {"id": "good"}]}));
        assert_eq!(page.places.len(), 1);
        let reasons: Vec<&str> = page.bad.iter().map(|bad| bad.reason.as_str()).collect();
        assert_eq!(reasons, [reason], "{item}");
    }
    for nulls in [json!({"places": null}), json!({"places": 3}), json!([]), json!(null)] {
        assert!(new_search(&nulls).is_empty());
    }
    let nulls = json!({"places": [{"id": "a", "types": null, "rating": null, "location": null, "displayName": {"text": null}}]});
    assert_eq!(
        new_search(&nulls).places,
        [Place {
            id: "a".to_owned(),
            ..Place::default()
        }]
    );
    assert_eq!(legacy_details(&json!({"status": "OK"}), &all()).bad.len(), 1);
}
