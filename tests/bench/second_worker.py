"""A second distributed worker joins a group with 100 tasks: from its JoinGroup to even shares that all run.

The group is over Apache Kafka and all of one kind; settings are stock but for the wait for workers that have left, which a join does not
have. The coordinator tells when the second worker has joined (the group leaves its stable state), one request to the first worker tells
what runs where. Tasks are spread in two shapes.
"""
import json
import os
import struct
import time

ROUNDS = int(os.environ.get("BENCH_JOINS", "5"))
SHAPES = (("100 sources", "Source", 100, 1), ("10 sinks of 10 tasks", "Sink", 10, 10))


def group_state(bench, wire, group):
    answer = wire.call(15, 0, struct.pack(">i", 1) + bench.kstring(group))
    at = 4 + 2
    at += 2 + struct.unpack_from(">h", answer, at)[0]
    size = struct.unpack_from(">h", answer, at)[0]
    return answer[at + 2 : at + 2 + size].decode()


def start(bench, kind, kafka_port, group):
    port = bench.free_port()
    conf = f"{bench.WORK}/{group}-{port}.properties"
    lines = [f"bootstrap.servers=127.0.0.1:{kafka_port}", f"group.id={group}", f"listeners=http://127.0.0.1:{port}",
             f"plugin.path={bench.PEERS}/plugins", f"key.converter={bench.STRING}", f"value.converter={bench.STRING}",
             "scheduled.rebalance.max.delay.ms=1000"]
    for storage in ("config", "offset", "status"):
        lines += [f"{storage}.storage.topic={group}-{storage}", f"{storage}.storage.replication.factor=1"]
    with open(conf, "w") as f:
        f.write("\n".join(lines))
    if kind == "java":
        process = bench.java(f"{group}-{port}", ["-Xms256M", "-Xmx2G"], "org.apache.kafka.connect.cli.ConnectDistributed", conf)
    else:
        process = bench.Process(f"{group}-{port}", [bench.WEIR, "connect-distributed", conf])
    return process, f"127.0.0.1:{port}"


def running(bench, worker):
    """Tasks and connectors that run, by worker: none while anything does not."""
    status, body = bench.http("GET", f"http://{worker}/connectors?expand=status")
    if status != 200:
        return {}
    shares = {}
    for entry in body.values():
        shown = entry["status"]
        for is_task, part in [(False, shown["connector"])] + [(True, task) for task in shown["tasks"]]:
            if part["state"] != "RUNNING":
                return {}
            key = (part["worker_id"], is_task)
            shares[key] = shares.get(key, 0) + 1
    return shares


def is_even(shares, workers, connectors):
    wanted = {(worker, is_task): count // 2 for worker in workers for is_task, count in ((False, connectors), (True, 100))}
    return shares == wanted


def joins(bench, kind, kafka_port, shape):
    _, verb, connectors, tasks = shape
    group = f"join-{kind}-{verb.lower()}"
    first, address = start(bench, kind, kafka_port, group)
    bench.until(lambda: first.alive() and bench.http("GET", f"http://{address}/connectors")[0] == 200, 120, f"{kind} worker answers")
    for number in range(connectors):
        config = {"connector.class": f"FileStream{verb}", "tasks.max": str(tasks), "file": "/dev/null",
                  "topic" if verb == "Source" else "topics": "joins"}
        path = f"http://{address}/connectors/c{number}/config"
        # Java refuses while it rebalances.
        bench.until(lambda: bench.http("PUT", path, config)[0] == 201, 120, f"c{number} is created")
    alone = {(address, False): connectors, (address, True): 100}
    wire = bench.Wire(kafka_port)
    times = []
    for _ in range(ROUNDS):
        bench.until(lambda: running(bench, address) == alone, 900, f"{kind}: all runs on the first worker", 0.1)
        bench.until(lambda: group_state(bench, wire, group) == "Stable", 60, "the group is stable")
        second, other = start(bench, kind, kafka_port, group)
        bench.until(lambda: second.alive() and group_state(bench, wire, group) != "Stable", 120, "the second worker joins", 0.001)
        began = time.monotonic()
        bench.until(lambda: is_even(running(bench, address), (address, other), connectors), 120, f"{kind}: even shares", 0.01)
        times.append((time.monotonic() - began) * 1000)
        second.stop()
    first.stop()
    return sorted(times)


def second_worker(bench):
    broker = bench.ApacheBroker()
    for shape in SHAPES:
        java, weir = (joins(bench, kind, broker.port, shape) for kind in ("java", "weir"))
        text = lambda times: f"{times[len(times) // 2]:.0f} ms ({times[0]:.0f} to {times[-1]:.0f})"  # noqa: E731
        ratio = java[len(java) // 2] / weir[len(weir) // 2]
        bench.row(f"a second worker's join to balance, {shape[0]}, median of {ROUNDS}", text(java), text(weir), f"{ratio:.0f}x")
    broker.stop()
