//! Apache Kafka's broker and Connect workers as child processes, from the jars of `tests/peers`.
//!
//! Every child is tied to the thread that started it and is killed with it, so that nothing outlives a test that is itself killed.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};

use anyhow::{Context as _, bail};

use crate::kafka::is_up;
use crate::process::{PATIENCE, await_true, await_value, repository};
use crate::rest::Rest;
use crate::side_by_side::scratch;

/// The folder of the jars; `tests/peers/fetch-kafka.sh` fills it, once a process.
pub fn peers() -> &'static Path {
    static PEERS: OnceLock<PathBuf> = OnceLock::new();
    PEERS.get_or_init(|| {
        let output = Command::new(repository().join("tests/peers/fetch-kafka.sh"))
            .output()
            .expect("bash");
        assert!(
            output.status.success(),
            "no Apache Kafka: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::env::var_os("WEIR_PEERS").map_or_else(|| repository().join("target/peers"), PathBuf::from)
    })
}

/// A port of the loopback that nobody listens on now.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A child process that ends with its owner, and its log.
#[derive(Debug)]
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts `program` in `folder`; its output goes to `NAME.log` there.
    pub fn start(
        name: &str,
        folder: &Path,
        program: &OsStr,
        arguments: &[&OsStr],
        stdin: Stdio,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let append = || std::fs::OpenOptions::new().create(true).append(true).open(&log);
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .current_dir(folder);
        let child = command
            .stdin(stdin)
            .stdout(append()?)
            .stderr(append()?)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Running { child, log })
    }

    /// A JVM with Kafka's class path, small and quick to start.
    pub fn java(name: &str, folder: &Path, arguments: &[&OsStr], stdin: Stdio) -> anyhow::Result<Self> {
        let logging = format!(
            "-Dlog4j2.configurationFile={}",
            peers().join("config/log4j2.properties").display()
        );
        let class_path = format!("{}/libs/*", peers().display());
        let options = [
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            &logging,
            "-cp",
            &class_path,
        ];
        let all: Vec<&OsStr> = options
            .iter()
            .map(OsStr::new)
            .chain(arguments.iter().copied())
            .collect();
        Self::start(name, folder, OsStr::new("java"), &all, stdin)
    }

    /// The writing end of its standard input, if that was piped.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// All it has printed so far.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until `condition` holds.
    ///
    /// *Errors*: the process ended, or the time is over; the error holds the log.
    pub fn await_true(&mut self, what: &str, mut condition: impl FnMut() -> bool) -> anyhow::Result<()> {
        let mut ended = None;
        let waited = await_true(what, PATIENCE, || {
            ended = self.child.try_wait().ok().flatten();
            ended.is_some() || condition()
        });
        if let Some(status) = ended {
            bail!("{what}: ended with {status}:\n{}", self.log_text());
        }
        waited.with_context(|| self.log_text())
    }

    /// Waits for its end by itself.
    pub fn await_end(&mut self) -> anyhow::Result<ExitStatus> {
        let child = &mut self.child;
        await_value("the end", 3 * PATIENCE, || child.try_wait().ok().flatten()).with_context(|| self.log_text())
    }

    /// SIGTERM, then the end.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal("TERM")?;
        self.await_end()
    }

    /// Sends a signal by its name, without `SIG`.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .context("kill")?;
        anyhow::ensure!(sent.success(), "kill -{name}: {sent}:\n{}", self.log_text());
        Ok(())
    }

    /// SIGKILL, and the end: what was not with the kernel is lost.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("SIGKILL")?;
        self.child.wait().context("reaping")?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One KRaft node, broker and controller, on free ports. Groups form at once; all else is stock.
#[derive(Debug)]
pub struct Broker {
    /// `host:port`.
    pub address: String,
    process: Running,
}

impl Broker {
    /// Formats a log folder below `folder` and starts the broker on it, without waiting.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(folder, "", "", "", &[])
    }

    /// As [`Broker::start`], with one more `listener`, named by its protocol `NAME:PROTOCOL`, further settings, and users
    /// (`MECHANISM=[name=…,password=…]`). `address` is the further listener's.
    pub fn start_secured(folder: &Path, listener: &str, settings: &str, users: &[&str]) -> anyhow::Result<Self> {
        let port = free_port()?;
        let name = listener.split(':').next().unwrap_or_default();
        let mut broker = Self::start_with(
            folder,
            &format!(",{name}://127.0.0.1:{port}"),
            &format!(",{listener}"),
            settings,
            users,
        )?;
        broker.address = format!("127.0.0.1:{port}");
        Ok(broker)
    }

    fn start_with(folder: &Path, listeners: &str, protocols: &str, more: &str, users: &[&str]) -> anyhow::Result<Self> {
        let (port, controller) = (free_port()?, free_port()?);
        let settings = folder.join("server.properties");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listeners}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}\n\
             inter.broker.listener.name=PLAINTEXT\ncontroller.listener.names=CONTROLLER\n\
             log.dirs={}\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n{more}",
            folder.join("kafka-logs").display()
        );
        std::fs::write(&settings, text)?;
        let file = settings.as_os_str();
        let format = [
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
            "-t",
            "4L6g3nShT-eMCtK--X86sw",
            "-c",
        ];
        let users = users.iter().flat_map(|user| ["--add-scram", user]).map(OsStr::new);
        let format: Vec<&OsStr> = format.iter().map(OsStr::new).chain([file]).chain(users).collect();
        let mut formatting = Running::java("format", folder, &format, Stdio::null())?;
        anyhow::ensure!(formatting.await_end()?.success(), "format:\n{}", formatting.log_text());
        let process = Running::java("kafka", folder, &[OsStr::new("kafka.Kafka"), file], Stdio::null())?;
        Ok(Broker {
            address: format!("127.0.0.1:{port}"),
            process,
        })
    }

    /// Waits until `condition`, which asks this broker something, holds.
    pub fn await_true(&mut self, what: &str, condition: impl FnMut() -> bool) -> anyhow::Result<()> {
        self.process.await_true(what, condition)
    }
}

/// Address of the broker that all tests of suite `name` share: the first to ask starts it, it ends with the process.
pub fn broker_of_suite(name: &'static str) -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let (started, answers) = mpsc::channel();
        // Children end with the thread that started them, so it stays.
        std::thread::spawn(move || {
            let folder = scratch().join(name);
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).expect("folder");
            let mut broker = Broker::start(&folder).expect("Apache Kafka");
            let address = broker.address.clone();
            broker
                .await_true("Apache Kafka answers", || is_up(&address))
                .expect("Apache Kafka");
            started.send(address).expect("somebody waits");
            loop {
                std::thread::park();
            }
        });
        answers.recv().expect("Apache Kafka")
    })
}

/// A worker of Java's.
#[derive(Debug)]
pub struct JavaWorker {
    /// Its REST address.
    pub rest: Rest,
    /// The process.
    pub process: Running,
}

impl JavaWorker {
    /// Starts a standalone worker with these settings and connector files, without waiting. REST and plugin path are added.
    pub fn standalone(
        name: &str,
        folder: &Path,
        settings: &str,
        connectors: &[&Path],
        stdin: Stdio,
    ) -> anyhow::Result<Self> {
        let port = free_port()?;
        let file = folder.join(format!("{name}.properties"));
        let plugins = peers().join("plugins");
        let text = format!(
            "{settings}\nlisteners=http://127.0.0.1:{port}\nplugin.path={}\nplugin.discovery=service_load\n",
            plugins.display()
        );
        std::fs::write(&file, text)?;
        let main = OsStr::new("org.apache.kafka.connect.cli.ConnectStandalone");
        let arguments: Vec<&OsStr> = [main, file.as_os_str()]
            .into_iter()
            .chain(connectors.iter().map(|path| path.as_os_str()))
            .collect();
        let process = Running::java(name, folder, &arguments, stdin)?;
        Ok(JavaWorker {
            rest: Rest::new(&format!("http://127.0.0.1:{port}")),
            process,
        })
    }

    /// Starts a distributed worker from a file that has it listen on `port`, without waiting.
    pub fn distributed(name: &str, folder: &Path, file: &Path, port: u16) -> anyhow::Result<Self> {
        let main = OsStr::new("org.apache.kafka.connect.cli.ConnectDistributed");
        let process = Running::java(name, folder, &[main, file.as_os_str()], Stdio::null())?;
        Ok(JavaWorker {
            rest: Rest::new(&format!("http://127.0.0.1:{port}")),
            process,
        })
    }

    /// Waits until REST says that start-up is complete.
    pub fn await_ready(&mut self) -> anyhow::Result<()> {
        let rest = self.rest.clone();
        self.process.await_true("Java's worker is ready", || {
            rest.get("/health").is_ok_and(|answer| answer.status == 200)
        })
    }
}
