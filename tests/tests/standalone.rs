//! Weir's standalone worker beside Apache's: stock files, offset files, and what FileStream makes of odd files.
//!
//! One Apache broker and one worker of each kind serve the whole suite. Both workers read the same inputs, and what one
//! writes must be what the other writes. Where Weir's connector differs on purpose is tested in `connectors/filestream`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use weir_tests::apache::{JavaWorker, Running, free_port, peers};
use weir_tests::kafka::{end_offset, read_all, read_contents};
use weir_tests::process::{PATIENCE, Weir, await_true, await_value, repository, weir_binary};
use weir_tests::side_by_side::{Case, JSON, SOURCE, STRING, remove, scratch, short, shown, sinks_agree, suite};

// ---- FileStream, both --------------------------------------------------------------------------------------------------

#[test]
fn lines_may_end_as_windows_and_old_macs_end_them() {
    let case = Case::new("crlf", b"one\r\ntwo\r\n\r\nthree\rfour\n\rfive\r\r\nend\r\n");
    let lines = ["one", "two", "", "three", "four", "", "five", "", "end"];
    case.holds(&lines);
    case.comes_out_as(&lines);
}

#[test]
fn a_last_line_without_newline_waits_for_its_end() {
    let case = Case::new("last", b"one\ntw");
    case.holds(&["one"]);
    case.append(b"o");
    case.append(b"!\nend\n");
    let lines = ["one", "two!", "end"];
    case.holds(&lines);
    case.comes_out_as(&lines);
}

#[test]
fn what_is_no_utf8_is_replaced_alike() {
    let parts: &[(&[u8], &str)] = &[
        (b"caf\xe9", "caf\u{fffd}"),
        (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        (b"a\xc3", "a\u{fffd}"),
        (b"\xe2\x82", "\u{fffd}"),
        (b"\xe2\x82A", "\u{fffd}A"),
        (b"\xed\xa0\x80z", "\u{fffd}z"),
        (b"\xc0\xaf", "\u{fffd}\u{fffd}"),
        (b"\xf4\x90\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        (b"\xf0\x9f\x98\x80", "\u{1f600}"),
        (b"\xef\xbb\xbfbom", "\u{feff}bom"),
        (b"nul\0 \x0b\x0c\xc2\x85", "nul\0 \u{b}\u{c}\u{85}"),
    ];
    let content: Vec<u8> = parts.iter().flat_map(|(bytes, _)| [*bytes, b"\n"].concat()).collect();
    let lines: Vec<&str> = parts.iter().map(|(_, text)| *text).collect();
    let case = Case::new("utf8", &content);
    case.holds(&lines);
    case.comes_out_as(&lines);
}

#[test]
fn a_growing_file_is_followed() {
    let case = Case::new("growing", b"");
    let mut lines = Vec::new();
    for (added, new) in [
        ("one\n", &["one"][..]),
        ("two\nth", &["two"]),
        ("ree\r", &[]),
        ("\nfour\n", &["three", "four"]),
    ] {
        case.append(added.as_bytes());
        lines.extend_from_slice(new);
        case.holds(&lines);
    }
    case.comes_out_as(&lines);
}

#[test]
fn a_truncated_file_is_read_on_from_the_old_place() {
    let case = Case::new("truncated", b"0123456789\n");
    case.holds(&["0123456789"]);
    std::fs::write(&case.input, b"ab\n").expect("truncate");
    case.append(b"cdefghijklmn\nx\n");
    let lines = ["0123456789", "klmn", "x"];
    case.holds(&lines);
    case.comes_out_as(&lines);
}

#[test]
fn standard_input_is_read_without_a_file() {
    let case = Case::without_connectors("stdin");
    case.start(&json!({}));
    let write = |bytes: &[u8]| suite().workers().into_iter().for_each(|worker| worker.write(bytes));
    write(b"one\n\ntwo\r\nthr");
    case.holds(&["one", "", "two"]);
    write(b"ee\nend\n");
    let lines = ["one", "", "two", "three", "end"];
    case.holds(&lines);
    case.comes_out_as(&lines);
}

#[test]
fn empty_lines_are_records() {
    let case = Case::new("empty", b"\n\na\n\n\n");
    let lines = ["", "", "a", "", ""];
    case.holds(&lines);
    case.comes_out_as(&lines);
}

#[test]
fn a_very_long_line_is_one_record() {
    let long = "0123456789".repeat(90_000);
    let case = Case::new("long", format!("a\n{long}\nb\n").as_bytes());
    let lines = ["a", &long, "b"];
    case.holds(&lines);
    case.comes_out_as(&lines);
}

#[test]
fn a_line_that_no_record_can_hold_fails_the_task() {
    let case = Case::new("oversized", format!("a\n{}\nb\n", "x".repeat(2_000_000)).as_bytes());
    for worker in suite().workers() {
        let trace = worker.rest.await_failed(&case.source(worker), 0).expect("failed");
        assert!(
            trace.contains("Unrecoverable exception from producer send callback"),
            "{}: {trace}",
            worker.name
        );
        let first = &read_all(suite().address(), &case.topic(worker)).expect("topic")[0];
        assert_eq!(first, b"a", "{}", worker.name);
        remove(worker, &case.source(worker));
    }
}

#[test]
fn what_no_file_could_hold_is_written_alike() {
    let (topic, address) = ("strange", suite().address());
    let values: &[Option<&[u8]>] = &[
        Some(b"plain"),
        None,
        Some(b""),
        Some(b"two\nlines"),
        Some(b"caf\xe9 \xed\xa0\x80"),
        Some(b"tail\r"),
        Some("\u{1f600}".as_bytes()),
    ];
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .create()
        .expect("producer");
    for value in values {
        let record = BaseRecord::<[u8], [u8]>::to(topic).key(b"key");
        let record = match value {
            Some(value) => record.payload(*value),
            None => record,
        };
        producer.send(record).map_err(|(error, _)| error).expect("sent");
    }
    producer.flush(PATIENCE).expect("flushed");
    let expected = "plain\nnull\n\ntwo\nlines\ncaf\u{fffd} \u{fffd}\ntail\r\n\u{1f600}\n";
    sinks_agree(topic, topic, expected.as_bytes());
}

// ---- The offset file ---------------------------------------------------------------------------------------------------

#[test]
fn an_offset_file_goes_from_java_to_weir_and_back() {
    const LINES: usize = 400_000;
    let suite = suite();
    let folder = suite.folder.join("takeover");
    std::fs::create_dir_all(&folder).expect("folder");
    let lines: Vec<String> = (0..LINES).map(|number| format!("line {number} of many")).collect();
    let input = folder.join("lines.txt");
    let text = lines.join("\n") + "\n";
    // Whoever reads next finds more than the last one could have read; each part ends within a line.
    let hold = |end: usize| std::fs::write(&input, &text[..end]).expect("input");
    hold(text.len() / 2 - 3);
    let settings = format!(
        "bootstrap.servers={}\nkey.converter={STRING}\nvalue.converter={STRING}\noffset.storage.file.filename={}\n",
        suite.address(),
        folder.join("connect.offsets").display()
    );
    let connector = folder.join("lines.properties");
    let config = format!(
        "name=lines\nconnector.class=FileStreamSource\nfile={}\ntopic=takeover\n",
        input.display()
    );
    std::fs::write(&connector, &config).expect("connector");
    let end = || end_offset(suite.address(), "takeover").unwrap_or(0);
    let beyond = |place: i64| await_value("more records", PATIENCE, || Some(end()).filter(|end| *end > place));

    let mut java =
        JavaWorker::standalone("java-first", &folder, &settings, &[&connector], Stdio::null()).expect("Java");
    beyond(0).unwrap_or_else(|error| panic!("{error}:\n{}", java.process.log_text()));
    java.process.stop().expect("stops");
    let first = end();

    hold(text.len() / 4 * 3);
    // The very file that Java's worker ran with.
    let worker = [
        "connect-standalone",
        "{dir}/java-first.properties",
        "{dir}/lines.properties",
        "--override",
        "listeners=http://127.0.0.1:0",
    ];
    let mut weir = Weir::start_in(&folder, &worker).expect("Weir");
    beyond(first).unwrap_or_else(|error| panic!("{error}:\n{}", weir.log_text()));
    let (status, _) = weir.stop().expect("stops");
    assert!(status.success(), "{status}:\n{}", weir.log_text());
    let second = end();

    hold(text.len());
    // One batch: with the default size Java's task may hold back the last lines until the file grows again.
    std::fs::write(&connector, format!("{config}batch.size={LINES}\n")).expect("connector");
    let mut java =
        JavaWorker::standalone("java-again", &folder, &settings, &[&connector], Stdio::null()).expect("Java");
    beyond(LINES as i64 - 1)
        .unwrap_or_else(|error| panic!("{error}: {first}, {second}, {}:\n{}", end(), java.process.log_text()));
    java.process.stop().expect("stops");

    let values = read_all(suite.address(), "takeover").expect("topic");
    let wrong = values
        .iter()
        .zip(&lines)
        .position(|(value, line)| value != line.as_bytes());
    assert_eq!(
        (wrong, values.len()),
        (None, LINES),
        "Java stopped at {first}, Weir at {second}"
    );
    assert!(0 < first && first < second, "each read a part: {first}, {second}");
}

// ---- Stock files -------------------------------------------------------------------------------------------------------

fn stock(name: &str) -> String {
    repository()
        .join("tests/standalone/stock")
        .join(name)
        .display()
        .to_string()
}

/// Lines as people write them: plain, with spaces, quotes, other scripts, none at all.
fn stock_lines() -> Vec<String> {
    let kinds = [
        "plain",
        "  with spaces\t",
        "\"quoted\" and \\slashed\\",
        "größer, 価格, 😀",
        "",
    ];
    (0..500)
        .map(|number| format!("{number} {}", kinds[number % kinds.len()]))
        .collect()
}

fn text_of(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// What the stock converter makes of a line.
fn envelope(line: &str) -> Value {
    json!({"schema": {"type": "string", "optional": false}, "payload": line})
}

/// The arguments that give a process a network, a /tmp and process ids of its own; none where that is not permitted.
fn unshare() -> Option<Vec<&'static str>> {
    const OWN: [&str; 5] = ["--net", "--mount", "--pid", "--fork", "--kill-child"];
    [vec![], vec!["--map-root-user"]]
        .into_iter()
        .map(|how| [how, OWN.to_vec()].concat())
        .find(|flags| {
            let trial = Command::new("unshare")
                .args(flags)
                .args(["sh", "-c", "mount -t tmpfs tmpfs /tmp && ip link set lo up"])
                .output();
            trial.is_ok_and(|output| output.status.success())
        })
}

/// Runs the stock files as they are on the named broker.
fn runs_unchanged(broker: &str) {
    let Some(flags) = unshare() else {
        eprintln!("private namespaces are not permitted here: the tests with --override stand for this one");
        return;
    };
    let folder = tempfile::tempdir_in(scratch()).expect("folder");
    let lines = stock_lines();
    let (first, more) = lines.split_at(300);
    std::fs::write(folder.path().join("test.txt"), text_of(first)).expect("test.txt");
    std::fs::write(folder.path().join("more.txt"), text_of(more)).expect("more.txt");
    let (script, weir) = (repository().join("tests/standalone/private.sh"), weir_binary());
    let mut arguments: Vec<&OsStr> = flags.iter().map(OsStr::new).collect();
    arguments.extend([
        script.as_os_str(),
        OsStr::new(broker),
        folder.path().as_os_str(),
        weir.as_os_str(),
        peers().as_os_str(),
    ]);
    let mut private = Running::start(
        "private",
        folder.path(),
        OsStr::new("unshare"),
        &arguments,
        Stdio::null(),
    )
    .expect("unshare");
    let status = private.await_end().expect("ends");
    assert!(status.success(), "{status}:\n{}", private.log_text());
    let left = |name: &str| std::fs::read(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(String::from_utf8_lossy(&left("test.sink.txt")), text_of(&lines));
    let mut connectors: Vec<String> = serde_json::from_slice(&left("connectors.json")).expect("JSON");
    connectors.sort();
    assert_eq!(connectors, ["local-file-sink", "local-file-source"]);
    assert_eq!(
        left("connect.offsets").get(..2),
        Some(&[0xac, 0xed][..]),
        "Java's serialised form"
    );
    let tmp = String::from_utf8_lossy(&left("tmp.list")).into_owned();
    assert!(tmp.lines().any(|name| name == "kraft-combined-logs"), "{tmp}");
    let log = String::from_utf8_lossy(&left("worker.log")).into_owned();
    assert!(!log.contains("unknown") && !log.contains("ERROR"), "{log}");
}

#[test]
fn stock_files_run_unchanged() {
    runs_unchanged("weir");
}

#[test]
fn stock_worker_files_run_unchanged_on_apache_kafka() {
    runs_unchanged("apache");
}

/// Runs Weir's worker in `folder` from the stock files, with ports and folders changed, until test.txt is in test.sink.txt.
fn runs_with_overrides(folder: &Path, address: &str) {
    let text = text_of(&stock_lines());
    std::fs::write(folder.join("test.txt"), &text).expect("test.txt");
    let files = [
        "connect-standalone.properties",
        "connect-file-source.properties",
        "connect-file-sink.properties",
    ]
    .map(stock);
    let servers = format!("bootstrap.servers={address}");
    let mut arguments = vec!["connect-standalone"];
    arguments.extend(files.iter().map(String::as_str));
    for setting in [
        "listeners=http://127.0.0.1:0",
        "offset.storage.file.filename={dir}/connect.offsets",
        &servers,
    ] {
        arguments.extend(["--override", setting]);
    }
    let mut weir = Weir::start_in(folder, &arguments).expect("worker");
    weir.await_ready().expect("ready");
    let sink = folder.join("test.sink.txt");
    await_true("test.sink.txt", PATIENCE, || {
        std::fs::read_to_string(&sink).is_ok_and(|found| found == text)
    })
    .unwrap_or_else(|error| {
        panic!(
            "{error}: {}\n{}",
            short(&std::fs::read(&sink).unwrap_or_default()),
            weir.log_text()
        );
    });
    let (status, took) = weir.stop().expect("stops");
    assert!(
        status.success() && took < Duration::from_secs(10),
        "{status} after {took:?}:\n{}",
        weir.log_text()
    );
    assert!(folder.join("connect.offsets").is_file());
}

#[test]
fn stock_files_run_with_ports_and_folders_changed() {
    let (broker_folder, folder) = (
        tempfile::tempdir().expect("folder"),
        tempfile::tempdir().expect("folder"),
    );
    let port = free_port().expect("port");
    let listeners = format!("listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:0");
    let advertised = format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port}");
    let arguments = [
        "broker",
        &stock("server.properties"),
        "--override",
        "log.dirs={dir}/logs",
        "--override",
        &listeners,
        "--override",
        &advertised,
    ];
    let mut broker = Weir::start_in(broker_folder.path(), &arguments).expect("broker");
    let address = broker.await_ready().expect("ready").kafka.expect("an address");
    runs_with_overrides(folder.path(), &address);
    let values: Vec<Value> = read_all(&address, "connect-test")
        .expect("topic")
        .iter()
        .map(|value| serde_json::from_slice(value).expect("JSON"))
        .collect();
    assert_eq!(
        values,
        stock_lines().iter().map(|line| envelope(line)).collect::<Vec<_>>()
    );
    let (status, _) = broker.stop().expect("stops");
    assert!(status.success(), "{status}:\n{}", broker.log_text());
}

#[test]
fn with_the_stock_converter_both_workers_write_the_same_bytes() {
    let suite = suite();
    let folder = tempfile::tempdir().expect("folder");
    runs_with_overrides(folder.path(), suite.address());
    let config = json!({
        "connector.class": SOURCE, "file": folder.path().join("test.txt"), "topic": "stock-java", "key.converter": JSON, "value.converter": JSON,
    });
    suite.java.rest.put_connector("stock-java", &config).expect("source");
    let count = stock_lines().len();
    await_true("all lines", PATIENCE, || {
        end_offset(suite.address(), "stock-java") == Some(count as i64)
    })
    .expect("Java's topic");
    let of = |topic: &str| read_contents(suite.address(), topic).expect("topic");
    let (weir, java) = (of("connect-test"), of("stock-java"));
    assert!(weir == java, "{:#?}\n{:#?}", shown(&weir), shown(&java));
    remove(&suite.java, "stock-java");
}
