//! Guests that misbehave, each in its own instance, beside one that does not
//!
//! What a guest does is in `support`. Here: which limit names itself, what the trace holds, that an instance is never
//! reused, and that the worker's part goes on.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use support::{Guest, OK, World, hostile, one_record_frame};
use weir_api::error::ErrorKind;
use weir_config::map::ConfigMap;
use weir_plugins::context::InstanceContext;
use weir_plugins::error::{Fault, GuestError};
use weir_plugins::guest::sink::SinkTaskInstance;
use weir_plugins::guest::source::{PollBudget, SourceConnectorInstance, SourceTaskInstance};
use weir_plugins::limits::Limits;
use weir_plugins::plugins::{ConnectorPlugin, PluginSettings, Plugins};
use weir_plugins::policy::Grants;
use weir_plugins::stop::StopSignal;

/// A plugin folder with the given guests and the plugins found in it.
struct Fixture {
    plugins: Arc<Plugins>,
    _folder: tempfile::TempDir,
}

fn small_limits() -> Limits {
    Limits {
        call_cpu_ms: 300,
        ..Limits::default()
    }
}

async fn fixture(guests: &[Guest], grants: &[(&str, &str)]) -> Fixture {
    let folder = tempfile::tempdir().expect("temporary folder");
    for guest in guests {
        let path = folder.path().join(format!("{}-{}.wasm", guest.class, guest.version));
        std::fs::write(path, guest.component()).expect("writes");
    }
    let grants: ConfigMap = grants.iter().copied().collect();
    let settings = PluginSettings {
        plugin_path: vec![folder.path().to_owned()],
        grants: Grants::parse(&grants).expect("grants parse"),
        limits: small_limits(),
        worker_id: "test".to_owned(),
        ..PluginSettings::default()
    };
    Fixture {
        plugins: Plugins::open(settings, Vec::new()).await.expect("opens"),
        _folder: folder,
    }
}

impl Fixture {
    fn plugin(&self, class: &str) -> ConnectorPlugin {
        self.plugins.find_connector(class).expect("is found")
    }

    async fn source_task(&self, class: &str, config: &[(&str, &str)], stop: StopSignal) -> SourceTaskInstance {
        let context = InstanceContext {
            task: Some(0),
            stop,
            ..InstanceContext::bare("c", config.iter().copied().collect())
        };
        SourceTaskInstance::create(&self.plugins, &self.plugin(class), context)
            .await
            .expect("is created")
    }
}

/// Polls the named hostile guest once.
async fn poll_of(name: &str) -> (GuestError, SourceTaskInstance) {
    let guest = hostile(name).expect("is known");
    let fixture = fixture(std::slice::from_ref(&guest), &[]).await;
    let mut task = fixture.source_task(guest.class, &[], StopSignal::new()).await;
    let error = task.poll(PollBudget::default()).await.expect_err("fails");
    (error, task)
}

#[tokio::test]
async fn a_trap_poisons_its_instance_and_shows_the_wasm_frames() {
    let (error, mut task) = poll_of("trap").await;
    assert_eq!(error.fault, Fault::Trapped);
    assert_eq!(error.kind, ErrorKind::Fatal);
    assert!(error.message.contains("unreachable"), "{}", error.message);
    let trace = error.trace.expect("has a trace");
    assert!(trace.contains("\tat ") && trace.contains("!poll\n"), "{trace}");
    assert!(task.is_poisoned());
    assert_eq!(task.memory_bytes(), 0, "the store is given back");
    let again = task.poll(PollBudget::default()).await.expect_err("stays poisoned");
    assert_eq!(again.fault, Fault::Poisoned);
    assert_eq!(again.message, error.message);
    assert_eq!(task.stop().await.expect_err("as well").fault, Fault::Poisoned);
}

#[tokio::test]
async fn an_endless_loop_is_ended_and_does_not_starve_others() {
    let ticks = tokio::spawn(async {
        let mut ticks = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            ticks += 1;
            if ticks == 10 {
                return;
            }
        }
    });
    let looping = tokio::spawn(poll_of("loop"));
    ticks.await.expect("timers fire on the thread that the guest loops on");
    let (error, task) = looping.await.expect("ends");
    assert_eq!(error.message, "CPU limit of 300 ms in one call exceeded");
    assert_eq!(error.fault, Fault::Trapped);
    assert!(task.cpu() >= Duration::from_millis(200), "{:?}", task.cpu());
}

#[tokio::test]
async fn memory_without_end_names_the_limit() {
    let (error, _) = poll_of("memory").await;
    assert_eq!(error.message, "memory limit of 268435456 bytes exceeded");
    assert!(error.trace.is_some_and(|trace| trace.contains("!poll\n")));
}

#[tokio::test]
async fn recursion_without_end_names_the_limit() {
    let (error, _) = poll_of("stack").await;
    assert_eq!(error.message, "stack limit of 1048576 bytes exceeded");
}

#[tokio::test]
async fn more_bytes_than_may_cross_name_the_limit() {
    let (error, _) = poll_of("huge").await;
    assert_eq!(
        error.message,
        "limit of 17825792 bytes handed over in one call exceeded"
    );
}

#[tokio::test]
async fn a_file_that_is_not_granted_fails_the_task_and_says_what_is_missing() {
    let guests = [hostile("open").expect("known"), hostile("open-path").expect("known")];
    let own_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let own_file = own_file.to_str().expect("is text");
    let open = async |grants: &[(&str, &str)], class: &str| {
        let fixture = fixture(&guests, grants).await;
        let mut task = fixture
            .source_task(class, &[("file", own_file)], StopSignal::new())
            .await;
        task.poll(PollBudget::default()).await.map_err(|error| error.message)
    };
    let class = "test.OpenSourceConnector";
    assert_eq!(
        open(&[], class).await,
        Err(format!(
            "{own_file} is not granted: weir.grants.{class} has neither config nor file:{own_file}"
        ))
    );
    assert_eq!(open(&[("weir.grants.*", "config")], class).await, Ok(None));
    assert_eq!(
        open(&[("weir.grants.*", "config")], "OpenPathSource").await,
        Err("/etc/shadow is denied: it is neither a setting nor a path that the plugin asks for".to_owned())
    );
}

#[tokio::test]
async fn an_error_that_a_guest_returns_leaves_the_instance_usable() {
    let guest = hostile("open").expect("known");
    let fixture = fixture(&[guest], &[]).await;
    let mut task = fixture
        .source_task("OpenSource", &[("file", "/x")], StopSignal::new())
        .await;
    for _ in 0..2 {
        let error = task.poll(PollBudget::default()).await.expect_err("denied");
        assert_eq!(error.fault, Fault::Returned);
    }
    task.stop().await.expect("can still be called");
}

#[tokio::test]
async fn a_frame_that_lies_is_a_fatal_error_of_its_task() {
    let guest = hostile("lie").expect("known");
    let good = Guest::source("test.Good").with_frame(one_record_frame());
    let fixture = fixture(&[guest, good], &[]).await;
    let mut task = fixture.source_task("LieSource", &[], StopSignal::new()).await;
    let bytes = task
        .poll(PollBudget::default())
        .await
        .expect("answers")
        .expect("a frame");
    let error = task.frame(&bytes).expect_err("refused");
    assert_eq!(error.fault, Fault::Contract);
    assert!(
        error.message.starts_with("plugin returned a bad frame: "),
        "{}",
        error.message
    );

    let mut task = fixture.source_task("test.Good", &[], StopSignal::new()).await;
    let bytes = task
        .poll(PollBudget::default())
        .await
        .expect("answers")
        .expect("a frame");
    let frame = task.frame(&bytes).expect("is well formed");
    let topics: Vec<&str> = frame.records().map(|record| record.topic).collect();
    assert_eq!(topics, ["t"]);
}

/// Counts what reaches the log.
#[derive(Clone, Default)]
struct CountingLog {
    lines: Arc<AtomicU64>,
}

impl tracing::Subscriber for CountingLog {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "weir::plugin"
    }

    fn new_span(&self, _span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _span: &tracing::span::Id, _values: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _span: &tracing::span::Id, _follows: &tracing::span::Id) {}

    fn event(&self, _event: &tracing::Event<'_>) {
        self.lines.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _span: &tracing::span::Id) {}

    fn exit(&self, _span: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_harms_nobody() {
    let log = CountingLog::default();
    let _here = tracing::subscriber::set_default(log.clone());
    let guest = hostile("log").expect("known");
    let fixture = fixture(&[guest], &[]).await;
    let mut task = fixture.source_task("LogSource", &[], StopSignal::new()).await;
    let began = std::time::Instant::now();
    let polled = task.poll(PollBudget::default()).await;
    assert_eq!(polled.map_err(|e| e.message), Ok(None));
    // 100,000 lines were written; a thousand a second pass, and one a second that says how many were dropped.
    let most = (began.elapsed().as_secs() + 1) * 1_001;
    let lines = log.lines.load(Ordering::Relaxed);
    assert!((1_000..=most).contains(&lines), "{lines} lines, at most {most}");
}

#[tokio::test]
async fn a_stop_wakes_a_sleeping_guest() {
    let guest = hostile("sleep").expect("known");
    let fixture = fixture(&[guest], &[]).await;
    let stop = StopSignal::new();
    let mut task = fixture.source_task("SleepSource", &[], stop.clone()).await;
    let poll = tokio::spawn(async move { (task.poll(PollBudget::default()).await, task) });
    tokio::task::yield_now().await;
    stop.request(Duration::from_secs(600));
    let (polled, mut task) = poll.await.expect("ends");
    assert_eq!(polled.map_err(|error| error.message), Ok(None));
    task.stop().await.expect("is called within the grace period");
}

#[tokio::test]
async fn a_guest_that_does_not_stop_is_ended_at_the_deadline() {
    let guest = hostile("deaf").expect("known");
    let fixture = fixture(&[guest], &[]).await;
    let stop = StopSignal::new();
    let mut task = fixture.source_task("DeafSource", &[], stop.clone()).await;
    stop.request(Duration::from_millis(50));
    let error = task.poll(PollBudget::default()).await.expect_err("is ended");
    assert_eq!(error.fault, Fault::StopDeadline);
    assert!(task.is_poisoned());
}

#[tokio::test]
async fn an_abandoned_call_poisons_the_instance() {
    let guest = hostile("sleep").expect("known");
    let fixture = fixture(&[guest], &[]).await;
    let mut task = fixture.source_task("SleepSource", &[], StopSignal::new()).await;
    let given_up = tokio::time::timeout(Duration::from_millis(20), task.poll(PollBudget::default())).await;
    assert!(given_up.is_err());
    let error = task
        .poll(PollBudget::default())
        .await
        .expect_err("cannot be entered again");
    assert_eq!(error.fault, Fault::Poisoned);
    assert_eq!(error.message, "an earlier call was abandoned");
}

#[tokio::test]
async fn a_sink_gets_the_bytes_of_the_frame_and_a_connector_its_calls() {
    let sink = Guest {
        // Traps unless the first byte is that of the magic and the length is right.
        ..Guest::sink("test.CheckSinkConnector").with_body(
            "(if (i32.or (i32.ne (i32.load8_u (local.get $frame)) (i32.const 0x57))
                         (i32.ne (local.get $len) (i32.const 95)))
               (then unreachable))
             i32.const 1024",
        )
    };
    let source = Guest::source("test.QuietSourceConnector");
    let fixture = fixture(&[sink, source], &[]).await;
    let context = InstanceContext::bare("c", ConfigMap::new());
    let plugin = fixture.plugin("CheckSink");
    let mut task = SinkTaskInstance::create(&fixture.plugins, &plugin, context.clone())
        .await
        .expect("is created");
    task.start(&ConfigMap::new()).await.expect("starts");
    task.put(&one_record_frame()).await.expect("takes the frame");
    assert!(task.put(&[0; 95]).await.is_err());

    let plugin = fixture.plugin("QuietSource");
    let mut connector = SourceConnectorInstance::create(&fixture.plugins, &plugin, context)
        .await
        .expect("is created");
    assert_eq!(
        connector
            .start(&ConfigMap::new())
            .await
            .expect("starts")
            .monitor_every_ms,
        None
    );
    assert!(connector.task_configs(3).await.expect("answers").is_empty());
    assert!(!connector.monitor().await.expect("answers"));
    connector.stop().await.expect("stops");
}

#[tokio::test]
async fn a_task_of_the_wrong_kind_is_refused_and_not_trapped() {
    let fixture = fixture(&[Guest::sink("test.OnlySink")], &[]).await;
    let mut task = fixture.source_task("test.OnlySink", &[], StopSignal::new()).await;
    let error = task.poll(PollBudget::default()).await.expect_err("has no poll");
    assert_eq!(error.message, "the component does not export weir:connect/source-task");
    assert!(!task.is_poisoned());
}

#[tokio::test]
async fn a_plugin_that_checks_settings_itself_is_asked_and_its_trap_is_the_answer() {
    let asked = |class, validate| Guest {
        overrides_validate: true,
        validate,
        ..Guest::source(class)
    };
    let quiet = Guest {
        validate: "unreachable",
        ..Guest::source("test.NeverAsked")
    };
    let guests = [asked("test.Content", OK), asked("test.Broken", "unreachable"), quiet];
    let fixture = fixture(&guests, &[]).await;
    let validate = async |class: &str| {
        let config = ConfigMap::new();
        let plugin = fixture.plugin(class);
        let outcome = fixture.plugins.validate(&plugin, &config).await;
        outcome.map(|infos| infos.len()).map_err(|error| error.fault)
    };
    assert_eq!(validate("test.Content").await, Ok(0));
    assert_eq!(validate("test.Broken").await, Err(Fault::Trapped));
    assert_eq!(validate("test.NeverAsked").await, Ok(0));
}

#[test]
fn worlds_are_told_apart() {
    assert_eq!(Guest::sink("x").world, World::Sink);
    assert!(hostile("nobody").is_none());
}
