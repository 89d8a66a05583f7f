//! Values of config providers that change while a connector runs.

use serde_json::json;
use weir_tests::process::{PATIENCE, await_true};

use crate::Worker;

#[test]
fn a_value_over_its_time_restarts_who_uses_it_when_it_has_changed() {
    let worker = Worker::up(
        "config.providers=file\n\
         config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider\n\
         config.providers.file.param.ttl.ms=100",
    );
    let path = worker.path("words.properties");
    let write = |word: &str| {
        // Renamed into its place, as secrets are rotated.
        std::fs::write(format!("{path}.new"), format!("word={word}\n")).expect("words");
        std::fs::rename(format!("{path}.new"), &path).expect("words");
    };
    write("one");
    let variable = format!("${{file:{path}:word}}");
    for (name, action) in [("follows", "restart"), ("stays", "none")] {
        worker.put(
            name,
            &json!({"connector.class": "weir.guests.TellingSinkConnector", "topics": "in", "config.action.reload": action,
                "greeting": format!("{name} {variable}")}),
        );
        worker.rest.await_state(name, "RUNNING", 1).expect(name);
    }
    let greetings = |text: &str| worker.weir.log_text().matches(&format!("greeting {text}")).count();
    let await_greeting = |text: &str| {
        await_true(text, PATIENCE, || greetings(text) > 0)
            .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
    };
    await_greeting("follows one");
    // While it is away nothing is restarted.
    std::fs::remove_file(&path).expect("words");
    worker
        .weir
        .await_log("values of config providers are not there now")
        .expect("said");
    worker.rest.await_state("follows", "RUNNING", 1).expect("it runs on");
    for word in ["two", "three"] {
        write(word);
        await_greeting(&format!("follows {word}"));
        worker.rest.await_state("follows", "RUNNING", 1).expect("it runs again");
    }
    for (text, times) in [
        ("follows one", 1),
        ("follows two", 1),
        ("follows three", 1),
        ("stays one", 1),
        ("stays two", 0),
        ("stays three", 0),
    ] {
        assert_eq!(greetings(text), times, "{text}\n{}", worker.weir.log_text());
    }
    for part in ["config", "tasks"] {
        let shown = worker
            .rest
            .get(&format!("/connectors/follows/{part}"))
            .expect("config")
            .text;
        assert!(shown.contains(&variable) && !shown.contains("follows one"), "{shown}");
    }
}
