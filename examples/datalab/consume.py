"""Prints the records of an Avro topic.

usage: consume.py KAFKA REGISTRY TOPIC [COUNT]      needs: pip install "confluent-kafka[avro]"
"""

import sys

from confluent_kafka import DeserializingConsumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer


def main(kafka, registry, topic, count=None):
    consumer = DeserializingConsumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "datalab",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "value.deserializer": AvroDeserializer(SchemaRegistryClient({"url": registry})),
        }
    )
    consumer.subscribe([topic])
    left = int(count) if count else -1
    try:
        while left != 0:
            message = consumer.poll(1.0)
            if message is None or message.error():
                continue
            print(message.key().decode() if message.key() else None, message.value(), flush=True)
            left -= 1
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
