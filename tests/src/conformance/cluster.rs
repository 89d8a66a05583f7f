//! The kinds of clusters that scenarios ask for, of Java workers and of Weir's.
//!
//! Both run with the same worker settings, on free ports, over a broker of their own kind.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::apache::{Broker, Running, free_port, peers};
use crate::process::{Start, Weir, await_true};
use crate::rest::Rest;

/// How a worker runs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Distributed,
    Standalone,
}

/// A kind of cluster.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    mode: Mode,
    workers: usize,
    /// Sent with the requests that are no part of a scenario.
    authorization: Option<&'static str>,
    /// Besides those of every worker; `{admin}` is the port of the admin listener.
    settings: &'static [(&'static str, &'static str)],
}

const PLAIN: Kind = Kind {
    name: "distributed",
    mode: Mode::Distributed,
    workers: 1,
    authorization: None,
    settings: &[
        ("config.providers", "file,directory,env"),
        (
            "config.providers.file.class",
            "org.apache.kafka.common.config.provider.FileConfigProvider",
        ),
        (
            "config.providers.directory.class",
            "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
        ),
        (
            "config.providers.env.class",
            "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
        ),
    ],
};

const KINDS: [Kind; 8] = [
    PLAIN,
    Kind {
        name: "standalone",
        mode: Mode::Standalone,
        ..PLAIN
    },
    Kind {
        name: "two-workers",
        workers: 2,
        ..PLAIN
    },
    Kind {
        name: "exactly-once",
        settings: &[("exactly.once.source.support", "enabled")],
        ..PLAIN
    },
    Kind {
        name: "closed",
        settings: &[
            ("topic.tracking.enable", "false"),
            ("connector.client.config.override.policy", "None"),
            ("connect.protocol", "compatible"),
            ("admin.listeners", ""),
        ],
        ..PLAIN
    },
    Kind {
        name: "apart",
        settings: &[
            ("topic.tracking.allow.reset", "false"),
            ("connector.client.config.override.policy", "Principal"),
            ("topic.creation.enable", "false"),
            ("admin.listeners", "http://127.0.0.1:{admin}"),
        ],
        ..PLAIN
    },
    Kind {
        name: "guarded",
        authorization: Some("Basic d2VpcjpzZWNyZXQ="),
        settings: &[
            (
                "rest.extension.classes",
                "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension",
            ),
            ("connector.client.config.override.policy", "Allowlist"),
            (
                "connector.client.config.override.allowlist",
                "linger.ms,max.poll.records",
            ),
        ],
        ..PLAIN
    },
    Kind {
        name: "browsed",
        settings: &[
            (
                "access.control.allow.origin",
                "http://ui.example,http://*.other.example",
            ),
            ("access.control.allow.methods", "GET,POST,PUT"),
            (
                "response.http.headers.config",
                "add Cache-Control: no-cache, set X-Frame-Options: DENY, \"add X-Weir-Test: a, b\", setDate X-Weir-Test-Date: 1000",
            ),
        ],
        ..PLAIN
    },
];

/// Whether there is such a kind.
pub fn is_kind(name: &str) -> bool {
    KINDS.iter().any(|kind| kind.name == name)
}

/// Workers that answer, and what they live from.
#[derive(Debug)]
pub struct Cluster {
    /// Where the scenarios' files are.
    pub folder: PathBuf,
    kind: &'static Kind,
    kafka: String,
    /// Worker 1 is the leader.
    ports: Vec<u16>,
    admin: u16,
    workers: BTreeMap<String, Rest>,
    processes: Vec<Process>,
    _folder: TempDir,
}

#[derive(Debug)]
enum Process {
    Java(Running),
    Weir(Weir),
}

impl Cluster {
    /// Java's workers on Java's broker.
    pub fn java(kind: &str, broker: &Broker) -> anyhow::Result<Self> {
        let mut cluster = Self::prepare(kind, &broker.address)?;
        for index in 0..cluster.ports.len() {
            let file = cluster.write_settings(
                index,
                &format!(
                    "plugin.path={}\nplugin.discovery=service_load\n",
                    peers().join("plugins").display()
                ),
            )?;
            let main = match cluster.kind.mode {
                Mode::Distributed => "org.apache.kafka.connect.cli.ConnectDistributed",
                Mode::Standalone => "org.apache.kafka.connect.cli.ConnectStandalone",
            };
            let jaas = format!(
                "-Djava.security.auth.login.config={}",
                cluster.folder.join("jaas.conf").display()
            );
            let arguments = [OsStr::new(&jaas), OsStr::new(main), file.as_os_str()];
            let name = format!("java-{}", index + 1);
            let mut process = Running::java(&name, &cluster.folder, &arguments, Stdio::null())?;
            let (rest, headers) = (cluster.rest(index), cluster.own_headers());
            process.await_true("Java's worker is ready", || is_ready(&rest, &headers))?;
            cluster.processes.push(Process::Java(process));
        }
        Ok(cluster)
    }

    /// Weir's workers on Weir's broker.
    pub fn weir(kind: &str) -> anyhow::Result<Self> {
        let mut cluster = Self::prepare(kind, "")?;
        let (mode, count) = (cluster.kind.mode, cluster.ports.len());
        if (mode, count) == (Mode::Distributed, 1) {
            let file = cluster.write_settings(0, "")?;
            let arguments = [
                "up",
                "--data-dir",
                "{dir}/data",
                "--kafka-port",
                "0",
                "--registry-port",
                "0",
                "--connect",
            ];
            let weir = cluster.start_weir("up", &[&arguments[..], &[&file.display().to_string()]].concat())?;
            cluster.processes.push(weir);
            return Ok(cluster);
        }
        let (broker, kafka) = Weir::broker_in(&cluster.sub_folder("broker")?, &[])?;
        cluster.processes.push(Process::Weir(broker));
        cluster.kafka = kafka;
        for index in 0..count {
            let file = cluster.write_settings(index, "")?.display().to_string();
            let role = match mode {
                Mode::Distributed => "connect-distributed",
                Mode::Standalone => "connect-standalone",
            };
            let weir = cluster.start_weir(&format!("worker-{}", index + 1), &[role, &file])?;
            cluster.processes.push(weir);
        }
        Ok(cluster)
    }

    fn prepare(kind: &str, kafka: &str) -> anyhow::Result<Self> {
        let kind = KINDS
            .iter()
            .find(|known| known.name == kind)
            .with_context(|| format!("no kind {kind:?}"))?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().to_owned();
        std::fs::write(path.join("users.properties"), "weir=secret\n")?;
        let login = format!(
            "KafkaConnect {{\n  org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required file=\"{}\";\n}};\n",
            path.join("users.properties").display()
        );
        std::fs::write(path.join("jaas.conf"), login)?;
        let ports = (0..kind.workers).map(|_| free_port()).collect::<Result<Vec<_>, _>>()?;
        let admin = free_port()?;
        let mut cluster = Cluster {
            folder: path,
            kind,
            kafka: kafka.to_owned(),
            ports,
            admin,
            workers: BTreeMap::new(),
            processes: Vec::new(),
            _folder: folder,
        };
        for index in 0..kind.workers {
            cluster.workers.insert((index + 1).to_string(), cluster.rest(index));
        }
        cluster
            .workers
            .insert("admin".to_owned(), Rest::new(&format!("http://127.0.0.1:{admin}")));
        Ok(cluster)
    }

    fn rest(&self, index: usize) -> Rest {
        Rest::new(&format!("http://127.0.0.1:{}", self.ports[index]))
    }

    fn sub_folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    fn write_settings(&self, index: usize, more: &str) -> anyhow::Result<PathBuf> {
        let group = format!("conformance-{}", self.kind.name);
        let mut text = format!(
            "bootstrap.servers={}\nlisteners=http://127.0.0.1:{}\noffset.flush.interval.ms=500\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.storage.StringConverter\n",
            self.kafka, self.ports[index]
        );
        match self.kind.mode {
            Mode::Standalone => text.push_str(&format!(
                "offset.storage.file.filename={}\n",
                self.folder.join("offsets").display()
            )),
            Mode::Distributed => {
                text.push_str(&format!("group.id={group}\nscheduled.rebalance.max.delay.ms=0\n"));
                for storage in ["config", "offset", "status"] {
                    text.push_str(&format!(
                        "{storage}.storage.topic={group}-{storage}\n{storage}.storage.replication.factor=1\n"
                    ));
                }
                text.push_str("offset.storage.partitions=3\nstatus.storage.partitions=1\n");
            }
        }
        for (key, value) in self.kind.settings {
            text.push_str(&format!(
                "{key}={}\n",
                value.replace("{admin}", &self.admin.to_string())
            ));
        }
        let file = self.folder.join(format!("worker-{}.properties", index + 1));
        std::fs::write(&file, text + more)?;
        Ok(file)
    }

    fn start_weir(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        let folder = self.sub_folder(name)?;
        let jaas = format!(
            "-Djava.security.auth.login.config={}",
            self.folder.join("jaas.conf").display()
        );
        let mut weir = Weir::start_with(Start {
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            folder: Some(&folder),
            max_file_bytes: None,
            environment: vec![("KAFKA_OPTS".to_owned(), jaas)],
        })?;
        weir.await_ready()?;
        Ok(Process::Weir(weir))
    }

    /// Whom a step speaks to.
    pub fn worker(&self, name: &str) -> anyhow::Result<&Rest> {
        match self.workers.get(name) {
            Some(rest) => Ok(rest),
            None => bail!("a {} cluster has no worker {name:?}", self.kind.name),
        }
    }

    /// Headers of requests that are no part of a scenario.
    pub fn own_headers(&self) -> Vec<(&'static str, &'static str)> {
        self.kind
            .authorization
            .iter()
            .map(|value| ("Authorization", *value))
            .collect()
    }

    /// What stands for `{NAME}` in a scenario.
    pub fn names(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::from([
            ("dir".to_owned(), self.folder.display().to_string()),
            ("kafka".to_owned(), self.kafka.clone()),
            ("admin".to_owned(), format!("127.0.0.1:{}", self.admin)),
        ]);
        for (index, port) in self.ports.iter().enumerate() {
            names.insert(format!("worker{}", index + 1), format!("127.0.0.1:{port}"));
        }
        names
    }

    /// Puts `{NAME}` back into an answer.
    pub fn unfill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in self.names() {
            if !value.is_empty() {
                text = text.replace(&value, &format!("{{{name}}}"));
            }
        }
        if self.processes.iter().any(|process| matches!(process, Process::Java(_))) {
            text = text.replace(&peers().display().to_string(), "{peers}");
        }
        text
    }

    /// What its processes have logged, for whoever looks for a reason.
    pub fn logs(&self) -> String {
        self.processes
            .iter()
            .map(|process| match process {
                Process::Java(running) => running.log_text(),
                Process::Weir(weir) => weir.log_text(),
            })
            .collect()
    }
}

fn is_ready(rest: &Rest, headers: &[(&str, &str)]) -> bool {
    let asked = |path: &str| rest.send_with("GET", path, headers, None);
    asked("/health").is_ok_and(|answer| answer.status == 200)
}

/// A broker of Apache Kafka's that answers, in this folder.
pub fn apache_broker(folder: &Path) -> anyhow::Result<Broker> {
    let mut broker = Broker::start(folder)?;
    let address = broker.address.clone();
    broker.await_true("the broker listens", || std::net::TcpStream::connect(&address).is_ok())?;
    await_true("the broker's port", crate::process::PATIENCE, || {
        std::net::TcpStream::connect(&address).is_ok()
    })?;
    Ok(broker)
}
