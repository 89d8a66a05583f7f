"""A thousand connectors that have nothing to do, on one worker: memory, threads, CPU, start, and how fast REST answers.

Weir stands alone in these rows: a Java worker with a thousand tasks needs a thousand threads and more heap than this machine has.
Sources share the worker's producer settings; sinks have a consumer and a group each, so they are stated apart.
"""
import json
import os
import tempfile
import threading
import time
import urllib.request

COUNT = int(os.environ.get("BENCH_CONNECTORS", "1000"))
IDLE = int(os.environ.get("BENCH_MANY_IDLE", "30"))
STRING = "org.apache.kafka.connect.storage.StringConverter"
CREATORS = 4


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def worker(bench, kafka_port, conf=None):
    """A distributed worker; with `conf` the one that ran before, so that it finds its connectors again."""
    port = bench.free_port()
    conf = conf or tempfile.mktemp(prefix="many", suffix=".properties", dir=bench.WORK)
    with open(conf, "w") as f:
        f.write(f"""bootstrap.servers=127.0.0.1:{kafka_port}
listeners=http://127.0.0.1:{port}
group.id=many
key.converter={STRING}
value.converter={STRING}
offset.storage.topic=many-offsets
offset.storage.replication.factor=1
config.storage.topic=many-configs
config.storage.replication.factor=1
status.storage.topic=many-status
status.storage.replication.factor=1
""")
    process = bench.Process(f"many-{port}", [bench.WEIR, "connect-distributed", conf])
    return process, f"http://127.0.0.1:{port}", conf


def running(bench, url):
    status, body = bench.http("GET", f"{url}/connectors?expand=status")
    if status != 200:
        return 0
    text = json.dumps(body)
    if '"FAILED"' in text:
        raise RuntimeError(text[:2000])
    states = [[one["status"]["connector"]["state"]] + [task["state"] for task in one["status"]["tasks"]] for one in body.values()]
    return sum(len(each) > 1 and all(state == "RUNNING" for state in each) for each in states)


def create_all(bench, url, config_of):
    failures = []

    def create(share):
        for number in share:
            status, body = bench.http("POST", f"{url}/connectors", {"name": f"c{number}", "config": config_of(number)})
            if status != 201:
                failures.append((status, body))

    began = time.monotonic()
    creators = [threading.Thread(target=create, args=(range(n, COUNT, CREATORS),)) for n in range(CREATORS)]
    for thread in creators:
        thread.start()
    for thread in creators:
        thread.join()
    if failures:
        raise RuntimeError(failures[0])
    bench.until(lambda: running(bench, url) == COUNT, 300, "all connectors run", 0.2)
    return time.monotonic() - began


def latencies(url):
    """Milliseconds of one request after another for the status of each connector."""
    times = []
    for number in range(COUNT):
        began = time.perf_counter()
        with urllib.request.urlopen(f"{url}/connectors/c{number}/status", timeout=60) as reply:
            reply.read()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.99)]


def measure(bench, kind, config_of):
    broker = bench.WeirBroker()
    process, url, conf = worker(bench, broker.port)
    bench.until(lambda: process.alive() and bench.http("GET", f"{url}/connectors")[0] == 200, 60, "the worker answers")
    empty_mib, empty_threads = bench.rss_mib(process.pid), threads(process.pid)
    took = create_all(bench, url, config_of)
    time.sleep(IDLE / 3)
    cpu, began = bench.cpu_seconds(process.pid), time.monotonic()
    broker_cpu = bench.cpu_seconds(broker.pid)
    time.sleep(IDLE)
    span = time.monotonic() - began
    idle, broker_idle = 100 * (bench.cpu_seconds(process.pid) - cpu) / span, 100 * (bench.cpu_seconds(broker.pid) - broker_cpu) / span
    label = f"{COUNT:,} idle {kind}s"
    bench.row(f"{label}: created one after another on {CREATORS} connections, all RUNNING", "–", f"{took:.1f} s")
    bench.row(f"{label}: resident memory (peak); without any", "–",
              f"{bench.rss_mib(process.pid):.0f} MiB ({bench.rss_mib(process.pid, 'VmHWM'):.0f}); {empty_mib:.0f} MiB")
    bench.row(f"{label}: threads; without any", "–", f"{threads(process.pid)}; {empty_threads}")
    bench.row(f"{label}: CPU of the worker, of the broker, share of one core", "–", f"{idle:.1f} %, {broker_idle:.1f} %")
    p50, p99 = latencies(url)
    bench.row(f"{label}: status of a connector over REST, p50 / p99", "–", f"{p50:.2f} / {p99:.2f} ms")
    process.stop()
    process, url, _ = worker(bench, broker.port, conf)
    began = process.began
    bench.until(lambda: process.alive() and running(bench, url) == COUNT, 300, "all connectors run again", 0.1)
    bench.row(f"{label}: worker started again, exec to all RUNNING", "–", f"{time.monotonic() - began:.1f} s")
    process.stop()
    broker.stop()


def sources(bench):
    path = f"{bench.WORK}/nothing.txt"
    open(path, "w").close()
    measure(bench, "source", lambda number: {"connector.class": "FileStreamSource", "tasks.max": "1", "file": path, "topic": f"many-{number}"})


def sinks(bench):
    out = tempfile.mkdtemp(prefix="sinks", dir=bench.WORK)
    measure(bench, "sink", lambda number: {"connector.class": "FileStreamSink", "tasks.max": "1", "file": f"{out}/{number}", "topics": "many"})
