//! Times the crossing: ns a record for poll and put, instance creation from cached code
//!
//! The guests hand over a frame that is already built, so the figures hold the host's share: the call, one copy each way,
//! the check of the frame and one walk over its records. Run it with `cargo run -p weir-plugins --example crossing`.

#![allow(clippy::print_stdout, reason = "its output")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use support::Guest;
use weir_api::data::schemas::SchemaId;
use weir_api::frame::slot::Slot;
use weir_api::frame::writer::{FrameWriter, SourceParts};
use weir_config::map::ConfigMap;
use weir_plugins::context::InstanceContext;
use weir_plugins::guest::sink::SinkTaskInstance;
use weir_plugins::guest::source::{PollBudget, SourceTaskInstance};
use weir_plugins::plugins::{PluginSettings, Plugins};

const ROUNDS: u32 = 5;

fn frame(records: usize, value_bytes: usize) -> Vec<u8> {
    let value = vec![b'x'; value_bytes];
    let mut writer = FrameWriter::source();
    for _ in 0..records {
        let topic = writer.intern("a-topic-of-20-bytes.");
        let partition = writer.intern("{\"filename\":\"file.txt\"}");
        writer
            .source_record(&SourceParts {
                topic,
                source_partition: Some(partition),
                source_offset: Some(b"{\"position\":1}"),
                value: Slot {
                    schema: SchemaId::TEXT,
                    bytes: Some(&value),
                },
                ..SourceParts::default()
            })
            .expect("fits");
    }
    writer.finish()
}

/// Shortest time of one round, in nanoseconds.
async fn best<F: AsyncFnMut()>(mut round: F) -> u128 {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        round().await;
        best = best.min(began.elapsed());
    }
    best.as_nanos()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let began = Instant::now();
    Plugins::open(PluginSettings::default(), Vec::new())
        .await
        .expect("opens");
    println!("engine, linker and no plugins: {:?}", began.elapsed());
    for (records, value_bytes) in [(1, 100), (100, 100), (500, 100), (500, 1024)] {
        measure_crossing(records, value_bytes).await;
    }
    measure_creation().await;
}

async fn open(guests: &[Guest], cache: Option<std::path::PathBuf>) -> std::sync::Arc<Plugins> {
    let folder = std::env::temp_dir().join(format!("weir-crossing-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("creates a folder");
    for guest in guests {
        std::fs::write(folder.join(format!("{}.wasm", guest.class)), guest.component()).expect("writes");
    }
    let settings = PluginSettings {
        plugin_path: vec![folder.clone()],
        cache_dir: cache,
        ..PluginSettings::default()
    };
    let plugins = Plugins::open(settings, Vec::new()).await.expect("opens");
    plugins.warm().await.expect("compiles");
    std::fs::remove_dir_all(folder).expect("removes the folder");
    plugins
}

async fn measure_crossing(records: usize, value_bytes: usize) {
    let frame = frame(records, value_bytes);
    let guests = [
        Guest::source("bench.Source").with_frame(frame.clone()),
        Guest::sink("bench.Sink"),
    ];
    let plugins = open(&guests, None).await;
    let context = InstanceContext::bare("bench", ConfigMap::new());
    let plugin = plugins.find_connector("bench.Source").expect("is found");
    let mut source = SourceTaskInstance::create(&plugins, &plugin, context.clone())
        .await
        .expect("is created");
    let plugin = plugins.find_connector("bench.Sink").expect("is found");
    let mut sink = SinkTaskInstance::create(&plugins, &plugin, context)
        .await
        .expect("is created");
    let calls = 200_000 / records;
    let mut value_total = 0;
    let poll = best(async || {
        for _ in 0..calls {
            let bytes = source.poll(PollBudget::default()).await.expect("polls");
            let bytes = bytes.expect("a frame");
            let frame = source.frame(&bytes).expect("is well formed");
            for record in frame.records() {
                value_total += record.value.bytes.map_or(0, <[u8]>::len);
            }
        }
    })
    .await;
    let put = best(async || {
        for _ in 0..calls {
            sink.put(&frame).await.expect("puts");
        }
    })
    .await;
    let per_record = |total: u128| total / u128::try_from(calls * records).expect("fits");
    println!(
        "{records:>4} x {value_bytes:>4} B: poll and walk {:>5} ns, put {:>5} ns a record ({value_total} bytes seen)",
        per_record(poll),
        per_record(put)
    );
}

async fn measure_creation() {
    let cache = std::env::temp_dir().join(format!("weir-crossing-cache-{}", std::process::id()));
    let guests = [Guest::source("bench.Source")];
    open(&guests, Some(cache.clone())).await;
    let began = Instant::now();
    let plugins = open(&guests, Some(cache.clone())).await;
    println!(
        "open and load from the cache: {:?} (with writing the file)",
        began.elapsed()
    );
    let plugin = plugins.find_connector("bench.Source").expect("is found");
    let create = best(async || {
        for _ in 0..100 {
            let context = InstanceContext::bare("bench", ConfigMap::new());
            SourceTaskInstance::create(&plugins, &plugin, context)
                .await
                .expect("is created");
        }
    })
    .await;
    println!("create, describe and drop an instance: {} us", create / 100 / 1000);
    std::fs::remove_dir_all(cache).expect("removes the cache");
}
