//! The one WebAssembly engine of the process and its epoch ticker
//!
//! Holds the engine settings, the thread that advances epochs while a guest is on a CPU, and the step that turns bytes
//! into a component. The only unsafe code of the crate is here: loading machine code that `code_cache.rs` stored.
//! Components are instantiated in `instance.rs`.

#![allow(
    unsafe_code,
    reason = "deserialising machine code from our own cache; see the SAFETY comment"
)]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};

use tokio::sync::Mutex;
use wasmtime::component::Component;
use wasmtime::{Config, Engine, OptLevel, WasmBacktraceDetails};

use crate::code_cache::CodeCache;
use crate::error::PluginError;
use crate::limits::{FIBER_STACK_BYTES, MAX_WASM_STACK_BYTES, TICK};

/// Ticks without any guest on a CPU after which the ticker thread sleeps until one starts.
const IDLE_TICKS: u32 = 100;

/// The engine, its ticker and the compile lock.
#[derive(Debug)]
pub struct WasmEngine {
    engine: Engine,
    ticker: &'static Ticker,
    /// One compile at a time: a large component takes seconds of CPU, and the records of running tasks come first.
    compiling: Mutex<()>,
    /// Components compiled since the process started; tests and `weir plugin warm` read it.
    compiled: AtomicU64,
}

impl WasmEngine {
    /// Returns the engine of this process; the first call creates it.
    pub fn shared() -> Result<Arc<Self>, PluginError> {
        static SHARED: OnceLock<Result<Arc<WasmEngine>, String>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::create().map(Arc::new).map_err(|e| format!("{e:#}")))
            .clone()
            .map_err(PluginError::Engine)
    }

    fn create() -> wasmtime::Result<Self> {
        let engine = Engine::new(&engine_settings())?;
        let ticker = Ticker::start(&engine)?;
        Ok(Self {
            engine,
            ticker,
            compiling: Mutex::new(()),
            compiled: AtomicU64::new(0),
        })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn ticker(&self) -> &'static Ticker {
        self.ticker
    }

    /// Returns how many components were compiled rather than loaded from a cache.
    pub fn compiled_count(&self) -> u64 {
        self.compiled.load(Ordering::Relaxed)
    }

    /// Names the engine build and settings; a file compiled under another name is never loaded.
    pub(crate) fn compatibility(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// Turns a component's bytes into code: from `cache` when it holds this digest, else compiled and stored there.
    ///
    /// `wasm` gives the bytes only when they are needed, since a bundled component must be decompressed first.
    pub(crate) async fn component(
        self: &Arc<Self>,
        digest: &str,
        cache: Option<Arc<CodeCache>>,
        wasm: impl FnOnce() -> Result<Vec<u8>, PluginError> + Send + 'static,
    ) -> Result<Component, PluginError> {
        let file_name = format!("{digest}-{}.cwasm", self.compatibility());
        let from_cache = |engine: Arc<Self>, cache: Option<Arc<CodeCache>>, name: String| {
            move || cache.and_then(|cache| engine.load(&cache, &name))
        };
        let load = from_cache(Arc::clone(self), cache.clone(), file_name.clone());
        if let Some(component) = run_blocking(load).await? {
            return Ok(component);
        }
        let _one_at_a_time = self.compiling.lock().await;
        // Another worker may have stored it while this one waited for its turn.
        let load = from_cache(Arc::clone(self), cache.clone(), file_name.clone());
        if let Some(component) = run_blocking(load).await? {
            return Ok(component);
        }
        let engine = Arc::clone(self);
        let digest = digest.to_owned();
        run_blocking(move || engine.compile(&digest, cache.as_deref(), &file_name, &wasm()?)).await?
    }

    fn load(&self, cache: &CodeCache, file_name: &str) -> Option<Component> {
        let path = cache.trusted_path(file_name)?;
        match self.deserialize(path) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(file = file_name, error = %format!("{error:#}"), "compiled plugin is refused, compiling again");
                None
            }
        }
    }

    fn deserialize(&self, path: PathBuf) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize_file` requires bytes that this version of wasmtime wrote and nobody changed, also while they
        // are mapped. `CodeCache::trusted_path` gives only regular files that belong to this user and nobody else may
        // write, in a folder of the same kind; they are written under another name, synced and renamed, never in place,
        // and their name carries the engine's compatibility hash. wasmtime itself refuses other versions and settings.
        unsafe { Component::deserialize_file(&self.engine, path) }
    }

    fn compile(
        &self,
        digest: &str,
        cache: Option<&CodeCache>,
        file_name: &str,
        wasm: &[u8],
    ) -> Result<Component, PluginError> {
        let component = Component::from_binary(&self.engine, wasm).map_err(|error| PluginError::Unusable {
            plugin: digest.to_owned(),
            reason: format!("{error:#}"),
        })?;
        self.compiled.fetch_add(1, Ordering::Relaxed);
        let Some(cache) = cache else {
            return Ok(component);
        };
        let stored = component
            .serialize()
            .map_err(|e| format!("{e:#}"))
            .and_then(|code| cache.store(file_name, &code).map_err(|e| e.to_string()));
        if let Err(error) = stored {
            tracing::warn!(file = file_name, error, "compiled plugin is not cached");
        }
        Ok(component)
    }
}

async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PluginError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| PluginError::Engine(error.to_string()))
}

/// On-demand allocation: instances are made per task and live long, so a pool would only reserve address space.
fn engine_settings() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // With it every call of every guest costs 1.3 us more; its other switch is a feature that is not compiled in.
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(MAX_WASM_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

/// Advances the epoch while at least one guest is on a CPU, and sleeps otherwise.
#[derive(Debug)]
pub(crate) struct Ticker {
    on_cpu: AtomicUsize,
    is_parked: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Ticker {
    fn start(engine: &Engine) -> wasmtime::Result<&'static Self> {
        let ticker: &'static Self = Box::leak(Box::new(Self {
            on_cpu: AtomicUsize::new(0),
            is_parked: AtomicBool::new(false),
            thread: OnceLock::new(),
        }));
        let engine = engine.clone();
        let handle = thread::Builder::new()
            .name("weir-epoch".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || ticker.run(&engine))?;
        ticker.thread.get_or_init(|| handle.thread().clone());
        Ok(ticker)
    }

    fn run(&self, engine: &Engine) {
        let mut idle_ticks = 0;
        loop {
            thread::park_timeout(TICK);
            if self.on_cpu.load(Ordering::Relaxed) > 0 {
                engine.increment_epoch();
                idle_ticks = 0;
                continue;
            }
            idle_ticks += 1;
            if idle_ticks >= IDLE_TICKS {
                self.park_until_needed();
                idle_ticks = 0;
            }
        }
    }

    fn park_until_needed(&self) {
        self.is_parked.store(true, Ordering::SeqCst);
        // A guest that entered before it could see the flag is seen here; one that enters later unparks.
        while self.on_cpu.load(Ordering::SeqCst) == 0 && self.is_parked.load(Ordering::SeqCst) {
            thread::park();
        }
        self.is_parked.store(false, Ordering::SeqCst);
    }

    /// Counts a guest as on a CPU until the returned value is dropped.
    pub(crate) fn enter(&self) -> OnCpu<'_> {
        self.on_cpu.fetch_add(1, Ordering::SeqCst);
        if self.is_parked.load(Ordering::SeqCst)
            && self.is_parked.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
        OnCpu { ticker: self }
    }
}

pub(crate) struct OnCpu<'a> {
    ticker: &'a Ticker,
}

impl Drop for OnCpu<'_> {
    fn drop(&mut self) {
        self.ticker.on_cpu.fetch_sub(1, Ordering::Relaxed);
    }
}
