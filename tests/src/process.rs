//! The built `weir` binary as a child process: started on free ports, awaited, stopped, killed.
//!
//! Each process has its own temporary folder and log; both are printed or kept by the failing test. Conditions are awaited with
//! deadlines by looking again every few milliseconds.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tempfile::TempDir;

/// How long a process may take to become ready or to stop. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// With these in the environment real services would be asked, which no test may do.
pub const SERVICE_KEYS: [&str; 3] = ["X_BEARER_TOKEN", "AEMET_API_KEY", "GOOGLE_PLACES_API_KEY"];

/// `weir up` on free ports, with its data in the process's own folder.
pub const UP_ON_FREE_PORTS: [&str; 9] = [
    "up",
    "--data-dir",
    "{dir}/data",
    "--kafka-port",
    "0",
    "--registry-port",
    "0",
    "--connect-port",
    "0",
];

/// The binary built by the same profile as this test: `target/<profile>/weir`.
pub fn weir_binary() -> PathBuf {
    let test = std::env::current_exe().expect("path of this test");
    let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let binary = profile.join("weir");
    assert!(
        binary.is_file(),
        "{} is not there: build it with `cargo build -p weir-cli` (make test does)",
        binary.display()
    );
    binary
}

/// The checkout.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the checkout")
        .to_owned()
}

/// Looks every few milliseconds until `condition` gives a value.
///
/// *Errors*: `what`, when `deadline` passes first.
pub fn await_value<T>(what: &str, deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if Instant::now() >= end {
            bail!("{what}: not within {deadline:?}");
        }
        pause();
    }
}

/// [`await_value`] for a yes or no.
pub fn await_true(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) -> anyhow::Result<()> {
    await_value(what, deadline, || condition().then_some(()))
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one place where a test looks again after a moment"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// Addresses from the ready file.
#[derive(Debug, Clone, Deserialize)]
pub struct Ready {
    /// `host:port` of the Kafka listener.
    pub kafka: Option<String>,
    /// URL of the Schema Registry.
    pub registry: Option<String>,
    /// URL of the REST proxy.
    pub rest_proxy: Option<String>,
    /// URL of Connect REST.
    pub connect: Option<String>,
    /// URL of a broker's metrics.
    pub metrics: Option<String>,
    /// URLs of the made-up services (`weir fakes`).
    pub x: Option<String>,
    /// AEMET's.
    pub aemet: Option<String>,
    /// Google Places'.
    pub places: Option<String>,
    /// The small paged API's.
    pub items: Option<String>,
    /// The process.
    pub pid: u32,
}

/// One running `weir`.
#[derive(Debug)]
pub struct Weir {
    child: Child,
    /// The process's own folder; shared by restarts.
    pub folder: PathBuf,
    owned: Option<TempDir>,
    ready_file: PathBuf,
    log: PathBuf,
}

/// What to start.
#[derive(Debug)]
pub struct Start<'a> {
    /// Arguments after `weir`, without `--ready-file`.
    pub arguments: Vec<String>,
    /// None = a new temporary folder.
    pub folder: Option<&'a Path>,
    /// Soft and hard limit on the size of any file it writes.
    pub max_file_bytes: Option<u64>,
    /// Environment variables, besides those of the test.
    pub environment: Vec<(String, String)>,
}

impl Weir {
    /// Starts `weir` with these arguments in a folder of its own. `{dir}` in an argument stands for that folder.
    pub fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        Self::start_with(Start {
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
            folder: None,
            max_file_bytes: None,
            environment: Vec::new(),
        })
    }

    /// Starts `weir` in a given folder, so that it finds what an earlier process left.
    pub fn start_in(folder: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::start_with(Start {
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
            folder: Some(folder),
            max_file_bytes: None,
            environment: Vec::new(),
        })
    }

    /// Starts `weir up` on free ports, and waits until it is ready.
    pub fn up(extra: &[&str]) -> anyhow::Result<(Self, Ready)> {
        let arguments = [&UP_ON_FREE_PORTS[..], extra].concat();
        let mut weir = Self::start(&arguments)?;
        let ready = weir.await_ready()?;
        Ok((weir, ready))
    }

    /// Starts `weir up` again in the folder of an earlier process.
    pub fn up_in(folder: &Path, extra: &[&str]) -> anyhow::Result<(Self, Ready)> {
        let arguments = [&UP_ON_FREE_PORTS[..], extra].concat();
        let mut weir = Self::start_in(folder, &arguments)?;
        let ready = weir.await_ready()?;
        Ok((weir, ready))
    }

    /// Starts `weir broker` from a small server.properties, on a free port, and waits until it is ready.
    pub fn broker(settings: &[(&str, &str)]) -> anyhow::Result<(Self, String)> {
        let folder = tempfile::tempdir()?;
        let (mut weir, address) = Self::broker_in(folder.path(), settings)?;
        weir.owned = Some(folder);
        Ok((weir, address))
    }

    /// As [`Weir::broker`], over the data that an earlier broker left in `folder`.
    pub fn broker_in(folder: &Path, settings: &[(&str, &str)]) -> anyhow::Result<(Self, String)> {
        let file = folder.join("server.properties");
        let mut text = format!("log.dirs={}\n", folder.join("data").display());
        if !settings.iter().any(|(key, _)| *key == "listeners") {
            text.push_str("listeners=PLAINTEXT://127.0.0.1:0\n");
        }
        for (key, value) in settings {
            text.push_str(&format!("{key}={value}\n"));
        }
        std::fs::write(&file, text)?;
        let mut weir = Self::start_in(folder, &["broker", "{dir}/server.properties"])?;
        let ready = weir.await_ready()?;
        let address = ready.kafka.context("the broker wrote no address")?;
        Ok((weir, address))
    }

    /// Starts as described, without waiting.
    pub fn start_with(start: Start<'_>) -> anyhow::Result<Self> {
        let owned = if start.folder.is_none() {
            Some(tempfile::tempdir()?)
        } else {
            None
        };
        let folder = start
            .folder
            .map(Path::to_owned)
            .or_else(|| owned.as_ref().map(|dir| dir.path().to_owned()))
            .context("a folder")?;
        let ready_file = folder.join("ready.json");
        let _ = std::fs::remove_file(&ready_file);
        let log = folder.join("weir.log");
        let here = folder.display().to_string();
        let mut command = Command::new(weir_binary());
        command.args(start.arguments.iter().map(|argument| argument.replace("{dir}", &here)));
        command.args(["--ready-file", &ready_file.display().to_string()]);
        for key in SERVICE_KEYS {
            command.env_remove(key);
        }
        let append = || std::fs::OpenOptions::new().create(true).append(true).open(&log);
        command
            .envs(start.environment)
            .stdin(Stdio::null())
            .stdout(append()?)
            .stderr(append()?)
            .current_dir(&folder);
        if let Some(bytes) = start.max_file_bytes {
            limit_file_size(&mut command, bytes);
        }
        let child = command.spawn().context("starting weir")?;
        Ok(Weir {
            child,
            folder,
            owned,
            ready_file,
            log,
        })
    }

    /// Waits for the ready file.
    ///
    /// *Errors*: the process ended first; the error holds its log.
    pub fn await_ready(&mut self) -> anyhow::Result<Ready> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Ok(text) = std::fs::read_to_string(&self.ready_file) {
                return serde_json::from_str(&text).context("the ready file");
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("weir ended with {status} before it was ready:\n{}", self.log_text());
            }
            if Instant::now() >= end {
                bail!("weir was not ready within {PATIENCE:?}:\n{}", self.log_text());
            }
            pause();
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All it has logged so far.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the log holds `text`.
    pub fn await_log(&self, text: &str) -> anyhow::Result<()> {
        await_true(&format!("{text:?} in the log"), PATIENCE, || {
            self.log_text().contains(text)
        })
        .with_context(|| self.log_text())
    }

    /// True while it runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end by itself.
    pub fn await_end(&mut self) -> anyhow::Result<ExitStatus> {
        let child = &mut self.child;
        await_value("weir ends", PATIENCE, || child.try_wait().ok().flatten())
            .with_context(|| std::fs::read_to_string(&self.log).unwrap_or_default())
    }

    /// SIGTERM, then the end; answers how long that took.
    pub fn stop(&mut self) -> anyhow::Result<(ExitStatus, Duration)> {
        let began = Instant::now();
        signal(self.child.id(), libc::SIGTERM);
        let status = self.await_end()?;
        Ok((status, began.elapsed()))
    }

    /// SIGKILL: what was not on disk, or with the kernel, is lost.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("SIGKILL")?;
        self.child.wait().context("reaping")?;
        Ok(())
    }

    /// Has the folder removed with this process.
    pub fn own_folder(&mut self, folder: TempDir) {
        self.owned = Some(folder);
    }

    /// Takes the temporary folder over, so that it outlives this process.
    pub fn keep_folder(&mut self) -> Option<TempDir> {
        self.owned.take()
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[allow(unsafe_code, reason = "kill(2) has no safe form in std")]
fn signal(pid: u32, number: i32) {
    // SAFETY: a plain system call on a child that this process has not reaped yet.
    unsafe {
        libc::kill(pid as libc::pid_t, number);
    }
}

/// RLIMIT_FSIZE as a stand-in for a full disk: writes beyond it fail with EFBIG.
#[allow(unsafe_code, reason = "limits are set between fork and exec")]
fn limit_file_size(command: &mut Command, bytes: u64) {
    use std::os::unix::process::CommandExt as _;
    // SAFETY: only async-signal-safe calls between fork and exec.
    unsafe {
        command.pre_exec(move || {
            let limit = libc::rlimit {
                rlim_cur: bytes,
                rlim_max: bytes,
            };
            if libc::setrlimit(libc::RLIMIT_FSIZE, &limit) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            Ok(())
        });
    }
}
