"""Sink connectors and tasks: Kafka Connect's contracts.

A task gets batches by `put` and answers in `pre_commit` how far consumption may be committed. `put` also comes with no
records, on the commit and timeout ticks.
"""

from __future__ import annotations

from weir import host
from weir.config import Config
from weir.errors import ConnectError
from weir.records import SinkRecord, TopicOffset, TopicPartition
from weir.source import Connector, Settings


class SinkConnector(Connector):
    """Splits the work of a sink into tasks. Without a line of its own: `max_tasks` tasks with its settings."""

    def task_configs(self, max_tasks: int) -> list[Settings]:
        return [dict(self.config.originals) for _ in range(max_tasks)]

    def alter_offsets(self, config: Settings, offsets: list[tuple[TopicPartition, int | None]]) -> bool:
        """Judges offsets that a user wants changed, None = removed; True = the connector vouches. Never started."""
        return False


class SinkContext:
    """What a sink task can ask."""

    def assignment(self) -> list[TopicPartition]:
        """Gives the partitions the task has now."""
        return [TopicPartition(own.topic, own.partition) for own in _context().assignment()]

    def seek(self, offsets: list[TopicOffset]) -> None:
        """Reads on from other offsets, before the next `put`."""
        _context().seek([_wit_offset(own) for own in offsets])

    def retry_after(self, ms: int) -> None:
        """Wants the next call after so long."""
        _context().retry_after(ms)

    def pause(self, partitions: list[TopicPartition]) -> None:
        """Stops records of partitions from coming."""
        _context().pause([_wit_partition(own) for own in partitions])

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Lets records of partitions come again."""
        _context().resume([_wit_partition(own) for own in partitions])

    def request_commit(self) -> None:
        """Wants offsets to be committed soon."""
        _context().request_commit()

    @property
    def can_report(self) -> bool:
        """True: bad records can be reported (a dead letter queue or error log is configured)."""
        return bool(_context().can_report())

    def report(self, records: list[SinkRecord], error: Exception) -> None:
        """Hands bad records to the dead letter queue, and goes on without them."""
        from weir.exports import plugin_error

        wit = host.imported("types")
        where = [record.origin or TopicOffset(record.topic, record.partition, record.offset) for record in records]
        own = error if isinstance(error, ConnectError) else ConnectError(str(error), class_name=type(error).__name__)
        _context().report([_wit_offset(offset) for offset in where], plugin_error(own, wit))


class SinkTask:
    """Stores records."""

    #: Set before `start`.
    context: SinkContext
    config: Config

    def start(self, config: Config) -> None:
        """Starts on a fresh instance."""

    def open(self, partitions: list[TopicPartition]) -> None:
        """Takes over partitions."""

    def put(self, records: list[SinkRecord]) -> None:
        """Stores, or starts storing, a batch; grouped by partition, in offset order."""
        raise NotImplementedError(f"{type(self).__name__}.put")

    def flush(self, offsets: list[TopicOffset]) -> None:
        """Stores everything put so far before it returns."""

    def pre_commit(self, offsets: list[TopicOffset]) -> list[TopicOffset]:
        """Gives the offsets that may be committed; none = commit nothing."""
        self.flush(offsets)
        return offsets

    def close(self, partitions: list[TopicPartition]) -> None:
        """Gives partitions away."""

    def stop(self) -> None:
        """Ends the task."""


def _context():
    return host.imported("sink_context")


def _wit_partition(own: TopicPartition):
    return host.imported("types").TopicPartition(own.topic, own.partition)


def _wit_offset(own: TopicOffset):
    return host.imported("types").TopicOffset(own.topic, own.partition, own.offset)
