"""Config definitions: what settings a class takes, for validation, listing and documentation.

Kafka's ConfigDef as data. What a definition cannot say is checked in `validate` of the class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from weir.errors import ConfigError

#: Stands for "the key must be given".
REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()

TYPES = ("boolean", "string", "int", "short", "long", "double", "list", "class", "password")
IMPORTANCES = ("high", "medium", "low")


@dataclass(frozen=True)
class Validator:
    """One check that the worker makes by itself; made by the functions below."""

    kind: str
    values: tuple[Any, ...] = ()


def between(low: float | None = None, high: float | None = None) -> Validator:
    """Allows numbers from `low` to `high`."""
    return Validator("between", (low, high))


def one_of(*values: str, ignore_case: bool = False) -> Validator:
    """Allows these texts."""
    return Validator("one-of-ignore-case" if ignore_case else "one-of", values)


def list_of(*values: str) -> Validator:
    """Allows lists of these texts."""
    return Validator("list-of", values)


NON_NULL = Validator("non-null")
NON_EMPTY = Validator("non-empty-text")


@dataclass(frozen=True)
class Key:
    """One setting."""

    name: str
    type: str
    default: Any
    importance: str
    doc: str
    validators: tuple[Validator, ...] = ()
    group: str | None = None
    order: int = -1
    width: str = "none"
    display_name: str = ""
    dependents: tuple[str, ...] = ()
    recommended: bool = False


class ConfigDef:
    """The settings of a class, in the order in which they are listed."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}

    def define(
        self,
        name: str,
        type: str = "string",
        default: Any = REQUIRED,
        doc: str = "",
        *,
        importance: str = "medium",
        validators: Iterable[Validator] = (),
        group: str | None = None,
        width: str = "none",
        display_name: str | None = None,
        dependents: Iterable[str] = (),
        recommended: bool = False,
    ) -> "ConfigDef":
        """Adds a setting; `default=REQUIRED` (the default) makes it a must, None a null."""
        if name in self.keys:
            raise ValueError(f"setting {name!r} is defined twice")
        if type not in TYPES:
            raise ValueError(f"setting {name!r} has type {type!r}; there are {', '.join(TYPES)}")
        if importance not in IMPORTANCES:
            raise ValueError(f"setting {name!r} has importance {importance!r}; there are {', '.join(IMPORTANCES)}")
        order = -1 if group is None else sum(key.group == group for key in self.keys.values()) + 1
        self.keys[name] = Key(name, type, default, importance, doc, tuple(validators), group, order, width,
                              display_name or name, tuple(dependents), recommended)
        return self

    def parse(self, config: Mapping[str, str | None]) -> "Config":
        """Gives typed values, defaults filled in; the worker has validated them before."""
        return Config(self, config)


class Config(Mapping[str, Any]):
    """Settings by name: those that are defined with their type, others as text."""

    def __init__(self, definition: ConfigDef, given: Mapping[str, str | None]) -> None:
        #: The settings as they came.
        self.originals = dict(given)
        self._values: dict[str, Any] = dict(given)
        for key in definition.keys.values():
            raw = given.get(key.name)
            if raw is None:
                if key.default is REQUIRED:
                    raise ConfigError(f'Missing required configuration "{key.name}" which has no default value.')
                self._values[key.name] = key.default
            else:
                self._values[key.name] = parsed(key, raw)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def parsed(key: Key, raw: str) -> Any:
    """Reads a setting's text as its type says."""
    text = raw.strip()
    try:
        if key.type == "boolean":
            return {"true": True, "false": False}[text.lower()]
        if key.type in ("int", "short", "long"):
            return int(text)
        if key.type == "double":
            return float(text)
    except (KeyError, ValueError):
        raise ConfigError(f"Invalid value {raw} for configuration {key.name}: expected a {key.type}") from None
    if key.type == "list":
        return [part.strip() for part in text.split(",")] if text else []
    return raw if key.type == "password" else text


def text_of(value: Any) -> str | None:
    """Writes a default as the text that Connect lists."""
    if value is None or value is REQUIRED:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(value)
    return str(value)


@dataclass
class ConfigValue:
    """What `validate` says of one setting."""

    name: str
    errors: list[str] = field(default_factory=list)
    recommended: list[str] = field(default_factory=list)
    #: Replaces the value shown.
    value: str | None = None
    visible: bool = True
