"""What the worker calls: the classes that the component exports.

Each turns a call of the interface into one of the author's class, and errors into what the worker understands. The
toolchain makes an object of these classes for every call, so what lasts is kept on the class: an instance of the
component is one connector, task or step. Only loaded inside a component, but for `plugin_error`.
"""

from __future__ import annotations

import json
import traceback
from contextlib import contextmanager
from typing import Any

from weir import host
from weir.config import REQUIRED, ConfigDef, Key, Validator, text_of
from weir.errors import ConnectError
from weir.frame import TXN_ABORT, TXN_COMMIT, Frame, FrameWriter
from weir.plugin import Registered, plugin
from weir.records import TopicOffset, TopicPartition
from weir.schema import Type
from weir.schema_ids import Nodes, SchemaIds
from weir.sink import SinkContext
from weir.source import Ack, PollBudget, SourceContext

types = host.imported("types")


def plugin_error(error: ConnectError, wit: Any = types) -> Any:
    """Gives an error as the interface has it."""
    causes, cause = [], error.__cause__
    while cause is not None:
        causes.append(f"{type(cause).__name__}: {cause}")
        cause = cause.__cause__
    trace = "".join(traceback.format_exception(error)) if error.__traceback__ else None
    kind = getattr(wit.ErrorKind, error.kind.upper())
    return wit.PluginError(kind, error.message, error.class_name, causes, trace, error.retry_after_ms)


def _told(error: Exception) -> ConnectError:
    if isinstance(error, ConnectError):
        return error
    own = ConnectError(f"{type(error).__name__}: {error}", class_name=type(error).__name__)
    return own.with_traceback(error.__traceback__)


@contextmanager
def _errors():
    from componentize_py_types import Err  # type: ignore[import-not-found]

    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever escapes is told
        raise Err(plugin_error(_told(error))) from error


class _Schemas:
    """The worker's schema table, as `SchemaIds` wants it."""

    def declare(self, nodes: Nodes) -> int:
        return host.imported("schemas").declare(types.SchemaDef([_node(own) for own in nodes]))

    def describe(self, number: int) -> Nodes | None:
        found = host.imported("schemas").describe(number)
        if found is None:
            return None
        return [
            {"base": Type[_type_name(own.base)], "optional": own.optional, "default": own.default, "name": own.name,
             "version": own.version, "doc": own.doc, "parameters": own.parameters,
             "fields": [(field.name, field.schema) for field in own.fields], "key": own.key, "value": own.value}
            for own in found.nodes
        ]


#: Names of the interface that differ from Connect's.
_WIT_TYPES = {"STRING": "TEXT", "MAP": "MAPPING"}
_OWN_TYPES = {wit: own for own, wit in _WIT_TYPES.items()}


def _type_name(base: Any) -> str:
    return _OWN_TYPES.get(base.name, base.name)


def _node(own: dict[str, Any]) -> Any:
    name = own["base"].name
    return types.SchemaNode(
        base=getattr(types.SchemaType, _WIT_TYPES.get(name, name)), optional=own["optional"], default=own["default"],
        name=own["name"], version=own["version"], doc=own["doc"], parameters=list(own["parameters"]),
        fields=[types.SchemaField(field, child) for field, child in own["fields"]], key=own["key"], value=own["value"],
    )


ids = SchemaIds(_Schemas())


def _class(name: str, kinds: tuple[str, ...]) -> Registered:
    found = plugin.classes.get(name) or next((own for own in plugin.classes.values() if name in own.aliases), None)
    if found is None or found.kind not in kinds:
        raise ConnectError(f"this plugin has no {' or '.join(kinds)} {name}; it has {', '.join(plugin.classes) or 'nothing'}")
    return found


# --- describe, config definitions, validate ---


class Plugin:
    """Exports `plugin`."""

    def describe(self) -> Any:
        from wit_world.exports import plugin as wit  # type: ignore[import-not-found]

        classes = [
            wit.ClassInfo(getattr(wit.PluginKind, own.kind.upper().replace("-", "_")), own.name, list(own.aliases),
                          own.version, own.doc, None)
            for own in plugin.classes.values()
        ]
        return wit.Descriptor(classes, [_capability(wit, name, value) for name, value in plugin.capabilities])

    def get_config_def(self, kind: Any, class_: str) -> Any:
        from wit_world.exports import plugin as wit  # type: ignore[import-not-found]

        with _errors():
            own = _class(class_, (_kind(kind),))
            overrides = hasattr(own.cls, "validate") and "validate" in vars(own.cls)
            definition: ConfigDef = own.cls.config_def
            return wit.ConfigDef([_key(wit, key) for key in definition.keys.values()], overrides)

    def validate(self, kind: Any, class_: str, config: list[tuple[str, str | None]]) -> Any:
        from wit_world.exports import plugin as wit  # type: ignore[import-not-found]

        with _errors():
            own = _class(class_, (_kind(kind),))
            validate = getattr(own.cls(), "validate", None)
            values = validate(dict(config)) if validate else []
            return [wit.ConfigValue(v.name, v.value, v.recommended, v.errors, v.visible) for v in values]


def _kind(kind: Any) -> str:
    return kind.name.lower().replace("_", "-")


def _capability(wit: Any, name: str, value: Any) -> Any:
    made = getattr(wit, "Capability_" + "".join(part.title() for part in name.split("-")))
    return made() if value is None else made(value)


def _key(wit: Any, key: Key) -> Any:
    names = {"string": "TEXT"}
    default: Any = wit.DefaultValue_Null()
    if key.default is REQUIRED:
        default = wit.DefaultValue_Required()
    elif key.default is not None:
        default = wit.DefaultValue_Value(text_of(key.default))
    return wit.ConfigKey(
        name=key.name, type=getattr(wit.ConfigType, names.get(key.type, key.type.upper())), default=default,
        validators=[_validator(wit, own) for own in key.validators],
        importance=getattr(wit.Importance, key.importance.upper()), documentation=key.doc, group=key.group,
        order_in_group=key.order, width=getattr(wit.Width, key.width.upper()), display_name=key.display_name,
        dependents=list(key.dependents), recommended=key.recommended, internal=False,
    )


def _validator(wit: Any, own: Validator) -> Any:
    made = getattr(wit, "Validator_" + "".join(part.title() for part in own.kind.split("-")))
    if own.kind == "between":
        low, high = own.values
        return made(wit.NumberRange(text_of(low), text_of(high)))
    return made(list(own.values)) if own.values else made()


# --- Connectors and tasks ---


class _Connector:
    kinds: tuple[str, ...] = ()

    own: Any = None

    def _started(self, class_: str, config: list[tuple[str, str | None]]) -> int | None:
        found = _class(class_, self.kinds)
        own = type(self).own = found.cls()
        own.config = own.config_def.parse(dict(config))
        own.start(own.config)
        return own.monitor_every_ms

    def task_configs(self, max_tasks: int) -> list[list[tuple[str, str | None]]]:
        with _errors():
            return [list(own.items()) for own in self.own.task_configs(max_tasks)]

    def monitor(self) -> bool:
        with _errors():
            return self.own.monitor()

    def stop(self) -> None:
        with _errors():
            if self.own is not None:
                self.own.stop()


class SourceConnector(_Connector):
    """Exports `source-connector`."""

    kinds = ("source",)

    def start(self, class_: str, config: list[tuple[str, str | None]]) -> Any:
        from wit_world.exports import source_connector as wit  # type: ignore[import-not-found]

        with _errors():
            return wit.Started(self._started(class_, config))

    def exactly_once_support(self, class_: str, config: list[tuple[str, str | None]]) -> Any:
        from wit_world.exports import source_connector as wit  # type: ignore[import-not-found]

        with _errors():
            return getattr(wit.Support, _class(class_, self.kinds).cls.exactly_once.upper())

    def can_define_transaction_boundaries(self, class_: str, config: list[tuple[str, str | None]]) -> bool:
        with _errors():
            return _class(class_, self.kinds).cls.defines_transaction_boundaries

    def alter_offsets(self, class_: str, config: Any, offsets: list[tuple[str, str | None]]) -> bool:
        with _errors():
            changes = [(json.loads(own), None if offset is None else json.loads(offset)) for own, offset in offsets]
            return _class(class_, self.kinds).cls().alter_offsets(dict(config), changes)


class SinkConnector(_Connector):
    """Exports `sink-connector`."""

    kinds = ("sink",)

    def start(self, class_: str, config: list[tuple[str, str | None]]) -> Any:
        from wit_world.exports import sink_connector as wit  # type: ignore[import-not-found]

        with _errors():
            return wit.Started(self._started(class_, config))

    def alter_offsets(self, class_: str, config: Any, offsets: list[tuple[Any, int | None]]) -> bool:
        with _errors():
            changes = [(TopicPartition(own.topic, own.partition), offset) for own, offset in offsets]
            return _class(class_, self.kinds).cls().alter_offsets(dict(config), changes)


def _task(class_: str, kinds: tuple[str, ...], config: list[tuple[str, str | None]], context: Any) -> Any:
    found = _class(class_, kinds)
    assert found.task is not None
    task = found.task()
    task.context, task.config = context, found.cls.config_def.parse(dict(config))
    task.start(task.config)
    return task


class SourceTask:
    """Exports `source-task`."""

    own: Any = None

    def start(self, class_: str, config: list[tuple[str, str | None]]) -> Any:
        from wit_world.exports import source_task as wit  # type: ignore[import-not-found]

        with _errors():
            type(self).own = _task(class_, ("source",), config, SourceContext())
            return wit.Started(bool(self.own.wants_acks))

    def poll(self, budget: Any) -> bytes | None:
        with _errors():
            context = self.own.context
            context.transaction = None
            records = self.own.poll(PollBudget(budget.max_records, budget.max_bytes, budget.max_wait_ms))
            if records is None:
                return None
            writer = FrameWriter(ids)
            writer.flags |= {"commit": TXN_COMMIT, "abort": TXN_ABORT}.get(context.transaction, 0)
            for record in records:
                writer.push(record)
            return writer.finish()

    def records_acked(self, acks: Any) -> None:
        with _errors():
            rows = zip(acks.index, acks.topic, acks.partition, acks.offset, acks.timestamp, strict=True)
            self.own.records_acked([
                Ack(acks.batch, index, acks.topics[topic], None if partition < 0 else partition,
                    None if partition < 0 else offset, timestamp)
                for index, topic, partition, offset, timestamp in rows
            ])

    def commit(self) -> None:
        with _errors():
            self.own.commit()

    def stop(self) -> None:
        with _errors():
            if self.own is not None:
                self.own.stop()


class SinkTask:
    """Exports `sink-task`."""

    own: Any = None

    def start(self, class_: str, config: list[tuple[str, str | None]]) -> None:
        with _errors():
            type(self).own = _task(class_, ("sink",), config, SinkContext())

    def open(self, partitions: list[Any]) -> None:
        with _errors():
            self.own.open([TopicPartition(own.topic, own.partition) for own in partitions])

    def put(self, batch: bytes) -> None:
        with _errors():
            self.own.put([row.record() for row in Frame(batch, ids).rows()])

    def flush(self, current: list[Any]) -> None:
        with _errors():
            self.own.flush(_offsets(current))

    def pre_commit(self, current: list[Any]) -> list[Any]:
        with _errors():
            found = self.own.pre_commit(_offsets(current))
            return [types.TopicOffset(own.topic, own.partition, own.offset) for own in found]

    def close(self, partitions: list[Any]) -> None:
        with _errors():
            self.own.close([TopicPartition(own.topic, own.partition) for own in partitions])

    def stop(self) -> None:
        with _errors():
            if self.own is not None:
                self.own.stop()


def _offsets(current: list[Any]) -> list[TopicOffset]:
    return [TopicOffset(own.topic, own.partition, own.offset) for own in current]


# --- Transformations and predicates ---


class _Step:
    kinds: tuple[str, ...] = ()

    own: Any = None

    def configure(self, class_: str, config: list[tuple[str, str | None]]) -> None:
        with _errors():
            own = type(self).own = _class(class_, self.kinds).cls()
            own.config = own.config_def.parse(dict(config))
            own.configure(own.config)

    def close(self) -> None:
        if self.own is not None:
            self.own.close()


class Transformation(_Step):
    """Exports `transformation`."""

    kinds = ("transformation",)

    def apply(self, batch: bytes) -> Any:
        from wit_world.exports import transformation as wit  # type: ignore[import-not-found]

        with _errors():
            frame, errors = Frame(batch, ids), []
            writer = FrameWriter(ids, is_sink=frame.is_sink, batch=frame.batch)
            for row in frame.rows():
                record = row.record()
                kept = record if row.is_dropped else None
                if not row.is_dropped:
                    try:
                        kept = self.own.apply(record)
                    except Exception as error:  # noqa: BLE001 - judged record by record
                        errors.append(types.RecordError(row.index, plugin_error(_told(error))))
                        kept = row.record()
                writer.push(record if kept is None else kept, dropped=kept is None or row.is_dropped)
            return wit.Applied(writer.finish(), errors)


class Predicate(_Step):
    """Exports `predicate`."""

    kinds = ("predicate",)

    def test(self, batch: bytes) -> Any:
        from wit_world.exports import predicate as wit  # type: ignore[import-not-found]

        with _errors():
            matches, errors = bytearray(), []
            for row in Frame(batch, ids).rows():
                try:
                    matches.append(1 if not row.is_dropped and self.own.test(row.record()) else 0)
                except Exception as error:  # noqa: BLE001 - judged record by record
                    matches.append(0)
                    errors.append(types.RecordError(row.index, plugin_error(_told(error))))
            return wit.Tested(bytes(matches), errors)
