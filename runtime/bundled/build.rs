//! Builds the bundled connectors for the guest target and packs them
//!
//! Cargo runs again inside, with its own target directory (no lock is shared with the outer build) and without the
//! flags and wrappers meant for the host. Each component gets its manifest as the custom section `weir:manifest`, and
//! beside it as JSON, so that listing plugins unpacks nothing. The manifest comes from the registration compiled for
//! the host: no runtime is needed to build one.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use weir_sdk::manifest::manifest;
use weir_sdk::plugin::Plugin;

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "guest";
const ZSTD_LEVEL: i32 = 19;

/// What is compiled into the components; anything else leaves them as they are.
const SOURCES: [&str; 6] = [
    "connectors",
    "wit",
    "runtime/api",
    "broker/config",
    "Cargo.lock",
    "Cargo.toml",
];

struct Connector {
    package: &'static str,
    register: fn() -> Plugin,
}

const CONNECTORS: [Connector; 6] = [
    Connector {
        package: "weir-filestream",
        register: weir_filestream::plugin::plugin,
    },
    Connector {
        package: "weir-datagen",
        register: weir_datagen::plugin::plugin,
    },
    Connector {
        package: "weir-http",
        register: weir_http::plugin::plugin,
    },
    Connector {
        package: "weir-twitter",
        register: weir_twitter::plugin::plugin,
    },
    Connector {
        package: "weir-aemet",
        register: weir_aemet::plugin::plugin,
    },
    Connector {
        package: "weir-places",
        register: weir_places::plugin::plugin,
    },
];

fn main() {
    if let Err(error) = build() {
        eprintln!("error: {error}");
        exit(1);
    }
}

fn build() -> Result<(), String> {
    let manifest_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = manifest_dir.join("../..");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    check_target()?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target_dir = guest_target_dir(&out)?;
    let mut table = String::from("&[\n");
    for connector in &CONNECTORS {
        compile(connector.package, &root, &target_dir)?;
        pack(connector, &target_dir, &out, &mut table)?;
    }
    table.push(']');
    write(&out.join("components.rs"), table.as_bytes())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}

/// The compiler says where the target's standard library would be; rustup has put it there or not.
fn check_target() -> Result<(), String> {
    let rustc = variable("RUSTC")?;
    let asked = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    let asked = asked.map_err(|error| format!("{rustc}: {error}"))?;
    let folder = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    if asked.status.success() && fs::metadata(&folder).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    Err(format!(
        "the bundled connectors need the target {TARGET}; install it with: rustup target add {TARGET}"
    ))
}

/// `guest` beside the profile folders: `OUT_DIR` is TARGET_DIR[/TRIPLE]/PROFILE/build/PACKAGE/out.
fn guest_target_dir(out: &Path) -> Result<PathBuf, String> {
    let profile = out
        .ancestors()
        .find(|folder| folder.file_name().is_some_and(|name| name == "build"));
    let target = profile.and_then(|build| build.parent()).and_then(Path::parent);
    Ok(target
        .ok_or_else(|| format!("{}: no target directory above it", out.display()))?
        .join("guest"))
}

/// The crates are plain libraries, because they are also linked into this script; what makes a component of one is
/// the crate type asked for here.
fn compile(package: &str, root: &Path, target_dir: &Path) -> Result<(), String> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(root).args([
        "rustc",
        "--locked",
        "--lib",
        "--crate-type",
        "cdylib",
        "--package",
        package,
    ]);
    cargo
        .args(["--profile", PROFILE, "--target", TARGET, "--target-dir"])
        .arg(target_dir);
    for name in [
        "RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET_DIR",
    ] {
        cargo.env_remove(name);
    }
    // An empty wrapper also turns off one that a configuration file names; the flags replace all others.
    for name in ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"] {
        cargo.env(name, "");
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+simd128");
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!(
            "{package} did not build for {TARGET}: cargo ended with {status}"
        ))
    }
}

fn pack(connector: &Connector, target_dir: &Path, out: &Path, table: &mut String) -> Result<(), String> {
    let package = connector.package;
    let file = format!("{}.wasm", package.replace('-', "_"));
    let built = target_dir.join(TARGET).join(PROFILE).join(file);
    let mut wasm = fs::read(&built).map_err(|error| format!("{}: {error}", built.display()))?;
    let manifest = manifest(&(connector.register)());
    append_section(&mut wasm, "weir:manifest", manifest.as_bytes());
    let packed = zstd::encode_all(wasm.as_slice(), ZSTD_LEVEL).map_err(|error| format!("{package}: {error}"))?;
    write(&out.join(format!("{package}.wasm.zst")), &packed)?;
    write(&out.join(format!("{package}.json")), manifest.as_bytes())?;
    let name = package.trim_start_matches("weir-");
    let row = writeln!(
        table,
        "    Bundled {{ name: {name:?}, wasm_zstd: include_bytes!({:?}), manifest_json: include_str!({:?}) }},",
        format!("{package}.wasm.zst"),
        format!("{package}.json"),
    );
    row.map_err(|error| error.to_string())
}

/// Appends a custom section: id 0, size, length of the name, name, content.
fn append_section(wasm: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut body = Vec::with_capacity(name.len() + content.len() + 5);
    push_leb128(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    wasm.push(0);
    push_leb128(wasm, body.len());
    wasm.extend_from_slice(&body);
}

fn push_leb128(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        // Masked to seven bits.
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn write(path: &Path, content: &[u8]) -> Result<(), String> {
    fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()))
}
