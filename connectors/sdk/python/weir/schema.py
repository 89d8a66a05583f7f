"""Schemas of keys, values and headers: Kafka Connect's types and logical types.

A `Schema` is immutable and compared by value. Bare types are constants here (`STRING`, `INT64`, ...); `struct`, `array`
and `mapping` build the rest. How values look in bytes is in `values.py`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


class Type(enum.IntEnum):
    """The base types, numbered as their schema ids."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    FLOAT32 = 5
    FLOAT64 = 6
    BOOLEAN = 7
    STRING = 8
    BYTES = 9
    ARRAY = 10
    MAP = 11
    STRUCT = 12


#: Stands for "no default", since None is a value.
NO_DEFAULT: Any = type("NoDefault", (), {"__repr__": lambda self: "NO_DEFAULT"})()


@dataclass(frozen=True, eq=False)
class Schema:
    """One schema; a struct's fields, an array's elements and a map's keys and values are schemas of their own."""

    type: Type
    optional: bool = False
    name: str | None = None
    version: int | None = None
    doc: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    fields: tuple[tuple[str, "Schema"], ...] = ()
    key: "Schema | None" = None
    value: "Schema | None" = None
    default: Any = NO_DEFAULT

    def __post_init__(self) -> None:
        if self.type is Type.ARRAY and self.value is None:
            raise ValueError("an ARRAY schema needs the schema of its elements")
        if self.type is Type.MAP and (self.key is None or self.value is None):
            raise ValueError("a MAP schema needs the schemas of its keys and values")

    def _identity(self) -> tuple[Any, ...]:
        return (self.type, self.optional, self.name, self.version, self.doc, self.parameters, self.fields, self.key,
                self.value, _frozen(self.default))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Schema) and self._identity() == other._identity())

    def __hash__(self) -> int:
        found = self.__dict__.get("_hash")
        if found is None:
            found = hash(self._identity())
            object.__setattr__(self, "_hash", found)
        return found

    def as_optional(self) -> "Schema":
        """Gives the same schema for values that may be None."""
        return replace(self, optional=True)

    def with_default(self, default: Any) -> "Schema":
        """Gives the same schema with a default value."""
        return replace(self, default=default)

    def with_doc(self, doc: str) -> "Schema":
        """Gives the same schema with a description."""
        return replace(self, doc=doc)

    @property
    def is_bare(self) -> bool:
        """True for a primitive type without name, default and the like, whose id is fixed."""
        return self.type <= Type.BYTES and self == Schema(self.type, self.optional)

    def field(self, name: str) -> "Schema | None":
        """Finds the schema of a struct's field."""
        return next((schema for own, schema in self.fields if own == name), None)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _frozen(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in value)
    return (type(value).__name__, value)


INT8 = Schema(Type.INT8)
INT16 = Schema(Type.INT16)
INT32 = Schema(Type.INT32)
INT64 = Schema(Type.INT64)
FLOAT32 = Schema(Type.FLOAT32)
FLOAT64 = Schema(Type.FLOAT64)
BOOLEAN = Schema(Type.BOOLEAN)
STRING = Schema(Type.STRING)
BYTES = Schema(Type.BYTES)

#: Values are `datetime.date`.
DATE = Schema(Type.INT32, name="org.apache.kafka.connect.data.Date", version=1)
#: Values are `datetime.time`.
TIME = Schema(Type.INT32, name="org.apache.kafka.connect.data.Time", version=1)
#: Values are `datetime.datetime`; one without a time zone counts as UTC.
TIMESTAMP = Schema(Type.INT64, name="org.apache.kafka.connect.data.Timestamp", version=1)
DECIMAL_NAME = "org.apache.kafka.connect.data.Decimal"


def decimal(scale: int) -> Schema:
    """Builds the schema of `decimal.Decimal` values with a fixed number of digits after the point."""
    return Schema(Type.BYTES, name=DECIMAL_NAME, version=1, parameters=(("scale", str(scale)),))


def array(value: Schema) -> Schema:
    """Builds the schema of lists."""
    return Schema(Type.ARRAY, value=value)


def mapping(key: Schema, value: Schema) -> Schema:
    """Builds the schema of dicts."""
    return Schema(Type.MAP, key=key, value=value)


def struct(name: str | None = None, fields: Mapping[str, Schema] | None = None, **more: Schema) -> Schema:
    """Builds the schema of records with named fields; values are dicts."""
    return Schema(Type.STRUCT, name=name, fields=tuple({**(fields or {}), **more}.items()))


def optional(schema: Schema) -> Schema:
    """Gives the same schema for values that may be None."""
    return schema.as_optional()
