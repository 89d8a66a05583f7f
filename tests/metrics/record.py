"""Starts Apache's broker and distributed worker, lets both kinds of task run, and lists the worker's MBeans. See record.sh."""
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEERS = os.environ.get("WEIR_PEERS", f"{ROOT}/target/peers")
HERE = os.path.dirname(os.path.abspath(__file__))
STRING = "org.apache.kafka.connect.storage.StringConverter"
TRANSFORMED = {
    "tasks.max": "1", "transforms": "hoist", "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value",
    "transforms.hoist.field": "line", "transforms.hoist.predicate": "all", "predicates": "all",
    "predicates.all.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches", "predicates.all.pattern": ".*",
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def java(*arguments, **options):
    return subprocess.Popen(["java", "-Xmx512m", "-cp", f"{PEERS}/libs/*", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def get(url, body=None):
    data = json.dumps(body).encode() if body else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"}), timeout=60) as reply:
            return json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return None if error.code in (404, 409, 500, 503) else sys.exit(error.read().decode())
    except OSError:
        return None


def until(condition, what):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.2)
    sys.exit(f"{what}: not within two minutes")


def broker(folder):
    port, controller = free_port(), free_port()
    conf = f"{folder}/server.properties"
    with open(conf, "w") as f:
        f.write(f"process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=127.0.0.1:{controller}\n"
                f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n"
                "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n"
                f"log.dirs={folder}/logs\noffsets.topic.replication.factor=1\n")
    java("kafka.tools.StorageTool", "format", "--standalone", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", conf).wait()
    return java("kafka.Kafka", conf), port


def worker(folder, kafka):
    port = free_port()
    conf = f"{folder}/worker.properties"
    topics = "".join(f"{name}.storage.topic={name}\n{name}.storage.replication.factor=1\n" for name in ("config", "offset", "status"))
    with open(conf, "w") as f:
        f.write(f"bootstrap.servers=127.0.0.1:{kafka}\nlisteners=http://127.0.0.1:{port}\ngroup.id=metrics\nplugin.path={PEERS}/plugins\n"
                f"key.converter={STRING}\nvalue.converter={STRING}\noffset.flush.interval.ms=1000\n{topics}")
    return java("org.apache.kafka.connect.cli.ConnectDistributed", conf), f"http://127.0.0.1:{port}"


def runs(url, name):
    status = get(f"{url}/connectors/{name}/status")
    return status and status["tasks"] and all(part["state"] == "RUNNING" for part in [status["connector"], *status["tasks"]])


def main():
    with tempfile.TemporaryDirectory(dir=f"{ROOT}/target") as folder:
        with open(f"{folder}/in.txt", "w") as f:
            f.writelines(f"line {n}\n" for n in range(1000))
        kafka_process, kafka = broker(folder)
        worker_process, url = worker(folder, kafka)
        try:
            until(lambda: get(f"{url}/connectors") is not None, "the worker answers")
            configs = {
                "in": {"connector.class": "FileStreamSource", "file": f"{folder}/in.txt", "topic": "lines"},
                "out": {"connector.class": "FileStreamSink", "file": f"{folder}/out.txt", "topics": "lines", "errors.tolerance": "all",
                        "errors.deadletterqueue.topic.name": "bad", "errors.deadletterqueue.topic.replication.factor": "1"},
            }
            for name, config in configs.items():
                get(f"{url}/connectors", {"name": name, "config": {**config, **TRANSFORMED}})
                until(lambda: runs(url, name), f"{name} runs")
            out = f"{folder}/out.txt"
            until(lambda: os.path.exists(out) and sum(1 for _ in open(out)) >= 1000, "all lines are out")
            time.sleep(3)  # A commit of offsets or two, so that their figures are there to look at.
            names = ["java", "-cp", f"{PEERS}/libs/*", f"{HERE}/JmxNames.java", str(worker_process.pid)]
            with open(f"{HERE}/apache.txt", "w") as f:
                subprocess.run(names, stdout=f, check=True)
            if len(sys.argv) > 1:
                with open(sys.argv[1], "w") as f:
                    subprocess.run([*names, "values"], stdout=f, check=True)
        finally:
            for process in (worker_process, kafka_process):
                process.terminate()
                process.wait()


main()
