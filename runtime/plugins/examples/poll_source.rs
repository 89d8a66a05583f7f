//! Runs one source connector of a component and counts what it polls
//!
//! `poll_source FILE.wasm CLASS SECONDS key=value…` starts the connector and its first task with the `config` grant, polls
//! without a worker or broker and prints records, bytes and guest CPU. For measuring a connector by itself.

#![allow(clippy::print_stdout, reason = "its output")]

use std::time::{Duration, Instant};

use weir_config::map::ConfigMap;
use weir_plugins::context::InstanceContext;
use weir_plugins::guest::source::{PollBudget, SourceConnectorInstance, SourceTaskInstance};
use weir_plugins::plugins::{PluginSettings, Plugins};
use weir_plugins::policy::Grants;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .expect("usage: poll_source FILE CLASS SECONDS key=value…")
    };
    let (file, class, seconds) = (next(), next(), next());
    let config: ConfigMap = arguments
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        })
        .collect();
    let grants: ConfigMap = [("weir.grants.*", "config,wall-clock,random")].into_iter().collect();
    let settings = PluginSettings {
        plugin_path: vec![file.into()],
        grants: Grants::parse(&grants).expect("grants parse"),
        ..PluginSettings::default()
    };
    let plugins = Plugins::open(settings, Vec::new()).await.expect("opens");
    for plugin in plugins.unusable() {
        println!("unusable: {}", plugin.reason);
    }
    for info in plugins.list(true) {
        println!(
            "{} {} {} {:?}",
            info.kind.as_str(),
            info.class,
            info.version,
            info.aliases
        );
    }
    let plugin = plugins.find_connector(&class).expect("is found");
    for info in plugins.validate(&plugin, &config).await.expect("validates") {
        println!("{} = {:?} {:?}", info.name, info.value, info.errors);
    }
    let context = InstanceContext::bare("c", config.clone());
    let mut connector = SourceConnectorInstance::create(&plugins, &plugin, context)
        .await
        .expect("is created");
    connector.start(&config).await.expect("starts");
    let tasks = connector.task_configs(1).await.expect("answers");
    let config = tasks.into_iter().next().expect("at least one task");
    let context = InstanceContext {
        task: Some(0),
        ..InstanceContext::bare("c", config.clone())
    };
    let mut task = SourceTaskInstance::create(&plugins, &plugin, context)
        .await
        .expect("is created");
    task.start(&config).await.expect("starts");
    let began = Instant::now();
    let (mut records, mut bytes, mut polls) = (0u64, 0u64, 0u64);
    let until = Duration::from_secs(seconds.parse().expect("a number of seconds"));
    while began.elapsed() < until {
        let polled = match task.poll(PollBudget::default()).await {
            Ok(polled) => polled,
            Err(error) => {
                println!(
                    "{:?} {}\n{}",
                    error.fault,
                    error.message,
                    error.trace.unwrap_or_default()
                );
                break;
            }
        };
        let Some(frame) = polled else { continue };
        polls += 1;
        for record in task.frame(&frame).expect("is well formed").records() {
            if records == 0 {
                println!("first: {record:?}");
            }
            records += 1;
            bytes += record
                .value
                .bytes
                .map_or(0, |value| u64::try_from(value.len()).unwrap_or(0));
        }
    }
    let per_record = task.cpu().as_nanos() / u128::from(records.max(1));
    println!(
        "{records} records, {bytes} bytes, {polls} polls in {:?}; guest CPU {per_record} ns a record; memory {} KiB",
        began.elapsed(),
        task.memory_bytes() / 1024
    );
    if let Err(error) = task.stop().await {
        println!("stop: {:?} {}", error.fault, error.message);
    }
}
