//! The arrows between crates, read from every manifest.
//!
//! A crate may import only what its row below allows; a new arrow is a decision (docs/adr) and a new row. Dev-dependencies
//! are free for test crates but not for our own crates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Crate and the crates of this workspace it may import.
const ARROWS: &[(&str, &[&str])] = &[
    ("weir-config", &[]),
    ("weir-secrets", &["weir-config"]),
    ("weir-metrics", &[]),
    ("weir-protocol", &[]),
    (
        "weir-client",
        &["weir-config", "weir-metrics", "weir-protocol", "weir-secrets"],
    ),
    ("weir-log", &["weir-protocol"]),
    ("weir-coordinator", &["weir-protocol"]),
    (
        "weir-server",
        &[
            "weir-config",
            "weir-metrics",
            "weir-protocol",
            "weir-log",
            "weir-coordinator",
        ],
    ),
    ("weir-schema", &[]),
    (
        "weir-registry",
        &["weir-schema", "weir-config", "weir-metrics", "weir-client"],
    ),
    ("weir-api", &["weir-config"]),
    ("weir-converters", &["weir-api", "weir-config", "weir-schema"]),
    ("weir-transforms", &["weir-api", "weir-config"]),
    (
        "weir-plugins",
        &[
            "weir-api",
            "weir-config",
            "weir-converters",
            "weir-metrics",
            "weir-transforms",
        ],
    ),
    ("weir-stores", &["weir-api", "weir-client", "weir-config"]),
    (
        "weir-worker",
        &[
            "weir-api",
            "weir-config",
            "weir-secrets",
            "weir-client",
            "weir-converters",
            "weir-plugins",
            "weir-stores",
            "weir-metrics",
            "weir-transforms",
        ],
    ),
    (
        "weir-herder",
        &[
            "weir-api",
            "weir-config",
            "weir-secrets",
            "weir-client",
            "weir-protocol",
            "weir-converters",
            "weir-plugins",
            "weir-stores",
            "weir-worker",
            "weir-metrics",
            "weir-transforms",
        ],
    ),
    (
        "weir-rest",
        &[
            "weir-api",
            "weir-config",
            "weir-secrets",
            "weir-herder",
            "weir-plugins",
            "weir-stores",
            "weir-metrics",
        ],
    ),
    (
        "weir-tools",
        &[
            "weir-api",
            "weir-client",
            "weir-config",
            "weir-converters",
            "weir-metrics",
            "weir-schema",
        ],
    ),
    ("weir-fakes", &[]),
    ("weir-bundled", &[]),
    ("weir-sdk", &["weir-api", "weir-config"]),
    ("weir-filestream", &["weir-sdk"]),
    ("weir-datagen", &["weir-sdk"]),
    ("weir-feed", &["weir-sdk"]),
    ("weir-http", &["weir-sdk", "weir-feed"]),
    ("weir-twitter", &["weir-sdk", "weir-feed"]),
    ("weir-aemet", &["weir-sdk", "weir-feed"]),
    ("weir-places", &["weir-sdk", "weir-feed"]),
    (
        "weir-cli",
        &[
            "weir-config",
            "weir-secrets",
            "weir-server",
            "weir-registry",
            "weir-fakes",
            "weir-client",
            "weir-plugins",
            "weir-stores",
            "weir-worker",
            "weir-herder",
            "weir-rest",
            "weir-tools",
            "weir-bundled",
            "weir-metrics",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
        .to_owned()
}

fn manifests() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for house in ["broker", "registry", "runtime", "connectors"] {
        let Ok(entries) = std::fs::read_dir(root().join(house)) else {
            continue;
        };
        for entry in entries.flatten() {
            let manifest = entry.path().join("Cargo.toml");
            if manifest.is_file() {
                found.push(manifest);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn crates_import_only_along_the_arrows() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    let manifests = manifests();
    assert!(
        manifests.len() >= 15,
        "only {} manifests found below {}",
        manifests.len(),
        root().display()
    );
    for path in manifests {
        let text = std::fs::read_to_string(&path).expect("readable manifest");
        let manifest: toml::Table = text.parse().expect("valid TOML");
        let name = manifest["package"]["name"].as_str().expect("a package name").to_owned();
        let Some(may) = allowed.get(name.as_str()) else {
            wrong.push(format!("{name} has no row in the table"));
            continue;
        };
        for table in ["dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(table).and_then(toml::Value::as_table) else {
                continue;
            };
            for dependency in dependencies.keys().filter(|key| key.starts_with("weir-")) {
                let is_bundling = name == "weir-bundled" && table == "build-dependencies";
                if !may.contains(&dependency.as_str()) && !is_bundling {
                    wrong.push(format!("{name} imports {dependency}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that the table does not allow: {wrong:#?}");
}

#[test]
fn every_row_of_the_table_is_a_crate() {
    let names: Vec<String> = manifests()
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("readable manifest"))
        .map(|text| {
            text.parse::<toml::Table>().expect("valid TOML")["package"]["name"]
                .as_str()
                .expect("a name")
                .to_owned()
        })
        .collect();
    for (row, _) in ARROWS {
        assert!(names.iter().any(|name| name == row), "{row} has a row but no crate");
    }
}

#[test]
fn every_path_that_the_map_names_is_there() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut seen = 0;
    for token in map.split('`').skip(1).step_by(2) {
        let is_path = token.contains('/')
            && !token.contains(|c: char| c.is_whitespace() || "{}*<>:|$".contains(c))
            && !token.starts_with('/');
        if is_path {
            seen += 1;
            assert!(
                root().join(token).try_exists().expect("stat"),
                "ARCHITECTURE.md names {token}, which is not there"
            );
        }
    }
    assert!(seen > 10, "ARCHITECTURE.md names only {seen} paths");
}

#[test]
fn generated_pages_are_what_the_tables_say() {
    let folder = tempfile::tempdir().expect("folder");
    let status = std::process::Command::new(weir_tests::process::weir_binary())
        .arg("docs")
        .arg(folder.path())
        .status();
    assert!(status.expect("weir docs runs").success());
    let mut pages = 0;
    for entry in std::fs::read_dir(folder.path()).expect("pages").flatten() {
        let fresh = std::fs::read_to_string(entry.path()).expect("a page");
        let kept = root().join("docs/config").join(entry.file_name());
        let kept_text = std::fs::read_to_string(&kept).unwrap_or_default();
        assert!(
            fresh == kept_text,
            "{} is not what the tables say: run `make docs`",
            kept.display()
        );
        pages += 1;
    }
    assert!(pages >= 5, "only {pages} pages");
}

/// Rust sources of a suite: a test target of this crate, or a crate of the workspace by its name.
fn sources_of(suite: &str) -> Vec<PathBuf> {
    let target = root().join("tests/tests").join(suite);
    let file = target.with_extension("rs");
    if file.is_file() {
        return vec![file];
    }
    let has_name = |manifest: &PathBuf| {
        let text = std::fs::read_to_string(manifest).expect("readable manifest");
        let manifest = text.parse::<toml::Table>().expect("valid TOML");
        manifest["package"]["name"].as_str() == Some(suite)
    };
    let folder = if target.is_dir() {
        target
    } else {
        let Some(manifest) = manifests().into_iter().find(has_name) else {
            return Vec::new();
        };
        manifest.parent().expect("a folder").to_owned()
    };
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// Is there a `fn` of the last name, in a source whose path has all the modules between it and the suite?
fn is_test(name: &str) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let [suite, modules @ .., function] = parts.as_slice() else {
        return false;
    };
    let needle = format!("fn {function}(");
    sources_of(suite).iter().any(|path| {
        let stem = path.with_extension("");
        let segments: Vec<&str> = stem.iter().filter_map(|segment| segment.to_str()).collect();
        modules.iter().all(|module| segments.contains(module))
            && std::fs::read_to_string(path).is_ok_and(|text| text.contains(&needle))
    })
}

/// Is there a scenario of this name in the area's file?
fn is_scenario(area: &str, name: &str) -> bool {
    let file = root()
        .join("tests/conformance/scenarios")
        .join(area)
        .with_extension("txt");
    let heading = format!("== {name}");
    std::fs::read_to_string(file).is_ok_and(|text| text.lines().any(|line| line == heading))
}

#[test]
fn every_test_that_the_conformance_pages_name_is_there() {
    let page = |name| std::fs::read_to_string(root().join("docs").join(name)).expect(name);
    let page = page("conformance.md") + &page("faults.md");
    let (mut seen, mut wrong) = (0, Vec::new());
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cell = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        if cell.trim() == "shown by" {
            continue;
        }
        let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        let is_there = |name: &&str| match name.split_once(": ") {
            Some((area, scenario)) => is_scenario(area, scenario),
            None if name.contains("::") => is_test(name),
            None => root().join(name).is_file(),
        };
        let missing: Vec<&str> = names.iter().copied().filter(|name| !is_there(name)).collect();
        if names.is_empty() || !missing.is_empty() {
            wrong.push(format!("{missing:?} in {line}"));
        }
        seen += names.len();
    }
    assert!(wrong.is_empty(), "rows without a test that is there: {wrong:#?}");
    assert!(seen > 200, "the page names only {seen} tests");
    assert!(!is_test("registry::deletes::no_such_test") && !is_test("no_such_suite::is_test"));
    assert!(is_scenario("root", "health of a worker that is up") && !is_scenario("root", "no such scenario"));
}
