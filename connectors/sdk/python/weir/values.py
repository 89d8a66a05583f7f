"""Values as bytes: what stands in the key, value and header slots of a frame.

One function a schema is made once and kept; it writes or reads whole values, never byte by byte. Format: fixed width,
little-endian, typed by the schema; values without a schema carry a tag each.
"""

from __future__ import annotations

import datetime as dt
import decimal as dec
import struct as packing
from collections.abc import Callable, Mapping
from typing import Any

from weir.errors import DataError
from weir.schema import DATE, DECIMAL_NAME, NO_DEFAULT, TIME, TIMESTAMP, Schema, Type

Write = Callable[[Any, bytearray], None]
Read = Callable[[memoryview, int], "tuple[Any, int]"]
#: Gives the schema id of a struct inside a value without a schema, and the schema of such an id.
IdOf = Callable[[Schema], int]
SchemaOf = Callable[[int], Schema]

MAX_DEPTH = 64

_I8, _I16, _I32, _I64 = (packing.Struct(form) for form in ("<b", "<h", "<i", "<q"))
_F32, _F64, _U32 = (packing.Struct(form) for form in ("<f", "<d", "<I"))
_NUMBERS = {Type.INT8: _I8, Type.INT16: _I16, Type.INT32: _I32, Type.INT64: _I64, Type.FLOAT32: _F32, Type.FLOAT64: _F64}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_EPOCH_DATE = dt.date(1970, 1, 1)
_MS = dt.timedelta(milliseconds=1)

_writers: dict[Schema, Write] = {}
_readers: dict[Schema, Read] = {}


# --- Slots: a whole key, value or header value ---


def write_slot(schema: Schema | None, value: Any, id_of: IdOf) -> bytes | None:
    """Gives the bytes of a slot, None for a null."""
    if value is None:
        if schema is not None and not schema.optional and schema.default is NO_DEFAULT:
            raise DataError(f"null is no value of a required {schema.type.name} schema")
        return None
    if schema is None:
        out = bytearray()
        _write_tagged(value, out, id_of, 0)
        return bytes(out)
    plain = _to_plain(schema)
    if schema.type is Type.STRING:
        return _checked(schema, value, str).encode()
    if schema.type is Type.BYTES:
        return bytes(plain(value)) if plain else bytes(_checked(schema, value, (bytes, bytearray, memoryview)))
    out = bytearray()
    _present_writer(schema)(value, out)
    return bytes(out)


def read_slot(schema: Schema | None, slot: memoryview | None, schema_of: SchemaOf) -> Any:
    """Gives the value of a slot."""
    if slot is None:
        return None
    if schema is None:
        value, end = _read_tagged(slot, 0, schema_of, 0)
    elif schema.type is Type.STRING:
        return str(slot, "utf-8")
    elif schema.type is Type.BYTES:
        plain = _from_plain(schema)
        return plain(bytes(slot)) if plain else bytes(slot)
    else:
        value, end = _present_reader(schema)(slot, 0)
    if end != len(slot):
        raise DataError(f"{len(slot) - end} bytes left over after a value")
    return value


# --- Typed values ---


def _writer(schema: Schema) -> Write:
    """Gives the writer of a part: with its presence byte where it is optional."""
    inner = _present_writer(schema)
    if not schema.optional:
        kind = schema.type.name

        def required(value: Any, out: bytearray) -> None:
            if value is None:
                if schema.default is NO_DEFAULT:
                    raise DataError(f"null is no value of a required {kind} schema")
                value = schema.default
            inner(value, out)

        return required

    def either(value: Any, out: bytearray) -> None:
        if value is None:
            out.append(0)
        else:
            out.append(1)
            inner(value, out)

    return either


def _present_writer(schema: Schema) -> Write:
    found = _writers.get(schema)
    if found is None:
        found = _writers[schema] = _made_writer(schema)
    return found


def _made_writer(schema: Schema) -> Write:
    inner = _plain_writer(schema)
    plain = _to_plain(schema)
    if plain is None:
        return inner
    return lambda value, out: inner(plain(value), out)


def _plain_writer(schema: Schema) -> Write:
    number = _NUMBERS.get(schema.type)
    if number is not None:
        pack, kind = number.pack, schema.type.name

        def write_number(value: Any, out: bytearray) -> None:
            try:
                out += pack(value)
            except (packing.error, OverflowError) as error:
                raise DataError(f"{value!r} is no value of {kind}: {error}") from None

        return write_number
    if schema.type is Type.BOOLEAN:
        return lambda value, out: out.append(1 if _checked(schema, value, bool) else 0)
    if schema.type is Type.STRING:
        return lambda value, out: _push(out, _checked(schema, value, str).encode())
    if schema.type is Type.BYTES:
        return lambda value, out: _push(out, _checked(schema, value, (bytes, bytearray, memoryview)))
    if schema.type is Type.ARRAY:
        return _array_writer(schema)
    if schema.type is Type.MAP:
        return _map_writer(schema)
    return _struct_writer(schema)


def _array_writer(schema: Schema) -> Write:
    element = _writer(_known(schema.value))

    def write(value: Any, out: bytearray) -> None:
        out += _U32.pack(len(_checked(schema, value, (list, tuple))))
        for item in value:
            element(item, out)

    return write


def _map_writer(schema: Schema) -> Write:
    key, item = _writer(_known(schema.key)), _writer(_known(schema.value))

    def write(value: Any, out: bytearray) -> None:
        out += _U32.pack(len(_checked(schema, value, Mapping)))
        for name, own in value.items():
            key(name, out)
            item(own, out)

    return write


def _struct_writer(schema: Schema) -> Write:
    fields = [(name, _writer(own)) for name, own in schema.fields]
    names = {name for name, _ in schema.fields}

    def write(value: Any, out: bytearray) -> None:
        given = _checked(schema, value, Mapping)
        if len(given) > len(names) or not names.issuperset(given):
            unknown = sorted(set(given) - names)
            raise DataError(f"{', '.join(map(repr, unknown))}: no field of struct {schema.name or '(unnamed)'}")
        for name, write_field in fields:
            try:
                write_field(given.get(name), out)
            except DataError as error:
                raise DataError(f"field {name!r}: {error.message}") from None

    return write


def _reader(schema: Schema) -> Read:
    inner = _present_reader(schema)
    if not schema.optional:
        return inner

    def either(data: memoryview, at: int) -> tuple[Any, int]:
        return inner(data, at + 1) if data[at] else (None, at + 1)

    return either


def _present_reader(schema: Schema) -> Read:
    found = _readers.get(schema)
    if found is None:
        inner, plain = _plain_reader(schema), _from_plain(schema)
        if plain is None:
            found = inner
        else:

            def found(data: memoryview, at: int) -> tuple[Any, int]:
                value, end = inner(data, at)
                return plain(value), end

        _readers[schema] = found
    return found


def _plain_reader(schema: Schema) -> Read:
    number = _NUMBERS.get(schema.type)
    if number is not None:
        unpack, size = number.unpack_from, number.size
        return lambda data, at: (unpack(data, at)[0], at + size)
    if schema.type is Type.BOOLEAN:
        return lambda data, at: (data[at] != 0, at + 1)
    if schema.type is Type.STRING:
        return _read_text
    if schema.type is Type.BYTES:
        return _read_bytes
    if schema.type is Type.ARRAY:
        return _array_reader(schema)
    if schema.type is Type.MAP:
        return _map_reader(schema)
    fields = [(name, _reader(own)) for name, own in schema.fields]

    def read_struct(data: memoryview, at: int) -> tuple[Any, int]:
        value = {}
        for name, read in fields:
            value[name], at = read(data, at)
        return value, at

    return read_struct


def _array_reader(schema: Schema) -> Read:
    element = _reader(_known(schema.value))

    def read(data: memoryview, at: int) -> tuple[Any, int]:
        count, at = _U32.unpack_from(data, at)[0], at + 4
        items = []
        for _ in range(count):
            item, at = element(data, at)
            items.append(item)
        return items, at

    return read


def _map_reader(schema: Schema) -> Read:
    key, item = _reader(_known(schema.key)), _reader(_known(schema.value))

    def read(data: memoryview, at: int) -> tuple[Any, int]:
        count, at = _U32.unpack_from(data, at)[0], at + 4
        items = {}
        for _ in range(count):
            name, at = key(data, at)
            items[name], at = item(data, at)
        return items, at

    return read


# --- Logical types ---


def _to_plain(schema: Schema) -> Callable[[Any], Any] | None:
    if schema.name == TIMESTAMP.name:
        return timestamp_ms
    if schema.name == DATE.name:
        return lambda value: (_checked(schema, value, dt.date) - _EPOCH_DATE).days
    if schema.name == TIME.name:
        return lambda value: _time_ms(_checked(schema, value, dt.time))
    if schema.name == DECIMAL_NAME:
        scale = _scale(schema)
        return lambda value: _unscaled(_checked(schema, value, (dec.Decimal, int)), scale)
    return None


def _from_plain(schema: Schema) -> Callable[[Any], Any] | None:
    if schema.name == TIMESTAMP.name:
        return lambda ms: _EPOCH + ms * _MS
    if schema.name == DATE.name:
        return lambda days: _EPOCH_DATE + dt.timedelta(days=days)
    if schema.name == TIME.name:
        return lambda ms: (_EPOCH + ms * _MS).time()
    if schema.name == DECIMAL_NAME:
        scale = _scale(schema)
        return lambda value: _scaled(value, scale)
    return None


def timestamp_ms(value: Any) -> int:
    """Gives the milliseconds since 1970 of a time; whole numbers are taken as they are."""
    if isinstance(value, dt.datetime):
        return ((value if value.tzinfo else value.replace(tzinfo=dt.timezone.utc)) - _EPOCH) // _MS
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise DataError(f"{value!r} is no time: give a datetime, or milliseconds since 1970")


def _time_ms(value: dt.time) -> int:
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000


def _scale(schema: Schema) -> int:
    return int(dict(schema.parameters).get("scale", "0"))


def _unscaled(value: Any, scale: int) -> bytes:
    with dec.localcontext() as context:
        context.prec = dec.MAX_PREC
        number = dec.Decimal(value).scaleb(scale)
        if number != number.to_integral_value():
            raise DataError(f"{value} has more than {scale} digits after the point")
        whole = int(number)
    length = (whole if whole >= 0 else ~whole).bit_length() // 8 + 1
    return whole.to_bytes(length, "big", signed=True)


def _scaled(value: bytes, scale: int) -> dec.Decimal:
    with dec.localcontext() as context:
        context.prec = dec.MAX_PREC
        return dec.Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-scale)


# --- Values without a schema ---


def _write_tagged(value: Any, out: bytearray, id_of: IdOf, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise DataError(f"value is nested deeper than {MAX_DEPTH}")
    if value is None:
        out.append(0)
    elif isinstance(value, bool):
        out += b"\x07\x01" if value else b"\x07\x00"
    elif isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise DataError(f"{value} does not fit 64 bits")
        out += b"\x04" + _I64.pack(value)
    elif isinstance(value, float):
        out += b"\x06" + _F64.pack(value)
    elif isinstance(value, str):
        out.append(8)
        _push(out, value.encode())
    elif isinstance(value, (bytes, bytearray, memoryview)):
        out.append(9)
        _push(out, value)
    elif isinstance(value, (list, tuple)):
        out += b"\x0a" + _U32.pack(len(value))
        for item in value:
            _write_tagged(item, out, id_of, depth + 1)
    elif isinstance(value, Mapping):
        out += b"\x0b" + _U32.pack(len(value))
        for key, item in value.items():
            _write_tagged(key, out, id_of, depth + 1)
            _write_tagged(item, out, id_of, depth + 1)
    elif isinstance(value, dt.datetime):
        out += b"\x0d" + _I64.pack(timestamp_ms(value))
    elif isinstance(value, dec.Decimal):
        scale = max(0, -int(value.as_tuple().exponent))
        out += b"\x0e" + _I32.pack(scale)
        _push(out, _unscaled(value, scale))
    else:
        raise DataError(f"a {type(value).__name__} is no value that Connect knows")


_TAGGED_NUMBERS = {1: _I8, 2: _I16, 3: _I32, 4: _I64, 5: _F32, 6: _F64}


def _read_tagged(data: memoryview, at: int, schema_of: SchemaOf, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise DataError(f"value is nested deeper than {MAX_DEPTH}")
    tag, at = data[at], at + 1
    number = _TAGGED_NUMBERS.get(tag)
    if number is not None:
        return number.unpack_from(data, at)[0], at + number.size
    if tag == 0:
        return None, at
    if tag == 7:
        return data[at] != 0, at + 1
    if tag == 8:
        return _read_text(data, at)
    if tag == 9:
        return _read_bytes(data, at)
    if tag in (10, 11):
        return _read_collection(tag, data, at, schema_of, depth)
    if tag == 12:
        schema = schema_of(_U32.unpack_from(data, at)[0])
        return _present_reader(schema)(data, at + 4)
    if tag == 13:
        return _EPOCH + _I64.unpack_from(data, at)[0] * _MS, at + 8
    if tag == 14:
        scale = _I32.unpack_from(data, at)[0]
        value, at = _read_bytes(data, at + 4)
        return _scaled(value, scale), at
    raise DataError(f"value encoding: tag {tag} is unknown")


def _read_collection(tag: int, data: memoryview, at: int, schema_of: SchemaOf, depth: int) -> tuple[Any, int]:
    count, at = _U32.unpack_from(data, at)[0], at + 4
    if tag == 10:
        items = []
        for _ in range(count):
            item, at = _read_tagged(data, at, schema_of, depth + 1)
            items.append(item)
        return items, at
    pairs = {}
    for _ in range(count):
        key, at = _read_tagged(data, at, schema_of, depth + 1)
        pairs[key], at = _read_tagged(data, at, schema_of, depth + 1)
    return pairs, at


# --- Pieces ---


def _push(out: bytearray, part: bytes | bytearray | memoryview) -> None:
    out += _U32.pack(len(part))
    out += part


def _read_bytes(data: memoryview, at: int) -> tuple[bytes, int]:
    end = at + 4 + _U32.unpack_from(data, at)[0]
    if end > len(data):
        raise DataError(f"{end - len(data)} bytes are missing at the end of a value")
    return bytes(data[at + 4 : end]), end


def _read_text(data: memoryview, at: int) -> tuple[str, int]:
    part, end = _read_bytes(data, at)
    return part.decode(), end


def _checked(schema: Schema, value: Any, kinds: Any) -> Any:
    if isinstance(value, kinds):
        return value
    raise DataError(f"a {type(value).__name__} is no value of a {schema.name or schema.type.name} schema")


def _known(schema: Schema | None) -> Schema:
    if schema is None:
        raise DataError("the schema lacks the schema of its elements")
    return schema
