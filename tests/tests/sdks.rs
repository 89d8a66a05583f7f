//! The SDKs of other languages: their own tests, by their own runners
//!
//! What a component made with them does in a worker is not tested here.

use std::path::Path;
use std::process::Command;

#[test]
fn the_python_sdk_passes_its_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors/sdk/python");
    let output = Command::new("python3")
        .args(["-m", "unittest", "discover", "-v", "-s", "tests"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder)
        .output()
        .expect("python3 runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let ran = told.lines().filter(|line| line.ends_with("... ok")).count();
    assert!(ran >= 7, "{ran} tests ran:\n{told}");
}
