"""Records: what sources give, what sinks get, what transformations change.

Kafka Connect's SourceRecord and SinkRecord. A value without a schema is sent as Connect's schemaless value; text and
bytes always get their own schema, so that the plain converters take them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from weir.schema import BYTES, STRING, Schema


@dataclass(slots=True)
class Header:
    """One header: names may repeat, order counts."""

    name: str
    value: Any
    schema: Schema | None = None

    def __post_init__(self) -> None:
        self.schema = schema_for(self.value, self.schema)


@dataclass(slots=True)
class SourceRecord:
    """A record on its way into Kafka."""

    topic: str
    value: Any = None
    key: Any = None
    value_schema: Schema | None = None
    key_schema: Schema | None = None
    #: What it was read from, and how far: come back by `context.offset(partition)` after a restart.
    source_partition: dict[str, Any] | None = None
    source_offset: dict[str, Any] | None = None
    #: Kafka partition; None = the producer chooses by the key.
    partition: int | None = None
    #: Milliseconds since 1970; None = when it is sent.
    timestamp: int | None = None
    headers: list[Header] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.value_schema = schema_for(self.value, self.value_schema)
        self.key_schema = schema_for(self.key, self.key_schema)


@dataclass(slots=True)
class SinkRecord:
    """A record that came from Kafka."""

    topic: str
    partition: int
    offset: int
    value: Any = None
    key: Any = None
    value_schema: Schema | None = None
    key_schema: Schema | None = None
    #: Milliseconds since 1970.
    timestamp: int | None = None
    headers: list[Header] = field(default_factory=list)
    #: True: the broker set the timestamp.
    is_log_append_time: bool = False
    #: Topic, partition and offset before transformations.
    origin: "TopicOffset | None" = None


@dataclass(slots=True, frozen=True)
class TopicPartition:
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(slots=True, frozen=True)
class TopicOffset:
    """A position in a partition."""

    topic: str
    partition: int
    offset: int


def schema_for(value: Any, schema: Schema | None) -> Schema | None:
    """Gives the schema that a value is sent with."""
    if schema is None:
        if isinstance(value, str):
            return STRING
        if isinstance(value, (bytes, bytearray, memoryview)):
            return BYTES
    return schema
