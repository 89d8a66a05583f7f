//! `weir:connect/sink-connector` and `sink-task`

use weir_api::error::ConnectError;

use crate::bindings::imports::weir::connect::types::{Config, Frame, PluginError, TopicOffset, TopicPartition};
use crate::bindings::sink::exports::weir::connect::{sink_connector, sink_task};
use crate::context::{ConnectorContext, SinkTaskContext};
use crate::export::component::{
    Component, Instance, Registered, SinkTaskState, become_instance, class_of, not_this_kind, with_instance,
};
use crate::export::convert;
use crate::plugin::Factory;
use crate::schemas::GuestSchemas;
use crate::sink::{self, SinkConnector, SinkOffsetChange, SinkTask};
use crate::sink_batch::SinkBatch;

fn connector_of<P: Registered>(class: &str) -> Result<Box<dyn SinkConnector>, ConnectError> {
    match class_of::<P>(class)?.factory {
        Factory::Sink { connector, .. } => Ok(connector()),
        Factory::Source { .. } => Err(ConnectError::config(format!("{class} is a source connector"))),
    }
}

fn task_of<P: Registered>(class: &str) -> Result<Box<dyn SinkTask>, ConnectError> {
    match class_of::<P>(class)?.factory {
        Factory::Sink { task, .. } => Ok(task()),
        Factory::Source { .. } => Err(ConnectError::config(format!("{class} is a source connector"))),
    }
}

fn with_connector<R>(call: impl FnOnce(&mut dyn SinkConnector) -> Result<R, ConnectError>) -> Result<R, PluginError> {
    with_instance(|instance| match instance {
        Instance::SinkConnector(connector) => call(connector.as_mut()),
        Instance::SinkTask(_) | Instance::SourceConnector(_) | Instance::SourceTask(_) => Err(not_this_kind()),
    })
    .map_err(convert::plugin_error)
}

fn with_task<R>(call: impl FnOnce(&mut SinkTaskState) -> Result<R, ConnectError>) -> Result<R, PluginError> {
    with_instance(|instance| match instance {
        Instance::SinkTask(state) => call(state),
        Instance::SinkConnector(_) | Instance::SourceConnector(_) | Instance::SourceTask(_) => Err(not_this_kind()),
    })
    .map_err(convert::plugin_error)
}

impl<P: Registered> sink_connector::Guest for Component<P> {
    fn start(class: String, config: Config) -> Result<sink_connector::Started, PluginError> {
        become_instance(Instance::SinkConnector(
            connector_of::<P>(&class).map_err(convert::plugin_error)?,
        ));
        let config = convert::config(config);
        with_connector(|connector| {
            connector.start(ConnectorContext::new(), &config)?;
            Ok(sink_connector::Started {
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

    fn alter_offsets(
        class: String,
        config: Config,
        offsets: Vec<(TopicPartition, Option<i64>)>,
    ) -> Result<bool, PluginError> {
        let config = convert::config(config);
        let changes: Vec<SinkOffsetChange> = offsets
            .into_iter()
            .map(|(partition, offset)| SinkOffsetChange {
                partition: convert::topic_partition(partition),
                offset,
            })
            .collect();
        connector_of::<P>(&class)
            .and_then(|connector| connector.alter_offsets(&config, &changes))
            .map_err(convert::plugin_error)
    }
}

fn partitions(from: Vec<TopicPartition>) -> Vec<sink::TopicPartition> {
    from.into_iter().map(convert::topic_partition).collect()
}

fn offsets(from: Vec<TopicOffset>) -> Vec<sink::TopicOffset> {
    from.into_iter().map(convert::topic_offset).collect()
}

impl<P: Registered> sink_task::Guest for Component<P> {
    fn start(class: String, config: Config) -> Result<(), PluginError> {
        let task = task_of::<P>(&class).map_err(convert::plugin_error)?;
        become_instance(Instance::SinkTask(SinkTaskState {
            task,
            schemas: GuestSchemas::default(),
        }));
        let config = convert::config(config);
        with_task(|state| state.task.start(SinkTaskContext::new(), &config))
    }

    fn open(assigned: Vec<TopicPartition>) -> Result<(), PluginError> {
        with_task(|state| state.task.open(&partitions(assigned)))
    }

    fn put(frame: Frame) -> Result<(), PluginError> {
        with_task(|state| {
            let batch = SinkBatch::parse(&frame, &state.schemas)?;
            state.task.put(&batch)
        })
    }

    fn flush(current: Vec<TopicOffset>) -> Result<(), PluginError> {
        with_task(|state| state.task.flush(&offsets(current)))
    }

    fn pre_commit(current: Vec<TopicOffset>) -> Result<Vec<TopicOffset>, PluginError> {
        let committable = with_task(|state| state.task.pre_commit(&offsets(current)))?;
        Ok(committable.into_iter().map(convert::wit_topic_offset).collect())
    }

    fn close(revoked: Vec<TopicPartition>) -> Result<(), PluginError> {
        with_task(|state| state.task.close(&partitions(revoked)))
    }

    fn stop() -> Result<(), PluginError> {
        with_task(|state| state.task.stop())
    }
}
