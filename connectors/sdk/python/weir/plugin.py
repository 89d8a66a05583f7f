"""Registering classes: what a plugin holds and what it asks the operator for.

Decorate a class and it is found under its dotted name. Rights are asked for with `requires`; nothing works without a
grant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from weir.sink import SinkConnector, SinkTask
from weir.source import SourceConnector, SourceTask
from weir.transform import Predicate, Transformation

Own = TypeVar("Own", bound=type)


@dataclass(frozen=True)
class Registered:
    """One class of the plugin."""

    kind: str
    name: str
    version: str
    doc: str
    cls: type
    task: type | None = None
    aliases: tuple[str, ...] = ()


@dataclass
class Plugin:
    """Everything that was registered."""

    classes: dict[str, Registered] = field(default_factory=dict)
    capabilities: list[tuple[str, Any]] = field(default_factory=list)

    def add(self, own: Registered) -> None:
        if own.name in self.classes:
            raise ValueError(f"class {own.name!r} is registered twice")
        self.classes[own.name] = own

    @property
    def kinds(self) -> list[str]:
        """Kinds of its classes, each once: what the build makes a world of."""
        return sorted({own.kind for own in self.classes.values()})


#: The plugin that is being written.
plugin = Plugin()

CAPABILITIES = ("http", "tcp", "files", "env", "memory", "wall-clock", "random", "secrets")


def requires(capability: str, value: Any = None, *, write: bool = False) -> None:
    """Asks the operator for a right: `requires("http", "*.example.com:443")`, `requires("files", "config:file")`."""
    if capability not in CAPABILITIES:
        raise ValueError(f"capability {capability!r} is unknown; there are {', '.join(CAPABILITIES)}")
    plugin.capabilities.append((capability, (value, write) if capability == "files" else value))


def source(name: str, task: type[SourceTask], *, version: str = "0.1.0", aliases: tuple[str, ...] = ()) -> Callable[[Own], Own]:
    """Registers a source connector and its task."""
    return _register("source", SourceConnector, name, version, aliases, task)


def sink(name: str, task: type[SinkTask], *, version: str = "0.1.0", aliases: tuple[str, ...] = ()) -> Callable[[Own], Own]:
    """Registers a sink connector and its task."""
    return _register("sink", SinkConnector, name, version, aliases, task)


def transformation(name: str, *, version: str = "0.1.0", aliases: tuple[str, ...] = ()) -> Callable[[Own], Own]:
    """Registers a transformation, for `transforms.X.type`."""
    return _register("transformation", Transformation, name, version, aliases)


def predicate(name: str, *, version: str = "0.1.0", aliases: tuple[str, ...] = ()) -> Callable[[Own], Own]:
    """Registers a predicate, for `predicates.X.type`."""
    return _register("predicate", Predicate, name, version, aliases)


def _register(
    kind: str, base: type, name: str, version: str, aliases: tuple[str, ...], task: type | None = None
) -> Callable[[Own], Own]:
    def decorate(cls: Own) -> Own:
        if not issubclass(cls, base):
            raise TypeError(f"{cls.__name__} is registered as a {kind} but is no {base.__name__}")
        plugin.add(Registered(kind, name, version, (cls.__doc__ or "").strip(), cls, task, aliases))
        return cls

    return decorate
