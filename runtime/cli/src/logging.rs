//! Log lines as Kafka operators know them.
//!
//! `[time] LEVEL [connector|task-n] message key=value (target)`: the bracket is KIP-449's connector context, taken from the
//! span a line was written in. Lines go to standard error; standard output belongs to the command.

use std::fmt;
use std::io::{IsTerminal as _, Write};

use anyhow::Context as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// librdkafka and the HTTP stack say little that helps at info.
const QUIET: &str = "hyper=warn,reqwest=warn,wasmtime=warn,cranelift=warn,rdkafka=warn,librdkafka=warn";

/// Starts logging at `level`, or by filter directives.
pub(crate) fn start(level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{level}"))
        .with_context(|| format!("--log {level:?} is neither a level (error, warn, info, debug, trace) nor a filter such as weir_worker=debug"))?;
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .event_format(KafkaLine);
    tracing_subscriber::registry()
        .with(filter)
        .with(TaskContext)
        .with(lines)
        .try_init()
        .context("logging was started twice")
}

/// The last words of a failed command.
pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "weir: {error:#}");
}

/// Remembers `connector` and `task` of a span for the lines inside it.
struct TaskContext;

#[derive(Debug, Default)]
struct ContextName {
    connector: Option<String>,
    task: Option<String>,
}

impl Visit for ContextName {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "connector" => self.connector = Some(format!("{value:?}").trim_matches('"').to_owned()),
            "task" => self.task = Some(format!("{value:?}")),
            _ => {}
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TaskContext {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut name = ContextName::default();
        attributes.record(&mut name);
        if name.connector.is_some()
            && let Some(span) = context.span(id)
        {
            span.extensions_mut().insert(name);
        }
    }
}

struct KafkaLine;

impl<S, N> FormatEvent<S, N> for KafkaLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        writer.write_char('[')?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "] {} ", event.metadata().level())?;
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let Some(name) = extensions.get::<ContextName>() else {
                continue;
            };
            let connector = name.connector.as_deref().unwrap_or("");
            match name.task.as_deref() {
                Some(task) => write!(writer, "[{connector}|task-{task}] ")?,
                None => write!(writer, "[{connector}|worker] ")?,
            }
            break;
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer, " ({})", event.metadata().target())
    }
}
