//! Clients of Connect's REST API: libraries and tools run for real, and call sequences of tools replayed.
//!
//! The drivers are in `tests/clients/connect`, their versions are pinned there; one that is missing fails its test and says what
//! installs it. With `WEIR_CLIENTS_PEER=apache` the same runs against Apache Kafka Connect, which shows what a client itself does
//! wrong. `docs/clients.md` lists the tools.

mod kafka_ui;
mod kcctl;
mod strimzi;
mod tool;

use std::path::{Path, PathBuf};
use std::process::Command;

use tool::Peer;
use weir_tests::process::repository;

/// No driver may take longer.
const DRIVER_SECONDS: &str = "240";

/// The folder that `tests/clients/fetch.sh` fills.
fn clients() -> PathBuf {
    std::env::var_os("WEIR_CLIENTS").map_or_else(|| repository().join("target/clients"), PathBuf::from)
}

fn drivers() -> PathBuf {
    repository().join("tests/clients/connect")
}

/// Runs a driver, which judges the answers itself, against a worker of its own.
fn drive(program: &Path, arguments: &[&str], environment: &[(&str, &Path)]) {
    let present = program.components().count() == 1 || program.is_file();
    assert!(
        present,
        "missing: {}; install it with: tests/setup.sh test",
        program.display()
    );
    let peer = Peer::start("distributed");
    let output = Command::new("timeout")
        .args(["--signal=KILL", DRIVER_SECONDS])
        .arg(program)
        .args(arguments)
        .arg(format!("http://{}", peer.rest().host()))
        .arg(peer.folder())
        .current_dir(drivers())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(environment.iter().copied())
        .output()
        .expect("timeout of coreutils starts");
    assert!(
        output.status.success(),
        "{}\n{}\n--- worker\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        peer.logs()
    );
}

fn python(file: &str, client: &str) {
    let only = clients().join("python-connect-cli");
    drive(
        &clients().join("python-connect/bin/python"),
        &[file, client],
        &[("KAFKA_CONNECT_CLI", &only)],
    );
}

#[test]
fn kafka_connect_api_of_pypi() {
    python("libraries.py", "kafka_connect_api");
}

#[test]
fn kafka_connect_py_of_pypi() {
    python("libraries.py", "kafka_connect_py");
}

#[test]
fn the_command_of_kafka_connect_py() {
    python("commands.py", "kc");
}

#[test]
fn kafkaconnect_of_pypi() {
    python("libraries.py", "kafkaconnect");
}

#[test]
fn the_command_of_kafkaconnect() {
    python("commands.py", "kafkaconnect");
}

#[test]
fn the_python_helper_of_pipelines() {
    python("libraries.py", "connect_helper");
}

#[test]
fn the_health_check_of_containers() {
    python("libraries.py", "health");
}

#[test]
fn the_command_of_kafka_connect_manager() {
    python("commands.py", "kcm");
}

#[test]
fn the_command_of_connectorctl() {
    python("commands.py", "connectorctl");
}

#[test]
fn the_command_of_kafka_connect_cli() {
    python("commands.py", "kafka_connect_cli");
}

#[test]
fn kafka_connect_client_of_npm() {
    let modules = clients().join("node/node_modules");
    drive(Path::new("node"), &["connect.js"], &[("NODE_PATH", &modules)]);
}

#[test]
fn akhqs_client_in_its_order() {
    let libraries = clients().join("java-connect");
    assert!(
        libraries.is_dir(),
        "missing: {}; tests/setup.sh test",
        libraries.display()
    );
    let class_path = format!("{}/*", libraries.display());
    let options = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"];
    let arguments = [&options[..], &[class_path.as_str(), "ConnectPeer.java"]].concat();
    drive(Path::new("java"), &arguments, &[]);
}

#[test]
fn the_client_of_redpanda_console() {
    drive(&clients().join("connect-go"), &["console"], &[]);
}

#[test]
fn the_client_of_the_terraform_provider_in_its_order() {
    drive(&clients().join("connect-go"), &["terraform"], &[]);
}

#[test]
fn go_kafkas_client() {
    drive(&clients().join("connect-go"), &["go-kafka"], &[]);
}
