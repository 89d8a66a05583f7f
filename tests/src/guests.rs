//! The misbehaving connectors of `tests/guests`, built as a component
//!
//! With the flags and target directory of `runtime/bundled/build.rs`, so that what both need is compiled once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const TARGET: &str = "wasm32-wasip2";

/// Builds the component once a process; gives its path, to be copied into a folder of `plugin.path`.
pub fn component() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace");
    // The test binary is TARGET_DIR[/TRIPLE]/PROFILE/deps/NAME.
    let binary = std::env::current_exe().expect("a path of this test");
    let target_dir = binary.ancestors().nth(3).expect("a target directory").join("guest");
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .args([
            "build",
            "--locked",
            "--quiet",
            "--profile",
            "guest",
            "--target",
            TARGET,
            "--package",
            "weir-guests",
            "--target-dir",
        ])
        .arg(&target_dir)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "")
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+simd128")
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the guests did not build: {status}");
    target_dir.join(TARGET).join("guest").join("weir_guests.wasm")
}
