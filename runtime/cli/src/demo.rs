//! `weir up --demo`: three live feeds through Avro into topics and a file, on a console.
//!
//! X, AEMET and Google Places are asked where their keys are in the environment; the others are made-up services on
//! loopback that answer the same way. Everything stored lies below the data directory and stays there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::task::JoinSet;
use weir_config::map::ConfigMap;
use weir_config::properties::Properties;
use weir_fakes::server::{FakeServices, serve_all};
use weir_tools::error::ToolError;
use weir_tools::record_text::RecordParts;
use weir_tools::tail::{TailOptions, follow};

use crate::connector_file::ConnectorFile;
use crate::creator::Creator;
use crate::up::Addresses;

/// Pause before a topic is looked for again.
const TOPIC_PAUSE: Duration = Duration::from_millis(100);
/// The made-up services tell the same story at every start.
const SEED: u64 = 7;
const AVRO: &str = "io.confluent.connect.avro.AvroConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

const TWEETS: &str = "demo-tweets";
const WEATHER: &str = "demo-weather";
const PLACES: &str = "demo-places";

/// The demo's connectors, and the services behind them.
#[derive(Debug)]
pub(crate) struct Demo {
    /// What the file sink writes.
    output: PathBuf,
    /// Which feeds are real ones.
    real: Vec<&'static str>,
    /// Four connectors.
    connectors: Vec<ConnectorFile>,
    /// Kept while the demo runs; dropping it ends the made-up services.
    _services: FakeServices,
}

/// A feed: where its key comes from and how its connector is told about the service.
struct Feed {
    name: &'static str,
    key_variable: &'static str,
    key_setting: &'static str,
    url_setting: &'static str,
    settings: &'static [(&'static str, &'static str)],
    /// For made-up services only: real ones are asked no more often than is polite.
    fake_settings: &'static [(&'static str, &'static str)],
}

const FEEDS: [Feed; 3] = [
    Feed {
        name: TWEETS,
        key_variable: "X_BEARER_TOKEN",
        key_setting: "twitter.bearer.token",
        url_setting: "twitter.base.url",
        settings: &[
            ("connector.class", "TwitterSource"),
            ("twitter.mode", "recent_search"),
            ("twitter.query", "lluvia lang:es"),
            ("twitter.start", "earliest"),
        ],
        fake_settings: &[("poll.interval.ms", "2000")],
    },
    Feed {
        name: WEATHER,
        key_variable: "AEMET_API_KEY",
        key_setting: "aemet.api.key",
        url_setting: "aemet.base.url",
        settings: &[("connector.class", "AemetSource"), ("aemet.product", "observacion")],
        fake_settings: &[("poll.interval.ms", "10000")],
    },
    Feed {
        name: PLACES,
        key_variable: "GOOGLE_PLACES_API_KEY",
        key_setting: "places.api.key",
        url_setting: "places.base.url",
        settings: &[
            ("connector.class", "PlacesSource"),
            ("places.mode", "nearby"),
            ("places.area", "40.4168,-3.7038,500"),
            ("places.included.types", "cafe"),
        ],
        fake_settings: &[("poll.interval.ms", "30000")],
    },
];

/// Starts the made-up services and makes the connector configs.
pub(crate) async fn prepare(data_dir: &Path) -> anyhow::Result<Demo> {
    let folder = data_dir.join("demo");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = std::fs::canonicalize(&folder).with_context(|| format!("cannot find {}", folder.display()))?;
    let output = folder.join("tweets.txt");
    let services = serve_all("127.0.0.1", SEED)
        .await
        .context("the demo's made-up services")?;
    let mut real = Vec::new();
    let mut connectors = Vec::new();
    for feed in &FEEDS {
        let has_key = std::env::var_os(feed.key_variable).is_some_and(|key| !key.is_empty());
        if has_key {
            real.push(feed.name);
        }
        connectors.push(feed_connector(feed, (!has_key).then_some(&services)));
    }
    let output_text = output.to_string_lossy();
    let sink = [
        ("connector.class", "FileStreamSink"),
        ("file", &output_text),
        ("topics", TWEETS),
        ("key.converter", STRING),
        ("value.converter", AVRO),
    ];
    connectors.push(connector("demo-tweets-to-file", sink));
    Ok(Demo {
        output,
        real,
        connectors,
        _services: services,
    })
}

fn feed_connector(feed: &Feed, services: Option<&FakeServices>) -> ConnectorFile {
    let mut file = connector(feed.name, feed.settings.iter().copied());
    let config = &mut file.config;
    config.insert("topic", feed.name);
    config.insert("key.converter", STRING);
    config.insert("value.converter", AVRO);
    // The variable is what is stored and shown, not the key.
    config.insert(feed.key_setting, format!("${{env:{}}}", feed.key_variable));
    if let Some(services) = services {
        let url = match feed.name {
            TWEETS => services.x_url(),
            WEATHER => services.aemet_url(),
            _ => services.places_url(),
        };
        config.insert(feed.key_setting, "made-up-key");
        config.insert(feed.url_setting, url);
        for (key, value) in feed.fake_settings {
            config.insert(*key, *value);
        }
    }
    file
}

/// Creates the connectors and shows the records of the three topics as they come.
#[allow(clippy::print_stdout, reason = "what the demo is for")]
pub(crate) async fn watch(demo: &Demo, creator: &Creator, addresses: Addresses, connect: &str) {
    let Addresses { kafka, registry } = addresses;
    for feed in &FEEDS {
        let source = if demo.real.contains(&feed.name) {
            "the real service".to_owned()
        } else {
            format!("a made-up service (set {} for the real one)", feed.key_variable)
        };
        println!("  {:<14} {source}", feed.name);
    }
    println!(
        "
Three feeds go through Avro into topics, and posts on into {}.
In another terminal:

  curl -s {connect}/connectors?expand=status
  weir tail {WEATHER} -b {kafka} --registry http://{registry} --from-beginning --max 5
  python3 examples/datalab/consume.py {kafka} http://{registry} {TWEETS}

Records as they come, until Ctrl-C:
",
        demo.output.display()
    );
    let mut shown = JoinSet::new();
    for file in demo.connectors.iter().cloned() {
        let creator = creator.clone();
        // A connector's first start on a machine compiles it, which takes a second or two.
        shown.spawn(async move {
            if let Err(error) = creator.create(file).await {
                tracing::error!("{error:#}");
            }
        });
    }
    for feed in &FEEDS {
        let options = TailOptions {
            bootstrap_servers: kafka.to_string(),
            client: Properties::new(),
            topic: feed.name.to_owned(),
            json: false,
            from_beginning: true,
            max: None,
            registry: Some(format!("http://{registry}")),
        };
        shown.spawn(show(options));
    }
    while shown.join_next().await.is_some() {}
}

async fn show(options: TailOptions) {
    let topic = options.topic.clone();
    loop {
        match follow(options.clone(), |record| console_line(&mut io::stdout(), record)).await {
            // Its source creates it with its first record.
            Err(ToolError::NoSuchTopic { .. }) => tokio::time::sleep(TOPIC_PAUSE).await,
            Err(error) => return tracing::warn!(topic, %error, "the demo cannot show this topic"),
            Ok(()) => return,
        }
    }
}

/// One line a person can read: feed, what, and the figures that matter.
fn console_line(out: &mut impl io::Write, record: &RecordParts<'_>) -> io::Result<()> {
    let value: Value = record
        .value
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or(Value::Null);
    let text = match record.topic {
        TWEETS => format!(
            "@{}: {}",
            at(&value, "/author/username").unwrap_or_else(|| "?".to_owned()),
            at(&value, "/text").unwrap_or_default()
        ),
        WEATHER => format!(
            "{}: {} °C, {} % humidity, wind {} m/s",
            at(&value, "/ubi").or_else(|| at(&value, "/idema")).unwrap_or_default(),
            at(&value, "/ta").unwrap_or_else(|| "–".to_owned()),
            at(&value, "/hr").unwrap_or_else(|| "–".to_owned()),
            at(&value, "/vv").unwrap_or_else(|| "–".to_owned()),
        ),
        _ => format!(
            "place {} in cell {}",
            at(&value, "/id").unwrap_or_default(),
            at(&value, "/cell").unwrap_or_else(|| "–".to_owned())
        ),
    };
    writeln!(out, "{:<13} {}", record.topic, text.replace(['\n', '\r'], " "))
}

fn at(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn connector<'a>(name: &str, settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> ConnectorFile {
    let mut config: ConfigMap = settings.into_iter().collect();
    config.insert("name", name);
    ConnectorFile {
        path: PathBuf::from("--demo"),
        name: name.to_owned(),
        config,
        initial_state: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(topic: &str, value: &str) -> String {
        let record = RecordParts {
            topic,
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: None,
            value: Some(value.as_bytes()),
            headers: Vec::new(),
        };
        let mut out = Vec::new();
        console_line(&mut out, &record).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn each_feed_has_a_line_of_its_own() {
        let tweet = r#"{"text":"uno\ndos","author":{"username":"faro"}}"#;
        assert_eq!(shown(TWEETS, tweet), "demo-tweets   @faro: uno dos\n");
        let row = r#"{"idema":"9999X","ubi":null,"ta":14.6,"hr":61.0}"#;
        assert_eq!(
            shown(WEATHER, row),
            "demo-weather  9999X: 14.6 °C, 61.0 % humidity, wind – m/s\n"
        );
        assert_eq!(shown(PLACES, r#"{"id":"p1"}"#), "demo-places   place p1 in cell –\n");
        assert_eq!(shown(TWEETS, "not JSON"), "demo-tweets   @?: \n");
    }
}
