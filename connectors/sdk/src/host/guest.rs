//! The imports of `wit/host.wit`, in the SDK's types
//!
//! Nothing but translation: one function an import, named as the SDK names it.

use std::sync::Arc;

use weir_api::data::schema::Schema;
use weir_api::data::schemas::SchemaId;
use weir_api::error::{ConnectError, ErrorKind};
use weir_config::map::ConfigMap;

use crate::bindings::imports::weir::connect::{
    connector_context, files, net, offset_reader, runtime, schemas, sink_context, types,
};
use crate::export::convert;
use crate::files::{FileIdentity, FileKind, FilesError, OpenMode};
use crate::log::Level;
use crate::net::{NetError, Tls};
use crate::runtime::{Identity, Sample, system_now_ms};
use crate::schema_def;
use crate::sink::{TopicOffset, TopicPartition};

pub(crate) fn who_am_i() -> Identity {
    let identity = runtime::who_am_i();
    Identity {
        connector: identity.connector,
        task: identity.task,
        worker: identity.worker,
        plugin_version: identity.plugin_version,
    }
}

pub(crate) fn current_config() -> ConfigMap {
    convert::config(runtime::current_config())
}

pub(crate) fn stop_requested() -> bool {
    runtime::stop_requested()
}

pub(crate) fn sleep(ms: u32) -> bool {
    runtime::sleep(ms)
}

pub(crate) fn now_ms() -> i64 {
    system_now_ms()
}

pub(crate) fn random_u64() -> u64 {
    wasip2::random::random::get_random_u64()
}

pub(crate) fn metric(name: &str, tags: &[(&str, &str)], sample: Sample) {
    let tags: Vec<(String, String)> = tags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let sample = match sample {
        Sample::CounterAdd(value) => runtime::Sample::CounterAdd(value),
        Sample::Gauge(value) => runtime::Sample::Gauge(value),
        Sample::Observe(value) => runtime::Sample::Observe(value),
    };
    runtime::metric(name, &tags, sample);
}

fn level(level: Level) -> runtime::Level {
    match level {
        Level::Trace => runtime::Level::Trace,
        Level::Debug => runtime::Level::Debug,
        Level::Info => runtime::Level::Info,
        Level::Warn => runtime::Level::Warn,
        Level::Error => runtime::Level::Error,
    }
}

pub(crate) fn log_enabled(at: Level) -> bool {
    runtime::log_enabled(level(at))
}

pub(crate) fn log(at: Level, message: &str, fields: &[(&str, String)]) {
    let fields: Vec<(String, String)> = fields
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    runtime::log(level(at), message, &fields);
}

pub(crate) fn request_task_reconfiguration() {
    connector_context::request_task_reconfiguration();
}

pub(crate) fn raise_error(error: &ConnectError) {
    connector_context::raise_error(&convert::plugin_error(error.clone()));
}

pub(crate) fn offsets(partitions: &[&str]) -> Result<Vec<Option<String>>, ConnectError> {
    let partitions: Vec<String> = partitions.iter().map(|partition| (*partition).to_owned()).collect();
    offset_reader::offsets(&partitions).map_err(connect_error)
}

pub(crate) fn assignment() -> Vec<TopicPartition> {
    sink_context::assignment()
        .into_iter()
        .map(convert::topic_partition)
        .collect()
}

pub(crate) fn seek(offsets: &[TopicOffset]) {
    sink_context::seek(&wit_offsets(offsets));
}

pub(crate) fn retry_after(ms: u32) {
    sink_context::retry_after(ms);
}

pub(crate) fn pause(partitions: &[TopicPartition]) -> Result<(), ConnectError> {
    sink_context::pause(&wit_partitions(partitions)).map_err(connect_error)
}

pub(crate) fn resume(partitions: &[TopicPartition]) -> Result<(), ConnectError> {
    sink_context::resume(&wit_partitions(partitions)).map_err(connect_error)
}

pub(crate) fn request_commit() {
    sink_context::request_commit();
}

pub(crate) fn can_report() -> bool {
    sink_context::can_report()
}

pub(crate) fn report(records: &[TopicOffset], error: &ConnectError) -> Result<(), ConnectError> {
    sink_context::report(&wit_offsets(records), &convert::plugin_error(error.clone())).map_err(connect_error)
}

fn wit_partitions(partitions: &[TopicPartition]) -> Vec<types::TopicPartition> {
    partitions.iter().cloned().map(wit_topic_partition).collect()
}

fn wit_offsets(offsets: &[TopicOffset]) -> Vec<types::TopicOffset> {
    offsets.iter().cloned().map(convert::wit_topic_offset).collect()
}

pub(crate) fn declare_schema(schema: &Schema) -> Result<SchemaId, ConnectError> {
    let definition = schema_def::flatten(schema)?;
    schemas::declare(&definition).map(SchemaId).map_err(connect_error)
}

pub(crate) fn describe_schema(id: SchemaId) -> Result<Option<Arc<Schema>>, ConnectError> {
    schemas::describe(id.0)
        .map(|definition| schema_def::build(&definition))
        .transpose()
}

#[derive(Debug)]
pub(crate) struct FileHandle(files::File);

impl FileHandle {
    pub(crate) fn read_at(&self, offset: u64, max: u32) -> Result<Vec<u8>, FilesError> {
        self.0.read_at(offset, max).map_err(files_error)
    }

    pub(crate) fn append(&self, bytes: &[u8]) -> Result<(), FilesError> {
        self.0.append(bytes).map_err(files_error)
    }

    pub(crate) fn sync(&self) -> Result<(), FilesError> {
        self.0.sync().map_err(files_error)
    }

    pub(crate) fn size(&self) -> Result<u64, FilesError> {
        self.0.size().map_err(files_error)
    }

    pub(crate) fn identity(&self) -> Result<FileIdentity, FilesError> {
        self.0.identity().map(file_identity_of).map_err(files_error)
    }
}

pub(crate) fn open_file(setting: &str, mode: OpenMode) -> Result<FileHandle, FilesError> {
    let mode = match mode {
        OpenMode::Read => files::OpenMode::Read,
        OpenMode::Append => files::OpenMode::Append,
    };
    files::open(setting, mode).map(FileHandle).map_err(files_error)
}

pub(crate) fn file_identity(setting: &str) -> Result<FileIdentity, FilesError> {
    files::identity_now(setting).map(file_identity_of).map_err(files_error)
}

fn file_identity_of(identity: files::FileIdentity) -> FileIdentity {
    let kind = match identity.kind {
        files::FileKind::Regular => FileKind::Regular,
        files::FileKind::Stream => FileKind::Stream,
    };
    FileIdentity {
        device: identity.device,
        inode: identity.inode,
        kind,
    }
}

fn files_error(error: files::FilesError) -> FilesError {
    match error {
        files::FilesError::Denied(text) => FilesError::Denied(text),
        files::FilesError::NotFound(text) => FilesError::NotFound(text),
        files::FilesError::Forbidden(text) => FilesError::Forbidden(text),
        files::FilesError::IsDirectory(text) => FilesError::IsDirectory(text),
        files::FilesError::NoSpace(text) => FilesError::NoSpace(text),
        files::FilesError::Stopped(text) => FilesError::Stopped(text),
        files::FilesError::Other(text) => FilesError::Other(text),
    }
}

#[derive(Debug)]
pub(crate) struct ConnectionHandle(net::Connection);

impl ConnectionHandle {
    pub(crate) fn start_tls(&self, tls: &Tls) -> Result<(), NetError> {
        self.0.start_tls(&wit_tls(tls)).map_err(net_error)
    }

    pub(crate) fn read(&self, max: u32, timeout_ms: u32) -> Result<Vec<u8>, NetError> {
        self.0.read(max, timeout_ms).map_err(net_error)
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), NetError> {
        self.0.write(bytes).map_err(net_error)
    }
}

pub(crate) fn connect(host: &str, port: u16, tls: Option<&Tls>, timeout_ms: u32) -> Result<ConnectionHandle, NetError> {
    let tls = tls.map(wit_tls);
    net::Connection::connect(host, port, tls.as_ref(), timeout_ms)
        .map(ConnectionHandle)
        .map_err(net_error)
}

fn wit_tls(tls: &Tls) -> net::Tls {
    net::Tls {
        server_name: tls.server_name.clone(),
        alpn: tls.alpn.clone(),
        roots: tls.roots.clone(),
    }
}

fn net_error(error: net::NetError) -> NetError {
    match error {
        net::NetError::Denied => NetError::Denied,
        net::NetError::NotFound => NetError::NotFound,
        net::NetError::Refused => NetError::Refused,
        net::NetError::Reset => NetError::Reset,
        net::NetError::TimedOut => NetError::TimedOut,
        net::NetError::Tls => NetError::Tls,
        net::NetError::Closed => NetError::Closed,
        net::NetError::Other => NetError::Other,
    }
}

fn connect_error(error: types::PluginError) -> ConnectError {
    ConnectError {
        kind: match error.kind {
            types::ErrorKind::Retriable => ErrorKind::Retriable,
            types::ErrorKind::Fatal => ErrorKind::Fatal,
            types::ErrorKind::Config => ErrorKind::Config,
            types::ErrorKind::Data => ErrorKind::Data,
            types::ErrorKind::Stopped => ErrorKind::Stopped,
        },
        message: error.message,
        class_name: error.class_name,
        causes: error.causes,
        trace: error.trace,
        retry_after_ms: error.retry_after_ms,
    }
}

fn wit_topic_partition(from: TopicPartition) -> types::TopicPartition {
    types::TopicPartition {
        topic: from.topic,
        partition: u32::try_from(from.partition).unwrap_or(u32::MAX),
    }
}
