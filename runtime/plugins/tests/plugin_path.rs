//! Scan of `plugin.path`, names, cached code and its trust
//!
//! Components come from `support`; the engine counts what it compiles, so a cache hit can be told from a compile.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use support::{Guest, hostile};
use tokio::sync::Mutex;
use weir_config::map::ConfigMap;
use weir_plugins::context::InstanceContext;
use weir_plugins::engine::WasmEngine;
use weir_plugins::guest::source::SourceTaskInstance;
use weir_plugins::plugins::{PluginSettings, Plugins};

/// Tests that count compiles must not run beside others that compile.
static COMPILES: Mutex<()> = Mutex::const_new(());

async fn open(plugin_path: &Path, cache: &Path) -> Arc<Plugins> {
    let settings = PluginSettings {
        plugin_path: vec![plugin_path.to_owned()],
        cache_dir: Some(cache.to_owned()),
        ..PluginSettings::default()
    };
    Plugins::open(settings, Vec::new()).await.expect("opens")
}

async fn use_once(plugins: &Arc<Plugins>, class: &str) {
    let plugin = plugins.find_connector(class).expect("is found");
    let context = InstanceContext::bare("c", ConfigMap::new());
    let mut task = SourceTaskInstance::create(plugins, &plugin, context)
        .await
        .expect("is created");
    task.start(&ConfigMap::new()).await.expect("starts");
}

fn compiled() -> u64 {
    WasmEngine::shared().expect("runs").compiled_count()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .expect("is a folder")
        .map(|entry| entry.expect("reads").path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    found
}

struct Folders {
    plugins: PathBuf,
    cache: PathBuf,
    _root: tempfile::TempDir,
}

fn folders(guests: &[Guest]) -> Folders {
    let root = tempfile::tempdir().expect("temporary folder");
    let (plugins, cache) = (root.path().join("plugins"), root.path().join("cache"));
    fs::create_dir(&plugins).expect("creates");
    for guest in guests {
        let path = plugins.join(format!("{}-{}.wasm", guest.class, guest.version));
        fs::write(path, guest.component()).expect("writes");
    }
    Folders {
        plugins,
        cache,
        _root: root,
    }
}

#[tokio::test]
async fn code_and_description_come_from_the_cache_the_second_time() {
    let _alone = COMPILES.lock().await;
    let folders = folders(&[Guest::source("test.CachedSourceConnector")]);
    let before = compiled();
    use_once(&open(&folders.plugins, &folders.cache).await, "CachedSource").await;
    assert_eq!(compiled(), before + 1);
    let code = files(&folders.cache, "cwasm");
    assert_eq!(code.len(), 1);
    assert_eq!(files(&folders.cache, "json").len(), 1);
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!((mode(&folders.cache), mode(&code[0])), (0o700, 0o600));

    let plugins = open(&folders.plugins, &folders.cache).await;
    assert_eq!(plugins.list(true).len(), 1, "listed without code");
    assert_eq!(compiled(), before + 1);
    use_once(&plugins, "CachedSource").await;
    assert_eq!(compiled(), before + 1);
}

#[tokio::test]
async fn code_that_others_could_have_written_is_compiled_again() {
    let _alone = COMPILES.lock().await;
    let folders = folders(&[Guest::source("test.OpenModeSourceConnector")]);
    use_once(&open(&folders.plugins, &folders.cache).await, "OpenModeSource").await;
    let code = files(&folders.cache, "cwasm").remove(0);
    fs::set_permissions(&code, fs::Permissions::from_mode(0o622)).expect("chmod");
    let before = compiled();
    use_once(&open(&folders.plugins, &folders.cache).await, "OpenModeSource").await;
    assert_eq!(compiled(), before + 1);
    let mode = fs::metadata(&code).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "replaced by a private file");
}

#[tokio::test]
async fn code_of_another_engine_or_cut_short_is_compiled_again() {
    let _alone = COMPILES.lock().await;
    let folders = folders(&[Guest::source("test.OtherEngineSourceConnector")]);
    let class = "OtherEngineSource";
    use_once(&open(&folders.plugins, &folders.cache).await, class).await;
    let code = files(&folders.cache, "cwasm").remove(0);
    let whole = fs::read(&code).expect("reads");
    // An engine with other settings has another name for its file: then there is no file of this engine.
    fs::rename(&code, code.with_file_name("0-0.cwasm")).expect("renames");
    let mut before = compiled();
    use_once(&open(&folders.plugins, &folders.cache).await, class).await;
    assert_eq!(compiled(), before + 1);
    // Under this engine's name, but not its code.
    for broken in [&whole[..whole.len() / 2], b"not code at all"] {
        fs::write(&code, broken).expect("writes");
        before = compiled();
        use_once(&open(&folders.plugins, &folders.cache).await, class).await;
        assert_eq!(compiled(), before + 1);
        assert_eq!(fs::read(&code).expect("reads").len(), whole.len());
    }
}

#[tokio::test]
async fn unusable_files_are_listed_with_their_reason_and_stop_nobody() {
    let _alone = COMPILES.lock().await;
    let folders = folders(&[Guest::source("test.FineSourceConnector")]);
    let put = |name: &str, content: &[u8]| fs::write(folders.plugins.join(name), content).expect("writes");
    put("a-text.wasm", b"no wasm");
    put("b-core.wasm", b"\0asm\x01\0\0\0");
    // A component, but one that exports nothing.
    put("c-empty.wasm", b"\0asm\x0d\0\x01\0");
    put("d-cut.wasm", &Guest::source("x.Y").component()[..500]);
    put("e-ignored.txt", b"");
    let plugins = open(&folders.plugins, &folders.cache).await;
    let unusable: Vec<(&str, &str)> = plugins
        .unusable()
        .iter()
        .map(|plugin| {
            (
                plugin.path.file_name().and_then(|n| n.to_str()).expect("has one"),
                plugin.reason.as_str(),
            )
        })
        .collect();
    let names: Vec<&str> = unusable.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["a-text.wasm", "b-core.wasm", "c-empty.wasm", "d-cut.wasm"]);
    assert_eq!(unusable[1].1, "it is a core WebAssembly module, not a component");
    assert!(unusable[2].1.contains("weir:connect/plugin"), "{}", unusable[2].1);
    use_once(&plugins, "FineSource").await;
}

#[tokio::test]
async fn a_component_that_does_not_describe_itself_is_unusable() {
    let _alone = COMPILES.lock().await;
    // `describe` runs in a store without grants and traps in this guest's start function.
    let guest = Guest {
        functions: "(func $begin unreachable) (start $begin)",
        ..Guest::source("test.NoStart")
    };
    let folders = folders(&[guest]);
    let plugins = open(&folders.plugins, &folders.cache).await;
    assert!(plugins.list(true).is_empty());
    let reason = &plugins.unusable().first().expect("is listed").reason;
    assert!(reason.contains("cannot be described"), "{reason}");
}

#[tokio::test]
async fn a_stock_name_finds_the_class_that_stands_in_for_it() {
    let _alone = COMPILES.lock().await;
    let java = "org.apache.kafka.connect.file.FileStreamSourceConnector";
    let guest = |version| Guest {
        aliases: &["org.apache.kafka.connect.file.FileStreamSourceConnector"],
        version,
        ..Guest::source("weir.FileSource")
    };
    let folders = folders(&[guest("1.9.0"), guest("1.10.0"), Guest::sink("b.Sink")]);
    let plugins = open(&folders.plugins, &folders.cache).await;
    for name in [
        java,
        "FileStreamSourceConnector",
        "FileStreamSource",
        "FileSource",
        "weir.FileSource",
    ] {
        let found = plugins.find_connector(name).expect("is found");
        assert_eq!(
            (found.class.as_str(), found.version.as_str()),
            ("weir.FileSource", "1.10.0"),
            "{name}"
        );
        assert_eq!(found.task_class, "weir.FileSourceTask");
    }
    for (version, expected) in [
        (None, Ok("1.10.0")),
        (Some("latest"), Ok("1.10.0")),
        (Some("1.9.0"), Ok("1.9.0")),
        (Some("[1.0,1.10)"), Ok("1.9.0")),
        (Some("[1.9,2.0)"), Ok("1.10.0")),
        (
            Some("[2.0,)"),
            Err(
                "Plugin weir.FileSource not found that matches the version range [2.0,), available versions: [1.9.0, 1.10.0]",
            ),
        ),
        (Some("[2.0"), Err("Unbounded range: [2.0")),
    ] {
        let found = plugins.find_connector_version("FileSource", version);
        let found = found.map(|plugin| plugin.version).map_err(|error| error.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{version:?}");
    }
    let listed: Vec<String> = plugins
        .list(true)
        .into_iter()
        .map(|info| format!("{} {} {}", info.kind.as_str(), info.class, info.version))
        .collect();
    assert_eq!(
        listed,
        [
            "sink b.Sink 1.0.0",
            "source weir.FileSource 1.9.0",
            "source weir.FileSource 1.10.0"
        ]
    );
    let error = plugins.find_connector("Nobody").expect_err("unknown").to_string();
    assert!(
        error.starts_with("Failed to find any class that implements Connector and which name matches Nobody, available connectors are: PluginDesc{klass=class b.Sink, name='b.Sink', version='1.0.0'"),
        "{error}"
    );
    let error = plugins.find_any("Nobody").expect_err("unknown").to_string();
    assert_eq!(error, "Unknown plugin Nobody.");
}

#[tokio::test]
async fn native_converters_are_listed_after_connectors_and_found_by_short_names() {
    let _alone = COMPILES.lock().await;
    let folders = folders(&[hostile("trap").expect("known")]);
    let plugins = open(&folders.plugins, &folders.cache).await;
    assert_eq!(plugins.list(true).len(), 1);
    let all = plugins.list(false);
    assert!(all.len() > 4 && all.is_sorted_by_key(|info| info.kind), "{all:?}");
    for (name, class) in [
        ("Json", "org.apache.kafka.connect.json.JsonConverter"),
        ("StringConverter", "org.apache.kafka.connect.storage.StringConverter"),
        ("Simple", "org.apache.kafka.connect.storage.SimpleHeaderConverter"),
    ] {
        assert_eq!(plugins.find_any(name).expect("is found").class, class);
    }
}
