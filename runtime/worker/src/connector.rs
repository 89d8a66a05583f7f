//! One connector instance: its state, its guest, and the requests it makes.
//!
//! An event loop owns the guest; a [`ConnectorHandle`] asks it for a state or for task configs. A
//! started connector is a fresh guest each time, because a component cannot be started twice.
//! Source: `WorkerConnector`; the states are connect.md H.1.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use weir_api::error::ConnectError;
use weir_config::map::ConfigMap;
use weir_metrics::registry::{Loose, MetricRegistry};
use weir_plugins::context::{ConnectorRequest, InstanceContext, NoOffsets, OffsetLookup};
use weir_plugins::descriptor::PluginKind;
use weir_plugins::error::GuestError;
use weir_plugins::guest::sink::SinkConnectorInstance;
use weir_plugins::guest::source::{SourceConnectorInstance, Started};
use weir_plugins::host::metrics::SharedMetrics;
use weir_plugins::plugins::{ConnectorPlugin, Plugins};
use weir_plugins::stop::StopSignal;
use weir_stores::configs::state::TargetState;
use weir_stores::status::records::State;

use crate::error::{TaskFailure, WorkerError};
use crate::lifecycle::Reports;
use crate::source::offsets::StoredOffsets;
use crate::task_metrics::plugin_metrics;
use weir_stores::offsets::ConnectorOffsets;

/// Requests of the guest waiting to be noted; the noting never waits.
const REQUEST_BACKLOG: usize = 16;
/// Questions of the worker waiting for the loop.
const COMMAND_BACKLOG: usize = 16;

/// What a connector is made of.
#[derive(Debug)]
pub struct ConnectorParts {
    pub name: String,
    pub plugins: Arc<Plugins>,
    pub plugin: ConnectorPlugin,
    pub config: ConfigMap,
    pub offsets: ConnectorOffsets,
    pub reports: Reports,
    /// Where the plugin's own measures are shown.
    pub metrics: MetricRegistry,
}

/// The way in to a running connector.
#[derive(Debug, Clone)]
pub struct ConnectorHandle {
    pub stop: StopSignal,
    pub reports: Reports,
    pub plugin: ConnectorPlugin,
    is_running: Arc<AtomicBool>,
    wanted: Arc<Wanted>,
    commands: mpsc::Sender<Command>,
}

/// The state asked for last; an earlier one not yet begun is answered as superseded.
#[derive(Debug, Default)]
struct Wanted {
    next: Mutex<Option<Transition>>,
    changed: Notify,
}

#[derive(Debug)]
struct Transition {
    target: TargetState,
    reply: oneshot::Sender<Result<(), WorkerError>>,
}

#[derive(Debug)]
enum Command {
    TaskConfigs {
        max: u32,
        reply: oneshot::Sender<Result<Vec<ConfigMap>, WorkerError>>,
    },
}

/// What the guest asked for since it was last looked at.
#[derive(Debug, Default)]
struct Requests {
    noted: Mutex<Noted>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Noted {
    reconfigure: bool,
    error: Option<ConnectError>,
}

/// The loop's side of a connector.
#[derive(Debug)]
pub struct Connector {
    parts: ConnectorParts,
    state: ConnectorState,
    guest: Option<Guest>,
    /// What the guest measures, the last one's until the next starts.
    measured: Option<Loose>,
    monitor_every: Option<Duration>,
    next_monitor: Option<Instant>,
    stop: StopSignal,
    is_running: Arc<AtomicBool>,
    wanted: Arc<Wanted>,
    commands: mpsc::Receiver<Command>,
    requests: Arc<Requests>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectorState {
    Init,
    Started,
    Paused,
    Stopped,
    Failed,
}

#[derive(Debug)]
enum Guest {
    Source(SourceConnectorInstance),
    Sink(SinkConnectorInstance),
}

impl Connector {
    /// Creates a connector that does nothing until a state is asked for.
    pub fn new(parts: ConnectorParts) -> (Self, ConnectorHandle) {
        let (sender, commands) = mpsc::channel(COMMAND_BACKLOG);
        let stop = StopSignal::new();
        let wanted = Arc::<Wanted>::default();
        let is_running = Arc::new(AtomicBool::new(false));
        let handle = ConnectorHandle {
            stop: stop.clone(),
            reports: parts.reports.clone(),
            plugin: parts.plugin.clone(),
            is_running: is_running.clone(),
            wanted: wanted.clone(),
            commands: sender,
        };
        let connector = Self {
            parts,
            state: ConnectorState::Init,
            guest: None,
            measured: None,
            monitor_every: None,
            next_monitor: None,
            stop,
            is_running,
            wanted,
            commands,
            requests: Arc::default(),
        };
        (connector, handle)
    }

    /// Serves until stopped, then stops the guest.
    pub async fn run(mut self) {
        loop {
            let tick = self.next_monitor;
            // Every branch only signals or hands over one message: cancel safe.
            tokio::select! {
                biased;
                () = self.stop.requested() => break,
                () = self.wanted.changed.notified() => self.next_transition().await,
                Some(command) = self.commands.recv() => self.answer(command).await,
                () = self.requests.changed.notified() => self.note_requests().await,
                () = at(tick) => self.monitor().await,
            }
        }
        if let Some(guest) = &mut self.guest
            && let Err(error) = guest.stop().await
        {
            tracing::error!(connector = self.parts.name, %error, "error while shutting down connector");
        }
        self.set_state(ConnectorState::Stopped);
        self.parts
            .reports
            .connector(&self.parts.name, State::Unassigned, None)
            .await;
    }

    // ---- states ------------------------------------------------------------------------------------------

    async fn next_transition(&mut self) {
        let Some(Transition { target, reply }) = self.wanted.next.lock().take() else {
            return;
        };
        let result = match target {
            _ if self.state == ConnectorState::Failed && target != TargetState::Stopped => {
                Err(WorkerError::Invalid(format!(
                    "{} Cannot transition connector to {} since it has failed",
                    self.parts.name,
                    target.name()
                )))
            }
            TargetState::Started => self.start().await,
            TargetState::Paused => self.suspend(ConnectorState::Paused).await,
            TargetState::Stopped => self.suspend(ConnectorState::Stopped).await,
        };
        // The asker may have given up waiting.
        let _gone = reply.send(result);
    }

    async fn start(&mut self) -> Result<(), WorkerError> {
        if self.state == ConnectorState::Started {
            return Ok(());
        }
        match self.start_guest().await {
            Ok(started) => {
                self.monitor_every = started
                    .monitor_every_ms
                    .map(|ms| Duration::from_millis(u64::from(ms.max(1))));
                self.next_monitor = self.monitor_every.map(|every| Instant::now() + every);
                self.set_state(ConnectorState::Started);
                self.parts
                    .reports
                    .connector(&self.parts.name, State::Running, None)
                    .await;
                Ok(())
            }
            Err(failure) => {
                tracing::error!(connector = self.parts.name, error = %failure, "error while starting connector");
                self.fail(&failure).await;
                Err(WorkerError::Connector(failure))
            }
        }
    }

    async fn start_guest(&mut self) -> Result<Started, TaskFailure> {
        let mut guest = self.create().await?;
        let parts = &self.parts;
        let measured = guest.metrics();
        self.measured = measured.map(|series| plugin_metrics(&parts.metrics, &parts.name, None, series));
        let started = guest.start(&self.parts.config).await;
        match started {
            Ok(started) => {
                self.guest = Some(guest);
                Ok(started)
            }
            Err(error) => {
                // As in Connect, a connector whose start failed is stopped all the same; its own error counts.
                let _ignored = guest.stop().await;
                Err(error.into())
            }
        }
    }

    async fn create(&mut self) -> Result<Guest, TaskFailure> {
        let parts = &self.parts;
        let offsets: Arc<dyn OffsetLookup> = match parts.plugin.kind {
            PluginKind::Source => StoredOffsets::shared(&parts.name, &parts.offsets),
            _ => Arc::new(NoOffsets),
        };
        let context = InstanceContext {
            connector: parts.name.clone(),
            task: None,
            config: parts.config.clone(),
            connector_config: None,
            offsets,
            connector_context: Some(self.note_channel()),
            sink_context: None,
            stop: self.stop.clone(),
        };
        Ok(match parts.plugin.kind {
            PluginKind::Sink => {
                Guest::Sink(SinkConnectorInstance::create(&parts.plugins, &parts.plugin, context).await?)
            }
            _ => Guest::Source(SourceConnectorInstance::create(&parts.plugins, &parts.plugin, context).await?),
        })
    }

    async fn suspend(&mut self, to: ConnectorState) -> Result<(), WorkerError> {
        if self.state == to {
            return Ok(());
        }
        let stopped = match &mut self.guest {
            Some(guest) => guest.stop().await,
            None => Ok(()),
        };
        self.guest = None;
        self.next_monitor = None;
        if let Err(error) = stopped {
            tracing::error!(connector = self.parts.name, %error, "error while stopping connector");
            if to == ConnectorState::Paused {
                let failure = TaskFailure::from(error);
                self.fail(&failure).await;
                return Err(WorkerError::Connector(failure));
            }
        }
        self.set_state(to);
        let state = if to == ConnectorState::Paused {
            State::Paused
        } else {
            State::Stopped
        };
        self.parts.reports.connector(&self.parts.name, state, None).await;
        Ok(())
    }

    async fn fail(&mut self, failure: &TaskFailure) {
        self.guest = None;
        self.next_monitor = None;
        self.set_state(ConnectorState::Failed);
        self.parts
            .reports
            .connector(&self.parts.name, State::Failed, Some(failure.to_trace()))
            .await;
    }

    fn set_state(&mut self, state: ConnectorState) {
        self.state = state;
        self.is_running
            .store(state == ConnectorState::Started, Ordering::SeqCst);
    }

    // ---- questions and requests --------------------------------------------------------------------------

    async fn answer(&mut self, command: Command) {
        match command {
            Command::TaskConfigs { max, reply } => {
                let result = match &mut self.guest {
                    None => Err(WorkerError::NotFound(format!(
                        "Connector {} is not running",
                        self.parts.name
                    ))),
                    Some(guest) => guest
                        .task_configs(max)
                        .await
                        .map_err(|error| WorkerError::Connector(error.into())),
                };
                let _gone = reply.send(result);
            }
        }
    }

    /// Notes what the guest asks for, so that a guest that asks often never waits for this loop,
    /// which may be waiting for the guest.
    fn note_channel(&self) -> mpsc::Sender<ConnectorRequest> {
        let (sender, mut receiver) = mpsc::channel(REQUEST_BACKLOG);
        let requests = self.requests.clone();
        // Ends by itself when the instance, and with it the sender, is dropped.
        drop(tokio::spawn(async move {
            while let Some(request) = receiver.recv().await {
                let mut noted = requests.noted.lock();
                match request {
                    ConnectorRequest::ReconfigureTasks => noted.reconfigure = true,
                    ConnectorRequest::RaiseError(error) => noted.error = Some(error),
                }
                drop(noted);
                requests.changed.notify_one();
            }
        }));
        sender
    }

    async fn note_requests(&mut self) {
        let noted = std::mem::take(&mut *self.requests.noted.lock());
        if let Some(error) = noted.error {
            tracing::error!(connector = self.parts.name, %error, "connector raised an error");
            self.fail(&error.into()).await;
        } else if noted.reconfigure && self.state == ConnectorState::Started {
            self.parts.reports.reconfigure(&self.parts.name).await;
        }
    }

    async fn monitor(&mut self) {
        self.next_monitor = self.monitor_every.map(|every| Instant::now() + every);
        let Some(guest) = &mut self.guest else { return };
        match guest.monitor().await {
            Ok(true) => self.parts.reports.reconfigure(&self.parts.name).await,
            Ok(false) => {}
            Err(error) if error.is_retriable() => {
                tracing::warn!(connector = self.parts.name, %error, "monitor failed, trying again");
            }
            Err(error) => {
                tracing::error!(connector = self.parts.name, %error, "monitor failed");
                self.fail(&error.into()).await;
            }
        }
    }
}

impl ConnectorHandle {
    /// Is true while the connector is started.
    pub fn is_running(&self) -> bool {
        self.is_running.load(Ordering::SeqCst)
    }

    /// Asks for a state and waits until it is reached.
    ///
    /// # Errors
    /// The guest failed, another request came first, or the connector ended.
    pub async fn transition(&self, target: TargetState) -> Result<(), WorkerError> {
        let (reply, answer) = oneshot::channel();
        let earlier = self.wanted.next.lock().replace(Transition { target, reply });
        if let Some(earlier) = earlier {
            let text = format!(
                "Could not begin changing connector state to {} before another request to change state was made; the new request (which is to change the state to {}) has pre-empted this one",
                earlier.target.name(),
                target.name()
            );
            let _gone = earlier.reply.send(Err(WorkerError::Superseded(text)));
        }
        self.wanted.changed.notify_one();
        match answer.await {
            Ok(result) => result,
            Err(_) => Err(WorkerError::Superseded(format!(
                "Could not begin changing connector state to {} as the connector has been scheduled for shutdown",
                target.name()
            ))),
        }
    }

    /// Asks for the settings of at most `max` tasks.
    ///
    /// # Errors
    /// The connector is not started, or its code failed.
    pub async fn task_configs(&self, max: u32) -> Result<Vec<ConfigMap>, WorkerError> {
        let (reply, answer) = oneshot::channel();
        let not_running = || WorkerError::NotFound("Connector is not running".to_owned());
        self.commands
            .send(Command::TaskConfigs { max, reply })
            .await
            .map_err(|_| not_running())?;
        answer.await.map_err(|_| not_running())?
    }
}

impl Guest {
    fn metrics(&self) -> Option<SharedMetrics> {
        match self {
            Self::Source(guest) => guest.metrics(),
            Self::Sink(guest) => guest.metrics(),
        }
    }

    async fn start(&mut self, config: &ConfigMap) -> Result<Started, GuestError> {
        match self {
            Self::Source(guest) => guest.start(config).await,
            Self::Sink(guest) => guest.start(config).await,
        }
    }

    async fn task_configs(&mut self, max: u32) -> Result<Vec<ConfigMap>, GuestError> {
        match self {
            Self::Source(guest) => guest.task_configs(max).await,
            Self::Sink(guest) => guest.task_configs(max).await,
        }
    }

    async fn monitor(&mut self) -> Result<bool, GuestError> {
        match self {
            Self::Source(guest) => guest.monitor().await,
            Self::Sink(guest) => guest.monitor().await,
        }
    }

    async fn stop(&mut self) -> Result<(), GuestError> {
        match self {
            Self::Source(guest) => guest.stop().await,
            Self::Sink(guest) => guest.stop().await,
        }
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
