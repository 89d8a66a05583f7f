//! `weir up --demo`: two small streams that a person can watch.
//!
//! Generated page views go into a topic; a text file goes through a topic into another file. Everything lies below the
//! data directory and stays there.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use weir_config::map::ConfigMap;
use weir_tools::error::ToolError;
use weir_tools::tail::{TailOptions, tail};

use crate::connector_file::ConnectorFile;

/// Lines of the demo's input file.
const DEMO_LINES: u32 = 1000;
/// Lines of the file's topic that are shown.
const SHOWN_LINES: u64 = 5;
/// Pause before a topic is looked for again.
const TOPIC_PAUSE: Duration = Duration::from_millis(100);

/// Where the demo reads and writes.
#[derive(Debug)]
pub(crate) struct Demo {
    /// The generated input file.
    pub(crate) input: PathBuf,
    /// What the file sink writes.
    pub(crate) output: PathBuf,
    /// Three connectors.
    pub(crate) connectors: Vec<ConnectorFile>,
}

/// Prepares the files and the connector configs.
pub(crate) fn prepare(data_dir: &Path) -> anyhow::Result<Demo> {
    let folder = data_dir.join("demo");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = std::fs::canonicalize(&folder).with_context(|| format!("cannot find {}", folder.display()))?;
    let (input, output) = (folder.join("input.txt"), folder.join("output.txt"));
    if std::fs::metadata(&input).is_err() {
        write_input(&input).with_context(|| format!("cannot write {}", input.display()))?;
    }
    let connectors = vec![
        connector(
            "demo-pageviews",
            &[
                ("connector.class", "Datagen"),
                ("topic", "demo-pageviews"),
                ("schema", "pageviews"),
                ("interval.ms", "200"),
                ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
                ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
                ("value.converter.schemas.enable", "false"),
            ],
        ),
        connector(
            "demo-file-source",
            &[
                ("connector.class", "FileStreamSource"),
                ("file", &input.to_string_lossy()),
                ("topic", "demo-lines"),
                ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ],
        ),
        connector(
            "demo-file-sink",
            &[
                ("connector.class", "FileStreamSink"),
                ("file", &output.to_string_lossy()),
                ("topics", "demo-lines"),
                ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ],
        ),
    ];
    Ok(Demo {
        input,
        output,
        connectors,
    })
}

/// Shows a few lines of the file's topic, then page views as they come.
#[allow(clippy::print_stdout, reason = "what the demo is for")]
pub(crate) async fn watch(demo: &Demo, kafka: SocketAddr, connect: SocketAddr) {
    println!(
        "
{DEMO_LINES} lines go from {} through the topic demo-lines into {}. The first of them:
",
        demo.input.display(),
        demo.output.display()
    );
    show("demo-lines", kafka, Some(SHOWN_LINES)).await;
    println!(
        "
Page views as they are generated, until Ctrl-C. Meanwhile, in another terminal:

  curl http://{connect}/connectors/demo-file-sink/status
  weir tail demo-pageviews -b {kafka} --from-beginning --max 5
  tail -n 3 {}
",
        demo.output.display()
    );
    show("demo-pageviews", kafka, None).await;
}

async fn show(topic: &str, kafka: SocketAddr, max: Option<u64>) {
    let options = TailOptions {
        bootstrap_servers: kafka.to_string(),
        topic: topic.to_owned(),
        json: false,
        from_beginning: true,
        max,
    };
    loop {
        match tail(options.clone(), &mut std::io::stdout()).await {
            // Its source creates it with its first record.
            Err(ToolError::NoSuchTopic { .. }) => tokio::time::sleep(TOPIC_PAUSE).await,
            Err(error) => return tracing::warn!(topic, %error, "the demo cannot show this topic"),
            Ok(()) => return,
        }
    }
}

fn connector(name: &str, settings: &[(&str, &str)]) -> ConnectorFile {
    let pairs = settings
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())));
    let mut config: ConfigMap = pairs.collect();
    config.insert("name", name);
    ConnectorFile {
        path: PathBuf::from("--demo"),
        name: name.to_owned(),
        config,
        initial_state: None,
    }
}

fn write_input(path: &Path) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for line in 1..=DEMO_LINES {
        writeln!(
            file,
            "line {line}: this went from a file through a topic into another file"
        )?;
    }
    file.flush()
}
