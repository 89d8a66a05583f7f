"""What the suite asks of Python's Avro libraries.

    avro_peer.py fastavro                  {"name", "schema", "hex"} a line -> {"name", "read", "hex"} a line
    avro_peer.py confluent REGISTRY        {"name", "topic", "schema", "hex"} a line, `hex` with the registry's prefix ->
                                           {"name", "read", "hex"}: read and written again by confluent-kafka
Values are shown with bytes as 0x…; logical types as the numbers and bytes that they are made of.
"""

import datetime
import decimal
import io
import json
import sys

import fastavro

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MILLISECOND = datetime.timedelta(milliseconds=1)


def unscaled(value):
    sign, digits, exponent = value.as_tuple()
    number = int("".join(map(str, digits)) or "0") * (-1 if sign else 1)
    length = 1
    while not -(1 << (8 * length - 1)) <= number < 1 << (8 * length - 1):
        length += 1
    return number.to_bytes(length, "big", signed=True)


def shown(value):
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // MILLISECOND
    if isinstance(value, datetime.date):
        return (value - EPOCH.date()).days
    if isinstance(value, datetime.time):
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000
    if isinstance(value, decimal.Decimal):
        return "0x" + unscaled(value).hex()
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return {key: shown(own) for key, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(own) for own in value]
    return value


def with_fastavro(vector):
    schema = fastavro.parse_schema(json.loads(vector["schema"]))
    stream = io.BytesIO(bytes.fromhex(vector["hex"]))
    value = fastavro.schemaless_reader(stream, schema, None)
    assert not stream.read(), f"bytes left over: {vector}"
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return {"name": vector["name"], "read": shown(value), "hex": out.getvalue().hex()}


def with_confluent(url):
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
    from confluent_kafka.serialization import MessageField, SerializationContext

    client = SchemaRegistryClient({"url": url})
    deserializer = AvroDeserializer(client)

    def again(vector):
        context = SerializationContext(vector["topic"], MessageField.VALUE)
        value = deserializer(bytes.fromhex(vector["hex"]), context)
        serializer = AvroSerializer(client, vector["schema"])
        return {"name": vector["name"], "read": shown(value), "hex": serializer(value, context).hex()}

    return again


answer = with_fastavro if sys.argv[1] == "fastavro" else with_confluent(sys.argv[2])
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
