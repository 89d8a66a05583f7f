"""What the worker offers a plugin: identity, logs, waits, metrics, offsets, files.

Inside a component these are imports; outside, in unit tests, `weir.testing` stands in. Nothing else in the SDK knows
which of the two is there.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from weir.errors import ConnectError

#: Interfaces of the worker that a plugin may call; a component has those of its kinds.
_NAMES = ("types", "schemas", "runtime", "connector_context", "offset_reader", "sink_context", "budget", "secrets", "net", "files")


def _available() -> dict[str, Any]:
    """Loads them now: a component holds what was loaded when it was built, and no files to load from later."""
    found = {}
    for name in _NAMES:
        try:
            found[name] = importlib.import_module(f"wit_world.imports.{name}")
        except ImportError:
            continue
    if found:
        return found
    from weir import testing

    return {name: getattr(testing, name) for name in _NAMES if hasattr(testing, name)}


_interfaces = _available()
_runtime = _interfaces["runtime"]


def imported(name: str) -> Any:
    """Gives an interface of the worker; one that the plugin's kind does not have is an error."""
    try:
        return _interfaces[name]
    except KeyError:
        raise ConnectError(f"this kind of plugin has no {name}") from None


@dataclass(frozen=True)
class Identity:
    """Who this instance is."""

    connector: str
    #: None in a connector.
    task: int | None
    worker: str
    plugin_version: str


def identity() -> Identity:
    """Tells which connector and task this is."""
    found = _runtime.who_am_i()
    return Identity(found.connector, found.task, found.worker, found.plugin_version)


def stop_requested() -> bool:
    """True once the worker wants this instance to end."""
    return bool(_runtime.stop_requested())


def sleep(seconds: float) -> bool:
    """Waits; True = woken early because stop was requested."""
    return bool(_runtime.sleep(max(0, int(seconds * 1000))))


class Log:
    """The worker's log, under the connector's name."""

    def trace(self, message: str, **fields: Any) -> None:
        """Writes a line of the finest level; so do the others for theirs."""
        self._write("TRACE", message, fields)

    def debug(self, message: str, **fields: Any) -> None:
        self._write("DEBUG", message, fields)

    def info(self, message: str, **fields: Any) -> None:
        self._write("INFO", message, fields)

    def warn(self, message: str, **fields: Any) -> None:
        self._write("WARN", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        self._write("ERROR", message, fields)

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        at = getattr(_runtime.Level, level)
        if _runtime.log_enabled(at):
            _runtime.log(at, message, [(name, str(value)) for name, value in fields.items()])


log = Log()


def count(name: str, value: int = 1, **tags: str) -> None:
    """Adds to a counter that `/metrics` shows."""
    _runtime.metric(name, sorted(tags.items()), _runtime.Sample_CounterAdd(value))


def gauge(name: str, value: float, **tags: str) -> None:
    """Sets a figure that `/metrics` shows."""
    _runtime.metric(name, sorted(tags.items()), _runtime.Sample_Gauge(value))


def observe(name: str, value: float, **tags: str) -> None:
    """Adds an observation to a distribution that `/metrics` shows."""
    _runtime.metric(name, sorted(tags.items()), _runtime.Sample_Observe(value))
