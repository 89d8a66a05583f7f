"""Connect's REST API through command line tools of PyPI: kc, kafkaconnect, kcm, connectorctl and kafka-connect-cli.

Not here: the libraries, which are in libraries.py. What is checked of a tool's tables is the words in them.
"""

import json
import os

from place import SINK, SOURCE, Command, equal, eventually, holds, main, script


def kc(place):
    """The command of kafka-connect-py."""
    tool = Command(script("kc"), "--url", place.url)
    # Errors are printed, and the command succeeds all the same.
    equal(sorted(tool.json("info")), ["commit", "kafka_cluster_id", "version"])
    equal(tool.json("list"), [])
    holds(tool.run("list-plugins"), SOURCE, SINK)
    wrapped = json.dumps({"name": place.name, "config": place.source()})
    equal(tool.json("create", "--config-data", wrapped)["name"], place.name)
    holds(tool.run("create", "--config-data", wrapped), "409 Client Error")
    status = lambda: tool.json("status", place.name)  # noqa: E731
    eventually("running", lambda: status()["connector"]["state"] == "RUNNING" and status()["tasks"])
    equal(tool.json("update", place.name, "--config-file", place.file("c.json", place.source()))["type"], "source")
    equal(tool.json("list", "--expand", "info", "--pattern", ".*")[place.name]["info"]["name"], place.name)
    equal(tool.json("restart", place.name, "--include-tasks")["name"], place.name)
    eventually("running", lambda: tool.json("task-status", place.name, "0")["state"] == "RUNNING")
    tool.run("pause", "--all")
    eventually("paused", lambda: tool.json("list", "--state", "PAUSED") == [place.name])
    holds(tool.run("get", "nobody"), "404 Client Error")
    tool.run("delete", place.name)
    equal(tool.json("list"), [])


def kafkaconnect(place):
    """The command of kafkaconnect."""
    tool = Command(script("kafkaconnect"), "--connect", place.url)
    good = place.file("good.json", place.source())
    equal(tool.json("upload", "--name", place.name, "--dry-run", good)["error_count"], 0)
    equal(tool.json("list"), [])
    holds(tool.run("upload", "--name", place.name, good), '"type": "source"')
    equal(tool.json("config", place.name), {**place.source(), "name": place.name})
    holds(tool.run("info", "nobody"), "not found")
    equal(tool.run("delete", place.name).strip(), "")


def kcm(place):
    """The command of kafka-connect-manager, which speaks through httpx."""
    tool = Command(script("kcm"), "--host", place.url)
    holds(tool.run("list"), "Total Connectors Found: 0")
    made = place.file("made.json", {"name": place.name, "config": place.sink()})
    holds(tool.run("add", "--file", made), f"Connector Registered: {place.name}")
    holds(tool.run("add", "--file", made, code=2), f"Connector {place.name} already exists")
    eventually("running", lambda: "RUNNING" in tool.run("status", "--connector", place.name).upper())
    holds(tool.run("list", "--type", "sink"), place.name, "FileStreamSinkConnector", "1 Sink connectors found")
    changed = place.file("changed.json", {"name": place.name, "config": place.failing()})
    holds(tool.run("update", place.name, "--file", changed), f"Connector Updated: {place.name}")
    eventually("failed", lambda: "ConnectException" in tool.run("status", "--connector", place.name))
    bad = place.file("bad.json", {"name": place.name, "config": place.sink(**{"tasks.max": "x"})})
    holds(tool.run("update", place.name, "--file", bad, code=2), "Connector configuration is invalid")


def connectorctl(place):
    """Sends credentials, even where it has none, and a media type with every request."""
    host, port = place.url.removeprefix("http://").split(":")
    tool = Command(script("connectorctl"), HOME=place.folder)
    tool.run("set-env", "test", "--server", host, "--port", port)
    holds(tool.run("create", json.dumps({"name": place.name, "config": place.source()})), "created", place.topic)
    holds(tool.run("list"), place.name)
    eventually("running", lambda: "RUNNING" in tool.run("status"))
    holds(tool.run("get", place.name), place.path("input"))
    holds(tool.run("update", place.name, json.dumps(place.source(**{"batch.size": "9"}))), '"batch.size": "9"')
    holds(tool.run("pause"), "Paused successfully")
    eventually("paused", lambda: "PAUSED" in tool.run("status", place.name))
    holds(tool.run("resume", place.name), "Resumed successfully")
    eventually("running", lambda: "RUNNING" in tool.run("status", place.name))
    holds(tool.run("restart", place.name), "Restarted successfully")
    holds(tool.run("get", "nobody", code=1), "not found")
    holds(tool.run("delete", place.name), "deleted successfully")
    assert place.name not in tool.run("list")


def kafka_connect_cli(place):
    """Its package has the name of kafka-connect-py's, so it is in a folder of its own, which the variable names."""
    tool = Command(script("python"), "-m", "kafka_connect", PYTHONPATH=os.environ["KAFKA_CONNECT_CLI"])

    def run(*arguments, name=None, **more):
        named = ["--name", name] if name else []
        return tool.run(*arguments, "--url", place.url, *named, **more)

    def state():
        return json.loads(run("connector", "get", name=place.name))["state"]

    equal(json.loads(run("connector", "list")), [])
    made = ["connector", "create", "--configuration", json.dumps(place.source())]
    equal(json.loads(run(*made, name=place.name))["name"], place.name)
    equal(json.loads(run(*made, "--if-not-exists", name=place.name)), None)
    eventually("running", lambda: state() == "RUNNING" and json.loads(run("task", "list", "--connector", place.name)))
    equal(run("health-check"), "")
    equal(
        json.loads(run("connector", "list")),
        [{"connector": place.name, "state": "RUNNING", "failedTasks": []}],
    )
    equal(json.loads(run("connector", "configuration", name=place.name))["topic"], place.topic)
    run("connector", "pause", name=place.name)
    eventually("paused", lambda: state() == "PAUSED")
    run("connector", "resume-all", "--verbose")
    eventually("resumed", lambda: state() == "RUNNING")
    run("connector", "restart", name=place.name)
    run("task", "restart", "--connector", place.name, "--task", "0")
    failing = ["connector", "update", "--configuration-file", place.file("f.json", place.failing())]
    equal(json.loads(run(*failing, name=f"{place.name}-2"))["type"], "sink")
    eventually("failed", lambda: '"failedTasks": [\n            0' in run("connector", "list"))
    run("health-check", code=1)
    holds(run("connector", "get", name="nobody", code=1), "404", "No status found for connector nobody")
    holds(run("connector", "delete-all", "--verbose"), f"{place.name} deleted", f"{place.name}-2 deleted")
    equal(json.loads(run("connector", "list")), [])


main(
    {
        "kc": kc,
        "kafkaconnect": kafkaconnect,
        "kcm": kcm,
        "connectorctl": connectorctl,
        "kafka_connect_cli": kafka_connect_cli,
    }
)
