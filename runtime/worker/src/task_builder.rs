//! From configs to a task that can run: plugin, converters, clients.
//!
//! Order as in Connect: converters, then clients, then the task itself. Nothing of the guest is
//! called here but its creation.

use std::sync::Arc;

use tokio::time::Instant;
use weir_client::admin::Admin;
use weir_client::client_config::{Translated, translate_consumer, translate_producer};
use weir_client::consumer::Consumer;
use weir_client::wire::WireSettings;
use weir_config::map::ConfigMap;
use weir_config::properties::Properties;
use weir_plugins::context::{BoxFuture, InstanceContext, NoOffsets};
use weir_plugins::descriptor::PluginKind;
use weir_plugins::error::PluginError;
use weir_plugins::guest::sink::SinkTaskInstance;
use weir_plugins::guest::source::SourceTaskInstance;
use weir_plugins::plugins::{ConnectorPlugin, Plugins};
use weir_plugins::sink_requests::{ErrantReporter, SinkContextHandle};
use weir_plugins::version_range::VersionRange;
use weir_transforms::chain::Chain;

use crate::connector_config::{
    CONNECTOR_PLUGIN_VERSION, ConnectorConfig, ConnectorKind, ErrorSettings, SinkTopics, Tolerance, config_problems,
    dead_letter_settings, sink_topics,
};
use crate::error::{TaskFailure, WorkerError};
use crate::figures::{ErrorCounters, TaskMeter};
use crate::lifecycle::{Control, Reports, TaskId};
use crate::offset_stores::OffsetStores;
use crate::pattern;
use crate::pipeline::convert::Converters;
use crate::pipeline::dead_letters::DeadLetters;
use crate::pipeline::report::ErrorReporter;
use crate::pipeline::tolerance::ErrorRules;
use crate::pipeline::transform::Transforms;
use crate::settings::WorkerSettings;
use crate::sink::commit::{self, Commits};
use crate::sink::errant::TaskReports;
use crate::sink::originals::Originals;
use crate::sink::reader::Reader;
use crate::sink::subscription::Subscription;
use crate::sink::task::SinkTask;
use crate::source::at_least_once::{AtLeastOnce, InFlightLimits};
use crate::source::boundary::Boundary;
use crate::source::exactly_once::{TransactionParts, Transactions};
use crate::source::gate::SourceGate;
use crate::source::offsets::StoredOffsets;
use crate::source::send::Sender;
use crate::source::task::{CommitTiming, SourceTask};
use crate::source::topics::{TopicCreation, TopicGroups};
use crate::task_metrics::PipelineTexts;
use crate::topics_used::UsedTopics;
use crate::worker_metrics::PluginTexts;

/// Kafka's `max.poll.records`.
const MAX_POLL_RECORDS: usize = 500;
/// Prefetched messages of one sink task, as far as the user sets no bound.
const PREFETCH_KBYTES: u32 = 16 * 1024;
/// Kafka's `metadata.max.age.ms`, after which a pattern is matched again.
const METADATA_MAX_AGE_MS: u64 = 300_000;

/// What tasks are built with.
#[derive(Debug, Clone, Copy)]
pub struct TaskBuilder<'a> {
    pub settings: &'a WorkerSettings,
    pub plugins: &'a Arc<Plugins>,
    pub offsets: &'a OffsetStores,
    /// What source tasks with exactly-once support ask.
    pub gate: Option<&'a Arc<dyn SourceGate>>,
}

/// The task to build.
#[derive(Debug)]
pub struct TaskRequest<'a> {
    pub id: TaskId,
    pub connector: &'a ConfigMap,
    pub config: &'a ConfigMap,
    pub control: Control,
    pub reports: Reports,
    pub meter: Arc<TaskMeter>,
}

/// What both kinds of task do to records.
#[derive(Debug)]
struct Pipeline {
    converters: Converters,
    transforms: Option<Transforms>,
    errors: ErrorSettings,
}

impl Pipeline {
    fn texts(&self) -> PipelineTexts {
        let owned = |(alias, class): (&str, &'static str)| (alias.to_owned(), class);
        let chain = self.transforms.as_ref().map(Transforms::chain);
        let all = |of: fn(&Chain) -> Vec<(&str, &'static str)>| {
            let found = chain.map(of).unwrap_or_default();
            found.into_iter().map(owned).collect()
        };
        PipelineTexts {
            converters: self.converters.described(),
            transforms: all(|chain| chain.transformations().collect()),
            predicates: all(|chain| chain.predicates().collect()),
        }
    }
}

/// A task ready to run.
#[derive(Debug)]
pub enum Task {
    Source(Box<SourceTask>),
    Sink(Box<SinkTask>),
}

impl Task {
    /// Runs until stopped.
    ///
    /// # Errors
    /// What ended the task otherwise.
    pub fn run(self) -> BoxFuture<'static, Result<(), TaskFailure>> {
        match self {
            Self::Source(task) => Box::pin(task.run()),
            Self::Sink(task) => Box::pin(task.run()),
        }
    }
}

impl TaskBuilder<'_> {
    /// Builds a task.
    ///
    /// # Errors
    /// An unknown class, settings that are refused, or a component that cannot be instantiated.
    pub async fn build(self, request: TaskRequest<'_>, settings: &ConnectorConfig) -> Result<Task, WorkerError> {
        let version = request.connector.get(CONNECTOR_PLUGIN_VERSION);
        let plugin = self.plugins.find_connector_version(&settings.class, version)?;
        require_versions(self.plugins, request.connector)?;
        tracing::info!(task = %request.id, class = plugin.class, version = plugin.version, "creating task");
        let kind = if plugin.kind == PluginKind::Sink {
            ConnectorKind::Sink
        } else {
            ConnectorKind::Source
        };
        if let Some(problem) = config_problems(kind, request.connector).into_iter().next() {
            return Err(WorkerError::Invalid(problem.message));
        }
        let pipeline = Pipeline {
            converters: Converters::build(&self.settings.converters, request.connector)?,
            transforms: Transforms::build(request.connector)?,
            errors: settings.errors,
        };
        let (metrics, texts) = (&self.settings.metrics, (PluginTexts::of(&plugin), pipeline.texts()));
        match kind {
            ConnectorKind::Source => request.meter.measure_source(metrics, &request.id, texts),
            ConnectorKind::Sink => request.meter.measure_sink(metrics, &request.id, texts),
        }
        match kind {
            ConnectorKind::Source => self.source(request, &plugin, pipeline).await,
            ConnectorKind::Sink => self.sink(request, &plugin, pipeline).await,
        }
    }

    async fn source(
        self,
        request: TaskRequest<'_>,
        plugin: &ConnectorPlugin,
        pipeline: Pipeline,
    ) -> Result<Task, WorkerError> {
        let clients = &self.settings.clients;
        let group = self.settings.exactly_once_group.as_deref();
        // Noted before anything takes time: a task set made meanwhile must show as another one.
        let generation = self
            .gate
            .map(|gate| gate.generation(&request.id.connector))
            .unwrap_or_default();
        let producer = match group {
            Some(group) => clients.transactional_producer(group, &request.id, request.connector)?,
            None => clients.producer(&request.id, request.connector)?,
        };
        let producer = translate_producer(&producer)?;
        warn_of(&request.id, &producer);
        let topics = match TopicGroups::parse(request.connector)? {
            Some(groups) if self.settings.topic_creation_enabled => {
                let admin = WireSettings::from_properties(&clients.admin(&request.id, request.connector)?)?;
                Some(TopicCreation::new(groups, Admin::new(admin)))
            }
            Some(_) | None => None,
        };
        let store = self
            .offsets
            .of(&request.id.connector, request.connector, group.is_some())
            .await?;
        let reporter = ErrorReporter {
            id: request.id.clone(),
            log: pipeline.errors.log,
            dead_letters: None,
            counters: Arc::clone(&request.meter.errors),
        };
        let timing = self.settings.timing;
        let transactions = match group {
            None => None,
            Some(_) => Some(Transactions::new(TransactionParts {
                boundary: Boundary::from_config(request.connector, timing.offset_flush_interval)?,
                gate: self.gate.cloned(),
                generation,
                offsets_topic: store.primary().topic_name().unwrap_or_default().to_owned(),
            })),
        };
        let context = InstanceContext {
            offsets: StoredOffsets::shared(&request.id.connector, &store),
            ..context(&request, None)
        };
        let instance = SourceTaskInstance::create(self.plugins, plugin, context)
            .await
            .map_err(failed)?;
        request
            .meter
            .measure_plugin(&self.settings.metrics, &request.id, instance.metrics());
        Ok(Task::Source(Box::new(SourceTask {
            id: request.id,
            instance,
            config: request.config.clone(),
            transforms: pipeline.transforms,
            converters: pipeline.converters,
            rules: ErrorRules::new(Arc::new(reporter), pipeline.errors),
            topics,
            sender: Sender::new(producer),
            delivery: AtLeastOnce::new(InFlightLimits::default()),
            store,
            transactions,
            timing: CommitTiming {
                interval: timing.offset_flush_interval,
                timeout: timing.offset_flush_timeout,
            },
            control: request.control,
            topics_used: UsedTopics::new(self.settings.topic_tracking_enabled),
            meter: request.meter,
            reports: request.reports,
        })))
    }

    async fn sink(
        self,
        request: TaskRequest<'_>,
        plugin: &ConnectorPlugin,
        pipeline: Pipeline,
    ) -> Result<Task, WorkerError> {
        let properties = self.settings.clients.consumer(&request.id, request.connector)?;
        let mut translated = translate_consumer(&properties)?;
        warn_of(&request.id, &translated);
        if properties.get("queued.max.messages.kbytes").is_none() {
            translated = translated.with_prefetch_kbytes(PREFETCH_KBYTES);
        }
        let subscription = subscription(request.connector, &properties)?;
        let counters = Arc::clone(&request.meter.errors);
        let reporter = Arc::new(ErrorReporter {
            id: request.id.clone(),
            log: pipeline.errors.log,
            dead_letters: self.dead_letters(&request, &counters)?,
            counters,
        });
        let originals = Originals::default();
        let reports = TaskReports {
            reporter: Arc::clone(&reporter),
            is_tolerated: pipeline.errors.tolerance == Tolerance::All,
            originals: originals.clone(),
            consumer: translated.clone(),
        };
        let reports: Option<Arc<dyn ErrantReporter>> = match reporter.is_listening() {
            true => Some(Arc::new(reports)),
            false => None,
        };
        let handle = SinkContextHandle::new(reports);
        let context = context(&request, Some(handle.clone()));
        let instance = SinkTaskInstance::create(self.plugins, plugin, context)
            .await
            .map_err(failed)?;
        request
            .meter
            .measure_plugin(&self.settings.metrics, &request.id, instance.metrics());
        let timing = self.settings.timing;
        let commits = commit::CommitTiming {
            interval_ms: timing.offset_flush_interval.as_millis() as i64,
            timeout_ms: timing.offset_flush_timeout.as_millis() as i64,
        };
        Ok(Task::Sink(Box::new(SinkTask {
            id: request.id,
            instance,
            config: request.config.clone(),
            converters: pipeline.converters,
            transforms: pipeline.transforms,
            rules: ErrorRules::new(reporter, pipeline.errors),
            originals,
            max_poll_records: translated.max_poll_records.unwrap_or(MAX_POLL_RECORDS).max(1),
            consumer: Reader::new(Consumer::new(&translated)?),
            subscription,
            context: handle,
            commits: Commits::new(commits, 0),
            epoch: Instant::now(),
            commit_timeout: timing.offset_flush_timeout,
            control: request.control,
            topics_used: UsedTopics::new(self.settings.topic_tracking_enabled),
            meter: request.meter,
            reports: request.reports,
        })))
    }
}

impl TaskBuilder<'_> {
    fn dead_letters(
        self,
        request: &TaskRequest<'_>,
        counters: &Arc<ErrorCounters>,
    ) -> Result<Option<DeadLetters>, WorkerError> {
        let Some(settings) = dead_letter_settings(request.connector)? else {
            return Ok(None);
        };
        let clients = &self.settings.clients;
        let producer = translate_producer(&clients.dead_letter_producer(&request.id, request.connector)?)?;
        warn_of(&request.id, &producer);
        let admin = WireSettings::from_properties(&clients.dead_letter_admin(&request.id, request.connector)?)?;
        Ok(Some(DeadLetters::new(
            request.id.clone(),
            settings,
            Admin::new(admin),
            producer,
            Arc::clone(counters),
        )))
    }
}

/// Checks the versions that converters, transformations and predicates are asked for in (KIP-891): there is one of each, and a config
/// may be older than this worker.
fn require_versions(plugins: &Plugins, config: &ConfigMap) -> Result<(), PluginError> {
    for (key, version) in config.iter() {
        let Some(of) = key.strip_suffix(".plugin.version") else {
            continue;
        };
        let class = config.get(of).or_else(|| config.get(&format!("{of}.type")));
        let plugin = class.and_then(|class| plugins.find_any(class.trim()).ok());
        if let (Some(plugin), Some(range)) = (plugin, VersionRange::parse(version).map_err(PluginError::from)?) {
            plugins.require_version(&plugin.class, &range)?;
        }
    }
    Ok(())
}

fn context(request: &TaskRequest<'_>, sink_context: Option<SinkContextHandle>) -> InstanceContext {
    InstanceContext {
        connector: request.id.connector.clone(),
        task: Some(request.id.task),
        config: request.config.clone(),
        connector_config: Some(request.connector.clone()),
        offsets: Arc::new(NoOffsets),
        connector_context: None,
        sink_context,
        stop: request.control.stop.clone(),
    }
}

fn subscription(connector: &ConfigMap, consumer: &Properties) -> Result<Subscription, WorkerError> {
    match sink_topics(connector)? {
        SinkTopics::List(topics) => Ok(Subscription::List(topics)),
        SinkTopics::Pattern(text) => {
            let pattern = pattern::whole(&text).map_err(WorkerError::Invalid)?;
            let age = consumer
                .get("metadata.max.age.ms")
                .and_then(|ms| ms.trim().parse().ok())
                .unwrap_or(METADATA_MAX_AGE_MS);
            let admin = Admin::new(WireSettings::from_properties(consumer)?);
            Ok(Subscription::pattern(
                pattern,
                admin,
                std::time::Duration::from_millis(age.max(1)),
            ))
        }
    }
}

fn warn_of(id: &TaskId, translated: &Translated) {
    for warning in &translated.warnings {
        tracing::warn!(task = %id, "{warning}");
    }
}

fn failed(error: weir_plugins::error::GuestError) -> WorkerError {
    WorkerError::Connector(error.into())
}
