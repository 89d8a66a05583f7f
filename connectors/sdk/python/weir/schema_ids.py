"""Schema ids as this instance knows them.

Bare types have fixed ids. Others are declared to the worker once and remembered; sinks ask it when they meet an id for
the first time. Ids never leave the instance.
"""

from __future__ import annotations

from typing import Any, Protocol

from weir.errors import DataError
from weir.schema import NO_DEFAULT, Schema, Type
from weir.values import read_slot, write_slot

#: What is added to the id of a bare type for its optional form.
OPTIONAL = 16
#: The first id of a declared schema.
FIRST = 64

#: A schema taken apart: nodes in parent-first order, children by index.
Nodes = list[dict[str, Any]]


class SchemaHost(Protocol):
    """What the worker offers: see `schemas` in `host.wit`."""

    def declare(self, nodes: Nodes) -> int: ...
    def describe(self, number: int) -> Nodes | None: ...


class SchemaIds:
    """Both directions, each asked once."""

    def __init__(self, host: SchemaHost) -> None:
        self._host = host
        self._ids: dict[Schema | None, int] = {None: 0}
        self._schemas: dict[int, Schema | None] = {0: None}
        for kind in Type:
            if kind <= Type.BYTES:
                for optional in (False, True):
                    self._know(Schema(kind, optional), kind + (OPTIONAL if optional else 0))

    def _know(self, schema: Schema, number: int) -> None:
        self._ids[schema] = number
        self._schemas[number] = schema

    def id_of(self, schema: Schema | None) -> int:
        """Gives the id, declared now if it is new."""
        found = self._ids.get(schema)
        if found is None:
            assert schema is not None
            found = self._host.declare(apart(schema, self.id_of))
            self._know(schema, found)
        return found

    def schema_of(self, number: int) -> Schema | None:
        """Gives the schema of an id, None for id 0: values without a schema."""
        if number not in self._schemas:
            nodes = self._host.describe(number)
            if nodes is None:
                raise DataError(f"schema {number} was never declared")
            self._know(together(nodes, self.struct_of), number)
        return self._schemas[number]

    def struct_of(self, number: int) -> Schema:
        """Gives the schema of a struct inside a value without a schema."""
        schema = self.schema_of(number)
        if schema is None or schema.type is not Type.STRUCT:
            raise DataError(f"schema {number} is not a declared struct")
        return schema


def apart(schema: Schema, id_of: Any) -> Nodes:
    """Takes a schema apart."""
    nodes: Nodes = []

    def add(own: Schema) -> int:
        index = len(nodes)
        node: dict[str, Any] = {
            "base": own.type, "optional": own.optional, "default": _default_bytes(own, id_of), "name": own.name,
            "version": own.version, "doc": own.doc, "parameters": list(own.parameters), "fields": [], "key": None,
            "value": None,
        }
        nodes.append(node)
        node["fields"] = [(name, add(child)) for name, child in own.fields]
        node["key"] = None if own.key is None else add(own.key)
        node["value"] = None if own.value is None else add(own.value)
        return index

    add(schema)
    return nodes


def together(nodes: Nodes, struct_of: Any) -> Schema:
    """Puts a schema together from its nodes."""

    def make(index: int) -> Schema:
        node = nodes[index]
        schema = Schema(
            Type(node["base"]), node["optional"], node["name"], node["version"], node["doc"],
            tuple(tuple(pair) for pair in node["parameters"]),
            tuple((name, make(child)) for name, child in node["fields"]),
            None if node["key"] is None else make(node["key"]),
            None if node["value"] is None else make(node["value"]),
        )
        raw = node["default"]
        return schema if raw is None else schema.with_default(_default_value(schema, raw, struct_of))

    return make(0)


def _default_bytes(schema: Schema, id_of: Any) -> bytes | None:
    if schema.default is NO_DEFAULT:
        return None
    return write_slot(schema, schema.default, id_of)


def _default_value(schema: Schema, raw: bytes, struct_of: Any) -> Any:
    return read_slot(schema, memoryview(raw), struct_of)
