"""Frames and values: the bytes that the worker's own tests have, and every type there and back."""

import datetime as dt
import decimal
import unittest

from weir import schema as s
from weir.errors import DataError
from weir.frame import Frame, FrameWriter
from weir.records import Header, SinkRecord, SourceRecord, TopicOffset
from weir.schema_ids import SchemaIds
from weir.testing import Schemas

#: One record: topic "t", value "hi", source partition and offset {}.
EXAMPLE = bytes.fromhex(
    "57524631000000000100000054000000020000005f0000000000000000000000"
    "300000000000000000000000ffffffff0000000000000000"
    "010000000200000000000000ffffffff0800000002000000"
    "68697b7d0100000074020000007b7d"
)


def there_and_back(record):
    ids = SchemaIds(Schemas())
    writer = FrameWriter(ids, is_sink=isinstance(record, SinkRecord))
    writer.push(record)
    (row,) = Frame(writer.finish(), ids).rows()
    return row.record()


class Frames(unittest.TestCase):
    def test_the_example_frame(self):
        ids = SchemaIds(Schemas())
        writer = FrameWriter(ids)
        writer.push(SourceRecord("t", "hi", source_partition={}, source_offset={}))
        self.assertEqual(writer.finish(), EXAMPLE)
        (row,) = Frame(EXAMPLE, ids).rows()
        record = row.record()
        self.assertEqual((record.topic, record.value, record.value_schema), ("t", "hi", s.STRING))
        self.assertEqual((record.key, record.partition, record.timestamp), (None, None, None))

    def test_source_records_come_back(self):
        record = SourceRecord(
            "topic", {"a": [1, 2.5, None, True, "x", b"y"], "deep": {"b": {}}}, key="k", partition=3, timestamp=17,
            source_partition={"file": "ü"}, source_offset={"position": 9},
            headers=[Header("h", "1"), Header("h", None), Header("n", 5, s.INT32)],
        )
        self.assertEqual(there_and_back(record), record)

    def test_sink_records_come_back(self):
        record = SinkRecord("topic", 1, 99, b"v", None, s.BYTES, None, 5, [], True, TopicOffset("was", 0, 7))
        self.assertEqual(there_and_back(record), record)

    def test_every_type_comes_back(self):
        utc = dt.timezone.utc
        row = s.struct(
            "Row", i8=s.INT8, i16=s.INT16, i32=s.INT32, i64=s.INT64, f32=s.FLOAT32, f64=s.FLOAT64, yes=s.BOOLEAN,
            text=s.STRING, raw=s.BYTES, day=s.DATE, at=s.TIME, when=s.TIMESTAMP, price=s.decimal(2),
            maybe=s.INT32.as_optional(), list=s.array(s.STRING.as_optional()), map=s.mapping(s.STRING, s.INT64),
            inner=s.struct("Inner", x=s.INT32).as_optional(), made=s.STRING.with_default("d"),
        )
        value = {
            "i8": -128, "i16": 32767, "i32": -1, "i64": 1 << 62, "f32": 0.5, "f64": -1e300, "yes": True, "text": "ü",
            "raw": b"\0\xff", "day": dt.date(1969, 12, 31), "at": dt.time(23, 59, 59, 999000),
            "when": dt.datetime(2026, 1, 2, 3, 4, 5, 678000, utc), "price": decimal.Decimal("-12345678901234567890.12"),
            "maybe": None, "list": ["a", None], "map": {"x": 1}, "inner": {"x": 7}, "made": "given",
        }
        back = there_and_back(SourceRecord("t", value, value_schema=row))
        self.assertEqual(back.value, value)
        self.assertEqual(back.value_schema, row)
        del value["made"]
        self.assertEqual(there_and_back(SourceRecord("t", value, value_schema=row)).value["made"], "d")

    def test_decimals_are_as_short_as_java_writes_them(self):
        for number, raw in [(0, "00"), (127, "7f"), (128, "0080"), (-128, "80"), (-129, "ff7f"), (-1, "ff")]:
            record = SourceRecord("t", decimal.Decimal(number), value_schema=s.decimal(0))
            ids = SchemaIds(Schemas())
            writer = FrameWriter(ids)
            writer.push(record)
            self.assertIn(bytes.fromhex(raw) + b"\x01\0\0\0t", writer.finish(), number)
            self.assertEqual(there_and_back(record).value, number)

    def test_a_schema_is_declared_once(self):
        host = Schemas()
        ids = SchemaIds(host)
        first = ids.id_of(s.struct("A", x=s.INT32))
        self.assertEqual(ids.id_of(s.struct("A", x=s.INT32)), first)
        self.assertNotEqual(ids.id_of(s.struct("A", x=s.INT64)), first)
        self.assertEqual(SchemaIds(host).schema_of(first), s.struct("A", x=s.INT32))

    def test_wrong_values_are_named(self):
        row = s.struct("Row", n=s.INT8)
        for value, text in [
            ({"n": 300}, "field 'n': 300 is no value of INT8"),
            ({"n": None}, "field 'n': null is no value of a required INT8 schema"),
            ({"n": 1, "m": 2}, "'m': no field of struct Row"),
            ("x", "a str is no value of a Row schema"),
        ]:
            with self.assertRaises(DataError) as caught:
                there_and_back(SourceRecord("t", value, value_schema=row))
            self.assertIn(text, caught.exception.message)


if __name__ == "__main__":
    unittest.main()
