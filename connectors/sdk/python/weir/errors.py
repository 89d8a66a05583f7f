"""Errors of connectors, as Kafka Connect knows them.

Raise one of these to say what the worker should do; anything else that escapes fails the task with its traceback.
"""

from __future__ import annotations


class ConnectError(Exception):
    """Fails the connector or task (Java: ConnectException)."""

    kind = "fatal"

    def __init__(self, message: str, *, class_name: str | None = None, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        #: Name shown in traces and dead-letter headers, if not the kind's own.
        self.class_name = class_name
        #: A wish of a retriable error, clamped by the worker.
        self.retry_after_ms = retry_after_ms


class RetriableError(ConnectError):
    """Makes the worker try the same call again later (Java: RetriableException)."""

    kind = "retriable"


class ConfigError(ConnectError):
    """Says that the settings are wrong (Java: ConfigException)."""

    kind = "config"


class DataError(ConnectError):
    """Says that one record is bad; `errors.tolerance` decides about it (Java: DataException)."""

    kind = "data"


class Stopped(ConnectError):
    """Ends a call early because stop was requested. Never logged as a failure."""

    kind = "stopped"
