//! Connectors that misbehave fail their own task, and nothing else.
//!
//! The component is `tests/guests`, found through `plugin.path` as a stranger's would be. Beside each of them a healthy file source goes
//! on in the same worker.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::process::{PATIENCE, Weir, await_true};
use weir_tests::rest::Rest;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// One worker with the guests' component and a healthy connector; the tests of this file share nothing.
struct Beside {
    weir: Weir,
    rest: Rest,
    input: std::path::PathBuf,
    output: std::path::PathBuf,
    lines: u32,
}

fn worker() -> Beside {
    let folder = tempfile::tempdir().expect("folder");
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).expect("plugin folder");
    std::fs::copy(weir_tests::guests::component(), plugins.join("guests.wasm")).expect("component");
    let settings = folder.path().join("worker.properties");
    std::fs::write(
        &settings,
        format!("plugin.path={}\noffset.flush.interval.ms=100\n", plugins.display()),
    )
    .expect("worker settings");
    // The folder must outlive the process: leak its path into the process's own folder by keeping it.
    let path = folder.keep();
    let (weir, ready) = Weir::up_in(&path, &["--connect", "{dir}/worker.properties"]).expect("up");
    let rest = Rest::new(ready.connect.as_deref().expect("connect"));
    let (input, output) = (path.join("in.txt"), path.join("out.txt"));
    std::fs::write(&input, "").expect("input");
    rest.put_connector(
        "healthy",
        &json!({"connector.class": "FileStreamSource", "file": input, "topic": "healthy", "value.converter": STRING}),
    )
    .expect("source");
    rest.put_connector(
        "sink",
        &json!({"connector.class": "FileStreamSink", "file": output, "topics": "healthy", "value.converter": STRING}),
    )
    .expect("sink");
    Beside {
        weir,
        rest,
        input,
        output,
        lines: 0,
    }
}

impl Beside {
    /// The healthy stream still moves: new lines arrive.
    fn still_moves(&mut self) {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&self.input)
            .expect("input");
        for _ in 0..10 {
            self.lines += 1;
            writeln!(file, "line {}", self.lines).expect("a line");
        }
        let last = format!("line {}\n", self.lines);
        await_true("the healthy stream moves", PATIENCE, || {
            std::fs::read_to_string(&self.output).is_ok_and(|text| text.ends_with(&last))
        })
        .unwrap_or_else(|error| panic!("{error:#}: {}", self.rest.status("healthy")));
    }

    /// Starts a guest of this class and waits for its failure; the trace.
    fn failing(&mut self, class: &str, extra: &Value) -> String {
        self.still_moves();
        let mut config =
            json!({"connector.class": format!("weir.guests.{class}"), "topic": "guests", "value.converter": STRING});
        for (key, value) in extra.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        self.rest.put_connector("guest", &config).expect("created");
        let trace = self
            .rest
            .await_failed("guest", 0)
            .unwrap_or_else(|error| panic!("{error:#}\n{}", self.weir.log_text()));
        assert!(
            self.weir.is_running(),
            "the worker went with it:\n{}",
            self.weir.log_text()
        );
        let healthy = self
            .rest
            .await_state("healthy", "RUNNING", 1)
            .expect("the neighbour runs");
        assert_eq!(healthy["tasks"][0]["state"], "RUNNING");
        self.still_moves();
        trace
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.weir.kill();
        let _ = std::fs::remove_dir_all(&self.weir.folder);
    }
}

#[test]
fn a_trap_fails_its_task_with_the_wasm_backtrace() {
    let trace = worker().failing("TrappingSourceConnector", &json!({}));
    assert!(
        trace.contains("wasm") && (trace.contains("unreachable") || trace.contains("panicked")),
        "{trace}"
    );
}

#[test]
fn an_endless_loop_is_ended_by_the_cpu_limit() {
    let trace = worker().failing("LoopingSourceConnector", &json!({}));
    assert!(trace.contains("CPU") || trace.contains("cpu"), "{trace}");
}

#[test]
fn memory_without_end_is_ended_by_the_memory_limit() {
    let trace = worker().failing("HungrySourceConnector", &json!({}));
    assert!(trace.contains("memory limit"), "{trace}");
    assert!(trace.contains("268435456"), "the limit is named: {trace}");
}

#[test]
fn endless_recursion_is_ended_by_the_stack_limit() {
    let trace = worker().failing("RecursingSourceConnector", &json!({}));
    assert!(trace.contains("stack"), "{trace}");
}

#[test]
fn a_path_that_was_not_granted_is_denied_by_name() {
    let trace = worker().failing("PryingSourceConnector", &json!({"path": "/etc/passwd"}));
    assert!(
        trace.contains("/etc/passwd") && (trace.contains("denied") || trace.contains("grant")),
        "{trace}"
    );
    assert!(!trace.contains("root:"), "the content leaked: {trace}");
}

/// As in Apache Connect a failed offset commit is logged and tried again; nothing false is stored. Frames that lie about their own
/// layout fail the task: `runtime/plugins` tests those byte by byte.
#[test]
fn offsets_that_are_no_json_are_never_stored() {
    let mut beside = worker();
    beside.still_moves();
    let config =
        json!({"connector.class": "weir.guests.LyingSourceConnector", "topic": "guests", "value.converter": STRING});
    beside.rest.put_connector("guest", &config).expect("created");
    beside
        .weir
        .await_log("source offset is not JSON")
        .expect("the commit is refused, and says why");
    assert!(beside.weir.log_text().contains("failed to flush offsets"));
    beside.still_moves();
}

#[test]
fn a_guest_that_was_fixed_runs_after_a_restart() {
    let mut beside = worker();
    beside.failing("TrappingSourceConnector", &json!({}));
    let config =
        json!({"connector.class": "weir.guests.QuietSourceConnector", "topic": "guests", "value.converter": STRING});
    beside.rest.put_connector("guest", &config).expect("replaced");
    beside
        .rest
        .await_state("guest", "RUNNING", 1)
        .expect("runs with the good class");
    assert!(beside.weir.stop().expect("stops").1 < Duration::from_secs(10));
}
