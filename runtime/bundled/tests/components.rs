//! The embedded components in the real plugin host
//!
//! That each is what its manifest says, and that each does its work: what the connectors' own tests show on the
//! stand-in host of the SDK holds behind the component boundary too.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_api::data::value::Value;
use weir_api::frame::slot::Slot;
use weir_api::frame::value::decode_slot;
use weir_api::frame::writer::{FrameWriter, SinkParts};
use weir_config::map::ConfigMap;
use weir_plugins::context::{BoxFuture, InstanceContext, OffsetLookup};
use weir_plugins::guest::sink::SinkTaskInstance;
use weir_plugins::guest::source::{ExactlyOnceSupport, PollBudget, SourceConnectorInstance, SourceTaskInstance};
use weir_plugins::plugins::{BundledComponent, PluginSettings, Plugins};

const FILE_SOURCE: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";
const FILE_SINK: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";

fn bundled(manifest: impl Fn(&'static str) -> &'static str) -> Vec<BundledComponent> {
    weir_bundled::components()
        .iter()
        .map(|each| BundledComponent {
            name: each.name,
            wasm_zstd: each.wasm_zstd,
            manifest_json: manifest(each.manifest_json),
        })
        .collect()
}

async fn plugins() -> Arc<Plugins> {
    Plugins::open(PluginSettings::default(), bundled(|manifest| manifest))
        .await
        .expect("opens")
}

fn config(entries: &[(&str, &str)]) -> ConfigMap {
    entries.iter().copied().collect()
}

/// Offsets that were committed: the same for every partition asked.
struct Committed(&'static str);

impl OffsetLookup for Committed {
    fn offsets<'a>(
        &'a self,
        partitions: Vec<String>,
    ) -> BoxFuture<'a, Result<Vec<Option<String>>, weir_api::error::ConnectError>> {
        Box::pin(async move { Ok(vec![Some(self.0.to_owned()); partitions.len()]) })
    }
}

async fn source(
    plugins: &Plugins,
    class: &str,
    config: &ConfigMap,
    offsets: Option<&'static str>,
) -> SourceTaskInstance {
    let plugin = plugins.find_connector(class).expect("is found");
    let mut context = InstanceContext {
        task: Some(0),
        ..InstanceContext::bare("c", config.clone())
    };
    if let Some(offset) = offsets {
        context.offsets = Arc::new(Committed(offset));
    }
    let mut task = SourceTaskInstance::create(plugins, &plugin, context)
        .await
        .expect("is created");
    task.start(config).await.expect("starts");
    task
}

/// Values and offsets of one poll as texts.
async fn polled(task: &mut SourceTaskInstance, budget: PollBudget) -> Vec<(String, String)> {
    let Some(bytes) = task.poll(budget).await.expect("polls") else {
        return Vec::new();
    };
    let frame = task.frame(&bytes).expect("a valid frame");
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.expect("not null").to_vec()).expect("UTF-8");
    frame
        .records()
        .map(|record| (text(record.value.bytes), text(record.source_offset)))
        .collect()
}

#[tokio::test]
async fn every_manifest_is_what_its_component_says() {
    let from_manifests = plugins().await;
    // Without a manifest the host asks the component itself.
    let from_components = Plugins::open(PluginSettings::default(), bundled(|_| ""))
        .await
        .expect("opens");
    assert!(from_manifests.unusable().is_empty() && from_components.unusable().is_empty());
    let list = from_manifests.list(true);
    assert_eq!(list, from_components.list(true));
    assert_eq!(list.len(), 8);
    for info in list {
        let expected = from_components.find_connector(&info.class).expect("is found");
        let found = from_manifests.find_connector(&info.class).expect("is found");
        assert_eq!(found.config_def.keys(), expected.config_def.keys(), "{}", info.class);
        assert_eq!(
            (&found.task_class, &found.aliases),
            (&expected.task_class, &expected.aliases)
        );
    }
}

#[tokio::test]
async fn names_of_stock_files_find_the_classes() {
    let plugins = plugins().await;
    for (name, class) in [
        ("FileStreamSource", FILE_SOURCE),
        ("FileStreamSourceConnector", FILE_SOURCE),
        ("FileStreamSink", FILE_SINK),
        ("Datagen", "weir.datagen.DatagenSourceConnector"),
    ] {
        assert_eq!(plugins.find_connector(name).expect("is found").class, class);
    }
}

#[tokio::test]
async fn the_file_source_reads_lines_from_its_committed_position() {
    let plugins = plugins().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("in.txt");
    fs::write(&path, "skipped\nzwölf\r\nbad \u{7f}\n").expect("written");
    let settings = config(&[("file", path.to_str().expect("UTF-8")), ("topic", "t")]);
    let mut task = source(&plugins, FILE_SOURCE, &settings, Some("{\"position\":8}")).await;
    let lines = polled(&mut task, PollBudget::default()).await;
    let expected = [("zwölf", "{\"position\":16}"), ("bad \u{7f}", "{\"position\":22}")];
    assert_eq!(
        lines,
        expected.map(|(value, offset)| (value.to_owned(), offset.to_owned()))
    );
    let budget = PollBudget {
        max_wait_ms: 1,
        ..PollBudget::default()
    };
    assert!(task.poll(budget).await.expect("polls").is_none(), "nothing more");
    fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"grown\n"))
        .expect("appended");
    assert_eq!(
        polled(&mut task, budget).await,
        [("grown".to_owned(), "{\"position\":28}".to_owned())]
    );
    task.stop().await.expect("stops");
}

#[tokio::test]
async fn a_missing_file_is_waited_for_and_stop_ends_the_wait() {
    let plugins = plugins().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = config(&[
        ("file", folder.path().join("none").to_str().expect("UTF-8")),
        ("topic", "t"),
    ]);
    let plugin = plugins.find_connector(FILE_SOURCE).expect("is found");
    let context = InstanceContext {
        task: Some(0),
        ..InstanceContext::bare("c", settings.clone())
    };
    let stop = context.stop.clone();
    let mut task = SourceTaskInstance::create(&plugins, &plugin, context)
        .await
        .expect("is created");
    task.start(&settings).await.expect("starts");
    let budget = PollBudget {
        max_wait_ms: 60_000,
        ..PollBudget::default()
    };
    let started = Instant::now();
    let (polled, ()) = tokio::join!(task.poll(budget), async { stop.request(Duration::from_secs(5)) });
    assert!(polled.expect("polls").is_none());
    // The task asks for a second; without the signal it would sleep all of it.
    assert!(
        started.elapsed() < Duration::from_millis(900),
        "{:?}",
        started.elapsed()
    );
    task.stop().await.expect("stops");
}

#[tokio::test]
async fn the_file_sink_appends_values() {
    let plugins = plugins().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("out.txt");
    let settings = config(&[("file", path.to_str().expect("UTF-8"))]);
    let plugin = plugins.find_connector(FILE_SINK).expect("is found");
    let context = InstanceContext {
        task: Some(0),
        ..InstanceContext::bare("c", settings.clone())
    };
    let mut task = SinkTaskInstance::create(&plugins, &plugin, context)
        .await
        .expect("is created");
    task.start(&settings).await.expect("starts");
    let mut writer = FrameWriter::sink(1);
    let topic = writer.intern("t");
    for (offset, value) in (0..).zip([Slot::text("één"), Slot::bytes(b"\xff\x00"), Slot::NULL]) {
        writer
            .sink_record(&SinkParts {
                topic,
                offset,
                value,
                ..SinkParts::default()
            })
            .expect("small");
    }
    task.put(&writer.finish()).await.expect("puts");
    assert_eq!(fs::read(&path).expect("a file"), b"\xc3\xa9\xc3\xa9n\n\xff\x00\nnull\n");
    task.pre_commit(&[]).await.expect("flushes");
    task.stop().await.expect("stops");

    let settings = config(&[("file", folder.path().join("none/out.txt").to_str().expect("UTF-8"))]);
    let context = InstanceContext {
        task: Some(0),
        ..InstanceContext::bare("c", settings.clone())
    };
    let mut task = SinkTaskInstance::create(&plugins, &plugin, context)
        .await
        .expect("is created");
    let error = task.start(&settings).await.expect_err("no such folder");
    assert!(
        error.message.starts_with("Couldn't find or create file '"),
        "{}",
        error.message
    );
    assert!(
        error.message.ends_with("none/out.txt' for FileStreamSinkTask"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn the_file_source_judges_offsets_and_exactly_once() {
    let plugins = plugins().await;
    let plugin = plugins.find_connector(FILE_SOURCE).expect("is found");
    let instance = |settings: &ConfigMap| {
        let context = InstanceContext::bare("c", settings.clone());
        let (plugins, plugin) = (Arc::clone(&plugins), plugin.clone());
        async move {
            SourceConnectorInstance::create(&plugins, &plugin, context)
                .await
                .expect("is created")
        }
    };
    let (file, standard) = (config(&[("file", "/x"), ("topic", "t")]), config(&[("topic", "t")]));
    for (settings, expected) in [
        (&file, ExactlyOnceSupport::Supported),
        (&standard, ExactlyOnceSupport::Unsupported),
    ] {
        let found = instance(settings)
            .await
            .exactly_once_support(settings)
            .await
            .expect("answers");
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn datagen_makes_structs_and_goes_on_where_it_stopped() {
    let plugins = plugins().await;
    let settings = config(&[
        ("topic", "t"),
        ("schema", "orders"),
        ("interval.ms", "0"),
        ("iterations", "5"),
    ]);
    let mut task = source(&plugins, "Datagen", &settings, Some("{\"iteration\":3}")).await;
    let bytes = task.poll(PollBudget::default()).await.expect("polls").expect("records");
    let frame = task.frame(&bytes).expect("a valid frame");
    let offsets: Vec<_> = frame
        .records()
        .map(|record| record.source_offset.expect("an offset").to_vec())
        .collect();
    assert_eq!(
        offsets,
        [b"{\"iteration\":4}".to_vec(), b"{\"iteration\":5}".to_vec()],
        "three were made before"
    );
    for (record, number) in frame.records().zip(3..) {
        let value = decode_slot(record.value.schema, record.value.bytes, task.schemas()).expect("decodes");
        let Value::Struct(value) = value else {
            panic!("no struct: {value:?}")
        };
        assert_eq!(value.get("orderid").expect("a field"), &Value::Int32(number));
        assert_eq!(value.schema.name.as_deref(), Some("weir.datagen.orders"));
    }
    let budget = PollBudget {
        max_wait_ms: 1,
        ..PollBudget::default()
    };
    assert!(task.poll(budget).await.expect("polls").is_none(), "all five were made");
}
