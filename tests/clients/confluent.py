"""What the suite asks of confluent-kafka: one verb a call, JSON on standard output.

    confluent.py BOOTSTRAP VERB [ARGUMENT...]
"""

import json
import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec,
                                   ResourceType)

SERVERS = sys.argv[1]
PATIENCE_S = 60


def consumer(group, **settings):
    return Consumer({"bootstrap.servers": SERVERS, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                     "session.timeout.ms": 6000, **settings})


def polled(client, count):
    """`count` records, or an error after a minute."""
    records, end = [], time.monotonic() + PATIENCE_S
    while len(records) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(records)} of {count} records")
        message = client.poll(0.2)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        records.append(message)
    return records


def shown(message):
    headers = [[name, value.decode() if value is not None else None] for name, value in message.headers() or []]
    text = lambda data: data.decode() if data is not None else None
    return {"partition": message.partition(), "offset": message.offset(), "key": text(message.key()), "value": text(message.value()),
            "headers": headers, "timestamp": message.timestamp()[1]}


def produce(topic, count, began_ms, acks="all", idempotent="true", codec="none"):
    """Records k0/v0 … with two headers of one name, a millisecond apart, alternately to both partitions; every third value is null."""
    producer = Producer({"bootstrap.servers": SERVERS, "acks": acks, "enable.idempotence": idempotent == "true",
                         "compression.type": codec, "linger.ms": 5})
    offsets, errors = [], []

    def delivered(error, message):
        errors.append(str(error)) if error else offsets.append([message.partition(), message.offset()])

    for number in range(int(count)):
        value = None if number % 3 == 2 else f"v{number}"
        producer.produce(topic, value, f"k{number}", partition=number % 2, on_delivery=delivered, timestamp=int(began_ms) + number,
                         headers=[("h", b"1"), ("h", None)])
    left = producer.flush(PATIENCE_S)
    return {"delivered": sorted(offsets), "errors": errors, "left": left}


def consume_plain(topic, partition, offset, count, time_ms):
    client = consumer("unused")
    client.assign([TopicPartition(topic, int(partition), int(offset))])
    records = [shown(message) for message in polled(client, int(count))]
    low, high = client.get_watermark_offsets(TopicPartition(topic, int(partition)), timeout=PATIENCE_S)
    found = client.offsets_for_times([TopicPartition(topic, int(partition), int(time_ms))], timeout=PATIENCE_S)
    client.close()
    return {"records": records, "low": low, "high": high, "for_time": found[0].offset}


def consume_group(topic, group, count):
    """Reads as a member, commits with metadata, reads the commit back."""
    client = consumer(group)
    client.subscribe([topic])
    records = [shown(message) for message in polled(client, int(count))]
    ends = {}
    for record in records:
        ends[record["partition"]] = record["offset"] + 1
    client.commit(offsets=[TopicPartition(topic, at, end, metadata="café") for at, end in ends.items()], asynchronous=False)
    back = client.committed([TopicPartition(topic, at) for at in sorted(ends)], timeout=PATIENCE_S)
    client.close()
    return {"records": records, "committed": [[part.partition, part.offset, part.metadata] for part in back]}


def resume_group(topic, group):
    """A later member of the group: where does it start?"""
    client = consumer(group)
    client.subscribe([topic])
    end = time.monotonic() + PATIENCE_S
    while not client.assignment() and time.monotonic() < end:
        client.poll(0.1)
    start = client.committed(client.assignment(), timeout=PATIENCE_S)
    found = sorted([part.partition, part.offset] for part in start)
    client.close()
    return found


def share_group(topic, group, count, strategy):
    """Two members share the partitions; when one leaves, the other takes all over."""
    events = {"one": [], "two": []}
    members = {}
    for name in events:
        members[name] = consumer(group, **{"partition.assignment.strategy": strategy, "heartbeat.interval.ms": 500})
        members[name].subscribe([topic])
    seen, end = set(), time.monotonic() + PATIENCE_S
    owned = lambda name: sorted(part.partition for part in members[name].assignment())
    while time.monotonic() < end:
        for client in members.values():
            message = client.poll(0.05)
            if message is not None and not message.error():
                seen.add((message.partition(), message.offset()))
        if len(seen) >= int(count) and len(owned("one")) == 1 and len(owned("two")) == 1:
            break
    shared = [owned("one"), owned("two")]
    members["one"].close()
    while time.monotonic() < end and len(owned("two")) < 2:
        members["two"].poll(0.05)
    alone = owned("two")
    members["two"].close()
    return {"records": len(seen), "shared": sorted(shared), "alone": alone}


def admin(topic, group):
    """Topics, configs and groups through the admin client; answers what it saw on the way."""
    client = AdminClient({"bootstrap.servers": SERVERS})
    wait = lambda futures: {key: future.result(PATIENCE_S) for key, future in futures.items()}
    seen = {}
    wait(client.create_topics([NewTopic(topic, 2, 1, config={"retention.ms": "3600000"})]))
    try:
        wait(client.create_topics([NewTopic(topic, 2, 1)]))
    except KafkaException as error:
        seen["again"] = error.args[0].name()
    seen["partitions"] = len(client.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions)
    wait(client.create_partitions([NewPartitions(topic, 3)]))
    seen["grown"] = len(client.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions)
    resource = ConfigResource(ResourceType.TOPIC, topic)
    read = lambda: wait(client.describe_configs([resource]))[resource]["retention.ms"].value
    seen["retention"] = read()
    changed = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
        ConfigEntry("retention.ms", "7200000", incremental_operation=AlterConfigOpType.SET)])
    wait(client.incremental_alter_configs([changed]))
    seen["altered"] = read()
    produce(topic, 4, time.time() * 1000)
    latest = wait(client.list_offsets({TopicPartition(topic, 0): OffsetSpec.latest()}))
    seen["latest"] = [found.offset for found in latest.values()]
    consume_group(topic, group, 4)
    listed = client.list_consumer_groups().result(PATIENCE_S)
    seen["groups"] = [[found.group_id, found.state.name] for found in listed.valid if found.group_id == group]
    described = wait(client.describe_consumer_groups([group]))[group]
    seen["described"] = [described.state.name, len(described.members)]
    offsets = wait(client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))[group]
    seen["offsets"] = sorted([part.partition, part.offset] for part in offsets.topic_partitions)
    reset = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 1)])
    wait(client.alter_consumer_group_offsets([reset]))
    offsets = wait(client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))[group]
    seen["reset"] = sorted([part.partition, part.offset] for part in offsets.topic_partitions)
    wait(client.delete_consumer_groups([group]))
    try:
        wait(client.delete_consumer_groups([group]))
    except KafkaException as error:
        seen["group_gone"] = error.args[0].name()
    wait(client.delete_topics([topic]))
    gone = client.list_topics(timeout=PATIENCE_S).topics
    seen["topic_gone"] = topic not in gone
    cluster = client.describe_cluster().result(PATIENCE_S)
    seen["nodes"] = [f"{node.host}:{node.port}" for node in cluster.nodes]
    return seen


def transact(source, target, group):
    """Commit, abort and fencing, then a consumer's offsets in a transaction, which an abort takes back."""
    transactional = lambda: Producer({"bootstrap.servers": SERVERS, "transactional.id": "python"})
    first, seen = transactional(), {}
    first.init_transactions(PATIENCE_S)
    for value, ends in (("a", first.commit_transaction), ("aborted", first.abort_transaction), ("b", first.commit_transaction)):
        first.begin_transaction()
        first.produce(source, value, partition=0)
        first.flush(PATIENCE_S)
        ends(PATIENCE_S)
    first.begin_transaction()
    first.produce(source, "of a zombie", partition=0)
    first.flush(PATIENCE_S)
    second = transactional()
    second.init_transactions(PATIENCE_S)
    try:
        first.commit_transaction(PATIENCE_S)
    except KafkaException as error:
        seen["zombie"] = error.args[0].name()
    reader = consumer(group, **{"isolation.level": "read_committed"})
    reader.subscribe([source])
    seen["read"] = [message.value().decode() for message in polled(reader, 2)]
    for ends in (second.abort_transaction, second.commit_transaction):
        second.begin_transaction()
        for value in seen["read"]:
            second.produce(target, value.upper(), partition=0)
        second.send_offsets_to_transaction(reader.position(reader.assignment()), reader.consumer_group_metadata(), PATIENCE_S)
        ends(PATIENCE_S)
        committed = reader.committed([TopicPartition(source, 0)], PATIENCE_S)[0]
        seen.setdefault("committed", []).append(committed.offset)
    reader.close()
    return seen


VERBS = {verb.__name__: verb for verb in (produce, consume_plain, consume_group, resume_group, share_group, admin, transact)}

if __name__ == "__main__":
    json.dump(VERBS[sys.argv[2]](*sys.argv[3:]), sys.stdout)
