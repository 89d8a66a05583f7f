"""Write Weir connectors in Python.

The classes read like Kafka Connect's. A plugin is one module: subclass `SourceTask`, `SinkTask`, `Transformation` or
`Predicate`, register the classes with the decorators, and `weir plugin build` makes the component.
"""

from weir import schema
from weir.config import NON_EMPTY, NON_NULL, REQUIRED, Config, ConfigDef, ConfigValue, between, list_of, one_of
from weir.errors import ConfigError, ConnectError, DataError, RetriableError, Stopped
from weir.host import count, gauge, identity, log, observe, sleep, stop_requested
from weir.plugin import predicate, requires, sink, source, transformation
from weir.records import Header, SinkRecord, SourceRecord, TopicOffset, TopicPartition
from weir.schema import Schema
from weir.sink import SinkConnector, SinkTask
from weir.source import Ack, PollBudget, SourceConnector, SourceTask
from weir.transform import Predicate, Transformation

__all__ = [
    "NON_EMPTY", "NON_NULL", "REQUIRED", "Ack", "Config", "ConfigDef", "ConfigError", "ConfigValue", "ConnectError",
    "DataError", "Header", "PollBudget", "Predicate", "RetriableError", "Schema", "SinkConnector", "SinkRecord",
    "SinkTask", "SourceConnector", "SourceRecord", "SourceTask", "Stopped", "TopicOffset", "TopicPartition",
    "Transformation", "between", "count", "gauge", "identity", "list_of", "log", "observe", "one_of", "predicate",
    "requires", "schema", "sink", "sleep", "source", "stop_requested", "transformation",
]
