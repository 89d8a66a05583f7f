"""Weir against Apache Kafka and Connect on this machine, in one run.

Both workers are standalone workers over the same Apache broker; only the worker process's own CPU counts. The brokers are driven
by the same librdkafka program. Runs alternate peer and Weir, so that a drifting machine meets both. Python's standard library only.
"""
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import feeds
import many
import second_worker

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEERS = os.environ["WEIR_PEERS"]
WEIR = os.environ.get("WEIR_BIN", f"{ROOT}/target/release/weir")
RDK = f"{PEERS}/rdkafka_performance"
LINES = int(os.environ.get("BENCH_LINES", "5000000"))
SMALL = int(os.environ.get("BENCH_SMALL", "5000000"))
KIB = int(os.environ.get("BENCH_KIB", "500000"))
IDLE = int(os.environ.get("BENCH_IDLE", "60"))
LINE_BYTES = 100
HZ = os.sysconf("SC_CLK_TCK")
WORK = tempfile.mkdtemp(prefix="bench", dir=f"{ROOT}/target")
TABLE = []
STRING = "org.apache.kafka.connect.storage.StringConverter"
JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"


# ---- machine ---------------------------------------------------------------------------------------------------

def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / HZ


def rss_mib(pid, key="VmRSS"):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def row(what, java, weir, ratio=""):
    TABLE.append((what, java, weir, ratio))
    print(f"| {what} | {java} | {weir} | {ratio} |", flush=True)


def until(condition, limit, what, pause=0.02):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise TimeoutError(f"{what}: not within {limit} s")


class Process:
    """One started program, its log, and its end."""
    started = []

    def __init__(self, name, args, env=None):
        self.log = f"{WORK}/{name}.log"
        self.began = time.monotonic()
        self.child = subprocess.Popen(args, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                      env={**os.environ, **(env or {})}, start_new_session=True)
        self.pid = self.child.pid
        Process.started.append(self)

    def alive(self):
        if self.child.poll() is not None:
            raise RuntimeError(f"{self.log}:\n" + open(self.log, errors="replace").read()[-3000:])
        return True

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(30)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


# ---- a few Kafka requests over a plain socket ------------------------------------------------------------------

def kstring(text):
    return struct.pack(">h", len(text)) + text.encode()


class Wire:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30)

    def call(self, key, version, body):
        head = struct.pack(">hhi", key, version, 1) + kstring("bench")
        self.sock.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        size = struct.unpack(">i", self.read(4))[0]
        return self.read(size)[4:]

    def read(self, count):
        out = bytearray()
        while len(out) < count:
            part = self.sock.recv(count - len(out))
            if not part:
                raise ConnectionError("closed")
            out += part
        return bytes(out)

    def create(self, topic):
        body = struct.pack(">i", 1) + kstring(topic) + struct.pack(">ihii", 1, 1, 0, 0) + struct.pack(">ib", 30000, 0)
        self.call(19, 2, body)

    def end_offset(self, topic):
        body = struct.pack(">ii", -1, 1) + kstring(topic) + struct.pack(">iiq", 1, 0, -1)
        answer = self.call(2, 1, body)
        at = 4 + 2 + len(topic) + 4
        _, error, _, offset = struct.unpack_from(">ihqq", answer, at)
        return 0 if error else offset


def answers(port):
    try:
        wire = Wire(port)
        wire.call(18, 0, b"")
        wire.call(3, 4, struct.pack(">i", -1) + b"\0")
        wire.sock.close()
        return True
    except (OSError, struct.error):
        return False


# ---- peers -----------------------------------------------------------------------------------------------------

JVM = ["-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
       "-Djava.awt.headless=true"]


def java(name, heap, main, *args):
    log4j = f"{WORK}/log4j2.properties"
    if not os.path.exists(log4j):
        with open(log4j, "w") as f:
            f.write("rootLogger.level=warn\nrootLogger.appenderRef.o.ref=o\nappender.o.type=Console\nappender.o.name=o\n"
                    "appender.o.layout.type=PatternLayout\nappender.o.layout.pattern=%m%n\n")
    return Process(name, ["java", *heap, *JVM, f"-Dlog4j2.configurationFile={log4j}", "-cp", f"{PEERS}/libs/*", main, *args])


class ApacheBroker:
    def __init__(self):
        self.port, controller = free_port(), free_port()
        data = tempfile.mkdtemp(prefix="kafka", dir=WORK)
        conf = f"{data}.properties"
        with open(conf, "w") as f:
            f.write(f"""process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
""")
        made = java("format", ["-Xmx256M"], "kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", conf, "--standalone")
        made.child.wait()
        self.process = java("kafka", ["-Xmx1G", "-Xms1G"], "kafka.Kafka", conf)
        until(lambda: self.process.alive() and answers(self.port), 90, "Apache Kafka answers")
        self.ready_s = time.monotonic() - self.process.began
        self.pid = self.process.pid

    def stop(self):
        self.process.stop()


class WeirBroker:
    def __init__(self):
        self.port = free_port()
        data = tempfile.mkdtemp(prefix="weir", dir=WORK)
        conf = f"{data}.properties"
        with open(conf, "w") as f:
            f.write(f"listeners=PLAINTEXT://127.0.0.1:{self.port}\nlog.dirs={data}\n")
        self.process = Process("weir-broker", [WEIR, "broker", conf])
        until(lambda: self.process.alive() and answers(self.port), 30, "the bundled broker answers", 0.002)
        self.ready_s = time.monotonic() - self.process.began
        self.pid = self.process.pid

    def stop(self):
        self.process.stop()


def http(method, url, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, method=method, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            text = reply.read()
            return reply.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, None


class Worker:
    """A standalone Connect worker over the Apache broker: Java's or Weir's, from the same kind of file."""

    def __init__(self, kind, bootstrap):
        self.kind, self.port = kind, free_port()
        conf = f"{WORK}/worker-{kind}-{self.port}.properties"
        with open(conf, "w") as f:
            f.write(f"""bootstrap.servers=127.0.0.1:{bootstrap}
listeners=http://127.0.0.1:{self.port}
plugin.path={PEERS}/plugins
offset.flush.interval.ms=10000
offset.storage.file.filename={conf}.offsets
key.converter={STRING}
value.converter={STRING}
""")
        if kind == "java":
            self.process = java(f"worker-{self.port}", ["-Xms256M", "-Xmx2G"], "org.apache.kafka.connect.cli.ConnectStandalone", conf)
        else:
            self.process = Process(f"worker-{self.port}", [WEIR, "connect-standalone", conf])
        self.url = f"http://127.0.0.1:{self.port}"
        until(lambda: self.process.alive() and http("GET", f"{self.url}/")[0] == 200, 90, f"{kind} worker answers", 0.002)
        self.ready_s = time.monotonic() - self.process.began
        self.pid = self.process.pid

    def create(self, name, config):
        began = time.monotonic()
        status, body = http("POST", f"{self.url}/connectors", {"name": name, "config": config})
        if status != 201:
            raise RuntimeError(f"{self.kind}: {status} {body}")
        return began

    def running_ms(self, name, began):
        def running():
            status, body = http("GET", f"{self.url}/connectors/{name}/status")
            if status == 200 and "FAILED" in json.dumps(body):
                raise RuntimeError(f"{self.kind}: {body}")
            states = [body["connector"]["state"]] + [task["state"] for task in body["tasks"]] if status == 200 else []
            return len(states) > 1 and all(state == "RUNNING" for state in states)
        until(running, 60, f"{name} runs", 0.001)
        return (time.monotonic() - began) * 1000

    def stop(self):
        self.process.stop()


# ---- sections --------------------------------------------------------------------------------------------------

def disk():
    path = f"{WORK}/sync"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    times = []
    for _ in range(2000):
        os.write(fd, b"x" * 4096)
        began = time.perf_counter()
        os.fdatasync(fd)
        times.append((time.perf_counter() - began) * 1000)
    os.close(fd)
    times.sort()
    row("one fdatasync of 4 KiB on this disk, p50 / p99 / p99.9", "", f"{times[1000]:.2f} / {times[1980]:.2f} / {times[1998]:.2f} ms")


def start():
    java_broker = ApacheBroker()
    java_worker = Worker("java", java_broker.port)
    weir_s = []
    for _ in range(5):
        data = tempfile.mkdtemp(prefix="up", dir=WORK)
        up = Process("up", [WEIR, "up", "--data-dir", data, "--kafka-port", "0", "--connect-port", "0", "--ready-file", f"{data}/ready"])
        until(lambda: up.alive() and os.path.exists(f"{data}/ready"), 30, "weir up is ready", 0.001)
        weir_s.append(time.monotonic() - up.began)
        if len(weir_s) < 5:
            up.stop()
    weir_s.sort()
    java_s = java_broker.ready_s + java_worker.ready_s
    row("exec to all ports answering (Java: broker then worker; Weir: median of 5)", f"{java_s * 1000:.0f} ms", f"{weir_s[2] * 1000:.0f} ms", f"{java_s / weir_s[2]:.0f}x")
    time.sleep(IDLE)
    java_mib = rss_mib(java_broker.pid) + rss_mib(java_worker.pid)
    weir_mib = rss_mib(up.pid)
    row(f"resident after {IDLE} s idle, broker and worker", f"{java_mib:.0f} MiB", f"{weir_mib:.0f} MiB", f"{java_mib / weir_mib:.0f}x")
    before, began = cpu_seconds(up.pid), time.monotonic()
    java_before = cpu_seconds(java_broker.pid) + cpu_seconds(java_worker.pid)
    time.sleep(10)
    took = time.monotonic() - began
    java_idle = 100 * (cpu_seconds(java_broker.pid) + cpu_seconds(java_worker.pid) - java_before) / took
    row("idle CPU, share of one core", f"{java_idle:.1f} %", f"{100 * (cpu_seconds(up.pid) - before) / took:.1f} %")
    weir_url = json.load(open(f"{data}/ready"))["connect"]
    config = {"connector.class": "FileStreamSource", "tasks.max": "1", "file": "/dev/null", "topic": "lat", "key.converter": STRING, "value.converter": STRING}

    def to_running(worker):
        times = []
        for i in range(10):
            times.append(worker.running_ms(f"lat{i}", worker.create(f"lat{i}", config)))
            http("DELETE", f"{worker.url}/connectors/lat{i}")
        return sorted(times)[5]
    weir_worker = Worker.__new__(Worker)
    weir_worker.kind, weir_worker.url = "weir", weir_url
    java_ms, weir_ms = to_running(java_worker), to_running(weir_worker)
    row("warm worker: POST /connectors to RUNNING, median of 10", f"{java_ms:.0f} ms", f"{weir_ms:.1f} ms", f"{java_ms / weir_ms:.0f}x")
    for process in (up, java_worker, java_broker):
        process.stop()


def make_input():
    path = f"{PEERS}/lines-{LINES}.txt"
    if not os.path.exists(path) or os.path.getsize(path) != LINES * LINE_BYTES:
        tail = " the quick brown fox jumps over the lazy dog, packs my box with five dozen liquor jugs; ok"
        tail = tail[: LINE_BYTES - 11].ljust(LINE_BYTES - 11, ".")
        with open(path, "w") as f:
            for i in range(0, LINES, 10000):
                f.write("".join(f"{j:010d}{tail}\n" for j in range(i, min(i + 10000, LINES))))
    return path


def source_run(kind, broker, topic, converter):
    worker, wire = Worker(kind, broker.port), Wire(broker.port)
    wire.create(topic)
    before = cpu_seconds(worker.pid)
    began = worker.create("source", {"connector.class": "FileStreamSource", "tasks.max": "1", "file": make_input(), "topic": topic, **converter})
    until(lambda: worker.process.alive() and wire.end_offset(topic) >= LINES, 600, f"{kind} source", 0.05)
    seconds, cpu, peak = time.monotonic() - began, cpu_seconds(worker.pid) - before, rss_mib(worker.pid, "VmHWM")
    worker.stop()
    return seconds, cpu * 1e6 / LINES, peak


def sink_run(kind, broker, topic, converter):
    worker = Worker(kind, broker.port)
    out = f"{WORK}/sink-{kind}.out"
    before = cpu_seconds(worker.pid)
    config = {"connector.class": "FileStreamSink", "tasks.max": "1", "file": out, "topics": topic, **converter}
    began = worker.create(f"sink-{kind}-{topic}", config)
    size = LINES * LINE_BYTES
    until(lambda: worker.process.alive() and os.path.exists(out) and os.path.getsize(out) >= size, 600, f"{kind} sink", 0.05)
    seconds, cpu, peak = time.monotonic() - began, cpu_seconds(worker.pid) - before, rss_mib(worker.pid, "VmHWM")
    if os.path.getsize(out) != size:
        raise RuntimeError(f"{kind}: sink wrote {os.path.getsize(out)} bytes, not {size}")
    os.remove(out)
    worker.stop()
    return seconds, cpu * 1e6 / LINES, peak


def connect():
    broker = ApacheBroker()
    string = {"key.converter": STRING, "value.converter": STRING}
    with_schema = {"key.converter": STRING, "value.converter": JSON_CONVERTER, "value.converter.schemas.enable": "true"}
    for label, converter in (("StringConverter", string), ("JsonConverter with schemas", with_schema)):
        for verb, run in (("file -> topic", source_run), ("topic -> file", sink_run)):
            figures = {}
            for kind in ("java", "weir"):
                # Each source writes its own topic; both sinks read the one that Java wrote.
                topic = f"{kind if run is source_run else 'java'}-{label.split()[0].lower()}"
                figures[kind] = run(kind, broker, topic, converter)
            (js, jc, jm), (ws, wc, wm) = figures["java"], figures["weir"]
            row(f"{verb}, {LINES:,} lines, {label}: records/s", f"{LINES / js:,.0f}", f"{LINES / ws:,.0f}", f"{js / ws:.1f}x")
            row(f"{verb}, {label}: worker CPU a record", f"{jc:.2f} us", f"{wc:.2f} us", f"{jc / wc:.1f}x less")
            row(f"{verb}, {label}: worker peak memory", f"{jm:.0f} MiB", f"{wm:.0f} MiB", f"{jm / wm:.0f}x less")
    broker.stop()


TWO_TRANSFORMS = {
    "transforms": "hoist,insert",
    "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value", "transforms.hoist.field": "line",
    "transforms.insert.type": "org.apache.kafka.connect.transforms.InsertField$Value",
    "transforms.insert.static.field": "site", "transforms.insert.static.value": "north",
}


def transforms():
    """HoistField, then InsertField, then JSON with schemas: each record as large in the topic for both."""
    broker = ApacheBroker()
    with_schema = {"key.converter": STRING, "value.converter": JSON_CONVERTER, "value.converter.schemas.enable": "true"}
    figures = {kind: source_run(kind, broker, f"{kind}-transformed", {**with_schema, **TWO_TRANSFORMS}) for kind in ("java", "weir")}
    (js, jc, jm), (ws, wc, wm) = figures["java"], figures["weir"]
    label = "file -> two SMTs -> JSON with schemas -> topic"
    row(f"{label}, {LINES:,} lines: records/s", f"{LINES / js:,.0f}", f"{LINES / ws:,.0f}", f"{js / ws:.1f}x")
    row(f"{label}: worker CPU a record", f"{jc:.2f} us", f"{wc:.2f} us", f"{jc / wc:.1f}x less")
    row(f"{label}: worker peak memory", f"{jm:.0f} MiB", f"{wm:.0f} MiB", f"{jm / wm:.0f}x less")
    broker.stop()


def rdk(port, topic, count, *args):
    run = subprocess.run([RDK, "-b", f"127.0.0.1:{port}", "-t", topic, "-c", str(count), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.findall(r"(\d+) msgs/s", run.stdout)
    if not found:
        raise RuntimeError(run.stdout[-2000:])
    return float(found[-1])


PRODUCE = ["-P", "-p", "0", "-q", "-X", "queue.buffering.max.messages=1000000", "-X", "linger.ms=5"]


def pair(brokers, run, count):
    """Each broker in turn: (rate, CPU us a record)."""
    figures = []
    for broker in brokers:
        before = cpu_seconds(broker.pid)
        rate = run(broker)
        figures.append((rate, (cpu_seconds(broker.pid) - before) * 1e6 / count))
    return figures


def show(what, figures):
    (jr, jc), (wr, wc) = figures
    row(f"{what}: records/s", f"{jr:,.0f}", f"{wr:,.0f}", f"{wr / jr:.2f}x")
    row(f"{what}: broker CPU a record", f"{jc:.2f} us", f"{wc:.2f} us", f"{wc / jc:.2f} of it")


def broker():
    brokers = (ApacheBroker(), WeirBroker())
    for size, count, label in ((100, SMALL, "100 B"), (1024, KIB, "1 KiB")):
        for acks, name in (("1", "acks=1"), ("-1", "acks=all")):
            topic = f"b{size}a{acks.strip('-')}"
            for b in brokers:
                Wire(b.port).create(topic)
                rdk(b.port, topic, 1000, "-s", str(size), *PRODUCE)
            show(f"produce {label}, {name}", pair(brokers, lambda b: rdk(b.port, topic, count, "-s", str(size), "-a", acks, *PRODUCE), count))
        show(f"consume {label}", pair(brokers, lambda b: rdk(b.port, topic, count, "-C", "-p", "0", "-o", "beginning", "-q", "-X", "check.crcs=false"), count))
    for b in brokers:
        b.stop()


def end_to_end_ms(b):
    """Producer to consumer at 5,000 msg/s, acks=all, linger 5 ms: p50, p99, p99.9."""
    out = f"{WORK}/latency-{b.port}"
    Wire(b.port).create("lat")
    rdk(b.port, "lat", 1000, "-s", "100", *PRODUCE)
    consumer = subprocess.Popen([RDK, "-b", f"127.0.0.1:{b.port}", "-t", "lat", "-C", "-p", "0", "-o", "end", "-l", "-A", out, "-c", "60000", "-q",
                                 "-X", "fetch.wait.max.ms=100"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(2)
    rdk(b.port, "lat", 75000, "-s", "100", "-a", "-1", "-l", "-r", "5000", *PRODUCE)
    try:
        consumer.wait(15)
    except subprocess.TimeoutExpired:
        consumer.terminate()
        consumer.wait()
    values = sorted(float(re.search(r"[\d.]+", line)[0]) / 1000 for line in open(out) if re.search(r"\d", line))
    return [values[min(len(values) - 1, int(share * len(values)))] for share in (0.5, 0.99, 0.999)]


def latency():
    brokers = (ApacheBroker(), WeirBroker())
    j, w = (end_to_end_ms(b) for b in brokers)
    text = lambda v: " / ".join(f"{x:.1f}" for x in v) + " ms"  # noqa: E731
    row("producer to consumer at 5,000 msg/s of 100 B, acks=all, p50 / p99 / p99.9", text(j), text(w), f"p99 {w[1] / j[1]:.2f} of it")
    for b in brokers:
        b.stop()


def feed():
    feeds.http_source(sys.modules[__name__])


def registry():
    feeds.registry_rates(sys.modules[__name__])


def sources():
    many.sources(sys.modules[__name__])


def sinks():
    many.sinks(sys.modules[__name__])


def avro():
    printed = subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "avro.sh")], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in printed.splitlines():
        parts = line.split()
        if parts[0] in ("encode", "decode"):
            row(f"Avro {parts[0]} of {parts[1]} fields, ns a record (Java's Avro library)", parts[3], parts[2], parts[4])


def join():
    second_worker.second_worker(sys.modules[__name__])


def smt():
    printed = subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "smt.sh")], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in printed.splitlines():
        name, weir_ns, java_ns = line.split()
        row(f"SMT {name}: ns a record", java_ns, weir_ns, f"{float(java_ns) / float(weir_ns):.1f}x")


def assignor():
    printed = subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "assignor.sh")], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in printed.splitlines():
        step, apache_ms, apache_moves, weir_ms, weir_moves = line.split()
        row(f"assignment of 100,000 tasks to 1,000 workers, {step}: ms / tasks stopped", f"{apache_ms} / {apache_moves}", f"{weir_ms} / {weir_moves}",
            f"{float(weir_ms) / float(apache_ms):.2f}")


SECTIONS = {"disk": disk, "start": start, "connect": connect, "transforms": transforms, "broker": broker, "latency": latency, "feed": feed, "registry": registry, "avro": avro, "smt": smt, "join": join, "assignor": assignor, "sources": sources, "sinks": sinks}


def main():
    chosen = sys.argv[1:] or list(SECTIONS)
    print("| what | Apache | Weir | ratio |\n| --- | --- | --- | --- |", flush=True)
    try:
        for name in chosen:
            SECTIONS[name]()
    finally:
        # A section that failed leaves its processes behind.
        for process in Process.started:
            process.stop()
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(WORK, ignore_errors=True)


main()
