//! No key, token or secret shows anywhere: a full run of the feeds, and then every output is searched.
//!
//! The services must have got each secret, so that the search proves something; what is searched is the log at debug level, all
//! REST answers, and the bytes of every topic. Secrets come from the environment, a file and a folder.

use serde_json::{Value, json};
use weir_tests::kafka::read_contents;
use weir_tests::process::{PATIENCE, Start, UP_ON_FREE_PORTS, Weir, await_true};
use weir_tests::rest::Rest;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const AVRO: &str = "io.confluent.connect.avro.AvroConverter";

const X_TOKEN: &str = "marker-x-5d41402abc4b2a76";
const AEMET_KEY: &str = "marker-aemet-b9719d911017c592";
const PLACES_KEY: &str = "marker-places-7d793037a0760186";
const ITEMS_PASSWORD: &str = "marker-items&p@ss word";
const REFUSED_TOKEN: &str = "marker-refused-0cc175b9c0f1b6a8";

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// The forms in which a secret could show: as it is, in a URL, in an Authorization header.
fn forms() -> Vec<String> {
    let mut forms: Vec<String> = [X_TOKEN, AEMET_KEY, PLACES_KEY, ITEMS_PASSWORD, REFUSED_TOKEN]
        .map(str::to_owned)
        .to_vec();
    forms.push("marker-items%26p%40ss".to_owned());
    forms.push(base64(&format!("reader:{ITEMS_PASSWORD}")));
    forms
}

fn assert_clean(place: &str, text: &str) {
    for form in forms() {
        assert!(!text.contains(&form), "{form} shows in {place}: {text}");
    }
}

struct Running {
    weir: Weir,
    rest: Rest,
    kafka: String,
    fakes: Weir,
    urls: [String; 4],
}

fn started() -> Running {
    let mut fakes = Weir::start(&["fakes"]).expect("fakes");
    let services = fakes.await_ready().expect("services");
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("keys.properties"), format!("aemet={AEMET_KEY}\n")).expect("file");
    std::fs::create_dir(folder.path().join("keys")).expect("folder");
    std::fs::write(folder.path().join("keys/places"), PLACES_KEY).expect("file");
    let variables = [
        ("WEIR_LOG", "debug"),
        ("X_TOKEN", X_TOKEN),
        ("ITEMS_PASSWORD", ITEMS_PASSWORD),
        ("REFUSED_TOKEN", REFUSED_TOKEN),
    ];
    let mut weir = Weir::start_with(Start {
        arguments: UP_ON_FREE_PORTS.map(str::to_owned).to_vec(),
        folder: Some(folder.path()),
        max_file_bytes: None,
        environment: variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
    })
    .expect("weir up");
    weir.own_folder(folder);
    let ready = weir.await_ready().expect("ready");
    Running {
        weir,
        rest: Rest::new(&ready.connect.expect("connect")),
        kafka: ready.kafka.expect("kafka"),
        fakes,
        urls: [services.x, services.aemet, services.places, services.items].map(|url| url.expect("a service")),
    }
}

fn feeds(run: &Running) -> Vec<(&'static str, Value)> {
    let [x, aemet, places, items] = &run.urls;
    let folder = run.weir.folder.display();
    let with = |topic: &str, own: Value| {
        let mut config = json!({"topic": topic, "key.converter": STRING, "value.converter": AVRO, "tasks.max": "2"});
        for (key, value) in own.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        config
    };
    vec![
        (
            "x",
            with(
                "x",
                json!({"connector.class": "TwitterSource", "twitter.base.url": x, "twitter.query": "lluvia lang:es",
            "twitter.start": "earliest", "twitter.bearer.token": "${env:X_TOKEN}"}),
            ),
        ),
        (
            "aemet",
            with(
                "aemet",
                json!({"connector.class": "AemetSource", "aemet.base.url": aemet,
            "aemet.api.key": format!("${{file:{folder}/keys.properties:aemet}}")}),
            ),
        ),
        (
            "places",
            with(
                "places",
                json!({"connector.class": "PlacesSource", "places.base.url": places, "places.area": "40.4168,-3.7038,500",
            "places.included.types": "cafe", "places.api.key": format!("${{directory:{folder}/keys:places}}")}),
            ),
        ),
        (
            "items",
            with(
                "items",
                json!({"connector.class": "HttpSource", "http.url": format!("{items}/items"),
            "http.response.records.pointer": "/items", "http.auth.type": "basic", "http.auth.user": "reader",
            "http.auth.password": "${env:ITEMS_PASSWORD}"}),
            ),
        ),
        // An answer that fails the task, and a service that repeats what it was sent.
        (
            "refused",
            with(
                "refused",
                json!({"connector.class": "HttpSource", "http.url": format!("{items}/echo"),
            "http.auth.type": "bearer", "http.auth.token": "${env:REFUSED_TOKEN}", "http.errors": "status 200..599 -> fail \"refused\""}),
            ),
        ),
    ]
}

/// What a service was sent, as it recorded it.
fn recorded(url: &str) -> String {
    Rest::new(url).get("/_requests").expect("recorded requests").text
}

#[test]
fn no_secret_shows_in_any_output_of_a_full_run() {
    let run = started();
    let feeds = feeds(&run);
    for (name, config) in &feeds {
        run.rest.put_connector(name, config).expect("created");
    }
    for topic in ["x", "aemet", "places", "items"] {
        await_true(&format!("records in {topic}"), PATIENCE, || {
            weir_tests::kafka::end_offset(&run.kafka, topic).is_some_and(|end| end > 0)
        })
        .map_err(|error| format!("{error}: {} {}", run.rest.status(topic), run.weir.log_text()))
        .expect("every feed flows");
    }
    let trace = run.rest.await_failed("refused", 0).expect("fails");
    assert!(trace.contains("refused"), "{trace}");

    let [x, aemet, places, items] = &run.urls;
    assert!(recorded(x).contains(X_TOKEN), "the service got the token");
    assert!(recorded(aemet).contains(AEMET_KEY), "the service got the key");
    assert!(recorded(places).contains(PLACES_KEY), "the service got the key");
    let sent = recorded(items);
    assert!(
        sent.contains(&base64(&format!("reader:{ITEMS_PASSWORD}"))),
        "the service got user and password: {sent}"
    );
    assert!(sent.contains(REFUSED_TOKEN), "the service got the token");

    let mut paths = vec!["/connectors?expand=info&expand=status".to_owned()];
    for (name, config) in &feeds {
        for part in ["", "/config", "/status", "/tasks", "/tasks/0/status"] {
            paths.push(format!("/connectors/{name}{part}"));
        }
        let class = config["connector.class"].as_str().expect("class");
        let mut named = config.clone();
        named["name"] = json!(name);
        let validated = run
            .rest
            .json("PUT", &format!("/connector-plugins/{class}/config/validate"), &named)
            .expect("validated");
        assert_eq!(validated.status, 200, "{}", validated.text);
        assert_clean("a validation", &validated.text);
    }
    for path in paths {
        assert_clean(&path, &run.rest.get(&path).expect("an answer").text);
    }
    for topic in [
        "connect-configs",
        "connect-offsets",
        "connect-status",
        "_schemas",
        "x",
        "aemet",
        "places",
        "items",
    ] {
        let contents = read_contents(&run.kafka, topic).expect("records");
        assert!(topic == "connect-offsets" || !contents.is_empty(), "{topic} is empty");
        for content in contents {
            assert_clean(topic, &format!("{content:?}"));
            for bytes in [&content.key, &content.value].into_iter().flatten() {
                assert_clean(topic, &String::from_utf8_lossy(bytes));
            }
            for (name, value) in &content.headers {
                assert_clean(topic, &format!("{name}={}", String::from_utf8_lossy(value)));
            }
        }
    }
    let Running { mut weir, fakes, .. } = run;
    weir.stop().expect("stops");
    assert_clean("the log", &weir.log_text());
    drop(fakes);
}
