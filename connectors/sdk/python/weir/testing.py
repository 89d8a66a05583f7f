"""A worker for unit tests: runs tasks and transformations in plain Python, without a component.

`run_source`, `run_sink` and `run_transform` go through frames, as the real worker does, so that what a test sees is what
Kafka would get. What a plugin logs, stores and asks is kept in `state`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


@dataclass
class State:
    """What the stand-in worker knows and was told."""

    #: Stored offsets, by source partition as compact JSON.
    offsets: dict[str, str] = field(default_factory=dict)
    logs: list[tuple[str, str]] = field(default_factory=list)
    metrics: list[tuple[str, Any]] = field(default_factory=list)
    schemas: list[Any] = field(default_factory=list)
    reported: list[Any] = field(default_factory=list)
    stop: bool = False

    def reset(self) -> None:
        """Forgets everything."""
        self.__init__()  # type: ignore[misc]


state = State()


class _Level:
    TRACE, DEBUG, INFO, WARN, ERROR = "TRACE", "DEBUG", "INFO", "WARN", "ERROR"


def _sleep(ms: int) -> bool:
    if not state.stop:
        time.sleep(ms / 1000)
    return state.stop


runtime = SimpleNamespace(
    Level=_Level,
    who_am_i=lambda: SimpleNamespace(connector="test", task=0, worker="test", plugin_version="0.0.0"),
    log_enabled=lambda level: True,
    log=lambda level, message, fields: state.logs.append((level, message)),
    stop_requested=lambda: state.stop,
    sleep=_sleep,
    metric=lambda name, tags, sample: state.metrics.append((name, sample)),
    Sample_CounterAdd=lambda value: ("add", value),
    Sample_Gauge=lambda value: ("gauge", value),
    Sample_Observe=lambda value: ("observe", value),
)
offset_reader = SimpleNamespace(offsets=lambda partitions: [state.offsets.get(own) for own in partitions])
connector_context = SimpleNamespace(request_task_reconfiguration=lambda: state.logs.append(("REQUEST", "tasks")))
types = SimpleNamespace(
    ErrorKind=SimpleNamespace(RETRIABLE="retriable", FATAL="fatal", CONFIG="config", DATA="data", STOPPED="stopped"),
    PluginError=lambda *parts: parts,
    TopicPartition=lambda topic, partition: (topic, partition),
    TopicOffset=lambda topic, partition, offset: (topic, partition, offset),
)
sink_context = SimpleNamespace(
    assignment=lambda: [], seek=lambda offsets: None, retry_after=lambda ms: None, pause=lambda partitions: None,
    resume=lambda partitions: None, request_commit=lambda: None, can_report=lambda: True,
    report=lambda records, error: state.reported.extend(records),
)


class Schemas:
    """A schema table of its own."""

    def declare(self, nodes: Any) -> int:
        state.schemas.append(nodes)
        return 63 + len(state.schemas)

    def describe(self, number: int) -> Any:
        return state.schemas[number - 64] if 64 <= number < 64 + len(state.schemas) else None


def run_source(task: type, config_def: Any, config: Mapping[str, str], polls: int = 1) -> list[Any]:
    """Starts a source task, polls it and stores its offsets; gives the records as they would reach Kafka."""
    from weir.frame import Frame, FrameWriter, compact_json
    from weir.schema_ids import SchemaIds
    from weir.source import PollBudget, SourceContext

    ids, found = SchemaIds(Schemas()), []
    own = task()
    own.context, own.config = SourceContext(), config_def.parse(config)
    own.start(own.config)
    for _ in range(polls):
        records = own.poll(PollBudget(2000, 1 << 20, 500))
        if records is None:
            continue
        writer = FrameWriter(ids)
        for record in records:
            writer.push(record)
        for row in Frame(writer.finish(), ids).rows():
            found.append(row.record())
            if found[-1].source_partition is not None:
                state.offsets[compact_json(found[-1].source_partition)] = json.dumps(found[-1].source_offset)
    own.stop()
    return found


def run_sink(task: type, config_def: Any, config: Mapping[str, str], records: list[Any]) -> Any:
    """Starts a sink task, puts one batch and flushes; gives the task for a look inside."""
    from weir.frame import Frame, FrameWriter
    from weir.schema_ids import SchemaIds
    from weir.records import TopicOffset
    from weir.sink import SinkContext

    ids = SchemaIds(Schemas())
    writer = FrameWriter(ids, is_sink=True)
    for record in records:
        writer.push(record)
    own = task()
    own.context, own.config = SinkContext(), config_def.parse(config)
    own.start(own.config)
    own.put([row.record() for row in Frame(writer.finish(), ids).rows()])
    ends = {(record.topic, record.partition): record.offset + 1 for record in records}
    own.pre_commit([TopicOffset(topic, partition, offset) for (topic, partition), offset in ends.items()])
    return own


def run_transform(cls: type, config: Mapping[str, str], records: list[Any]) -> list[Any]:
    """Applies a transformation to records; None stands for one that was filtered out."""
    own = cls()
    own.config = own.config_def.parse(config)
    own.configure(own.config)
    return [own.apply(record) for record in records]
