//! How a log line looks, as text and as JSON
//!
//! `[time] LEVEL [connector|task-n] message key=value (target)`: the bracket is KIP-449's connector context, taken from the
//! innermost span that names a connector. In JSON it is the member that Apache's layout has, `connector.context`. The
//! fields `connector` and `task` of a line are left out where the context says the same.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// The form of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// As Kafka writes them, for people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Remembers whose lines those inside a span are.
pub(crate) struct ConnectorContext;

#[derive(Debug, Default)]
struct ContextFields {
    connector: Option<String>,
    task: Option<String>,
    scope: Option<String>,
}

impl ContextFields {
    fn set(&mut self, field: &Field, value: String) {
        match field.name() {
            "connector" => self.connector = Some(value),
            "task" => self.task = Some(value),
            "scope" => self.scope = Some(value),
            _ => {}
        }
    }

    /// As Apache's `LoggingContext` writes it.
    fn text(&self) -> Option<String> {
        let connector = self.connector.as_deref()?;
        let task = self.task.as_deref();
        Some(match (task, self.scope.as_deref()) {
            (None, _) => format!("[{connector}|worker]"),
            (Some(task), None) => format!("[{connector}|task-{task}]"),
            (Some(task), Some(scope)) => format!("[{connector}|task-{task}|{scope}]"),
        })
    }
}

impl Visit for ContextFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}

/// The context of a span, ready to be written.
struct ContextText(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ConnectorContext {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = ContextFields::default();
        attributes.record(&mut fields);
        if let Some(text) = fields.text()
            && let Some(span) = context.span(id)
        {
            span.extensions_mut().insert(ContextText(text));
        }
    }
}

/// What a line says besides its head.
#[derive(Default)]
struct LineFields {
    message: String,
    /// In order; the texts of the second kind are plain, not yet quoted.
    fields: Vec<(&'static str, FieldValue)>,
    has_context: bool,
}

enum FieldValue {
    Text(String),
    /// As `Display` or `Debug` prints it.
    Printed(String),
    Number(serde_json::Number),
    Boolean(bool),
}

impl LineFields {
    fn add(&mut self, field: &Field, value: FieldValue) {
        let name = field.name();
        if name == "message" {
            self.message = match value {
                FieldValue::Text(text) | FieldValue::Printed(text) => text,
                FieldValue::Number(number) => number.to_string(),
                FieldValue::Boolean(is_true) => is_true.to_string(),
            };
        } else if !(self.has_context && matches!(name, "connector" | "task")) {
            self.fields.push((name, value));
        }
    }
}

impl Visit for LineFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, FieldValue::Text(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, FieldValue::Boolean(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, FieldValue::Number(value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, FieldValue::Number(value.into()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, FieldValue::Printed(format!("{value:?}")));
    }
}

/// Writes lines in one of the forms.
pub(crate) struct KafkaLine(pub(crate) LogFormat);

impl<S, N> FormatEvent<S, N> for KafkaLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut spans = context.event_scope().into_iter().flatten();
        let connector_context = spans.find_map(|span| Some(span.extensions().get::<ContextText>()?.0.clone()));
        let mut line = LineFields {
            has_context: connector_context.is_some(),
            ..LineFields::default()
        };
        event.record(&mut line);
        match self.0 {
            LogFormat::Text => text(writer, event, connector_context.as_deref(), &line),
            LogFormat::Json => json(writer, event, connector_context, line),
        }
    }
}

fn text(mut writer: Writer<'_>, event: &Event<'_>, context: Option<&str>, line: &LineFields) -> fmt::Result {
    writer.write_char('[')?;
    SystemTime.format_time(&mut writer)?;
    write!(writer, "] {} ", event.metadata().level())?;
    if let Some(context) = context {
        write!(writer, "{context} ")?;
    }
    writer.write_str(&line.message)?;
    for (name, value) in &line.fields {
        match value {
            FieldValue::Text(text) => write!(writer, " {name}={text:?}")?,
            FieldValue::Printed(text) => write!(writer, " {name}={text}")?,
            FieldValue::Number(number) => write!(writer, " {name}={number}")?,
            FieldValue::Boolean(is_true) => write!(writer, " {name}={is_true}")?,
        }
    }
    writeln!(writer, " ({})", event.metadata().target())
}

fn json(mut writer: Writer<'_>, event: &Event<'_>, context: Option<String>, line: LineFields) -> fmt::Result {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let mut members = Map::new();
    members.insert("time".to_owned(), time.into());
    members.insert("level".to_owned(), event.metadata().level().as_str().into());
    if let Some(context) = context {
        members.insert("connector.context".to_owned(), context.into());
    }
    members.insert("message".to_owned(), line.message.into());
    if !line.fields.is_empty() {
        let fields = line.fields.into_iter().map(|(name, value)| {
            let value = match value {
                FieldValue::Text(text) | FieldValue::Printed(text) => Value::String(text),
                FieldValue::Number(number) => Value::Number(number),
                FieldValue::Boolean(is_true) => Value::Bool(is_true),
            };
            (name.to_owned(), value)
        });
        members.insert("fields".to_owned(), Value::Object(fields.collect()));
    }
    members.insert("logger".to_owned(), event.metadata().target().into());
    writeln!(writer, "{}", Value::Object(members))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt as _;
    use weir_worker::lifecycle::TaskId;
    use weir_worker::log_context::{connector_span, offsets_span, task_span};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("lines").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// Lines of a worker, a connector, its task and that task's offsets.
    fn lines(format: LogFormat) -> Vec<String> {
        let written = Written::default();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(written.clone())
            .with_ansi(false)
            .event_format(KafkaLine(format));
        let subscriber = tracing_subscriber::registry().with(ConnectorContext).with(layer);
        let id = TaskId {
            connector: "my-connector".to_owned(),
            task: 0,
        };
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "weir", connector = "other", "no context");
            connector_span("my-connector").in_scope(|| {
                tracing::info!(target: "weir", connector = "my-connector", "of the connector");
                task_span(&id).in_scope(|| {
                    tracing::warn!(target: "weir", task = %id, records = 3, error = "a \"b\"", is_last = true, "of the task");
                    offsets_span(&id).in_scope(|| tracing::error!(target: "weir", "of its offsets"));
                });
            });
        });
        let bytes = written.0.lock().expect("lines").clone();
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_say_whose_they_are() {
        let lines = lines(LogFormat::Text);
        let without_time: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.split_once("] ").map(|(_, rest)| rest))
            .collect();
        let expected = [
            "INFO no context connector=\"other\" (weir)",
            "INFO [my-connector|worker] of the connector (weir)",
            "WARN [my-connector|task-0] of the task records=3 error=\"a \\\"b\\\"\" is_last=true (weir)",
            "ERROR [my-connector|task-0|offsets] of its offsets (weir)",
        ];
        assert_eq!(without_time, expected);
    }

    #[test]
    fn json_lines_have_the_context_as_a_member() {
        let lines: Vec<Value> = lines(LogFormat::Json)
            .iter()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let contexts: Vec<&Value> = lines.iter().map(|line| &line["connector.context"]).collect();
        let expected = [
            Value::Null,
            "[my-connector|worker]".into(),
            "[my-connector|task-0]".into(),
            "[my-connector|task-0|offsets]".into(),
        ];
        assert_eq!(contexts, expected.iter().collect::<Vec<_>>());
        let task = &lines[2];
        assert_eq!(
            task["fields"],
            serde_json::json!({"records": 3, "error": "a \"b\"", "is_last": true})
        );
        assert_eq!((&task["level"], &task["logger"]), (&"WARN".into(), &"weir".into()));
        assert_eq!(task["message"], "of the task");
        assert!(task["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{task}");
    }
}
