//! Both loops against the bundled broker, with the bundled file connectors.
//!
//! A file goes through a source task into a topic and through a sink task into another file. No herder
//! and no REST: the worker is driven by hand, statuses are read from its events.

use std::io::Write as _;

use weir_stores::configs::state::TargetState;
use weir_stores::status::records::State;
use weir_worker::lifecycle::TaskId;
use weir_worker::worker::TaskCount;

use house::{House, becomes};

mod house;

fn lines(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("line {number} of the file\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_flows_through_a_topic_into_another_file() {
    let mut house = House::open("").await;
    std::fs::write(house.path("in.txt"), lines(0..20_000)).unwrap();
    let (source, sink) = (house.source("src", "in.txt", "t"), house.sink("snk", "out.txt", "t"));
    house.start(&source).await;
    house.start(&sink).await;
    becomes(&house.path("out.txt"), &lines(0..20_000)).await;
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(house.path("in.txt"))
        .unwrap();
    file.write_all(lines(20_000..20_100).as_bytes()).unwrap();
    becomes(&house.path("out.txt"), &lines(0..20_100)).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_source_commits_and_goes_on_where_it_was() {
    let mut house = House::open("offset.flush.interval.ms=3600000\n").await;
    std::fs::write(house.path("in.txt"), lines(0..1000)).unwrap();
    let (source, sink) = (house.source("src", "in.txt", "t"), house.sink("snk", "out.txt", "t"));
    let id = house.start(&source).await;
    house.start(&sink).await;
    becomes(&house.path("out.txt"), &lines(0..1000)).await;
    house.worker.stop_tasks(std::slice::from_ref(&id)).await;
    house.task_is(&id, State::Unassigned).await;
    let partition = format!("{{\"filename\":\"{}\"}}", house.path("in.txt").display());
    let position = lines(0..1000).len();
    assert_eq!(
        house.offsets.read("src", &[partition]),
        [Some(format!("{{\"position\":{position}}}"))]
    );
    std::fs::write(house.path("in.txt"), lines(0..1500)).unwrap();
    let configs = house.worker.connector_task_configs("src", &source).await.unwrap();
    house.start_task(&id, &source, &configs[0]).await;
    becomes(&house.path("out.txt"), &lines(0..1500)).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_sink_reads_nothing_twice() {
    let mut house = House::open("offset.flush.interval.ms=3600000\n").await;
    std::fs::write(house.path("in.txt"), lines(0..3000)).unwrap();
    let (source, sink) = (house.source("src", "in.txt", "t"), house.sink("snk", "out.txt", "t"));
    house.start(&source).await;
    let id = house.start(&sink).await;
    becomes(&house.path("out.txt"), &lines(0..3000)).await;
    house.worker.stop_tasks(std::slice::from_ref(&id)).await;
    house.task_is(&id, State::Unassigned).await;
    std::fs::OpenOptions::new()
        .append(true)
        .open(house.path("in.txt"))
        .unwrap()
        .write_all(lines(3000..3010).as_bytes())
        .unwrap();
    let configs = house.worker.connector_task_configs("snk", &sink).await.unwrap();
    house.start_task(&id, &sink, &configs[0]).await;
    becomes(&house.path("out.txt"), &lines(0..3010)).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_tasks_stand_still_and_resumed_ones_go_on() {
    let mut house = House::open("").await;
    std::fs::write(house.path("in.txt"), lines(0..10)).unwrap();
    let (source, sink) = (house.source("src", "in.txt", "t"), house.sink("snk", "out.txt", "t"));
    let source_id = house.start(&source).await;
    let sink_id = house.start(&sink).await;
    becomes(&house.path("out.txt"), &lines(0..10)).await;
    house.worker.set_target_state("src", TargetState::Paused).await.unwrap();
    house.task_is(&source_id, State::Paused).await;
    house.worker.set_target_state("snk", TargetState::Paused).await.unwrap();
    house.task_is(&sink_id, State::Paused).await;
    std::fs::OpenOptions::new()
        .append(true)
        .open(house.path("in.txt"))
        .unwrap()
        .write_all(lines(10..20).as_bytes())
        .unwrap();
    house
        .worker
        .set_target_state("src", TargetState::Started)
        .await
        .unwrap();
    house.task_is(&source_id, State::Running).await;
    house
        .worker
        .set_target_state("snk", TargetState::Started)
        .await
        .unwrap();
    house.task_is(&sink_id, State::Running).await;
    becomes(&house.path("out.txt"), &lines(0..20)).await;
    house
        .worker
        .set_target_state("src", TargetState::Stopped)
        .await
        .unwrap();
    house.task_is(&source_id, State::Unassigned).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_by_pattern_and_topics_created_by_rule() {
    let mut house = House::open("").await;
    std::fs::write(house.path("in.txt"), lines(0..300)).unwrap();
    let mut source = house.source("src", "in.txt", "made-1");
    source.insert("topic.creation.default.partitions", "1");
    source.insert("topic.creation.default.replication.factor", "1");
    let mut sink = house.sink("snk", "out.txt", "");
    sink.remove("topics");
    sink.insert("topics.regex", "made-[0-9]+");
    house.start(&source).await;
    house.start(&sink).await;
    becomes(&house.path("out.txt"), &lines(0..300)).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_converted_fails_the_task_or_is_left_out() {
    let mut house = House::open("").await;
    std::fs::write(house.path("in.txt"), "{\"a\":1}\nno json\n{\"b\":2}\n").unwrap();
    let source = house.source("src", "in.txt", "t");
    house.start(&source).await;
    let mut sink = house.sink("strict", "strict.txt", "t");
    sink.insert("value.converter", "org.apache.kafka.connect.json.JsonConverter");
    sink.insert("value.converter.schemas.enable", "false");
    let configs = {
        house
            .worker
            .start_connector("strict", &sink, TargetState::Started)
            .await
            .unwrap();
        house.worker.connector_task_configs("strict", &sink).await.unwrap()
    };
    let id = TaskId {
        connector: "strict".to_owned(),
        task: 0,
    };
    house
        .worker
        .start_task(id.clone(), &sink, &configs[0], TargetState::Started, TaskCount(1))
        .await
        .unwrap();
    let trace = house.task_is(&id, State::Failed).await.unwrap();
    assert!(
        trace.starts_with("org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\n"),
        "{trace}"
    );
    assert!(
        trace.contains(
            "Caused by: org.apache.kafka.connect.errors.DataException: Converting byte[] to Kafka Connect data failed"
        ),
        "{trace}"
    );
    let mut sink = house.sink("lenient", "lenient.txt", "t");
    sink.insert("value.converter", "org.apache.kafka.connect.json.JsonConverter");
    sink.insert("value.converter.schemas.enable", "false");
    sink.insert("errors.tolerance", "all");
    house.start(&sink).await;
    becomes(&house.path("lenient.txt"), "{a=1}\n{b=2}\n").await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_cannot_be_built_says_why() {
    let mut house = House::open("connector.client.config.override.policy=None\n").await;
    let id = TaskId {
        connector: "src".to_owned(),
        task: 0,
    };
    for (key, value, expected) in [
        (
            "transforms",
            "a",
            "Missing required configuration \"transforms.a.type\"",
        ),
        ("value.converter", "com.example.Nothing", "com.example.Nothing"),
        ("producer.override.acks", "1", "Client Config Overrides not allowed"),
        (
            "connector.class",
            "com.example.Nothing",
            "Failed to find any class that implements Connector",
        ),
        ("tasks.max", "0", "tasks.max"),
        (
            "connector.plugin.version",
            "[99,)",
            "not found that matches the version range [99,)",
        ),
        (
            "value.converter.plugin.version",
            "0.0.1",
            "StringConverter not found that matches the version range [0.0.1,0.0.1]",
        ),
        ("value.converter.plugin.version", "[1", "Unbounded range: [1"),
    ] {
        let mut config = house.source("src", "in.txt", "t");
        config.insert("value.converter", "StringConverter");
        config.insert(key, value);
        let error = house
            .worker
            .start_task(id.clone(), &config, &config, TargetState::Started, TaskCount(1))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{key}: {error}");
        let trace = house.task_is(&id, State::Failed).await.unwrap();
        assert!(
            trace.starts_with(
                "org.apache.kafka.connect.errors.ConnectException: Failed to start task src-0\nCaused by: "
            ),
            "{trace}"
        );
        assert!(trace.contains(expected), "{key}: {trace}");
    }
    assert!(house.worker.task_ids("src").is_empty());
    house.close().await;
}
