//! `weir:connect/source-connector` and `source-task`

use weir_api::error::ConnectError;

use crate::batch::SourceBatch;
use crate::bindings::imports::weir::connect::types::{Config, Frame, JsonObject, PluginError};
use crate::bindings::source::exports::weir::connect::{source_connector, source_task};
use crate::context::{ConnectorContext, SourceTaskContext};
use crate::export::component::{
    Component, Instance, Registered, SourceTaskState, become_instance, class_of, not_this_kind, with_instance,
};
use crate::export::convert;
use crate::plugin::Factory;
use crate::schemas::GuestSchemas;
use crate::source::{
    Ack, ExactlyOnceSupport, OffsetChange, PollBudget, Polled, RecordMetadata, SourceConnector, SourceTask,
};

fn connector_of<P: Registered>(class: &str) -> Result<Box<dyn SourceConnector>, ConnectError> {
    match class_of::<P>(class)?.factory {
        Factory::Source { connector, .. } => Ok(connector()),
        Factory::Sink { .. } => Err(ConnectError::config(format!("{class} is a sink connector"))),
    }
}

fn task_of<P: Registered>(class: &str) -> Result<Box<dyn SourceTask>, ConnectError> {
    match class_of::<P>(class)?.factory {
        Factory::Source { task, .. } => Ok(task()),
        Factory::Sink { .. } => Err(ConnectError::config(format!("{class} is a sink connector"))),
    }
}

fn with_connector<R>(call: impl FnOnce(&mut dyn SourceConnector) -> Result<R, ConnectError>) -> Result<R, PluginError> {
    with_instance(|instance| match instance {
        Instance::SourceConnector(connector) => call(connector.as_mut()),
        Instance::SourceTask(_) | Instance::SinkConnector(_) | Instance::SinkTask(_) => Err(not_this_kind()),
    })
    .map_err(convert::plugin_error)
}

fn with_task<R>(call: impl FnOnce(&mut SourceTaskState) -> Result<R, ConnectError>) -> Result<R, PluginError> {
    with_instance(|instance| match instance {
        Instance::SourceTask(state) => call(state),
        Instance::SourceConnector(_) | Instance::SinkConnector(_) | Instance::SinkTask(_) => Err(not_this_kind()),
    })
    .map_err(convert::plugin_error)
}

impl<P: Registered> source_connector::Guest for Component<P> {
    fn start(class: String, config: Config) -> Result<source_connector::Started, PluginError> {
        become_instance(Instance::SourceConnector(
            connector_of::<P>(&class).map_err(convert::plugin_error)?,
        ));
        let config = convert::config(config);
        with_connector(|connector| {
            connector.start(ConnectorContext::new(), &config)?;
            Ok(source_connector::Started {
                monitor_every_ms: connector.monitor_every_ms(),
            })
        })
    }

    fn task_configs(max_tasks: u32) -> Result<Vec<Config>, PluginError> {
        let configs = with_connector(|connector| connector.task_configs(max_tasks))?;
        Ok(configs.iter().map(convert::wit_config).collect())
    }

    fn monitor() -> Result<bool, PluginError> {
        with_connector(|connector| connector.monitor())
    }

    fn stop() -> Result<(), PluginError> {
        with_connector(|connector| connector.stop())
    }

    fn exactly_once_support(class: String, config: Config) -> Result<source_connector::Support, PluginError> {
        let config = convert::config(config);
        let support = connector_of::<P>(&class).and_then(|connector| connector.exactly_once_support(&config));
        support.map_err(convert::plugin_error).map(|support| match support {
            ExactlyOnceSupport::Unknown => source_connector::Support::Unknown,
            ExactlyOnceSupport::Supported => source_connector::Support::Supported,
            ExactlyOnceSupport::Unsupported => source_connector::Support::Unsupported,
        })
    }

    fn can_define_transaction_boundaries(class: String, config: Config) -> Result<bool, PluginError> {
        let config = convert::config(config);
        connector_of::<P>(&class)
            .and_then(|connector| connector.can_define_transaction_boundaries(&config))
            .map_err(convert::plugin_error)
    }

    fn alter_offsets(
        class: String,
        config: Config,
        offsets: Vec<(JsonObject, Option<JsonObject>)>,
    ) -> Result<bool, PluginError> {
        let config = convert::config(config);
        let changes: Vec<OffsetChange> = offsets
            .into_iter()
            .map(|(partition, offset)| OffsetChange { partition, offset })
            .collect();
        connector_of::<P>(&class)
            .and_then(|connector| connector.alter_offsets(&config, &changes))
            .map_err(convert::plugin_error)
    }
}

impl<P: Registered> source_task::Guest for Component<P> {
    fn start(class: String, config: Config) -> Result<source_task::Started, PluginError> {
        let task = task_of::<P>(&class).map_err(convert::plugin_error)?;
        become_instance(Instance::SourceTask(SourceTaskState {
            task,
            schemas: GuestSchemas::default(),
        }));
        let config = convert::config(config);
        with_task(|state| {
            state.task.start(SourceTaskContext::new(), &config)?;
            Ok(source_task::Started {
                wants_acks: state.task.wants_acks(),
            })
        })
    }

    fn poll(budget: source_task::PollBudget) -> Result<Option<Frame>, PluginError> {
        let budget = PollBudget {
            max_records: budget.max_records,
            max_bytes: budget.max_bytes,
            max_wait_ms: budget.max_wait_ms,
        };
        with_task(|state| {
            let mut batch = SourceBatch::new(budget, &mut state.schemas);
            Ok(match state.task.poll_into(&mut batch)? {
                Polled::Nothing => None,
                Polled::Batch => Some(batch.finish()),
            })
        })
    }

    fn records_acked(acks: source_task::Acks) -> Result<(), PluginError> {
        let acks = rows(&acks).ok_or_else(|| ConnectError::fatal("the columns of the acks differ in length"));
        with_task(|state| state.task.records_acked(&acks?))
    }

    fn commit() -> Result<(), PluginError> {
        with_task(|state| state.task.commit())
    }

    fn stop() -> Result<(), PluginError> {
        with_task(|state| state.task.stop())
    }
}

/// Turns the columns into rows; none when they do not fit together.
fn rows(acks: &source_task::Acks) -> Option<Vec<Ack<'_>>> {
    let mut rows = Vec::with_capacity(acks.index.len());
    for (at, index) in acks.index.iter().enumerate() {
        let partition = *acks.partition.get(at)?;
        // A dropped record went nowhere: partition -1, the other columns mean nothing.
        let metadata = if partition < 0 {
            None
        } else {
            let topic = acks.topics.get(usize::try_from(*acks.topic.get(at)?).ok()?)?;
            Some(RecordMetadata {
                topic,
                partition,
                offset: *acks.offset.get(at)?,
                timestamp: *acks.timestamp.get(at)?,
            })
        };
        rows.push(Ack {
            batch: acks.batch,
            index: *index,
            metadata,
        });
    }
    Some(rows)
}
