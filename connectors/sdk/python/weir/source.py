"""Source connectors and tasks: Kafka Connect's contracts.

A connector splits its work into task configs; each task produces records. One instance is one connector or one task,
and its calls never overlap.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from weir import host
from weir.config import Config, ConfigDef, ConfigValue
from weir.frame import compact_json
from weir.records import SourceRecord

Settings = dict[str, "str | None"]


class Connector:
    """What source and sink connectors share. Without a line of its own, a connector has one task with its settings."""

    #: Settings of the class.
    config_def = ConfigDef()
    #: How often `monitor` is called; None = never.
    monitor_every_ms: int | None = None
    #: Set before `start`.
    config: Config

    def start(self, config: Config) -> None:
        """Starts with settings that passed validation."""

    def task_configs(self, max_tasks: int) -> list[Settings]:
        """Gives the settings of at most `max_tasks` tasks."""
        return [dict(self.config.originals)]

    def monitor(self) -> bool:
        """Looks for changes outside; True = the task configs must be computed again."""
        return False

    def stop(self) -> None:
        """Ends the connector."""

    def validate(self, config: Settings) -> list[ConfigValue]:
        """Checks what the definition cannot say; only settings with something to say. Never started."""
        return []

    @staticmethod
    def request_task_reconfiguration() -> None:
        """Asks for `task_configs` soon."""
        host.imported("connector_context").request_task_reconfiguration()


class SourceConnector(Connector):
    """Splits the work of a source into tasks."""

    #: "supported", "unsupported" or "unknown": whether no record is lost or doubled with transactions.
    exactly_once = "unknown"
    #: True: tasks may end transactions themselves (`commit_transaction`).
    defines_transaction_boundaries = False

    def alter_offsets(self, config: Settings, offsets: list[tuple[dict[str, Any], dict[str, Any] | None]]) -> bool:
        """Judges offsets that a user wants changed, None = removed; True = the connector vouches. Never started."""
        return False


@dataclass(frozen=True)
class PollBudget:
    """What one poll may take."""

    max_records: int
    max_bytes: int
    #: Return by then, with nothing if there is nothing.
    max_wait_ms: int


@dataclass(frozen=True)
class Ack:
    """One record that arrived, or was dropped on the way (`offset` is None)."""

    #: Which poll that returned records, counted from 1, and which record of it.
    batch: int
    index: int
    topic: str
    partition: int | None
    offset: int | None
    timestamp: int


class SourceContext:
    """What a source task can ask."""

    def __init__(self) -> None:
        #: Ends the transaction behind the batch that `poll` returns: "commit", "abort" or None.
        self.transaction: str | None = None

    def offset(self, partition: dict[str, Any]) -> dict[str, Any] | None:
        """Gives the last stored offset of a source partition."""
        return self.offsets([partition])[0]

    def offsets(self, partitions: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
        """Gives the last stored offsets, in the same order."""
        found = host.imported("offset_reader").offsets([compact_json(own) for own in partitions])
        return [None if text is None else json.loads(text) for text in found]

    def commit_transaction(self) -> None:
        """Commits the transaction after the batch that is being polled."""
        self.transaction = "commit"

    def abort_transaction(self) -> None:
        """Aborts the transaction after the batch that is being polled."""
        self.transaction = "abort"


class SourceTask:
    """Produces records."""

    #: Set before `start`.
    context: SourceContext
    config: Config
    #: True: `records_acked` is wanted.
    wants_acks = False

    def start(self, config: Config) -> None:
        """Starts on a fresh instance."""

    def poll(self, budget: PollBudget) -> list[SourceRecord] | None:
        """Gives the next records, None when there is nothing now."""
        raise NotImplementedError(f"{type(self).__name__}.poll")

    def records_acked(self, acks: list[Ack]) -> None:
        """Tells which records are stored (Java: commitRecord), in order within a source partition."""

    def commit(self) -> None:
        """Tells that offsets are durable up to what was acked."""

    def stop(self) -> None:
        """Ends the task."""
