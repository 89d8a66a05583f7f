//! A broker and a registry on it, and how tests speak to them.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use weir_tests::kafka::read_contents;
use weir_tests::process::{PATIENCE, Weir};
use weir_tests::rest::{Answer, Rest};

pub(crate) const V1: &str = "application/vnd.schemaregistry.v1+json";

/// A broker and a registry on it.
pub(crate) struct Cluster {
    pub(crate) rest: Rest,
    pub(crate) kafka: String,
    pub(crate) registry: Weir,
    _broker: Weir,
}

impl Cluster {
    pub(crate) fn start(settings: &str) -> Self {
        let (broker, kafka) = Weir::broker(&[]).expect("broker");
        let (registry, rest) = registry(&kafka, settings).expect("registry");
        Cluster {
            rest,
            kafka,
            registry,
            _broker: broker,
        }
    }

    /// Stops the registry and starts another on the same topic.
    pub(crate) fn restart(&mut self, settings: &str) -> Duration {
        self.registry.stop().expect("stopped");
        let began = Instant::now();
        let (registry, rest) = registry(&self.kafka, settings).expect("registry");
        (self.registry, self.rest) = (registry, rest);
        began.elapsed()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.rest.get(path).expect(path)
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let text = (!body.is_null()).then(|| body.to_string());
        let headers: &[(&str, &str)] = if text.is_some() { &[("Content-Type", V1)] } else { &[] };
        self.rest.send_with(method, path, headers, text.as_deref()).expect(path)
    }

    /// Calls and compares status and body; `ts` and `guid` are left out of both.
    #[track_caller]
    pub(crate) fn check(&self, method: &str, path: &str, body: Value, status: u16, expected: Value) {
        let answer = self.call(method, path, &body);
        let got = timeless(answer.json());
        assert_eq!(
            (answer.status, &got),
            (status, &expected),
            "{method} {path} {body}\n{}",
            answer.text
        );
    }

    /// Calls and compares the error.
    #[track_caller]
    pub(crate) fn refused(&self, method: &str, path: &str, body: Value, code: u32, message: &str) {
        let answer = self.call(method, path, &body);
        let status = if code > 999 { code / 100 } else { code };
        let expected = json!({"error_code": code, "message": message});
        assert_eq!(
            (u32::from(answer.status), answer.json()),
            (status, expected),
            "{method} {path} {body}\n{}",
            answer.text
        );
        assert_eq!(answer.header("content-type"), Some(V1), "{method} {path}");
    }

    /// Registers a schema; answers its id.
    #[track_caller]
    pub(crate) fn register(&self, subject: &str, schema: &str) -> i64 {
        let answer = self.call(
            "POST",
            &format!("/subjects/{subject}/versions"),
            &json!({"schema": schema}),
        );
        assert_eq!(answer.status, 200, "{subject} {schema}: {}", answer.text);
        answer.json()["id"].as_i64().expect("an id")
    }

    /// Keys and values of the schemas topic.
    pub(crate) fn records(&self) -> Vec<(String, Option<String>)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let contents = read_contents(&self.kafka, "_schemas").expect("_schemas");
        let records = contents.into_iter();
        records
            .map(|record| {
                assert!(record.headers.is_empty());
                (text(record.key.expect("a key")), record.value.map(text))
            })
            .collect()
    }
}

pub(crate) fn registry(kafka: &str, settings: &str) -> anyhow::Result<(Weir, Rest)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("schema-registry.properties");
    let text = format!("listeners=http://127.0.0.1:0\nkafkastore.bootstrap.servers=PLAINTEXT://{kafka}\n{settings}\n");
    std::fs::write(&file, text)?;
    let mut weir = Weir::start(&["schema-registry", &file.display().to_string()])?;
    let ready = weir.await_ready()?;
    let rest = Rest::new(&ready.registry.expect("the registry's URL"));
    Ok((weir, rest))
}

/// Leaves out what differs from run to run.
pub(crate) fn timeless(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.remove("ts");
            fields.remove("guid");
        }
        Value::Array(items) => {
            for item in items {
                *item = timeless(item.take());
            }
        }
        _ => {}
    }
    value
}

pub(crate) fn record(name: &str, fields: &str) -> String {
    format!(r#"{{"type":"record","name":"{name}","fields":[{fields}]}}"#)
}

pub(crate) const INT_A: &str = r#"{"name":"a","type":"int"}"#;

pub(crate) fn free_port() -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("address").port().to_string()
}

pub(crate) fn produce(kafka: &str, records: &[(String, Option<String>)]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka)
        .set("linger.ms", "20")
        .set("queue.buffering.max.messages", "200000")
        .create()
        .expect("producer");
    for (key, value) in records {
        let mut record = BaseRecord::to("_schemas").key(key).partition(0);
        if let Some(value) = value {
            record = record.payload(value);
        }
        producer.send(record).map_err(|(error, _)| error).expect("sent");
    }
    producer.flush(PATIENCE).expect("delivered");
}
