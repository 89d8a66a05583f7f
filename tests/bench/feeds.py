"""Feeds and the registry: what Apache Kafka has no peer for on this machine, so these rows stand alone.

HTTP source -> Avro -> topic: pages of JSON from a server that only writes bytes it has ready; CPU of the worker process only.
Registry: look-ups by id over kept-alive connections (ApacheBench), registrations of distinct schemas by many clients.
"""
import http.server
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

RECORDS = int(os.environ.get("BENCH_FEED", "200000"))
PAGE = 1000
LOOKUPS = int(os.environ.get("BENCH_LOOKUPS", "200000"))
REGISTRATIONS = int(os.environ.get("BENCH_REGISTRATIONS", "4000"))
CLIENTS = 20
AVRO = "io.confluent.connect.avro.AvroConverter"


def registry(bench, kafka_port):
    port = bench.free_port()
    conf = tempfile.mktemp(prefix="registry", suffix=".properties", dir=bench.WORK)
    with open(conf, "w") as f:
        f.write(f"listeners=http://127.0.0.1:{port}\nkafkastore.bootstrap.servers=PLAINTEXT://127.0.0.1:{kafka_port}\n")
    process = bench.Process(f"registry-{port}", [bench.WEIR, "schema-registry", conf])
    url = f"http://127.0.0.1:{port}"
    bench.until(lambda: process.alive() and bench.http("GET", f"{url}/subjects")[0] == 200, 60, "the registry answers", 0.002)
    return process, url


def pages():
    """Every page as the bytes of a whole response."""
    made = {}
    for number in range(1, RECORDS // PAGE + 2):
        first = (number - 1) * PAGE
        items = [{"id": n, "name": f"item number {n}", "price": n / 8, "active": n % 3 == 0, "tag": "abcdefgh"[n % 8],
                  "updated_at": f"2026-11-20T10:{n // 60 % 60:02}:{n % 60:02}Z"}
                 for n in range(first, min(first + PAGE, RECORDS))]
        made[str(number)] = json.dumps({"items": items}).encode()
    return made


class Server:
    def __init__(self):
        made = pages()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = made.get(re.search(r"[?&]page=(\d+)", self.path).group(1), b'{"items":[]}')
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def http_source(bench):
    broker = bench.WeirBroker()
    registry_process, url = registry(bench, broker.port)
    worker = bench.Worker("weir", broker.port)
    server = Server()
    wire = bench.Wire(broker.port)
    wire.create("items")
    before = bench.cpu_seconds(worker.pid)
    began = worker.create("items", {
        "connector.class": "HttpSource", "tasks.max": "1", "topic": "items",
        "http.url": f"http://127.0.0.1:{server.port}/items",
        "http.response.records.pointer": "/items", "http.record.key.pointer": "/id", "http.schema.mode": "inferred",
        "http.paging.mode": "page", "http.paging.param": "page", "http.paging.size": str(PAGE),
        "http.paging.size.param": "size", "http.throttle.catchup.interval.ms": "1",
        "rate.limit.requests": "1000000", "rate.limit.per.ms": "1000", "records.max.per.poll": str(PAGE),
        "value.converter": AVRO, "value.converter.schema.registry.url": url,
    })
    bench.until(lambda: wire.end_offset("items") >= RECORDS, 300, "all items are in the topic")
    took, cpu = time.monotonic() - began, bench.cpu_seconds(worker.pid) - before
    bench.row("HTTP source -> Avro -> topic: records/s", "–", f"{RECORDS / took:,.0f}")
    bench.row("… worker CPU a record", "–", f"{cpu / RECORDS * 1e6:.2f} us")
    bench.row("… peak memory", "–", f"{bench.rss_mib(worker.pid, 'VmHWM'):.0f} MiB")
    for process in (worker, registry_process, broker):
        process.stop()


def schema(number):
    fields = [{"name": f"f{number}_{n}", "type": "string"} for n in range(5)]
    return json.dumps({"type": "record", "name": "R", "fields": fields})


def register(port, share, latencies):
    """Registers its share over one connection, a new subject each."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = sock.makefile("rb")
        for number in share:
            body = json.dumps({"schema": schema(number)}).encode()
            head = (f"POST /subjects/s{number}/versions HTTP/1.1\r\nHost: bench\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
            began = time.monotonic()
            sock.sendall(head.encode() + body)
            status, length = reader.readline(), 0
            if b" 200 " not in status:
                raise RuntimeError(status)
            while (line := reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            reader.read(length)
            latencies.append(time.monotonic() - began)


def registry_rates(bench):
    broker = bench.WeirBroker()
    process, url = registry(bench, broker.port)
    port = int(url.rsplit(":", 1)[1])
    latencies = []
    began = time.monotonic()
    threads = [threading.Thread(target=register, args=(port, range(n, REGISTRATIONS, CLIENTS), latencies)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    if len(latencies) != REGISTRATIONS:
        raise RuntimeError(f"{len(latencies)} of {REGISTRATIONS} registrations succeeded")
    latencies.sort()
    bench.row(f"registry: new schemas/s, {CLIENTS} clients", "–", f"{REGISTRATIONS / took:,.0f}",
              f"p99 {latencies[int(len(latencies) * 0.99)] * 1000:.1f} ms")
    ab = subprocess.run(["ab", "-q", "-k", "-n", str(LOOKUPS), "-c", "16", f"{url}/schemas/ids/1"], capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests per second:\s+([\d.]+)", ab).group(1))
    p99 = re.search(r"\s99%\s+(\d+)", ab).group(1)
    if int(re.search(r"Failed requests:\s+(\d+)", ab).group(1)) or "Non-2xx" in ab:
        raise RuntimeError(ab)
    bench.row("registry: look-ups by id/s, 16 connections", "–", f"{rate:,.0f}", f"p99 {p99} ms")
    bench.row(f"registry: memory with {REGISTRATIONS:,} schemas", "–", f"{bench.rss_mib(process.pid):.0f} MiB")
    process.stop()
    broker.stop()
