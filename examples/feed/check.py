"""Reads a topic back through broker and registry and compares it with the file it came from, field by field.

usage: check.py KAFKA REGISTRY TOPIC FILE
"""

import csv
import json
import sys
import time

from confluent_kafka import DeserializingConsumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer

DEADLINE_S = 60


def expected(path):
    """The records of the file by an identity of their own."""
    if path.endswith(".csv"):
        with open(path, newline="", encoding="utf-8") as file:
            return {(row["location"], row["date"]): row for row in csv.DictReader(file)}
    with open(path, encoding="utf-8") as file:
        return {feature["id"]: feature for feature in json.load(file)["features"]}


def identity(value):
    return value["id"] if "id" in value else (value["location"], value["date"])


def same(want, got):
    """Equal, where a CSV text may have become a number and a missing field reads as null."""
    if isinstance(want, dict):
        return isinstance(got, dict) and all(same(want.get(name), got.get(name)) for name in {*want, *got})
    if isinstance(want, list):
        return isinstance(got, list) and len(want) == len(got) and all(map(same, want, got))
    if isinstance(want, str) and isinstance(got, (int, float)) and not isinstance(got, bool):
        return float(want) == got
    if isinstance(want, str) and got is None:
        return want == ""
    return want == got


def main(kafka, registry, topic, path):
    want = expected(path)
    consumer = DeserializingConsumer(
        {
            "bootstrap.servers": kafka,
            "group.id": f"check-{topic}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "value.deserializer": AvroDeserializer(SchemaRegistryClient({"url": registry})),
        }
    )
    consumer.subscribe([topic])
    seen = {}
    end = time.monotonic() + DEADLINE_S
    while len(seen) < len(want):
        if time.monotonic() > end:
            sys.exit(f"{topic}: {len(seen)} of {len(want)} records after {DEADLINE_S} s")
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            # The topic is created by its first record.
            continue
        value = message.value()
        key = identity(value)
        if key in seen:
            sys.exit(f"{topic}: {key} came twice")
        if key not in want:
            sys.exit(f"{topic}: {key} is not in the file")
        if not same(want[key], value):
            sys.exit(f"{topic}: {key} differs:\n  file  {want[key]}\n  topic {value}")
        seen[key] = True
    consumer.close()
    print(f"{topic}: {len(seen)} records, every field as in the file")


if __name__ == "__main__":
    main(*sys.argv[1:])
