"""`WRF1`, the form in which a batch of records crosses between the worker and a plugin.

Layout: header of 32 bytes, records, a table of strings that holds topics, header names and source partitions once each.
The values in it are `values.py`'s business. Nothing here loops over bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from typing import Any

from weir.errors import ConnectError
from weir.records import Header, SinkRecord, SourceRecord, TopicOffset
from weir.schema_ids import SchemaIds
from weir.values import read_slot, write_slot

MAGIC = b"WRF1"
SINK, TXN_COMMIT, TXN_ABORT = 1, 2, 4
HAS_TIMESTAMP, LOG_APPEND_TIME, DROPPED, COMMIT_AFTER, ABORT_AFTER, HAS_ORIGIN = 1, 2, 4, 8, 16, 32
NULL = 0xFFFFFFFF

_HEAD = struct.Struct("<4sHHIIIIQ")
_SOURCE = struct.Struct("<IHHIiqIIIIII")
_SINK = struct.Struct("<IHHIiqqIIII")
_HEADER = struct.Struct("<III")
_ORIGIN = struct.Struct("<Iiq")
_U32 = struct.Struct("<I")


class _Table:
    """Strings of a frame being written, each once."""

    def __init__(self) -> None:
        self.indexes: dict[str, int] = {}

    def index(self, text: str) -> int:
        return self.indexes.setdefault(text, len(self.indexes))

    def write(self, out: bytearray) -> None:
        for text in self.indexes:
            raw = text.encode()
            out += _U32.pack(len(raw))
            out += raw


def compact_json(value: Any) -> str:
    """Writes JSON as the worker compares it: no spaces, as short as it goes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class FrameWriter:
    """Appends records; `finish` gives the frame."""

    def __init__(self, ids: SchemaIds, *, is_sink: bool = False, batch: int = 0) -> None:
        self._ids, self._is_sink, self._batch = ids, is_sink, batch
        self._out, self._table, self._count = bytearray(_HEAD.size), _Table(), 0
        #: Commits or aborts the transaction after this batch (`TXN_COMMIT`, `TXN_ABORT`).
        self.flags = SINK if is_sink else 0

    def push(self, record: SourceRecord | SinkRecord, *, dropped: bool = False, flags: int = 0) -> None:
        """Appends a record. What its values lack is told as an error, and nothing of it is appended."""
        ids, table = self._ids, self._table
        key = write_slot(record.key_schema, record.key, ids.id_of)
        value = write_slot(record.value_schema, record.value, ids.id_of)
        headers = bytearray()
        for header in record.headers:
            slot = write_slot(header.schema, header.value, ids.id_of)
            headers += _HEADER.pack(table.index(header.name), ids.id_of(header.schema), _len(slot))
            headers += slot or b""
        flags |= (HAS_TIMESTAMP if record.timestamp is not None else 0) | (DROPPED if dropped else 0)
        tail, position = b"", b""
        if isinstance(record, SinkRecord):
            flags |= LOG_APPEND_TIME if record.is_log_append_time else 0
            if record.origin is not None:
                flags |= HAS_ORIGIN
                origin = record.origin
                tail = _ORIGIN.pack(table.index(origin.topic), origin.partition, origin.offset)
        elif record.source_offset is not None:
            tail = position = compact_json(record.source_offset).encode()
        size = 44 + len(key or b"") + len(value or b"") + len(headers) + len(tail)
        partition = -1 if record.partition is None else record.partition
        common = (size, flags, len(record.headers), table.index(record.topic), partition, record.timestamp or 0)
        slots = (ids.id_of(record.key_schema), _len(key), ids.id_of(record.value_schema), _len(value))
        if isinstance(record, SinkRecord):
            self._out += _SINK.pack(*common, record.offset, *slots)
        else:
            source = NULL if record.source_partition is None else table.index(compact_json(record.source_partition))
            length = NULL if record.source_offset is None else len(position)
            self._out += _SOURCE.pack(*common, source, length, *slots)
        self._out += b"".join((key or b"", value or b"", headers, tail))
        self._count += 1

    def finish(self) -> bytes:
        """Ends the frame."""
        out = self._out
        table_at = len(out)
        self._table.write(out)
        _HEAD.pack_into(out, 0, MAGIC, self.flags, 0, self._count, table_at, len(self._table.indexes), len(out), self._batch)
        return bytes(out)


def _len(slot: bytes | None) -> int:
    return NULL if slot is None else len(slot)


class Frame:
    """A batch that came from the worker."""

    def __init__(self, data: bytes, ids: SchemaIds) -> None:
        self._data, self._ids = memoryview(data), ids
        magic, flags, _, self.count, self._table_at, table_count, length, self.batch = _HEAD.unpack_from(data)
        if magic != MAGIC or length != len(data):
            raise ConnectError(f"no frame: it starts with {bytes(data[:4])!r} and has {len(data)} bytes of {length}")
        self.is_sink = flags & SINK != 0
        self._table = list(self._strings(table_count))

    def _strings(self, count: int) -> Iterable[str]:
        at = self._table_at
        for _ in range(count):
            end = at + 4 + _U32.unpack_from(self._data, at)[0]
            yield str(self._data[at + 4 : end], "utf-8")
            at = end

    def __len__(self) -> int:
        return self.count

    def rows(self) -> Iterable["Row"]:
        """Walks over the records; their values are decoded when they are asked for."""
        at = _HEAD.size
        for index in range(self.count):
            yield Row(self, index, at)
            at += 4 + _U32.unpack_from(self._data, at)[0]


class Row:
    """One record of a frame, not decoded yet."""

    __slots__ = ("_frame", "_fields", "_parts", "flags", "index", "topic")

    def __init__(self, frame: Frame, index: int, at: int) -> None:
        fields = (_SINK if frame.is_sink else _SOURCE).unpack_from(frame._data, at)
        self._frame, self._fields, self._parts = frame, fields, at + 48
        self.index, self.flags, self.topic = index, fields[1], frame._table[fields[3]]

    @property
    def is_dropped(self) -> bool:
        """True: an earlier transformation filtered it."""
        return self.flags & DROPPED != 0

    def record(self) -> SourceRecord | SinkRecord:
        """Decodes the record."""
        frame, fields = self._frame, self._fields
        key_schema, key_len, value_schema, value_len = fields[-4:]
        at = self._parts
        key, at = self._slot(at, key_len)
        value, at = self._slot(at, value_len)
        key_of, value_of = frame._ids.schema_of(key_schema), frame._ids.schema_of(value_schema)
        headers = []
        for _ in range(fields[2]):
            name, schema, length = _HEADER.unpack_from(frame._data, at)
            slot, at = self._slot(at + _HEADER.size, length)
            own = frame._ids.schema_of(schema)
            headers.append(Header(frame._table[name], read_slot(own, slot, frame._ids.struct_of), own))
        shared: dict[str, Any] = {
            "topic": self.topic,
            "key": read_slot(key_of, key, frame._ids.struct_of),
            "value": read_slot(value_of, value, frame._ids.struct_of),
            "key_schema": key_of,
            "value_schema": value_of,
            "timestamp": fields[5] if self.flags & HAS_TIMESTAMP else None,
            "headers": headers,
        }
        if frame.is_sink:
            return SinkRecord(**shared, partition=fields[4], offset=fields[6], origin=self._origin(at),
                              is_log_append_time=self.flags & LOG_APPEND_TIME != 0)
        source, length = fields[6], fields[7]
        position, _ = self._slot(at, length)
        return SourceRecord(
            **shared,
            partition=None if fields[4] < 0 else fields[4],
            source_partition=None if source == NULL else json.loads(frame._table[source]),
            source_offset=None if position is None else json.loads(bytes(position)),
        )

    def _slot(self, at: int, length: int) -> tuple[memoryview | None, int]:
        if length == NULL:
            return None, at
        return self._frame._data[at : at + length], at + length

    def _origin(self, at: int) -> TopicOffset | None:
        if not self.flags & HAS_ORIGIN:
            return None
        topic, partition, offset = _ORIGIN.unpack_from(self._frame._data, at)
        return TopicOffset(self._frame._table[topic], partition, offset)
